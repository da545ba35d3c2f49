package wire

import (
	"math"
	"strconv"
	"strings"
)

// Bounds of a request that are the protocol's own. What an operator may set is
// in [Limits].
const (
	MaxMessages      = 256
	MinOptions       = 2
	MaxOptions       = 26 // one a letter
	MaxOptionBytes   = 1024
	MaxCompanions    = 64
	MaxRounds        = 2
	maxCompanionID   = 32
	MaxCacheAge      = 86_400 // seconds, a day
	maxOperation     = 128
	maxTopic         = 64
	maxCycleDigits   = 9
	defaultPrompt    = 256 << 10
	defaultDeadline  = 20_000
	defaultMaxMillis = 60_000
)

// Limits is what a gateway allows and assumes. The first element of Kinds and
// of Waits is what a request that does not say gets.
type Limits struct {
	PromptBytes int      // the most of a prompt, or of all messages together
	Tiers       []string // lowest first
	Chambers    []string
	Kinds       []string
	Waits       []string
	Tier        string // of a request that does not say
	Chamber     string // of a request that does not say
	Deadline    int64  // of a request that does not say, ms
	MaxDeadline int64  // the most a request may ask for, ms
}

// DefaultLimits has the guide's tiers, chambers and defaults, a prompt of 256
// KiB (about 60,000 tokens, what the usual model takes), 20 s to answer in and
// 60 s at most.
func DefaultLimits() *Limits {
	return &Limits{
		PromptBytes: defaultPrompt,
		Tiers:       []string{"research", "standard", "high", "critical"},
		Chambers:    []string{"thought-broker", "citizen-shield", "genesis-dome"},
		Kinds:       []string{"auto", "choice", "number", "short", "json", "vote", "text", "code"},
		Waits:       []string{"decided", "likely", "all"},
		Tier:        "standard",
		Chamber:     "thought-broker",
		Deadline:    defaultDeadline,
		MaxDeadline: defaultMaxMillis,
	}
}

// A Request is the body of POST /v1/deliberate. Decoded, it holds a value in
// every field that has a default.
type Request struct {
	Prompt   string    // this
	Messages []Message // or these; the last is the user's
	Context  Context

	Kind      string   // of answer; Limits.Kinds
	Options   []string // of a choice, or none when they stand in the prompt
	Operation string   // what would happen, such as "mic.mint"; "" when it is a question

	DeadlineMs         int64
	Wait               string // Limits.Waits
	MaxCompanions      int    // 0 is all that may sit
	MaxCostMicroUSD    int64  // 0 is no bound
	CacheMaxAgeSeconds int64  // 0 never answers from the cache
	Include            Include

	Rounds    int    // 1 or 2; 0 leaves it to the policy
	Judge     string // a companion, [Nobody], or "" to leave it to the policy
	Synthesis string // likewise
	Escalate  bool   // ask a few companions first, and the others where those leave it open

	Generation *Generation // nil where the client says nothing of it
}

// Nobody stands for no judge, or no synthesis, whatever the policy has by itself.
const Nobody = "none"

// A Message is one turn of a conversation.
type Message struct {
	Role    string // system, user or assistant; on provider-shaped routes also tool
	Content string
	Calls   []ToolCall // of an assistant's turn
	CallID  string     // of a tool's turn: the call that Content is the result of
}

// Context is where a request belongs.
type Context struct {
	Tier    string // Limits.Tiers
	Chamber string // Limits.Chambers
	Cycle   string // "C-114", or ""
	Topic   string // a slug, or ""
}

// Include says which optional parts of a deliberation the response shall have.
type Include uint8

const (
	IncludeBallots Include = 1 << iota
	IncludePositions
	IncludeReplies // each ballot's text, for the owner; brings the ballots

	// DefaultInclude is what a request that does not say gets.
	DefaultInclude = IncludeBallots | IncludePositions
)

