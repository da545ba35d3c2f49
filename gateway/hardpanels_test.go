package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

// essay is a text too long to have a position by likeness.
func essay() string {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "Chapter%d tells of matter%d. ", i, 7*i)
	}
	return b.String()
}

// filled is about a mebibyte of unit, and then the end.
func filled(unit, end string) string { return strings.Repeat(unit, (1<<20)/len(unit)) + end }

// numbered words, as many as make a mebibyte.
func manyWords() string {
	var b strings.Builder
	for i := 0; b.Len() < 1<<20; i++ {
		fmt.Fprintf(&b, "word%d ", i)
	}
	return b.String()
}

func panelAll(n int, b behaviour) []behaviour {
	all := make([]behaviour, n)
	for i := range all {
		all[i] = b
	}
	return all
}

// A hardPanel is one row: what is asked of whom, and what comes of it.
type hardPanel struct {
	name      string
	panel     []behaviour
	ask       string // members of the request beside prompt and wait
	status    string
	value     string
	votes     int
	positions int
	reason    string // every ballot's
	counted   bool
}

func (tt *hardPanel) run(t *testing.T) {
	r := start(t, setup{panel: panelOf(t, tt.panel...), unsampled: true})
	d := r.ask(`{"prompt":"What shall it be?","wait":"all","deadlineMs":30000,"include":["ballots","positions"],` + tt.ask + `}`)
	if d.Status != tt.status || d.Value != tt.value || d.Consensus.Votes != tt.votes || len(d.Positions) != tt.positions || (d.Answer == "") != (tt.status == "inquorate") {
		t.Errorf("%s, value %.40q, %d votes, %d positions, an answer of %d bytes; want %s, %.40q, %d, %d",
			d.Status, d.Value, d.Consensus.Votes, len(d.Positions), len(d.Answer), tt.status, tt.value, tt.votes, tt.positions)
	}
	if tt.status == "inquorate" && d.Decision != "" {
		t.Errorf("decided %s", d.Decision)
	}
	for _, b := range d.Ballots {
		if b.Reason != tt.reason || b.Counted != tt.counted {
			t.Errorf("ballot %+v, want counted %t (%s)", b, tt.counted, tt.reason)
		}
	}
	again := r.get("/v1/deliberations/" + d.ID).deliberation(http.StatusOK)
	if again.Status != d.Status || again.Answer != d.Answer || again.Value != d.Value || again.Consensus != d.Consensus || len(again.Ballots) != len(d.Ballots) || len(again.Positions) != len(d.Positions) {
		t.Errorf("it reads back as %s, %d ballots, %d positions, %+v", again.Status, len(again.Ballots), len(again.Positions), again.Consensus)
	}
}

