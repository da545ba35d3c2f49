package gateway

import (
	"context"
	"errors"
	"net/http"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"

	"github.com/kaizen-os/deliberation/gateway/mcp"
	"github.com/kaizen-os/deliberation/gateway/wire"
)

// mcpPath is where agents speak the Model Context Protocol (streamable HTTP).
const mcpPath = "/mcp"

// newMCP makes the handler of /mcp. Each request stands by itself and is answered
// with JSON: no session lives here, so any of several gateways may answer it.
func (g *Gateway) newMCP() fasthttp.RequestHandler {
	server := mcp.New(inside{g})
	return fasthttpadaptor.NewFastHTTPHandler(sdk.NewStreamableHTTPHandler(
		func(*http.Request) *sdk.Server { return server },
		// keyed has looked at Host and Origin, as for every other route.
		&sdk.StreamableHTTPOptions{Stateless: true, JSONResponse: true, DisableLocalhostProtection: true},
	))
}

// postMCP serves /mcp to whoever may use the gateway at all; each tool asks again
// what that caller may do.
func (g *Gateway) postMCP(ctx *fasthttp.RequestCtx, _ *caller) error {
	g.mcp(ctx)
	g.redactMCP(&ctx.Response)
	return nil
}

// inside is the gateway as its own tools reach it: by the front door, without the
// network. What limits, traces and refuses the requests of others does so here.
type inside struct{ g *Gateway }

func (in inside) Do(ctx context.Context, header http.Header, method, path string, body []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.SetRequestURI(path)
	req.Header.SetHost("localhost") // the outer request's has been looked at
	for _, name := range [...]string{fasthttp.HeaderAuthorization, "X-Api-Key", "Traceparent"} {
		if v := header.Get(name); v != "" {
			req.Header.Set(name, v)
		}
	}
	if body != nil {
		req.Header.SetContentType(contentJSON)
		req.SetBodyRaw(body)
	}
	var call fasthttp.RequestCtx
	call.Init(&req, nil, discard{})
	in.g.handler(&call)
	answer := call.Response.Body()
	if said, err := wire.DecodeError(answer); err == nil {
		return nil, errors.New(inWords(said, string(call.Response.Header.Peek(fasthttp.HeaderRetryAfter))))
	}
	return answer, nil
}

// inWords is an error as one line: its message, every detail, and when to try again.
func inWords(e *wire.Error, retryAfter string) string {
	var b strings.Builder
	b.WriteString(string(e.Code) + ": " + e.Message)
	for _, d := range e.Details {
		b.WriteString("; " + strings.TrimPrefix(d.Field+": "+d.Problem, ": "))
	}
	if retryAfter != "" {
		b.WriteString("; try again in " + retryAfter + " s")
	}
	return b.String()
}
