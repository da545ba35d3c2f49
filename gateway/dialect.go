package gateway

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// The routes that are shaped like a provider's.
const (
	chatPath      = "/v1/chat/completions"
	responsesPath = "/v1/responses"
	messagesPath  = "/v1/messages"
	modelsPath    = "/v1/models"
)

// What every answer and error of a deliberation says about it, whatever its form.
const (
	headerDeliberation = "X-Kaizen-Deliberation"
	headerStatus       = "X-Kaizen-Status"
	headerAgreement    = "X-Kaizen-Agreement"
)

// A dialect is how the clients of one provider ask, and are told. All of them
// ask the same of the gateway, and are told the same.
type dialect struct {
	decode    func(a *wire.Ask, body []byte, lim *wire.Limits) error
	tell      func(t *wire.Told, dst []byte) []byte
	fail      func(dst []byte, e *wire.Error, status int) []byte
	events    func(t *wire.Told) [][]byte              // tell, as a stream
	broken    func(e *wire.Error, status int) [][]byte // fail, as a stream ends with it
	requestID string                                   // the header that its clients look for a request's name in
	callID    string                                   // what the ids of its tool calls begin with
}

var (
	chat = &dialect{decode: (*wire.Ask).DecodeChat, tell: (*wire.Told).AppendChat, fail: failOpenAI,
		events: (*wire.Told).ChatEvents, broken: breakChat, requestID: "X-Request-Id", callID: "call_"}
	responses = &dialect{decode: (*wire.Ask).DecodeResponses, tell: (*wire.Told).AppendResponse, fail: failOpenAI,
		events: (*wire.Told).ResponseEvents, broken: breakResponses, requestID: "X-Request-Id", callID: "call_"}
	messages = &dialect{decode: (*wire.Ask).DecodeMessages, tell: (*wire.Told).AppendMessage, fail: failAnthropic,
		events: (*wire.Told).MessageEvents, broken: breakMessages, requestID: "Request-Id", callID: "toolu_"}
)

// dialectOf is the dialect of the route at path; nil for our own.
func dialectOf(path []byte) *dialect {
	switch p := string(path); {
	case p == chatPath, p == modelsPath, strings.HasPrefix(p, modelsPath+"/"):
		return chat
	case p == responsesPath:
		return responses
	case p == messagesPath:
		return messages
	}
	return nil
}

// failOpenAI tells an error in OpenAI's form, by the types and codes that its
// clients know.
func failOpenAI(dst []byte, e *wire.Error, status int) []byte {
	kind := "invalid_request_error"
	switch {
	case status >= 500:
		kind = "server_error"
	case status == fasthttp.StatusUnauthorized:
		kind = "authentication_error"
	case status == fasthttp.StatusForbidden:
		kind = "permission_error"
	case status == fasthttp.StatusTooManyRequests:
		kind = "rate_limit_error"
	}
	return e.AppendOpenAI(dst, kind, openAICode(e.Code))
}

func openAICode(code wire.Code) string {
	if code == wire.PromptRefused {
		return "content_policy_violation"
	}
	return string(code)
}

func breakChat(e *wire.Error, status int) [][]byte { return wire.ChatError(failOpenAI(nil, e, status)) }

func breakMessages(e *wire.Error, status int) [][]byte {
	return wire.MessageError(failAnthropic(nil, e, status))
}

func breakResponses(e *wire.Error, status int) [][]byte {
	return e.ResponseError(failOpenAI(nil, e, status), openAICode(e.Code))
}

// failAnthropic is failOpenAI for Anthropic's form.
func failAnthropic(dst []byte, e *wire.Error, status int) []byte {
	kind := "invalid_request_error"
	switch {
	case e.Code == wire.Overloaded || e.Code == wire.ShuttingDown:
		kind = "overloaded_error"
	case status == fasthttp.StatusGatewayTimeout:
		kind = "timeout_error"
	case status >= 500:
		kind = "api_error"
	case status == fasthttp.StatusUnauthorized:
		kind = "authentication_error"
	case status == fasthttp.StatusForbidden:
		kind = "permission_error"
	case status == fasthttp.StatusNotFound:
		kind = "not_found_error"
	case status == fasthttp.StatusRequestEntityTooLarge:
		kind = "request_too_large"
	case status == fasthttp.StatusTooManyRequests:
		kind = "rate_limit_error"
	}
	return e.AppendAnthropic(dst, kind)
}

