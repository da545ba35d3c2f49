package fanout_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/quorum"
)

func TestRepliesAreInPanelOrderWhateverOrderTheyCameIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		panel := panelOf(t, says("c", 3*time.Second), says("a", time.Second), says("b", 2*time.Second))
		var mu sync.Mutex
		scored := map[int]string{}
		round := newFan(t).Ask(within(t, time.Minute), question, panel, func(seat int, r *quorum.Reply) {
			mu.Lock()
			defer mu.Unlock()
			scored[seat] = r.Text
		})
		defer round.Cancel()
		var order []int
		for seat := range round.Arrivals() {
			mu.Lock()
			if _, ok := scored[seat]; !ok {
				t.Errorf("seat %d arrived before each saw its reply", seat)
			}
			mu.Unlock()
			order = append(order, seat)
		}
		if want := []int{1, 2, 0}; !slices.Equal(order, want) {
			t.Errorf("arrivals %v, want %v", order, want)
		}
		for seat, want := range []string{"c", "a", "b"} {
			r := round.Reply(seat)
			if r.Text != want || r.Outcome != quorum.OK || r.Companion != panel[seat].Companion() {
				t.Errorf("seat %d: %+v, want %q", seat, r, want)
			}
			if r.Attempts != 1 || r.Confidence >= 0 || r.Model != "sim-1" {
				t.Errorf("seat %d: attempts %d, confidence %d, model %q", seat, r.Attempts, r.Confidence, r.Model)
			}
		}
		if got := round.Reply(0).Latency; got != 3*time.Second {
			t.Errorf("latency %v, want 3s", got)
		}
	})
}

func TestCancelEndsTheCallsStillOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		fan := newFan(t)
		ended := make(chan error, 1)
		slow := asker(func(ctx context.Context, _ *quorum.Deliberation, _ *quorum.Reply) error {
			<-ctx.Done()
			ended <- ctx.Err()
			return ctx.Err()
		})
		panel := panelOf(t, says("yes", time.Second), slow)
		round := fan.Ask(within(t, time.Minute), question, panel, nil)
		if seat := <-round.Arrivals(); seat != 0 {
			t.Fatalf("seat %d came first", seat)
		}
		round.Cancel()
		if r := round.Reply(1); r.Outcome != quorum.Unneeded || r.Text != "" || r.Reason == "" || r.Companion != "ATLAS" || r.Attempts != 1 {
			t.Errorf("still out: %+v, want unneeded", r)
		}
		if _, more := <-round.Arrivals(); more {
			t.Error("an arrival after the cut")
		}
		if err := <-ended; err != context.Canceled {
			t.Errorf("the call ended with %v, want context.Canceled", err)
		}
		fan.Drain(t.Context())
		if took := time.Since(begun); took != time.Second {
			t.Errorf("calls ran on for %v after the cut", took-time.Second)
		}
		if panel[1].Breaker() != fanout.Closed {
			t.Error("a cancelled call counted against the companion")
		}
	})
}

func TestWhoIsStillOutWhenTheDeadlinePassesIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fan := newFan(t)
		panel := panelOf(t, says("yes", time.Second), hangs)
		ctx := within(t, 5*time.Second)
		round := fan.Ask(ctx, question, panel, nil)
		<-round.Arrivals()
		<-ctx.Done()
		round.Cancel()
		if r := round.Reply(1); r.Outcome != quorum.Late || r.Reason != "no answer before the deadline" || r.Latency != 5*time.Second {
			t.Errorf("%+v, want late after 5s", r)
		}
		fan.Drain(t.Context())
	})
}

func TestACompanionsOwnDeadlineMayBeShorter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		line := newLine(t, fanout.LineConfig{Asker: hangs, Deadline: 2 * time.Second})
		r := one(within(t, time.Minute), newFan(t), line)
		if r.Outcome != quorum.Late || r.Reason != "no answer before the deadline" || time.Since(begun) != 2*time.Second {
			t.Errorf("%+v after %v, want late after 2s", r, time.Since(begun))
		}
	})
}

