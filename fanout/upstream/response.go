package upstream

import (
	"bytes"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// maxRetryAfter is the longest pause that a companion's word is taken for.
const maxRetryAfter = time.Hour

// Response is one whole response. Body is valid until Release.
type Response struct {
	Status int
	Body   []byte
	conn   *conn
	keep   bool
}

// Release gives the connection and its buffers back. It is called once, and the
// response is not touched after it.
func (r *Response) Release() {
	cn, keep := r.conn, r.keep
	*r = Response{} // the body's buffer is about to be someone else's
	cn.parsed.ResetBody()
	if !keep {
		cn.net.Close()
		return
	}
	cn.used = true
	cn.client.put(cn)
}

// Err is nil for 200 and an *Error for any other status. Redirects are errors
// too: a companion's address is what the operator configured.
func (r *Response) Err() error {
	if r.Status == fasthttp.StatusOK {
		return nil
	}
	return statusError(r.Status, r.retryAfter(time.Now()))
}

// JSON is nil if the response is a 200 that calls itself JSON, or says nothing
// of its type, and is not compressed.
func (r *Response) JSON() error {
	if err := r.Err(); err != nil {
		return err
	}
	if coding := r.conn.parsed.Header.ContentEncoding(); len(coding) > 0 && !bytes.EqualFold(coding, []byte("identity")) {
		return &Error{Class: ContentType, Status: r.Status, Reason: "reply is compressed"}
	}
	mime, _, _ := bytes.Cut(r.conn.parsed.Header.ContentType(), []byte(";"))
	mime = bytes.TrimSpace(mime)
	if len(mime) == 0 || bytes.EqualFold(mime, []byte("application/json")) ||
		len(mime) > 5 && bytes.EqualFold(mime[len(mime)-5:], []byte("+json")) {
		return nil
	}
	return &Error{Class: ContentType, Status: r.Status, Reason: "reply is not json"}
}

// retryAfter reads Retry-After, seconds or a date; zero if there is none.
func (r *Response) retryAfter(now time.Time) time.Duration {
	var value []byte
	for k, v := range r.conn.parsed.Header.All() {
		if bytes.EqualFold(k, []byte("Retry-After")) {
			value = bytes.TrimSpace(v)
		}
	}
	return parseRetryAfter(string(value), now)
}

func parseRetryAfter(value string, now time.Time) time.Duration {
	var after time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		after = time.Duration(seconds) * time.Second
	} else if at, err := fasthttp.ParseHTTPDate([]byte(value)); err == nil {
		after = at.Sub(now)
	}
	return min(max(after, 0), maxRetryAfter)
}
