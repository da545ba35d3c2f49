package fanout_test

import (
	"context"
	"testing"
	"time"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/quorum"
)

// asker is a companion in this process, for tests of time and order in which
// the network has no part.
type asker func(ctx context.Context, d *quorum.Deliberation, r *quorum.Reply) error

func (a asker) Ask(ctx context.Context, d *quorum.Deliberation, r *quorum.Reply) error {
	return a(ctx, d, r)
}

// says answers after a while.
func says(text string, after time.Duration) asker {
	return func(ctx context.Context, _ *quorum.Deliberation, r *quorum.Reply) error {
		timer := time.NewTimer(after)
		defer timer.Stop()
		select {
		case <-timer.C:
			r.Text = text
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hangs never answers.
var hangs = asker(func(ctx context.Context, _ *quorum.Deliberation, _ *quorum.Reply) error {
	<-ctx.Done()
	return ctx.Err()
})

// fails answers with err.
func fails(err error) asker {
	return func(context.Context, *quorum.Deliberation, *quorum.Reply) error { return err }
}

func newFan(t testing.TB) *fanout.Fan {
	t.Helper()
	fan, err := fanout.New(fanout.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return fan
}

func newLine(t testing.TB, cfg fanout.LineConfig) *fanout.Line {
	t.Helper()
	if cfg.Companion == "" {
		cfg.Companion = "AUREA"
	}
	line, err := fanout.NewLine(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func panelOf(t testing.TB, askers ...asker) []*fanout.Line {
	t.Helper()
	names := []quorum.CompanionID{"AUREA", "ATLAS", "ZENITH", "JADE", "EVE", "SOLARA", "ZEUS", "HERMES"}
	var panel []*fanout.Line
	for i, a := range askers {
		panel = append(panel, newLine(t, fanout.LineConfig{Companion: names[i], Asker: a, Model: "sim-1"}))
	}
	return panel
}

// all waits for every seat and returns the order in which they came.
func all(r *fanout.Round) (order []int) {
	for seat := range r.Arrivals() {
		order = append(order, seat)
	}
	return order
}

// one asks one line and waits for its reply or the end of ctx.
func one(ctx context.Context, fan *fanout.Fan, line *fanout.Line) *quorum.Reply {
	round := fan.Ask(ctx, question, []*fanout.Line{line}, nil)
	select {
	case <-round.Arrivals():
	case <-ctx.Done():
	}
	round.Cancel()
	return round.Reply(0)
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}
