package quorum

import (
	"errors"
	"fmt"

	"github.com/kaizen-os/deliberation/quorum/canon"
)

// A SecondRound is what came of asking a contested panel again, each companion
// with the positions of the first round before it.
type SecondRound struct {
	Outcome    Outcome // ok when it was held; unneeded, late, busy or error when it was wanted and was not
	Reason     string  // why it was not held
	Ballots    []SecondBallot
	WaitMicros int64 // from asking to the last reply that was waited for
}

// A SecondBallot is what a seat that had replied in the first round said in the
// second. One that is not counted leaves the seat's first ballot standing, unless
// the companion was suspended meanwhile.
type SecondBallot struct {
	Seat      int // in the proof's ballots; the weights are there
	Outcome   Outcome
	Reason    string
	Scored    bool
	Score     Score
	Judged    Judged // what external judges came to
	Findings  []RecordedFinding
	More      int64 // findings beyond those
	Stance    Stance
	Abstained bool
	Tag       KeyTag // closed kinds: its answer
	Key       string // that answer itself; once recorded, its tag
	Stands    int    // text and code: the position of the first round that it takes, or -1

	LatencyMicros int64
	Attempts      int64
	Usage         Usage
	Reply         [32]byte // commitment

	// Set by [Hearing.Second] and what follows it.
	Counted  bool
	Position int // in the verdict, or -1
}

// SecondWanted says whether a second round is to be held: which replies it shows,
// in the order to show them in, or why not.
func (h *Hearing) SecondWanted() (show []Quote, why string) {
	switch h.FirstVerdict.Status {
	case Contested:
	case Inquorate:
		return nil, ReasonNoAuthority
	default:
		return nil, ReasonSettled
	}
	if show = h.quotes(); len(show) < 2 {
		return nil, ReasonOneSided
	}
	shuffle(show, h.id, "second round")
	return show, ""
}

// AskedAgain reports whether a seat is asked in a second round: it replied in the
// first, and has not been suspended since.
func (h *Hearing) AskedAgain(seat int) bool {
	b := &h.First[seat]
	return b.Outcome == OK && b.Reason != ReasonSuspended
}

// Second decides by what stands after a second round that was held. Weights are
// as they were seated. What a companion says now counts if it would have counted
// in the first round; else what it said then stands. A position that nobody held
// in the first round neither carries nor leads one that somebody held.
//
// Answers of a closed kind are compared with those of the first round. Of text
// and code each companion names the position it takes, so the answer stays a
// reply of the first round.
//
// It sets Counted, Reason and Position of r's ballots, and keeps r.
func (h *Hearing) Second(r *SecondRound) {
	n := len(h.First)
	h.second = r
	h.Ballots = append(make([]Ballot, 0, n), h.First...)
	h.Changed = make([]bool, n)
	target := make([]int, n) // text and code: the first round's position
	for i := range h.First {
		target[i] = h.First[i].Position
	}
	for i := range r.Ballots {
		s := &r.Ballots[i]
		b := h.First[s.Seat]
		b.Outcome, b.Reason, b.Scored, b.Score, b.Judged = s.Outcome, s.Reason, s.Scored, s.Score, s.Judged
		b.Stance, b.Abstained, b.Key = s.Stance, s.Abstained, s.Key
		if !h.q.Kind.Closed() && s.Stands >= 0 {
			b.Key = h.First[h.FirstVerdict.Positions[s.Stands].Best].Key
		}
		h.policy.Gate(h.q, &b)
		if b.Counted && !b.Abstained && !h.q.Kind.Closed() && s.Stands < 0 {
			b.Counted, b.Reason = false, ReasonNoAnswer
		}
		s.Counted, s.Reason = b.Counted, b.Reason
		switch {
		case b.Reason == ReasonSuspended:
			kept := &h.Ballots[s.Seat]
			kept.Counted, kept.Position, kept.Reason = false, -1, ReasonSuspended
		case b.Counted:
			h.Ballots[s.Seat], h.Changed[s.Seat], target[s.Seat] = b, true, s.Stands
		}
	}
	var positions []Position
	if h.q.Kind.Closed() {
		positions = strongestFirst(h.policy, h.q, h.Ballots, findPositions(h.policy, h.q, h.Ballots, nil))
		h.spoken = h.Ballots
	} else {
		positions = h.regroup(target)
	}
	lone := false // the strongest position is one that nobody held before
	if len(positions) > 0 && !h.held(positions[0].Best) {
		lone = true
		for k := range positions {
			if h.held(positions[k].Best) {
				positions = prefer(positions, k, h.Ballots)
				break
			}
		}
	}
	h.Verdict = h.policy.conclude(h.q, h.Ballots, positions)
	if s := h.Verdict.Status; lone && s != Inquorate {
		h.Verdict.Status = Contested
	}
	h.place()
}

