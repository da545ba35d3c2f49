package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	// headBuffer is what a connection reads through. Memory is this times the
	// connections in use (panel size times deliberations in flight).
	headBuffer = 4 << 10
	// maxHead bounds a reply's head. A head over headBuffer, as some content
	// networks send, gives its connection a buffer of this size.
	maxHead = 64 << 10
)

// A conn carries one exchange at a time, so what an exchange needs is its own:
// the reader, the parsed response and the Response handed out.
type conn struct {
	client    *Client
	net       net.Conn
	br        *bufio.Reader
	readErr   error // the last error of net.Read
	parsed    fasthttp.Response
	out       Response
	inBody    bool      // the head of the response has been read
	used      bool      // has carried an exchange before this one
	streamed  bool      // the response was handed on as events
	rest      io.Reader // what is still to come of a streamed one
	idleSince time.Time
}

func newConn(c *Client, raw net.Conn) *conn {
	cn := &conn{client: c, net: raw}
	cn.br = bufio.NewReaderSize(cn, headBuffer)
	cn.parsed.Header.DisableNormalizing() // few headers are looked at, and those by any case
	cn.parsed.Header.SetNoDefaultContentType(true)
	return cn
}

// Read remembers how reading ended, because the parser's errors do not tell a
// lost connection from bad bytes, and quote the latter.
func (cn *conn) Read(p []byte) (n int, err error) {
	n, cn.readErr = cn.net.Read(p)
	return n, cn.readErr
}

// A guard is a ctx that ends calls by itself, at less cost than a
// context.AfterFunc a call. Package fanout's are.
type guard interface {
	// Guard has c's deadline set to the past when ctx ends. False: it has ended.
	Guard(c interface{ SetDeadline(time.Time) error }) bool
	// Unguard lets go of c. False: ctx ended meanwhile.
	Unguard() bool
}

// past is a deadline that interrupts whatever waits on a connection.
var past = time.Unix(1, 0)

// roundTrip sends what is in buf, then body, and reads one response, until ctx
// ends. buf goes back to requests once it is written. A response of events goes
// to sink if there is one. keep says whether the connection is fit for another
// exchange.
func (cn *conn) roundTrip(ctx context.Context, buf *[]byte, body []byte, sink Sink) (keep bool, err error) {
	deadline, _ := ctx.Deadline() // zero: none
	if err := cn.net.SetDeadline(deadline); err != nil {
		return false, beforeReply(ctx, err, cn.used)
	}
	// After SetDeadline, which would undo what an early end of ctx does.
	if g, ok := ctx.(guard); ok {
		if !g.Guard(cn.net) {
			return false, ctx.Err()
		}
		defer func() { keep = g.Unguard() && keep }()
	} else {
		stop := context.AfterFunc(ctx, func() { cn.net.SetDeadline(past) })
		defer func() { keep = stop() && keep }()
	}
	_, err = cn.net.Write(*buf)
	requests.Put(buf)
	if err != nil {
		return false, beforeReply(ctx, err, cn.used)
	}
	if len(body) > 0 {
		if _, err := cn.net.Write(body); err != nil {
			return false, beforeReply(ctx, err, cn.used)
		}
	}
	if _, err := cn.br.Peek(1); err != nil {
		return false, beforeReply(ctx, err, cn.used)
	}
	if err := cn.readHead(); err != nil {
		return false, cn.inReply(ctx, err)
	}
	if cn.streamed = sink != nil && cn.streams(); cn.streamed {
		said, err := cn.readEvents(sink)
		switch {
		case said != nil:
			return false, said
		case err != nil:
			return false, cn.inReply(ctx, err)
		}
		return !cn.parsed.ConnectionClose() && cn.rest != io.Reader(cn.br), nil
	}
	if err := cn.readBody(); err != nil {
		return false, cn.inReply(ctx, err)
	}
	// Bytes after the response would be taken for the next one's.
	return !cn.parsed.ConnectionClose() && cn.br.Buffered() == 0, nil
}

// maxInterim is how many 1xx responses may come before the real one.
const maxInterim = 8

var errInterim = errors.New("upstream: too many interim responses")

// readHead reads up to the end of the final response's head.
func (cn *conn) readHead() error {
	cn.inBody = false
	for range maxInterim {
		err := cn.parsed.Header.Read(cn.br)
		var small *fasthttp.ErrSmallBuffer
		if errors.As(err, &small) && cn.br.Size() < maxHead {
			// The parser only peeks, so what has come is still buffered.
			begun, _ := cn.br.Peek(cn.br.Buffered())
			cn.br = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(begun)), cn), maxHead)
			err = cn.parsed.Header.Read(cn.br)
		}
		if err != nil {
			return err
		}
		if status := cn.parsed.StatusCode(); status >= 200 || status == fasthttp.StatusSwitchingProtocols {
			cn.inBody = true
			return nil
		}
	}
	return errInterim
}

// readBody reads the whole body.
func (cn *conn) readBody() error {
	switch cn.parsed.StatusCode() {
	case fasthttp.StatusNoContent, fasthttp.StatusNotModified, fasthttp.StatusSwitchingProtocols:
		return nil // they have none
	}
	if err := cn.parsed.ReadBody(cn.br, cn.client.maxBody); err != nil {
		return err
	}
	if cn.parsed.Header.ContentLength() == chunked {
		return cn.parsed.Header.ReadTrailer(cn.br)
	}
	return nil
}

// chunked is fasthttp's content length of a chunked body.
const chunked = -1

// inReply explains an error met after the first byte of a reply. The parser's
// own error is dropped: it quotes what the companion sent.
func (cn *conn) inReply(ctx context.Context, err error) error {
	if end := ended(ctx, cn.readErr); end != nil {
		return end
	}
	var small *fasthttp.ErrSmallBuffer
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return &Error{Class: TooLarge, Reason: "reply over the size limit"}
	case errors.As(err, &small):
		return &Error{Class: TooLarge, Reason: "reply head over the size limit"}
	case cn.readErr == nil || !cn.spokeHTTP():
		return &Error{Class: Malformed, Reason: "reply is not valid http"}
	}
	return &Error{Class: Truncated, Reason: "reply cut short", Err: cn.readErr}
}

// spokeHTTP reports whether the unfinished response began like one. The parser
// leaves a head that it could not read in the buffer.
func (cn *conn) spokeHTTP() bool {
	const start = "HTTP/1."
	if cn.inBody {
		return true
	}
	got, _ := cn.br.Peek(min(cn.br.Buffered(), len(start)))
	return string(got) == start[:len(got)]
}
