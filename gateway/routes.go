package gateway

import (
	"bytes"
	"time"

	"github.com/fasthttp/router"
	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// routes lists each path beside its handler. Keyed handlers are called with the
// client whose key came with the request; open ones with nobody.
func (g *Gateway) routes() fasthttp.RequestHandler {
	r := router.New()
	r.RedirectTrailingSlash, r.RedirectFixedPath, r.HandleOPTIONS = false, false, false
	r.NotFound = func(ctx *fasthttp.RequestCtx) { g.fail(ctx, refuse(wire.NotFound, "there is nothing at this path")) }
	r.MethodNotAllowed = func(ctx *fasthttp.RequestCtx) {
		g.fail(ctx, refuse(wire.MethodNotAllowed, "this path does not take "+string(ctx.Method())))
	}
	r.PanicHandler = g.panicked

	r.POST("/v1/deliberate", g.keyed("/v1/deliberate", g.postDeliberate))
	r.GET("/v1/deliberations", g.keyed("/v1/deliberations", g.listDeliberations))
	r.GET("/v1/deliberations/{id}", g.keyed("/v1/deliberations/{id}", g.getDeliberation))
	r.GET("/v1/deliberations/{id}/receipt", g.keyed("/v1/deliberations/{id}/receipt", g.getReceipt))
	r.POST("/v1/deliberations/{id}/feedback", g.keyed("/v1/deliberations/{id}/feedback", g.postFeedback))
	r.DELETE("/v1/deliberations/{id}/text", g.keyed("/v1/deliberations/{id}/text", g.deleteText))
	r.POST("/constitutional/validate", g.keyed("/constitutional/validate", g.postValidate))
	r.GET("/api/companions", g.keyed("/api/companions", g.getCompanions))
	r.GET("/api/companions/{id}", g.keyed("/api/companions/{id}", g.getCompanion))
	r.POST(calibrationPath, g.keyed(calibrationPath, g.postCalibration))
	r.GET(calibrationPath+"/{id}/receipt", g.keyed(calibrationPath+"/{id}/receipt", g.getCalibrationReceipt))

	r.POST(mcpPath, g.keyed(mcpPath, g.postMCP))

	r.GET("/ledger/checkpoint", g.open("/ledger/checkpoint", g.getCheckpoint))
	r.GET("/ledger/key", g.open("/ledger/key", g.getLedgerKey))
	r.GET("/ledger/tile/{path:*}", g.open("/ledger/tile", g.getTile))
	r.GET("/policy", g.open("/policy", g.getPolicy))
	r.GET("/policy/confidence", g.open("/policy/confidence", g.getConfidence))
	r.GET("/charter", g.open("/charter", g.getCharter))
	r.GET("/health", g.open("/health", g.getHealth))
	r.GET("/ready", g.open("/ready", g.getReady))
	return r.Handler
}

// keyed wraps a handler that needs to know who asks.
func (g *Gateway) keyed(route string, handle func(*fasthttp.RequestCtx, *caller) error) fasthttp.RequestHandler {
	return g.traced(route, func(ctx *fasthttp.RequestCtx) error {
		k, err := g.view.Load().callers.who(ctx)
		if err != nil {
			return err
		}
		return handle(ctx, k)
	})
}

func (g *Gateway) open(route string, handle func(*fasthttp.RequestCtx) error) fasthttp.RequestHandler {
	return g.traced(route, handle)
}

// traced puts the request's span around a handler, answers its error, and
// measures it.
func (g *Gateway) traced(route string, handle func(*fasthttp.RequestCtx) error) fasthttp.RequestHandler {
	labels := g.telemetry.route(route)
	return func(ctx *fasthttp.RequestCtx) {
		received := time.Now()
		span := g.telemetry.server(ctx, labels)
		defer func() {
			if thrown := recover(); thrown != nil {
				g.panicked(ctx, thrown)
			}
			g.telemetry.served(ctx, span, labels, time.Since(received))
		}()
		if err := handle(ctx); err != nil {
			g.fail(ctx, err)
		}
	}
}

// panicked answers for a handler that has panicked: this request fails, the
// others go on. What was thrown may quote text and is logged by type only.
func (g *Gateway) panicked(ctx *fasthttp.RequestCtx, thrown any) {
	g.telemetry.panicked(g.log, thrown)
	g.fail(ctx, refuse(wire.InternalError, "something went wrong on our side; nothing was decided"))
}

// postDeliberate serves POST /v1/deliberate.
func (g *Gateway) postDeliberate(ctx *fasthttp.RequestCtx, k *caller) error {
	received := time.Now()
	if err := wantJSON(ctx); err != nil {
		return err
	}
	if err := k.admit(received); err != nil {
		return err
	}
	view := g.view.Load()
	var req wire.Request
	if err := req.Decode(ctx.PostBody(), &view.limits); err != nil {
		return err
	}
	a, err := g.admitted(&req, k, received)
	if err != nil {
		return err
	}
	// From here on nothing refers to ctx, which is fasthttp's to use again.
	work := g.telemetry.context(ctx)
	if err := g.admission.enter(work); err != nil {
		return err
	}
	defer g.admission.leave()

	var out *outcome
	cached := false
	if req.CacheMaxAgeSeconds > 0 {
		key := keyOf(k, &req, g.book.members.Load(), view.version, g.book.State().Policy.Digest())
		out, cached, err = g.cache.get(key, time.Duration(req.CacheMaxAgeSeconds)*time.Second, func() (*outcome, error) { return g.deliberate(work, a) })
	} else {
		out, err = g.deliberate(work, a)
	}
	if err != nil {
		return err
	}
	body := g.respond(out, req.Include)
	body.Cached = cached
	total := time.Since(received)
	wait := time.Duration(out.proof.WaitMicros) * time.Microsecond
	if cached {
		wait = 0
	}
	body.Timing = wire.Timing{Total: wire.Micros(total.Microseconds()), Wait: wire.Micros(wait.Microseconds()), Overhead: wire.Micros((total - wait).Microseconds())}
	g.telemetry.overhead(work, out.proof.Tier, total-wait)

	if out.verdict.Status == quorum.Pending {
		ctx.SetStatusCode(fasthttp.StatusAccepted)
	}
	ctx.SetContentType(contentJSON)
	// The response's own buffer is used again with the connection: append to it.
	ctx.Response.SwapBody(body.AppendTo(ctx.Response.SwapBody(nil)[:0]))
	return nil
}

func wantJSON(ctx *fasthttp.RequestCtx) error {
	media, _, _ := bytes.Cut(ctx.Request.Header.ContentType(), []byte(";"))
	if !bytes.EqualFold(bytes.TrimSpace(media), []byte(contentJSON)) {
		return refuse(wire.UnsupportedMediaType, "send the body as Content-Type: application/json")
	}
	return nil
}
