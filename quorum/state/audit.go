package state

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/kaizen-os/deliberation/quorum"
)

// ErrVerdict is a proof whose verdict does not follow from what it records.
var ErrVerdict = errors.New("verdict does not follow from its record")

// An Auditor folds a ledger from its first record and judges every proof again,
// by the state that its panel was seated from.
type Auditor struct {
	now State
	// past holds the states that proofs still to come may name: one for each
	// record that changed more than the size. A proof names a state from before
	// its deliberation began, so what is kept covers many thousand deliberations
	// in flight at once.
	past []*State

	// answers has, by index, what could be confirmed of a proof; feedback, what was
	// said of a deliberation and is not confirmed yet.
	answers  []answered
	feedback map[string]quorum.Correctness

	Proofs  int // judged so far
	Records map[quorum.RecordType]int
}

const keepStates = 1 << 16

// State is what the records so far fold to.
func (a *Auditor) State() *State { return &a.now }

// Visit takes the leaf at the next index.
func (a *Auditor) Visit(index uint64, leaf []byte) error {
	if index != a.now.Size {
		return fmt.Errorf("%w: record %d follows %d", ErrFold, index, a.now.Size)
	}
	rec, at, err := quorum.ParseRecord(leaf)
	if err != nil {
		return fmt.Errorf("record %d: %w", index, err)
	}
	if len(a.past) == 0 {
		a.past = append(a.past, new(State))
		a.Records = make(map[quorum.RecordType]int)
		a.feedback = make(map[string]quorum.Correctness)
	}
	if p, ok := rec.(*quorum.Proof); ok {
		if err := a.judge(p, index); err != nil {
			return fmt.Errorf("record %d, %s: %w", index, p.ID, err)
		}
		a.Proofs++
	}
	if err := a.check(index, rec); err != nil {
		return fmt.Errorf("record %d: %w", index, err)
	}
	a.Records[rec.Type()]++
	next, err := a.now.Apply(at, rec)
	if err != nil {
		return err
	}
	if next.Policy != a.now.Policy || next.Roster != a.now.Roster {
		if len(a.past) == keepStates {
			a.past = slices.Delete(a.past, 0, keepStates/2)
		}
		a.past = append(a.past, next)
	}
	a.now = *next
	return nil
}

var (
	// ErrCalibration is a calibration of a panel or a policy that there was not.
	ErrCalibration = errors.New("calibration does not follow from the ledger")
	// ErrFeedback is more feedback on a deliberation than there may be, or a
	// confirmation that does not follow from the deliberation and its feedback.
	ErrFeedback = errors.New("feedback does not follow from the ledger")
)

// check holds records that count for reliability against the ones before them.
func (a *Auditor) check(index uint64, rec quorum.Record) error {
	var answer answered
	var err error
	switch r := rec.(type) {
	case *quorum.Proof:
		answer = digestAnswer(r.Confirmed(index, true))
	case *quorum.Calibration:
		err = a.calibrated(r)
	case *quorum.Feedback:
		err = a.given(r)
	case *quorum.Confirmation:
		err = a.confirmed(r)
	}
	a.answers = append(a.answers, answer)
	return err
}

// calibrated holds a calibration against the state that it was counted in.
// That its counts are within its items, its reader has checked.
func (a *Auditor) calibrated(c *quorum.Calibration) error {
	s, err := a.at(c.AsOf)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCalibration, c.ID, err)
	}
	if s.Policy == nil || s.Policy.Digest() != c.Policy {
		return fmt.Errorf("%w: %s names a policy that was not in force at %d", ErrCalibration, c.ID, c.AsOf)
	}
	if _, err := s.Policy.WithFitted(c.Confidence); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCalibration, c.ID, err)
	}
	for i := range c.Companions {
		id := c.Companions[i].Companion
		if m := s.Roster.Find(id); m == nil || m.Status != quorum.Active {
			return fmt.Errorf("%w: %s: %s was no active member at %d", ErrCalibration, c.ID, id, c.AsOf)
		}
	}
	return nil
}

// at is the state that the first size records came to.
func (a *Auditor) at(size uint64) (*State, error) {
	i := sort.Search(len(a.past), func(i int) bool { return a.past[i].Size > size })
	if i == 0 || size > a.now.Size {
		return nil, fmt.Errorf("asOf %d is not within reach", size)
	}
	return a.past[i-1], nil
}

