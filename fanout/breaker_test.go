package fanout

import (
	"testing"
	"time"
)

func TestBreaker(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	cfg := BreakerConfig{Failures: 3, Backoff: time.Second, MaxBackoff: 4 * time.Second}
	// Each step is one call made at a time after start: whether it was let
	// through, and what came of it.
	type step struct {
		at    time.Duration
		let   bool
		ended result
		then  BreakerState
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"failures in a row open it", []step{
			{0, true, failed, Closed}, {0, true, failed, Closed}, {0, true, failed, Open}, {0, false, 0, Open}}},
		{"a success in between starts the count again", []step{
			{0, true, failed, Closed}, {0, true, failed, Closed}, {0, true, succeeded, Closed}, {0, true, failed, Closed}}},
		{"what says nothing of the companion does not count", []step{
			{0, true, failed, Closed}, {0, true, failed, Closed}, {0, true, neutral, Closed}, {0, true, failed, Open}}},
		{"one probe after the back-off closes it", []step{
			{0, true, failed, Closed}, {0, true, failed, Closed}, {0, true, failed, Open},
			{time.Second - 1, false, 0, Open}, {time.Second, true, succeeded, Closed}, {time.Second, true, succeeded, Closed}}},
		{"the back-off doubles up to its cap", []step{
			{0, true, failed, Closed}, {0, true, failed, Closed}, {0, true, failed, Open},
			{1 * time.Second, true, failed, Open}, {3*time.Second - 1, false, 0, Open},
			{3 * time.Second, true, failed, Open}, {7*time.Second - 1, false, 0, Open},
			{7 * time.Second, true, failed, Open}, {11*time.Second - 1, false, 0, Open},
			{11 * time.Second, true, succeeded, Closed}}},
		{"a recovered companion starts from the first back-off", []step{
			{0, true, failed, Closed}, {0, true, failed, Closed}, {0, true, failed, Open},
			{1 * time.Second, true, failed, Open}, {3 * time.Second, true, succeeded, Closed},
			{4 * time.Second, true, failed, Closed}, {4 * time.Second, true, failed, Closed}, {4 * time.Second, true, failed, Open},
			{5 * time.Second, true, succeeded, Closed}}},
		{"a probe that says nothing leaves room for the next", []step{
			{0, true, failed, Closed}, {0, true, failed, Closed}, {0, true, failed, Open},
			{time.Second, true, neutral, HalfOpen}, {time.Second, true, succeeded, Closed}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := newBreaker(cfg)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range tt.steps {
				now := start.Add(s.at)
				if ready := b.ready(now); ready != s.let {
					t.Fatalf("step %d: ready = %v, want %v", i, ready, s.let)
				}
				probe, ok := b.enter(now)
				if ok != s.let {
					t.Fatalf("step %d: enter = %v, want %v", i, ok, s.let)
				}
				if ok {
					b.leave(probe, s.ended, now)
				}
				if got := b.current(); got != s.then {
					t.Fatalf("step %d: state %v, want %v", i, got, s.then)
				}
			}
		})
	}
}

func TestBreakerHasOneProbe(t *testing.T) {
	b, err := newBreaker(BreakerConfig{Failures: 1})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	slow, _ := b.enter(now) // still out when the breaker opens
	_, ok := b.enter(now)
	if !ok {
		t.Fatal("a closed breaker held a call back")
	}
	b.leave(false, failed, now)
	now = now.Add(DefaultBackoff)
	probe, ok := b.enter(now)
	if !probe || !ok {
		t.Fatal("no probe after the back-off")
	}
	if _, ok := b.enter(now); ok || b.ready(now) {
		t.Error("a second probe was let through")
	}
	if b.leave(slow, succeeded, now); b.current() != HalfOpen {
		t.Error("a call from before it opened decided in the probe's place")
	}
	if before, after := b.leave(probe, succeeded, now); before != HalfOpen || after != Closed {
		t.Errorf("the probe's success moved it from %v to %v", before, after)
	}
}

func TestBreakerConfig(t *testing.T) {
	for _, cfg := range []BreakerConfig{{Failures: -1}, {Backoff: -1}, {MaxBackoff: -1}, {Backoff: time.Minute, MaxBackoff: time.Second}} {
		if _, err := newBreaker(cfg); err == nil {
			t.Errorf("newBreaker(%+v) took it", cfg)
		}
	}
	b, err := newBreaker(BreakerConfig{Backoff: time.Hour})
	if err != nil || b.cfg.MaxBackoff != time.Hour || b.cfg.Failures != DefaultFailures {
		t.Errorf("defaults: %+v, %v", b.cfg, err)
	}
}
