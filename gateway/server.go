package gateway

import (
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

// Server limits. Reading a request is bounded so that a slow sender holds no
// worker; writing and the handler itself are bounded by the request's deadline.
const (
	readTimeout    = 30 * time.Second
	idleTimeout    = 2 * time.Minute
	maxConnections = 8192
)

func (g *Gateway) newServer(bodyBytes int) *fasthttp.Server {
	return &fasthttp.Server{
		Name:                         "kaizen",
		DisablePreParseMultipartForm: true, // no route takes a form; it gets its 415 like any other
		Handler:                      g.untilDrained(g.routes()),
		ErrorHandler:                 g.badRequest,
		MaxRequestBodySize:           bodyBytes,
		Concurrency:                  maxConnections,
		ReadTimeout:                  readTimeout,
		IdleTimeout:                  idleTimeout,
		NoDefaultContentType:         true,
		CloseOnShutdown:              true,
		SecureErrorLogMessage:        true,
		Logger:                       discard{}, // fasthttp's own lines may quote a request
	}
}

// untilDrained lets every answer close its connection once the gateway drains.
func (g *Gateway) untilDrained(handle fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		handle(ctx)
		if g.draining.Load() {
			ctx.SetConnectionClose()
		}
	}
}

type discard struct{}

func (discard) Printf(string, ...any) {}

// Serve answers requests on ln until Shutdown.
func (g *Gateway) Serve(ln net.Listener) error { return g.server.Serve(ln) }

// badRequest answers what fasthttp could not read as a request.
func (g *Gateway) badRequest(ctx *fasthttp.RequestCtx, err error) {
	f := refuse(wire.InvalidJSON, "this is no HTTP request that can be read")
	if err == fasthttp.ErrBodyTooLarge {
		f = refuse(wire.BodyTooLarge, "the request body is larger than this gateway takes")
	}
	g.fail(ctx, f)
	ctx.SetConnectionClose()
}
