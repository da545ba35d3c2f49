package gateway

import (
	"net"
	"sync"
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
		Handler:                      g.untilDrained(g.handler),
		ErrorHandler:                 g.badRequest,
		MaxRequestBodySize:           bodyBytes,
		HeaderReceived:               g.bodyLimit,
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

// Serve answers requests on ln until Shutdown, also one that came first.
func (g *Gateway) Serve(ln net.Listener) error {
	once := &listener{Listener: ln}
	if !g.listeners.add(once) {
		return once.Close()
	}
	return g.server.Serve(once)
}

// listeners are those being served. The server's own Shutdown overlooks one that
// its Serve has not yet taken up.
type listeners struct {
	mu     sync.Mutex // guards what follows
	open   []*listener
	closed bool
}

func (l *listeners) add(ln *listener) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = append(l.open, ln)
	return !l.closed
}

func (l *listeners) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, ln := range l.open {
		ln.Close() // the server closes it too, and hears of an error
	}
}

// A listener may be closed more than once.
type listener struct {
	net.Listener
	once sync.Once
	err  error
}

func (l *listener) Close() error {
	l.once.Do(func() { l.err = l.Listener.Close() })
	return l.err
}

// badRequest answers what fasthttp could not read as a request.
func (g *Gateway) badRequest(ctx *fasthttp.RequestCtx, err error) {
	f := refuse(wire.InvalidJSON, "this is no HTTP request that can be read")
	if err == fasthttp.ErrBodyTooLarge {
		f = refuse(wire.BodyTooLarge, "the request body is larger than this gateway takes")
	}
	g.fail(ctx, f)
	ctx.SetConnectionClose()
}
