package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/state"
	"github.com/kaizen-os/deliberation/scoring"
	"github.com/kaizen-os/deliberation/scoring/run"
	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/vault"
)

// patience is how long a test waits for what must come. It is never waited out
// unless something is broken.
const patience = 30 * time.Second

// origin names the tests' ledgers.
const origin = "kaizen.test/ledger"

var signingKey = sync.OnceValue(func() string {
	key, _, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		panic(err)
	}
	return key
})

// scorer is shared by all rigs: to read the rule table takes longer than most tests.
var scorer = sync.OnceValue(scoring.New)

// stewardKey is the key of every rig's steward.
const stewardKey = "kzs_the-steward-of-the-tests"

// A setup says in what a rig differs from the usual one.
type setup struct {
	panel       []*companion
	policy      func(*quorum.Policy) // changes the policy that the rig starts with
	clients     []Client
	inFlight    int
	bodyBytes   int
	promptBytes int
	maxDeadline time.Duration
	heartbeat   time.Duration
	ledgerFS    vfs.FS
	vaultFS     vfs.FS
	uptime      func() time.Duration
	runner      *run.Runner
	judges      []*Judge
	unsampled   bool // traces are not kept unless the caller's is
	fatal       func(error)
}

// A rig is a gateway on a loopback listener, with everything real behind it:
// ledger and vault in memory, companions over HTTP. When its test ends it drains,
// and its whole ledger is audited.
type rig struct {
	*Gateway
	t        testing.TB
	url      string
	client   *http.Client
	panel    []*companion
	settings Settings
	journal  *journal
	logs     *logs
	spans    *tracetest.SpanRecorder
	metrics  *sdkmetric.ManualReader
	served   chan struct{} // closed when the listener is
	door     *door
	ledgerFS vfs.FS
	vaultFS  vfs.FS
}

func start(t testing.TB, s setup) *rig {
	t.Helper()
	if s.ledgerFS == nil {
		s.ledgerFS = vfs.NewMem()
	}
	if s.vaultFS == nil {
		s.vaultFS = vfs.NewMem()
	}
	r := &rig{t: t, panel: s.panel, journal: newJournal(), logs: new(logs), served: make(chan struct{}),
		spans: tracetest.NewSpanRecorder(), metrics: sdkmetric.NewManualReader(), ledgerFS: s.ledgerFS, vaultFS: s.vaultFS}
	redactor := scorer().Charter().Redactor()
	log := slog.New(redactor.LogHandler(slog.NewJSONHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})))
	sampler := sdktrace.ParentBased(sdktrace.AlwaysSample())
	if s.unsampled {
		sampler = sdktrace.ParentBased(sdktrace.NeverSample())
	}
	traces := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans), sdktrace.WithSampler(sampler))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.metrics))

	book := NewBook()
	l := must(ledger.Open(ledger.Config{Dir: "data", FS: s.ledgerFS, Origin: origin, SigningKey: signingKey(), Uptime: s.uptime,
		Logger: log, Meter: meters.Meter("store"), Fold: r.journal.fold(book), OnFatal: s.fatal}))(t)
	v := must(vault.Open(vault.Config{Dir: "vault", FS: s.vaultFS, MasterKey: bytes.Repeat([]byte{7}, 32), Logger: log, OnFatal: s.fatal}))(t)
	fan := must(fanout.New(fanout.Config{Tracer: traces.Tracer("fanout"), Meter: meters.Meter("fanout"), Logger: log, Redact: redactor.String}))(t)
	r.Gateway = must(New(Config{Book: book, Ledger: l, Vault: v, Fan: fan, Scorer: scorer(), Runner: s.runner,
		Tracer: traces.Tracer("gateway"), Meter: meters.Meter("gateway"), Logger: log,
		StewardKey: sha256.Sum256([]byte(stewardKey)), InFlight: s.inFlight, BodyBytes: s.bodyBytes, Heartbeat: s.heartbeat}))(t)
	r.settings = Settings{Policy: policy(t, s.policy), Clients: s.clients, Judges: s.judges, PromptBytes: s.promptBytes, MaxDeadline: s.maxDeadline}
	for _, c := range s.panel {
		r.settings.Seats = append(r.settings.Seats, c.seat())
	}
	if err := r.Apply(t.Context(), r.settings); err != nil {
		t.Fatal(err)
	}
	ln := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	r.door = &door{Listener: ln}
	r.url = "http://" + ln.Addr().String()
	r.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}
	go func() {
		defer close(r.served)
		if err := r.Serve(r.door); err != nil {
			t.Errorf("serve: %v", err)
		}
	}()
	t.Cleanup(func() {
		r.drain()
		r.audit(t)
		if strings.Contains(r.logs.String(), "panic") {
			t.Errorf("a panic was logged: %s", r.logs)
		}
		if err := errors.Join(traces.Shutdown(context.Background()), meters.Shutdown(context.Background())); err != nil {
			t.Error(err)
		}
		v.Close() // both fail where a test has broken them
		l.Close()
	})
	return r
}

