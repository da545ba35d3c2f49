package wire

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// An Ask is what a provider-shaped route was asked: the same deliberation that a
// [Request] describes, and how the client wants to be told of it.
type Ask struct {
	Request
	Auto         bool // the client leaves the tier to the gateway
	Stream       bool
	Metadata     []byte // the client's own labels as JSON, where they are told back
	StreamUsage  bool   // OpenAI's chat completions: one more chunk, of the usage
	instructions string // OpenAI's responses: a system message before all others
}

// Models are named for the tiers, after this; auto leaves the tier to the gateway.
const (
	ModelPrefix = "kaizen/"
	ModelAuto   = ModelPrefix + "auto"
)

// kaizenFields are what an object "kaizen" in the body may have: the fields of
// POST /v1/deliberate that no provider has, those of its context among them.
var kaizenFields = []string{"tier", "chamber", "cycle", "topic", "kind", "options", "operation", "deadlineMs", "wait",
	"maxCompanions", "maxCostMicroUsd", "cache", "include", "rounds", "judge", "synthesis"}

// begin puts the defaults in place.
func (a *Ask) begin(lim *Limits) {
	*a = Ask{Request: Request{
		Context:    Context{Chamber: lim.Chamber},
		Kind:       lim.Kinds[0],
		DeadlineMs: lim.Deadline,
		Wait:       lim.Waits[0],
		Generation: &Generation{Temperature: None, TopP: None},
	}}
}

// model reads the model's name.
func (a *Ask) model(d *decoder, lim *Limits) {
	name, ok := d.text()
	if !ok {
		return
	}
	if name == ModelAuto {
		a.Auto = true
		return
	}
	tier := strings.TrimPrefix(name, ModelPrefix)
	if tier == name || !slices.Contains(lim.Tiers, tier) {
		d.problem(ModelNotFound, "there is no such model; want %s or %s", ModelPrefix+strings.Join(lim.Tiers, ", "+ModelPrefix), ModelAuto)
		return
	}
	a.Context.Tier = tier
}

// kaizen reads the object of our own fields. It must be read after the model;
// whichever comes first in the body, [Ask.finish] holds one to the other.
func (a *Ask) kaizen(d *decoder, lim *Limits, tier *string) {
	d.object(kaizenFields, func(name string) {
		switch name {
		case "tier":
			*tier = d.oneOf("tier", lim.Tiers, "")
		case "chamber", "cycle", "topic":
			a.Context.field(d, name, lim)
		default:
			a.Request.field(d, name, lim)
		}
	})
}

// finish looks at the whole. The fields named are where the dialect has its choice
// of tools and its conversation.
func (a *Ask) finish(d *decoder, lim *Limits, tier, choiceField, turnsField string) {
	g := a.Generation
	g.settle(d, choiceField)
	switch {
	case tier == "" || tier == a.Context.Tier:
	case a.Auto:
		a.Auto, a.Context.Tier = false, tier
	case a.Context.Tier != "":
		d.problemAt("kaizen.tier", InvalidValue, "the model says another tier; ask for %s to say it here", ModelAuto)
	}
	if a.Context.Tier == "" {
		a.Context.Tier = lim.Tier
	}
	closed := g.Format != "" || g.ToolChoice == ToolRequired || g.ToolChoice == ToolNamed
	switch {
	case len(a.Options) > 0 && a.Kind != "choice" && a.Kind != lim.Kinds[0]:
		d.problemAt("kaizen.options", InvalidValue, "only for kind choice or %s", lim.Kinds[0])
	case closed && (a.Kind != "json" && a.Kind != lim.Kinds[0] || len(a.Options) > 0):
		d.problemAt("kaizen.kind", InvalidValue, "a reply in JSON, or one that must call a tool, is of kind json")
	case closed:
		a.Kind = "json"
	case len(g.Tools) > 0 && g.ToolChoice != ToolNone && (a.Kind != lim.Kinds[0] && a.Kind != "text" && a.Kind != "json" || len(a.Options) > 0):
		d.problemAt("kaizen.kind", InvalidValue, "where tools may be called, only %s, text or json", lim.Kinds[0])
	}
	if a.instructions != "" {
		a.Messages = append([]Message{{Role: "system", Content: a.instructions}}, a.Messages...)
	}
	a.turns(d, lim, turnsField)
	if g.plain() {
		a.Generation = nil
	}
}

