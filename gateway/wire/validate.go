package wire

import "strconv"

// A ValidateRequest is the body of POST /constitutional/validate: a text to be
// scored against the charter, at a tier.
type ValidateRequest struct {
	Response string // may be empty: nothing said breaks no clause
	Tier     string // Limits.Tiers
}

var validateFields = []string{"response", "tier"}

// Decode reads body into r, whatever r held before, as strictly as
// [Request.Decode]. lim.PromptBytes bounds the response too.
func (r *ValidateRequest) Decode(body []byte, lim *Limits) error {
	*r = ValidateRequest{Tier: lim.Tier}
	return decodeObject(body, validateFields,
		func(d *decoder, name string) {
			switch name {
			case "response":
				r.Response, _ = d.text()
				if len(r.Response) > lim.PromptBytes {
					d.problem(InvalidValue, "is %d bytes; at most %d", len(r.Response), lim.PromptBytes)
				}
			case "tier":
				r.Tier = d.oneOf("tier", lim.Tiers, r.Tier)
			}
		},
		func(d *decoder, seen fieldSet) {
			if !seen.has(validateFields, "response") {
				d.problemAt("response", MissingField, "must be given")
			}
		})
}

// AppendTo appends r as the body of a request.
func (r *ValidateRequest) AppendTo(dst []byte) []byte {
	dst = append(dst, `{"response":`...)
	dst = appendString(dst, r.Response)
	dst = appendField(dst, 0, "tier", r.Tier)
	return append(dst, '}')
}

// A ValidateResponse is a text's charter score and what it cost. Score and
// Violations are what the protocol between gateways and companions asks for; the
// rest says how they came about, and is left out where it is empty.
type ValidateResponse struct {
	Score       Hundredths    `json:"score"`
	Violations  []Violation   `json:"violations"`
	Clauses     []ClauseScore `json:"clauses"`     // all seven, in order
	Tier        string        `json:"tier"`        // that it was held to
	Minimum     Hundredths    `json:"minimum"`     // of that tier: under it a reply does not count
	Counts      bool          `json:"counts"`      // whether it reaches that
	NotAssessed []string      `json:"notAssessed"` // what no rule can tell: 100 does not speak of it
	Charter     RuleTable     `json:"charter"`     // that scored it
}

// A ClauseScore is what a text scores against one clause.
type ClauseScore struct {
	Clause int        `json:"clause"`
	Name   string     `json:"name"`
	Score  Hundredths `json:"score"`
}

// A RuleTable names a version of the charter's rules.
type RuleTable struct {
	Version string `json:"version"`
	Digest  string `json:"digest"` // SHA-256, hexadecimal: every proof holds it
}

// AppendTo appends v's JSON to dst, without allocating when dst has room.
func (v *ValidateResponse) AppendTo(dst []byte) []byte {
	dst = append(dst, `{"score":`...)
	dst = v.Score.appendTo(dst)
	dst = append(dst, `,"violations":`...)
	dst = appendViolations(dst, v.Violations)
	if v.Charter.Version == "" { // a companion's own answer: nothing more is known
		return append(dst, '}')
	}
	dst = append(dst, `,"clauses":[`...)
	for i, c := range v.Clauses {
		dst = append(comma(dst, i), `{"clause":`...)
		dst = strconv.AppendInt(dst, int64(c.Clause), 10)
		dst = append(dst, `,"name":`...)
		dst = appendString(dst, c.Name)
		dst = append(dst, `,"score":`...)
		dst = append(c.Score.appendTo(dst), '}')
	}
	dst = append(dst, `],"tier":`...)
	dst = appendString(dst, v.Tier)
	dst = append(dst, `,"minimum":`...)
	dst = v.Minimum.appendTo(dst)
	dst = append(dst, `,"counts":`...)
	dst = strconv.AppendBool(dst, v.Counts)
	dst = append(dst, `,"notAssessed":[`...)
	for i, what := range v.NotAssessed {
		dst = appendString(comma(dst, i), what)
	}
	dst = append(dst, `],"charter":{"version":`...)
	dst = appendString(dst, v.Charter.Version)
	dst = append(dst, `,"digest":`...)
	dst = appendString(dst, v.Charter.Digest)
	return append(dst, '}', '}')
}

// Decode reads a score, for clients.
func (v *ValidateResponse) Decode(body []byte) error {
	*v = ValidateResponse{}
	return unmarshal("score", body, v)
}