// drain lets go of every companion that still holds a call, and shuts down.
func (r *rig) drain() {
	for _, c := range r.panel {
		c.letGo()
	}
	// A drain takes its time while clients are connected; ours are about to go.
	r.client.CloseIdleConnections()
	select {
	case <-r.door.empty():
	case <-time.After(lameDuck):
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.Shutdown(ctx); err != nil {
		r.t.Errorf("shutdown: %v", err)
	}
	<-r.served
}

// audit judges every record of the ledger anew, as an auditor does who has only
// the ledger, and compares what it folds to with what the gateway went by.
func (r *rig) audit(t testing.TB) *state.Auditor {
	t.Helper()
	a := r.fold(t)
	if got, want := r.book.State(), a.State(); got.Size != want.Size || !bytes.Equal(got.Append(nil), want.Append(nil)) {
		t.Errorf("the gateway goes by\n%s\nthe ledger says\n%s", got.Append(nil), want.Append(nil))
	}
	return a
}

func (r *rig) fold(t testing.TB) *state.Auditor {
	t.Helper()
	a := new(state.Auditor)
	for i := range r.ledger.Size() {
		leaf, err := r.ledger.Entry(i)
		if err == nil {
			err = a.Visit(i, leaf)
		}
		if err != nil {
			t.Errorf("audit: %v", err)
			break
		}
	}
	return a
}

// policy is the default one with the tests' own calibration, since the measured one
// changes, and without its two elements of chance and time, unless the test brings
// them back: nobody is observed, and nobody's grace is ever over.
func policy(t testing.TB, change func(*quorum.Policy)) *quorum.Policy {
	t.Helper()
	p := quorum.DefaultPolicy()
	p.Early.ObserveOne = math.MaxInt32
	p.Reliability.Strength = 10 // what the hand checks reckon with
	p.Early.GraceMillis = time.Hour.Milliseconds()
	for i := range p.Kinds {
		k := &p.Kinds[i]
		*k = quorum.KindPolicy{Kind: k.Kind, Alternatives: 6, Exponent: 4, Bias: -1_500_000, ByShare: 1_900_000, ByMargin: 3_300_000, MinConfidence: 450_000}
		switch k.Kind {
		case quorum.VoteKind:
			k.Alternatives = 2
		case quorum.Text, quorum.Code:
			k.Exponent, k.MinConfidence = 1, 0
		}
	}
	if change != nil {
		change(p)
	}
	return must(quorum.ParsePolicy(p.Canonical()))(t)
}

// reapply puts the rig's settings in force again, changed.
func (r *rig) reapply(change func(*Settings)) {
	r.t.Helper()
	change(&r.settings)
	if err := r.Apply(r.t.Context(), r.settings); err != nil {
		r.t.Fatal(err)
	}
}

// A response is what a client of the gateway gets.
type response struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// send makes a request; headers are name, value, name, value. It may be called
// in any goroutine.
func (r *rig) send(method, path, body string, headers ...string) *response {
	r.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, r.url+path, reader)
	if err != nil {
		r.t.Errorf("%s %s: %v", method, path, err)
		return &response{t: r.t}
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if req.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Errorf("%s %s: %v", method, path, err)
		return &response{t: r.t}
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Errorf("%s %s: %v", method, path, err)
	}
	return &response{r.t, resp.StatusCode, resp.Header, content}
}

func (r *rig) get(path string, headers ...string) *response {
	r.t.Helper()
	return r.send(http.MethodGet, path, "", headers...)
}

func (r *rig) post(body string, headers ...string) *response {
	r.t.Helper()
	return r.send(http.MethodPost, "/v1/deliberate", body, headers...)
}

// posting is post, without waiting for the response.
func (r *rig) posting(body string, headers ...string) <-chan *response {
	out := make(chan *response, 1)
	go func() { out <- r.post(body, headers...) }()
	return out
}

// ask deliberates and wants the usual 200.
func (r *rig) ask(body string, headers ...string) *wire.Deliberation {
	r.t.Helper()
	return r.post(body, headers...).deliberation(http.StatusOK)
}

func (resp *response) deliberation(status int) *wire.Deliberation {
	resp.t.Helper()
	d := new(wire.Deliberation)
	if resp.status != status {
		resp.t.Errorf("status %d, want %d: %s", resp.status, status, resp.body)
		return d
	}
	if err := d.Decode(resp.body); err != nil {
		resp.t.Errorf("%v: %s", err, resp.body)
	}
	return d
}

