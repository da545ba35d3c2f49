package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/singleflight"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring"
	"github.com/kaizen-os/deliberation/scoring/charter"
	"github.com/kaizen-os/deliberation/scoring/run"
	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/vault"
)

// Config is what a Gateway is built from. The ledger must have been opened with
// Book.Fold. The gateway closes none of it.
type Config struct {
	Book   *Book
	Ledger *ledger.Ledger
	Vault  *vault.Vault
	Fan    *fanout.Fan
	Scorer *scoring.Scorer
	Tracer trace.Tracer // nil: no spans
	Meter  metric.Meter // nil: no metrics
	Logger *slog.Logger // nil discards

	// Runner runs what companions answer to a question of kind code. Nil: nothing
	// is run, and code is decided by what its companions have earned.
	Runner *run.Runner

	StewardKey [32]byte // SHA-256 of the key in steward.key
	InFlight   int      // deliberations at once; zero is DefaultInFlight
	BodyBytes  int      // the largest request body; zero is DefaultBodyBytes

	Heartbeat time.Duration // how long a stream is silent at most; zero is DefaultHeartbeat

	// SampleKey is what the replies that external judges are asked about by chance are
	// drawn with. Whoever has it can draw again; companions must not have it.
	SampleKey [32]byte

	// BackupDir is where the copy that a backup sends lies meanwhile: a folder of
	// the gateway's own, best on the stores' file system, which then need not copy
	// their tables. New removes what is in it. "" serves no backups.
	BackupDir string
}

// Settings is what may change while the gateway runs.
type Settings struct {
	Seats       []Seat
	Clients     []Client
	Judges      []*Judge       // external ones, at most quorum.MaxJudges; none: nothing is asked beside the rules in the process
	Policy      *quorum.Policy // the operator's
	PromptBytes int            // zero is the protocol's default
	MaxDeadline time.Duration  // the most a request may ask for; zero is the protocol's default
}

// DefaultBodyBytes is the largest request body unless configured (DESIGN §2.1).
const DefaultBodyBytes = 1 << 20

const contentJSON = "application/json"

// A Gateway serves deliberations. Its methods are safe for concurrent use.
type Gateway struct {
	book          *Book
	ledger        *ledger.Ledger
	vault         *vault.Vault
	fan           *fanout.Fan
	scorer        *scoring.Scorer
	runner        *run.Runner             // nil for none
	runnerFailed  atomic.Int64            // when it was last logged, in seconds
	handler       fasthttp.RequestHandler // of every route
	mcp           fasthttp.RequestHandler // of one of them
	charterDigest [32]byte
	redactor      *charter.Redactor
	log           *slog.Logger
	telemetry     *telemetry
	admission     *admission
	cache         *cache
	opinions      *opinions
	sampleKey     [32]byte
	judgesEnd     context.Context // done when a drain has no more time for judges
	endJudges     context.CancelFunc
	erasing       singleflight.Group // erasures, by deliberation
	calibrating   chan struct{}      // held by the one calibration at work
	backups       backups
	heartbeat     time.Duration
	steward       [32]byte
	server        *fasthttp.Server
	listeners     listeners

	view       atomic.Pointer[view]
	settings   sync.Mutex     // held while settings are applied, one at a time
	background sync.WaitGroup // completions and cache hits being recorded
	bundling   chan struct{}  // held by who puts an entry bundle together
	draining   atomic.Bool    // Shutdown has begun: nobody should send more
	leaving    chan struct{}  // closed with it: what takes long gives up
	stop       chan struct{}  // closed when the gateway drains
	stopping   sync.Once      // Shutdown
}

// A view is the configuration in force. It is immutable and replaced whole.
type view struct {
	version uint64
	lines   map[quorum.CompanionID]*fanout.Line
	callers *callers
	limits  wire.Limits
	jury    *jury // nil for none
}

// New builds a Gateway. It serves nothing until Apply has given it its settings.
func New(cfg Config) (*Gateway, error) {
	if cfg.Book == nil || cfg.Ledger == nil || cfg.Vault == nil || cfg.Fan == nil || cfg.Scorer == nil {
		return nil, errors.New("gateway: book, ledger, vault, fan and scorer are required")
	}
	if cfg.InFlight == 0 {
		cfg.InFlight = DefaultInFlight
	}
	if cfg.BodyBytes == 0 {
		cfg.BodyBytes = DefaultBodyBytes
	}
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = DefaultHeartbeat
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{
		book: cfg.Book, ledger: cfg.Ledger, vault: cfg.Vault, fan: cfg.Fan, scorer: cfg.Scorer, runner: cfg.Runner, charterDigest: cfg.Scorer.Charter().Digest(),
		redactor: cfg.Scorer.Charter().Redactor(), log: cfg.Logger, admission: newAdmission(cfg.InFlight), steward: cfg.StewardKey, stop: make(chan struct{}),
		sampleKey: cfg.SampleKey, leaving: make(chan struct{}), calibrating: make(chan struct{}, 1), bundling: make(chan struct{}, maxBundles),
	}
	g.backups.dir, g.heartbeat = cfg.BackupDir, cfg.Heartbeat
	if cfg.BackupDir != "" {
		// What a killed process left there: it may hold texts that are to be erased.
		if err := os.RemoveAll(cfg.BackupDir); err != nil {
			return nil, fmt.Errorf("remove what is left of a backup: %w", err)
		}
	}
	var err error
	if g.telemetry, err = newTelemetry(cfg.Tracer, cfg.Meter, g); err != nil {
		return nil, err
	}
	if g.cache, err = newCache(); err != nil {
		return nil, err
	}
	if g.opinions, err = newOpinions(); err != nil {
		return nil, err
	}
	g.judgesEnd, g.endJudges = context.WithCancel(context.Background())
	g.mcp, g.handler = g.newMCP(), g.routes().Handler
	g.server = g.newServer(cfg.BodyBytes)
	g.background.Go(g.recordHits)
	return g, nil
}

