// Package state is everything that records fold to, in one value: the policy in
// force, the roster, and what its members have earned. The gateway seats panels
// from it; an auditor who folds the same ledger has the same value, to the byte.
//
// A [State] is immutable. [State.Apply] gives the next one and shares what did
// not change, so that a deliberation may keep the one it was seated from.
package state

import (
	"errors"
	"fmt"
	"slices"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/canon"
	"github.com/kaizen-os/deliberation/quorum/roster"
	"github.com/kaizen-os/deliberation/quorum/standing"
)

// Version of the fold. A snapshot of another version is not used: the ledger is
// folded anew.
const Version = 1

// State is what the first Size records of a ledger come to.
type State struct {
	Size       uint64
	At         int64          // time of the last record, UTC milliseconds
	Policy     *quorum.Policy // with the confidence that calibrations have fitted
	PolicySeed [32]byte       // digest of the operator's policy that was last recorded
	Roster     *roster.Roster
}

// ErrFold is a record that cannot follow the ones before it.
var ErrFold = errors.New("fold")

// Apply folds the record at index Size.
func (s *State) Apply(at int64, rec quorum.Record) (*State, error) {
	next := *s
	next.Size++
	if at < s.At {
		return nil, fmt.Errorf("%w: record %d is stamped %d, before %d", ErrFold, s.Size, at, s.At)
	}
	next.At = at
	var err error
	switch r := rec.(type) {
	case *quorum.Activation:
		next.Policy = r.Policy
		if r.Actor == quorum.Operator {
			next.PolicySeed = r.Policy.Digest()
		}
	case *quorum.Founding:
		next.Roster, err = s.Roster.Found(r)
	case *quorum.Withdrawal:
		next.Roster, err = s.Roster.Withdraw(r.Companion)
	case *quorum.Proof:
		if s.Policy == nil {
			return nil, fmt.Errorf("%w: deliberation at %d before any policy", ErrFold, s.Size)
		}
		next.Roster = agree(s, r.Kind, r.Ballots)
	case *quorum.Completion:
		if r.Observed {
			next.Roster = agree(s, r.Kind, r.Ballots)
		}
	case *quorum.Calibration:
		if next.Roster, err = calibrate(s, r); err == nil {
			next.Policy, err = believe(s, r)
		}
	case *quorum.Confirmation:
		next.Roster, err = confirm(s, r)
	case *quorum.CacheHits, *quorum.Erasure, *quorum.Rekeying, *quorum.Feedback: // nothing that is weighed or counted depends on these
	default:
		return nil, fmt.Errorf("%w: %w: %s", ErrFold, quorum.ErrRecordType, rec.Type())
	}
	if err != nil {
		return nil, fmt.Errorf("%w: record %d: %w", ErrFold, s.Size, err)
	}
	return &next, nil
}

// calibrate gives each companion of a calibration its outcomes.
func calibrate(s *State, c *quorum.Calibration) (*roster.Roster, error) {
	if s.Policy == nil {
		return nil, errors.New("a calibration before any policy")
	}
	counts := make(map[quorum.CompanionID]*quorum.CalibrationCounts, len(c.Companions))
	for i := range c.Companions {
		id := c.Companions[i].Companion
		if s.Roster.Find(id) == nil {
			return nil, fmt.Errorf("%w: %s was calibrated and is no member", roster.ErrMember, id)
		}
		counts[id] = &c.Companions[i]
	}
	return s.Roster.Earn(func(m *roster.Member) *standing.Reliability {
		mine := counts[m.ID]
		if mine == nil {
			return nil
		}
		tallies := make([]standing.Tally, len(c.Cells))
		for i, cell := range c.Cells {
			tallies[i] = standing.Tally{Kind: cell.Kind, Topic: cell.Topic, Right: mine.Right[i], Seen: mine.Seen[i]}
		}
		return m.Standing.Labelled(s.Policy, tallies...)
	}), nil
}

// believe is the policy with the confidence that a calibration has fitted. Where
// another document came into force meanwhile, that starts from its own numbers:
// what was fitted leans on the ones before.
func believe(s *State, c *quorum.Calibration) (*quorum.Policy, error) {
	if c.Policy != s.Policy.Digest() {
		return s.Policy, nil
	}
	return s.Policy.WithFitted(c.Confidence)
}

