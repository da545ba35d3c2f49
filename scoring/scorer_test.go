package scoring

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring/form"
)

// sat is a panel that has read texts as replies to a question of this kind.
func sat(kind quorum.Kind, options []string, texts ...string) *sitting {
	s := &sitting{scorer: New(), policy: quorum.DefaultPolicy()}
	s.d = quorum.Deliberation{Prompt: "Is the bridge safe?", Kind: kind, Options: options, Tier: quorum.Research}
	for i, text := range texts {
		s.replies = append(s.replies, quorum.Reply{Text: text, Outcome: quorum.OK})
		s.ballots = append(s.ballots, quorum.Ballot{Companion: quorum.CompanionID(fmt.Sprintf("c%d", i)), Tier: quorum.Critical, TierWeight: quorum.One})
		s.reliable = append(s.reliable, quorum.One/2)
		s.families = append(s.families, fmt.Sprintf("family %d", i))
	}
	return s
}

func TestKindOfAuto(t *testing.T) {
	essay := "The bridge was inspected last year by two engineers, who found that it can carry what it was built for. "
	for _, c := range []struct {
		name    string
		options []string
		texts   []string
		want    quorum.Kind
	}{
		{"two thirds are plain numbers", nil, []string{"42", "#### 41", essay}, quorum.Number},
		{"fewer than two thirds are", nil, []string{"42", essay, essay}, quorum.Text},
		{"numbers among short answers", nil, []string{"42", "Paris", "Lyon"}, quorum.Short},
		{"options, and replies that take one", []string{"red", "green"}, []string{"Green.", "(B)", essay}, quorum.Choice},
		{"nothing but essays", nil, []string{essay, essay, essay}, quorum.Text},
		{"nothing at all", nil, []string{"", "", ""}, quorum.Text},
	} {
		s := sat(quorum.Auto, c.options, c.texts...)
		sheet := s.scorer.NewSheet(&s.d, len(s.replies))
		for i := range s.replies {
			s.scorer.Read(sheet, i, &s.replies[i])
		}
		if got := s.scorer.Kind(s.policy, sheet, func(int) bool { return true }); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		s.scorer.Release(sheet)
	}
}

func TestPositions(t *testing.T) {
	long := func(by string) string {
		return strings.Repeat("The bridge was inspected last year by "+by+", who found nothing. ", 20)
	}
	for _, c := range []struct {
		name      string
		kind      quorum.Kind
		texts     []string
		positions int
		first     int // supporters of the leading one
	}{
		{"equal numbers, as they are written", quorum.Number, []string{"0.5", "1/2", "\\boxed{\\frac{1}{2}}", "7"}, 2, 3},
		{"a corrected answer counts for what it became", quorum.Number, []string{"The answer is 5. Wait, no, it is 6.", "6", "5"}, 2, 2},
		{"two answers at once count for none", quorum.Number, []string{"5 or 6", "6", "6"}, 1, 2},
		{"a reply with no answer counts for none", quorum.Number, []string{"I do not know.", "6", "6"}, 1, 2},
		{"the article is no option", quorum.Choice, []string{"It is a long story, and I think it ends well for all.", "B", "B"}, 1, 2},
		{"a claim and its negation", quorum.Text, []string{"The bridge is safe.", "The bridge is not safe.", "Yes, the bridge is safe."}, 2, 2},
		{"a hedge takes no position", quorum.Text, []string{"I don't know.", "Yes.", "Yes, it is."}, 1, 2},
		{"identical texts", quorum.Text, []string{"The bridge is safe.", "The bridge is safe.", "The bridge is safe."}, 1, 3},
		{"long texts are no positions", quorum.Text, []string{long("two engineers"), long("the owner"), long("a diver")}, 3, 1},
		{"but those that are the same, word for word", quorum.Text, []string{long("the owner"), long("the owner"), long("a diver")}, 2, 2},
		{"empty replies", quorum.Text, []string{"", "The bridge is safe.", ""}, 1, 1},
		{"all empty", quorum.Number, []string{"", "", ""}, 0, 0},
		{"all abstain", quorum.VoteKind, []string{"I abstain.", "I abstain.", "I abstain."}, 0, 0},
		{"none of the kind", quorum.JSON, []string{"hello", "{", "[1"}, 0, 0},
		{"one companion", quorum.Short, []string{"Paris"}, 1, 1},
		{"one text of a megabyte among short ones", quorum.Text, []string{strings.Repeat("rust eats the girders away. ", 40_000), "The bridge is safe.", "It is safe."}, 2, 2},
		{"bytes that are no text", quorum.Short, []string{"\xff\xfe", "\xff\xfe", "Paris"}, 2, 2},
	} {
		s := sat(c.kind, nil, c.texts...)
		v := s.decide(true)
		if len(v.Positions) != c.positions {
			t.Errorf("%s: %d positions, want %d", c.name, len(v.Positions), c.positions)
			continue
		}
		if c.positions > 0 && v.Positions[0].Supporters != c.first {
			t.Errorf("%s: %d support the first position, want %d", c.name, v.Positions[0].Supporters, c.first)
		}
	}
}

