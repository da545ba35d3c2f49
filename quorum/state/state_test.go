package state

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

const start = 1_795_420_800_000

func stamped(rec quorum.Record, at int64) []byte {
	leaf, stamp := rec.AppendLeaf(nil)
	quorum.PutStamp(leaf, stamp, at)
	return leaf
}

func founding(id, vendor string, tier quorum.Tier) *quorum.Founding {
	return &quorum.Founding{Actor: "operator", Companion: quorum.Companion{ID: quorum.CompanionID(id), Provider: "kaizen", Vendor: vendor, Family: strings.ToLower(id),
		Model: "m", Tier: tier, Status: quorum.Active}}
}

// deliberate makes the proof that a gateway at state s would write.
func deliberate(t *testing.T, s *State, id string, kind quorum.Kind, keys ...string) *quorum.Proof {
	t.Helper()
	p := &quorum.Proof{ID: id, AsOf: s.Size, Policy: s.Policy.Digest(), Tier: quorum.Standard, Chamber: "thought-broker", Cycle: "C-114",
		Asked: kind, Kind: kind, PromptScore: 10_000, Prompt: [32]byte{1}}
	n := len(keys)
	ballots := make([]quorum.Ballot, n)
	reliable := make([]quorum.PPM, n)
	families := make([]string, n)
	for i, key := range keys {
		m := &s.Roster.Members()[i]
		b := &ballots[i]
		*b = quorum.Ballot{Companion: m.ID, Vendor: m.Vendor, Tier: m.Tier, Scored: true, Score: 9900, Key: key, TierWeight: s.Policy.VoteWeight(&m.Companion)}
		switch key {
		case "late":
			b.Outcome, b.Scored, b.Score, b.Key = quorum.Late, false, 0, ""
		case "unneeded":
			b.Outcome, b.Scored, b.Score, b.Key = quorum.Unneeded, false, 0, ""
		case "low":
			b.Score = 1500
		}
		reliable[i] = m.Standing.Of(s.Policy, b.TierWeight, kind, "")
		families[i] = m.Family
	}
	q := p.Question()
	s.Policy.Weigh(&q, ballots, reliable, families)
	p.Verdict = s.Policy.Decide(&q, ballots)
	for i := range ballots {
		w := quorum.Testimony{Ballot: ballots[i], Stated: -1}
		copy(w.Tag[:], ballots[i].Key)
		p.Ballots = append(p.Ballots, w)
	}
	return p
}

// policy is the default with the strength of the prior that hand checks reckon with.
func policy() *quorum.Policy {
	p := *quorum.DefaultPolicy()
	p.Reliability.Strength = 10
	read, err := quorum.ParsePolicy(p.Canonical())
	if err != nil {
		panic(err)
	}
	return read
}

func founded(t *testing.T) (*State, *Auditor) {
	t.Helper()
	s, a := new(State), new(Auditor)
	for _, rec := range []quorum.Record{
		&quorum.Activation{Actor: "operator", Policy: policy()},
		founding("AUREA", "openai", quorum.Critical), founding("ATLAS", "anthropic", quorum.Critical),
		founding("ZENITH", "google", quorum.High), founding("SOLARA", "deepseek", quorum.Standard),
	} {
		s = write(t, s, a, rec)
	}
	return s, a
}

func write(t *testing.T, s *State, a *Auditor, rec quorum.Record) *State {
	t.Helper()
	next, err := s.Apply(start, rec)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Visit(s.Size, stamped(rec, start)); err != nil {
		t.Fatal(err)
	}
	if got, want := a.State().Append(nil), next.Append(nil); !bytes.Equal(got, want) {
		t.Fatalf("the auditor's state differs:\n%s\n%s", got, want)
	}
	return next
}

// A ledger written by one state, deliberation after deliberation, is judged the
// same by an auditor who has only the leaves.
func TestAuditFollows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	s, a := founded(t)
	seats := []*State{s}
	for i := range 300 {
		// Seated from a state of a little earlier, as deliberations in flight are.
		from := seats[max(len(seats)-1-rng.IntN(5), 0)]
		kind := []quorum.Kind{quorum.Number, quorum.Choice, quorum.Short}[rng.IntN(3)]
		keys := make([]string, 4)
		for k := range keys {
			keys[k] = []string{"42", "42", "42", "7", "late", "low", "unneeded"}[rng.IntN(7)]
		}
		p := deliberate(t, from, fmt.Sprint("dlb_", i), kind, keys...)
		s = write(t, s, a, p)
		seats = append(seats, s)
		if p.Verdict.Bound {
			s = write(t, s, a, &quorum.Completion{ID: p.ID, Kind: kind, Observed: true, Ballots: deliberate(t, from, p.ID, kind, "42", "42", "7", "42").Ballots})
			seats = append(seats, s)
		}
	}
	if a.Proofs != 300 {
		t.Errorf("%d proofs judged", a.Proofs)
	}
	m := s.Roster.Find("AUREA")
	if cells := m.Standing.Cells(); len(cells) != 3 || cells[0].Evidence.SoftSeen == 0 {
		t.Errorf("whole panels left no agreement: %+v", cells)
	}
	again, err := Read(s.Append(nil))
	if err != nil || !bytes.Equal(again.Append(nil), s.Append(nil)) {
		t.Errorf("snapshot does not read back: %v", err)
	}
}

