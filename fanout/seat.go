package fanout

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kaizen-os/deliberation/quorum"
)

// A seat is one line asked in one round, and the ctx that its call runs under.
//
// It is a Context of its own because the call may outlive the request's ctx,
// and because the usual ones cost more than a call can afford: a timer, a
// channel, an entry in the parent's children under the parent's lock, and an
// AfterFunc to reach the connection. Here the end of a round goes straight to
// the connections that still wait, and the rest is made only when asked for.
type seat struct {
	round  *Round
	index  int
	line   *Line
	values context.Context // what Value answers from: the request's ctx, or its span's
	due    time.Time       // when the answer is due: the earlier of the request's deadline and hard
	hard   time.Time       // when the call is given up: the line's own deadline
	asked  time.Time       // when the Asker was first called
	waited time.Duration   // for the companion's limits
	reply  quorum.Reply
	said   *quorum.Reply // what it said before; nil: it is to be asked

	attempts atomic.Int32 // reply's, for whoever may not read that yet

	// shown is what Round.Reply gives: &reply, or what the cut put in its place.
	// The round's mutex guards it until the cut.
	shown *quorum.Reply
	ended bool // the seat's goroutine is done with reply; guarded by the round's mutex

	mu    sync.Mutex // guards what follows
	over  *AskError  // why the call was ended from outside
	conn  interface{ SetDeadline(time.Time) error }
	done  chan struct{} // made by Done
	timer *time.Timer   // closes done at hard
}

// past is a deadline that interrupts whatever waits on a connection.
var past = time.Unix(1, 0)

func (s *seat) Deadline() (time.Time, bool) { return s.hard, true }

// Due is when the answer is due. An adapter tells the companion this time, not
// Deadline: late replies are still listened for.
func (s *seat) Due() time.Time { return s.due }

func (s *seat) Value(key any) any { return s.values.Value(key) }

func (s *seat) Err() error {
	switch over := s.cause(); {
	case over != nil && over.Class == ClassUnneeded:
		return context.Canceled
	case over != nil || !time.Now().Before(s.hard):
		return context.DeadlineExceeded
	}
	return nil
}

func (s *seat) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done == nil {
		s.done = make(chan struct{})
		if s.over != nil {
			close(s.done)
		} else {
			s.timer = time.AfterFunc(time.Until(s.hard), func() { s.end(errLate) })
		}
	}
	return s.done
}

// Guard has c's deadline set to the past when s is ended from outside, until
// Unguard. It reports false, and does nothing, when that has happened. A
// deadline that is merely reached is the connection's own.
func (s *seat) Guard(c interface{ SetDeadline(time.Time) error }) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over != nil {
		return false
	}
	s.conn = c
	return true
}

// Unguard lets go of the connection and reports whether it was left alone.
func (s *seat) Unguard() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = nil
	return s.over == nil
}

// end ends the call, with cause; the first cause stands.
func (s *seat) end(cause *AskError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over != nil {
		return
	}
	s.over = cause
	if s.conn != nil {
		s.conn.SetDeadline(past) // an error means that it is closed already
	}
	if s.done != nil {
		close(s.done)
	}
}

func (s *seat) cause() *AskError {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// waiting counts the time since begun as waited for the companion's limits.
func (s *seat) waiting(begun time.Time) { s.waited += time.Since(begun) }

// sleep waits for d and reports false when the call was ended meanwhile.
func (s *seat) sleep(d time.Duration) bool { return sleep(s, d) }

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// admitted, attempt and moved make the seat a caller at its line's gate.
func (s *seat) admitted(now time.Time) { s.asked = now }

func (s *seat) attempt(n int) error {
	s.attempts.Store(int32(n))
	s.reply = quorum.Reply{Companion: s.line.cfg.Companion, Confidence: -1, Attempts: n}
	return s.line.cfg.Asker.Ask(s, s.round.d, &s.reply)
}

func (s *seat) moved(to BreakerState) { s.round.fan.breakerMoved(s, to) }

// run is the seat's goroutine.
func (s *seat) run() {
	if s.said != nil {
		s.repeat()
		s.round.ended(s)
		return
	}
	growStack(false)
	s.ask()
	s.mu.Lock()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	s.round.ended(s)
}

// ask fills s.reply whatever happens.
func (s *seat) ask() {
	fan := s.round.fan
	span := fan.start(s)
	err := s.call()
	if err != nil {
		s.fail(err)
	} else {
		s.complete()
	}
	fan.finish(s, span, err)
	if err == nil && s.round.each != nil {
		s.hand()
	}
}

// repeat is ask where the companion has been heard before.
func (s *seat) repeat() {
	s.reply = *s.said
	s.attempts.Store(int32(s.reply.Attempts))
	if s.reply.Outcome == quorum.OK && s.round.each != nil {
		s.hand()
	}
}

// call asks the companion. A panic in an adapter is this seat's failure and
// nobody else's.
func (s *seat) call() (err *AskError) {
	defer func() {
		if p := recover(); p != nil {
			s.round.fan.panicked(string(s.line.cfg.Companion), p)
			err = errPanic
		}
	}()
	return s.line.ask(s)
}

// hand gives the reply to the round's each, whose panic costs this seat only.
func (s *seat) hand() {
	defer func() {
		if p := recover(); p != nil {
			s.round.fan.panicked(string(s.line.cfg.Companion), p)
			s.fail(errPanic)
		}
	}()
	s.round.each(s.index, &s.reply)
}

func (s *seat) complete() {
	r := &s.reply
	r.Companion, r.Outcome, r.Reason = s.line.cfg.Companion, quorum.OK, ""
	r.Latency = time.Since(s.asked)
	r.Usage.Cost = s.line.cfg.Price.Cost(r.Usage)
	if r.Model != s.line.cfg.Model && (r.Model == "" || !plainName(r.Model) || s.round.fan.redact != nil && s.round.fan.redact(r.Model) != r.Model) {
		r.Model = s.line.cfg.Model
	}
}

func (s *seat) fail(e *AskError) {
	r := quorum.Reply{
		Companion:  s.line.cfg.Companion,
		Outcome:    e.Class.Outcome(),
		Reason:     e.Reason,
		Confidence: -1,
		Model:      s.line.cfg.Model,
		Attempts:   s.reply.Attempts,
	}
	if !s.asked.IsZero() {
		r.Latency = time.Since(s.asked)
	}
	s.reply = r
}

// plainName reports whether a companion's word for its model may stand in the
// ledger and in traces: it is a name, and no text.
func plainName(s string) bool {
	if len(s) > 128 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '-', c == '_', c == '.', c == ':', c == '/', c == '@', c == '+':
		default:
			return false
		}
	}
	return true
}
