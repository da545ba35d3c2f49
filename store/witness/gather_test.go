package witness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store/ledger"
)

// A fact is the tests' record.
type fact string

func (fact) Type() quorum.RecordType { return "fact" }

func (f fact) AppendLeaf(dst []byte) ([]byte, int) {
	dst = append(dst, `{"at":"`...)
	stamp := len(dst)
	dst = append(dst, `0000000000000","fact":"`...)
	return append(append(dst, f...), `"}`...), stamp
}

func openLedger(t testing.TB, fs vfs.FS) *ledger.Ledger {
	t.Helper()
	skey, _ := logKey()
	// A synctest bubble begins in 2000, before any time that the ledger believes.
	clock := func() time.Time { return time.Now().AddDate(30, 0, 0) }
	l, err := ledger.Open(ledger.Config{Dir: "data", FS: fs, Origin: origin, SigningKey: skey, Witnessed: true, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func grow(t testing.TB, l *ledger.Ledger, n int) {
	t.Helper()
	for i := range n {
		if _, err := l.Append(t.Context(), "", fact(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
}

// A network has witnesses' handlers by host, and no wires: in a synctest bubble
// its time is the bubble's.
type network map[string]http.Handler

func (n network) RoundTrip(req *http.Request) (*http.Response, error) {
	h := n[req.URL.Host]
	if h == nil {
		return nil, fmt.Errorf("dial %s: connection refused", req.URL.Host)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	rec, done := httptest.NewRecorder(), make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(rec, httptest.NewRequest(req.Method, req.URL.String(), bytes.NewReader(body)).WithContext(req.Context()))
	}()
	select {
	case <-done:
		return rec.Result(), nil
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}

func gather(t testing.TB, cfg GathererConfig) *Gatherer {
	t.Helper()
	g, err := NewGatherer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

// shown reads what l publishes: its size and whose signatures are on it. Every line
// must be the ledger's or a known witness's, and verify.
func shown(t testing.TB, l *ledger.Ledger, keys ...*Signer) (size uint64, names []string) {
	t.Helper()
	published := l.Published()
	known := []note.Verifier{l.Verifier()}
	for _, k := range keys {
		known = append(known, k.Verifier)
	}
	n, err := note.Open(published, note.VerifierList(known...))
	if err != nil {
		t.Fatalf("published is\n%s\n%v", published, err)
	}
	for _, sig := range n.Sigs {
		names = append(names, sig.Name)
	}
	if len(n.UnverifiedSigs) > 0 || strings.Count(string(published), "— ") != len(n.Sigs) || names[0] != origin {
		t.Fatalf("published with more than was checked:\n%s", published)
	}
	c, err := ledger.ParseCheckpoint(published, l.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	return c.Size, names[1:]
}

// until polls for what surely comes.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s does not come", what)
		}
	}
}

// witnessOf is a real witness with its handler.
func witnessOf(t testing.TB, name string) (*Signer, http.Handler, *Witness) {
	t.Helper()
	key := newKey(t, name)
	cfg := config(t, vfs.NewMem(), key)
	cfg.Clock = time.Now
	w := open(t, cfg)
	return key, NewHandler(w), w
}

// Ledger, gatherer and three witnesses over HTTP: each head comes to be published
// with all three cosignatures, in the order of the configuration, and receipts
// carry them.
func TestHeadIsPublishedCosigned(t *testing.T) {
	l := openLedger(t, vfs.NewMem())
	var peers []Peer
	var keys []*Signer
	var names []string
	for i := range 3 {
		name := fmt.Sprintf("w%d.test", i)
		key, h, _ := witnessOf(t, name)
		peers = append(peers, Peer{key.Verifier, serve(t, h).URL})
		keys, names = append(keys, key), append(names, name)
	}
	g := gather(t, GathererConfig{Ledger: l, Peers: peers, Every: 5 * time.Millisecond})
	for _, n := range []int{1, 254, 1, 1, 60} {
		grow(t, l, n)
		until(t, "the head, cosigned", func() bool {
			size, by := shown(t, l, keys...)
			return size == l.Size() && len(by) == 3
		})
		if _, by := shown(t, l, keys...); fmt.Sprint(by) != fmt.Sprint(names) {
			t.Errorf("cosigned by %v, want %v", by, names)
		}
	}
	text, err := l.Proof(17)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), "\n— ") != 4 {
		t.Errorf("the receipt is\n%s", text)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}

// Witnesses that are of no use hold up nobody, and nothing of theirs is published.
func TestUselessWitnessesHoldUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLedger(t, vfs.NewMem())
		good, h, _ := witnessOf(t, "good.test")
		liar, other := newKey(t, "liar.test"), newKey(t, "liar.test")
		answers := func(text func() string) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, text()) })
		}
		line := func(k *Signer, text string) string {
			sig, err := k.Cosign(text, time.Now())
			if err != nil {
				t.Error(err)
			}
			return string(appendLine(nil, sig))
		}
		net := network{
			"hangs": http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }),
			"good":  h,
			"page":  answers(func() string { return "<html>\n" }),
			"other-key": answers(func() string {
				text, _, _ := strings.Cut(string(l.Checkpoint()), "\n\n")
				return line(other, text+"\n")
			}),
			"other-checkpoint": answers(func() string { return line(liar, origin+"\n1\n"+aHash+"\n") }),
			"behind": http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", typeSize)
				rw.WriteHeader(409)
				io.WriteString(rw, "0\n")
			}),
		}
		var log bytes.Buffer
		var peers []Peer
		for _, host := range []string{"hangs", "gone", "page", "good", "other-key", "other-checkpoint", "behind"} {
			key := liar.Verifier
			if host == "good" {
				key = good.Verifier
			} else if !strings.HasPrefix(host, "other") {
				key = newKey(t, host+".test").Verifier
			}
			peers = append(peers, Peer{key, "http://" + host})
		}
		grow(t, l, 3)
		start := time.Now()
		g := gather(t, GathererConfig{Ledger: l, Peers: peers, Transport: net, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for range 30 {
			grow(t, l, 1)
			want := l.Size()
			for {
				size, by := shown(t, l, good, liar)
				if size >= want {
					if len(by) != 1 || by[0] != "good.test" {
						t.Fatalf("cosigned by %v", by)
					}
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
		// A round is at most the window behind its turn.
		if took := time.Since(start); took > 65*time.Second {
			t.Errorf("30 rounds took %s", took)
		}
		g.Close()
		for _, class := range []Class{Unreachable, Invalid} {
			if !strings.Contains(log.String(), "class="+string(class)) {
				t.Errorf("the log tells of none that is %s:\n%s", class, &log)
			}
		}
		if n := strings.Count(log.String(), "\n"); n > 10 {
			t.Errorf("the log tells of it in %d lines:\n%s", n, &log)
		}
		l.Close()
	})
}

// What comes after the window is added to what is published, if that is still the
// same.
func TestLateCosignatureIsAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLedger(t, vfs.NewMem())
		quick, quickly, _ := witnessOf(t, "quick.test")
		slow, slowly, _ := witnessOf(t, "slow.test")
		net := network{"quick": quickly, "slow": http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			time.Sleep(3 * time.Second)
			slowly.ServeHTTP(rw, req)
		})}
		grow(t, l, 3)
		g := gather(t, GathererConfig{Ledger: l, Peers: []Peer{{slow.Verifier, "http://slow"}, {quick.Verifier, "http://quick"}}, Transport: net})
		for _, tt := range []struct {
			after time.Duration
			want  string
		}{
			{0, "0 []"},
			{1500 * time.Millisecond, "3 [quick.test]"}, // the window is over
			{2 * time.Second, "3 [slow.test quick.test]"},
		} {
			time.Sleep(tt.after)
			synctest.Wait()
			size, by := shown(t, l, quick, slow)
			if got := fmt.Sprint(size, " ", by); got != tt.want {
				t.Errorf("after %s more, published is %s, want %s", tt.after, got, tt.want)
			}
		}
		g.Close()
		l.Close()
	})
}

