package gateway

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

func TestShutdownAnswersWhatIsInFlightAndRecordsWhatFollows(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: append([]*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", held), member(t, "SOLARA", held)}, shadows(t, held)...),
		policy: func(p *quorum.Policy) { p.Early.ObserveOne = 1 }})
	answered := r.posting(`{"prompt":"Six times seven?","kind":"number"}`)
	atlas, solara, nova := r.panel[1].next(t), r.panel[2].next(t), r.panel[3].next(t)

	ended := make(chan error, 1)
	go func() { ended <- r.Shutdown(context.Background()) }()
	within(t, "the end of listening", r.served)
	if conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://")); err == nil {
		conn.Close()
		t.Error("it still takes connections")
	}
	waiting(t, answered)
	atlas.says("42") // decides it
	if d := within(t, "the answer", answered).deliberation(http.StatusOK); d.Status != "carried" || ballot(t, d, "SOLARA").Outcome != "unneeded" {
		t.Errorf("%+v", d)
	}
	select {
	case err := <-ended:
		t.Fatalf("Shutdown = %v while observed and shadow calls are out", err)
	default:
	}
	solara.says("42")
	nova.says("41")
	if err := within(t, "the end of Shutdown", ended); err != nil {
		t.Error(err)
	}
	// Whoever closes the ledger now loses nothing.
	completions := of[*quorum.Completion](r.journal)
	if len(completions) != 1 || !completions[0].Observed || completions[0].Ballots[2].Outcome != quorum.OK || completions[0].Ballots[3].Position != 1 {
		t.Errorf("completions %+v", completions)
	}
	if err := r.Shutdown(context.Background()); err != nil {
		t.Errorf("a second Shutdown: %v", err)
	}
}

// A shutdown that may take no longer ends what lingers, and still records it.
func TestShutdownEndsWhatLingersWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: append(panelOf(t, says("42"), says("42")), shadows(t, held)...)})
	d := r.ask(guideRequest)
	nova := r.panel[2].next(t)
	r.client.CloseIdleConnections()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.Shutdown(ctx) // its error is ctx's, if a connection was still open
	within(t, "the end of NOVA's call", nova.gone)
	if b := r.completion(d.ID).Ballots[2]; b.Outcome != quorum.Unneeded || b.Scored {
		t.Errorf("NOVA: %+v", b)
	}
}

func TestShutdownRecordsTheCachesHits(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	r.askCached(cacheable)
	r.askCached(cacheable)
	r.drain()
	total := int64(0)
	for _, rec := range of[*quorum.CacheHits](r.journal) {
		for _, h := range rec.Hits {
			total += h.Count
		}
	}
	if total != 1 {
		t.Errorf("%d hits are recorded", total)
	}
}

// A signal may come before the gateway has begun to serve.
func TestServeAfterShutdownEndsAtOnce(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"))})
	r.drain()
	ln := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	if err := r.Serve(ln); err != nil {
		t.Errorf("Serve = %v", err)
	}
	if _, err := ln.Accept(); err == nil {
		t.Error("the listener is still open")
	}
}

// A panic costs its own request, and says nothing of what was thrown.
func TestAPanicIsItsRequestsOnly(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	handle := r.open("/broken", func(*fasthttp.RequestCtx) error { panic("the canary sings") })
	ctx := new(fasthttp.RequestCtx)
	handle(ctx)
	(&response{t: t, status: ctx.Response.StatusCode(), body: ctx.Response.Body()}).failure(http.StatusInternalServerError, wire.InternalError)
	logged := r.logs.String()
	if !strings.Contains(logged, `"panic":"string"`) || strings.Contains(logged+string(ctx.Response.Body()), "canary") {
		t.Errorf("logged %s", logged)
	}
	if spans := r.spans.Ended(); len(spans) != 1 || spans[0].Name() != "GET /broken" {
		t.Errorf("its span is not ended: %v", spans)
	}
	r.ask(guideRequest)
	r.logs.reset() // this panic was wanted
}
