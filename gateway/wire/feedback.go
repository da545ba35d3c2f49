package wire

import "github.com/go-json-experiment/json/jsontext"

// A FeedbackRequest is the body of POST /v1/deliberations/{id}/feedback: the
// owner's rating, or a steward's word that what the owner said of the answer is so.
type FeedbackRequest struct {
	Rating  int64 // 1 to 5 stars; 0 in a confirmation
	Correct *bool // whether the answer was right; nil is nothing said
	Confirm bool  // a steward's
}

var feedbackFields = []string{"rating", "correct", "confirm"}

// Decode reads body into f, whatever f held before, as strictly as
// [Request.Decode].
func (f *FeedbackRequest) Decode(body []byte) error {
	*f = FeedbackRequest{}
	return decodeObject(body, feedbackFields,
		func(d *decoder, name string) {
			switch name {
			case "rating":
				f.Rating = d.whole(1, 5)
			case "correct":
				if v, ok := d.truth(); ok {
					f.Correct = &v
				}
			case "confirm":
				if f.Confirm, _ = d.truth(); !f.Confirm && len(d.found) == 0 {
					d.problem(InvalidValue, "want true; what is not so is left unconfirmed")
				}
			}
		},
		func(d *decoder, seen fieldSet) {
			switch confirm, rating := seen.has(feedbackFields, "confirm"), seen.has(feedbackFields, "rating"); {
			case confirm && (rating || seen.has(feedbackFields, "correct")):
				d.problemAt("confirm", InvalidValue, "stands alone: what it confirms is the owner's feedback")
			case !confirm && !rating:
				d.problemAt("rating", MissingField, "must be given, 1 to 5")
			}
		})
}

// truth reads true or false.
func (d *decoder) truth() (v, ok bool) {
	if d.syntax != nil {
		return false, false
	}
	switch got := d.json.PeekKind(); got {
	case 't', 'f':
		d.skip()
		return got == 't', d.syntax == nil
	case jsontext.KindInvalid:
		d.skip() // the read says what is wrong
	default:
		d.problem(InvalidType, "want true or false, got %s", kindName(got))
		d.skip()
	}
	return false, false
}

// AppendTo appends f as the body of a request.
func (f *FeedbackRequest) AppendTo(dst []byte) []byte {
	if f.Confirm {
		return append(dst, `{"confirm":true}`...)
	}
	dst = append(dst, `{"rating":`...)
	dst = append(dst, byte('0'+f.Rating))
	switch {
	case f.Correct == nil:
	case *f.Correct:
		dst = append(dst, `,"correct":true`...)
	default:
		dst = append(dst, `,"correct":false`...)
	}
	return append(dst, '}')
}
