package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kaizen-os/deliberation/bench/load"
)

// A contender keeps entries. Append is called by many goroutines at once.
type contender interface {
	// Append keeps entry number i, which no other call has, and returns when it
	// is kept as the contender's name says.
	Append(ctx context.Context, i uint64) error
	// Batches is how many synced batches the entries so far have gone into.
	Batches() (uint64, error)
	Close() error
}

// A window is what was measured of one contender between two moments.
type window struct {
	Entries int64
	Took    time.Duration
	CPU     time.Duration // of the whole process: the writers' share is the same for all
	Batches uint64
	P50     time.Duration // of one Append
	P99     time.Duration
}

func (w window) perSecond() float64 { return float64(w.Entries) / max(w.Took.Seconds(), 1e-9) }
func (w window) cpuEach() time.Duration {
	return w.CPU / time.Duration(max(w.Entries, 1))
}
func (w window) perBatch() float64 { return float64(w.Entries) / float64(max(w.Batches, 1)) }

// drive appends from that many writers, each one entry at a time, the first of
// them number first, and measures what is done between warm and warm+measure.
func drive(ctx context.Context, c contender, first uint64, writers int, warm, measure time.Duration) (window, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		next      atomic.Uint64
		done      atomic.Int64
		measuring atomic.Bool
		stop      atomic.Bool
		wg        sync.WaitGroup
	)
	next.Store(first)
	latencies := load.NewLatencies()
	for range writers {
		wg.Go(func() {
			for !stop.Load() {
				start := time.Now()
				if err := c.Append(ctx, next.Add(1)-1); err != nil {
					if !stop.Load() { // a slow one may be cut off at the end
						cancel(fmt.Errorf("append: %w", err))
					}
					return
				}
				if measuring.Load() {
					latencies.Record(time.Since(start))
					done.Add(1)
				}
			}
		})
	}
	w, err := measured(ctx, c, warm, measure, &measuring, &done)
	stop.Store(true)
	cancel(errOver)
	wg.Wait()
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, errOver) {
		err = cause
	}
	q := latencies.Quantiles()
	w.P50, w.P99 = q.P50, q.P99
	return w, err
}

var errOver = errors.New("the measurement is over")

// measured waits for the window to begin and to end.
func measured(ctx context.Context, c contender, warm, measure time.Duration, measuring *atomic.Bool, done *atomic.Int64) (w window, err error) {
	if err := pause(ctx, warm); err != nil {
		return w, err
	}
	batches, err := c.Batches()
	if err != nil {
		return w, err
	}
	cpu, err := cpuTime()
	if err != nil {
		return w, err
	}
	start := time.Now()
	measuring.Store(true)
	if err := pause(ctx, measure); err != nil {
		return w, err
	}
	measuring.Store(false)
	w.Entries, w.Took = done.Load(), time.Since(start)
	end, err := cpuTime()
	if err != nil {
		return w, err
	}
	w.CPU = end - cpu
	after, err := c.Batches()
	w.Batches = after - batches
	return w, err
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
