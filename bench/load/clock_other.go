//go:build !linux

package load

import "time"

// clock sleeps as well as the Go runtime does here.
type clock struct{}

func newClock() clock { return clock{} }

func (clock) close() {}

func (clock) sleepUntil(at time.Time) { time.Sleep(time.Until(at)) }
