package wire

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// What POST /v1/messages may have. Those after kaizen are known, and refused
// unless they change nothing.
var (
	messagesFields = []string{"model", "messages", "max_tokens", "system", "stop_sequences", "stream", "temperature", "top_p", "tools", "tool_choice", "metadata", "output_config", "output_format", "cache_control", "kaizen",
		"top_k", "thinking", "service_tier", "container", "context_management", "mcp_servers", "inference_geo", threadField, "speed"}
	turnFields         = []string{"role", "content"}
	blockFields        = []string{"type", "text", "citations", "cache_control", "id", "name", "input", "tool_use_id", "content", "is_error", "caller", "source", "title", "context", "thinking", "signature", "data"}
	anthropicTool      = []string{"name", "description", "input_schema", "type", "cache_control", "strict", "eager_input_streaming", "defer_loading", "allowed_callers", "input_examples"}
	anthropicChoice    = []string{"type", "name", "disable_parallel_tool_use"}
	anthropicOwner     = []string{"user_id"}
	outputFields       = []string{"format", "effort"}
	outputFormatFields = []string{"type", "schema"}
	turnRoles          = []string{"user", "assistant"}
	anthropicChoices   = []string{"auto", "any", "tool", "none"}
	outputFormats      = []string{"json_schema"}
)

// threadField asks the server to keep the conversation. Anthropic's tool runners do
// so by themselves, and do without where an error says it as they know it.
const threadField = "thread"

// DecodeMessages reads the body of POST /v1/messages into a. It is
// [Ask.DecodeChat] for Anthropic's form.
func (a *Ask) DecodeMessages(body []byte, lim *Limits) error {
	a.begin(lim)
	a.Generation.SchemaField, a.Generation.ParamsField = "output_config.format.schema", "tools[%d].input_schema"
	tier := ""
	return decodeAs(body, messagesFields, true,
		func(d *decoder, name string) { a.messagesField(d, name, lim, &tier) },
		func(d *decoder, seen fieldSet) {
			for _, must := range []string{"model", "messages", "max_tokens"} {
				if !seen.has(messagesFields, must) {
					d.problemAt(must, MissingField, "must be given")
				}
			}
			a.finish(d, lim, tier, "tool_choice", "messages")
		})
}

func (a *Ask) messagesField(d *decoder, name string, lim *Limits, tier *string) {
	g := a.Generation
	switch name {
	case "model":
		a.model(d, lim)
	case "messages":
		d.array("messages", MaxMessages, func() { a.turn(d) })
	case "system":
		a.instructions = d.blocks("text")
	case "kaizen":
		a.kaizen(d, lim, tier)
	case "stop_sequences":
		g.stops(d)
	case "max_tokens":
		a.limitOf(d)
	case "stream":
		a.Stream, _ = d.truth()
	case "temperature":
		g.Temperature = d.share(1)
	case "top_p":
		g.TopP = d.share(1)
	case "tools":
		d.array("tools", MaxTools, func() { g.anthropicTool(d) })
	case "tool_choice":
		g.anthropicChoice(d)
	case "output_config":
		d.object(outputFields, func(name string) {
			if name == "effort" {
				d.unsupported()
				return
			}
			g.outputFormat(d)
		})
	case "output_format":
		g.SchemaField = "output_format.schema"
		g.outputFormat(d)
	case "metadata":
		d.object(anthropicOwner, func(string) { d.text() })
	case "cache_control":
		d.skip()
	case "thinking":
		d.unsupported(`{"type":"disabled"}`)
	case "service_tier":
		d.unsupported(`"auto"`, `"standard_only"`)
	case "mcp_servers":
		d.unsupported("[]")
	case "speed":
		d.unsupported(`"standard"`)
	default:
		d.unsupported()
	}
}

