package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

func TestArithmetic(t *testing.T) {
	for _, tt := range []struct{ prompt, want string }{
		{"What is 17 * 23?", "391"},
		{"What is 17 times 23?", "391"},
		{"what's 17 × 23", "391"},
		{"Calculate (2 + 3) * 4 - 6 / 2.", "17"},
		{"2+2", "4"},
		{"10 - 4", "6"},
		{"10-4", "6"},
		{"Compute 2^10", "1024"},
		{"Compute -2^2 + 1", "-3"},
		{"How much is 1,000,000 divided by 8?", "125000"},
		{"What is 1 / 3?", "0.333333"},
		{"What is 0.1 + 0.2?", "0.3"},
		{"What is 999999999999 * 999999999999?", "999999999998000000000001"},
		{"What is 5 / 0?", ""},
		{"What is 2^99999999?", ""},
		{"What is 9^9^9^9?", ""},
		{"What happened on 2024-05-01?", ""},
		{"What is new in version 1.2.3?", ""},
		{"What is the capital of France?", ""},
		{"Is 7 a prime?", ""},
		{"What is " + strings.Repeat("(", 60) + "1 + 1" + strings.Repeat(")", 60), ""},
		{"The flat has 3-4 rooms and costs less.", ""},
	} {
		if got, ok := arithmetic(tt.prompt); got != tt.want || ok != (tt.want != "") {
			t.Errorf("arithmetic(%q) = %q, %v, want %q", tt.prompt, got, ok, tt.want)
		}
	}
}

// certain is a mind that is always right, doubtful one that never is.
func certain(id string) *mind {
	return &mind{companion: &Companion{ID: quorum.CompanionID(id), Model: "simulated", Skill: 1}}
}

func doubtful(id string) *mind {
	return &mind{companion: &Companion{ID: quorum.CompanionID(id), Model: "simulated", Skill: 0}}
}

func mustReply(t *testing.T, v Voice, ask Ask) Reply {
	t.Helper()
	reply, err := v.Reply(&ask)
	if err != nil {
		t.Fatalf("Reply(%q): %v", ask.Prompt, err)
	}
	return reply
}

func TestMindKnowsWhatCanBeKnown(t *testing.T) {
	for _, tt := range []struct {
		name string
		ask  Ask
		want string
	}{
		{"arithmetic of kind number", Ask{Prompt: "What is 17 * 23?", Kind: quorum.Number}, "391"},
		{"arithmetic without a kind", Ask{Prompt: "What is 17 * 23?"}, "391"},
		{"a capital", Ask{Prompt: "What is the capital of France?", Kind: quorum.Text}, "Paris"},
		{"a fact of kind short", Ask{Prompt: "Which planet is the largest planet?", Kind: quorum.Short}, "Jupiter"},
		{"the longer of two facts", Ask{Prompt: "How many days has a leap year?", Kind: quorum.Number}, "366"},
		{"the option behind a letter", Ask{Prompt: "What is 6 * 7?\nA. 36\nB. 42\nC. 49", Kind: quorum.Choice, Options: []string{"A", "B", "C"}}, "B"},
		{"an option by its text", Ask{Prompt: "What is the capital of Italy?", Kind: quorum.Choice, Options: []string{"Paris", "Rome"}}, "Rome"},
	} {
		for i := range 20 {
			text := mustReply(t, certain(fmt.Sprintf("C%d", i)), tt.ask).Text
			if !strings.Contains(text, tt.want) {
				t.Errorf("%s: %q lacks %q", tt.name, text, tt.want)
			}
			text = mustReply(t, doubtful(fmt.Sprintf("D%d", i)), tt.ask).Text
			if slices.Contains(strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(` ":{}`, c) }), tt.want) {
				t.Errorf("%s: a mind that is wrong says %q", tt.name, text)
			}
		}
	}
}

func TestMindIsDeterministic(t *testing.T) {
	for _, kind := range quorum.Kinds {
		ask := Ask{Prompt: "Should a city plant more trees?", Kind: kind, Options: []string{"A", "B", "C"}}
		m := &mind{companion: &Default()[6], seed: 7}
		first, again := mustReply(t, m, ask), mustReply(t, m, ask)
		if first != again {
			t.Errorf("kind %v: %+v, then %+v", kind, first, again)
		}
		if first.Text == "" || first.Confidence < 0.5 || first.Confidence > 1 || first.Usage.OutputTokens == 0 {
			t.Errorf("kind %v: incomplete reply %+v", kind, first)
		}
	}
}