// turns looks at the conversation: how long it is, that it ends with a turn to
// reply to, and that every tool call has its one result, after it and before
// anything else is said.
func (a *Ask) turns(d *decoder, lim *Limits, field string) {
	if len(d.found) > 0 {
		return
	}
	total := a.Generation.size()
	asked := false
	var open []string
	for i := range a.Messages {
		m := &a.Messages[i]
		total += len(m.Content)
		for _, c := range m.Calls {
			total += len(c.Name) + len(c.Arguments)
		}
		if m.Role == "tool" {
			at := slices.Index(open, m.CallID)
			if at < 0 {
				d.problemAt(field, InvalidValue, "the conversation has a result of a tool call (turn %d) that no turn right before it makes", i)
				return
			}
			open = slices.Delete(open, at, at+1)
			asked = true
			continue
		}
		if len(open) > 0 {
			d.problemAt(field, InvalidValue, "the conversation goes on (turn %d) before each tool call has its result", i)
			return
		}
		for _, c := range m.Calls {
			open = append(open, c.ID)
		}
		asked = asked || m.Role == "user" && !blank(m.Content)
	}
	switch {
	case len(a.Messages) == 0:
		d.problemAt(field, InvalidValue, "there is no message to reply to")
	case len(a.Messages) > MaxMessages:
		d.problemAt(field, InvalidValue, "the conversation has %d turns; at most %d", len(a.Messages), MaxMessages)
	case a.Messages[len(a.Messages)-1].Role == "assistant":
		d.problemAt(field, Unsupported, "the last turn is the assistant's, and to go on with a reply that has begun is not supported here; end with the user's")
	case !asked:
		d.problemAt(field, InvalidValue, "there is no turn of the user's to reply to")
	case total > lim.PromptBytes:
		d.problemAt(field, InvalidValue, "the conversation, with its tools and schema, is %d bytes; at most %d", total, lim.PromptBytes)
	}
}

// AppendKey appends all of a that an answer depends on, in one form.
func (r *Request) AppendKey(dst []byte) []byte {
	bare := *r
	bare.CacheMaxAgeSeconds, bare.Include = 0, 0
	dst = bare.AppendTo(dst)
	for i := range r.Messages {
		for _, c := range r.Messages[i].Calls {
			dst = appendCall(append(dst, '\n'), i, &c)
		}
		if id := r.Messages[i].CallID; id != "" {
			dst = appendCall(append(dst, '\n'), i, &ToolCall{ID: id})
		}
	}
	if r.Generation != nil {
		dst = r.Generation.AppendTo(append(dst, '\n'))
	}
	return dst
}

func appendCall(dst []byte, turn int, c *ToolCall) []byte {
	dst = append(dst, `{"turn":"`...)
	dst = strconv.AppendInt(dst, int64(turn), 10)
	dst = append(dst, `","id":`...)
	dst = appendString(dst, c.ID)
	dst = append(dst, `,"name":`...)
	dst = appendString(dst, c.Name)
	dst = append(dst, `,"arguments":`...)
	dst = appendString(dst, c.Arguments)
	return append(dst, '}')
}

// limitOf reads a limit of output tokens.
func (a *Ask) limitOf(d *decoder) {
	had, n := a.Generation.MaxTokens, d.whole(1, maxReplyToken)
	if had != 0 && n != 0 && n != had {
		d.problem(InvalidValue, "differs from the other limit of tokens")
	}
	a.Generation.MaxTokens = n
}

func (a *Ask) seed(d *decoder) {
	before := len(d.found)
	a.Generation.Seed = d.whole(math.MinInt64, math.MaxInt64)
	a.Generation.Seeded = len(d.found) == before
}

// labels reads an object of strings, which is passed on to nobody.
func (d *decoder) labels() []byte {
	if d.syntax != nil || !d.kind('{', "an object of strings") {
		return nil
	}
	d.end()
	out := []byte{'{'}
	for d.syntax == nil && d.json.PeekKind() != '}' {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(out, d.value()...), ':')
		if d.syntax != nil || !d.kind('"', "a string") {
			out = append(out, `""`...)
			continue
		}
		out = append(out, d.value()...)
	}
	d.end()
	return append(out, '}')
}