// A witness that was down is asked again, less and less often, and what it then
// gives is added though the ledger has not grown.
func TestWitnessThatComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLedger(t, vfs.NewMem())
		key, h, _ := witnessOf(t, "w.test")
		var asked atomic.Int64
		var up atomic.Bool
		net := network{"w": http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			asked.Add(1)
			if !up.Load() {
				rw.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			h.ServeHTTP(rw, req)
		})}
		var log bytes.Buffer
		grow(t, l, 3)
		g := gather(t, GathererConfig{Ledger: l, Peers: []Peer{{key.Verifier, "http://w"}}, Transport: net, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		time.Sleep(time.Hour)
		// 1, 2, 4, 8, 16, 32 seconds, then once a minute; each to the next round.
		if n := asked.Load(); n < 50 || n > 70 {
			t.Errorf("in an hour it was asked %d times", n)
		}
		if size, by := shown(t, l, key); size != 3 || len(by) > 0 {
			t.Errorf("published is %d, by %v", size, by)
		}
		if n := strings.Count(log.String(), "no cosignature from a witness"); n < 2 || n > 7 {
			t.Errorf("the log says so %d times in an hour:\n%s", n, &log)
		}
		up.Store(true)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if size, by := shown(t, l, key); size != 3 || len(by) != 1 {
			t.Errorf("published is %d, by %v", size, by)
		}
		if !strings.Contains(log.String(), "witness cosigns again") {
			t.Errorf("the log does not say that it is back:\n%s", &log)
		}
		before := asked.Load()
		time.Sleep(time.Hour)
		if asked.Load() != before {
			t.Errorf("with nothing to ask for it is asked %d times", asked.Load()-before)
		}
		g.Close()
		l.Close()
	})
}