var (
	requestFields = []string{"prompt", "messages", "context", "kind", "options", "operation",
		"deadlineMs", "wait", "maxCompanions", "maxCostMicroUsd", "cache", "include", "rounds", "judge", "synthesis", "escalate"}
	contextFields = []string{"tier", "chamber", "cycle", "topic"}
	messageFields = []string{"role", "content"}
	cacheFields   = []string{"maxAgeSeconds"}
	roles         = []string{"system", "user", "assistant"}
	includeNames  = []string{"ballots", "positions", "replies"}
)

// Decode reads body into r, whatever r held before. The error, if any, is an
// *Error that lists what is wrong; r is then not to be used. r keeps nothing of
// body.
//
// An empty string or array is the same as a field left out; null is refused.
//
// Hot: every deliberation passes here once. The guide's request costs two
// allocations, its prompt and its cycle; TestRequestAllocs holds it to that.
func (r *Request) Decode(body []byte, lim *Limits) error {
	*r = Request{
		Context:    Context{Tier: lim.Tier, Chamber: lim.Chamber},
		Kind:       lim.Kinds[0],
		DeadlineMs: lim.Deadline,
		Wait:       lim.Waits[0],
		Include:    DefaultInclude,
	}
	return decodeObject(body, requestFields,
		func(d *decoder, name string) { r.field(d, name, lim) },
		func(d *decoder, seen fieldSet) { r.check(d, seen, lim) })
}

func (r *Request) field(d *decoder, name string, lim *Limits) {
	switch name {
	case "prompt":
		r.Prompt, _ = d.text()
		switch {
		case len(r.Prompt) > lim.PromptBytes:
			d.problem(InvalidValue, "is %d bytes; at most %d", len(r.Prompt), lim.PromptBytes)
		case r.Prompt != "" && blank(r.Prompt):
			d.problem(InvalidValue, "is blank")
		}
	case "messages":
		r.messages(d, lim)
	case "context":
		d.object(contextFields, func(name string) { r.Context.field(d, name, lim) })
	case "kind":
		r.Kind = d.oneOf("kind", lim.Kinds, r.Kind)
	case "options":
		r.options(d)
	case "operation":
		r.Operation, _ = d.text()
		if r.Operation != "" && !isOperation(r.Operation) {
			d.problem(InvalidValue, "want a dotted lower-case name of at most %d bytes, such as mic.mint", maxOperation)
		}
	case "deadlineMs":
		r.DeadlineMs = d.whole(1, lim.MaxDeadline)
	case "wait":
		r.Wait = d.oneOf("wait", lim.Waits, r.Wait)
	case "maxCompanions":
		r.MaxCompanions = int(d.whole(0, MaxCompanions))
	case "maxCostMicroUsd":
		r.MaxCostMicroUSD = d.whole(0, math.MaxInt64)
	case "cache":
		d.object(cacheFields, func(string) { r.CacheMaxAgeSeconds = d.whole(0, MaxCacheAge) })
	case "include":
		r.Include = 0
		d.array("names", len(includeNames), func() {
			switch d.oneOf("part", includeNames, "") {
			case "ballots":
				r.Include |= IncludeBallots
			case "positions":
				r.Include |= IncludePositions
			case "replies":
				r.Include |= IncludeReplies | IncludeBallots
			}
		})
	case "rounds":
		r.Rounds = int(d.whole(1, MaxRounds))
	case "judge":
		r.Judge = companion(d)
	case "synthesis":
		r.Synthesis = companion(d)
	case "escalate":
		r.Escalate, _ = d.truth()
	}
}

// companion reads the id of one, or [Nobody].
func companion(d *decoder) string {
	id, _ := d.text()
	if id != "" && id != Nobody && !isCompanion(id) {
		d.problem(InvalidValue, "want a companion's id, such as AUREA, or %s", Nobody)
		return ""
	}
	return id
}

