package quorum

import (
	"errors"
	"fmt"
)

// A Hearing is a decided deliberation to which a second round or a judge may be
// added. Each step is a pure function of what is recorded of it, so that an
// auditor takes the same steps over a proof and comes to the same verdict.
type Hearing struct {
	policy *Policy
	q      *Question
	id     string

	First        []Ballot // of the first round, as decided on
	FirstVerdict Verdict

	Verdict Verdict
	Ballots []Ballot // what stands of each seat
	Changed []bool   // by seat: its second ballot stands; nil when there was no second round

	Judged       int  // the position that a judge chose, or -1
	JudgeChanged bool // by it another position leads

	spoken []Ballot // by seat: the ballot whose text may speak for a position, in it
	second *SecondRound
}

// Hear begins with the first round: ballots as v was decided on them. It keeps both.
func (p *Policy) Hear(id string, q *Question, ballots []Ballot, v Verdict) *Hearing {
	return &Hearing{policy: p, q: q, id: id, First: ballots, FirstVerdict: v, Verdict: v, Ballots: ballots, Judged: -1, spoken: ballots}
}

// A Quote is the reply that a position is shown by to companions who are to
// compare: that of Seat, in the round that stands for it.
type Quote struct {
	Position int
	Seat     int
}

// quotes are the replies that the positions are shown by, at most MaxQuotes, the
// strongest positions first: the one that speaks for it, or, where that one's
// charter score is too low, the weightiest of the others. A position without any
// is not shown.
func (h *Hearing) quotes() []Quote {
	least := h.policy.Further().QuoteMinimum
	fit := func(b *Ballot) bool { return b.Scored && b.Score >= least }
	var out []Quote
	for k := range h.Verdict.Positions {
		seat := h.Verdict.Positions[k].Best
		if !fit(&h.spoken[seat]) {
			seat = -1
			for i := range h.spoken {
				b := &h.spoken[i]
				if b.Position == k && fit(b) && (seat < 0 || b.Weight > h.spoken[seat].Weight) {
					seat = i
				}
			}
		}
		if seat >= 0 && len(out) < MaxQuotes {
			out = append(out, Quote{k, seat})
		}
	}
	return out
}

// prefer puts position k first and lets the others keep their order.
func prefer(positions []Position, k int, ballots ...[]Ballot) []Position {
	out := append(make([]Position, 0, len(positions)), positions[k])
	out = append(append(out, positions[:k]...), positions[k+1:]...)
	for _, list := range ballots {
		for i := range list {
			switch at := list[i].Position; {
			case at == k:
				list[i].Position = 0
			case at >= 0 && at < k:
				list[i].Position++
			}
		}
	}
	return out
}

// place notes in the record where the second ballots ended up.
func (h *Hearing) place() {
	if h.second == nil {
		return
	}
	for i := range h.second.Ballots {
		s := &h.second.Ballots[i]
		if s.Position = -1; s.Counted {
			s.Position = h.Ballots[s.Seat].Position
		}
	}
}

// ErrCourse is a record of further steps that cannot have been taken.
var ErrCourse = errors.New("what followed the first round does not hold")

// Follow takes the steps that proof records, from its first round on: ballots as
// v was decided on them by p's rules. Its error, ErrCourse, says which step
// cannot have been taken, or cannot have had that outcome.
func (p *Policy) Follow(proof *Proof, ballots []Ballot, v Verdict) (*Hearing, error) {
	q := proof.Question()
	h := p.Hear(proof.ID, &q, ballots, v)
	if proof.Second != nil {
		if err := h.follow2(proof.Second); err != nil {
			return nil, fmt.Errorf("%w: second round: %w", ErrCourse, err)
		}
	}
	if proof.Judge != nil {
		if err := h.followJudge(proof.Judge); err != nil {
			return nil, fmt.Errorf("%w: judge: %w", ErrCourse, err)
		}
	}
	if proof.Synthesis != nil {
		if err := h.followSynthesis(proof.Synthesis); err != nil {
			return nil, fmt.Errorf("%w: synthesis: %w", ErrCourse, err)
		}
	}
	if proof.Second != nil {
		if err := h.placed(proof.Second); err != nil {
			return nil, fmt.Errorf("%w: second round: %w", ErrCourse, err)
		}
	}
	return h, nil
}

// Moved reports whether a seat's second ballot takes another position than its
// first did.
func (h *Hearing) Moved(seat int) bool {
	switch {
	case h.Changed == nil || !h.Changed[seat]:
		return false
	case h.First[seat].Position < 0 || h.Ballots[seat].Position < 0:
		return h.First[seat].Position != h.Ballots[seat].Position
	case h.q.Kind.Closed():
		return h.First[seat].Key != h.Ballots[seat].Key
	}
	return h.spoken[seat].Position != h.Ballots[seat].Position
}
