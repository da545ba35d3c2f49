package wire

import "strconv"

// A Deliberation is what POST /v1/deliberate and GET /v1/deliberations/{id}
// answer: the fields in the order of the JSON.
type Deliberation struct {
	ID       string `json:"id"`
	Status   string `json:"status"`   // carried, contested, lost, inquorate, refused, pending or expired
	Answer   string `json:"answer"`   // a companion's real reply; "" when no answer has authority
	Value    string `json:"value"`    // the winning key of a closed kind, or ""
	Decision string `json:"decision"` // the leading stance of a vote, or ""

	Consensus Consensus  `json:"consensus"`
	Positions []Position `json:"positions,omitzero"` // nil when not asked for; heaviest first
	Dissent   []Dissent  `json:"dissent"`            // heaviest first
	Ballots   []Ballot   `json:"ballots,omitzero"`   // nil when not asked for; in roster order

	Rounds    *Rounds    `json:"rounds,omitempty"`    // nil unless a second round was wanted
	Judge     *Judge     `json:"judge,omitempty"`     // nil unless a judge was wanted
	Synthesis *Synthesis `json:"synthesis,omitempty"` // nil unless a synthesis was wanted

	Panel  Panel  `json:"panel,omitzero"` // where the request limited whom to ask; not in what is read back later
	Usage  Usage  `json:"usage"`          // of all companions together, in every step
	Timing Timing `json:"timing"`
	Cached bool   `json:"cached"` // Proof is then of the deliberation that was answered first
	Proof  Proof  `json:"proof"`
}

// Panel says how many were asked, where a request's limits or its key's budget
// allow less than all.
type Panel struct {
	Eligible     int   `json:"eligible"`             // companions that could have been asked
	Asked        int   `json:"asked"`                // of those
	Widened      bool  `json:"widened"`              // a few were asked first, and left it open
	ExpectedCost int64 `json:"expectedCostMicroUsd"` // of one asking, as it was reckoned beforehand
}

// Consensus says how sure a deliberation is.
type Consensus struct {
	Kind             string `json:"kind"`
	Agreement        PPM    `json:"agreement"`        // the winner's share of all seated weight
	AgreementIsBound bool   `json:"agreementIsBound"` // some were not waited for: agreement is at least this
	Confidence       PPM    `json:"confidence"`       // None for long text
	Share            PPM    `json:"share"`            // the winner's share of the counted weight
	Votes            int    `json:"votes"`            // approvals there were
	Required         int    `json:"required"`         // approvals the tier asks for
	Degraded         bool   `json:"degraded"`         // some seat failed us: late, busy, broken, refused or in error
	FlipsByTier      bool   `json:"flipsByTier"`      // by tier weights another position would lead
}

// A Position is one answer and who gave it.
type Position struct {
	Answer     string   `json:"answer"`
	Share      PPM      `json:"share"`
	Companions []string `json:"companions"`
}

// A Dissent is a position that did not win but deserves to be heard.
type Dissent struct {
	Companions []string `json:"companions"`
	Share      PPM      `json:"share"`
	Answer     string   `json:"answer"`
	WinsBy     string   `json:"winsBy"` // the way of counting by which it would win, or ""
}

// A Ballot is one companion's part in a deliberation.
type Ballot struct {
	Companion  string      `json:"companion"`
	Provider   string      `json:"provider"`
	Model      string      `json:"model"`
	Tier       string      `json:"tier"`
	Weight     PPM         `json:"weight"` // as used
	TierWeight PPM         `json:"tierWeight"`
	Outcome    string      `json:"outcome"`
	Counted    bool        `json:"counted"`
	Score      Hundredths  `json:"score"` // None when there was no text
	Violations []Violation `json:"violations"`
	Position   int         `json:"position"` // index of its position, or -1
	Stance     string      `json:"stance"`
	Confidence PPM         `json:"confidence"` // as the companion states it, or None
	LatencyMs  int64       `json:"latencyMs"`
	Attempts   int         `json:"attempts"`
	Reason     string      `json:"reason"` // why it was not counted, or ""
	Usage      Usage       `json:"usage"`

	Judged    []Judged `json:"judged,omitempty"`   // what the external judges that were asked came to
	Reply     string   `json:"reply,omitzero"`     // its text, when asked for by the owner
	Rationale string   `json:"rationale,omitzero"` // likewise
}

// Judged is what one external judge came to about a text.
type Judged struct {
	ID      string     `json:"id"`
	Outcome string     `json:"outcome"`          // ok or unjudged
	Score   Hundredths `json:"score"`            // the most it lets the text have; None where it has no opinion
	Reason  string     `json:"reason,omitempty"` // why it has none
}

// A Violation is one place where a text cost points. It holds no text.
type Violation struct {
	Clause   int    `json:"clause"` // of the charter, 1 to 7; 0 for advice on the text as a whole
	Rule     string `json:"rule"`
	Severity PPM    `json:"severity"`
	Start    int    `json:"start"` // byte span in the text as it was given
	End      int    `json:"end"`
	Why      string `json:"why,omitzero"` // it costs points; left out in what a deliberation answers
}