// turn reads one message. A user's may hold the results of tool calls, which come
// before what the user says.
func (a *Ask) turn(d *decoder) {
	role := ""
	start := len(d.found)
	var said []Message // results first, as they stand
	var m Message
	var texts []string
	seen, ok := d.object(turnFields, func(field string) {
		if field == "role" {
			role = d.oneOf("role", turnRoles, "")
			return
		}
		if d.syntax == nil && d.json.PeekKind() == '"' {
			s, _ := d.text()
			texts = append(texts, s)
			return
		}
		d.array("content blocks", MaxMessages, func() {
			b := d.block("text", "tool_use", "tool_result")
			switch b.kind {
			case "text":
				texts = append(texts, b.text)
			case "tool_use":
				m.Calls = append(m.Calls, b.call)
			case "tool_result":
				if len(texts) > 0 {
					d.problem(InvalidValue, "the results of tool calls come before what the user says")
				}
				said = append(said, Message{Role: "tool", CallID: b.call.ID, Content: b.text})
			}
		})
	})
	if !ok || d.syntax != nil || len(d.found) > start {
		return
	}
	switch {
	case role == "":
		d.problemAt("role", MissingField, "must be given; want %s", anyOf(turnRoles))
	case !seen.has(turnFields, "content"):
		d.problemAt("content", MissingField, "must be given")
	case role == "assistant" && len(said) > 0:
		d.problemAt("content", InvalidValue, "a tool_result stands in a turn of the user's")
	case role == "user" && len(m.Calls) > 0:
		d.problemAt("content", InvalidValue, "a tool_use stands in a turn of the assistant's")
	}
	m.Role, m.Content = role, strings.Join(texts, "\n")
	if len(said) == 0 || len(texts) > 0 {
		said = append(said, m)
	}
	a.Messages = append(a.Messages, said...)
}

// A block is one part of a message's content.
type block struct {
	kind string
	text string
	call ToolCall
}

// block reads one of the kinds given.
func (d *decoder) block(kinds ...string) (b block) {
	start := len(d.found)
	failed := false
	var input []byte
	seen, ok := d.object(blockFields, func(name string) {
		switch name {
		case "type":
			b.kind, _ = d.text()
		case "text":
			b.text, _ = d.text()
		case "id", "tool_use_id":
			b.call.ID = d.callID()
		case "name":
			b.call.Name, _ = d.text()
		case "input":
			if d.syntax == nil && d.kind('{', "an object") {
				input = append([]byte(nil), d.value()...)
			}
		case "content":
			b.text = d.blocks("text")
		case "is_error":
			failed, _ = d.truth()
		default:
			d.skip()
		}
	})
	if !ok || d.syntax != nil || len(d.found) > start {
		return block{}
	}
	known := false
	for _, k := range kinds {
		known = known || b.kind == k
	}
	switch {
	case b.kind == "":
		d.problemAt("type", MissingField, "must be given; want %s", anyOf(kinds))
	case !known:
		d.problemAt("type", Unsupported, "%s is not supported here; only %s is", printable([]byte(b.kind)), anyOf(kinds))
	case b.kind == "text" && !seen.has(blockFields, "text"):
		d.problemAt("text", MissingField, "must be given")
	case b.kind == "tool_use" && input == nil:
		d.problemAt("input", MissingField, "must be given")
	case b.kind == "tool_use":
		b.call.Arguments = string(input)
		d.call(&b.call, "function", "id", "name")
	case b.kind == "tool_result" && b.call.ID == "":
		d.problemAt("tool_use_id", MissingField, "must be given")
	case failed:
		b.text = "error: " + b.text // no other dialect has a place for it
	}
	return b
}

// blocks reads a text, or an array of blocks of one kind, one below the other.
func (d *decoder) blocks(kind string) string {
	if d.syntax == nil && d.json.PeekKind() == '"' {
		s, _ := d.text()
		return s
	}
	var texts []string
	d.array("text blocks", MaxMessages, func() { texts = append(texts, d.block(kind).text) })
	return strings.Join(texts, "\n")
}

func (g *Generation) anthropicTool(d *decoder) {
	var t Tool
	kind := "custom"
	start := len(d.found)
	seen, ok := d.object(anthropicTool, func(name string) {
		switch name {
		case "type":
			kind, _ = d.text()
		case "input_schema":
			t.Parameters = d.schema()
		case "cache_control":
			d.skip()
		case "eager_input_streaming":
			d.truth() // the answer comes when it is decided, whole or in pieces
		case "defer_loading":
			d.unsupported("false")
		case "allowed_callers":
			d.unsupported(`["direct"]`)
		case "input_examples":
			d.unsupported("[]")
		default:
			t.functionField(d, name)
		}
	})
	switch {
	case kind != "custom":
		d.found = d.found[:min(start, len(d.found))] // its other fields are its own
		d.problemAt("type", Unsupported, "%s is not supported here; only custom is", printable([]byte(kind)))
	case !ok || len(d.found) > start || d.syntax != nil:
	case !seen.has(anthropicTool, "input_schema"):
		d.problemAt("input_schema", MissingField, "must be given")
	default:
		g.tool(d, t, "name")
	}
}

