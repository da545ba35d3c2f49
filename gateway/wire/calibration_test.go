package wire

import (
	"reflect"
	"strings"
	"testing"
)

func TestCalibrationRequest(t *testing.T) {
	lim := DefaultLimits()
	for body, want := range map[string]CalibrationRequest{
		`{"items":[{"prompt":"2+2?","kind":"number","truth":"4"}]}`: {[]CalibrationItem{{"2+2?", "number", nil, "", []string{"4"}}}, 20_000},
		`{"deadlineMs":500,"items":[{"prompt":"a","kind":"choice","options":["x","y"],"topic":"al-1","truth":["x","B","x"]},{"prompt":"b","kind":"vote","truth":["reject"]}]}`: {
			[]CalibrationItem{{"a", "choice", []string{"x", "y"}, "al-1", []string{"x", "B"}}, {"b", "vote", nil, "", []string{"reject"}}}, 500},
		`{"items":[{"prompt":"2+2?","kind":"number","truth":4.0}]}`:                      {[]CalibrationItem{{"2+2?", "number", nil, "", []string{"4.0"}}}, 20_000},
		`{"items":[{"prompt":"2+2?","kind":"number","truth":["four",4]}]}`:               {[]CalibrationItem{{"2+2?", "number", nil, "", []string{"four", "4"}}}, 20_000},
		`{"items":[{"prompt":"q","kind":"text","truth":["a"],"options":[],"topic":""}]}`: {[]CalibrationItem{{"q", "text", nil, "", []string{"a"}}}, 20_000},
	} {
		var got CalibrationRequest
		if err := got.Decode([]byte(body), lim); err != nil || !reflect.DeepEqual(got.Items[0].Truth, want.Items[0].Truth) || string(got.AppendTo(nil)) != string(want.AppendTo(nil)) {
			t.Errorf("Decode(%s) = %+v, %v, want %+v", body, got, err, want)
		}
	}
	lim.PromptBytes = 40
	item := func(rest string) string { return `{"items":[{"prompt":"p","kind":"short",` + rest + `}]}` }
	for body, want := range map[string]struct {
		code  Code
		field string
	}{
		`{}`:               {MissingField, "items"},
		`{"items":[]}`:     {InvalidValue, "items"},
		`{"items":{}}`:     {InvalidType, "items"},
		`{"items":[5]}`:    {InvalidType, "items[0]"},
		`[{"prompt":"p"}]`: {InvalidType, ""},
		`{"items":[{"kind":"short","truth":"a"}]}`:                                            {MissingField, "items[0].prompt"},
		`{"items":[{"prompt":"","kind":"short","truth":"a"}]}`:                                {InvalidValue, "items[0].prompt"},
		`{"items":[{"prompt":" ","kind":"short","truth":"a"}]}`:                               {InvalidValue, "items[0].prompt"},
		`{"items":[{"prompt":"` + strings.Repeat("p", 41) + `","kind":"short","truth":"a"}]}`: {InvalidValue, "items[0].prompt"},
		`{"items":[{"prompt":"p","truth":"a"}]}`:                                              {MissingField, "items[0].kind"},
		`{"items":[{"prompt":"p","kind":"auto","truth":"a"}]}`:                                {InvalidValue, "items[0].kind"},
		`{"items":[{"prompt":"p","kind":"sonnet","truth":"a"}]}`:                              {InvalidValue, "items[0].kind"},
		`{"items":[{"prompt":"p","kind":"short"}]}`:                                           {MissingField, "items[0].truth"},
		item(`"truth":null`):                                                   {MissingField, "items[0].truth"},
		item(`"truth":[]`):                                                     {MissingField, "items[0].truth"},
		item(`"truth":""`):                                                     {InvalidValue, "items[0].truth"},
		item(`"truth":true`):                                                   {InvalidType, "items[0].truth"},
		item(`"truth":["a"," "]`):                                              {InvalidValue, "items[0].truth[1]"},
		item(`"truth":["a",[5]]`):                                              {InvalidType, "items[0].truth[1]"},
		item(`"truth":"` + strings.Repeat("t", 41) + `"`):                      {InvalidValue, "items[0].truth"},
		item(`"truth":"a","options":["a","b"]`):                                {InvalidValue, "items[0].options"},
		item(`"truth":"a","options":["a"]`):                                    {InvalidValue, "items[0].options"},
		item(`"truth":"a","topic":"No Topic"`):                                 {InvalidValue, "items[0].topic"},
		item(`"truth":"a","topic":"` + strings.Repeat("t", 65) + `"`):          {InvalidValue, "items[0].topic"},
		item(`"truth":"a","label":"b"`):                                        {UnknownField, "items[0].label"},
		item(`"truth":"a","truth":"b"`):                                        {DuplicateField, "items[0].truth"},
		item(`"truth":["` + strings.Repeat(`a","b`, MaxTruths) + `"]`):         {InvalidValue, "items[0].truth"},
		`{"items":[{"prompt":"p","kind":"short","truth":"a"}],"deadlineMs":0}`: {InvalidValue, "deadlineMs"},
		`{"items":[{"prompt":"p","kind":"short","truth":"a"}`:                  {InvalidJSON, ""},
		`{"items":[` + strings.Repeat(`{"prompt":"p","kind":"short","truth":"a"},`, MaxCalibrationItems) + `{"prompt":"p","kind":"short","truth":"a"}]}`: {InvalidValue, "items"},
	} {
		var r CalibrationRequest
		got := asError(t, r.Decode([]byte(body), lim))
		if got.Code != want.code || len(got.Details) != 1 || got.Details[0].Field != want.field {
			t.Errorf("Decode(%.120s) = %v %q, want %v", body, got, got.Details, want)
		}
	}
}

