package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A gate is what stands before one upstream: its limits, its breaker, and the
// one retry. It outlives the calls that pass it.
type gate struct {
	limits  *limits
	breaker *breaker
}

// A caller is one call that is to pass a gate.
type caller interface {
	waiter
	// admitted says that limits and breaker have let the call through.
	admitted(now time.Time)
	// attempt makes the call, for the nth time.
	attempt(n int) error
	// moved says that the call's end changed the breaker's state.
	moved(to BreakerState)
}

func newGate(perSecond float64, burst, inFlight int, b BreakerConfig) (gate, error) {
	if !(perSecond >= 0) || burst < 0 || inFlight < 0 {
		return gate{}, errors.New("a limit is below 0")
	}
	if inFlight == 0 {
		inFlight = DefaultInFlight
	}
	breaker, err := newBreaker(b)
	if err != nil {
		return gate{}, err
	}
	return gate{newLimits(perSecond, burst, inFlight), breaker}, nil
}

// Breaker is the breaker's present state.
func (g *gate) Breaker() BreakerState { return g.breaker.current() }

// InFlight is how many calls are out at present.
func (g *gate) InFlight() int { return len(g.limits.slots) }

// pass makes c's call, once or twice. It panics only if attempt does.
func (g *gate) pass(c caller) *AskError {
	entered := time.Now()
	if !entered.Before(c.Due()) {
		return errLate
	}
	if !g.breaker.ready(entered) {
		return errBroken
	}
	now, full := g.limits.enter(c, entered)
	if full != nil {
		return full
	}
	defer g.limits.leave()
	probe, ok := g.breaker.enter(now)
	if !ok {
		return errBroken
	}
	c.admitted(now)
	result := failed // what a panic counts as
	defer func() {
		before, after := g.breaker.leave(probe, result, time.Now())
		if before != after {
			c.moved(after)
		}
	}()

	err := g.attempt(c, 1)
	if err != nil && g.mayRetry(c, err) {
		err = g.attempt(c, 2)
	}
	result = meaning(err)
	return err
}

func (g *gate) attempt(c caller, n int) *AskError {
	err := c.attempt(n)
	if err == nil {
		return nil
	}
	if cause := c.cause(); cause != nil {
		return cause
	}
	e := explain(err)
	if e.RetryAfter > 0 {
		g.limits.hold(time.Now().Add(min(e.RetryAfter, maxHold)))
	}
	return e
}

// mayRetry waits for the moment of a second attempt and reports whether to make
// it. It does not when the moment, or a token, would come past the deadline.
func (g *gate) mayRetry(c caller, e *AskError) bool {
	if !e.Retryable || e.RetryAfter > maxHold {
		return false
	}
	now := time.Now()
	if e.RetryAfter == 0 && !isStale(e) {
		if !now.Add(retryPause).Before(c.Due()) || !c.sleep(retryPause) {
			return false
		}
		now = time.Now()
	}
	_, full := g.limits.token(c, now) // which waits for RetryAfter too
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

// GateConfig describes a [Gate]. Zero fields are as in [LineConfig].
type GateConfig struct {
	PerSecond float64 // calls a second; zero is no limit
	Burst     int
	InFlight  int
	Breaker   BreakerConfig
	Moved     func(to BreakerState) // called when the breaker changes; may be nil
}

// A Gate is a line's limits, breaker and retry for an upstream that is no
// companion: keep it across a reload that does not change its settings. It is safe
// for concurrent use.
type Gate struct {
	gate
	told func(BreakerState)
}

// NewGate checks cfg.
func NewGate(cfg GateConfig) (*Gate, error) {
	inner, err := newGate(cfg.PerSecond, cfg.Burst, cfg.InFlight, cfg.Breaker)
	if err != nil {
		return nil, fmt.Errorf("fanout: gate: %w", err)
	}
	return &Gate{gate: inner, told: cfg.Moved}, nil
}

// Do makes one call by the end of ctx, which must have a deadline, and once more
// where the first attempt may be retried. The call's errors are an Asker's.
func (g *Gate) Do(ctx context.Context, call func(ctx context.Context) error) *AskError {
	due, bounded := ctx.Deadline()
	if !bounded {
		panic("bug: a call through a gate without a deadline")
	}
	return g.pass(&passage{Context: ctx, due: due, gate: g, call: call})
}

// A passage is one call through a Gate.
type passage struct {
	context.Context
	due  time.Time
	gate *Gate
	call func(ctx context.Context) error
}

func (p *passage) Due() time.Time     { return p.due }
func (p *passage) waiting(time.Time)  {}
func (p *passage) admitted(time.Time) {}

func (p *passage) attempt(int) error { return p.call(p.Context) }

func (p *passage) moved(to BreakerState) {
	if p.gate.told != nil {
		p.gate.told(to)
	}
}

// cause is why the call was ended from outside, if it was.
func (p *passage) cause() *AskError {
	switch err := p.Err(); {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return errLate
	}
	return errUnneeded
}

// sleep waits for d and reports false when the call was ended meanwhile.
func (p *passage) sleep(d time.Duration) bool { return sleep(p.Context, d) }