func (g *Generation) anthropicChoice(d *decoder) {
	kind := ""
	start := len(d.found)
	d.object(anthropicChoice, func(name string) {
		switch name {
		case "type":
			kind = d.oneOf("type", anthropicChoices, "")
		case "name":
			g.ToolName, _ = d.text()
		default:
			g.OneCall, _ = d.truth()
		}
	})
	switch {
	case len(d.found) > start || d.syntax != nil:
	case kind == "":
		d.problemAt("type", MissingField, "must be given; want %s", anyOf(anthropicChoices))
	case kind == "tool" && g.ToolName == "":
		d.problemAt("name", MissingField, "must be given")
	case kind == "tool":
		g.ToolChoice = ToolNamed
		return
	case kind == "any":
		g.ToolChoice = ToolRequired
	case kind == "none":
		g.ToolChoice = ToolNone
	}
	g.ToolName = ""
}

func (g *Generation) outputFormat(d *decoder) {
	kind := ""
	start := len(d.found)
	d.object(outputFormatFields, func(name string) {
		if name == "type" {
			kind = d.oneOf("type", outputFormats, "")
			return
		}
		g.Schema = d.schema()
	})
	if len(d.found) == start {
		g.format(d, kind, "", "schema")
	}
}

// AppendMessage appends the body of POST /v1/messages.
func (t *Told) AppendMessage(dst []byte) []byte {
	dst = t.appendMessageHead(dst)
	dst = append(dst, `,"content":[`...)
	if len(t.Calls) == 0 {
		dst = append(dst, `{"type":"text","text":`...)
		dst = appendString(dst, t.Text)
		dst = append(dst, `,"citations":null}`...)
	}
	for i := range t.Calls {
		dst = t.Calls[i].appendToolUse(comma(dst, i), false)
	}
	dst = append(dst, `],"stop_reason":`...)
	dst = t.appendStopReason(dst)
	dst = append(dst, `,"usage":`...)
	dst = t.appendMessageUsage(dst, t.Verdict.Usage.OutputTokens)
	dst = append(dst, `,"kaizen":`...)
	dst = t.Verdict.appendVerdict(dst)
	return append(dst, '}')
}

func (t *Told) appendMessageHead(dst []byte) []byte {
	dst = append(dst, `{"id":"msg_`...)
	dst = append(dst, t.ID...)
	dst = append(dst, `","type":"message","role":"assistant","model":`...)
	return appendString(dst, t.Model)
}

// appendToolUse appends a call; begun, without its input, which follows.
func (c *ToolCall) appendToolUse(dst []byte, begun bool) []byte {
	dst = append(dst, `{"type":"tool_use","id":`...)
	dst = appendString(dst, c.ID)
	dst = append(dst, `,"name":`...)
	dst = appendString(dst, c.Name)
	dst = append(dst, `,"input":`...)
	if input := jsontext.Value(c.Arguments); !begun && input.Compact() == nil && input.Kind() == '{' {
		dst = append(dst, input...)
	} else {
		dst = append(dst, `{}`...)
	}
	return append(dst, '}')
}

// appendStopReason appends the reason and, as its neighbour, the sequence.
func (t *Told) appendStopReason(dst []byte) []byte {
	switch {
	case len(t.Calls) > 0:
		return append(dst, `"tool_use","stop_sequence":null`...)
	case t.Full:
		return append(dst, `"max_tokens","stop_sequence":null`...)
	case t.Stopped != "":
		return appendString(append(dst, `"stop_sequence","stop_sequence":`...), t.Stopped)
	}
	return append(dst, `"end_turn","stop_sequence":null`...)
}

func (t *Told) appendMessageUsage(dst []byte, output int64) []byte {
	dst = append(dst, `{"input_tokens":`...)
	dst = strconv.AppendInt(dst, t.Verdict.Usage.InputTokens, 10)
	dst = append(dst, `,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":`...)
	dst = strconv.AppendInt(dst, output, 10)
	return append(dst, '}')
}
