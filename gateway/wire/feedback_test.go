package wire

import (
	"reflect"
	"testing"
)

func TestFeedbackRequest(t *testing.T) {
	yes, no := true, false
	for body, want := range map[string]FeedbackRequest{
		`{"rating":5}`:                 {Rating: 5},
		`{"rating":1,"correct":false}`: {Rating: 1, Correct: &no},
		`{"correct":true,"rating":4}`:  {Rating: 4, Correct: &yes},
		`{"confirm":true}`:             {Confirm: true},
	} {
		var got, again FeedbackRequest
		if err := got.Decode([]byte(body)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Decode(%s) = %+v, %v, want %+v", body, got, err, want)
		}
		if err := again.Decode(got.AppendTo(nil)); err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("%s comes back as %+v, %v", got.AppendTo(nil), again, err)
		}
	}
	for body, want := range map[string]struct {
		code  Code
		field string
	}{
		`{}`:                              {MissingField, "rating"},
		`{"correct":true}`:                {MissingField, "rating"},
		`{"rating":0}`:                    {InvalidValue, "rating"},
		`{"rating":6}`:                    {InvalidValue, "rating"},
		`{"rating":4.5}`:                  {InvalidType, "rating"},
		`{"rating":"5"}`:                  {InvalidType, "rating"},
		`{"rating":5,"correct":"yes"}`:    {InvalidType, "correct"},
		`{"rating":5,"correct":null}`:     {InvalidType, "correct"},
		`{"rating":5,"comment":"x"}`:      {UnknownField, "comment"},
		`{"confirm":false}`:               {InvalidValue, "confirm"},
		`{"confirm":1}`:                   {InvalidType, "confirm"},
		`{"confirm":true,"rating":5}`:     {InvalidValue, "confirm"},
		`{"confirm":true,"correct":true}`: {InvalidValue, "confirm"},
		`{"rating":5`:                     {InvalidJSON, ""},
		`{"rating":5,"correct":tru}`:      {InvalidJSON, ""},
	} {
		var f FeedbackRequest
		got := asError(t, f.Decode([]byte(body)))
		if got.Code != want.code || len(got.Details) != 1 || got.Details[0].Field != want.field {
			t.Errorf("Decode(%s) = %v %q, want %v", body, got, got.Details, want)
		}
	}
}

func FuzzFeedback(f *testing.F) {
	for _, s := range []string{`{"rating":5,"correct":true}`, `{"confirm":true}`, `{"rating":5,"correct":t`, `{"confirm":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var r, again FeedbackRequest
		if err := r.Decode(body); err != nil {
			asError(t, err)
		} else if err := again.Decode(r.AppendTo(nil)); err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%q came back as %+v, %v; was %+v", body, again, err, r)
		}
	})
}