// judge decides p again from the ballots it records.
func (a *Auditor) judge(p *quorum.Proof, index uint64) error {
	s, err := a.at(p.AsOf)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrVerdict, err)
	}
	if s.Policy == nil || s.Policy.Digest() != p.Policy {
		return fmt.Errorf("%w: it names a policy that was not in force at %d", ErrVerdict, p.AsOf)
	}
	if p.Verdict.Status == quorum.RefusedPrompt {
		if p.PromptScore >= s.Policy.RefuseUnder || len(p.Ballots) > 0 || !p.OneRound() {
			return fmt.Errorf("%w: refused at score %s, with %d ballots", ErrVerdict, p.PromptScore, len(p.Ballots))
		}
		return nil
	}
	if err := p.CheckJury(); err != nil {
		return fmt.Errorf("%w: %w", ErrVerdict, err)
	}
	ballots, err := Reweigh(s, p)
	if err != nil {
		return err
	}
	q := p.Question()
	v := s.Policy.Decide(&q, ballots)
	for i := range ballots {
		if got := p.Ballots[i].Ballot; got.Counted != ballots[i].Counted || got.Position != ballots[i].Position || got.Reason != ballots[i].Reason {
			return fmt.Errorf("%w: ballot of %s: recorded counted %t in position %d (%s), comes out %t in %d (%s)", ErrVerdict, got.Companion,
				got.Counted, got.Position, got.Reason, ballots[i].Counted, ballots[i].Position, ballots[i].Reason)
		}
	}
	if !p.OneRound() {
		if v, err = further(s, p, ballots, v); err != nil {
			return err
		}
	}
	r := &p.Verdict
	if v.Status != r.Status || v.Winner != r.Winner || v.Decision != r.Decision || v.Agreement != r.Agreement || v.Bound != r.Bound ||
		v.Share != r.Share || v.Margin != r.Margin || v.Confidence != r.Confidence || v.Votes != r.Votes || v.Required != r.Required ||
		v.Degraded != r.Degraded || v.Flips != r.Flips {
		return fmt.Errorf("%w: recorded %s, comes out %s", ErrVerdict, summary(r), summary(&v))
	}
	return nil
}

// further takes the steps that p records beyond its first round, and checks that
// who served in them could.
func further(s *State, p *quorum.Proof, ballots []quorum.Ballot, v quorum.Verdict) (quorum.Verdict, error) {
	h, err := s.Policy.Follow(p, ballots, v)
	if err != nil {
		return v, fmt.Errorf("%w: %w", ErrVerdict, err)
	}
	floor, _ := s.Policy.Chamber(p.Chamber)
	floor = max(floor, s.Policy.Tier(p.Tier).Rule.Floor)
	served := func(what string, by *quorum.Service) error {
		if m := s.Roster.Find(by.Companion); by.Outcome == quorum.OK && (m == nil || m.Status != quorum.Active || m.Tier < floor) {
			return fmt.Errorf("%w: %s: %s could not serve at %d", ErrVerdict, what, by.Companion, p.AsOf)
		}
		return nil
	}
	if p.Judge != nil {
		err = served("judge", &p.Judge.Service)
	}
	if p.Synthesis != nil && err == nil {
		err = served("synthesis", &p.Synthesis.Service)
	}
	return h.Verdict, err
}

func summary(v *quorum.Verdict) string {
	return fmt.Sprintf("%s (winner %d, agreement %s, share %s, margin %s, confidence %s, votes %d of %d)",
		v.Status, v.Winner, v.Agreement, v.Share, v.Margin, v.Confidence, v.Votes, v.Required)
}

// Reweigh returns p's ballots as they stood before they were decided on, and
// checks that tiers, vendors and weights are those the state gives.
func Reweigh(s *State, p *quorum.Proof) ([]quorum.Ballot, error) {
	n := len(p.Ballots)
	ballots := make([]quorum.Ballot, n)
	reliable := make([]quorum.PPM, n)
	families := make([]string, n)
	for i := range p.Ballots {
		b := p.Ballots[i].Ballot
		m := s.Roster.Find(b.Companion)
		if m == nil || m.Status != quorum.Active {
			return nil, fmt.Errorf("%w: %s was no active member at %d", ErrVerdict, b.Companion, p.AsOf)
		}
		if m.Tier != b.Tier || m.Vendor != b.Vendor || s.Policy.VoteWeight(&m.Companion) != b.TierWeight {
			return nil, fmt.Errorf("%w: %s was not of tier %s, vendor %s and weight %s at %d", ErrVerdict, b.Companion, b.Tier, b.Vendor, b.TierWeight, p.AsOf)
		}
		switch b.Reason {
		case quorum.ReasonFloor, quorum.ReasonCharter, quorum.ReasonUnscored, quorum.ReasonUnjudged, quorum.ReasonNoAnswer:
			b.Reason = "" // Decide finds these again
		}
		reliable[i] = m.Standing.Of(s.Policy, b.TierWeight, p.Kind, p.Topic)
		families[i] = m.Family
		ballots[i] = b
	}
	q := p.Question()
	s.Policy.Weigh(&q, ballots, reliable, families)
	for i := range ballots {
		if b := &p.Ballots[i]; ballots[i].Weight != b.Weight || ballots[i].Earned != b.Earned || ballots[i].Prior != b.Prior {
			return nil, fmt.Errorf("%w: %s is recorded with weight %s, earned %s, reliability %s; the ledger at %d gives %s, %s, %s", ErrVerdict, b.Companion,
				b.Weight, b.Earned, b.Prior, p.AsOf, ballots[i].Weight, ballots[i].Earned, ballots[i].Prior)
		}
	}
	return ballots, nil
}