// Usage is what was consumed.
type Usage struct {
	InputTokens  int64 `json:"inputTokens"`
	OutputTokens int64 `json:"outputTokens"`
	CostMicroUSD int64 `json:"costMicroUsd"`
}

// Timing is where the time went.
type Timing struct {
	Total    Micros `json:"totalMs"`
	Wait     Micros `json:"waitMs"`     // for companions
	Overhead Micros `json:"overheadMs"` // the gateway's own
}

// Proof says where the deliberation stands in the ledger.
type Proof struct {
	Index    uint64 `json:"index"`
	LeafHash string `json:"leafHash"` // base64
	Receipt  string `json:"receipt"`  // path on this gateway
}

// Decode reads a deliberation, for clients. It ignores fields it does not know.
// Numbers that index (Ballot.Position, Violation.Start) are as the sender gave
// them: look before use. The error says where it is wrong, never what is there.
func (v *Deliberation) Decode(body []byte) error {
	*v = Deliberation{}
	return unmarshal("deliberation", body, v)
}

// AppendTo appends v's JSON to dst.
//
// Hot: every deliberation passes here once. No allocation when dst has room;
// TestDeliberationAllocs holds it to that.
func (v *Deliberation) AppendTo(dst []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendString(dst, v.ID)
	dst = append(dst, `,"status":`...)
	dst = appendString(dst, v.Status)
	dst = append(dst, `,"answer":`...)
	dst = appendString(dst, v.Answer)
	dst = append(dst, `,"value":`...)
	dst = appendString(dst, v.Value)
	dst = append(dst, `,"decision":`...)
	dst = appendString(dst, v.Decision)
	dst = v.Consensus.appendTo(dst)
	if v.Positions != nil {
		dst = append(dst, `,"positions":[`...)
		for i := range v.Positions {
			dst = v.Positions[i].appendTo(comma(dst, i))
		}
		dst = append(dst, ']')
	}
	dst = append(dst, `,"dissent":[`...)
	for i := range v.Dissent {
		dst = v.Dissent[i].appendTo(comma(dst, i))
	}
	dst = append(dst, ']')
	if v.Ballots != nil {
		dst = append(dst, `,"ballots":[`...)
		for i := range v.Ballots {
			dst = v.Ballots[i].appendTo(comma(dst, i))
		}
		dst = append(dst, ']')
	}
	if v.Rounds != nil {
		dst = v.Rounds.appendTo(dst)
	}
	if v.Judge != nil {
		dst = v.Judge.appendTo(dst)
	}
	if v.Synthesis != nil {
		dst = v.Synthesis.appendTo(dst)
	}
	if v.Panel != (Panel{}) {
		dst = append(dst, `,"panel":{"eligible":`...)
		dst = strconv.AppendInt(dst, int64(v.Panel.Eligible), 10)
		dst = append(dst, `,"asked":`...)
		dst = strconv.AppendInt(dst, int64(v.Panel.Asked), 10)
		dst = append(dst, `,"widened":`...)
		dst = strconv.AppendBool(dst, v.Panel.Widened)
		dst = append(dst, `,"expectedCostMicroUsd":`...)
		dst = strconv.AppendInt(dst, v.Panel.ExpectedCost, 10)
		dst = append(dst, '}')
	}
	dst = v.Usage.appendTo(dst)
	dst = append(dst, `,"timing":{"totalMs":`...)
	dst = v.Timing.Total.appendTo(dst)
	dst = append(dst, `,"waitMs":`...)
	dst = v.Timing.Wait.appendTo(dst)
	dst = append(dst, `,"overheadMs":`...)
	dst = v.Timing.Overhead.appendTo(dst)
	dst = append(dst, `},"cached":`...)
	dst = strconv.AppendBool(dst, v.Cached)
	dst = append(dst, `,"proof":{"index":`...)
	dst = strconv.AppendUint(dst, v.Proof.Index, 10)
	dst = append(dst, `,"leafHash":`...)
	dst = appendString(dst, v.Proof.LeafHash)
	dst = append(dst, `,"receipt":`...)
	dst = appendString(dst, v.Proof.Receipt)
	return append(dst, `}}`...)
}

func (c *Consensus) appendTo(dst []byte) []byte {
	dst = append(dst, `,"consensus":{"kind":`...)
	dst = appendString(dst, c.Kind)
	dst = append(dst, `,"agreement":`...)
	dst = c.Agreement.appendTo(dst)
	dst = append(dst, `,"agreementIsBound":`...)
	dst = strconv.AppendBool(dst, c.AgreementIsBound)
	dst = append(dst, `,"confidence":`...)
	dst = c.Confidence.appendTo(dst)
	dst = append(dst, `,"share":`...)
	dst = c.Share.appendTo(dst)
	dst = append(dst, `,"votes":`...)
	dst = strconv.AppendInt(dst, int64(c.Votes), 10)
	dst = append(dst, `,"required":`...)
	dst = strconv.AppendInt(dst, int64(c.Required), 10)
	dst = append(dst, `,"degraded":`...)
	dst = strconv.AppendBool(dst, c.Degraded)
	dst = append(dst, `,"flipsByTier":`...)
	dst = strconv.AppendBool(dst, c.FlipsByTier)
	return append(dst, '}')
}

