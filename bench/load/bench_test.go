package load

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/bench/floor"
	"github.com/kaizen-os/deliberation/bench/sim"
)

func entries(dir string) (names []string, err error) {
	found, err := os.ReadDir(dir)
	for _, f := range found {
		names = append(names, f.Name())
	}
	return names, err
}

// inProcess starts everything in the test's own process. Its gateway is a floor
// behind a server that answers in the gateway's shape.
func inProcess(t *testing.T) Starters {
	return Starters{
		Companions: func(_ context.Context, spec FleetSpec) (Fleet, error) {
			s, err := sim.Start(sim.Config{Companions: spec.Companions(), Seed: spec.Seed})
			if err != nil {
				return Fleet{}, err
			}
			return Fleet{s.Endpoints(), os.Getpid(), s.Close}, nil
		},
		Floor: func(_ context.Context, origins []string) (Target, error) {
			s, err := floor.Start(floor.Config{Companions: origins})
			if err != nil {
				return Target{}, err
			}
			return Target{Name: "floor", URL: s.URL(), Pid: os.Getpid(), Stop: s.Close}, nil
		},
		Gateway: func(_ context.Context, panel []sim.Endpoint) (Target, error) {
			metrics := 0
			url := serve(t, func(ctx *fasthttp.RequestCtx) {
				if string(ctx.Path()) == "/metrics" {
					metrics++ // one scrape at a time
					ctx.SetBodyString("go_memstats_mallocs_total " + strings.Repeat("9", metrics) + "\ngo_memstats_alloc_bytes_total 1\n")
					return
				}
				var ballots []string
				for range panel {
					ballots = append(ballots, `{"outcome":"ok","latencyMs":7}`)
				}
				ballots[0] = `{"outcome":"unneeded","latencyMs":0}`
				ctx.SetBodyString(`{"id":"dlb_1","status":"carried","answer":"x","ballots":[` + strings.Join(ballots, ",") + `],"timing":{"totalMs":1,"waitMs":0.5,"overheadMs":0.5}}`)
			})
			return Target{Name: "gateway", URL: url, Pid: os.Getpid(), Metrics: url + "/metrics"}, nil
		},
	}
}

func TestBench(t *testing.T) {
	var progress strings.Builder
	report, err := Bench(t.Context(), Config{
		Starters: inProcess(t), Short: true, Pace: 120 * time.Millisecond, Dir: t.TempDir(), Record: 500,
		Panels: []int{1, 5}, Delays: []sim.Latency{{}},
		Command: "make bench", Progress: &progress,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Matrix) != 2 || len(report.Tails) != 3 || len(report.RawBatches) != 4 || report.RawSets[0].N == 0 || report.RawSets[1].N == 0 {
		t.Fatalf("%d cells, %d tails, %d batches, %d sets", len(report.Matrix), len(report.Tails), len(report.RawBatches), report.RawSets[0].N)
	}
	for _, c := range []*Comparison{report.Single, report.Instant, report.Slow, report.Paced} {
		if c.Panel != 5 || c.Before.OK == 0 || c.Gateway.OK == 0 || c.After.OK == 0 || c.Gateway.Failed() != 0 {
			t.Errorf("%s: %+v", c.load(), c)
		}
	}
	if report.Instant.Mallocs <= 0 {
		t.Error("allocations were not measured")
	}
	for _, tail := range report.Tails {
		if tail.Heard < 0.79 || tail.Heard > 0.81 || tail.Slowest.P50 < 6900*time.Microsecond || tail.Slowest.P50 > 7100*time.Microsecond {
			t.Errorf("wait %s: heard %v, slowest %+v", tail.Wait, tail.Heard, tail.Slowest)
		}
	}
	if goals := report.Goals(); len(goals) != 7 {
		t.Errorf("%d goals", len(goals))
	}
	var text, markdown strings.Builder
	if err := errors.Join(report.WriteText(&text), report.WriteMarkdown(&markdown)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"command: make bench", report.Machine.CPU, "short run", "Goals, panel of 5", "256 clients, 20ms", "100/s open", "lognormal:60ms,1s", "batches of 64"} {
		if !strings.Contains(text.String(), want) || !strings.Contains(markdown.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, text.String())
		}
	}
	for line := range strings.Lines(markdown.String()) {
		if strings.HasPrefix(line, "|") && !strings.HasSuffix(line, "|\n") {
			t.Errorf("a broken table row: %s", line)
		}
	}
	if !strings.Contains(progress.String(), "wait likely") {
		t.Errorf("progress %q", progress.String())
	}
}

func TestBenchFails(t *testing.T) {
	broken := errors.New("no gateway today")
	stopped := 0
	cfg := Config{Starters: inProcess(t), Pace: 20 * time.Millisecond, Dir: t.TempDir()}
	start := cfg.Companions
	cfg.Companions = func(ctx context.Context, spec FleetSpec) (Fleet, error) {
		fleet, err := start(ctx, spec)
		stop := fleet.Stop
		fleet.Stop = func() error { stopped++; return stop() }
		return fleet, err
	}
	cfg.Gateway = func(context.Context, []sim.Endpoint) (Target, error) { return Target{}, broken }
	if _, err := Bench(t.Context(), cfg); !errors.Is(err, broken) || stopped != 1 {
		t.Errorf("%v, companions stopped %d times", err, stopped)
	}
	cfg.Gateway = func(context.Context, []sim.Endpoint) (Target, error) {
		url := serve(t, func(ctx *fasthttp.RequestCtx) { ctx.Error("no", 503) })
		return Target{Name: "gateway", URL: url}, nil
	}
	if _, err := Bench(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "status 503") {
		t.Errorf("a gateway that answers nothing: %v", err)
	}
}

func TestGoals(t *testing.T) {
	for _, tt := range []struct {
		goal Goal
		want string
	}{
		{Goal{Measured: 0.71, Goal: 0.5, Stretch: 0.7, AtLeast: true}, "stretch"},
		{Goal{Measured: 0.5, Goal: 0.5, Stretch: 0.7, AtLeast: true}, "goal"},
		{Goal{Measured: 0.49, Goal: 0.5, Stretch: 0.7, AtLeast: true}, "missed"},
		{Goal{Measured: 1.9, Goal: 2.7, Stretch: 1.9}, "stretch"},
		{Goal{Measured: 2.0, Goal: 2.7, Stretch: 1.9}, "goal"},
		{Goal{Measured: 2.8, Goal: 2.7, Stretch: 1.9}, "missed"},
		{Goal{Measured: -0.1, Goal: 0.2, Stretch: 0.1, Unit: "ms"}, "unclear"},
	} {
		if got := tt.goal.Reached(); got != tt.want {
			t.Errorf("%+v reached %s, want %s", tt.goal, got, tt.want)
		}
	}
}

func TestFleetSpec(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range (FleetSpec{Count: 20, Fixed: 600, Latency: sim.Fixed(time.Millisecond)}).Companions() {
		if seen[string(c.ID)] || seen[c.Family] || !c.ID.Valid() || c.Fixed != 600 {
			t.Errorf("companion %+v", c)
		}
		seen[string(c.ID)], seen[c.Family] = true, true
	}
}
