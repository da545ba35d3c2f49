package fanout

import (
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// DefaultInFlight is how many calls a companion gets at once unless configured:
// what one busy gateway keeps in flight, and what a small server still bears.
const DefaultInFlight = 256

// limits are one companion's: how often it is asked, how many calls it has at
// once, and how long it wished to be left alone.
type limits struct {
	bucket *rate.Limiter // nil: no limit
	slots  chan struct{}
	resume atomic.Int64 // not before this, Unix nanoseconds; from Retry-After
}

func newLimits(perSecond float64, burst, inFlight int) *limits {
	l := &limits{slots: make(chan struct{}, inFlight)}
	if perSecond > 0 {
		if burst == 0 {
			burst = max(1, int(math.Ceil(perSecond)))
		}
		l.bucket = rate.NewLimiter(rate.Limit(perSecond), burst)
	}
	return l
}

// A waiter is a call that waits for limits: it may be ended meanwhile, and then
// has a cause.
type waiter interface {
	Due() time.Time // after which it waits for nothing
	Done() <-chan struct{}
	cause() *AskError
	waiting(begun time.Time)    // takes note that it waited since
	sleep(d time.Duration) bool // false: it was ended
}

// enter waits until the companion may be asked, by w's due time at the latest, and
// returns the time then. Without an error the caller holds a slot and gives it
// back by leave.
func (l *limits) enter(w waiter, now time.Time) (time.Time, *AskError) {
	now, err := l.token(w, now)
	if err != nil {
		return now, err
	}
	select {
	case l.slots <- struct{}{}:
		return now, nil
	default:
	}
	timer := time.NewTimer(w.Due().Sub(now))
	defer timer.Stop()
	defer w.waiting(now)
	select {
	case l.slots <- struct{}{}:
		return time.Now(), nil
	case <-timer.C:
		return now, errInFlight
	case <-w.Done():
		return now, w.cause()
	}
}

func (l *limits) leave() { <-l.slots }

// token waits for a token of the bucket and for the end of a pause that the
// companion asked for, and returns the time then. When either is further off
// than w is due it fails at once, and takes no token.
func (l *limits) token(w waiter, now time.Time) (time.Time, *AskError) {
	if pause := time.Duration(l.resume.Load() - now.UnixNano()); pause > 0 {
		if !now.Add(pause).Before(w.Due()) {
			return now, errHeld
		}
		slept := w.sleep(pause)
		w.waiting(now)
		if !slept {
			return now, w.cause()
		}
		now = time.Now()
	}
	if l.bucket == nil || l.bucket.AllowN(now, 1) {
		return now, nil
	}
	r := l.bucket.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if !now.Add(wait).Before(w.Due()) {
		r.CancelAt(now)
		return now, errRate
	}
	slept := w.sleep(wait)
	w.waiting(now)
	if !slept {
		r.Cancel()
		return now, w.cause()
	}
	return time.Now(), nil
}

// hold leaves the companion alone until the given time.
func (l *limits) hold(until time.Time) {
	for at := until.UnixNano(); ; {
		was := l.resume.Load()
		if was >= at || l.resume.CompareAndSwap(was, at) {
			return
		}
	}
}
