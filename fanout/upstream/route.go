package upstream

import (
	"context"
	"errors"
	"strconv"
	"sync"
)

// inlineBody is up to what length a body is copied behind the head and sent in
// one write; a longer one is written by itself.
const inlineBody = 16 << 10

// requests holds buffers for request heads and short bodies. They go back as
// soon as the request is written, not when the reply is there: companions take
// seconds, and a thousand calls wait at once.
var requests = sync.Pool{New: func() any { return new([]byte) }}

// A Route is one method and path at a client's origin, ready to be called.
type Route struct {
	client *Client
	get    bool
	head   []byte // request line and unchanging headers
	auth   string // what stands before the key, up to it
}

// Headers is what the requests of a route say beyond what all say.
type Headers struct {
	Key      string   // the header that has the key, alone; "" is Authorization, as a bearer token
	Others   []string // whole lines, such as "anthropic-version: 2023-06-01"
	Streamed bool     // a reply of server-sent events is welcome
}

// Post makes a route that sends JSON bodies to path, which is appended to the
// origin and begins with a slash.
func (c *Client) Post(path string) *Route { return c.PostWith(path, Headers{}) }

// PostWith is [Client.Post] with headers of its own; path may have a query.
func (c *Client) PostWith(path string, h Headers) *Route {
	return c.route("POST", path, h, "Content-Type: application/json\r\n")
}

// Get makes a route without a body.
func (c *Client) Get(path string) *Route { return c.route("GET", path, Headers{}, "") }

func (c *Client) route(method, path string, h Headers, headers string) *Route {
	if path == "" || path[0] != '/' || !plain(path) {
		panic("bug: route path " + strconv.Quote(path))
	}
	accept, auth := "application/json", "Authorization: Bearer "
	if h.Streamed {
		accept = "text/event-stream, application/json"
	}
	if h.Key != "" {
		auth = h.Key + ": "
	}
	for _, line := range h.Others {
		headers += line + "\r\n"
	}
	head := method + " " + c.base + path + " HTTP/1.1\r\nHost: " + c.host +
		"\r\nUser-Agent: kaizen\r\nAccept: " + accept + "\r\n" + headers
	return &Route{client: c, get: method == "GET", head: []byte(head), auth: auth}
}

// ErrKey is an API key that no header may hold, such as one with a line break.
var ErrKey = errors.New("upstream: unusable key")

// Do sends body and reads the whole response, of whatever status, by the end of
// ctx. A non-empty key goes into its header. ctx's end closes the
// connection and is then the error; any other error is an *Error.
//
// Do does not retry: the caller knows what a second call costs.
func (r *Route) Do(ctx context.Context, key string, body []byte) (*Response, error) {
	return r.do(ctx, key, body, nil)
}

func (r *Route) do(ctx context.Context, key string, body []byte, sink Sink) (*Response, error) {
	if !plain(key) {
		return nil, ErrKey
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cn := r.client.take()
	if cn == nil {
		var err error
		if cn, err = r.client.connect(ctx); err != nil {
			return nil, err
		}
	}
	buf := requests.Get().(*[]byte)
	head := r.appendHead((*buf)[:0], ctx, key, len(body))
	if len(body) <= inlineBody {
		head, body = append(head, body...), nil
	}
	*buf = head
	keep, err := cn.roundTrip(ctx, buf, body, sink)
	if err != nil {
		cn.net.Close()
		cn.parsed.ResetBody()
		if stale, ok := errors.AsType[*Error](err); ok && stale.Stale {
			r.client.drop()
		}
		return nil, err
	}
	if cn.streamed {
		cn.release(keep)
		return nil, nil
	}
	cn.out = Response{Status: cn.parsed.StatusCode(), Body: cn.parsed.Body(), conn: cn, keep: keep}
	return &cn.out, nil
}

func (r *Route) appendHead(dst []byte, ctx context.Context, key string, length int) []byte {
	dst = append(dst, r.head...)
	if key != "" {
		dst = append(dst, r.auth...)
		dst = append(dst, key...)
		dst = append(dst, '\r', '\n')
	}
	dst = appendTrace(dst, ctx)
	if !r.get {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, int64(length), 10)
		dst = append(dst, '\r', '\n')
	}
	return append(dst, '\r', '\n')
}
