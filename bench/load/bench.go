package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/gateway/wire"
)

// A Config says what Bench measures with.
type Config struct {
	Starters
	Short    bool          // a minute in place of eight
	Pace     time.Duration // of one measurement; 0 is 4 s, short 1 s
	Panels   []int         // of the matrix; nil is 1, 3, 5, 8, short 1, 5
	Delays   []sim.Latency // of its companions; nil is none, 20 ms, 60 ms
	Dir      string        // for the raw disk; where the gateway's data is
	Record   int           // bytes of one proof, for the raw disk; 0 is 4096
	Command  string        // as the user gave it, for the report
	Progress io.Writer     // a line as each part starts; nil is none
}

const (
	replyBytes    = 600 // of a companion's text; DESIGN §13
	focusPanel    = 5
	instantLoad   = 64  // clients in a closed loop on instant companions
	slowLoad      = 256 // and on those that take their time
	openRate      = 100 // requests a second in the open loop
	tailRate      = 40  // the same with heavy-tailed companions
	openClients   = 512
	defaultRecord = 4096
	longestWindow = time.Minute // that is still doubled when nothing ends in it
)

// Bench measures floor and gateway on this machine and compares them.
func Bench(ctx context.Context, cfg Config) (*Report, error) {
	b := &bench{Config: cfg, report: &Report{Machine: ThisMachine(), Command: cfg.Command, Short: cfg.Short}}
	if b.Pace == 0 {
		b.Pace = 4 * time.Second
		if b.Short {
			b.Pace = time.Second
		}
	}
	if b.Record == 0 {
		b.Record = defaultRecord
	}
	b.report.RecordBytes = b.Record
	for _, part := range []func(context.Context) error{b.focus, b.matrix, b.tails, b.disk} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	return b.report, nil
}

type bench struct {
	Config
	report *Report
}

func (b *bench) say(format string, args ...any) {
	if b.Progress != nil {
		// Progress is a courtesy: a measurement does not fail for it.
		_, _ = fmt.Fprintf(b.Progress, format+"\n", args...)
	}
}

// A Comparison is the gateway between two measurements of the floor, all under
// the same load.
type Comparison struct {
	Panel   int
	Latency sim.Latency // of the companions
	Clients int
	Rate    float64 // 0 is a closed loop

	Before, Gateway, After *Result // each with Processes: server, companions
	Mallocs, Bytes         float64 // the gateway's a deliberation; 0 if unknown
}

// floorPerSecond is the mean before and after.
func (c *Comparison) floorPerSecond() float64 {
	return (c.Before.PerSecond() + c.After.PerSecond()) / 2
}

func (c *Comparison) floorCPU() time.Duration { return (c.Before.CPU(0) + c.After.CPU(0)) / 2 }

// floorAt is the mean of a quantile before and after.
func (c *Comparison) floorAt(q func(Quantiles) time.Duration) time.Duration {
	return (q(c.Before.Total) + q(c.After.Total)) / 2
}

// rig is one panel running: companions, floor and gateway.
type rig struct {
	fleet          Fleet
	floor, gateway Target
	panel          int
}

func (b *bench) start(ctx context.Context, spec FleetSpec) (r *rig, err error) {
	r = &rig{panel: spec.Count}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.stop())
		}
	}()
	if r.fleet, err = b.Companions(ctx, spec); err != nil {
		return r, fmt.Errorf("load: start companions: %w", err)
	}
	var origins []string
	for _, c := range r.fleet.Companions {
		origins = append(origins, c.URL)
	}
	if r.floor, err = b.Floor(ctx, origins); err != nil {
		return r, fmt.Errorf("load: start floor: %w", err)
	}
	if r.gateway, err = b.Gateway(ctx, r.fleet.Companions); err != nil {
		return r, fmt.Errorf("load: start gateway: %w", err)
	}
	return r, nil
}

// stop ends what runs, the gateway first: it would miss its companions.
func (r *rig) stop() error {
	var errs []error
	for _, stop := range []func() error{r.gateway.Stop, r.floor.Stop, r.fleet.Stop} {
		if stop != nil {
			errs = append(errs, stop())
		}
	}
	return errors.Join(errs...)
}

// run puts load on one of the rig's servers. A window in which nothing ended at
// all, neither well nor badly, was too short for this machine: it is doubled.
func (b *bench) run(ctx context.Context, r *rig, t Target, clients int, rate float64, duration time.Duration) (*Result, error) {
	for {
		result, err := Run(ctx, Plan{
			URL: t.URL + "/v1/deliberate", Key: t.Key, Bodies: textRequests(r.panel), Clients: clients, Rate: rate,
			// Long enough to open connections and fill pools.
			Warmup: min(duration/4, 500*time.Millisecond), Duration: duration, Pids: []int{t.Pid, r.fleet.Pid},
		})
		if err != nil {
			return nil, fmt.Errorf("load: %s: %w", t.Name, err)
		}
		if result.OK+result.Failed() > 0 || duration > longestWindow {
			return result, nil
		}
		duration *= 2
	}
}

