package gateway

import (
	"errors"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

// statusOf is the HTTP status of every code: the only such table.
var statusOf = map[wire.Code]int{
	wire.InvalidJSON:          fasthttp.StatusBadRequest,
	wire.UnknownField:         fasthttp.StatusBadRequest,
	wire.DuplicateField:       fasthttp.StatusBadRequest,
	wire.InvalidType:          fasthttp.StatusBadRequest,
	wire.InvalidValue:         fasthttp.StatusBadRequest,
	wire.MissingField:         fasthttp.StatusBadRequest,
	wire.BodyTooLarge:         fasthttp.StatusRequestEntityTooLarge,
	wire.UnsupportedMediaType: fasthttp.StatusUnsupportedMediaType,
	wire.NotFound:             fasthttp.StatusNotFound,
	wire.MethodNotAllowed:     fasthttp.StatusMethodNotAllowed,
	wire.Misdirected:          fasthttp.StatusMisdirectedRequest,
	wire.Unauthorized:         fasthttp.StatusUnauthorized,
	wire.Forbidden:            fasthttp.StatusForbidden,
	wire.TierNotAllowed:       fasthttp.StatusForbidden,
	wire.RateLimited:          fasthttp.StatusTooManyRequests,
	wire.Conflict:             fasthttp.StatusConflict,
	wire.PromptRefused:        fasthttp.StatusForbidden,
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

// fail answers ctx with err. Errors that are no [fault] and no [wire.Error] are
// ours: the caller learns no more than that.
func (g *Gateway) fail(ctx *fasthttp.RequestCtx, err error) {
	f, ok := errors.AsType[*fault](err)
	if !ok {
		f = &fault{cause: err, told: wire.Error{Code: wire.InternalError, Message: "something went wrong on our side; nothing was decided"}}
		if w, ok := errors.AsType[*wire.Error](err); ok {
			f.told, f.cause = *w, nil
		}
	}
	status, known := statusOf[f.told.Code]
	if !known {
		panic("bug: no status for " + string(f.told.Code))
	}
	if f.cause != nil && status >= 500 {
		g.log.Error("request failed", "code", string(f.told.Code), "deliberation", f.told.DeliberationID, "error", f.cause)
	}
	ctx.SetStatusCode(status)
	ctx.SetContentType(contentJSON)
	if f.retryAfter > 0 {
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, strconv.FormatInt(int64((f.retryAfter+time.Second-1)/time.Second), 10))
	}
	if status == fasthttp.StatusUnauthorized {
		ctx.Response.Header.Set(fasthttp.HeaderWWWAuthenticate, `Bearer realm="kaizen"`)
	}
	told := g.redacted(f.told)
	ctx.SetBody(told.AppendTo(nil))
}