// postAs serves a route that asks in a provider's form.
func (g *Gateway) postAs(form *dialect) func(*fasthttp.RequestCtx, *caller) error {
	return func(ctx *fasthttp.RequestCtx, k *caller) error {
		received := time.Now()
		if err := wantJSON(ctx); err != nil {
			return err
		}
		if err := k.admit(received); err != nil {
			return err
		}
		view := g.view.Load()
		var ask wire.Ask
		if err := form.decode(&ask, ctx.PostBody(), &view.limits); err != nil {
			return err
		}
		level(&ask, k)
		a, err := g.admitted(&ask.Request, k, received)
		if err != nil {
			return renamed(err)
		}
		work := g.telemetry.context(ctx)
		if err := g.admission.enter(work); err != nil {
			return err
		}
		tell := func(out *outcome, cached bool, err error) (*wire.Told, error) {
			if err != nil {
				return nil, err
			}
			t, err := g.told(form, a, out, &ask)
			t.Verdict.Cached = cached
			g.timed(work, t.Verdict, out, received)
			return t, err
		}
		if ask.Stream {
			return g.stream(ctx, a, &ask.Request, streaming{id: form.requestID, told: func(out *outcome, cached bool, err error) ([][]byte, error) {
				t, err := tell(out, cached, err)
				if err == nil {
					return form.events(t), nil
				}
				told := g.redacted(faultOf(err).told)
				return form.broken(&told, statusAs(&told, statusOf[told.Code])), err
			}})
		}
		defer g.admission.leave()
		t, err := tell(g.answer(work, a, &ask.Request))
		if err != nil {
			return err
		}
		verdictHeaders(&ctx.Response.Header, t.Verdict)
		ctx.Response.Header.Set(form.requestID, t.Verdict.ID)
		ctx.SetContentType(contentJSON)
		ctx.Response.SwapBody(form.tell(t, ctx.Response.SwapBody(nil)[:0]))
		return nil
	}
}

// renamed is err with its fields as a provider-shaped body has them: what it has of
// ours stands in an object of its own, and the tier in the model's name.
func renamed(err error) error {
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		return err
	}
	for i := range e.Details {
		switch field := &e.Details[i].Field; *field {
		case "context.tier":
			*field = "model"
		case "kind", "operation", "judge", "synthesis":
			*field = "kaizen." + *field
		default:
			if own, ok := strings.CutPrefix(*field, "context."); ok {
				*field = "kaizen." + own
			}
		}
	}
	return e
}

// level lowers the tier of a request that leaves it to the gateway to what its key
// may ask at.
func level(ask *wire.Ask, k *caller) {
	if tier, err := quorum.ParseTier(ask.Context.Tier); ask.Auto && err == nil && tier > k.Tier {
		ask.Context.Tier = k.Tier.String()
	}
}

