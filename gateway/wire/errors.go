package wire

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// A Code says what kind of problem an error is. Codes are stable: clients branch
// on them. Which HTTP status a code has is the gateway's to say.
type Code string

const (
	// What a decoder of this package finds.
	InvalidJSON    Code = "invalid_json"    // not one JSON object in UTF-8
	UnknownField   Code = "unknown_field"   // a field this route does not have
	DuplicateField Code = "duplicate_field" // a field given twice
	InvalidType    Code = "invalid_type"    // a string where a number belongs, and the like
	InvalidValue   Code = "invalid_value"   // of the right type, but out of range or not allowed
	MissingField   Code = "missing_field"   // a field that must be given

	// What a decoder of a provider-shaped route finds besides.
	Unsupported   Code = "unsupported_parameter" // the provider has it, we do not, and it would change the answer
	ModelNotFound Code = "model_not_found"       // no kaizen/… model of that name

	// The request as a whole.
	BodyTooLarge         Code = "body_too_large"
	UnsupportedMediaType Code = "unsupported_media_type" // a body that is not application/json
	NotFound             Code = "not_found"              // also: not yours to see
	MethodNotAllowed     Code = "method_not_allowed"
	Misdirected          Code = "misdirected" // a Host that is not this gateway's

	// Who asks.
	Unauthorized   Code = "unauthorized"     // no key, or one that is not known
	Forbidden      Code = "forbidden"        // a known key that may not do this
	TierNotAllowed Code = "tier_not_allowed" // above the key's highest tier
	RateLimited    Code = "rate_limited"     // more requests than the key's rate; see Retry-After

	BudgetExhausted Code = "budget_exhausted" // the key's money for today is spent; see Retry-After

	// What has been decided already.
	Conflict Code = "conflict" // what may be said once has been, or nothing waits for this

	// What became of it.
	PromptRefused     Code = "prompt_refused"     // the prompt's own charter score is too low: nobody was asked
	LedgerUnavailable Code = "ledger_unavailable" // the proof could not be made durable, so there is no answer
	Overloaded        Code = "overloaded"         // no room for another deliberation; see Retry-After
	ShuttingDown      Code = "shutting_down"      // draining; ask another instance, or again
	DeadlineExceeded  Code = "deadline_exceeded"  // the request's time was up before there was a verdict
	Inquorate         Code = "inquorate"          // provider-shaped routes: too few replies counted for an answer to have authority
	Pending           Code = "pending"            // provider-shaped routes: carried, and waits for a steward
	InternalError     Code = "internal_error"     // our fault; the log has it under the deliberation's id
)

// maxDetails bounds how many problems of one body are listed.
const maxDetails = 20

// An Error is what a caller is told when there is no answer. It never holds
// text of a prompt or a reply; Field may hold the name of a field as the caller
// wrote it.
type Error struct {
	Code           Code
	Message        string   // one sentence that says what to do, for people
	DeliberationID string   // "" when none was begun
	Details        []Detail // in the order of the body; at most 20

	Verdict *Deliberation // what it came to, where that is the reason that there is no answer; only provider-shaped routes tell it
}

// A Detail is one problem with one field.
type Detail struct {
	Field   string `json:"field"` // its path, such as "context.tier"; "" is the whole body
	Problem string `json:"problem"`
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// AppendTo appends the error's body to dst:
//
//	{"error":{"code":"…","message":"…","deliberationId":"…","details":[{"field":"…","problem":"…"}]}}
//
// deliberationId and details are left out when there are none.
func (e *Error) AppendTo(dst []byte) []byte {
	dst = append(dst, `{"error":{"code":`...)
	dst = appendString(dst, string(e.Code))
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, e.Message)
	if e.DeliberationID != "" {
		dst = append(dst, `,"deliberationId":`...)
		dst = appendString(dst, e.DeliberationID)
	}
	dst = appendDetails(dst, e.Details)
	return append(dst, `}}`...)
}

func appendDetails(dst []byte, list []Detail) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = append(dst, `,"details":[`...)
	for i, d := range list {
		dst = append(comma(dst, i), `{"field":`...)
		dst = appendString(dst, d.Field)
		dst = append(dst, `,"problem":`...)
		dst = appendString(dst, d.Problem)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// DecodeError reads an error's body, as AppendTo writes it, for clients. It
// fails when body is not one.
func DecodeError(body []byte) (*Error, error) {
	var in struct {
		Error struct {
			Code           Code     `json:"code"`
			Message        string   `json:"message"`
			DeliberationID string   `json:"deliberationId"`
			Details        []Detail `json:"details"`
		} `json:"error"`
	}
	if err := unmarshal("error", body, &in); err != nil {
		return nil, err
	}
	if in.Error.Code == "" {
		return nil, fmt.Errorf("decode error: no code")
	}
	return &Error{Code: in.Error.Code, Message: in.Error.Message, DeliberationID: in.Error.DeliberationID, Details: in.Error.Details}, nil
}

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, so the result is valid whatever a companion sent.
func appendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // the error only says that a byte was replaced
	return dst
}
