package fanout_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizen-os/deliberation/fanout"
)

// pass makes one call through g, within a minute, and returns how it ended.
func pass(g *fanout.Gate, call func(ctx context.Context) error) fanout.Class {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if e := g.Do(ctx, call); e != nil {
		return e.Class
	}
	return fanout.ClassNone
}

func TestGateConfig(t *testing.T) {
	for name, cfg := range map[string]fanout.GateConfig{
		"negative rate": {PerSecond: -1}, "negative burst": {Burst: -1}, "negative room": {InFlight: -1}, "breaker": {Breaker: fanout.BreakerConfig{Failures: -1}},
	} {
		if _, err := fanout.NewGate(cfg); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestAGateIsALinesLimitsAndBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var states []fanout.BreakerState
		g, err := fanout.NewGate(fanout.GateConfig{InFlight: 1, Moved: func(s fanout.BreakerState) { states = append(states, s) }})
		if err != nil {
			t.Fatal(err)
		}
		good := func(context.Context) error { return nil }
		hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		bad := func(context.Context) error { return &fanout.AskError{Class: fanout.ClassStatus, Reason: "http 500"} }
		for range fanout.DefaultFailures - 1 {
			if c := pass(g, bad); c != fanout.ClassStatus {
				t.Errorf("a failure is %q", c)
			}
		}
		// What was given up before it began says nothing about the upstream.
		gone, cancel := context.WithTimeout(context.Background(), time.Minute)
		cancel()
		if e := g.Do(gone, hangs); e == nil || e.Class != fanout.ClassUnneeded {
			t.Errorf("given up before it began: %v", e)
		}
		if g.Breaker() != fanout.Closed {
			t.Error("open before its time")
		}
		pass(g, bad)
		if c := pass(g, good); c != fanout.ClassBroken || g.Breaker() != fanout.Open {
			t.Errorf("the breaker is %v, a call ends %q", g.Breaker(), c)
		}
		<-time.After(fanout.DefaultBackoff)
		if c := pass(g, good); c != fanout.ClassNone || !slices.Equal(states, []fanout.BreakerState{fanout.Open, fanout.Closed}) {
			t.Errorf("the probe ends %q, states %v", c, states)
		}

		// Room for one: the second waits until it is due.
		held := make(chan struct{})
		go pass(g, func(ctx context.Context) error { <-held; return nil })
		synctest.Wait()
		begun := time.Now()
		if c := pass(g, good); c != fanout.ClassBusy || time.Since(begun) != time.Minute || g.InFlight() != 1 {
			t.Errorf("without room: %q after %v", c, time.Since(begun))
		}
		close(held)
		synctest.Wait()

		// It is asked once more when it says so, at the time that it says.
		tries := 0
		begun = time.Now()
		c := pass(g, func(context.Context) error {
			if tries++; tries == 1 {
				return &fanout.AskError{Class: fanout.ClassRateLimited, Retryable: true, RetryAfter: 5 * time.Second}
			}
			return nil
		})
		if c != fanout.ClassNone || tries != 2 || time.Since(begun) != 5*time.Second {
			t.Errorf("ended %q after %d tries and %v", c, tries, time.Since(begun))
		}

		// What does not answer is late, what is cancelled unneeded, and only the first counts.
		if c := pass(g, hangs); c != fanout.ClassLate {
			t.Errorf("no answer: %q", c)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		time.AfterFunc(time.Second, cancel)
		if e := g.Do(ctx, hangs); e == nil || e.Class != fanout.ClassUnneeded {
			t.Errorf("cancelled: %v", e)
		}
		if c := pass(g, func(context.Context) error { return errors.New("what is this") }); c != fanout.ClassInternal {
			t.Errorf("an unknown error: %q", c)
		}
	})
}