// Apply puts settings in force: what the ledger does not know of them yet is
// recorded first, then requests that come see the new view. Requests under way
// keep the one they have.
func (g *Gateway) Apply(ctx context.Context, s Settings) error {
	g.settings.Lock()
	defer g.settings.Unlock()
	jury, err := newJury(s.Judges)
	if err != nil {
		return err
	}
	if err := g.seed(ctx, &s); err != nil {
		return err
	}
	old := g.view.Load()
	v := &view{version: 1, lines: make(map[quorum.CompanionID]*fanout.Line, len(s.Seats)), limits: *wire.DefaultLimits(), jury: jury}
	lines := make([]*fanout.Line, len(s.Seats))
	for i, seat := range s.Seats {
		v.lines[seat.Companion.ID] = seat.Line
		lines[i] = seat.Line
	}
	var before *callers
	if old != nil {
		v.version, before = old.version+1, old.callers
	}
	v.callers = newCallers(s.Clients, g.steward, before)
	v.limits.Chambers = nil
	for _, c := range g.book.State().Policy.Chambers {
		v.limits.Chambers = append(v.limits.Chambers, c.Name)
	}
	v.limits.Chamber = v.limits.Chambers[0]
	if s.PromptBytes > 0 {
		v.limits.PromptBytes = s.PromptBytes
	}
	if s.MaxDeadline > 0 {
		v.limits.MaxDeadline = s.MaxDeadline.Milliseconds()
		v.limits.Deadline = min(v.limits.Deadline, v.limits.MaxDeadline)
	}
	g.fan.Observe(lines)
	g.view.Store(v)
	return nil
}

// seed enters what the operator's configuration says and the ledger does not
// know: the policy and the companions. What is unchanged since it was last
// recorded is not recorded again, whatever the ledger has decided since.
func (g *Gateway) seed(ctx context.Context, s *Settings) error {
	st := g.book.State()
	if st.Policy == nil || st.PolicySeed != s.Policy.Digest() {
		if _, err := g.ledger.Append(ctx, "", &quorum.Activation{Actor: quorum.Operator, Policy: s.Policy}); err != nil {
			return fmt.Errorf("record the policy: %w", err)
		}
	}
	configured := make(map[quorum.CompanionID]bool, len(s.Seats))
	for _, seat := range s.Seats {
		if err := seat.Companion.Validate(); err != nil {
			return err
		}
		configured[seat.Companion.ID] = true
		f := &quorum.Founding{Actor: quorum.Operator, Companion: seat.Companion}
		if m := st.Roster.Find(seat.Companion.ID); m != nil && m.Seed == f.Digest() && m.Status != quorum.Withdrawn {
			continue
		}
		if _, err := g.ledger.Append(ctx, "", f); err != nil {
			return fmt.Errorf("record companion %s: %w", seat.Companion.ID, err)
		}
	}
	for i := range st.Roster.Members() {
		m := &st.Roster.Members()[i]
		if configured[m.ID] || m.Status == quorum.Withdrawn {
			continue
		}
		if _, err := g.ledger.Append(ctx, "", &quorum.Withdrawal{Actor: quorum.Operator, Companion: m.ID, Reason: "no longer configured"}); err != nil {
			return fmt.Errorf("record the withdrawal of %s: %w", m.ID, err)
		}
	}
	return nil
}

// hitsEvery is how often cache hits are recorded: a hit is worth no sync of its own.
const hitsEvery = time.Second

func (g *Gateway) recordHits() {
	tick := time.NewTicker(hitsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			g.flushHits()
		case <-g.stop:
			g.flushHits()
			return
		}
	}
}

func (g *Gateway) flushHits() {
	ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
	defer cancel()
	for _, rec := range g.cache.takeHits() {
		if _, err := g.ledger.Append(ctx, "", rec); err != nil {
			g.log.Warn("cache hits not recorded", "answers", len(rec.Hits), "error", err)
		}
	}
}

// lameDuck is how long a gateway that drains still takes requests, closing each
// connection with its answer: a busy client has sent its next request by then,
// and learns with that answer to send no more.
const lameDuck = 250 * time.Millisecond

// Shutdown drains: it tells its clients to go, takes no more connections, lets
// requests under way end, and then what of them goes on, all until ctx is done.
// The ledger and the vault may be closed afterwards. A second Shutdown does
// nothing.
func (g *Gateway) Shutdown(ctx context.Context) (err error) {
	g.stopping.Do(func() {
		g.draining.Store(true)
		close(g.leaving)
		if g.server.GetOpenConnectionsCount() > 0 {
			// The server closes connections that it believes idle, also one whose
			// next request is on its way. None should be between two requests then.
			goodbye := time.NewTimer(lameDuck)
			defer goodbye.Stop()
			select {
			case <-goodbye.C:
			case <-ctx.Done():
			}
		}
		g.listeners.close()
		err = g.server.ShutdownWithContext(ctx)
		stop := context.AfterFunc(ctx, g.endJudges)
		g.fan.Drain(ctx)
		stop()
		g.endJudges()
		close(g.stop)
		g.backups.turn.Lock() // the stores are about to be closed
		g.background.Wait()
		g.cache.close()
		g.opinions.kept.Close()
	})
	return err
}
