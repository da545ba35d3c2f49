package bench_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/gateway"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring"
	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/vault"
)

// The whole pipeline in one process: HTTP in memory, companions that answer at
// once from memory, everything else real, ledger and vault on disk and synced.
// What is left is the gateway's own cost.
func BenchmarkPipeline(b *testing.B) {
	for _, panel := range []int{1, 3, 5, 8} {
		for _, kind := range []string{"text", "number"} {
			b.Run(fmt.Sprintf("panel=%d/kind=%s", panel, kind), func(b *testing.B) { benchmarkPipeline(b, panel, kind) })
		}
	}
}

func benchmarkPipeline(b *testing.B, panel int, kind string) {
	client := start(b, panel)
	body := []byte(`{"prompt":"What is the sum of the first ten primes?","kind":"` + kind + `","wait":"all"}`)
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
		req.SetRequestURI("http://localhost/v1/deliberate")
		req.Header.SetMethod(fasthttp.MethodPost)
		req.Header.SetContentType("application/json")
		req.SetBody(body)
		for pb.Next() {
			if err := client.Do(req, resp); err != nil || resp.StatusCode() != fasthttp.StatusOK {
				b.Errorf("status %d, %v: %s", resp.StatusCode(), err, resp.Body())
				return
			}
		}
	})
}

// reply is 600 bytes, as the goals are stated for.
var reply = strings.Repeat("The primes are added one after the other, which takes a while but is not hard. ", 8)[:583] + "\nanswer is 129"

// ready answers at once.
type ready struct{}

func (ready) Ask(_ context.Context, _ *quorum.Deliberation, r *quorum.Reply) error {
	r.Text, r.Model = reply, "ready"
	r.Usage = quorum.Usage{InputTokens: 20, OutputTokens: 150}
	return nil
}

func start(b *testing.B, panel int) *fasthttp.HostClient {
	b.Helper()
	fatal := func(err error) { panic(err) }
	book := gateway.NewBook()
	dir := b.TempDir()
	l, err := ledger.Open(ledger.Config{Dir: dir, Origin: "bench.example/ledger", Fold: book.Fold, OnFatal: fatal})
	if err != nil {
		b.Fatal(err)
	}
	v, err := vault.Open(vault.Config{Dir: dir + "/vault", KeyFile: dir + "/vault.key", OnFatal: fatal})
	if err != nil {
		b.Fatal(err)
	}
	fan, err := fanout.New(fanout.Config{})
	if err != nil {
		b.Fatal(err)
	}
	g, err := gateway.New(gateway.Config{Book: book, Ledger: l, Vault: v, Fan: fan, Scorer: scoring.New()})
	if err != nil {
		b.Fatal(err)
	}
	s := gateway.Settings{Policy: quorum.DefaultPolicy()}
	for i := range panel {
		c := quorum.Companion{ID: quorum.CompanionID(fmt.Sprint("C", i)), Provider: "kaizen", Vendor: fmt.Sprint("v", i), Family: fmt.Sprint("f", i), Model: "ready", Tier: quorum.High, Status: quorum.Active}
		line, err := fanout.NewLine(fanout.LineConfig{Companion: c.ID, Asker: ready{}, Provider: c.Provider, Model: c.Model, InFlight: 4096})
		if err != nil {
			b.Fatal(err)
		}
		s.Seats = append(s.Seats, gateway.Seat{Companion: c, Line: line})
	}
	if err := g.Apply(context.Background(), s); err != nil {
		b.Fatal(err)
	}
	ln := fasthttputil.NewInmemoryListener()
	served := make(chan error, 1)
	go func() { served <- g.Serve(ln) }()
	b.Cleanup(func() {
		if err := g.Shutdown(context.Background()); err != nil {
			b.Error(err)
		}
		<-served
		if err := v.Close(); err != nil {
			b.Error(err)
		}
		if err := l.Close(); err != nil {
			b.Error(err)
		}
	})
	return &fasthttp.HostClient{Addr: "localhost", MaxConns: 256, Dial: func(string) (net.Conn, error) { return ln.Dial() }}
}
