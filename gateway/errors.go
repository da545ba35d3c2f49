package gateway

import (
	"errors"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// statusOf is the HTTP status of every code: the only such table.
var statusOf = map[wire.Code]int{
	wire.InvalidJSON:          fasthttp.StatusBadRequest,
	wire.UnknownField:         fasthttp.StatusBadRequest,
	wire.DuplicateField:       fasthttp.StatusBadRequest,
	wire.InvalidType:          fasthttp.StatusBadRequest,
	wire.InvalidValue:         fasthttp.StatusBadRequest,
	wire.MissingField:         fasthttp.StatusBadRequest,
	wire.Unsupported:          fasthttp.StatusBadRequest,
	wire.ModelNotFound:        fasthttp.StatusNotFound,
	wire.BodyTooLarge:         fasthttp.StatusRequestEntityTooLarge,
	wire.UnsupportedMediaType: fasthttp.StatusUnsupportedMediaType,
	wire.NotFound:             fasthttp.StatusNotFound,
	wire.MethodNotAllowed:     fasthttp.StatusMethodNotAllowed,
	wire.Misdirected:          fasthttp.StatusMisdirectedRequest,
	wire.Unauthorized:         fasthttp.StatusUnauthorized,
	wire.Forbidden:            fasthttp.StatusForbidden,
	wire.TierNotAllowed:       fasthttp.StatusForbidden,
	wire.RateLimited:          fasthttp.StatusTooManyRequests,
	wire.BudgetExhausted:      fasthttp.StatusTooManyRequests,
	wire.Conflict:             fasthttp.StatusConflict,
	wire.PromptRefused:        fasthttp.StatusForbidden,
	wire.Inquorate:            fasthttp.StatusServiceUnavailable,
	wire.Pending:              fasthttp.StatusConflict,
	wire.LedgerUnavailable:    fasthttp.StatusServiceUnavailable,
	wire.Overloaded:           fasthttp.StatusServiceUnavailable,
	wire.ShuttingDown:         fasthttp.StatusServiceUnavailable,
	wire.DeadlineExceeded:     fasthttp.StatusGatewayTimeout,
	wire.InternalError:        fasthttp.StatusInternalServerError,
}

// A fault is what the caller is told and when to come back, and what only the
// log is told.
type fault struct {
	told       wire.Error
	retryAfter time.Duration
	cause      error
}

func (f *fault) Error() string { return f.told.Error() }
func (f *fault) Unwrap() error { return f.cause }

func refuse(code wire.Code, message string) *fault {
	return &fault{told: wire.Error{Code: code, Message: message}}
}

// faultOf is err as a caller is told it. Errors that are no [fault] and no
// [wire.Error] are ours: the caller learns no more than that.
func faultOf(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	if w, ok := errors.AsType[*wire.Error](err); ok {
		return &fault{told: *w}
	}
	return &fault{cause: err, told: wire.Error{Code: wire.InternalError, Message: "something went wrong on our side; nothing was decided"}}
}

// status of f on an ordinary route; one that is shaped like a provider's may have
// its own. What only the log is told is logged with it.
func (g *Gateway) status(f *fault) int {
	status, known := statusOf[f.told.Code]
	if !known {
		panic("bug: no status for " + string(f.told.Code))
	}
	if f.cause != nil && status >= 500 {
		g.log.Error("request failed", "code", string(f.told.Code), "deliberation", f.told.DeliberationID, "error", f.cause)
	}
	return status
}

// statusAs is a status as the provider-shaped routes give it.
func statusAs(e *wire.Error, status int) int {
	if e.Code == wire.PromptRefused {
		return fasthttp.StatusBadRequest // there, 403 says something about the key
	}
	return status
}

// fail answers ctx with err, in the form of the route.
func (g *Gateway) fail(ctx *fasthttp.RequestCtx, err error) {
	f := faultOf(err)
	status := g.status(f)
	h, told := &ctx.Response.Header, g.redacted(f.told)
	if dialect := dialectOf(ctx.Path()); dialect != nil {
		status = statusAs(&told, status)
		ctx.SetBody(dialect.fail(nil, &told, status))
		if told.DeliberationID != "" {
			h.Set(dialect.requestID, told.DeliberationID)
		}
	} else {
		ctx.SetBody(told.AppendTo(nil))
	}
	ctx.SetStatusCode(status)
	ctx.SetContentType(contentJSON)
	if f.retryAfter > 0 {
		h.Set(fasthttp.HeaderRetryAfter, strconv.FormatInt(int64((f.retryAfter+time.Second-1)/time.Second), 10))
	}
	if status == fasthttp.StatusUnauthorized {
		h.Set(fasthttp.HeaderWWWAuthenticate, `Bearer realm="kaizen"`)
	}
	switch {
	case f.told.Verdict != nil:
		verdictHeaders(h, f.told.Verdict)
	case f.told.DeliberationID != "":
		h.Set(headerDeliberation, f.told.DeliberationID)
	}
	switch f.told.Code {
	case wire.PromptRefused:
		h.Set(headerStatus, quorum.RefusedPrompt.String())
	case wire.Pending:
		h.Set("X-Should-Retry", "false") // official clients take a 409 for something to try again, and it would ask again
	}
}