// confirm gives the companions of a deliberation whose answer is known to have
// been right or wrong one outcome each.
func confirm(s *State, c *quorum.Confirmation) (*roster.Roster, error) {
	if s.Policy == nil {
		return nil, errors.New("a confirmation before any policy")
	}
	for _, id := range slices.Concat(c.Supporters, c.Others) {
		if s.Roster.Find(id) == nil {
			return nil, fmt.Errorf("%w: %s had an answer and is no member", roster.ErrMember, id)
		}
	}
	return s.Roster.Earn(func(m *roster.Member) *standing.Reliability {
		one := standing.Tally{Kind: c.Kind, Topic: c.Topic, Seen: 1}
		switch c.Of(m.ID) {
		case quorum.WasRight:
			one.Right = 1
		case quorum.Unsaid:
			return nil
		}
		return m.Standing.Labelled(s.Policy, one)
	}), nil
}

// agree gives each companion of a whole panel a soft outcome: did the others,
// without it, lead with its answer? Only for choice, number and short answers,
// and never for votes (DESIGN §4.4).
func agree(s *State, kind quorum.Kind, ballots []quorum.Testimony) *roster.Roster {
	if kind != quorum.Choice && kind != quorum.Number && kind != quorum.Short {
		return s.Roster
	}
	voted := 0
	for i := range ballots {
		if ballots[i].Outcome == quorum.Unneeded {
			return s.Roster // not a whole panel
		}
		if compares(&ballots[i]) {
			voted++
		}
	}
	if voted < 3 {
		return s.Roster // two others at least, or agreement says nothing
	}
	return s.Roster.Earn(func(m *roster.Member) *standing.Reliability {
		for i := range ballots {
			if b := &ballots[i]; b.Companion == m.ID && compares(b) {
				return m.Standing.Agreed(s.Policy, kind, othersLead(ballots, i) == b.Tag)
			}
		}
		return nil
	})
}

func compares(b *quorum.Testimony) bool {
	return b.Counted && !b.Shadow && b.Position >= 0 && b.Tag != (quorum.KeyTag{})
}

// othersLead is the answer that weighs most among all ballots but the one left out.
func othersLead(ballots []quorum.Testimony, out int) quorum.KeyTag {
	var best quorum.KeyTag
	var weight quorum.PPM = -1
	for i := range ballots {
		if i == out || !compares(&ballots[i]) {
			continue
		}
		var sum quorum.PPM
		for j := range ballots {
			if j != out && compares(&ballots[j]) && ballots[j].Tag == ballots[i].Tag {
				sum += ballots[j].Earned
			}
		}
		if sum > weight {
			best, weight = ballots[i].Tag, sum
		}
	}
	return best
}

// Append appends a snapshot of s as canonical JSON.
func (s *State) Append(dst []byte) []byte {
	dst = append(dst, `{"at":`...)
	dst = canon.AppendInt(dst, s.At)
	if s.Policy != nil {
		if fitted := s.Policy.Fitted(); len(fitted) > 0 {
			dst = append(dst, `,"fitted":`...)
			dst = quorum.AppendFitted(dst, fitted)
		}
		dst = append(dst, `,"policy":`...)
		dst = append(dst, s.Policy.Canonical()...)
		dst = append(dst, `,"policySeed":`...)
		dst = canon.AppendHex(dst, s.PolicySeed[:])
	}
	dst = append(dst, `,"roster":`...)
	dst = s.Roster.Append(dst)
	dst = append(dst, `,"size":`...)
	dst = canon.AppendInt(dst, int64(s.Size))
	dst = append(dst, `,"version":`...)
	dst = canon.AppendInt(dst, Version)
	return append(dst, '}')
}

// ErrSnapshot is a snapshot that cannot be used.
var ErrSnapshot = errors.New("state snapshot")

// Read reads a snapshot that Append wrote.
func Read(snapshot []byte) (*State, error) {
	s := new(State)
	version := int64(0)
	var fitted []quorum.FittedConfidence
	r := canon.NewReader(snapshot)
	r.Object(func(key []byte) {
		switch string(key) {
		case "at":
			s.At = r.Int()
		case "fitted":
			fitted = quorum.ReadFitted(r)
		case "policy":
			p, err := quorum.ParsePolicy(r.Raw())
			if err != nil {
				r.Fail("%v", err)
			}
			s.Policy = p
		case "policySeed":
			r.Hex(s.PolicySeed[:])
		case "roster":
			s.Roster = roster.Read(r)
		case "size":
			s.Size = uint64(r.Int())
		case "version":
			version = r.Int()
		}
	})
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	if version != Version {
		return nil, fmt.Errorf("%w: version %d, this program folds version %d", ErrSnapshot, version, Version)
	}
	if len(fitted) > 0 {
		if s.Policy == nil {
			return nil, fmt.Errorf("%w: a confidence without a policy", ErrSnapshot)
		}
		var err error
		if s.Policy, err = s.Policy.WithFitted(fitted); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
		}
	}
	return s, nil
}