// The largest panel, with the largest replies that a question of any kind may get.
func TestLargestPanel(t *testing.T) {
	const size = 1 << 20
	for _, kind := range quorum.Kinds {
		if kind == quorum.Auto || kind == quorum.Code {
			continue
		}
		texts := make([]string, 64)
		for i := range texts {
			texts[i] = reply(kind, 600, i)
		}
		texts[7] = reply(kind, size, 7)
		s := sat(kind, nil, texts...)
		v := s.decide(false)
		if v.Winner < 0 || len(v.Positions) == 0 {
			t.Errorf("%v: no winner", kind)
		}
		if b := &s.ballots[7]; kind.Closed() && b.Position < 0 {
			t.Errorf("%v: a reply of a megabyte has no position: %s", kind, b.Reason)
		}
	}
}

// What an external judge says lowers what was found in the process, and the ballot
// tells that it was asked.
func TestAJudgeLowersAScore(t *testing.T) {
	s := sat(quorum.Number, nil, "42", "43", " ")
	sheet := s.scorer.NewSheet(&s.d, len(s.replies))
	for i := range s.replies {
		s.scorer.Read(sheet, i, &s.replies[i])
	}
	sheet.Hear(0, "guard", &quorum.Opinion{Objections: []quorum.Objection{{Clause: quorum.Civic, Category: "S13", Step: 6}}}, len("42"))
	sheet.Judged(0, "6l")
	sheet.Hear(1, "guard", &quorum.Opinion{}, len("43"))
	sheet.Judged(1, "0-")
	sheet.Judged(2, "0-") // of no use: there is nothing to judge
	for i, want := range []quorum.Ballot{{Scored: true, Score: 5000, Judged: "6l"}, {Scored: true, Score: quorum.MaxScore, Judged: "0-"}, {Score: quorum.MaxScore}} {
		b := &s.ballots[i]
		s.scorer.Cast(b, sheet, i, quorum.Number, &s.replies[i])
		if b.Scored != want.Scored || b.Score != want.Score || b.Judged != want.Judged {
			t.Errorf("%d: scored %t at %s, judged %q; want %t, %s, %q", i, b.Scored, b.Score, b.Judged, want.Scored, want.Score, want.Judged)
		}
	}
	f := sheet.Reading(0).Assessment.Findings
	if len(f) != 1 || f[0] != (quorum.Finding{Clause: quorum.Civic, Rule: "judge.guard.S13", Severity: 500_000, End: 2}) {
		t.Errorf("findings %+v", f)
	}
	s.scorer.Release(sheet)
	fresh := s.scorer.NewSheet(&s.d, len(s.replies))
	s.scorer.Read(fresh, 0, &s.replies[0])
	var b quorum.Ballot
	if s.scorer.Cast(&b, fresh, 0, quorum.Number, &s.replies[0]); b.Judged != "" || b.Score != quorum.MaxScore {
		t.Errorf("a sheet that is used again remembers: judged %q at %s", b.Judged, b.Score)
	}
}

// What a companion gives as its reasons is shown with its reply, and no way past the
// charter.
func TestARationaleIsScoredToo(t *testing.T) {
	s := sat(quorum.VoteKind, nil, "approve", "approve: mail petra.haddad@northgatemail.com", "approve")
	s.d.Prompt = "May we write to joan.marsh@northgatemail.com?"
	s.replies[0].Rationale = "Her SSN is 563-21-3271."
	s.replies[1].Rationale = "Her address is petra.haddad@northgatemail.com."
	s.replies[2].Rationale = "She is joan.marsh@northgatemail.com." // which the prompt says
	sheet := s.scorer.NewSheet(&s.d, len(s.replies))
	for i, want := range []struct {
		score    quorum.Score
		findings []quorum.Finding
	}{
		{5000, []quorum.Finding{{Clause: quorum.Privacy, Rule: "privacy.ssn", Severity: 500_000, End: len("approve")}}},
		{8000, []quorum.Finding{{Clause: quorum.Privacy, Rule: "privacy.email", Severity: 200_000, Start: 14, End: 44}}}, // once, where the reply says it
		{quorum.MaxScore, nil},
	} {
		s.scorer.Read(sheet, i, &s.replies[i])
		if a := &sheet.Reading(i).Assessment; a.Score != want.score || !slices.Equal(a.Findings, want.findings) {
			t.Errorf("%d: %s, findings %+v; want %s, %+v", i, a.Score, a.Findings, want.score, want.findings)
		}
	}
}

// A seat that was not waited for may be in the middle of being read while the others
// are compared: nothing of it is looked at. Only the race detector can tell.
func TestWhoIsNotWaitedForIsNotComparedWith(t *testing.T) {
	s := sat(quorum.Text, nil, "The bridge is safe.", "The bridge is safe.", `{"tool_calls":[{"name":"inspect","arguments":{}}]}`)
	held, err := form.New(&quorum.Generation{Tools: []quorum.Tool{{Name: "inspect"}}})
	if err != nil {
		t.Fatal(err)
	}
	sheet := s.scorer.NewSheet(&s.d, len(s.replies))
	sheet.Hold(held)
	for i := range 2 {
		s.scorer.Read(sheet, i, &s.replies[i])
		s.scorer.Cast(&s.ballots[i], sheet, i, quorum.Text, &s.replies[i])
	}
	s.ballots[2].Outcome = quorum.Unneeded
	read := make(chan struct{})
	go func() {
		defer close(read)
		s.scorer.Read(sheet, 2, &s.replies[2])
	}()
	q := quorum.Question{Tier: s.d.Tier, Kind: quorum.Text}
	s.scorer.Compare(s.policy, &q, sheet, s.ballots)
	<-read
	if want := []quorum.PPM{quorum.One, 0, 0}; !slices.Equal(q.Similarities, want) {
		t.Errorf("as alike as %v, want %v", q.Similarities, want)
	}
}
