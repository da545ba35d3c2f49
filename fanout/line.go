package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kaizen-os/deliberation/quorum"
)

const (
	// DefaultDeadline is a companion's own, when none is configured: what the
	// onboarding guide allows a compatibility probe.
	DefaultDeadline = 30 * time.Second
	// retryPause is before a retry when the companion named no time: enough for
	// a listener to come back, little beside an answer.
	retryPause = 50 * time.Millisecond
	// maxHold is the longest a Retry-After keeps all calls from a companion; the
	// breaker covers what lasts longer.
	maxHold = time.Minute
)

// An Asker speaks one companion's dialect; the adapters are Askers.
//
// Ask puts d to the companion and fills *r: Text, Rationale, Stance, Confidence
// (left negative when it is not stated), Model, and the tokens of Usage. It
// returns soon after ctx ends, is safe for concurrent use, keeps neither d nor
// r, and does not retry. Its error is an *AskError, a [Failure], or ctx's.
//
// ctx.Deadline is when the call is given up. When the answer is due may be
// earlier: if ctx has a method Due() time.Time, that is the time to tell the
// companion.
type Asker interface {
	Ask(ctx context.Context, d *quorum.Deliberation, r *quorum.Reply) error
}

// LineConfig describes how one companion is asked. Companion and Asker are
// required.
type LineConfig struct {
	Companion quorum.CompanionID
	Asker     Asker
	Provider  string // dialect, for telemetry
	Model     string // asked for; stands in the reply if the companion names none
	Host      string // where it is reached, for telemetry
	Port      int

	PerSecond float64       // tokens a second; zero is no limit
	Burst     int           // size of the bucket; zero is one second's tokens, at least 1
	InFlight  int           // calls at once; zero is DefaultInFlight
	Deadline  time.Duration // of one asking, waits and retry included; zero is DefaultDeadline
	Price     quorum.Price
	Breaker   BreakerConfig
}

// Line is one companion with its limits and its breaker, which outlive rounds:
// keep a line across a reload that does not change its settings. It is safe for
// concurrent use.
type Line struct {
	cfg     LineConfig
	limits  *limits
	breaker *breaker
	labels  labels
}

// NewLine checks cfg.
func NewLine(cfg LineConfig) (*Line, error) {
	switch {
	case !cfg.Companion.Valid():
		return nil, fmt.Errorf("fanout: companion id %q is not valid", cfg.Companion)
	case cfg.Asker == nil:
		return nil, fmt.Errorf("fanout: companion %s: no asker", cfg.Companion)
	case !(cfg.PerSecond >= 0) || cfg.Burst < 0 || cfg.InFlight < 0 || cfg.Deadline < 0:
		return nil, fmt.Errorf("fanout: companion %s: a limit is below 0", cfg.Companion)
	}
	if cfg.InFlight == 0 {
		cfg.InFlight = DefaultInFlight
	}
	if cfg.Deadline == 0 {
		cfg.Deadline = DefaultDeadline
	}
	b, err := newBreaker(cfg.Breaker)
	if err != nil {
		return nil, fmt.Errorf("fanout: companion %s: %w", cfg.Companion, err)
	}
	return &Line{
		cfg:     cfg,
		limits:  newLimits(cfg.PerSecond, cfg.Burst, cfg.InFlight),
		breaker: b,
		labels:  newLabels(&cfg),
	}, nil
}

// Companion is whose line it is.
func (l *Line) Companion() quorum.CompanionID { return l.cfg.Companion }

// Breaker is the breaker's present state.
func (l *Line) Breaker() BreakerState { return l.breaker.current() }

// InFlight is how many calls are out at present.
func (l *Line) InFlight() int { return len(l.limits.slots) }

// ask asks the companion for s, once or twice, and fills s.reply but for its
// outcome. It panics only if the Asker does.
func (l *Line) ask(s *seat) *AskError {
	entered := time.Now()
	if !entered.Before(s.due) {
		return errLate
	}
	if !l.breaker.ready(entered) {
		return errBroken
	}
	now, full := l.limits.enter(s, entered)
	if full != nil {
		return full
	}
	defer l.limits.leave()
	probe, ok := l.breaker.enter(now)
	if !ok {
		return errBroken
	}
	s.asked = now
	result := failed // what a panic counts as
	defer func() {
		before, after := l.breaker.leave(probe, result, time.Now())
		if before != after {
			s.round.fan.breakerMoved(s, after)
		}
	}()

	err := l.attempt(s, 1)
	if err != nil && l.mayRetry(s, err) {
		err = l.attempt(s, 2)
	}
	result = meaning(err)
	return err
}

func (l *Line) attempt(s *seat, n int) *AskError {
	s.attempts.Store(int32(n))
	s.reply = quorum.Reply{Companion: l.cfg.Companion, Confidence: -1, Attempts: n}
	err := l.cfg.Asker.Ask(s, s.round.d, &s.reply)
	if err == nil {
		return nil
	}
	if cause := s.cause(); cause != nil {
		return cause
	}
	e := explain(err)
	if e.RetryAfter > 0 {
		l.limits.hold(time.Now().Add(min(e.RetryAfter, maxHold)))
	}
	return e
}

// mayRetry waits for the moment of a second attempt and reports whether to make
// it. It does not when the moment, or a token, would come past the deadline.
func (l *Line) mayRetry(s *seat, e *AskError) bool {
	if !e.Retryable || e.RetryAfter > maxHold {
		return false
	}
	now := time.Now()
	if e.RetryAfter == 0 && !isStale(e) {
		if !now.Add(retryPause).Before(s.due) || !s.sleep(retryPause) {
			return false
		}
		now = time.Now()
	}
	_, full := l.limits.token(s, now) // which waits for RetryAfter too
	return full == nil
}

// isStale reports whether e is a kept connection that had been closed: there is
// nothing to wait for.
func isStale(e *AskError) bool {
	s, ok := errors.AsType[interface {
		error
		StaleConnection() bool
	}](e.Err)
	return ok && s.StaleConnection()
}

// meaning is what the end of a call says about the companion, for the breaker.
// A call that we gave up early says nothing; a companion that refuses is alive.
// So is one that would not take a request: were that a failure, one client with a
// schema or a token limit that a model cannot do with would have its breaker
// opened for all.
func meaning(e *AskError) result {
	if e == nil {
		return succeeded
	}
	switch e.Class {
	case ClassRefused:
		return succeeded
	case ClassBusy, ClassUnneeded, ClassBroken, ClassBadRequest:
		return neutral
	}
	return failed
}
