package wire

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

// A ValidateResponse is a text's charter score and what it cost.
type ValidateResponse struct {
	Score      Hundredths  `json:"score"`
	Violations []Violation `json:"violations"`
}

// AppendTo appends v's JSON to dst, without allocating when dst has room.
func (v *ValidateResponse) AppendTo(dst []byte) []byte {
	dst = append(dst, `{"score":`...)
	dst = v.Score.appendTo(dst)
	dst = append(dst, `,"violations":`...)
	dst = appendViolations(dst, v.Violations)
	return append(dst, '}')
}

// Decode reads a score, for clients.
func (v *ValidateResponse) Decode(body []byte) error {
	*v = ValidateResponse{}
	return unmarshal("score", body, v)
}