// An older copy of the ledger, restored, is told of loudly and cosigned by nobody,
// before it has caught up with what the witness knows, and after.
func TestRolledBackLedgerIsToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		l := openLedger(t, fs)
		key, h, w := witnessOf(t, "w.test")
		peers, net := []Peer{{key.Verifier, "http://w"}}, network{"w": h}
		g := gather(t, GathererConfig{Ledger: l, Peers: peers, Transport: net})
		settle := func() {
			time.Sleep(5 * time.Second)
			synctest.Wait()
		}
		grow(t, l, 20)
		settle()
		backup := fs.CrashClone(vfs.CrashCloneCfg{})
		grow(t, l, 10)
		settle()
		if size, by := shown(t, l, key); size != 30 || len(by) != 1 {
			t.Fatalf("published is %d, by %v", size, by)
		}
		g.Close()
		l.Close()

		l = openLedger(t, backup)
		var log bytes.Buffer
		grow(t, l, 1)
		g = gather(t, GathererConfig{Ledger: l, Peers: peers, Transport: net, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		settle()
		if size, by := shown(t, l, key); size != 21 || len(by) != 0 {
			t.Errorf("published is %d, by %v, want it without a cosignature", size, by)
		}
		for _, want := range []string{"level=ERROR", "a witness contradicts this ledger", "class=rolled_back", "has cosigned 30 entries of this ledger, which has 21"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %q: %s", want, &log)
			}
		}
		grow(t, l, 19)
		time.Sleep(2 * maxPause)
		synctest.Wait()
		if size, by := shown(t, l, key); size != 40 || len(by) != 0 {
			t.Errorf("past the witness, published is %d, by %v", size, by)
		}
		if !strings.Contains(log.String(), "class=forked") {
			t.Errorf("the log does not tell of the fork: %s", &log)
		}
		if size, err := w.Size(origin); size != 30 || err != nil {
			t.Errorf("the witness is at %d, %v", size, err)
		}
		g.Close()
		l.Close()
	})
}