func TestAuditRefuses(t *testing.T) {
	tests := map[string]func(*quorum.Proof){
		"a status that does not follow":    func(p *quorum.Proof) { p.Verdict.Status = quorum.Contested },
		"another winner":                   func(p *quorum.Proof) { p.Verdict.Winner = 2 },
		"a weight nobody earned":           func(p *quorum.Proof) { p.Ballots[2].Earned = quorum.One; p.Ballots[2].Weight = quorum.One },
		"a tier nobody has":                func(p *quorum.Proof) { p.Ballots[3].Tier = quorum.Critical },
		"a ballot counted below the floor": func(p *quorum.Proof) { p.Ballots[0].Score = 100 },
		"a reply suppressed":               func(p *quorum.Proof) { p.Ballots[0].Counted = false; p.Ballots[0].Reason = quorum.ReasonCharter },
		"a companion from nowhere":         func(p *quorum.Proof) { p.Ballots[0].Companion = "GHOST" },
		"a policy never in force":          func(p *quorum.Proof) { p.Policy[0]++ },
		"a state from the future":          func(p *quorum.Proof) { p.AsOf += 100 },
		"a refusal of a good prompt":       func(p *quorum.Proof) { p.Verdict.Status = quorum.RefusedPrompt },
	}
	for name, forge := range tests {
		s, a := founded(t)
		p := deliberate(t, s, "dlb_1", quorum.Number, "42", "42", "7", "42")
		forge(p)
		if err := a.Visit(s.Size, stamped(p, start)); !errors.Is(err, ErrVerdict) {
			t.Errorf("%s: %v, want ErrVerdict", name, err)
		}
	}
}

// Erasing a text changes nothing that was decided, nor what companions have earned.
func TestAnErasureIsFoldedToNothing(t *testing.T) {
	s, a := founded(t)
	s = write(t, s, a, deliberate(t, s, "dlb_1", quorum.Number, "42", "42", "7", "42"))
	next := write(t, s, a, &quorum.Erasure{ID: "dlb_1", Actor: quorum.Steward, Cause: quorum.ErasureAsked})
	if next.Size != s.Size+1 || next.Roster != s.Roster || next.Policy != s.Policy || a.Records[quorum.TypeErasure] != 1 {
		t.Errorf("%+v after %+v, counted %v", next, s, a.Records)
	}
}

func TestFoldRefuses(t *testing.T) {
	s, a := founded(t)
	if err := a.Visit(s.Size+1, stamped(founding("X", "v", quorum.High), start)); !errors.Is(err, ErrFold) {
		t.Errorf("a gap: %v", err)
	}
	if _, err := s.Apply(start-1, founding("X", "v", quorum.High)); !errors.Is(err, ErrFold) {
		t.Errorf("time runs back: %v", err)
	}
	if _, err := s.Apply(start, &quorum.Withdrawal{Actor: "operator", Companion: "NOBODY"}); !errors.Is(err, ErrFold) {
		t.Errorf("withdrawing nobody: %v", err)
	}
	if _, err := new(State).Apply(start, &quorum.Proof{}); !errors.Is(err, ErrFold) {
		t.Errorf("a deliberation before any policy: %v", err)
	}
}

// The file seeds; what the ledger decided since stands.
func TestFoundedAgain(t *testing.T) {
	s, a := founded(t)
	changed := founding("SOLARA", "deepseek", quorum.Critical)
	changed.Companion.Model = "m2"
	s = write(t, s, a, changed)
	m := s.Roster.Find("SOLARA")
	if m.Model != "m2" || m.Tier != quorum.Standard {
		t.Errorf("founded again as %+v: want the new model and the old tier", m.Companion)
	}
	s = write(t, s, a, &quorum.Withdrawal{Actor: "operator", Companion: "SOLARA", Reason: "gone"})
	if s = write(t, s, a, changed); s.Roster.Find("SOLARA").Status != quorum.Active {
		t.Error("a withdrawn companion that is configured again does not come back")
	}
}

func FuzzReadSnapshot(f *testing.F) {
	f.Add([]byte(`{"at":0,"roster":[],"size":0,"version":1}`))
	s, _ := new(State).Apply(start, &quorum.Activation{Actor: "operator", Policy: quorum.DefaultPolicy()})
	s, _ = s.Apply(start, founding("AUREA", "openai", quorum.Critical))
	f.Add(s.Append(nil))
	f.Fuzz(func(t *testing.T, in []byte) {
		if s, err := Read(in); err == nil {
			if _, err := Read(s.Append(nil)); err != nil {
				t.Fatalf("snapshot does not read back: %v", err)
			}
		}
	})
}