// compare measures floor, gateway, floor: if the machine changes its mind, the
// two floors show it.
func (b *bench) compare(ctx context.Context, r *rig, latency sim.Latency, clients int, rate float64, duration time.Duration) (*Comparison, error) {
	c := &Comparison{Panel: r.panel, Latency: latency, Clients: clients, Rate: rate}
	var err error
	if c.Before, err = b.run(ctx, r, r.floor, clients, rate, duration/2); err != nil {
		return nil, err
	}
	var before allocations
	if r.gateway.Metrics != "" {
		if before, err = scrape(r.gateway.Metrics); err != nil {
			return nil, err
		}
	}
	if c.Gateway, err = b.run(ctx, r, r.gateway, clients, rate, duration); err != nil {
		return nil, err
	}
	if r.gateway.Metrics != "" {
		after, err := scrape(r.gateway.Metrics)
		if err != nil {
			return nil, err
		}
		if n := float64(c.Gateway.Sent); n > 0 {
			c.Mallocs, c.Bytes = (after.objects-before.objects)/n, (after.bytes-before.bytes)/n
		}
	}
	if c.After, err = b.run(ctx, r, r.floor, clients, rate, duration/2); err != nil {
		return nil, err
	}
	if c.Before.OK == 0 || c.Gateway.OK == 0 || c.After.OK == 0 {
		return nil, fmt.Errorf("load: panel of %d: nothing was answered (floor: %s; gateway: %s)",
			r.panel, c.Before.ErrorSummary(), c.Gateway.ErrorSummary())
	}
	return c, nil
}

