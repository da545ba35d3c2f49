package fanout_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

func TestLineConfig(t *testing.T) {
	ok := fanout.LineConfig{Companion: "AUREA", Asker: hangs}
	for name, change := range map[string]func(*fanout.LineConfig){
		"no companion":   func(c *fanout.LineConfig) { c.Companion = "" },
		"no asker":       func(c *fanout.LineConfig) { c.Asker = nil },
		"negative rate":  func(c *fanout.LineConfig) { c.PerSecond = -1 },
		"negative burst": func(c *fanout.LineConfig) { c.Burst = -1 },
		"negative room":  func(c *fanout.LineConfig) { c.InFlight = -1 },
		"negative time":  func(c *fanout.LineConfig) { c.Deadline = -1 },
		"breaker":        func(c *fanout.LineConfig) { c.Breaker.Failures = -1 },
	} {
		cfg := ok
		change(&cfg)
		if _, err := fanout.NewLine(cfg); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := fanout.NewLine(ok); err != nil {
		t.Error(err)
	}
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fan := newFan(t)
		line := newLine(t, fanout.LineConfig{Asker: says("yes", 0), PerSecond: 1, Burst: 2})
		begun := time.Now()
		ask := func(deadline time.Duration) (*quorum.Reply, time.Duration) {
			before := time.Now()
			return one(within(t, deadline), fan, line), time.Since(before)
		}
		for range 2 {
			if r, took := ask(time.Minute); r.Outcome != quorum.OK || took != 0 {
				t.Errorf("within the burst: %v after %v", r.Outcome, took)
			}
		}
		if r, took := ask(time.Minute); r.Outcome != quorum.OK || took != time.Second || r.Latency != 0 {
			t.Errorf("past the burst: %v after %v, latency %v; want ok after 1s", r.Outcome, took, r.Latency)
		}
		// The next token is 1s off: a nearer deadline is told so at once, and
		// takes no token from those who can wait.
		if r, took := ask(time.Second / 2); r.Outcome != quorum.Busy || took != 0 || r.Attempts != 0 || r.Reason != "rate limit: no token before the deadline" {
			t.Errorf("token past the deadline: %+v after %v, want busy at once", r, took)
		}
		if r, took := ask(time.Minute); r.Outcome != quorum.OK || took != time.Second {
			t.Errorf("after a busy one: %v after %v, want ok after 1s", r.Outcome, took)
		}
		if line.Breaker() != fanout.Closed {
			t.Error("busy counted as a failure")
		}
		if total := time.Since(begun); total != 2*time.Second {
			t.Errorf("4 calls took %v, want 2s", total)
		}
	})
}

func TestInFlightLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fan := newFan(t)
		var out, most atomic.Int32
		counted := asker(func(ctx context.Context, d *quorum.Deliberation, r *quorum.Reply) error {
			most.Store(max(most.Load(), out.Add(1)))
			defer out.Add(-1)
			return says("yes", time.Second)(ctx, d, r)
		})
		line := newLine(t, fanout.LineConfig{Asker: counted, InFlight: 2})
		panel := []*fanout.Line{line, line, line, line, line}
		ctx := within(t, 2500*time.Millisecond)
		round := fan.Ask(ctx, question, panel, nil)
		synctest.Wait()
		if line.InFlight() != 2 {
			t.Errorf("%d in flight, want 2", line.InFlight())
		}
		got := map[quorum.Outcome]int{}
		for range panel {
			select {
			case seat := <-round.Arrivals():
				got[round.Reply(seat).Outcome]++
			case <-ctx.Done():
			}
		}
		round.Cancel()
		// Two by two: the fifth has its room after 2s and half a second to answer.
		if got[quorum.OK] != 4 || most.Load() != 2 {
			t.Errorf("outcomes %v with %d at once, want 4 ok, 2 at once", got, most.Load())
		}
		fan.Drain(t.Context())
		if line.InFlight() != 0 {
			t.Errorf("%d in flight after all", line.InFlight())
		}
	})
}

func TestNoRoomBeforeTheDeadlineIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fan := newFan(t)
		line := newLine(t, fanout.LineConfig{Asker: hangs, InFlight: 1, Deadline: time.Minute})
		holds := fan.Ask(t.Context(), question, []*fanout.Line{line}, nil)
		defer holds.Cancel()
		synctest.Wait()
		begun := time.Now()
		ctx := within(t, time.Second)
		round := fan.Ask(ctx, question, []*fanout.Line{line}, nil)
		<-ctx.Done()
		round.Cancel()
		if r := round.Reply(0); r.Outcome != quorum.Busy || r.Attempts != 0 || time.Since(begun) != time.Second {
			t.Errorf("%+v after %v, want busy after 1s", r, time.Since(begun))
		}
		holds.Cancel()
		fan.Drain(t.Context())
	})
}

func TestBreakerStopsAndTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fan := newFan(t)
		var up atomic.Bool
		var asked atomic.Int32
		companion := asker(func(_ context.Context, _ *quorum.Deliberation, r *quorum.Reply) error {
			asked.Add(1)
			if !up.Load() {
				return &fanout.AskError{Class: fanout.ClassStatus, Reason: "http 500"}
			}
			r.Text = "yes"
			return nil
		})
		line := newLine(t, fanout.LineConfig{Asker: companion, Breaker: fanout.BreakerConfig{Failures: 3, Backoff: time.Second}})
		ask := func() quorum.Outcome { return one(t.Context(), fan, line).Outcome }
		for range 3 {
			if got := ask(); got != quorum.Failed {
				t.Fatalf("outcome %v, want error", got)
			}
		}
		if got := ask(); got != quorum.Broken || asked.Load() != 3 || line.Breaker() != fanout.Open {
			t.Fatalf("outcome %v after 3 failures, asked %d times", got, asked.Load())
		}
		<-time.After(time.Second)
		if got := ask(); got != quorum.Failed || asked.Load() != 4 {
			t.Fatalf("probe: %v, asked %d times", got, asked.Load())
		}
		<-time.After(time.Second)
		if got := ask(); got != quorum.Broken {
			t.Fatalf("outcome %v while the doubled back-off lasts", got)
		}
		up.Store(true)
		<-time.After(time.Second)
		if got := ask(); got != quorum.OK || line.Breaker() != fanout.Closed {
			t.Fatalf("probe of a companion that is back: %v, breaker %v", got, line.Breaker())
		}
	})
}

func TestWhatCountsAgainstACompanion(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want fanout.BreakerState
	}{
		{"a failure", &fanout.AskError{Class: fanout.ClassMalformed, Reason: "reply is not json"}, fanout.Open},
		{"an unknown error", errors.New("what"), fanout.Open},
		{"its own rate limit", &fanout.AskError{Class: fanout.ClassRateLimited, Reason: "http 429"}, fanout.Open},
		{"a refusal", &fanout.AskError{Class: fanout.ClassRefused, Reason: "the model declined"}, fanout.Closed},
		{"a request that it would not take", &upstream.Error{Class: upstream.BadRequest, Reason: "http 400"}, fanout.Closed},
		{"our being busy", &fanout.AskError{Class: fanout.ClassBusy, Reason: "no room"}, fanout.Closed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				line := newLine(t, fanout.LineConfig{Asker: fails(tt.err), Breaker: fanout.BreakerConfig{Failures: 1}})
				one(t.Context(), newFan(t), line)
				if got := line.Breaker(); got != tt.want {
					t.Errorf("breaker %v, want %v", got, tt.want)
				}
			})
		})
	}
	t.Run("hanging to its own deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			line := newLine(t, fanout.LineConfig{Asker: hangs, Deadline: time.Second, Breaker: fanout.BreakerConfig{Failures: 1}})
			one(t.Context(), newFan(t), line)
			if line.Breaker() != fanout.Open {
				t.Error("it did not count")
			}
		})
	})
	t.Run("a client in a hurry", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fan := newFan(t)
			line := newLine(t, fanout.LineConfig{Asker: hangs, Deadline: time.Second, Breaker: fanout.BreakerConfig{Failures: 1}})
			one(within(t, time.Millisecond), fan, line)
			fan.Drain(t.Context())
			if line.Breaker() != fanout.Closed {
				t.Error("a short request deadline counted against the companion")
			}
		})
	})
}

