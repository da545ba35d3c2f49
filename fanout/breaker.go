package fanout

import (
	"errors"
	"sync"
	"time"
)

// The breaker's defaults. Five failures in a row are no accident for a
// companion with the 99.5 % uptime that it commits to; one second is enough for
// a restart, and after a minute a try costs nothing that matters.
const (
	DefaultFailures   = 5
	DefaultBackoff    = time.Second
	DefaultMaxBackoff = time.Minute
)

// BreakerConfig says when a line stops asking a companion that keeps failing,
// and when it tries again. Zero fields take the defaults.
type BreakerConfig struct {
	Failures   int           // in a row, that open it
	Backoff    time.Duration // until the first probe; doubles with each probe that fails
	MaxBackoff time.Duration // up to this
}

// BreakerState is whether a companion is asked.
type BreakerState uint8

const (
	Closed   BreakerState = iota // asked
	HalfOpen                     // one probe decides
	Open                         // not asked
)

var breakerNames = [...]string{"closed", "half-open", "open"}

func (s BreakerState) String() string { return breakerNames[s] }

// result is what one call means to the breaker.
type result uint8

const (
	neutral   result = iota // it says nothing about the companion
	succeeded               // the companion is there, whatever it said
	failed
)

type breaker struct {
	cfg BreakerConfig

	mu       sync.Mutex // guards what follows
	state    BreakerState
	failures int           // in a row, while closed
	backoff  time.Duration // the last one, while not closed
	until    time.Time     // when a probe may go, while open
	probing  bool          // a probe is out, while half open
}

func newBreaker(cfg BreakerConfig) (*breaker, error) {
	if cfg.Failures < 0 || cfg.Backoff < 0 || cfg.MaxBackoff < 0 {
		return nil, errors.New("breaker: a setting is below 0")
	}
	if cfg.Failures == 0 {
		cfg.Failures = DefaultFailures
	}
	if cfg.Backoff == 0 {
		cfg.Backoff = DefaultBackoff
	}
	if cfg.MaxBackoff == 0 {
		cfg.MaxBackoff = max(DefaultMaxBackoff, cfg.Backoff)
	}
	if cfg.MaxBackoff < cfg.Backoff {
		return nil, errors.New("breaker: the largest back-off is below the first")
	}
	return &breaker{cfg: cfg}, nil
}

// ready reports whether enter could succeed: whether it is worth waiting for
// room at all.
func (b *breaker) ready(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.state {
	case Open:
		return !now.Before(b.until)
	case HalfOpen:
		return !b.probing
	}
	return true
}

// enter admits a call, or reports false. Of the callers that find an open
// breaker's time passed one is the probe. Every call that was admitted leaves.
func (b *breaker) enter(now time.Time) (probe, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.state {
	case Closed:
		return false, true
	case Open:
		if now.Before(b.until) {
			return false, false
		}
		b.state = HalfOpen
	case HalfOpen:
		if b.probing {
			return false, false
		}
	}
	b.probing = true
	return true, true
}

// leave takes an admitted call's result and returns the state before and after.
// While the breaker is not closed only the probe's result counts: the others
// were sent before it opened.
func (b *breaker) leave(probe bool, r result, now time.Time) (before, after BreakerState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before = b.state
	switch {
	case probe:
		b.probing = false
		switch r {
		case succeeded:
			b.state, b.failures = Closed, 0
		case failed:
			b.open(now, min(2*b.backoff, b.cfg.MaxBackoff))
		}
	case b.state != Closed:
	case r == succeeded:
		b.failures = 0
	case r == failed:
		b.failures++
		if b.failures >= b.cfg.Failures {
			b.open(now, b.cfg.Backoff)
		}
	}
	return before, b.state
}

func (b *breaker) open(now time.Time, backoff time.Duration) {
	b.state, b.backoff, b.until = Open, backoff, now.Add(backoff)
}

func (b *breaker) current() BreakerState {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}
