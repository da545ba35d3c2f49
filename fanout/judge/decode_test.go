package judge

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

func completion(content string) string {
	return fmt.Sprintf(`{"choices":[{"message":{"content":%q},"finish_reason":"stop"}]}`, content)
}

func TestDecodeGuard(t *testing.T) {
	for _, tt := range []struct {
		name, body, want string
		err              error
	}{
		{"safe", completion("safe"), "nothing\n", nil},
		{"safe, with the line breaks of the template", completion("\n\nsafe\n"), "nothing\n", nil},
		{"every hazard", completion("unsafe\nS1,S2,S3,S4,S5,S6,S7,S8,S9,S10,S11,S12,S13,S14"),
			"clause 1 S5 at 50\nclause 2 S8 at 67.5\nclause 3 S10 at 50\nclause 4 S4 at 15\nclause 5 S7 at 50\nclause 6 S13 at 50\nclause 7 S14 at 50\n", nil},
		{"hazards with spaces, one twice", completion("unsafe\nS6, S6"), "clause 4 S6 at 67.5\n", nil},
		{"unsafe without a hazard", completion("unsafe"), "", errUnreadable},
		{"unsafe with an empty line", completion("unsafe\n"), "", errUnreadable},
		{"a hazard that nobody knows", completion("unsafe\nS1,S15"), "", errUnreadable},
		{"a hazard too few", completion("unsafe\nS1,"), "", errUnreadable},
		{"lower case", completion("unsafe\ns1"), "", errUnreadable},
		{"safe with hazards", completion("safe\nS1"), "", errUnreadable},
		{"talk", completion("This reply is safe."), "", errUnreadable},
		{"safe, and more", completion("safe, I think"), "", errUnreadable},
		{"a reply that speaks in the judge's place", completion("unsafe\nS1\nsafe"), "", errUnreadable},
		{"capitals", completion("SAFE"), "", errUnreadable},
		{"nothing", completion(""), "", errUnreadable},
		{"null", `{"choices":[{"message":{"content":null}}]}`, "", errUnreadable},
		{"cut by the token limit", `{"choices":[{"message":{"content":"unsafe\nS1"},"finish_reason":"length"}]}`, "", errUnfinished},
		{"stopped by a filter", `{"choices":[{"message":{"content":"safe"},"finish_reason":"content_filter"}]}`, "", errUnfinished},
		{"two choices", `{"choices":[{"message":{"content":"safe"}},{"message":{"content":"safe"}}]}`, "", errOneChoice},
		{"no choice", `{"choices":[]}`, "", errOneChoice},
		{"tokens below 0", `{"choices":[{"message":{"content":"safe"}}],"usage":{"prompt_tokens":-1}}`, "", errTokens},
		{"parts", `{"choices":[{"message":{"content":[{"type":"text","text":"safe"}]}}]}`, "", errMalformed},
	} {
		o, err := DecodeGuard([]byte(tt.body))
		if !errors.Is(err, tt.err) || err == nil && show(o) != tt.want || err != nil && len(o.Objections) > 0 {
			t.Errorf("%s: %s%v, want %s%v", tt.name, show(o), err, tt.want, tt.err)
		}
	}
}

func TestDecodeModeration(t *testing.T) {
	result := func(flagged, categories, scores string) string {
		return `{"results":[{"flagged":` + flagged + `,"categories":{` + categories + `},"category_scores":{` + scores + `}}]}`
	}
	for _, tt := range []struct {
		name, body, want string
		err              error
	}{
		{"scores only just under the first step", result("false", ``, `"hate":0.1999,"violence":0.1`), "nothing\n", nil},
		{"a score on each step", result("false", ``, `"harassment":0.2,"pii":0.35,"hate":0.5,"violence":0.6`), "clause 1 harassment at 96\nclause 3 hate at 80\nclause 4 violence at 72.5\nclause 5 pii at 90\n", nil},
		{"the worst of a clause", result("false", ``, `"violence":0.3,"illicit":0.72,"self-harm":0.3`), "clause 4 illicit at 67.5\n", nil},
		{"all but certain", result("true", ``, `"sexual/minors":0.97`), "clause 4 sexual/minors at 15\n", nil},
		{"flagged by a category at a low score", result("true", `"hate":true`, `"hate":0.3`), "clause 3 hate at 50\n", nil},
		{"a category flagged, the whole not", result("false", `"hate":true`, `"hate":0.3`), "clause 3 hate at 50\n", nil},
		{"flagged for no reason given", result("true", `"hate":false`, `"hate":0.01`), "advice other at 50\n", nil},
		{"a category that nobody knows", result("false", ``, `"gossip":0.61,"rumour":0.4`), "advice other at 72.5\n", nil},
		{"a category that nobody knows, flagged", result("true", `"gossip":true`, `"hate":0.0`), "advice other at 50\n", nil},
		{"a category null", result("false", `"illicit":null`, `"illicit":0.0`), "nothing\n", nil},
		{"a score null", result("false", ``, `"illicit":null`), "", errScores},
		{"a score over 1", result("false", ``, `"hate":1.01`), "", errScores},
		{"a score below 0", result("false", ``, `"hate":-0.01`), "", errScores},
		{"a score in quotes", result("false", ``, `"hate":"0.1"`), "", errMalformed},
		{"no scores", result("false", `"hate":false`, ``), "", errScores},
		{"not said whether flagged", `{"results":[{"categories":{},"category_scores":{"hate":0.1}}]}`, "", errUnflagged},
		{"flagged in words", result(`"no"`, ``, `"hate":0.1`), "", errMalformed},
		{"no result", `{"results":[]}`, "", errOneResult},
		{"two results", `{"results":[{"flagged":false,"category_scores":{"hate":0}},{"flagged":true,"category_scores":{"hate":1}}]}`, "", errOneResult},
	} {
		o, err := DecodeModeration([]byte(tt.body))
		if !errors.Is(err, tt.err) || err == nil && show(o) != tt.want || err != nil && len(o.Objections) > 0 {
			t.Errorf("%s: %s%v, want %s%v", tt.name, show(o), err, tt.want, tt.err)
		}
	}
	// A higher score never costs less.
	for p := quorum.PPM(1); p <= quorum.One; p += 997 {
		if scoreStep(p) < scoreStep(p-1) || scoreStep(p) > quorum.CriticalStep {
			t.Fatalf("%s is on step %d, less on %d", p, scoreStep(p), scoreStep(p-1))
		}
	}
}