func TestMindSaysThatItIsSimulated(t *testing.T) {
	for _, kind := range []quorum.Kind{quorum.Text, quorum.Code, quorum.Short} {
		text := mustReply(t, certain("A"), Ask{Prompt: "How do we get to carbon neutrality?", Kind: kind}).Text
		if kind == quorum.Short && strings.HasPrefix(text, "The answer is") {
			continue
		}
		if !strings.Contains(strings.ToLower(text), "simulated") {
			t.Errorf("kind %v: %q does not say that it is simulated", kind, text)
		}
	}
}

func TestCompanionsMostlyAgreeAndNowAndThenDissent(t *testing.T) {
	companions := Default()
	dissented, lost := 0, 0
	for n := range 200 {
		ask := Ask{Prompt: fmt.Sprintf("What is %d * 7?", n+13), Kind: quorum.Number}
		right := 0
		for i := range companions {
			m := &mind{companion: &companions[i], seed: 1}
			if strings.Contains(mustReply(t, m, ask).Text, fmt.Sprint((n+13)*7)) {
				right++
			}
		}
		if right < len(companions) {
			dissented++
		}
		if right*2 <= len(companions) {
			lost++
		}
	}
	if dissented < 60 || dissented > 180 {
		t.Errorf("%d of 200 prompts had dissent, want some but not all", dissented)
	}
	if lost > 2 {
		t.Errorf("%d of 200 sums found no majority for what is right", lost)
	}
}

func TestVotesLeanByTheMotion(t *testing.T) {
	stances := func(m func(string) *mind, motion string) (n [4]int) {
		for i := range 40 {
			reply := mustReply(t, m(fmt.Sprintf("C%d", i)), Ask{Prompt: fmt.Sprintf(motion, i), Kind: quorum.VoteKind})
			n[reply.Stance]++
			if reply.Stance == quorum.NoStance || reply.Rationale == "" {
				t.Errorf("no stance or no reason: %+v", reply)
			}
		}
		return n
	}
	good := stances(certain, "Motion %d: publish the audit.")
	bad := stances(certain, "Motion %d: conceal the audit.")
	if good[quorum.Approve] <= good[quorum.Reject] || bad[quorum.Reject] <= bad[quorum.Approve] {
		t.Errorf("a harmless motion got %v, an alarming one %v", good, bad)
	}
	if n := stances(doubtful, "Motion %d: publish the audit."); n[quorum.Abstain] == 0 {
		t.Error("nobody ever abstains")
	}
}

func TestEssaysShareContentUnlessTheyDissent(t *testing.T) {
	prompt := "How should a small town reduce traffic?"
	a := shared(mustReply(t, certain("A"), Ask{Prompt: prompt}).Text, mustReply(t, certain("B"), Ask{Prompt: prompt}).Text)
	b := shared(mustReply(t, certain("A"), Ask{Prompt: prompt}).Text, mustReply(t, doubtful("B"), Ask{Prompt: prompt}).Text)
	if a < 0.7 || b > 0.6 || b >= a {
		t.Errorf("agreeing essays share %.2f of their long words, dissenting ones %.2f", a, b)
	}
}

// shared is the part of a's words of five and more letters that b has too.
func shared(a, b string) float64 {
	have := map[string]bool{}
	for _, w := range words(b) {
		have[w] = true
	}
	n, both := 0, 0
	for _, w := range words(a) {
		if len(w) >= 5 {
			n++
			if have[w] {
				both++
			}
		}
	}
	return float64(both) / float64(n)
}

func FuzzArithmetic(f *testing.F) {
	for _, s := range []string{"2+2", "What is (1+2)*3?", "what is 1/0", "((((", "3^^4", "-(-(-1))", "what is 9.9.9 * 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, prompt string) {
		value, ok := arithmetic(prompt)
		if ok && (value == "" || strings.Trim(value, "-.0123456789") != "") {
			t.Errorf("arithmetic(%q) = %q", prompt, value)
		}
	})
}
