package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httputil"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	// streamFactor is how many times the limit on a reply its whole stream may
	// have: a token of four bytes comes in an event of two or three hundred. What
	// is kept of it is held to the limit by whoever puts it together.
	streamFactor = 100
	// restTime is how long the next call waits for the last bytes of a streamed
	// reply, which its end was known without. They are there by then, or lost.
	restTime = 10 * time.Millisecond
	// maxRest is how many bytes those may be.
	maxRest = 16 << 10
)

// A stream is what reading events takes.
type stream struct {
	piece  [4 << 10]byte
	events events
}

var streams = sync.Pool{New: func() any { return new(stream) }}

// maxPooledEvent is the largest event whose buffers are kept.
const maxPooledEvent = 64 << 10

// Stream is [Route.Do] for a reply that comes as server-sent events: it hands
// them to sink while they arrive, and returns nil and nil when sink has the whole
// reply. An error of sink is returned as it is; with it, and with any other
// error, the connection is closed at once, so that the companion stops writing.
//
// A response that is no stream of events, an error status or the reply of a
// server that does not stream, is read whole and returned; sink is not called.
func (r *Route) Stream(ctx context.Context, key string, body []byte, sink Sink) (*Response, error) {
	return r.do(ctx, key, body, sink)
}

// streams reports whether the response whose head was read is events.
func (cn *conn) streams() bool {
	h := &cn.parsed.Header
	if h.StatusCode() != fasthttp.StatusOK || !plainCoding(h.ContentEncoding()) {
		return false
	}
	return bytes.EqualFold(mimeType(h.ContentType()), []byte("text/event-stream"))
}

// readEvents hands the events of the body to sink. said is sink's error, err any
// other.
func (cn *conn) readEvents(sink Sink) (said, err error) {
	s := streams.Get().(*stream)
	s.events.reset(cn.client.maxBody)
	defer func() {
		if cap(s.events.data) <= maxPooledEvent && cap(s.events.line) <= maxPooledEvent {
			streams.Put(s)
		}
	}()
	body, total := cn.body(), 0
	for {
		n, err := body.Read(s.piece[:])
		if total += n; total > streamFactor*cn.client.maxBody {
			return errEvent, nil
		}
		done, said := s.events.feed(s.piece[:n], sink)
		switch {
		case said != nil:
			return said, nil
		case done:
		case err == io.EOF:
			if said = s.events.end(sink); said != nil {
				return said, nil
			}
		case err != nil:
			return nil, err
		default:
			continue
		}
		cn.rest = body
		return nil, nil
	}
}

// body reads the body of the response whose head was read, and no more.
func (cn *conn) body() io.Reader {
	switch n := cn.parsed.Header.ContentLength(); {
	case n == chunked:
		return httputil.NewChunkedReader(cn.br)
	case n >= 0:
		return &sized{cn.br, n}
	}
	return cn.br // until the connection closes
}

// sized reads a body whose length is known.
type sized struct {
	from io.Reader
	left int
}

func (s *sized) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.from.Read(p[:min(len(p), s.left)])
	if s.left -= n; err == io.EOF && s.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

var errRest = errors.New("upstream: a stream goes on after its end")

// finish reads what was left of a streamed reply, and reports whether the
// connection is fit for another exchange. It is called before the next one: by
// then the bytes have come, and nobody has waited for them.
func (cn *conn) finish() bool {
	if cn.rest == nil {
		return true
	}
	err := cn.net.SetReadDeadline(time.Now().Add(restTime))
	var piece [512]byte
	for total := 0; err == nil; {
		var n int
		n, err = cn.rest.Read(piece[:])
		if total += n; err == nil && total > maxRest {
			err = errRest
		}
	}
	cn.rest = nil
	if err == io.EOF && cn.parsed.Header.ContentLength() == chunked {
		err = cn.parsed.Header.ReadTrailer(cn.br)
	}
	return (err == nil || err == io.EOF) && cn.br.Buffered() == 0
}
