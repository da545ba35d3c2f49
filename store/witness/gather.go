package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/store/ledger"
)

// Defaults of GathererConfig, and bounds.
const (
	DefaultEvery   = time.Second
	DefaultWindow  = time.Second
	DefaultTimeout = 10 * time.Second

	// MaxWitnesses is how many witnesses a ledger can have: with its own signature
	// that makes 16, which every verifier of signed notes takes.
	MaxWitnesses = 15

	firstPause = time.Second
	maxPause   = time.Minute
	// warnEvery is how often a witness that keeps failing is told of.
	warnEvery = 10 * time.Minute
)

// A Peer is a witness that a ledger has.
type Peer struct {
	Key Verifier
	URL string // its submission prefix
}

// GathererConfig says whose cosignatures to gather.
type GathererConfig struct {
	Ledger *ledger.Ledger // opened Witnessed, and closed after the Gatherer
	Peers  []Peer         // 1 to MaxWitnesses; their cosignatures stand in this order

	Every   time.Duration // between two rounds; zero is 1 s
	Window  time.Duration // how long a round waits for its answers; zero is 1 s
	Timeout time.Duration // of one submission, a late one's too; zero is 10 s

	Transport http.RoundTripper // nil makes one
	Clock     func() time.Time  // nil is time.Now
	Logger    *slog.Logger      // nil discards
	Meter     metric.Meter      // nil measures nothing
}

// A Gatherer has a ledger's witnesses cosign its head, and publishes it with their
// cosignatures.
type Gatherer struct {
	cfg       GathererConfig
	log       *slog.Logger
	seats     []*seat
	transport *http.Transport // ours to close; nil if it was given
	telemetry *telemetry

	// The goroutine's own.
	results chan result
	rounds  int
	open    *round // under way, or nil
	shown   round  // published
	stuck   bool   // the last Publish failed

	cancel  context.CancelFunc
	asking  sync.WaitGroup
	done    chan struct{}
	closing sync.Once
}

// A seat is one witness, as the Gatherer's goroutine keeps it.
type seat struct {
	client *Client
	name   string
	busy   bool      // a submission is under way; client is its own until then
	due    time.Time // not to be asked before
	pause  time.Duration
	warned warning

	// For telemetry, which reads them at any time.
	size atomic.Uint64 // of the last checkpoint cosigned here
	at   atomic.Int64  // when: seconds since 1970, the witness's; zero if never
}

// A warning remembers what was last told of a witness.
type warning struct {
	class  Class
	at     time.Time
	missed int // failures since
}

// A round is one checkpoint and what has been gathered for it.
type round struct {
	size uint64
	note []byte           // signed by the ledger alone
	sigs []note.Signature // by seat; one without a name is not there
}

// A result is one submission's.
type result struct {
	seat  int
	round int // in which it was asked for
	size  uint64
	sig   note.Signature
	err   error
}

// NewGatherer starts to gather. The first round is at once.
func NewGatherer(cfg GathererConfig) (*Gatherer, error) {
	if cfg.Ledger == nil || len(cfg.Peers) == 0 || len(cfg.Peers) > MaxWitnesses {
		return nil, fmt.Errorf("witnesses: want a ledger and 1 to %d witnesses, there are %d", MaxWitnesses, len(cfg.Peers))
	}
	for _, d := range []struct {
		field  *time.Duration
		absent time.Duration
	}{{&cfg.Every, DefaultEvery}, {&cfg.Window, DefaultWindow}, {&cfg.Timeout, DefaultTimeout}} {
		if *d.field <= 0 {
			*d.field = d.absent
		}
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Gatherer{cfg: cfg, log: cfg.Logger, results: make(chan result, len(cfg.Peers)), done: make(chan struct{})}
	if cfg.Transport == nil {
		g.transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        90 * time.Second,
			TLSHandshakeTimeout:    cfg.Timeout,
			MaxResponseHeaderBytes: 16 << 10,
			ForceAttemptHTTP2:      true,
		}
		g.cfg.Transport = g.transport
	}
	for _, p := range cfg.Peers {
		g.seats = append(g.seats, &seat{client: NewClient(p.Key, p.URL, g.cfg.Transport, cfg.Clock), name: p.Key.name})
	}
	if err := g.resume(); err != nil {
		return nil, err
	}
	var err error
	if g.telemetry, err = newTelemetry(cfg.Meter, g); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	go g.run(ctx)
	return g, nil
}

// resume takes over what is published, with the cosignatures that are on it.
func (g *Gatherer) resume() error {
	published := g.cfg.Ledger.Published()
	c, err := readCheckpoint(published)
	if err != nil {
		return fmt.Errorf("witnesses: the published checkpoint: %w", err)
	}
	own, err := signatures(published, note.VerifierList(g.cfg.Ledger.Verifier()))
	if err != nil {
		return fmt.Errorf("witnesses: the published checkpoint: %w", err)
	}
	g.shown = g.newRound(c.size, appendLine([]byte(c.text+"\n"), own[0]))
	for i, s := range g.seats {
		key := s.client.key
		if sigs, err := signatures(published, note.VerifierList(key)); err == nil {
			g.shown.sigs[i] = sigs[0]
			s.client.cosigned = c.size
			s.size.Store(c.size)
			s.at.Store(signedAt(sigs[0]).Unix())
		}
	}
	return nil
}

