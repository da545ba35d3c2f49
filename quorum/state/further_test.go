package state

import (
	"errors"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// deliberateOn makes the proof that a gateway would write of a contested first
// round, a second one, a judge's choice and a synthesis.
func deliberateOn(t *testing.T, s *State, id string) *quorum.Proof {
	t.Helper()
	p := deliberate(t, s, id, quorum.Number, "42", "7", "9", "8")
	ballots := make([]quorum.Ballot, len(p.Ballots))
	for i := range ballots {
		ballots[i] = p.Ballots[i].Ballot
		ballots[i].Key = string(p.Ballots[i].Tag[:])
	}
	q := p.Question()
	h := s.Policy.Hear(id, &q, ballots, p.Verdict)
	if show, why := h.SecondWanted(); why != "" || len(show) != 4 {
		t.Fatalf("a second round is not wanted: %s, %v", why, show)
	}
	p.Second = &quorum.SecondRound{}
	for i, key := range []string{"42", "7", "7", "late"} {
		b := quorum.SecondBallot{Seat: i, Scored: true, Score: 9900, Stands: -1}
		copy(b.Tag[:], key)
		b.Key = string(b.Tag[:])
		if key == "late" {
			b = quorum.SecondBallot{Seat: i, Outcome: quorum.Late, Reason: "no answer before the deadline", Stands: -1}
		}
		p.Second.Ballots = append(p.Second.Ballots, b)
	}
	h.Second(p.Second)
	show, why := h.JudgeWanted()
	if why != "" {
		t.Fatalf("a judge is not wanted after %+v: %s", h.Verdict, why)
	}
	p.Judge = &quorum.Judgement{Service: quorum.Service{Companion: "ZENITH", Scored: true, Score: 9900}, Shown: int64(len(show)), Chosen: -1}
	for i, quote := range show {
		if quote.Position == 1 {
			p.Judge.Chosen = i
		}
	}
	h.Judge(1)
	p.Synthesis = &quorum.Synthesis{Service: quorum.Service{Companion: "ATLAS", Scored: true, Score: 9900}}
	p.Verdict = h.Verdict
	return p
}

func contestedUntilAlmostAll(p *quorum.Policy) {
	for i := range p.Tiers {
		p.Tiers[i].Rule.Share = 990_000
	}
}

// foundedWith is founded under another policy.
func foundedWith(t *testing.T, change func(*quorum.Policy)) (*State, *Auditor) {
	t.Helper()
	s, a := founded(t)
	p := quorum.DefaultPolicy()
	change(p)
	p, err := quorum.ParsePolicy(p.Canonical())
	if err != nil {
		t.Fatal(err)
	}
	return write(t, s, a, &quorum.Activation{Actor: "operator", Policy: p}), a
}

func TestAuditFollowsEveryStep(t *testing.T) {
	s, a := foundedWith(t, contestedUntilAlmostAll)
	p := deliberateOn(t, s, "dlb_1")
	if p.Verdict.Status != quorum.Contested || p.Verdict.Confidence != quorum.NoConfidence {
		t.Errorf("it comes to %+v", p.Verdict)
	}
	write(t, s, a, p)
	if a.Proofs != 1 {
		t.Errorf("%d proofs judged", a.Proofs)
	}
}

func TestAuditRefusesForgedSteps(t *testing.T) {
	other := func(p *quorum.Proof) int { return (p.Judge.Chosen + 1) % int(p.Judge.Shown) }
	for name, forge := range map[string]func(*quorum.Proof){
		"the second round hidden":                 func(p *quorum.Proof) { p.Second = nil },
		"the judge hidden":                        func(p *quorum.Proof) { p.Judge = nil },
		"a second ballot with another answer":     func(p *quorum.Proof) { p.Second.Ballots[0].Tag = p.Second.Ballots[1].Tag },
		"a second ballot invented":                func(p *quorum.Proof) { p.Second.Ballots[3] = p.Second.Ballots[2]; p.Second.Ballots[3].Seat = 3 },
		"a second ballot dropped":                 func(p *quorum.Proof) { p.Second.Ballots = p.Second.Ballots[:3] },
		"a status that the steps do not lead to":  func(p *quorum.Proof) { p.Verdict.Status = quorum.Carried },
		"the winner without the judge":            func(p *quorum.Proof) { p.Verdict.Winner = 1 },
		"confidence that nobody has":              func(p *quorum.Proof) { p.Verdict.Confidence = 900_000 },
		"a choice that was not among them":        func(p *quorum.Proof) { p.Judge.Chosen = int(p.Judge.Shown) },
		"another choice than the verdict follows": func(p *quorum.Proof) { p.Judge.Chosen = other(p) },
		"a judge that is no member":               func(p *quorum.Proof) { p.Judge.Companion = "GHOST" },
		"a synthesis by no member":                func(p *quorum.Proof) { p.Synthesis.Companion = "GHOST" },
		"another deliberation's order":            func(p *quorum.Proof) { p.ID = "dlb_2" },
	} {
		s, a := foundedWith(t, contestedUntilAlmostAll)
		p := deliberateOn(t, s, "dlb_1")
		forge(p)
		if err := a.Visit(s.Size, stamped(p, start)); !errors.Is(err, ErrVerdict) {
			t.Errorf("%s: %v, want ErrVerdict", name, err)
		}
	}
	// Where nobody was asked, nobody served.
	s, a := foundedWith(t, contestedUntilAlmostAll)
	refused := deliberateOn(t, s, "dlb_1")
	refused.Verdict = quorum.Verdict{Status: quorum.RefusedPrompt, Winner: -1, Confidence: quorum.NoConfidence}
	refused.Ballots, refused.Similarities, refused.PromptScore = nil, nil, 100
	if err := a.Visit(s.Size, stamped(refused, start)); !errors.Is(err, ErrVerdict) {
		t.Errorf("steps after a refusal: %v", err)
	}
	// One below the floor that the tier sets may not serve either.
	s, a = foundedWith(t, contestedUntilAlmostAll)
	p := deliberateOn(t, s, "dlb_1")
	p.Chamber, p.Judge.Companion = "genesis-dome", "SOLARA"
	if err := a.Visit(s.Size, stamped(p, start)); !errors.Is(err, ErrVerdict) || !strings.Contains(err.Error(), "judge: SOLARA could not serve") {
		t.Errorf("a judge below the chamber's floor: %v", err)
	}
}
