package wire

import (
	"reflect"
	"strings"
	"testing"
)

func TestValidateRequest(t *testing.T) {
	lim := DefaultLimits()
	for body, want := range map[string]ValidateRequest{
		`{"response":"...","tier":"high"}`: {"...", "high"},
		`{"response":"..."}`:               {"...", "standard"},
		`{"response":""}`:                  {"", "standard"},
	} {
		var got ValidateRequest
		if err := got.Decode([]byte(body), lim); err != nil || got != want {
			t.Errorf("Decode(%s) = %+v, %v, want %+v", body, got, err, want)
		}
	}
	lim.PromptBytes = 5
	for body, want := range map[string]struct {
		code  Code
		field string
	}{
		`{}`:                              {MissingField, "response"},
		`{"tier":"high"}`:                 {MissingField, "response"},
		`{"response":5}`:                  {InvalidType, "response"},
		`{"response":"abcdef"}`:           {InvalidValue, "response"},
		`{"response":"a","tier":"gold"}`:  {InvalidValue, "tier"},
		`{"response":"a","respones":"b"}`: {UnknownField, "respones"},
		`{"response":"a","response":"b"}`: {DuplicateField, "response"},
		`{"response":"a"}}`:               {InvalidJSON, ""},
		`"a"`:                             {InvalidType, ""},
	} {
		var r ValidateRequest
		got := asError(t, r.Decode([]byte(body), lim))
		if got.Code != want.code || len(got.Details) != 1 || got.Details[0].Field != want.field {
			t.Errorf("Decode(%s) = %v %q, want %v", body, got, got.Details, want)
		}
	}
}

func TestValidateResponse(t *testing.T) {
	for want, v := range map[string]ValidateResponse{
		`{"score":85,"violations":[]}`: {Score: 8500, Violations: []Violation{}},
		`{"score":67.25,"violations":[{"clause":4,"rule":"safety.x","severity":0.325,"start":0,"end":9}]}`: {Score: 6725, Violations: []Violation{{4, "safety.x", 325_000, 0, 9, ""}}},
		`{"score":80,"violations":[{"clause":0,"rule":"a","severity":0.2,"start":0,"end":9,"why":"It is \"so\"."}],"clauses":[{"clause":1,"name":"Dignity","score":100},{"clause":2,"name":"T","score":97.5}],` +
			`"tier":"high","minimum":75,"counts":true,"notAssessed":["truth","x"],"charter":{"version":"1","digest":"ab"}}`: {
			Score: 8000, Violations: []Violation{{0, "a", 200_000, 0, 9, `It is "so".`}}, Clauses: []ClauseScore{{1, "Dignity", 10_000}, {2, "T", 9750}},
			Tier: "high", Minimum: 7500, Counts: true, NotAssessed: []string{"truth", "x"}, Charter: RuleTable{"1", "ab"},
		},
	} {
		if got := string(v.AppendTo(nil)); got != want {
			t.Errorf("AppendTo() = %s, want %s", got, want)
		}
		var back ValidateResponse
		if err := back.Decode([]byte(want)); err != nil || !reflect.DeepEqual(back, v) {
			t.Errorf("Decode(%s) = %+v, %v, want %+v", want, back, err, v)
		}
	}
	var v ValidateResponse
	if err := v.Decode([]byte(`{"score":"high"}`)); err == nil {
		t.Error("a score in words was accepted")
	}
}

func FuzzValidate(f *testing.F) {
	for _, s := range []string{`{"response":"...","tier":"standard"}`, `{"score":85,"violations":[]}`, `{"score":9.75,"violations":[{"clause":1}]}`, `{"response":"\u0000"}`, `{`} {
		f.Add([]byte(s))
	}
	lim := DefaultLimits()
	f.Fuzz(func(t *testing.T, body []byte) {
		var r, again ValidateRequest
		if err := r.Decode(body, lim); err != nil {
			asError(t, err)
		} else if err := again.Decode(r.AppendTo(nil), lim); err != nil || again != r {
			t.Fatalf("%q came back as %+v, %v; was %+v", body, again, err, r)
		}
		var v, back ValidateResponse
		if v.Decode(body) == nil {
			if err := back.Decode(v.AppendTo(nil)); err != nil {
				t.Fatalf("accepted %q, but not its own encoding: %v", body, err)
			}
		}
	})
}

func TestHealthAndReady(t *testing.T) {
	h := Health{Status: "healthy"}
	if got, want := string(h.AppendTo(nil)), `{"status":"healthy","latency":0}`; got != want {
		t.Errorf("AppendTo() = %s, want %s", got, want)
	}
	r := Ready{Ready: true, Store: true, Sequencer: true, Companions: 8, Tiers: []TierReady{{"research", true, true}, {"critical", true, false}}}
	const want = `{"ready":true,"store":true,"sequencer":true,"companions":8,"tiers":[{"tier":"research","quorum":true,"withoutAnyVendor":true},{"tier":"critical","quorum":true,"withoutAnyVendor":false}]}`
	if got := string(r.AppendTo(nil)); got != want {
		t.Errorf("AppendTo() = %s, want %s", got, want)
	}
	var back Ready
	if err := back.Decode([]byte(want)); err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("Decode() = %+v, %v", back, err)
	}
	if err := back.Decode([]byte(`{"ready":"yes"}`)); err == nil || !strings.Contains(err.Error(), "/ready") {
		t.Errorf("Decode() = %v, want an error that names /ready", err)
	}
}

func TestErrorBody(t *testing.T) {
	for want, e := range map[string]*Error{
		`{"error":{"code":"overloaded","message":"try again in 2 s"}}`:                                                                                            {Code: Overloaded, Message: "try again in 2 s"},
		`{"error":{"code":"invalid_value","message":"say \"hi\"","deliberationId":"dlb_1","details":[{"field":"a.b","problem":"p"},{"field":"","problem":"q"}]}}`: {Code: InvalidValue, Message: `say "hi"`, DeliberationID: "dlb_1", Details: []Detail{{"a.b", "p"}, {"", "q"}}},
	} {
		if got := string(e.AppendTo(nil)); got != want {
			t.Errorf("AppendTo() = %s, want %s", got, want)
		}
		back, err := DecodeError([]byte(want))
		if err != nil || !reflect.DeepEqual(back, e) {
			t.Errorf("DecodeError(%s) = %+v, %v, want %+v", want, back, err, e)
		}
	}
	for _, body := range []string{``, `{}`, `{"error":{}}`, `{"error":"no"}`, `<html>`} {
		if e, err := DecodeError([]byte(body)); err == nil {
			t.Errorf("DecodeError(%s) = %v, want an error", body, e)
		}
	}
}