// After a restart what was published is published still, and the witness not asked
// again for what it has given.
func TestRestartKeepsTheCosignatures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		key, h, _ := witnessOf(t, "w.test")
		var asked atomic.Int64
		peers, net := []Peer{{key.Verifier, "http://w"}}, network{"w": counting(h, &asked)}
		for round := range uint64(3) {
			l := openLedger(t, fs)
			before := asked.Load()
			if size, by := shown(t, l, key); size != 5*round || len(by) != min(int(round), 1) {
				t.Errorf("start %d: published is %d, by %v", round, size, by)
			}
			g := gather(t, GathererConfig{Ledger: l, Peers: peers, Transport: net})
			time.Sleep(5 * time.Second)
			if asked.Load() != before {
				t.Errorf("start %d: the witness is asked for what it has cosigned", round)
			}
			grow(t, l, 5)
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if n := asked.Load() - before; n != 1 { // it knows where the witness is
				t.Errorf("start %d: five entries took %d requests", round, n)
			}
			g.Close()
			l.Close()
		}
	})
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	l := openLedger(t, vfs.NewMem())
	grow(t, l, 1)
	asked := make(chan struct{}, 1)
	s := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		io.Copy(io.Discard, req.Body)
		asked <- struct{}{}
		<-req.Context().Done()
	}))
	var log bytes.Buffer
	g := gather(t, GathererConfig{Ledger: l, Peers: []Peer{{newKey(t, "w").Verifier, s.URL}}, Window: time.Minute, Timeout: time.Minute, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	<-asked
	start := time.Now()
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("Close took %s", took)
	}
	if log.Len() > 0 {
		t.Errorf("the log blames the witness: %s", &log)
	}
}

func TestGathererRefuses(t *testing.T) {
	l := openLedger(t, vfs.NewMem())
	peer := Peer{newKey(t, "w").Verifier, "http://127.0.0.1:1"}
	for name, cfg := range map[string]GathererConfig{
		"no ledger":        {Peers: []Peer{peer}},
		"no witness":       {Ledger: l},
		"too many of them": {Ledger: l, Peers: make([]Peer, MaxWitnesses+1)},
	} {
		if g, err := NewGatherer(cfg); err == nil {
			g.Close()
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestMetricsTellOfEachWitness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLedger(t, vfs.NewMem())
		key, h, _ := witnessOf(t, "w.test")
		reader := sdkmetric.NewManualReader()
		provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
		grow(t, l, 7)
		g := gather(t, GathererConfig{Ledger: l, Peers: []Peer{{key.Verifier, "http://w"}, {newKey(t, "gone.test").Verifier, "http://gone"}},
			Transport: network{"w": h}, Meter: provider.Meter("test")})
		time.Sleep(10500 * time.Millisecond)
		synctest.Wait()
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		got := map[string]int64{}
		for _, m := range all.ScopeMetrics[0].Metrics {
			var points []metricdata.DataPoint[int64]
			switch data := m.Data.(type) {
			case metricdata.Gauge[int64]:
				points = data.DataPoints
			case metricdata.Sum[int64]:
				points = data.DataPoints
			}
			for _, p := range points {
				name, _ := p.Attributes.Value(attribute.Key("witness"))
				class, _ := p.Attributes.Value(attribute.Key("class"))
				got[strings.TrimSpace(m.Name+" "+name.AsString()+" "+class.AsString())] = p.Value
			}
		}
		want := map[string]int64{
			"kaizen.witness.lag w.test":                     0,
			"kaizen.witness.lag gone.test":                  7,
			"kaizen.witness.cosigned.age w.test":            10,
			"kaizen.witness.failures gone.test unreachable": 4, // at 0, 1, 3 and 7 seconds
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		g.Close()
		if err := provider.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		l.Close()
	})
}