func (g *Gatherer) newRound(size uint64, signed []byte) round {
	return round{size: size, note: signed, sigs: make([]note.Signature, len(g.seats))}
}

// run is the Gatherer's goroutine.
func (g *Gatherer) run(ctx context.Context) {
	defer close(g.done)
	ticker := time.NewTicker(g.cfg.Every)
	defer ticker.Stop()
	for {
		g.gather(ctx)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				waiting = false
			case r := <-g.results:
				if g.settle(r) {
					g.publish(&g.shown)
				}
			}
		}
	}
}

// gather is one round: it asks every witness that is free and due to cosign the
// newest head, and publishes that when they have answered or the window is over.
// What is under way then goes on, and is added when it comes.
func (g *Gatherer) gather(ctx context.Context) {
	signed := g.cfg.Ledger.Checkpoint()
	c, err := readCheckpoint(signed)
	if err != nil {
		panic("bug: the ledger's checkpoint: " + err.Error())
	}
	if c.size == 0 {
		return // nothing to vouch for
	}
	grown := c.size > g.shown.size
	next := g.newRound(c.size, signed)
	if !grown {
		next = g.shown // for the cosignatures that it lacks
	}
	g.rounds++
	asked := 0
	now := time.Now() // for pauses the machine's own clock, which is never set
	for i, s := range g.seats {
		if s.busy || now.Before(s.due) || next.sigs[i].Name != "" {
			continue
		}
		s.busy = true
		asked++
		serial := g.rounds
		g.asking.Go(func() { g.results <- g.ask(ctx, i, serial, next.size, next.note) }) // has room: one a seat
	}
	if !grown && asked == 0 {
		return
	}
	g.open = &next
	defer func() { g.open = nil }()
	window := time.NewTimer(g.cfg.Window)
	defer window.Stop()
	gained := false
	for over := false; asked > 0 && !over; {
		select {
		case r := <-g.results:
			gained = g.settle(r) || gained
			if r.round == g.rounds {
				asked--
			}
		case <-window.C:
			over = true
		case <-ctx.Done():
			return
		}
	}
	if grown || gained {
		g.publish(&next)
	}
}

// ask is one submission, in a goroutine of its own.
func (g *Gatherer) ask(ctx context.Context, seat, round int, size uint64, signed []byte) result {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Timeout)
	defer cancel()
	sig, err := g.seats[seat].client.Cosign(ctx, g.cfg.Ledger, signed)
	return result{seat, round, size, sig, err}
}

// settle notes what came of a submission. It reports whether what is to be
// published, or is, gains a cosignature by it.
func (g *Gatherer) settle(r result) bool {
	s := g.seats[r.seat]
	s.busy = false
	now := time.Now()
	if r.err != nil {
		g.failed(s, r.err, now)
		return false
	}
	s.due, s.pause = time.Time{}, 0
	s.size.Store(r.size)
	s.at.Store(signedAt(r.sig).Unix())
	if s.warned.class != "" {
		g.log.Info("witness cosigns again", "witness", s.name, "failures", s.warned.missed)
		s.warned = warning{}
	}
	current := &g.shown
	if g.open != nil {
		current = g.open
	}
	if r.size != current.size {
		return false // of what nobody is shown any more, or soon will not be
	}
	current.sigs[r.seat] = r.sig
	return true
}

// failed has a witness wait before it is asked again, and tells of it: at once
// when it is a new kind of failure, and now and then while it goes on.
func (g *Gatherer) failed(s *seat, err error, now time.Time) {
	if errors.Is(err, context.Canceled) {
		return // by Close
	}
	class := Unreachable
	if e := (*Error)(nil); errors.As(err, &e) {
		class = e.Class
	}
	g.telemetry.failed(s.name, class)
	s.pause = min(max(2*s.pause, firstPause), maxPause)
	grave := class == RolledBack || class == Forked
	if grave {
		s.pause = maxPause // it does not pass by itself
	}
	s.due = now.Add(s.pause)

	s.warned.missed++
	if s.warned.class == class && now.Sub(s.warned.at) < warnEvery {
		return
	}
	level, message := slog.LevelWarn, "no cosignature from a witness"
	if grave {
		level, message = slog.LevelError, "a witness contradicts this ledger"
	}
	g.log.Log(context.Background(), level, message, "witness", s.name, "class", string(class), "failures", s.warned.missed, "error", err)
	s.warned.class, s.warned.at = class, now
}

// publish shows r with the cosignatures it has.
func (g *Gatherer) publish(r *round) {
	cosigned := bytes.Clone(r.note)
	for _, sig := range r.sigs {
		if sig.Name != "" {
			cosigned = appendLine(cosigned, sig)
		}
	}
	if err := g.cfg.Ledger.Publish(cosigned); err != nil {
		if !g.stuck { // once: it is tried again every second
			g.log.Error("checkpoint not published", "size", r.size, "error", err)
		}
		g.stuck = true
		return
	}
	g.stuck = false
	g.shown = *r
}

// Close ends the goroutine and what is under way. It does not publish.
func (g *Gatherer) Close() (err error) {
	g.closing.Do(func() {
		g.cancel()
		<-g.done
		g.asking.Wait()
		if g.transport != nil {
			g.transport.CloseIdleConnections()
		}
		err = g.telemetry.close()
	})
	return err
}