// held reports whether the answer of a seat's standing ballot was anybody's in
// the first round.
func (h *Hearing) held(seat int) bool {
	if !h.q.Kind.Closed() {
		return true // only positions of the first round can be named
	}
	for i := range h.First {
		if h.First[i].Position >= 0 && h.First[i].Key == h.Ballots[seat].Key {
			return true
		}
	}
	return false
}

// regroup makes the positions of text and code out of those that the seats take:
// target, by seat. Each is still spoken for by its reply of the first round.
func (h *Hearing) regroup(target []int) []Position {
	var known [64]int // by position of the first round: 1 + its place in positions
	var positions []Position
	for i := range h.Ballots {
		b := &h.Ballots[i]
		if b.Position = -1; !votes(b) {
			continue
		}
		b.Position = known[target[i]] - 1
		positions = join(positions, h.Ballots, i)
		known[target[i]] = b.Position + 1
	}
	// Their texts were compared for the first round. What counts now is who takes which.
	plain := *h.q
	plain.Open, plain.Similarities = false, nil
	positions = strongestFirst(h.policy, &plain, h.Ballots, positions)
	var now [64]int // by position of the first round: its place now, or -1
	for k := range now {
		now[k] = -1
	}
	for i := range h.Ballots {
		if k := h.Ballots[i].Position; k >= 0 {
			now[target[i]] = k
			positions[k].Best = h.spokesman(target[i])
		}
	}
	h.spoken = append(make([]Ballot, 0, len(h.First)), h.First...)
	for i := range h.spoken {
		b := &h.spoken[i]
		if h.Ballots[i].Reason == ReasonSuspended {
			b.Counted, b.Position = false, -1
		}
		if b.Position >= 0 {
			b.Position = now[b.Position]
		}
	}
	return positions
}

// spokesman is the seat whose reply speaks for position k of the first round: as
// it was then, unless that companion has been suspended since and another one
// said the same.
func (h *Hearing) spokesman(k int) int {
	best := h.FirstVerdict.Positions[k].Best
	if h.Ballots[best].Reason != ReasonSuspended {
		return best
	}
	other := -1
	for i := range h.First {
		if h.First[i].Position == k && h.Ballots[i].Reason != ReasonSuspended && (other < 0 || h.First[i].Weight > h.First[other].Weight) {
			other = i
		}
	}
	if other < 0 {
		return best
	}
	return other
}

// follow2 takes a recorded second round's step, if it can have been taken.
func (h *Hearing) follow2(r *SecondRound) error {
	show, why := h.SecondWanted()
	switch {
	case (why != "") != (r.Outcome == Unneeded) || why != "" && r.Reason != why:
		return fmt.Errorf("recorded as %s (%s), the first round says otherwise", r.Outcome, r.Reason)
	case r.Outcome != OK && len(r.Ballots) > 0:
		return errors.New("ballots of a round that was not held")
	case r.Outcome != OK && r.Reason == "" || r.Outcome == OK && r.Reason != "":
		return errors.New("outcome and reason do not go together")
	case r.Outcome != OK:
		return nil
	}
	shown := make(map[int]bool, len(show))
	for _, q := range show {
		shown[q.Position] = true
	}
	again := SecondRound{Ballots: append([]SecondBallot(nil), r.Ballots...)}
	next := 0
	for seat := range h.First {
		if !h.AskedAgain(seat) {
			continue
		}
		if next == len(again.Ballots) || again.Ballots[next].Seat != seat {
			return fmt.Errorf("the ballot of %s is missing", h.First[seat].Companion)
		}
		s := &again.Ballots[next]
		switch closed := h.q.Kind.Closed(); {
		case s.Stands >= 0 && (closed || !shown[s.Stands]):
			return fmt.Errorf("%s takes a position that it was not shown", h.First[seat].Companion)
		case s.Key != "" && !closed:
			return fmt.Errorf("%s answers what it was not asked", h.First[seat].Companion)
		}
		if s.Outcome == OK {
			switch s.Reason {
			case ReasonFloor, ReasonCharter, ReasonUnscored, ReasonUnjudged, ReasonNoAnswer:
				s.Reason = "" // found again
			}
		}
		next++
	}
	if next != len(again.Ballots) {
		return errors.New("a ballot of a seat that was not asked again")
	}
	h.Second(&again)
	for i := range again.Ballots {
		got, want := &r.Ballots[i], &again.Ballots[i]
		if got.Counted != want.Counted || got.Reason != want.Reason {
			return fmt.Errorf("ballot of %s: recorded counted %t (%s), comes out %t (%s)", h.First[want.Seat].Companion, got.Counted, got.Reason, want.Counted, want.Reason)
		}
	}
	return nil
}

