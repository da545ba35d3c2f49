package quorum

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestFeedbackHoldsNoWords(t *testing.T) {
	given := string(leafOf(&Feedback{"dlb_x", 5, WasRight}))
	confirmed := string(leafOf(&Confirmation{"dlb_x", 7, true, Number, "algebra", []CompanionID{"AUREA", "ATLAS"}, []CompanionID{"ZEUS"}}))
	for name, tt := range map[string]struct{ good, from, to string }{
		"no stars":                        {given, `,"rating":5`, ``},
		"six stars":                       {given, `"rating":5`, `"rating":6`},
		"words":                           {given, `"rating":5`, `"rating":5,"text":"x"`},
		"half right":                      {given, `"correct":"right"`, `"correct":"perhaps"`},
		"no deliberation":                 {given, `"deliberation":"dlb_x",`, ``},
		"by a steward":                    {given, `"actor":"owner"`, `"actor":"steward"`},
		"on another deliberation":         {given, `deliberation/dlb_x`, `deliberation/dlb_y`},
		"confirmed by the owner":          {confirmed, `"actor":"steward"`, `"actor":"owner"`},
		"confirmed of nobody":             {confirmed, `"supporters":["AUREA","ATLAS"],`, ``},
		"confirmed of one twice":          {confirmed, `"others":["ZEUS"]`, `"others":["AUREA"]`},
		"confirmed of one without a name": {confirmed, `"others":["ZEUS"]`, `"others":[""]`},
		"confirmed of no kind":            {confirmed, `"kind":"number"`, `"kind":"auto"`},
		"others who differ in a text":     {confirmed, `"kind":"number"`, `"kind":"text"`},
		"confirmed on another":            {confirmed, `deliberation/dlb_x`, `deliberation/dlb_y`},
	} {
		bad := strings.Replace(tt.good, tt.from, tt.to, 1)
		if bad == tt.good {
			t.Fatalf("%s: the edit does not apply to %s", name, tt.good)
		}
		if _, _, err := ParseRecord([]byte(bad)); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhoWasRightFollowsFromTheProof(t *testing.T) {
	p := sampleProof(5) // seats 0, 2 and 4 lead, 1 and 3 say otherwise
	p.Ballots[4].Counted = false
	lead, others := []CompanionID{"AUREA_0", "AUREA_2"}, []CompanionID{"AUREA_1", "AUREA_3"}
	c := p.Confirmed(7, true)
	if c == nil || !slices.Equal(c.Supporters, lead) || !slices.Equal(c.Others, others) || c.Index != 7 || c.Kind != Number {
		t.Fatalf("%+v", c)
	}
	for _, tt := range []struct {
		correct bool
		want    [5]Correctness
	}{
		{true, [5]Correctness{WasRight, WasWrong, WasRight, WasWrong, Unsaid}},
		{false, [5]Correctness{WasWrong, Unsaid, WasWrong, Unsaid, Unsaid}},
	} {
		c.Correct = tt.correct
		for i, want := range tt.want {
			if got := c.Of(p.Ballots[i].Companion); got != want {
				t.Errorf("correct %t, seat %d: %q, want %q", tt.correct, i, got, want)
			}
		}
	}
	p.Kind = Text
	if c := p.Confirmed(7, true); len(c.Others) != 0 || c.Of("AUREA_1") != Unsaid {
		t.Errorf("another text is wrong: %+v", c)
	}
	p.Verdict.Winner = -1
	if c := p.Confirmed(7, true); c != nil {
		t.Errorf("without an answer: %+v", c)
	}
}
