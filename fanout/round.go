package fanout

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/kaizen-os/deliberation/quorum"
)

// Round is one deliberation put to one panel. It belongs to one goroutine, the
// one that called [Fan.Ask], and ends with exactly one cut, by Cancel or Linger;
// `defer round.Cancel()` is the way to be sure of it.
type Round struct {
	fan      *Fan
	ctx      context.Context
	d        *quorum.Deliberation
	each     func(seat int, r *quorum.Reply)
	begun    time.Time
	deadline time.Time // ctx's; zero if it has none
	seats    []seat
	arrivals chan int

	mu    sync.Mutex // guards what follows
	out   int        // seats that have not ended
	cut   bool
	late  bool // the cut was made because the deadline had passed
	after func(late []int)
	limit *time.Timer // ends what lingers
}

// Arrivals gives each seat's number once it has ended, in any order, and is
// closed when all have, or by the cut. What had arrived and was not received
// before the cut can still be received after it; nothing is added.
func (r *Round) Arrivals() <-chan int { return r.arrivals }

// Reply is what the seat said. Before the cut it may be asked for seats that
// have arrived; after it for every seat, and is final: a seat that was still out
// is Late if the deadline had passed, else Unneeded. The reply is shared and is
// not to be changed.
func (r *Round) Reply(seat int) *quorum.Reply { return r.seats[seat].shown }

// Final is what came of the seat in the end. It may be asked for from the time
// that Linger's after is called. It differs from Reply for the seats that after
// names: a reply that came past the request's deadline has its text and the
// outcome Late.
func (r *Round) Final(seat int) *quorum.Reply { return &r.seats[seat].reply }

// Cancel makes the cut and ends the calls still out: their connections are
// closed, and what they might have said is dropped. After the cut it has no
// effect.
func (r *Round) Cancel() {
	r.mu.Lock()
	first := r.makeCut()
	r.mu.Unlock()
	if first {
		r.endAll(errUnneeded)
	}
}

// Linger makes the cut and lets the calls still out run on, each to its own
// line's deadline and for limit at the longest. Then after is called, once, with
// the seats that had been out at the cut, in panel order: in the goroutine of
// the last of them, or before Linger returns when none was out. After the cut
// Linger has no effect.
func (r *Round) Linger(limit time.Duration, after func(late []int)) {
	r.mu.Lock()
	if !r.makeCut() {
		r.mu.Unlock()
		return
	}
	out := r.out
	if out > 0 {
		r.after = after
		r.limit = time.AfterFunc(limit, func() { r.endAll(errLate) })
		r.fan.lingers(r)
	}
	r.mu.Unlock()
	if out == 0 {
		after(nil)
	}
}

// makeCut fixes what Reply gives. It reports false if that was done before. The
// caller holds r.mu.
func (r *Round) makeCut() bool {
	if r.cut {
		return false
	}
	r.cut = true
	if r.out == 0 {
		return true
	}
	close(r.arrivals)
	now := time.Now()
	r.late = r.pastDeadline(now)
	absent := make([]quorum.Reply, 0, r.out)
	for i := range r.seats {
		s := &r.seats[i]
		if s.shown != nil {
			continue
		}
		why := errUnneeded
		switch tried := s.attempts.Load(); {
		case r.late && tried == 0:
			why = errInFlight // it waited for our own limits all the time
		case r.late:
			why = errLate
		}
		absent = append(absent, quorum.Reply{
			Companion:  s.line.cfg.Companion,
			Outcome:    why.Class.Outcome(),
			Reason:     why.Reason,
			Confidence: -1,
			Model:      s.line.cfg.Model,
			Latency:    now.Sub(r.begun),
			Attempts:   int(s.attempts.Load()),
		})
		s.shown = &absent[len(absent)-1]
	}
	return true
}

func (r *Round) pastDeadline(now time.Time) bool {
	return !r.deadline.IsZero() && !now.Before(r.deadline) || errors.Is(r.ctx.Err(), context.DeadlineExceeded)
}

// endAll ends the calls still out.
func (r *Round) endAll(cause *AskError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.seats {
		if s := &r.seats[i]; !s.ended {
			s.end(cause)
		}
	}
}

// ended takes in a seat whose reply is complete.
func (r *Round) ended(s *seat) {
	r.mu.Lock()
	s.ended = true
	r.out--
	last := r.out == 0
	var late []int
	if !r.cut {
		s.shown = &s.reply
		r.arrivals <- s.index // as deep as the panel: it never blocks
		if last {
			close(r.arrivals)
		}
	} else {
		if s.reply.Outcome == quorum.OK && (r.late || r.pastDeadline(time.Now())) {
			s.reply.Outcome, s.reply.Reason = quorum.Late, reasonLate
		}
		if last && r.after != nil {
			r.limit.Stop()
			late = r.lateSeats()
		}
	}
	r.mu.Unlock()
	if late != nil {
		r.fan.lingered(r, late)
	}
	r.fan.calls.Done()
}

// lateSeats are those that the cut found out. The caller holds r.mu.
func (r *Round) lateSeats() []int {
	var late []int
	for i := range r.seats {
		if s := &r.seats[i]; s.shown != &s.reply {
			late = append(late, i)
		}
	}
	return late
}