// placed checks where a record says that the second ballots ended up.
func (h *Hearing) placed(r *SecondRound) error {
	if h.second == nil {
		return nil
	}
	for i := range r.Ballots {
		if got, want := &r.Ballots[i], &h.second.Ballots[i]; got.Position != want.Position {
			return fmt.Errorf("ballot of %s: recorded in position %d, comes out in %d", h.First[want.Seat].Companion, got.Position, want.Position)
		}
	}
	return nil
}

func (r *SecondRound) encode(e *encoder, limit int) {
	e.key("second")
	e.open('{')
	if len(r.Ballots) > 0 {
		e.key("ballots")
		e.open('[')
		for i := range r.Ballots {
			r.Ballots[i].encode(e, limit)
		}
		e.close(']')
	}
	e.str("outcome", r.Outcome.String())
	e.str("reason", r.Reason)
	e.num("waitMicros", r.WaitMicros)
	e.close('}')
}

// encode leaves out what nearly every second ballot has, one attempt and the
// outcome ok, so that the largest panel's two rounds fit an entry; and that it
// counts, which follows from outcome and reason.
func (s *SecondBallot) encode(e *encoder, limit int) {
	e.comma()
	e.open('{')
	e.flag("abstained", s.Abstained)
	if s.Attempts != 1 {
		e.always("attempts", s.Attempts)
	}
	e.num("cost", int64(s.Usage.Cost))
	more := encodeFindings(e, s.Findings, limit)
	e.num("inputTokens", s.Usage.InputTokens)
	e.str("judged", string(s.Judged))
	if s.Tag != (KeyTag{}) {
		e.hex("key", s.Tag[:])
	}
	e.num("latency", s.LatencyMicros)
	e.num("more", s.More+more)
	if s.Outcome != OK {
		e.str("outcome", s.Outcome.String())
	}
	e.num("outputTokens", s.Usage.OutputTokens)
	if s.Position >= 0 {
		e.always("position", int64(s.Position))
	}
	e.str("reason", s.Reason)
	if s.Reply != ([32]byte{}) {
		e.hex("reply", s.Reply[:])
	}
	if s.Scored {
		e.always("score", int64(s.Score))
	}
	e.always("seat", int64(s.Seat))
	e.str("stance", s.Stance.String())
	if s.Stands >= 0 {
		e.always("stands", int64(s.Stands))
	}
	e.close('}')
}

func readSecond(r *canon.Reader) *SecondRound {
	out := &SecondRound{}
	r.Object(func(key []byte) {
		switch string(key) {
		case "ballots":
			r.Array(func() {
				if len(out.Ballots) >= 64 {
					r.Fail("more than 64 second ballots")
					return
				}
				out.Ballots = append(out.Ballots, readSecondBallot(r))
			})
			if len(out.Ballots) == 0 {
				r.Fail("no second ballots")
			}
		case "outcome":
			out.Outcome = readName(r, ParseOutcome)
		case "reason":
			out.Reason = r.String()
		case "waitMicros":
			out.WaitMicros = r.Int()
		}
	})
	return out
}

func readSecondBallot(r *canon.Reader) SecondBallot {
	s := SecondBallot{Position: -1, Stands: -1, Seat: -1, Attempts: 1}
	r.Object(func(key []byte) {
		switch string(key) {
		case "abstained":
			s.Abstained = r.Bool()
		case "attempts":
			s.Attempts = r.Int()
		case "cost":
			s.Usage.Cost = MicroUSD(r.Int())
		case "findings":
			s.Findings = readFindings(r)
		case "inputTokens":
			s.Usage.InputTokens = r.Int()
		case "judged":
			s.Judged = readJudged(r)
		case "key":
			r.Hex(s.Tag[:])
			s.Key = string(s.Tag[:])
		case "latency":
			s.LatencyMicros = r.Int()
		case "more":
			s.More = r.Int()
		case "outcome":
			s.Outcome = readName(r, ParseOutcome)
		case "outputTokens":
			s.Usage.OutputTokens = r.Int()
		case "position":
			s.Position = readIndex(r)
		case "reason":
			s.Reason = r.String()
		case "reply":
			r.Hex(s.Reply[:])
		case "score":
			s.Scored, s.Score = true, readScore(r)
		case "seat":
			s.Seat = readIndex(r)
		case "stance":
			s.Stance = readName(r, ParseStance)
		case "stands":
			s.Stands = readIndex(r)
		}
	})
	if s.Seat < 0 {
		r.Fail("a second ballot without its seat")
	}
	s.Counted = s.Outcome == OK && s.Reason == ""
	return s
}