// Each item that is wrong is told by its index, and none of its text is.
func TestCalibrationProblemsNameTheItemAndNothingOfIt(t *testing.T) {
	var r CalibrationRequest
	err := asError(t, r.Decode([]byte(`{"items":[{"prompt":"canary","kind":"short","truth":"canary"},{"prompt":"canary","kind":"short"},{"prompt":"canary","kind":"canary","truth":["canary"]}]}`), DefaultLimits()))
	if len(err.Details) != 2 || err.Details[0].Field != "items[1].truth" || err.Details[1].Field != "items[2].kind" || strings.Contains(string(err.AppendTo(nil)), "canary") {
		t.Errorf("%s", err.AppendTo(nil))
	}
}

func TestCalibrationReadsBack(t *testing.T) {
	c := Calibration{ID: "cal_1", Items: 3, Usage: Usage{1, 2, 3}, Commitment: Commitment{"aa", "bb"}, Proof: Proof{7, "hash", "/x"},
		Companions: []Calibrated{{"AUREA", []CalibratedCell{{"number", "algebra", 3, 1, 2, Change{800_000, 812_500}, Change{1_000_000, 1_000_000}}}, map[string]int{"late": 1}, Usage{1, 2, 3}}}}
	c.Timing.Total = 1500
	var back Calibration
	if err := back.Decode(c.AppendTo(nil)); err != nil || !reflect.DeepEqual(back, c) {
		t.Errorf("%s came back as %+v, %v", c.AppendTo(nil), back, err)
	}
	if !strings.Contains(string(c.AppendTo(nil)), `"reliability":{"before":0.8,"after":0.8125},"weight":{"before":1.0,"after":1.0}`) {
		t.Errorf("%s", c.AppendTo(nil))
	}
}

func FuzzCalibration(f *testing.F) {
	for _, s := range []string{
		`{"items":[{"prompt":"2+2?","kind":"number","truth":"4"}]}`, `{"items":[{"prompt":"a","kind":"choice","options":["x","y"],"topic":"al","truth":["x","B"]}],"deadlineMs":7}`,
		`{"items":[{"truth":null}]}`, `{"items":[{"truth":[[]]}]}`, `{"id":"cal_1","companions":[{"cells":[{"right":1}]}]}`, `{"items":[`,
	} {
		f.Add([]byte(s))
	}
	lim := DefaultLimits()
	f.Fuzz(func(t *testing.T, body []byte) {
		var r, again CalibrationRequest
		if err := r.Decode(body, lim); err != nil {
			asError(t, err)
		} else if err := again.Decode(r.AppendTo(nil), lim); err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%q came back as %+v, %v; was %+v", body, again, err, r)
		}
		var c, back Calibration
		if c.Decode(body) == nil {
			if err := back.Decode(c.AppendTo(nil)); err != nil {
				t.Fatalf("accepted %q, but not its own encoding: %v", body, err)
			}
		}
	})
}