func (c *Context) field(d *decoder, name string, lim *Limits) {
	switch name {
	case "tier":
		c.Tier = d.oneOf("tier", lim.Tiers, c.Tier)
	case "chamber":
		c.Chamber = d.oneOf("chamber", lim.Chambers, c.Chamber)
	case "cycle":
		c.Cycle, _ = d.text()
		if c.Cycle != "" && !isCycle(c.Cycle) {
			d.problem(InvalidValue, "want C- and a number, such as C-114")
		}
	case "topic":
		c.Topic = d.topic()
	}
}

func (r *Request) messages(d *decoder, lim *Limits) {
	before, total := len(d.found), 0
	d.array("messages", MaxMessages, func() {
		var m Message
		start := len(d.found)
		seen, ok := d.object(messageFields, func(name string) {
			switch name {
			case "role":
				m.Role = d.oneOf("role", roles, "")
			case "content":
				m.Content, _ = d.text()
			}
		})
		if ok && d.syntax == nil && len(d.found) == start {
			if !seen.has(messageFields, "role") {
				d.problemAt("role", MissingField, "must be given")
			} else if m.Role == "" {
				d.problemAt("role", InvalidValue, "want %s", anyOf(roles))
			}
			if !seen.has(messageFields, "content") {
				d.problemAt("content", MissingField, "must be given")
			}
		}
		total += len(m.Content)
		r.Messages = append(r.Messages, m)
	})
	if total > lim.PromptBytes {
		d.problem(InvalidValue, "are %d bytes together; at most %d", total, lim.PromptBytes)
	}
	if d.syntax != nil || len(d.found) > before || len(r.Messages) == 0 {
		return
	}
	last := len(r.Messages) - 1
	d.push(step{index: last})
	switch m := r.Messages[last]; {
	case m.Role != "user":
		d.problemAt("role", InvalidValue, "the last message must be the user's")
	case blank(m.Content):
		d.problemAt("content", InvalidValue, "the last message is blank")
	}
	d.depth--
}

func (r *Request) options(d *decoder) {
	before := len(d.found)
	d.array("strings", MaxOptions, func() {
		o, ok := d.text()
		switch {
		case !ok:
			return
		case blank(o):
			d.problem(InvalidValue, "is blank")
		case len(o) > MaxOptionBytes:
			d.problem(InvalidValue, "is %d bytes; at most %d", len(o), MaxOptionBytes)
		}
		for i, other := range r.Options {
			if o == other {
				d.problem(InvalidValue, "is the same as options[%d]", i)
			}
		}
		r.Options = append(r.Options, o)
	})
	if len(r.Options) == 1 && len(d.found) == before {
		d.problem(InvalidValue, "has one element; want %d to %d, or none", MinOptions, MaxOptions)
	}
}

// check looks at what no field can tell by itself. It says nothing of a field
// that already has a problem of its own.
func (r *Request) check(d *decoder, seen fieldSet, lim *Limits) {
	prompt, messages := seen.has(requestFields, "prompt"), seen.has(requestFields, "messages")
	switch {
	case r.Prompt != "" && len(r.Messages) > 0:
		d.problemAt("messages", InvalidValue, "give prompt or messages, not both")
	case !prompt && !messages:
		d.problemAt("prompt", MissingField, "must be given, or messages instead")
	case r.Prompt == "" && len(r.Messages) == 0 && len(d.found) == 0:
		field := "prompt"
		if !prompt {
			field = "messages"
		}
		d.problemAt(field, InvalidValue, "is empty")
	}
	if len(r.Options) > 0 && r.Kind != "choice" && r.Kind != lim.Kinds[0] {
		d.problemAt("options", InvalidValue, "only for kind choice or %s", lim.Kinds[0])
	}
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// isCycle reports whether s is "C-" and a number.
func isCycle(s string) bool {
	digits, ok := strings.CutPrefix(s, "C-")
	if !ok || digits == "" || len(digits) > maxCycleDigits {
		return false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return true
}

// isOperation reports whether s is names joined by dots.
func isOperation(s string) bool {
	if len(s) > maxOperation {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if !isName(part, maxOperation, "_-") {
			return false
		}
	}
	return true
}

// isName reports whether s is 1 to most lower-case letters, digits and, after
// the first, bytes of also.
func isName(s string, most int, also string) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || i > 0 && strings.IndexByte(also, c) >= 0) {
			return false
		}
	}
	return true
}