func TestLingerHandsOverWhatComesAfterTheCut(t *testing.T) {
	type reply struct {
		seat    int
		outcome quorum.Outcome
		text    string
	}
	for _, tt := range []struct {
		name     string
		deadline time.Duration // of the request
		cut      time.Duration // when the gateway has heard enough; 0: at the deadline
		limit    time.Duration
		atCut    []quorum.Outcome
		late     []reply
	}{
		{"a verdict is fixed early and the panel is observed to its end", time.Minute, 2 * time.Second, time.Minute,
			[]quorum.Outcome{quorum.OK, quorum.Unneeded, quorum.Unneeded, quorum.Unneeded},
			[]reply{{1, quorum.OK, "b"}, {2, quorum.OK, "c"}, {3, quorum.Late, ""}}},
		{"a reply after the request's deadline is late and keeps its text", 4 * time.Second, 0, time.Minute,
			[]quorum.Outcome{quorum.OK, quorum.OK, quorum.Late, quorum.Late},
			[]reply{{2, quorum.Late, "c"}, {3, quorum.Late, ""}}},
		{"a reply in time for the deadline but not for the verdict is ok, one after it late", 4 * time.Second, 2 * time.Second, time.Minute,
			[]quorum.Outcome{quorum.OK, quorum.Unneeded, quorum.Unneeded, quorum.Unneeded},
			[]reply{{1, quorum.OK, "b"}, {2, quorum.Late, "c"}, {3, quorum.Late, ""}}},
		{"the limit ends those that would go on", time.Minute, 2 * time.Second, 2 * time.Second,
			[]quorum.Outcome{quorum.OK, quorum.Unneeded, quorum.Unneeded, quorum.Unneeded},
			[]reply{{1, quorum.OK, "b"}, {2, quorum.Late, ""}, {3, quorum.Late, ""}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fan := newFan(t)
				panel := panelOf(t, says("a", time.Second), says("b", 3*time.Second), says("c", 10*time.Second), hangs)
				var mu sync.Mutex
				scored := map[int]bool{}
				ctx := within(t, tt.deadline)
				round := fan.Ask(ctx, question, panel, func(seat int, _ *quorum.Reply) {
					mu.Lock()
					scored[seat] = true
					mu.Unlock()
				})
				defer round.Cancel()
				enough := make(<-chan time.Time)
				if tt.cut > 0 {
					enough = time.After(tt.cut)
				}
				for listening := true; listening; {
					select {
					case _, listening = <-round.Arrivals():
					case <-enough:
						listening = false
					case <-ctx.Done():
						listening = false
					}
				}
				var got []reply
				afters := 0
				round.Linger(tt.limit, func(late []int) {
					afters++
					for _, seat := range late {
						r := round.Final(seat)
						got = append(got, reply{seat, r.Outcome, r.Text})
					}
				})
				round.Linger(tt.limit, func([]int) { t.Error("a second Linger had an effect") })
				for seat, want := range tt.atCut {
					if r := round.Reply(seat); r.Outcome != want {
						t.Errorf("at the cut seat %d is %v, want %v", seat, r.Outcome, want)
					}
				}
				fan.Drain(t.Context())
				if afters != 1 || !slices.Equal(got, tt.late) {
					t.Errorf("after ran %d times and had %v, want %v", afters, got, tt.late)
				}
				for seat, want := range tt.atCut {
					if r := round.Reply(seat); r.Outcome != want || (r.Text == "") != (want != quorum.OK) {
						t.Errorf("a late reply changed seat %d: %+v", seat, r)
					}
				}
				for _, r := range tt.late {
					if scored[r.seat] != (r.text != "") {
						t.Errorf("seat %d: scored %v, has text %v", r.seat, scored[r.seat], r.text != "")
					}
				}
			})
		})
	}
}

func TestLingerWithNobodyOutSaysSoAtOnce(t *testing.T) {
	fan := newFan(t)
	for _, panel := range [][]*fanout.Line{nil, panelOf(t, says("a", 0))} {
		round := fan.Ask(t.Context(), question, panel, nil)
		all(round)
		calls := 0
		round.Linger(time.Hour, func(late []int) {
			calls++
			if len(late) != 0 {
				t.Errorf("late: %v", late)
			}
		})
		if calls != 1 {
			t.Errorf("panel of %d: after ran %d times before Linger returned", len(panel), calls)
		}
	}
}

func TestWhatArrivedBeforeTheCutCanBeReadAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fan := newFan(t)
		round := fan.Ask(t.Context(), question, panelOf(t, says("a", time.Second), says("b", time.Second), hangs), nil)
		<-time.After(2 * time.Second) // of the bubble's clock: both have arrived, nobody has looked
		round.Cancel()
		order := all(round)
		slices.Sort(order)
		if !slices.Equal(order, []int{0, 1}) || round.Reply(0).Text != "a" || round.Reply(1).Text != "b" || round.Reply(2).Outcome != quorum.Unneeded {
			t.Errorf("after the cut: %v", order)
		}
		fan.Drain(t.Context())
	})
}

func TestAPanicIsOneSeatsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fan := newFan(t)
		panel := panelOf(t,
			asker(func(context.Context, *quorum.Deliberation, *quorum.Reply) error { panic("adapter") }),
			says("scored badly", 0),
			says("fine", 0))
		round := fan.Ask(t.Context(), question, panel, func(seat int, _ *quorum.Reply) {
			if seat == 1 {
				panic("scorer")
			}
		})
		all(round)
		for seat, want := range []quorum.Outcome{quorum.Failed, quorum.Failed, quorum.OK} {
			r := round.Reply(seat)
			if r.Outcome != want || (want == quorum.Failed) != (r.Text == "" && r.Reason == "internal error") {
				t.Errorf("seat %d: %+v, want %v", seat, r, want)
			}
		}
		for _, line := range panel {
			if line.InFlight() != 0 {
				t.Errorf("%s: %d calls in flight after a panic", line.Companion(), line.InFlight())
			}
		}

		round = fan.Ask(t.Context(), question, panelOf(t, says("a", time.Second)), nil)
		round.Linger(time.Minute, func([]int) { panic("recorder") })
		fan.Drain(t.Context()) // returns: the panic went no further
	})
}

func TestDrainEndsWhatLingersWhenItsTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		fan := newFan(t)
		round := fan.Ask(t.Context(), question, panelOf(t, says("a", time.Second), hangs), nil)
		var outcomes []quorum.Outcome
		round.Linger(time.Hour, func(late []int) {
			for _, seat := range late {
				outcomes = append(outcomes, round.Final(seat).Outcome)
			}
		})
		fan.Drain(within(t, 5*time.Second))
		if took := time.Since(begun); took != 5*time.Second {
			t.Errorf("drained after %v, want 5s", took)
		}
		if !slices.Equal(outcomes, []quorum.Outcome{quorum.OK, quorum.Unneeded}) {
			t.Errorf("outcomes %v", outcomes)
		}
	})
}

// TestCutsRaceWithArrivals has replies and cuts meet in every order; the race
// detector and the invariants below are the judges.
func TestCutsRaceWithArrivals(t *testing.T) {
	fan := newFan(t)
	for i := range 300 {
		go1 := make(chan struct{})
		gated := asker(func(ctx context.Context, _ *quorum.Deliberation, r *quorum.Reply) error {
			select {
			case <-go1:
				r.Text = "a"
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		panel := panelOf(t, gated, gated, gated, gated, gated)
		round := fan.Ask(t.Context(), question, panel, func(int, *quorum.Reply) {})
		done := make(chan []int, 1)
		go close(go1)
		if i%2 == 0 {
			round.Cancel()
			done <- nil
		} else {
			round.Linger(time.Minute, func(late []int) { done <- late })
		}
		arrived := all(round)
		var at [5]quorum.Reply
		for seat := range panel {
			at[seat] = *round.Reply(seat)
			if in := slices.Contains(arrived, seat); in != (at[seat].Outcome == quorum.OK) {
				t.Fatalf("seat %d: arrived %v, outcome %v", seat, in, at[seat].Outcome)
			}
		}
		late := <-done
		if i%2 == 1 && len(late)+len(arrived) != len(panel) {
			t.Fatalf("%d arrived and %d came late, of %d", len(arrived), len(late), len(panel))
		}
		for seat := range panel {
			if *round.Reply(seat) != at[seat] {
				t.Fatalf("seat %d changed after the cut", seat)
			}
		}
	}
	fan.Drain(t.Context())
}

func TestWhoHasBeenHeardIsNotAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := asker(func(context.Context, *quorum.Deliberation, *quorum.Reply) error {
			t.Error("was asked again")
			return nil
		})
		panel := panelOf(t, never, says("new", time.Second), never)
		said := []*quorum.Reply{
			{Companion: "AUREA", Text: "old", Latency: 3 * time.Second, Attempts: 2}, nil,
			{Companion: "ZENITH", Outcome: quorum.Failed, Reason: "http 500", Attempts: 1},
		}
		var mu sync.Mutex
		read := map[int]string{}
		round := newFan(t).AskOthers(within(t, time.Minute), question, panel, said, func(seat int, r *quorum.Reply) {
			mu.Lock()
			defer mu.Unlock()
			read[seat] = r.Text
		})
		defer round.Cancel()
		if order := all(round); len(order) != 3 || order[2] != 1 {
			t.Errorf("arrivals %v", order)
		}
		if len(read) != 2 || read[0] != "old" || read[1] != "new" {
			t.Errorf("read %v", read)
		}
		if r := round.Reply(0); *r != *said[0] {
			t.Errorf("AUREA %+v, had said %+v", r, said[0])
		}
		if r := round.Reply(2); r.Outcome != quorum.Failed || r.Reason != "http 500" {
			t.Errorf("ZENITH %+v", r)
		}
	})
}
