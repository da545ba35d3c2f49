package sim

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"

	"github.com/valyala/fasthttp"
)

// A Fault is a way for a companion to misbehave, on every path.
type Fault int32

const (
	NoFault       Fault = iota
	Garbage             // 200, application/json, and no JSON
	Endless             // 200 and a body that never ends
	HalfBody            // 200, half of what Content-Length promised, then the connection closes
	WrongType           // 200 and text/html
	ServerError         // 500
	TooMany             // 429 with Retry-After: 1
	Unavailable         // 503 with Retry-After: 1
	Hang                // takes the request and never answers
	NotAuthorised       // 401
)

var faultNames = [...]string{
	"none", "garbage", "endless", "half", "type", "500", "429", "503", "hang", "401",
}

func (f Fault) String() string { return faultNames[f] }

// ParseFault reads a fault's name, as String writes it.
func ParseFault(s string) (Fault, error) {
	for i, name := range faultNames {
		if s == name {
			return Fault(i), nil
		}
	}
	return NoFault, fmt.Errorf("unknown fault %q: want one of %v", s, faultNames)
}

// misbehave answers as f does.
func (s *server) misbehave(ctx *fasthttp.RequestCtx, f Fault) {
	ctx.SetContentType("application/json")
	switch f {
	case Garbage:
		ctx.SetBodyString("\x00\xff{]not json")
	case Endless:
		ctx.SetBodyStreamWriter(s.endless)
	case HalfBody:
		s.hijack(ctx, func(conn net.Conn) {
			// The error is the client's leaving, which ends this either way.
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 64\r\n\r\n" +
				`{"response":"this reply is cut `))
		})
	case WrongType:
		ctx.SetContentType("text/html; charset=utf-8")
		ctx.SetBodyString("<!doctype html><title>Simulated error page</title>")
	case ServerError:
		ctx.Error(`{"error":"simulated failure"}`, fasthttp.StatusInternalServerError)
	case TooMany:
		ctx.Error(`{"error":"simulated rate limit"}`, fasthttp.StatusTooManyRequests)
		ctx.Response.Header.Set("Retry-After", "1")
	case Unavailable:
		ctx.Error(`{"error":"simulated overload"}`, fasthttp.StatusServiceUnavailable)
		ctx.Response.Header.Set("Retry-After", "1")
	case NotAuthorised:
		ctx.Error(`{"error":"simulated refusal"}`, fasthttp.StatusUnauthorized)
	case Hang:
		s.hijack(ctx, func(conn net.Conn) {
			// Ends when the client leaves, or the server closes.
			_, _ = conn.Read(make([]byte, 1))
		})
	}
}

// hijack takes the connection out of fasthttp's hands and closes it when do
// returns or the server closes, whichever is first.
func (s *server) hijack(ctx *fasthttp.RequestCtx, do func(net.Conn)) {
	// fasthttp's own wrapper of a hijacked connection ignores Close, and is
	// reused afterwards; the connection below it is not.
	conn := ctx.Conn()
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(net.Conn) {
		release := context.AfterFunc(s.alive, func() { conn.Close() })
		defer release()
		do(conn)
	})
}

// endless writes the start of a reply and then its text for ever, until the
// client leaves or the server closes.
func (s *server) endless(w *bufio.Writer) {
	more := bytes.Repeat([]byte("and so on "), 400)
	if _, err := w.WriteString(`{"response":"`); err != nil {
		return
	}
	for s.alive.Err() == nil {
		if _, err := w.Write(more); err != nil {
			return
		}
		if err := w.Flush(); err != nil {
			return
		}
	}
}