// isCompanion reports whether s has the form of a companion's id.
func isCompanion(s string) bool {
	if s == "" || len(s) > maxCompanionID {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || i > 0 && (c == '_' || c == '-')) {
			return false
		}
	}
	return true
}

// AppendTo appends r as the body of a request, fields at zero left out: the
// gateway's defaults then stand. A decoded request comes out with every field
// that matters, in one order, so that equal requests have equal bytes.
func (r *Request) AppendTo(dst []byte) []byte {
	dst = append(dst, '{')
	if len(r.Messages) > 0 {
		dst = append(dst, `"messages":[`...)
		for i := range r.Messages {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, `{"role":`...)
			dst = appendString(dst, r.Messages[i].Role)
			dst = append(dst, `,"content":`...)
			dst = appendString(dst, r.Messages[i].Content)
			dst = append(dst, '}')
		}
		dst = append(dst, ']')
	} else {
		dst = append(dst, `"prompt":`...)
		dst = appendString(dst, r.Prompt)
	}
	if r.Context != (Context{}) {
		dst = append(dst, `,"context":{`...)
		open := len(dst)
		dst = appendField(dst, open, "tier", r.Context.Tier)
		dst = appendField(dst, open, "chamber", r.Context.Chamber)
		dst = appendField(dst, open, "cycle", r.Context.Cycle)
		dst = appendField(dst, open, "topic", r.Context.Topic)
		dst = append(dst, '}')
	}
	dst = appendField(dst, 0, "kind", r.Kind)
	if len(r.Options) > 0 {
		dst = append(dst, `,"options":`...)
		dst = appendStrings(dst, r.Options)
	}
	dst = appendField(dst, 0, "operation", r.Operation)
	dst = appendCount(dst, "deadlineMs", r.DeadlineMs)
	dst = appendField(dst, 0, "wait", r.Wait)
	dst = appendCount(dst, "maxCompanions", int64(r.MaxCompanions))
	dst = appendCount(dst, "maxCostMicroUsd", r.MaxCostMicroUSD)
	if r.CacheMaxAgeSeconds != 0 {
		dst = append(dst, `,"cache":{"maxAgeSeconds":`...)
		dst = strconv.AppendInt(dst, r.CacheMaxAgeSeconds, 10)
		dst = append(dst, '}')
	}
	dst = append(dst, `,"include":[`...)
	open := len(dst)
	for i, name := range includeNames {
		if r.Include&(1<<i) != 0 {
			if len(dst) > open {
				dst = append(dst, ',')
			}
			dst = appendString(dst, name)
		}
	}
	dst = append(dst, ']')
	dst = appendCount(dst, "rounds", int64(r.Rounds))
	dst = appendField(dst, 0, "judge", r.Judge)
	dst = appendField(dst, 0, "synthesis", r.Synthesis)
	if r.Escalate {
		dst = append(dst, `,"escalate":true`...)
	}
	return append(dst, '}')
}

// appendField appends a string field unless it is empty, with a comma before it
// unless the object opened at open.
func appendField(dst []byte, open int, name, value string) []byte {
	if value == "" {
		return dst
	}
	if len(dst) > open {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	return appendString(dst, value)
}

// appendCount appends a number field unless it is zero.
func appendCount(dst []byte, name string, value int64) []byte {
	if value == 0 {
		return dst
	}
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	return strconv.AppendInt(dst, value, 10)
}

func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}
