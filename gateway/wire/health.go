package wire

import "strconv"

// Health is what GET /health answers.
type Health struct {
	Status  string `json:"status"`  // healthy, degraded or unhealthy
	Latency int64  `json:"latency"` // ms
}

// AppendTo appends h's JSON to dst.
func (h *Health) AppendTo(dst []byte) []byte {
	dst = append(dst, `{"status":`...)
	dst = appendString(dst, h.Status)
	dst = append(dst, `,"latency":`...)
	dst = strconv.AppendInt(dst, h.Latency, 10)
	return append(dst, '}')
}

// Ready is what GET /ready answers: whether to send this instance requests, and
// if not, what is missing.
type Ready struct {
	Ready      bool        `json:"ready"`
	Store      bool        `json:"store"`     // open and writable
	Sequencer  bool        `json:"sequencer"` // alive
	Companions int         `json:"companions"`
	Tiers      []TierReady `json:"tiers"` // lowest first
}

// TierReady says whether a tier can reach its quorum with the panel it has now.
type TierReady struct {
	Tier             string `json:"tier"`
	Quorum           bool   `json:"quorum"`
	WithoutAnyVendor bool   `json:"withoutAnyVendor"` // still, were any one vendor gone
}

// AppendTo appends r's JSON to dst.
func (r *Ready) AppendTo(dst []byte) []byte {
	dst = append(dst, `{"ready":`...)
	dst = strconv.AppendBool(dst, r.Ready)
	dst = append(dst, `,"store":`...)
	dst = strconv.AppendBool(dst, r.Store)
	dst = append(dst, `,"sequencer":`...)
	dst = strconv.AppendBool(dst, r.Sequencer)
	dst = append(dst, `,"companions":`...)
	dst = strconv.AppendInt(dst, int64(r.Companions), 10)
	dst = append(dst, `,"tiers":[`...)
	for i, t := range r.Tiers {
		dst = append(comma(dst, i), `{"tier":`...)
		dst = appendString(dst, t.Tier)
		dst = append(dst, `,"quorum":`...)
		dst = strconv.AppendBool(dst, t.Quorum)
		dst = append(dst, `,"withoutAnyVendor":`...)
		dst = strconv.AppendBool(dst, t.WithoutAnyVendor)
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}

// Decode reads a readiness, for clients.
func (r *Ready) Decode(body []byte) error {
	*r = Ready{}
	return unmarshal("readiness", body, r)
}