// Panels that no question hopes for: what comes of each is said in its name, is
// read back the same, and is decided again from its record (the rig audits).
func TestHardPanels(t *testing.T) {
	t.Parallel()
	const hedge = "I do not know."
	for _, tt := range []hardPanel{
		// Replies that are none of the kind.
		{"no number in any reply: inquorate, no answer found", panelAll(3, says("It is hard to tell.")), `"kind":"number"`, "inquorate", "", 0, 0, quorum.ReasonNoAnswer, false},
		{"no option in any reply: inquorate, no answer found", panelAll(3, says("Green, surely.")), `"kind":"choice","options":["red","blue"]`, "inquorate", "", 0, 0, quorum.ReasonNoAnswer, false},
		{"no document in any reply: inquorate, no answer found", panelAll(3, says("{ almost")), `"kind":"json"`, "inquorate", "", 0, 0, quorum.ReasonNoAnswer, false},
		{"no stance in any reply: inquorate, no answer found", panelAll(3, says("The weather is fine.")), `"kind":"vote"`, "inquorate", "", 0, 0, quorum.ReasonNoAnswer, false},
		{"an essay for a short answer: inquorate, no answer found", panelAll(3, says(essay())), `"kind":"short"`, "inquorate", "", 0, 0, quorum.ReasonNoAnswer, false},
		{"two different final answers each: inquorate, several answers", panelAll(3, says(`{"answer": 41} or {"answer": 42}`)), `"kind":"number"`, "inquorate", "", 0, 0, quorum.ReasonAmbiguous, false},

		// One companion only.
		{"one companion where one is enough: carried", panelAll(1, says("42")), `"kind":"number","context":{"tier":"research"}`, "carried", "42", 1, 1, "", true},
		{"one companion where two must approve: inquorate, its ballot counts all the same", panelAll(1, says("42")), `"kind":"number","context":{"tier":"standard"}`, "inquorate", "", 1, 1, "", true},
		{"one companion at critical: inquorate", panelAll(1, says("42")), `"kind":"number","context":{"tier":"critical"}`, "inquorate", "", 1, 1, "", true},
		{"one companion that is allowed, of many: inquorate", panelAll(4, says("42")), `"kind":"number","maxCompanions":1`, "inquorate", "", 1, 1, "", true},

		// All abstain: they took part, and there is no answer.
		{"all abstain from a vote: inquorate, without a decision", panelAll(4, votes("abstain")), `"kind":"vote"`, "inquorate", "", 0, 0, "", true},
		{"all say that they do not know: inquorate, without an answer", panelAll(4, says(hedge)), `"kind":"text"`, "inquorate", "", 0, 0, "", true},
		{"all abstain from an operation: inquorate, nothing waits for a steward", panelAll(4, votes("abstain")), `"operation":"mic.mint"`, "inquorate", "", 0, 0, "", true},

		// Identical replies are one position, of any kind and length.
		{"the same number: carried, one position", panelAll(4, says("42")), `"kind":"number"`, "carried", "42", 4, 1, "", true},
		{"the same sentence: carried, one position", panelAll(4, says("The capital of France is Paris.")), `"kind":"text"`, "carried", "", 4, 1, "", true},
		{"the same essay: carried, one position", panelAll(4, says(essay())), `"kind":"text"`, "carried", "", 4, 1, "", true},
		{"the same essay, nobody having said that it is text: carried, one position", panelAll(4, says(essay())), `"kind":"auto"`, "carried", "", 4, 1, "", true},
		{"the same program: carried, one position", panelAll(4, says("```\nprint(42)\n```")), `"kind":"code"`, "carried", "", 4, 1, "", true},
		{"the same sign, which is no word: carried, one position", panelAll(4, says("🦊")), `"kind":"text"`, "carried", "", 4, 1, "", true},
		{"the same contradiction in itself: carried, one position", panelAll(4, says("It is open. It is not open.")), `"kind":"text"`, "carried", "", 4, 1, "", true},
		{"different essays: contested, a position each", []behaviour{says(essay()), says(essay() + "One."), says(essay() + "Two.")}, `"kind":"text"`, "contested", "", 1, 3, "", true},

		// Empty replies.
		{"no text in any reply: inquorate, empty", panelAll(4, says("")), `"kind":"text"`, "inquorate", "", 0, 0, quorum.ReasonEmpty, false},
		{"no text, nobody having said the kind: inquorate, empty", panelAll(4, says("")), `"kind":"auto"`, "inquorate", "", 0, 0, quorum.ReasonEmpty, false},
		{"nothing but white space: inquorate, empty", panelAll(4, says(" \n\t\u00a0")), `"kind":"text"`, "inquorate", "", 0, 0, quorum.ReasonEmpty, false},
		{"no code: inquorate, empty", panelAll(4, says("")), `"kind":"code"`, "inquorate", "", 0, 0, quorum.ReasonEmpty, false},
		{"a stance without a word: inquorate, empty", panelAll(4, sends(saying("response", "", "stance", "approve"))), `"kind":"vote"`, "inquorate", "", 0, 0, quorum.ReasonEmpty, false},
	} {
		t.Run(tt.name, func(t *testing.T) { t.Parallel(); tt.run(t) })
	}
}

// Replies of a mebibyte are read to their end, whatever they are made of; one over
// upstream.DefaultMaxBody is not. Not beside other tests: these take all there is of
// the machine.
func TestHardPanelsOfLongReplies(t *testing.T) {
	words := manyWords()
	for _, tt := range []hardPanel{
		{"a number at the end of 1 MB: carried", panelAll(2, says(filled("so then ", "\nThe answer is 42."))), `"kind":"number"`, "carried", "42", 2, 1, "", true},
		{"a choice at the end of 1 MB: carried", panelAll(2, says(words+" The answer is blue.")), `"kind":"choice","options":["red","blue"]`, "carried", "blue", 2, 1, "", true},
		{"a document of 1 MB: carried", panelAll(2, says(`{"a":"`+filled("x", "")+`"}`)), `"kind":"json"`, "carried", `{"a":"` + filled("x", "") + `"}`, 2, 1, "", true},
		{"the same 1 MB of text: carried", panelAll(2, says(words)), `"kind":"text"`, "carried", "", 2, 1, "", true},
		{"different 1 MB of text: contested", []behaviour{says(words), says(words + "and"), says(words + "or")}, `"kind":"auto"`, "contested", "", 1, 3, "", true},
		{"1 MB of braces for a document: inquorate, no answer found", panelAll(2, says(filled("{", ""))), `"kind":"json"`, "inquorate", "", 0, 0, quorum.ReasonNoAnswer, false},
		{"the same 1 MB of fences for code, which nobody runs: carried", panelAll(2, says(filled("```\n", ""))), `"kind":"code"`, "carried", "", 2, 1, "", true},
		{"1 MB of signs: carried, for they are the same", panelAll(2, says(filled("🦊", ""))), `"kind":"auto"`, "carried", "", 2, 1, "", true},
		{"1 MB of personal data: inquorate, below the charter minimum", panelAll(2, says(filled("563-21-3271 ", ""))), `"kind":"text"`, "inquorate", "", 0, 0, quorum.ReasonCharter, false},
		{"more than a reply may have: inquorate, over the size limit", panelAll(2, says(strings.Repeat("a ", upstream.DefaultMaxBody/2))), `"kind":"text"`, "inquorate", "", 0, 0, "reply over the size limit", false},
	} {
		t.Run(tt.name, tt.run)
	}
}

