package wire

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// What POST /v1/chat/completions may have. Those after kaizen are known, and
// refused unless they change nothing.
var (
	chatFields = []string{"model", "messages", "n", "stop", "max_tokens", "max_completion_tokens", "temperature", "top_p", "response_format",
		"tools", "tool_choice", "parallel_tool_calls", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "metadata", "seed", "stream", "stream_options", "kaizen",
		"store", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "service_tier", "modalities", "logit_bias",
		"audio", "prediction", "web_search_options", "functions", "function_call", "reasoning_effort", "verbosity", "cache_control"}
	chatMessageFields  = []string{"role", "content", "name", "tool_calls", "tool_call_id", "refusal", "annotations", "audio", "function_call", "cache_control", "parsed"}
	chatPartFields     = []string{"type", "text", "refusal", "cache_control", "image_url", "input_audio", "file"}
	chatCallFields     = []string{"id", "type", "function", "index", "custom"}
	chatCalledFields   = []string{"name", "arguments", "parsed_arguments"}
	chatToolFields     = []string{"type", "function", "custom", "cache_control"}
	chatFunctionFields = []string{"name", "description", "parameters", "strict"}
	chatChoiceFields   = []string{"type", "function", "allowed_tools", "custom"}
	chatFormatFields   = []string{"type", "json_schema"}
	chatSchemaFields   = []string{"name", "description", "schema", "strict"}
	streamFields       = []string{"include_usage", "include_obfuscation"}
	chatRoles          = []string{"system", "developer", "user", "assistant", "tool"}
	nameFields         = []string{"name"}
)

// DecodeChat reads the body of POST /v1/chat/completions into a. It is [Request.Decode]
// for OpenAI's form: null is the same as a field left out; what official clients
// send by themselves is taken; what would change the answer and is not supported
// is refused by name.
func (a *Ask) DecodeChat(body []byte, lim *Limits) error {
	a.begin(lim)
	a.Generation.SchemaField, a.Generation.ParamsField = "response_format.json_schema.schema", "tools[%d].function.parameters"
	tier := ""
	return decodeAs(body, chatFields, true,
		func(d *decoder, name string) { a.chatField(d, name, lim, &tier) },
		func(d *decoder, seen fieldSet) {
			for _, must := range []string{"model", "messages"} {
				if !seen.has(chatFields, must) {
					d.problemAt(must, MissingField, "must be given")
				}
			}
			a.finish(d, lim, tier, "tool_choice", "messages")
		})
}

func (a *Ask) chatField(d *decoder, name string, lim *Limits, tier *string) {
	g := a.Generation
	switch name {
	case "model":
		a.model(d, lim)
	case "messages":
		d.array("messages", MaxMessages, func() { a.chatMessage(d) })
	case "kaizen":
		a.kaizen(d, lim, tier)
	case "n":
		if n := d.whole(1, maxReplyToken); n > 1 {
			d.problem(Unsupported, "is not supported here, other than 1: the panel gives one answer")
		}
	case "stop":
		g.stops(d)
	case "max_tokens", "max_completion_tokens":
		a.limitOf(d)
	case "temperature":
		g.Temperature = d.share(2)
	case "top_p":
		g.TopP = d.share(1)
	case "seed":
		a.seed(d)
	case "response_format":
		a.chatFormat(d)
	case "tools":
		d.array("tools", MaxTools, func() { g.chatTool(d) })
	case "tool_choice":
		g.chatChoice(d)
	case "parallel_tool_calls":
		v, ok := d.truth()
		g.OneCall = ok && !v
	case "stream":
		a.Stream, _ = d.truth()
	case "stream_options":
		d.object(streamFields, func(name string) {
			if v, _ := d.truth(); name == "include_usage" {
				a.StreamUsage = v
			}
		})
	case "metadata":
		d.labels()
	case "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention":
		d.text() // who asks and how a provider caches: passed on to nobody
	case "cache_control":
		d.skip()
	case "store", "logprobs":
		d.unsupported("false")
	case "presence_penalty", "frequency_penalty":
		d.unsupported("0", "0.0")
	case "top_logprobs":
		d.unsupported("0")
	case "service_tier":
		d.unsupported(`"auto"`, `"default"`)
	case "modalities":
		d.unsupported(`["text"]`)
	case "logit_bias":
		d.unsupported("{}")
	case "verbosity":
		d.unsupported(`"medium"`)
	default:
		d.unsupported()
	}
}