// focus measures the panel of five that the goals are set for.
func (b *bench) focus(ctx context.Context) error {
	instant, slow := sim.Latency{}, sim.Fixed(20*time.Millisecond)
	for _, scenario := range []struct {
		name    string
		latency sim.Latency
		clients int
		rate    float64
		paces   time.Duration
		into    **Comparison
	}{
		{"one client, instant companions", instant, 1, 0, 2, &b.report.Single},
		{"64 clients, instant companions", instant, instantLoad, 0, 2, &b.report.Instant},
		{"256 clients, 20 ms companions", slow, slowLoad, 0, 2, &b.report.Slow},
		{"100 requests a second, 20 ms companions", slow, openClients, openRate, 4, &b.report.Paced},
	} {
		single := scenario.into == &b.report.Single
		if single {
			if err := b.rawSet(ctx, &b.report.RawSets[0]); err != nil {
				return err
			}
		}
		b.say("panel of %d, %s", focusPanel, scenario.name)
		err := b.rigged(ctx, FleetSpec{Count: focusPanel, Fixed: replyBytes, Latency: scenario.latency}, func(r *rig) (err error) {
			*scenario.into, err = b.compare(ctx, r, scenario.latency, scenario.clients, scenario.rate, scenario.paces*b.Pace)
			return err
		})
		if err == nil && single {
			err = b.rawSet(ctx, &b.report.RawSets[1])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rawSet measures the synced set that the single client's run is held against.
func (b *bench) rawSet(ctx context.Context, into *Quantiles) (err error) {
	b.say("raw Pebble, one synced set of %d bytes at a time", b.Record)
	*into, err = SyncedSets(ctx, b.Dir, b.Record, b.Pace/2)
	return err
}

func (b *bench) rigged(ctx context.Context, spec FleetSpec, measure func(*rig) error) error {
	r, err := b.start(ctx, spec)
	if err != nil {
		return err
	}
	return errors.Join(measure(r), r.stop())
}

// matrix measures panels against latencies, each in both loops.
func (b *bench) matrix(ctx context.Context) error {
	panels, delays, pace := []int{1, 3, 5, 8}, b.Delays, b.Pace
	if b.Short {
		panels, pace = []int{1, 5}, b.Pace/2
	}
	if b.Panels != nil {
		panels = b.Panels
	}
	if delays == nil {
		delays = []sim.Latency{{}, sim.Fixed(20 * time.Millisecond), sim.Fixed(60 * time.Millisecond)}
	}
	for _, latency := range delays {
		for _, panel := range panels {
			b.say("panel of %d, companions take %v", panel, latency)
			err := b.rigged(ctx, FleetSpec{Count: panel, Fixed: replyBytes, Latency: latency}, func(r *rig) error {
				clients := slowLoad
				if latency == (sim.Latency{}) {
					clients = instantLoad
				}
				closed, err := b.compare(ctx, r, latency, clients, 0, pace)
				if err != nil {
					return err
				}
				open, err := b.compare(ctx, r, latency, openClients, openRate, pace)
				b.report.Matrix = append(b.report.Matrix, Cell{closed, open})
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// A Tail is how one way of waiting fares with heavy-tailed companions.
type Tail struct {
	Wait    string
	Result  *Result
	Slowest Quantiles // of each deliberation's slowest reply that was heard
	Heard   float64   // share of the panel that was
}

// tails measures ways of waiting on companions of which one in a hundred
// replies takes a second.
func (b *bench) tails(ctx context.Context) error {
	b.report.TailLatency = sim.Lognormal(60*time.Millisecond, time.Second)
	duration := 5 * b.Pace
	for _, wait := range []string{"all", "decided", "likely"} {
		b.say("panel of %d, companions take %v, wait %s", focusPanel, b.report.TailLatency, wait)
		spec := FleetSpec{Count: focusPanel, Latency: b.report.TailLatency, Seed: 1}
		err := b.rigged(ctx, spec, func(r *rig) error {
			heard := &listener{slowest: NewLatencies()}
			result, err := Run(ctx, Plan{
				URL: r.gateway.URL + "/v1/deliberate", Key: r.gateway.Key, Bodies: numberRequests(wait),
				Clients: openClients, Rate: tailRate, Warmup: b.Pace / 4, Duration: duration,
				Pids: []int{r.gateway.Pid, r.fleet.Pid}, Inspect: heard.inspect,
			})
			if err != nil {
				return err
			}
			b.report.Tails = append(b.report.Tails, Tail{wait, result, heard.slowest.Quantiles(), heard.share()})
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// listener reads from replies which companions were heard.
type listener struct {
	slowest     *Latencies
	mu          sync.Mutex
	heard, seen int // ballots; guarded by mu
}

func (l *listener) inspect(body []byte) {
	var d wire.Deliberation
	if err := d.Decode(body); err != nil {
		return // counted among the heard of none
	}
	slowest, heard := int64(-1), 0
	for i := range d.Ballots {
		if d.Ballots[i].Outcome == "ok" {
			slowest = max(slowest, d.Ballots[i].LatencyMs)
			heard++
		}
	}
	if slowest >= 0 {
		l.slowest.Record(time.Duration(slowest) * time.Millisecond)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard += heard
	l.seen += len(d.Ballots)
}

func (l *listener) share() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == 0 {
		return 0
	}
	return float64(l.heard) / float64(l.seen)
}

// A Batch is the throughput of raw synced batches.
type Batch struct {
	Size      int
	PerSecond float64 // values, not batches
}

// disk measures what the ledger stands on.
func (b *bench) disk(ctx context.Context) error {
	for _, size := range []int{1, 16, 64, 256} {
		b.say("raw Pebble, synced batches of %d", size)
		perSecond, err := SyncedBatches(ctx, b.Dir, b.Record, size, b.Pace/2)
		if err != nil {
			return err
		}
		b.report.RawBatches = append(b.report.RawBatches, Batch{size, perSecond})
	}
	return nil
}

// subjects make prompts differ, so that nothing can live off a cache.
var subjects = [...]string{
	"a small town's bus lines", "the archive of a newspaper", "a school's timetable", "the irrigation of an orchard",
	"a hospital's night shifts", "a library's opening hours", "the lighting of a park", "a ferry's winter service",
}

// textRequests are 64 different ones that ask everyone and wait for all. A
// panel of one asks at research tier, where one approval is enough.
func textRequests(panel int) [][]byte {
	tier := "standard"
	if panel < 2 {
		tier = "research"
	}
	var bodies [][]byte
	for i := range 64 {
		prompt := fmt.Sprintf("Case %d: how should one go about improving %s when the budget is %d thousand and the people who depend on it must not notice the change for a while?",
			i, subjects[i%len(subjects)], 10+7*i)
		bodies = append(bodies, fmt.Appendf(nil, `{"prompt":%q,"context":{"tier":%q},"kind":"text","wait":"all"}`, prompt, tier))
	}
	return bodies
}

// numberRequests are 256 sums, of a kind whose outcome can be known early.
func numberRequests(wait string) [][]byte {
	var bodies [][]byte
	for i := range 256 {
		bodies = append(bodies, fmt.Appendf(nil, `{"prompt":"What is %d * %d?","context":{"tier":"standard"},"kind":"number","wait":%q,"include":["ballots"]}`,
			13+i, 7+i%11, wait))
	}
	return bodies
}
