package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/gateway"
	"github.com/kaizen-os/deliberation/scoring"
	"github.com/kaizen-os/deliberation/scoring/charter"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/vault"
	"github.com/kaizen-os/deliberation/store/witness"
)

// drainTime is how long requests under way may take to end after SIGTERM: the
// longest deadline a request can have by default, and a little.
const drainTime = defaultMaxDeadline + 5*time.Second

func newServeCommand() *cobra.Command {
	var config string
	var check bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the gateway",
		Long: `Serve the gateway. Without a configuration, or with one that names no companions,
it starts eight simulated companions on loopback; where OPENAI_API_KEY,
ANTHROPIC_API_KEY, GEMINI_API_KEY or DEEPSEEK_API_KEY is set, AUREA, ATLAS, ZENITH or
SOLARA are the real models.

SIGHUP reads the configuration again (companions, clients, judges, policy, and the limits on
prompts and deadlines) without dropping a request; the rest takes effect at the next
start. SIGTERM and SIGINT drain and end; a second one ends at once.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := LoadConfig(config)
			if err != nil {
				return err
			}
			if check {
				fmt.Fprintf(cmd.OutOrStdout(), "configuration is good: %d companions, %d clients%s\n", len(cfg.Companions), len(cfg.Clients), judgesCounted(len(cfg.Judges)))
				return nil
			}
			return serve(cmd.Context(), cfg, config, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "the configuration, a YAML file")
	cmd.Flags().BoolVar(&check, "check", false, "check the configuration and exit")
	return cmd
}

// A process is what serve builds, in this order, and closes in reverse.
type process struct {
	started   *Config // what only the next start changes is as in this
	scorer    *scoring.Scorer
	log       *slog.Logger
	level     *slog.LevelVar
	telemetry *exporters
	book      *gateway.Book
	ledger    *ledger.Ledger
	vault     *vault.Vault
	sim       *sim.Sim
	fan       *fanout.Fan
	crew      *crew
	court     *court
	gateway   *gateway.Gateway
	fatal     chan error
	closers   []func() error
}

// newProcess begins one that logs to errOut.
func newProcess(errOut io.Writer) *process {
	p := &process{scorer: scoring.New(), level: new(slog.LevelVar), fatal: make(chan error, 2)}
	p.log = newLog(errOut, p.level, p.scorer.Charter())
	return p
}

// newLog is the log of a program that reads what others wrote: no personal data
// and no secret that is quoted in an error gets into it.
func newLog(out io.Writer, level slog.Leveler, scorer *charter.Scorer) *slog.Logger {
	return slog.New(scorer.Redactor().LogHandler(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level})))
}

// serve runs until ctx is done, the ledger fails, or a listener does.
func serve(ctx context.Context, cfg *Config, file string, out, errOut io.Writer) (err error) {
	p := newProcess(errOut)
	p.started = cfg
	p.level.Set(cfg.LogLevel)
	defer func() { err = errors.Join(err, p.close()) }()

	// From the start: a SIGHUP that comes while a long ledger is read would
	// otherwise end the process.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)

	// The listener first: a port in use is the commonest mistake, and nothing
	// should have been written by then.
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return listenError("listen", cfg.Listen, err)
	}
	p.closers = append(p.closers, func() error { ln.Close(); return nil }) // the server may have closed it
	if err := p.build(ctx, cfg); err != nil {
		return err
	}
	admin, err := p.serveAdmin(cfg)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- p.gateway.Serve(ln) }()
	p.greet(out, cfg, ln.Addr().String(), admin)
	for {
		select {
		case <-ctx.Done():
			p.log.Info("draining")
			drain, cancel := context.WithTimeout(context.Background(), drainTime)
			defer cancel()
			err := p.gateway.Shutdown(drain)
			return errors.Join(err, <-ended)
		case err := <-p.fatal:
			return fmt.Errorf("the store failed and the gateway cannot go on: %w", err)
		case err := <-ended:
			return fmt.Errorf("serve %s: %w", cfg.Listen, err)
		case <-hangup:
			p.reload(ctx, file)
		}
	}
}

func listenError(what, address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s on %s: the port is in use; stop what uses it, or choose another with listen: or admin: in the configuration", what, address)
	}
	return fmt.Errorf("%s on %s: %w", what, address, err)
}

// build opens the stores and puts the gateway together.
func (p *process) build(ctx context.Context, cfg *Config) (err error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	steward, err := stewardKey(filepath.Join(cfg.Data, "steward.key"))
	if err != nil {
		return err
	}
	if p.telemetry, err = newExporters(ctx, &cfg.Telemetry); err != nil {
		return err
	}
	p.onClose(p.telemetry.close)

	fatal := func(err error) {
		select {
		case p.fatal <- err:
		default:
		}
	}
	p.ledger, p.book, err = openLedger(ledger.Config{Dir: cfg.Data, Origin: cfg.Ledger.Origin, Witnessed: len(cfg.Ledger.Witnesses) > 0,
		Logger: p.log, Meter: p.telemetry.meter("store"), OnFatal: fatal},
		filepath.Join(cfg.Data, bookFile), p.log)
	if err != nil {
		return storeError(cfg.Data, err)
	}
	p.onClose(p.ledger.Close)
	if err := p.gather(cfg.Ledger.Witnesses); err != nil {
		return err
	}
	p.vault, err = vault.Open(vault.Config{Dir: filepath.Join(cfg.Data, gateway.VaultDir), KeyFile: filepath.Join(cfg.Data, "vault.key"), Logger: p.log, OnFatal: fatal})
	if err != nil {
		return storeError(cfg.Data, err)
	}
	p.onClose(p.vault.Close)
	p.onClose(p.keepHouse(filepath.Join(cfg.Data, bookFile)))

	if p.fan, err = fanout.New(fanout.Config{Tracer: p.telemetry.tracer("fanout"), Meter: p.telemetry.meter("fanout"), Logger: p.log, Redact: p.scorer.Charter().Redactor().String}); err != nil {
		return err
	}
	p.onClose(func() error { p.crew.close(nil); p.court.close(nil); return nil })
	sample, err := sampleKey(filepath.Join(cfg.Data, "vault.key"))
	if err != nil {
		return err
	}
	runner, err := newRunner(cfg.Code.Runner)
	if err != nil {
		return err
	}
	if runner != nil {
		p.log.Warn("the code that companions write is run, as this user", "command", cfg.Code.Runner.Command[0])
	}
	p.gateway, err = gateway.New(gateway.Config{Book: p.book, Ledger: p.ledger, Vault: p.vault, Fan: p.fan, Scorer: p.scorer, Runner: runner,
		Tracer: p.telemetry.tracer("gateway"), Meter: p.telemetry.meter("gateway"), Logger: p.log,
		StewardKey: steward, SampleKey: sample, InFlight: cfg.Limits.InFlight, BodyBytes: cfg.Limits.BodyBytes, BackupDir: filepath.Join(cfg.Data, "backup.tmp")})
	if err != nil {
		return err
	}
	p.onClose(func() error { // after a failure; serve has drained it otherwise
		now, cancel := context.WithCancel(context.Background())
		cancel()
		return ignoreCanceled(p.gateway.Shutdown(now))
	})
	if err := p.apply(ctx, cfg); err != nil {
		return err
	}
	p.reconcile(ctx)
	return nil
}

// gather has the ledger's witnesses cosign its head from now on.
func (p *process) gather(witnesses []WitnessConfig) error {
	if len(witnesses) == 0 {
		return nil
	}
	peers := make([]witness.Peer, len(witnesses))
	for i, w := range witnesses {
		key, err := witness.NewVerifier(w.Key)
		if err != nil {
			return fmt.Errorf("ledger.witnesses[%d].key: %w", i, err)
		}
		peers[i] = witness.Peer{Key: key, URL: w.URL}
	}
	g, err := witness.NewGatherer(witness.GathererConfig{Ledger: p.ledger, Peers: peers, Logger: p.log, Meter: p.telemetry.meter("store/witness")})
	if err != nil {
		return err
	}
	p.onClose(g.Close)
	return nil
}

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// ledgerOrigin names a new ledger, in its checkpoints and its key, where the
// configuration does not.
const ledgerOrigin = "kaizen-os.civic.ai/ledger"

func storeError(dir string, err error) error {
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("the data folder %s is in use by another process: stop that one, or set data: to another folder", dir)
	}
	if errors.Is(err, store.ErrCorrupt) {
		// Pebble's own words on damage run over several lines.
		return fmt.Errorf("data folder %s: %s; restore it from a backup (kaizen verify says what a folder holds)", dir, oneLine(err.Error()))
	}
	return fmt.Errorf("data folder %s: %w", dir, err)
}

func (p *process) onClose(f func() error) { p.closers = append(p.closers, f) }

func (p *process) close() error {
	var errs []error
	for i := len(p.closers) - 1; i >= 0; i-- {
		errs = append(errs, p.closers[i]())
	}
	return errors.Join(errs...)
}

// apply puts cfg's companions, clients and policy in force.
func (p *process) apply(ctx context.Context, cfg *Config) error {
	companions, err := p.companions(cfg)
	if err != nil {
		return err
	}
	next, err := newCrew(companions, p.crew, p.log)
	if err != nil {
		return err
	}
	judges, err := newCourt(cfg.Judges, p.court, p.log)
	if err != nil {
		next.close(p.crew)
		return err
	}
	s := gateway.Settings{Seats: next.seats, Judges: judges.judges, Policy: cfg.Policy, PromptBytes: cfg.Limits.PromptBytes, MaxDeadline: cfg.Limits.Deadline}
	for _, c := range cfg.Clients {
		s.Clients = append(s.Clients, gateway.Client{Name: c.Name, Role: gateway.Role(c.Role), Key: c.KeySHA256, Tier: c.Tier, PerSecond: c.PerSecond, PerDay: c.PerDay, Companion: c.Companion})
	}
	if err := p.gateway.Apply(ctx, s); err != nil {
		next.close(p.crew)
		judges.close(p.court)
		return err
	}
	p.crew.close(next)
	p.court.close(judges)
	p.crew, p.court = next, judges
	return nil
}

// companions are the configured ones or, if there are none, the eight simulated
// ones, of which those with a provider key in the environment are real.
func (p *process) companions(cfg *Config) ([]CompanionConfig, error) {
	if len(cfg.Companions) > 0 {
		return cfg.Companions, nil
	}
	if p.sim == nil {
		s, err := sim.Start(sim.Config{Companions: sim.Default()})
		if err != nil {
			return nil, err
		}
		p.sim = s
		p.onClose(s.Close)
	}
	return defaultCompanions(p.sim.Endpoints(), os.Getenv)
}

// reload puts the configuration in force that is in file now. A bad one changes
// nothing.
func (p *process) reload(ctx context.Context, file string) {
	cfg, err := LoadConfig(file)
	// LoadConfig has held the listener it names against the clients it has. The
	// one that is open may be another, and must not be left without.
	if err == nil && len(cfg.Clients) == 0 && cfg.Listen != p.started.Listen {
		err = fmt.Errorf("there are no clients, and listen: is no longer %s; restart to listen on %s", p.started.Listen, cfg.Listen)
	}
	if err == nil {
		err = p.apply(ctx, cfg)
	}
	if err != nil {
		p.log.Error("reload failed; the configuration before it stays in force", "error", err)
		return
	}
	p.level.Set(cfg.LogLevel)
	if keys := needRestart(p.started, cfg); len(keys) > 0 {
		p.log.Warn("these changes take effect at the next start", "keys", keys)
	}
	p.log.Info("reloaded", "companions", len(p.crew.seats), "clients", len(cfg.Clients), "judges", len(cfg.Judges))
}

// needRestart names the keys that differ and that a reload cannot put in force.
func needRestart(was, is *Config) (keys []string) {
	for _, k := range []struct {
		name    string
		changed bool
	}{
		{"listen", was.Listen != is.Listen},
		{"admin", was.Admin != is.Admin},
		{"data", was.Data != is.Data},
		{"ledger", was.Ledger.Origin != is.Ledger.Origin || !slices.Equal(was.Ledger.Witnesses, is.Ledger.Witnesses)},
		{"telemetry", was.Telemetry != is.Telemetry},
		{"limits.bodyBytes", was.Limits.BodyBytes != is.Limits.BodyBytes},
		{"code", !reflect.DeepEqual(was.Code, is.Code)},
		{"limits.inFlight", was.Limits.InFlight != is.Limits.InFlight},
	} {
		if k.changed {
			keys = append(keys, k.name)
		}
	}
	return keys
}

// serveAdmin starts the listener of metrics and profiles, and says where it is;
// "" if there is none.
func (p *process) serveAdmin(cfg *Config) (string, error) {
	if cfg.Admin == "" {
		return "", nil
	}
	ln, err := net.Listen("tcp", cfg.Admin)
	if err != nil {
		return "", listenError("admin: listen", cfg.Admin, err)
	}
	srv := &http.Server{Handler: p.gateway.Admin(p.telemetry.metricsHandler()), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelWarn)}
	go srv.Serve(ln) // ends with Close
	p.onClose(srv.Close)
	return ln.Addr().String(), nil
}

// greet says where the gateway is and what to try.
func (p *process) greet(out io.Writer, cfg *Config, address, admin string) {
	fmt.Fprintf(out, "kaizen gateway at http://%s", address)
	if admin != "" {
		fmt.Fprintf(out, "  (metrics and profiles: http://%s)", admin)
	}
	fmt.Fprintln(out)
	for i, seat := range p.crew.seats {
		c := &seat.Companion
		kind := p.crew.configs[i].Endpoint
		if p.sim != nil && strings.HasPrefix(c.Model, simulatedModel) {
			kind = "simulated, " + kind
		}
		fmt.Fprintf(out, "  %-8s %-9s %-10s %s (%s)\n", c.ID, c.Tier, c.Vendor, c.Model, kind)
	}
	key := ""
	if len(cfg.Clients) > 0 {
		key = " -H 'Authorization: Bearer '$KAIZEN_KEY"
	}
	fmt.Fprintf(out, "\nTry it from another terminal:\n\n  curl -s%s http://%s/v1/deliberate -H 'Content-Type: application/json' \\\n    -d '{\"prompt\":\"What is 17 * 23?\",\"context\":{\"tier\":\"standard\",\"chamber\":\"thought-broker\",\"cycle\":\"C-114\"}}'\n\n  ./kaizen ask \"What is 17 * 23?\"\n\n", key, address)
}

// stewardKey reads the steward's key, making one if there is none, and returns
// its SHA-256. It is one line, readable by its owner only.
func stewardKey(path string) ([32]byte, error) {
	text, err := store.ReadSecret(path)
	if errors.Is(err, os.ErrNotExist) {
		var secret [32]byte
		if _, err := rand.Read(secret[:]); err != nil {
			return [32]byte{}, err
		}
		text = []byte("kzs_" + base64.RawURLEncoding.EncodeToString(secret[:]) + "\n")
		err = store.CreateSecret(path, text)
		if err != nil {
			return [32]byte{}, fmt.Errorf("steward key: %w", err)
		}
	} else if err != nil {
		return [32]byte{}, fmt.Errorf("steward key: %w", err)
	}
	key := strings.TrimSpace(string(text))
	if key == "" {
		return [32]byte{}, fmt.Errorf("steward key: %s is empty; remove it to have a new one made", path)
	}
	return sha256.Sum256([]byte(key)), nil
}
