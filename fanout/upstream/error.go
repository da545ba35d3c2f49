package upstream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// The classes of an [Error]: a handful of names, fit for a metric attribute.
// They are the names that package fanout's classes have.
const (
	Refused     = "refused"      // the companion declined, or our credentials were
	RateLimited = "rate_limited" // 429
	BadRequest  = "bad_request"  // it would not take this request: 400, 413, 422, or too few tokens allowed for an answer
	Status      = "status"       // any other status that is no answer
	Connection  = "connection"   // not reached, or closed before the first byte
	Truncated   = "truncated"    // closed in the middle of the reply
	TooLarge    = "too_large"    // over the size limit
	ContentType = "content_type" // not what was asked for
	Malformed   = "malformed"    // not HTTP, not JSON, or not the agreed shape
)

// Error is a call that brought no usable reply. Neither Reason nor Err holds
// anything the companion said.
type Error struct {
	Class      string
	Reason     string        // a fixed phrase, such as "http 500"
	Status     int           // zero without a complete response
	Retryable  bool          // nothing of a reply had arrived, or it asked to be called again
	Stale      bool          // a kept connection that had been closed meanwhile: retry at once
	RetryAfter time.Duration // zero if the companion did not say
	Err        error         // of the network; may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return "upstream: " + e.Reason
	}
	return fmt.Sprintf("upstream: %s: %v", e.Reason, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// AskFailure tells package fanout what became of the call, in plain types
// since the two do not import each other.
func (e *Error) AskFailure() (class, reason string, retryable bool, after time.Duration) {
	return e.Class, e.Reason, e.Retryable, e.RetryAfter
}

// StaleConnection reports whether a kept connection had been closed meanwhile:
// a retry need not wait.
func (e *Error) StaleConnection() bool { return e.Stale }

// statusOverloaded is Anthropic's word for 503.
const statusOverloaded = 529

// statusError maps a status other than 200 to its class.
func statusError(status int, after time.Duration) *Error {
	e := &Error{Class: Status, Status: status, Reason: "http " + strconv.Itoa(status)}
	switch status {
	case fasthttp.StatusUnauthorized, fasthttp.StatusForbidden:
		e.Class = Refused
	case fasthttp.StatusTooManyRequests:
		e.Class, e.Retryable, e.RetryAfter = RateLimited, true, after
	case fasthttp.StatusBadRequest, fasthttp.StatusRequestEntityTooLarge, fasthttp.StatusUnprocessableEntity:
		e.Class = BadRequest
	case fasthttp.StatusServiceUnavailable, statusOverloaded:
		e.Retryable, e.RetryAfter = true, after
	}
	return e
}

// beforeReply explains an I/O error met before the first byte of a reply.
func beforeReply(ctx context.Context, err error, reused bool) error {
	if end := ended(ctx, err); end != nil {
		return end
	}
	e := &Error{Class: Connection, Retryable: true, Err: err, Reason: "connection closed before a reply"}
	if reused {
		e.Reason, e.Stale = "kept connection was closed", true
	}
	return e
}

// ended is ctx's error if err comes from ctx's end, else nil. The connection's
// deadline is ctx's, and either clock may strike first.
func ended(ctx context.Context, err error) error {
	if end := ctx.Err(); end != nil {
		return end
	}
	if _, ok := ctx.Deadline(); ok && errors.Is(err, os.ErrDeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return nil
}
