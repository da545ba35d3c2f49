package gateway

import (
	"bytes"
	"context"
	"time"

	"github.com/fasthttp/router"
	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// routes lists each path beside its handler. Keyed handlers are called with the
// client whose key came with the request; open ones with nobody.
func (g *Gateway) routes() *router.Router {
	r := router.New()
	r.RedirectTrailingSlash, r.RedirectFixedPath, r.HandleOPTIONS = false, false, false
	r.NotFound = func(ctx *fasthttp.RequestCtx) { g.fail(ctx, refuse(wire.NotFound, "there is nothing at this path")) }
	r.MethodNotAllowed = func(ctx *fasthttp.RequestCtx) {
		g.fail(ctx, refuse(wire.MethodNotAllowed, "this path does not take "+string(ctx.Method())))
	}
	r.PanicHandler = g.panicked

	r.POST("/v1/deliberate", g.keyed("/v1/deliberate", g.postDeliberate))
	r.POST(chatPath, g.keyed(chatPath, g.postAs(chat)))
	r.POST(responsesPath, g.keyed(responsesPath, g.postAs(responses)))
	r.POST(messagesPath, g.keyed(messagesPath, g.postAs(messages)))
	r.GET(modelsPath, g.keyed(modelsPath, g.getModels))
	r.GET(modelsPath+"/{id:*}", g.keyed(modelsPath+"/{id}", g.getModel))
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
	return r
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
			g.telemetry.announce(ctx, span)
			served := g.telemetry.served(ctx, span, labels, received)
			if v, ok := ctx.UserValue(streamKey).(streamValue); ok {
				// It is read when this has returned, and served when it has been.
				v.s.ended = func(how int) {
					if how == endFailed {
						g.status(faultOf(v.s.failed)) // which logs what only the log is told
					}
					g.telemetry.streamed(how)
					served()
				}
				return
			}
			served()
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
	if wantsEvents(ctx) {
		return g.stream(ctx, a, &req, streaming{native: true, told: func(out *outcome, cached bool, err error) ([][]byte, error) {
			if err != nil {
				told := g.redacted(faultOf(err).told)
				return told.Events(), err
			}
			body := g.respond(out, req.Include)
			body.Cached = cached
			g.timed(work, body, out, received)
			return body.Events(), nil
		}})
	}
	defer g.admission.leave()

	out, cached, err := g.answer(work, a, &req)
	if err != nil {
		return err
	}
	body := g.respond(out, req.Include)
	body.Cached = cached
	g.timed(work, body, out, received)

	if out.verdict.Status == quorum.Pending {
		ctx.SetStatusCode(fasthttp.StatusAccepted)
	}
	ctx.SetContentType(contentJSON)
	// The response's own buffer is used again with the connection: append to it.
	ctx.Response.SwapBody(body.AppendTo(ctx.Response.SwapBody(nil)[:0]))
	return nil
}

// answer deliberates, or takes an answer that is there, if req wants that. cached
// tells whether it was made for another request.
func (g *Gateway) answer(work context.Context, a *asking, req *wire.Request) (out *outcome, cached bool, err error) {
	if req.CacheMaxAgeSeconds == 0 {
		out, err = g.deliberate(work, a)
		return out, false, err
	}
	key := keyOf(a.caller, req, g.book.members.Load(), g.view.Load().version, g.book.State().Policy.Digest())
	return g.cache.get(key, time.Duration(req.CacheMaxAgeSeconds)*time.Second, func() (*outcome, error) { return g.deliberate(work, a) })
}

// timed puts into body where the time went, and measures it.
func (g *Gateway) timed(work context.Context, body *wire.Deliberation, out *outcome, received time.Time) {
	total := time.Since(received)
	wait := time.Duration(out.proof.WaitMicros) * time.Microsecond
	if body.Cached {
		wait = 0
	}
	body.Timing = wire.Timing{Total: wire.Micros(total.Microseconds()), Wait: wire.Micros(wait.Microseconds()), Overhead: wire.Micros((total - wait).Microseconds())}
	g.telemetry.overhead(work, out.proof.Tier, total-wait)
}

func wantJSON(ctx *fasthttp.RequestCtx) error {
	media, _, _ := bytes.Cut(ctx.Request.Header.ContentType(), []byte(";"))
	if !bytes.EqualFold(bytes.TrimSpace(media), []byte(contentJSON)) {
		return refuse(wire.UnsupportedMediaType, "send the body as Content-Type: application/json")
	}
	return nil
}
