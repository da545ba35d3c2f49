package load

import (
	"runtime"
	"syscall"
	"time"
)

// clock sleeps to within some 50 µs. Go's own timers wake up to a millisecond
// late when a process is otherwise idle, which an open loop would count as the
// server's latency; nanosleep on a thread of its own does not.
type clock struct{}

// newClock must be closed by the goroutine that made it.
func newClock() clock {
	runtime.LockOSThread()
	return clock{}
}

func (clock) close() { runtime.UnlockOSThread() }

func (clock) sleepUntil(at time.Time) {
	for {
		left := time.Until(at)
		if left <= 0 {
			return
		}
		ts := syscall.NsecToTimespec(int64(left))
		// Interrupted by a signal it returns early: the loop looks again.
		_ = syscall.Nanosleep(&ts, nil)
	}
}