func (p *Position) appendTo(dst []byte) []byte {
	dst = append(dst, `{"answer":`...)
	dst = appendString(dst, p.Answer)
	dst = append(dst, `,"share":`...)
	dst = p.Share.appendTo(dst)
	dst = append(dst, `,"companions":`...)
	dst = appendStrings(dst, p.Companions)
	return append(dst, '}')
}

func (d *Dissent) appendTo(dst []byte) []byte {
	dst = append(dst, `{"companions":`...)
	dst = appendStrings(dst, d.Companions)
	dst = append(dst, `,"share":`...)
	dst = d.Share.appendTo(dst)
	dst = append(dst, `,"answer":`...)
	dst = appendString(dst, d.Answer)
	dst = append(dst, `,"winsBy":`...)
	dst = appendString(dst, d.WinsBy)
	return append(dst, '}')
}

func (b *Ballot) appendTo(dst []byte) []byte {
	dst = append(dst, `{"companion":`...)
	dst = appendString(dst, b.Companion)
	dst = append(dst, `,"provider":`...)
	dst = appendString(dst, b.Provider)
	dst = append(dst, `,"model":`...)
	dst = appendString(dst, b.Model)
	dst = append(dst, `,"tier":`...)
	dst = appendString(dst, b.Tier)
	dst = append(dst, `,"weight":`...)
	dst = b.Weight.appendTo(dst)
	dst = append(dst, `,"tierWeight":`...)
	dst = b.TierWeight.appendTo(dst)
	dst = append(dst, `,"outcome":`...)
	dst = appendString(dst, b.Outcome)
	dst = append(dst, `,"counted":`...)
	dst = strconv.AppendBool(dst, b.Counted)
	dst = append(dst, `,"score":`...)
	dst = b.Score.appendTo(dst)
	dst = append(dst, `,"violations":`...)
	dst = appendViolations(dst, b.Violations)
	dst = append(dst, `,"position":`...)
	dst = strconv.AppendInt(dst, int64(b.Position), 10)
	dst = append(dst, `,"stance":`...)
	dst = appendString(dst, b.Stance)
	dst = append(dst, `,"confidence":`...)
	dst = b.Confidence.appendTo(dst)
	dst = append(dst, `,"latencyMs":`...)
	dst = strconv.AppendInt(dst, b.LatencyMs, 10)
	dst = append(dst, `,"attempts":`...)
	dst = strconv.AppendInt(dst, int64(b.Attempts), 10)
	dst = append(dst, `,"reason":`...)
	dst = appendString(dst, b.Reason)
	dst = b.Usage.appendTo(dst)
	dst = appendJudged(dst, b.Judged)
	dst = appendField(dst, 0, "reply", b.Reply)
	dst = appendField(dst, 0, "rationale", b.Rationale)
	return append(dst, '}')
}

// appendJudged appends the member for what judges came to, or nothing.
func appendJudged(dst []byte, list []Judged) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = append(dst, `,"judged":[`...)
	for i := range list {
		j := &list[i]
		dst = append(comma(dst, i), `{"id":`...)
		dst = appendString(dst, j.ID)
		dst = append(dst, `,"outcome":`...)
		dst = appendString(dst, j.Outcome)
		dst = append(dst, `,"score":`...)
		dst = j.Score.appendTo(dst)
		dst = appendField(dst, 0, "reason", j.Reason)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendViolations(dst []byte, list []Violation) []byte {
	dst = append(dst, '[')
	for i := range list {
		v := &list[i]
		dst = append(comma(dst, i), `{"clause":`...)
		dst = strconv.AppendInt(dst, int64(v.Clause), 10)
		dst = append(dst, `,"rule":`...)
		dst = appendString(dst, v.Rule)
		dst = append(dst, `,"severity":`...)
		dst = v.Severity.appendTo(dst)
		dst = append(dst, `,"start":`...)
		dst = strconv.AppendInt(dst, int64(v.Start), 10)
		dst = append(dst, `,"end":`...)
		dst = strconv.AppendInt(dst, int64(v.End), 10)
		dst = appendField(dst, 0, "why", v.Why)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func (u *Usage) appendTo(dst []byte) []byte {
	dst = append(dst, `,"usage":{"inputTokens":`...)
	dst = strconv.AppendInt(dst, u.InputTokens, 10)
	dst = append(dst, `,"outputTokens":`...)
	dst = strconv.AppendInt(dst, u.OutputTokens, 10)
	dst = append(dst, `,"costMicroUsd":`...)
	dst = strconv.AppendInt(dst, u.CostMicroUSD, 10)
	return append(dst, '}')
}

// comma appends one before every element but the first.
func comma(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	return dst
}
