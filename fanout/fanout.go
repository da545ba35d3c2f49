package fanout

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/kaizen-os/deliberation/quorum"
)

// Config is what a Fan reports to. Each may be nil: then it does not.
type Config struct {
	Tracer trace.Tracer
	Meter  metric.Meter
	Logger *slog.Logger
	// Redact gives a text without the personal data and secrets in it. What a
	// companion calls its model is not kept where that would change it.
	Redact func(string) string
}

// Fan asks panels. It is safe for concurrent use.
type Fan struct {
	telemetry
	log    *slog.Logger
	redact func(string) string

	lines atomic.Pointer[[]*Line] // that the gauges tell of
	calls sync.WaitGroup          // every seat's goroutine

	mu        sync.Mutex // guards what follows
	lingering map[*Round]struct{}
}

// New makes a Fan. It starts nothing.
func New(cfg Config) (*Fan, error) {
	f := &Fan{log: cfg.Logger, redact: cfg.Redact, lingering: map[*Round]struct{}{}}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	var err error
	f.telemetry, err = newTelemetry(cfg.Tracer, cfg.Meter, f.observe)
	return f, err
}

// Ask puts d to every line at once and returns at once. Seat i is panel[i]. The
// request's deadline is ctx's: a reply that comes after it is Late, and no wait
// for a companion's limits goes beyond it. But it is for the caller to watch ctx
// and to end the round (see [Round]); ctx's end by itself stops no call.
//
// each, which may be nil, is called with every reply that holds an answer, in
// its own companion's goroutine, before the seat arrives; also with replies that
// come after the cut of a round that lingers. It may keep r only to read it.
//
// Cost: one goroutine a companion.
func (f *Fan) Ask(ctx context.Context, d *quorum.Deliberation, panel []*Line, each func(seat int, r *quorum.Reply)) *Round {
	return f.AskOthers(ctx, d, panel, nil, each)
}

// AskOthers is Ask where some of the panel have been heard already: said[i], if it
// is not nil, is what panel[i] said, and stands without asking it again. A nil said
// is of a panel that nobody has heard.
func (f *Fan) AskOthers(ctx context.Context, d *quorum.Deliberation, panel []*Line, said []*quorum.Reply, each func(seat int, r *quorum.Reply)) *Round {
	now := time.Now()
	r := &Round{
		fan:      f,
		ctx:      ctx,
		d:        d,
		each:     each,
		begun:    now,
		seats:    make([]seat, len(panel)),
		arrivals: make(chan int, len(panel)),
		out:      len(panel),
	}
	if len(panel) == 0 {
		close(r.arrivals)
		return r
	}
	deadline, bounded := ctx.Deadline()
	if bounded {
		r.deadline = deadline
	}
	f.calls.Add(len(panel))
	for i, line := range panel {
		s := &r.seats[i]
		s.round, s.index, s.line, s.values = r, i, line, ctx
		s.hard = now.Add(line.cfg.Deadline)
		if said != nil {
			s.said = said[i]
		}
		s.due = s.hard
		if bounded && deadline.Before(s.due) {
			s.due = deadline
		}
		go s.run()
	}
	return r
}

// Drain waits until every call has ended. When ctx is done it ends those that
// linger and waits for the rest, which is short since their rounds have been
// cut. No Ask may begin once Drain is called.
func (f *Fan) Drain(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		f.mu.Lock()
		rounds := make([]*Round, 0, len(f.lingering))
		for r := range f.lingering {
			rounds = append(rounds, r)
		}
		f.mu.Unlock()
		for _, r := range rounds {
			r.endAll(errUnneeded)
		}
	})
	f.calls.Wait()
	stop()
}

func (f *Fan) lingers(r *Round) {
	f.mu.Lock()
	f.lingering[r] = struct{}{}
	f.mu.Unlock()
}

// lingered calls what waits for the end of a lingering round.
func (f *Fan) lingered(r *Round, late []int) {
	f.mu.Lock()
	delete(f.lingering, r)
	f.mu.Unlock()
	defer func() {
		if p := recover(); p != nil {
			f.panicked("", p)
		}
	}()
	r.after(late)
}