func TestRetry(t *testing.T) {
	dropped := &fanout.AskError{Class: fanout.ClassConnection, Reason: "connection closed before a reply", Retryable: true}
	limited := func(after time.Duration) error {
		return &fanout.AskError{Class: fanout.ClassRateLimited, Reason: "http 429", Retryable: true, RetryAfter: after}
	}
	status := &fanout.AskError{Class: fanout.ClassStatus, Reason: "http 500"}
	for _, tt := range []struct {
		name     string
		errs     []error // of the attempts, in turn; nil answers
		deadline time.Duration
		outcome  quorum.Outcome
		reason   string
		attempts int
		took     time.Duration
	}{
		{"nothing had arrived, so once more", []error{dropped, nil}, time.Minute, quorum.OK, "", 2, 50 * time.Millisecond},
		{"never twice", []error{dropped, dropped, nil}, time.Minute, quorum.Failed, "connection closed before a reply", 2, 50 * time.Millisecond},
		{"not past the deadline", []error{dropped, nil}, 20 * time.Millisecond, quorum.Failed, "connection closed before a reply", 1, 0},
		{"not when a reply had begun", []error{status, nil}, time.Minute, quorum.Failed, "http 500", 1, 0},
		{"Retry-After is waited for", []error{limited(3 * time.Second), nil}, time.Minute, quorum.OK, "", 2, 3 * time.Second},
		{"Retry-After past the deadline is not", []error{limited(3 * time.Second), nil}, 2 * time.Second, quorum.Failed, "http 429", 1, 0},
		{"429 without a time is tried soon", []error{limited(0), nil}, time.Minute, quorum.OK, "", 2, 50 * time.Millisecond},
		{"the second failure is the one told", []error{limited(time.Second), status}, time.Minute, quorum.Failed, "http 500", 2, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempt := 0
				line := newLine(t, fanout.LineConfig{Asker: asker(func(_ context.Context, _ *quorum.Deliberation, r *quorum.Reply) error {
					err := tt.errs[attempt]
					attempt++
					if err == nil {
						r.Text = "yes"
					} else {
						r.Text = "left over" // must not survive
					}
					return err
				})})
				begun := time.Now()
				r := one(within(t, tt.deadline), newFan(t), line)
				if r.Outcome != tt.outcome || r.Reason != tt.reason || r.Attempts != tt.attempts || time.Since(begun) != tt.took {
					t.Errorf("%v %q, %d attempts in %v; want %v %q, %d in %v",
						r.Outcome, r.Reason, r.Attempts, time.Since(begun), tt.outcome, tt.reason, tt.attempts, tt.took)
				}
				if (r.Text == "yes") != (tt.outcome == quorum.OK) || r.Text == "left over" {
					t.Errorf("text %q", r.Text)
				}
			})
		})
	}
}

func TestRetryTakesATokenOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := newLine(t, fanout.LineConfig{
			Asker:     fails(&fanout.AskError{Class: fanout.ClassConnection, Reason: "no connection", Retryable: true}),
			PerSecond: 0.1, Burst: 1,
		})
		if r := one(within(t, 5*time.Second), newFan(t), line); r.Attempts != 1 || r.Outcome != quorum.Failed || r.Reason != "no connection" {
			t.Errorf("%+v: want one attempt, since the next token is 10s off", r)
		}
	})
}

func TestRetryAfterHoldsTheNextCallsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fan := newFan(t)
		var asked []time.Duration
		begun := time.Now()
		line := newLine(t, fanout.LineConfig{Asker: asker(func(_ context.Context, _ *quorum.Deliberation, r *quorum.Reply) error {
			asked = append(asked, time.Since(begun))
			if len(asked) == 1 {
				return &fanout.AskError{Class: fanout.ClassRateLimited, Reason: "http 429", Retryable: true, RetryAfter: 10 * time.Second}
			}
			r.Text = "yes"
			return nil
		})})
		if r := one(within(t, 5*time.Second), fan, line); r.Outcome != quorum.Failed || r.Reason != "http 429" {
			t.Errorf("%+v, want error http 429", r)
		}
		if r := one(within(t, 5*time.Second), fan, line); r.Outcome != quorum.Busy || r.Attempts != 0 {
			t.Errorf("%+v, want busy: the companion asked for 10s", r)
		}
		if r := one(within(t, time.Minute), fan, line); r.Outcome != quorum.OK {
			t.Errorf("%+v, want ok after the pause", r)
		}
		if want := []time.Duration{0, 10 * time.Second}; !slices.Equal(asked, want) {
			t.Errorf("asked at %v, want %v", asked, want)
		}
	})
}

func TestAPassedDeadlineAsksNobody(t *testing.T) {
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	line := newLine(t, fanout.LineConfig{Asker: asker(func(context.Context, *quorum.Deliberation, *quorum.Reply) error {
		t.Error("asked")
		return nil
	})})
	fan := newFan(t)
	round := fan.Ask(ctx, question, []*fanout.Line{line}, nil)
	all(round)
	if r := round.Reply(0); r.Outcome != quorum.Late || r.Attempts != 0 {
		t.Errorf("%+v, want late", r)
	}
}

func TestTheCompanionsModelIsKeptOnlyIfItIsNoPersonalDatum(t *testing.T) {
	fan, err := fanout.New(fanout.Config{Redact: func(s string) string { return strings.ReplaceAll(s, "petra@northgate.eu", "[email]") }})
	if err != nil {
		t.Fatal(err)
	}
	for said, want := range map[string]string{"org/model:7b@q4": "org/model:7b@q4", "for-petra@northgate.eu": "sim-1"} {
		line := newLine(t, fanout.LineConfig{Model: "sim-1", Asker: asker(func(_ context.Context, _ *quorum.Deliberation, r *quorum.Reply) error {
			r.Text, r.Model = "yes", said
			return nil
		})})
		round := fan.Ask(t.Context(), question, []*fanout.Line{line}, nil)
		all(round)
		if r := round.Reply(0); r.Model != want {
			t.Errorf("said %q: model %q, want %q", said, r.Model, want)
		}
	}
}

func TestTheCompanionsModelIsANameOrNothing(t *testing.T) {
	for said, want := range map[string]string{
		"gpt-4o-2024-08-06":       "gpt-4o-2024-08-06",
		"org/model:7b@q4":         "org/model:7b@q4",
		"":                        "sim-1",
		"your SSN is 078-05-1120": "sim-1",
		"a\nb":                    "sim-1",
		string(make([]byte, 200)): "sim-1",
	} {
		line := newLine(t, fanout.LineConfig{Model: "sim-1", Price: quorum.Price{Input: 2500, Output: 10_000},
			Asker: asker(func(_ context.Context, _ *quorum.Deliberation, r *quorum.Reply) error {
				r.Text, r.Model, r.Usage = "yes", said, quorum.Usage{InputTokens: 31, OutputTokens: 120}
				return nil
			})})
		round := newFan(t).Ask(t.Context(), question, []*fanout.Line{line}, nil)
		all(round)
		if r := round.Reply(0); r.Model != want || r.Usage.Cost != 1278 {
			t.Errorf("said %q: model %q, cost %d; want %q, 1278", said, r.Model, r.Usage.Cost, want)
		}
	}
}