// told is an outcome as all provider-shaped routes tell it; an error where there is
// no answer to tell.
func (g *Gateway) told(form *dialect, a *asking, out *outcome, ask *wire.Ask) (*wire.Told, error) {
	status, include := out.verdict.Status, ask.Include
	if status == quorum.Inquorate {
		include |= wire.IncludeBallots // each companion's reason
	}
	v := g.respond(out, include)
	switch status {
	case quorum.Inquorate:
		return &wire.Told{Verdict: v}, &fault{told: wire.Error{Code: wire.Inquorate, DeliberationID: v.ID, Verdict: v,
			Message: fmt.Sprintf("too few replies counted for an answer to have authority: %d of the %d that tier %s asks for", v.Consensus.Votes, v.Consensus.Required, out.proof.Tier)}}
	case quorum.Pending, quorum.Expired:
		return &wire.Told{Verdict: v}, &fault{told: wire.Error{Code: wire.Pending, DeliberationID: v.ID, Verdict: v,
			Message: "carried, and waits for a steward to sign; look at /v1/deliberations/" + v.ID}}
	}
	t := &wire.Told{Full: reachedLimit(out, a.d.Generation), ID: strings.TrimPrefix(v.ID, "dlb_"), Created: time.Now().Unix(), Model: wire.ModelPrefix + out.proof.Tier.String(), Text: v.Answer, Verdict: v, Asked: ask}
	made := a.d.Generation
	if made == nil {
		return t, nil
	}
	if len(made.Tools) > 0 && made.ToolChoice != quorum.ToolNone {
		for i, c := range quorum.ParseCalls(v.Answer) {
			t.Calls = append(t.Calls, wire.ToolCall{ID: form.callID + t.ID + "_" + strconv.Itoa(i), Name: c.Name, Arguments: c.Arguments})
		}
	}
	switch {
	case t.Calls != nil:
		t.Text = ""
	case made.Format != quorum.FormatText:
		t.Text = v.Value // the JSON without what the companion put around it
	default:
		t.Text, t.Stopped = cut(t.Text, made.Stop)
		t.Full = t.Full && t.Stopped == ""
	}
	return t, nil
}

// reachedLimit reports whether the answer ends where it does because of the
// client's limit of tokens. Companions do not say; their counts do.
func reachedLimit(out *outcome, made *quorum.Generation) bool {
	p, winner := out.proof, out.verdict.Winner
	return made != nil && made.MaxTokens > 0 && winner >= 0 && !p.SpokeAgain(winner) && p.Ballots[winner].Usage.OutputTokens >= made.MaxTokens
}

// cut ends text before the first of stops in it, and says which that was. What
// companions do themselves where their provider lets them is done here for all.
func cut(text string, stops []string) (before, stop string) {
	at := len(text)
	for _, s := range stops {
		if i := strings.Index(text, s); i >= 0 && i < at {
			at, stop = i, s
		}
	}
	return text[:at], stop
}

func verdictHeaders(h *fasthttp.ResponseHeader, v *wire.Deliberation) {
	h.Set(headerDeliberation, v.ID)
	h.Set(headerStatus, v.Status)
	h.Set(headerAgreement, v.Consensus.Agreement.String())
}

// modelsSince is when these models came into being, for clients that want to know:
// the beginning of cycle C-114's year.
var modelsSince = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// models are those that k may ask.
func models(k *caller) []wire.Model {
	since := modelsSince.Format(time.RFC3339)
	list := []wire.Model{{ID: wire.ModelAuto, Created: modelsSince.Unix(), Date: since, Title: "Kaizen panel"}}
	for _, tier := range quorum.Tiers {
		if tier <= k.Tier {
			list = append(list, wire.Model{ID: wire.ModelPrefix + tier.String(), Created: modelsSince.Unix(), Date: since, Title: "Kaizen panel, tier " + tier.String()})
		}
	}
	return list
}

// getModels serves GET /v1/models.
func (g *Gateway) getModels(ctx *fasthttp.RequestCtx, k *caller) error {
	ctx.SetContentType(contentJSON)
	ctx.SetBody(wire.AppendModels(nil, models(k)))
	return nil
}

// getModel serves GET /v1/models/{id}.
func (g *Gateway) getModel(ctx *fasthttp.RequestCtx, k *caller) error {
	id, _ := ctx.UserValue("id").(string)
	if plain, err := url.PathUnescape(id); err == nil {
		id = plain // clients may escape the slash
	}
	for _, m := range models(k) {
		if m.ID == id {
			ctx.SetContentType(contentJSON)
			ctx.SetBody(m.AppendTo(nil))
			return nil
		}
	}
	return refuse(wire.ModelNotFound, "there is no such model, or this key may not ask it")
}