func (a *Ask) chatMessage(d *decoder) {
	var m Message
	start := len(d.found)
	refusal, name := "", false
	seen, ok := d.object(chatMessageFields, func(field string) {
		switch field {
		case "role":
			m.Role = d.oneOf("role", chatRoles, "")
		case "content":
			m.Content = d.chatContent()
		case "name":
			d.text()
			name = true
		case "tool_calls":
			d.array("tool calls", MaxTools, func() { m.Calls = d.chatCall(m.Calls) })
		case "tool_call_id":
			m.CallID = d.callID()
		case "refusal":
			refusal, _ = d.text()
		case "annotations", "cache_control", "parsed":
			d.skip() // clients send back what they were sent, and what they made of it
		case "audio", "function_call":
			d.unsupported()
		}
	})
	if !ok || d.syntax != nil || len(d.found) > start {
		return
	}
	if m.Role == "developer" {
		m.Role = "system"
	}
	if m.Content == "" {
		m.Content = refusal
	}
	switch {
	case m.Role == "":
		d.problemAt("role", MissingField, "must be given; want %s", anyOf(chatRoles))
	case name && m.Role != "tool":
		d.problemAt("name", Unsupported, "is not supported here; say who speaks in the content")
	case m.Role == "tool" && m.CallID == "":
		d.problemAt("tool_call_id", MissingField, "must be given")
	case m.Role != "tool" && m.CallID != "":
		d.problemAt("tool_call_id", InvalidValue, "only in a message of role tool")
	case m.Role != "assistant" && len(m.Calls) > 0:
		d.problemAt("tool_calls", InvalidValue, "only in a message of role assistant")
	case m.Content == "" && !seen.has(chatMessageFields, "content") && len(m.Calls) == 0:
		d.problemAt("content", MissingField, "must be given")
	}
	a.Messages = append(a.Messages, m)
}

// chatContent reads a message's content: text, or parts that are text. Parts
// stand below one another.
func (d *decoder) chatContent() string {
	if d.syntax == nil && d.json.PeekKind() != '[' {
		if d.json.PeekKind() != '"' {
			d.kind('"', "a string or an array of text parts")
			return ""
		}
		s, _ := d.text()
		return s
	}
	var parts []string
	d.array("text parts", MaxMessages, func() {
		kind, text := "", ""
		start := len(d.found)
		d.object(chatPartFields, func(name string) {
			switch name {
			case "type":
				kind, _ = d.text()
			case "text", "refusal":
				text, _ = d.text()
			default:
				d.skip()
			}
		})
		if len(d.found) > start || d.syntax != nil {
			return
		}
		switch kind {
		case "text", "refusal":
			parts = append(parts, text)
		case "":
			d.problemAt("type", MissingField, "must be given")
		default:
			d.problemAt("type", Unsupported, "%s is not supported here; only text is", printable([]byte(kind)))
		}
	})
	return strings.Join(parts, "\n")
}

func (d *decoder) callID() string {
	id, ok := d.text()
	if ok && (id == "" || len(id) > maxCallBytes) {
		d.problem(InvalidValue, "want 1 to %d bytes", maxCallBytes)
	}
	return id
}

func (d *decoder) chatCall(calls []ToolCall) []ToolCall {
	var c ToolCall
	kind := "function"
	start := len(d.found)
	d.object(chatCallFields, func(name string) {
		switch name {
		case "id":
			c.ID = d.callID()
		case "type":
			kind, _ = d.text()
		case "function":
			d.object(chatCalledFields, func(name string) {
				switch name {
				case "name":
					c.Name, _ = d.text()
				case "arguments":
					c.Arguments, _ = d.text()
				default:
					d.skip()
				}
			})
		case "index":
			d.skip()
		default:
			d.unsupported()
		}
	})
	if len(d.found) == start {
		d.call(&c, kind, "id", "function.name")
	}
	return append(calls, c)
}

