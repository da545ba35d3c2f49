package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kaizen-os/deliberation/quorum"
)

// Class is a sort of failure to answer: a handful of values, fit for a metric
// attribute.
type Class uint8

const (
	ClassNone        Class = iota // it answered
	ClassLate                     // no answer before the deadline
	ClassBusy                     // our own limits had no room before the deadline
	ClassBroken                   // its breaker is open
	ClassUnneeded                 // still out when the verdict was fixed
	ClassRefused                  // it declined, or 401 or 403
	ClassRateLimited              // its own limit, 429
	ClassBadRequest               // it would not take this request: 400, 413, 422, or too few tokens allowed for an answer
	ClassStatus                   // any other status that is no answer
	ClassConnection               // not reached, or closed before the first byte
	ClassTruncated                // closed in the middle of the reply
	ClassTooLarge                 // an endless or over-long reply
	ClassContentType              // not the agreed content type
	ClassMalformed                // not the agreed shape
	ClassInternal                 // a fault of ours
	classes
)

var classNames = [classes]string{"", "late", "busy", "broken", "unneeded", "refused", "rate_limited", "bad_request", "status",
	"connection", "truncated", "too_large", "content_type", "malformed", "internal"}

func (c Class) String() string { return classNames[c] }

// Outcome is what c counts as for the deliberation.
func (c Class) Outcome() quorum.Outcome {
	switch c {
	case ClassNone:
		return quorum.OK
	case ClassLate:
		return quorum.Late
	case ClassBusy:
		return quorum.Busy
	case ClassBroken:
		return quorum.Broken
	case ClassUnneeded:
		return quorum.Unneeded
	case ClassRefused:
		return quorum.Refused
	}
	return quorum.Failed
}

// An AskError is one companion's failure to answer.
type AskError struct {
	Class      Class
	Reason     string        // a fixed phrase, never the companion's text
	Retryable  bool          // nothing of a reply had arrived, or it asked to be called again
	RetryAfter time.Duration // zero if the companion did not say
	Err        error         // may be nil; never holds the companion's text
}

func (e *AskError) Error() string {
	if e.Err == nil {
		return "fanout: " + e.Reason
	}
	return fmt.Sprintf("fanout: %s: %v", e.Reason, e.Err)
}

func (e *AskError) Unwrap() error { return e.Err }

// A Failure is an error that tells what an AskError tells, in plain types: the
// adapters' errors, since they and this package do not import each other. class
// is a Class's name.
type Failure interface {
	error
	AskFailure() (class, reason string, retryable bool, after time.Duration)
}

const (
	reasonLate     = "no answer before the deadline"
	reasonUnneeded = "not waited for"
	reasonInternal = "internal error"
)

// The failures that this package finds itself, made once.
var (
	errLate     = &AskError{Class: ClassLate, Reason: reasonLate}
	errUnneeded = &AskError{Class: ClassUnneeded, Reason: reasonUnneeded}
	errBroken   = &AskError{Class: ClassBroken, Reason: "its breaker is open"}
	errRate     = &AskError{Class: ClassBusy, Reason: "rate limit: no token before the deadline"}
	errInFlight = &AskError{Class: ClassBusy, Reason: "in-flight limit: no room before the deadline"}
	errHeld     = &AskError{Class: ClassBusy, Reason: "the companion asked to wait past the deadline"}
	errPanic    = &AskError{Class: ClassInternal, Reason: reasonInternal}
)

// explain makes an AskError of whatever an Asker returned.
func explain(err error) *AskError {
	if e, ok := errors.AsType[*AskError](err); ok {
		return e
	}
	if f, ok := errors.AsType[Failure](err); ok {
		class, reason, retryable, after := f.AskFailure()
		return &AskError{Class: parseClass(class), Reason: reason, Retryable: retryable, RetryAfter: after, Err: err}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errLate
	case errors.Is(err, context.Canceled):
		return errUnneeded
	}
	return &AskError{Class: ClassInternal, Reason: reasonInternal, Err: err}
}

func parseClass(name string) Class {
	for c, n := range classNames {
		if n == name {
			return Class(c)
		}
	}
	return ClassInternal
}
