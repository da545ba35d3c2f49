package upstream

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// MaxRetryAfter is the longest pause that a companion's word is taken for.
const MaxRetryAfter = time.Hour

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
	cn.release(keep)
}

// release keeps the connection for another exchange, or closes it.
func (cn *conn) release(keep bool) {
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
	if !plainCoding(r.conn.parsed.Header.ContentEncoding()) {
		return &Error{Class: ContentType, Status: r.Status, Reason: "reply is compressed"}
	}
	mime := mimeType(r.conn.parsed.Header.ContentType())
	if len(mime) == 0 || bytes.EqualFold(mime, []byte("application/json")) ||
		len(mime) > 5 && bytes.EqualFold(mime[len(mime)-5:], []byte("+json")) {
		return nil
	}
	return &Error{Class: ContentType, Status: r.Status, Reason: "reply is not json"}
}

func mimeType(contentType []byte) []byte {
	mime, _, _ := bytes.Cut(contentType, []byte(";"))
	return bytes.TrimSpace(mime)
}

// plainCoding reports whether a content coding leaves the body as it is.
func plainCoding(coding []byte) bool {
	return len(coding) == 0 || bytes.EqualFold(coding, []byte("identity"))
}

// Header is the value of a header of the response, the last if there are
// several, or "". It is the companion's word and goes into no error.
func (r *Response) Header(name string) string {
	var value []byte
	for k, v := range r.conn.parsed.Header.All() {
		if strings.EqualFold(string(k), name) {
			value = bytes.TrimSpace(v)
		}
	}
	return string(value)
}

// retryAfter reads Retry-After, seconds or a date, or the milliseconds that
// OpenAI and Azure say beside it; zero if there is none.
func (r *Response) retryAfter(now time.Time) time.Duration {
	if ms, err := strconv.ParseUint(r.Header("Retry-After-Ms"), 10, 32); err == nil {
		return min(time.Duration(ms)*time.Millisecond, MaxRetryAfter)
	}
	return parseRetryAfter(r.Header("Retry-After"), now)
}

func parseRetryAfter(value string, now time.Time) time.Duration {
	var after time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		after = time.Duration(seconds) * time.Second
	} else if at, err := fasthttp.ParseHTTPDate([]byte(value)); err == nil {
		after = at.Sub(now)
	}
	return min(max(after, 0), MaxRetryAfter)
}