// call looks at a tool call that has been read.
func (d *decoder) call(c *ToolCall, kind, idField, nameField string) {
	switch {
	case d.syntax != nil:
	case kind != "function":
		d.problemAt("type", Unsupported, "%s is not supported here; only function is", printable([]byte(kind)))
	case c.ID == "":
		d.problemAt(idField, MissingField, "must be given")
	case !isToolName(c.Name):
		d.problemAt(nameField, InvalidValue, "want 1 to %d letters, digits, _ or -", maxNameBytes)
	}
}

func (g *Generation) chatTool(d *decoder) {
	var t Tool
	kind := ""
	start := len(d.found)
	d.object(chatToolFields, func(name string) {
		switch name {
		case "type":
			kind, _ = d.text()
		case "function":
			d.object(chatFunctionFields, func(name string) { t.functionField(d, name) })
		case "cache_control":
			d.skip()
		case "custom":
			d.unsupported()
		}
	})
	switch {
	case len(d.found) > start || d.syntax != nil:
	case kind != "function":
		d.problemAt("type", Unsupported, "%s is not supported here; only function is", printable([]byte(kind)))
	default:
		g.tool(d, t, "function.name")
	}
}

func (t *Tool) functionField(d *decoder, name string) {
	switch name {
	case "name":
		t.Name, _ = d.text()
	case "description":
		t.Description, _ = d.text()
	case "parameters":
		t.Parameters = d.schema()
	case "strict":
		t.Strict, _ = d.truth()
	}
}

var toolChoices = []string{"auto", "none", "required"}

func (g *Generation) chatChoice(d *decoder) {
	if d.syntax == nil && d.json.PeekKind() != jsontext.KindBeginObject {
		if g.ToolChoice = d.oneOf("choice", toolChoices, ""); g.ToolChoice == "auto" {
			g.ToolChoice = ""
		}
		return
	}
	kind := ""
	start := len(d.found)
	d.object(chatChoiceFields, func(name string) {
		switch name {
		case "type":
			kind, _ = d.text()
		case "function":
			d.object(nameFields, func(string) { g.ToolName, _ = d.text() })
		default:
			d.unsupported()
		}
	})
	switch {
	case len(d.found) > start || d.syntax != nil:
	case kind != "function":
		d.problemAt("type", Unsupported, "%s is not supported here; only function is", printable([]byte(kind)))
	case g.ToolName == "":
		d.problemAt("function.name", MissingField, "must be given")
	default:
		g.ToolChoice = ToolNamed
	}
}

var formats = []string{"text", "json_object", "json_schema"}

func (a *Ask) chatFormat(d *decoder) {
	kind, description := "", ""
	start := len(d.found)
	d.object(chatFormatFields, func(name string) {
		if name == "type" {
			kind = d.oneOf("type", formats, "")
			return
		}
		d.object(chatSchemaFields, func(name string) { a.Generation.schemaField(d, name, &description) })
	})
	if len(d.found) == start {
		a.Generation.format(d, kind, description, "json_schema.schema")
	}
}

func (g *Generation) schemaField(d *decoder, name string, description *string) {
	switch name {
	case "name":
		if g.SchemaName, _ = d.text(); g.SchemaName != "" && !isToolName(g.SchemaName) {
			d.problem(InvalidValue, "want 1 to %d letters, digits, _ or -", maxNameBytes)
		}
	case "description":
		*description, _ = d.text()
	case "schema":
		g.Schema = d.schema()
	case "strict":
		d.truth() // every reply is held to the schema, whatever this says
	}
}

func (g *Generation) format(d *decoder, kind, description, schemaField string) {
	switch {
	case d.syntax != nil:
	case kind == "":
		d.problemAt("type", MissingField, "must be given; want %s", anyOf(formats))
	case kind == "json_object":
		g.Format = FormatJSON
	case kind == "json_schema" && g.Schema == nil:
		d.problemAt(schemaField, MissingField, "must be given")
	case kind == "json_schema":
		g.Format, g.Schema = FormatSchema, described(g.Schema, description)
		return
	}
	g.Schema, g.SchemaName = nil, ""
}