// failure wants an error of that status and code.
func (resp *response) failure(status int, code wire.Code) *wire.Error {
	resp.t.Helper()
	e, err := wire.DecodeError(resp.body)
	if err != nil {
		resp.t.Errorf("status %d, %v: %s", resp.status, err, resp.body)
		return new(wire.Error)
	}
	if resp.status != status || e.Code != code || e.Message == "" {
		resp.t.Errorf("status %d %s, want %d %s: %s", resp.status, e.Code, status, code, resp.body)
	}
	return e
}

// ballot of one companion.
func ballot(t testing.TB, d *wire.Deliberation, id string) *wire.Ballot {
	t.Helper()
	for i := range d.Ballots {
		if d.Ballots[i].Companion == id {
			return &d.Ballots[i]
		}
	}
	t.Errorf("%s has no ballot in %+v", id, d)
	return new(wire.Ballot)
}

// outcomes in panel order: "AUREA ok, ATLAS late".
func outcomes(d *wire.Deliberation) string {
	var list []string
	for _, b := range d.Ballots {
		list = append(list, b.Companion+" "+b.Outcome)
	}
	return strings.Join(list, ", ")
}

// within receives from c, and fails the test if nothing comes.
func within[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v = <-c:
	case <-timer.C:
		t.Fatalf("%s did not come", what)
	}
	return v
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// A journal is told every record once it is durable, and lets tests wait for one.
type journal struct {
	mu      sync.Mutex
	records []quorum.Record
	grown   chan struct{} // closed, and another put in its place, with each record
}

func newJournal() *journal { return &journal{grown: make(chan struct{})} }

func (j *journal) fold(book *Book) func(uint64, int64, []byte, quorum.Record) error {
	return func(index uint64, at int64, leaf []byte, rec quorum.Record) error {
		if err := book.Fold(index, at, leaf, rec); err != nil {
			return err
		}
		j.mu.Lock()
		defer j.mu.Unlock()
		j.records = append(j.records, rec)
		close(j.grown)
		j.grown = make(chan struct{})
		return nil
	}
}

// of returns the records of one type so far, in order.
func of[T quorum.Record](j *journal) (list []T) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, rec := range j.records {
		if r, ok := rec.(T); ok {
			list = append(list, r)
		}
	}
	return list
}

// await waits for a record of type T that matches.
func await[T quorum.Record](t testing.TB, j *journal, match func(T) bool) T {
	t.Helper()
	for {
		j.mu.Lock()
		grown := j.grown
		j.mu.Unlock()
		for _, rec := range of[T](j) {
			if match(rec) {
				return rec
			}
		}
		within(t, "the record", grown)
	}
}

// completion waits for the record that completes deliberation id, and checks
// that it is found by its name.
func (r *rig) completion(id string) *quorum.Completion {
	r.t.Helper()
	c := await(r.t, r.journal, func(c *quorum.Completion) bool { return c.ID == id })
	if _, ok, err := r.ledger.Lookup(id + "/completed"); !ok || err != nil {
		r.t.Errorf("%s/completed is not found by name: %v", id, err)
	}
	return c
}

// proof is the record of deliberation id, as an auditor reads it.
func (r *rig) proof(id string) *quorum.Proof {
	r.t.Helper()
	p, _, err := r.readProof(id)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// A door is a listener that knows how many are inside.
type door struct {
	net.Listener
	mu     sync.Mutex // guards what follows
	inside int
	waits  []chan struct{}
	last   net.Conn     // that came in
	seen   func([]byte) // is shown every write to those who come from then on
}

type guest struct {
	net.Conn
	leave func()
	seen  func([]byte)
}

func (g *guest) Write(b []byte) (int, error) {
	if g.seen != nil {
		g.seen(b)
	}
	return g.Conn.Write(b)
}

func (g *guest) Close() error {
	g.leave()
	return g.Conn.Close()
}

func (d *door) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	d.count(1)
	d.mu.Lock()
	d.last = c
	seen := d.seen
	d.mu.Unlock()
	return &guest{c, sync.OnceFunc(func() { d.count(-1) }), seen}, nil
}

// watch has seen shown every write to those who come from now on.
func (d *door) watch(seen func([]byte)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = seen
}

func (d *door) count(change int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inside += change; d.inside == 0 {
		for _, w := range d.waits {
			close(w)
		}
		d.waits = nil
	}
}

// empty is closed once nobody is inside.
func (d *door) empty() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := make(chan struct{})
	if d.inside == 0 {
		close(w)
	} else {
		d.waits = append(d.waits, w)
	}
	return w
}

// logs is a buffer that loggers may write to from anywhere.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logs) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}