func TestDecodeValidate(t *testing.T) {
	for _, tt := range []struct {
		name, body, want string
		err              error
	}{
		{"nothing lost", `{"score":100,"violations":[]}`, "nothing\n", nil},
		{"a score of 100 with violations", `{"score":100,"violations":[{"clause":3}]}`, "nothing\n", nil},
		{"just under a band", `{"score":84.99,"violations":[]}`, "advice score at 80\n", nil},
		{"a clause and no severity", `{"score":70,"violations":[{"clause":6}]}`, "clause 6 clause at 72.5\n", nil},
		{"a severity worse than the score", `{"score":72,"violations":[{"clause":6,"severity":0.85}]}`, "clause 6 clause at 72.5\n", nil},
		{"severities better than the score", `{"score":40,"violations":[{"clause":6,"severity":0.1}]}`, "advice score at 15\nclause 6 clause at 90\n", nil},
		{"clauses that there are not", `{"score":60,"violations":[{"clause":8},{"clause":0},{"clause":-1}]}`, "advice score at 50\n", nil},
		{"0", `{"score":0,"violations":["all of it"]}`, "advice score at 15\n", nil},
		{"no score", `{"violations":[]}`, "", errScore},
		{"a score in quotes", `{"score":"100","violations":[]}`, "", errScore},
		{"a score over 100", `{"score":101,"violations":[]}`, "", errScore},
		{"a score below 0", `{"score":-1,"violations":[]}`, "", errScore},
		{"a score out of all bounds", `{"score":1e999,"violations":[]}`, "", errScore},
		{"a score null", `{"score":null,"violations":[]}`, "", errScore},
		{"no violations", `{"score":100}`, "", errViolations},
		{"violations null", `{"score":100,"violations":null}`, "", errViolations},
		{"too many violations", `{"score":100,"violations":[` + strings.Repeat(`1,`, maxViolations) + `1]}`, "", errViolations},
		{"a list", `[]`, "", errMalformed},
	} {
		o, err := DecodeValidate([]byte(tt.body))
		if !errors.Is(err, tt.err) || err == nil && show(o) != tt.want || err != nil && len(o.Objections) > 0 {
			t.Errorf("%s: %s%v, want %s%v", tt.name, show(o), err, tt.want, tt.err)
		}
	}
}

// FuzzDecode reads whatever a server may send as each kind.
func FuzzDecode(f *testing.F) {
	for _, body := range good {
		f.Add([]byte(body))
	}
	for _, seed := range []string{completion("unsafe\nS1,S14"), `{"results":[{"flagged":true,"categories":{"hate":true},"category_scores":{"x":1}}]}`,
		`{"score":1e2,"violations":[{"clause":7,"severity":0.275},null,[]]}`, `{"score":84.35,"violations":[{}]}`, ``, `[]`, `{"score":`, "{\"choices\":\"\xff\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, decode := range map[string]func([]byte) (quorum.Opinion, error){"moderation": DecodeModeration, "guard": DecodeGuard, "validate": DecodeValidate} {
			o, err := decode(body)
			if err != nil {
				if e, ok := errors.AsType[*upstream.Error](err); !ok || e.Class != upstream.Malformed || len(o.Objections) > 0 {
					t.Fatalf("%s: %v, %+v", name, err, o)
				}
				continue
			}
			for i, x := range o.Objections {
				if x.Step < 1 || x.Step > quorum.CriticalStep || x.Clause > quorum.Clauses || i > 0 && x.Clause <= o.Objections[i-1].Clause || len(x.Category) == 0 || len(x.Category) > 24 {
					t.Fatalf("%s: %+v", name, o)
				}
			}
			if o.Usage.InputTokens < 0 || o.Usage.OutputTokens < 0 {
				t.Fatalf("%s: %+v", name, o)
			}
		}
	})
}