// largestName is as long as a name may be, and i's own.
func largestName(letter string, i int) string {
	return fmt.Sprintf("%s%02d", strings.Repeat(letter, 30), i)
}

// As many companions as a panel may have, with the longest names: all of them are
// asked and counted, for every kind, in a proof that fits its leaf; whoever comes
// after them in the roster is not seated.
func TestAPanelOf64(t *testing.T) {
	t.Parallel()
	const seats, more = 64, 2
	reply := func(i int, text string) behaviour {
		return sends(saying("response", text, "rationale", "It is so.", "stance", []string{"approve", "reject"}[i%2], "confidence", "0.912345", "model", largestName("m", i)+largestName("n", i)))
	}
	var panel []*companion
	for i := range seats + more {
		panel = append(panel, newCompanion(t, quorum.Companion{ID: quorum.CompanionID(largestName("A", i)), Vendor: largestName("v", i), Tier: quorum.Critical}, nil))
	}
	r := start(t, setup{panel: panel, unsampled: true})
	for _, tt := range []struct {
		name, kind string
		says       func(i int) string
		positions  int
		status     string
	}{
		{"64 that agree on a number: carried", "number", func(int) string { return "42" }, 1, "carried"},
		{"64 different numbers: contested", "number", func(i int) string { return fmt.Sprint(100 + i) }, seats, "contested"},
		{"a vote split in halves: contested", "vote", func(int) string { return "I have weighed the motion." }, 2, "contested"},
		{"64 sentences, each a little like the others: contested", "text", func(i int) string {
			w := string(rune('a'+i%26)) + string(rune('a'+i/26)) // of 64 made-up words each
			return fmt.Sprintf("Gardens grow %sberries, %sherbs, %sroots and %sgrass.", w+"o", w+"u", w+"e", w+"i")
		}, 0, "contested"},
		{"64 times the same sentence: carried", "text", func(int) string { return "The capital of France is Paris." }, 1, "carried"},
		{"64 essays: contested, a position each", "text", func(i int) string { return essay() + fmt.Sprint("Chapter ", i) }, seats, "contested"},
		{"64 times the same essay: carried", "text", func(int) string { return essay() }, 1, "carried"},
		{"64 programs: contested, a position each", "code", func(i int) string { return fmt.Sprint("print(", i, ")") }, seats, "contested"},
		{"64 breaches of the charter: inquorate", "text", func(i int) string {
			return fmt.Sprintf("Number %d: her SSN is 563-21-3271, her card 4532756279624064, her mail a%d@example.org.", i, i)
		}, 0, "inquorate"},
	} {
		for i, c := range panel {
			c.does(reply(i, tt.says(i)))
		}
		d := r.ask(`{"prompt":"What shall it be?","kind":"` + tt.kind + `","wait":"all","deadlineMs":30000,"context":{"tier":"standard"},"include":["ballots","positions"]}`)
		if d.Status != tt.status || len(d.Ballots) != seats || tt.positions > 0 && len(d.Positions) != tt.positions {
			t.Errorf("%s: %s, %d ballots, %d positions", tt.name, d.Status, len(d.Ballots), len(d.Positions))
		}
		for _, b := range d.Ballots {
			if b.Outcome != "ok" || b.Counted != (tt.status != "inquorate") {
				t.Errorf("%s: ballot %+v", tt.name, b)
			}
		}
		// DESIGN §8: the largest panel's proof is at most 60 KB.
		if leaf := must(r.ledger.Entry(d.Proof.Index))(t); len(leaf) > 60_000 {
			t.Errorf("%s: a leaf of %d bytes", tt.name, len(leaf))
		} else {
			t.Logf("%s: a leaf of %d bytes", tt.name, len(leaf))
		}
	}
	for _, c := range panel[seats:] {
		if n := c.count.Load(); n != 0 {
			t.Errorf("%s was asked %d times", c.ID, n)
		}
	}
}

// A whole panel that decides early is answered while the others are out, and one
// reply in 64 that is slow holds up nobody.
func TestAPanelOf64IsNotHeldUpByOne(t *testing.T) {
	t.Parallel()
	var panel []*companion
	for i := range 64 {
		panel = append(panel, newCompanion(t, quorum.Companion{ID: quorum.CompanionID(fmt.Sprint("C", i)), Vendor: fmt.Sprint("v", i), Tier: quorum.High}, says("42")))
	}
	panel[40].does(held)
	r := start(t, setup{panel: panel, unsampled: true})
	d := r.ask(`{"prompt":"Six times seven?","kind":"number","context":{"tier":"high"},"include":["ballots"]}`)
	if b := ballot(t, d, "C40"); d.Status != "carried" || d.Value != "42" || !d.Consensus.AgreementIsBound || b.Outcome != "unneeded" {
		t.Errorf("%s %q, the slow one %+v", d.Status, d.Value, b)
	}
	// Whether it was called at all by then is a matter of who came first.
}
