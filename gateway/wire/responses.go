package wire

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// What POST /v1/responses may have. Those after kaizen are known, and refused
// unless they change nothing.
var (
	responsesFields = []string{"model", "input", "instructions", "max_output_tokens", "temperature", "top_p", "tools", "tool_choice", "parallel_tool_calls", "text", "stream", "stream_options",
		"metadata", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "include", "kaizen",
		"store", "background", "truncation", "service_tier", "top_logprobs", "reasoning", "previous_response_id", "conversation", "prompt", "max_tool_calls", "context_management"}
	inputFields      = []string{"type", "role", "content", "id", "status", "phase", "call_id", "name", "arguments", "output", "summary", "encrypted_content", "parsed_arguments"}
	itemPartFields   = []string{"type", "text", "annotations", "logprobs", "image_url", "file_id", "detail", "file_url", "filename", "file_data", "input_audio", "refusal", "parsed"}
	inputRoles       = []string{"system", "developer", "user", "assistant"}
	responseTool     = []string{"type", "name", "description", "parameters", "strict"}
	responseChoice   = []string{"type", "name", "mode", "tools"}
	textFields       = []string{"format", "verbosity"}
	textFormatFields = []string{"type", "name", "description", "schema", "strict"}
	obfuscation      = []string{"include_obfuscation"}
)

// DecodeResponses reads the body of POST /v1/responses into a. It is
// [Ask.DecodeChat] for that form. Nothing is kept for a later response to refer
// to: store may be false or left out.
func (a *Ask) DecodeResponses(body []byte, lim *Limits) error {
	a.begin(lim)
	a.Generation.SchemaField, a.Generation.ParamsField = "text.format.schema", "tools[%d].parameters"
	tier := ""
	return decodeAs(body, responsesFields, true,
		func(d *decoder, name string) { a.responsesField(d, name, lim, &tier) },
		func(d *decoder, seen fieldSet) {
			for _, must := range []string{"model", "input"} {
				if !seen.has(responsesFields, must) {
					d.problemAt(must, MissingField, "must be given")
				}
			}
			a.finish(d, lim, tier, "tool_choice", "input")
		})
}

func (a *Ask) responsesField(d *decoder, name string, lim *Limits, tier *string) {
	g := a.Generation
	switch name {
	case "model":
		a.model(d, lim)
	case "input":
		if d.syntax == nil && d.json.PeekKind() == '"' {
			s, _ := d.text()
			a.Messages = append(a.Messages, Message{Role: "user", Content: s})
			return
		}
		d.array("items", MaxMessages, func() { a.item(d) })
	case "instructions":
		a.instructions, _ = d.text()
	case "kaizen":
		a.kaizen(d, lim, tier)
	case "max_output_tokens":
		a.limitOf(d)
	case "temperature":
		g.Temperature = d.share(2)
	case "top_p":
		g.TopP = d.share(1)
	case "tools":
		d.array("tools", MaxTools, func() { g.responseTool(d) })
	case "tool_choice":
		g.responseChoice(d)
	case "parallel_tool_calls":
		v, ok := d.truth()
		g.OneCall = ok && !v
	case "text":
		d.object(textFields, func(name string) {
			if name == "verbosity" {
				d.unsupported(`"medium"`)
				return
			}
			kind, description := "", ""
			start := len(d.found)
			d.object(textFormatFields, func(name string) {
				if name == "type" {
					kind = d.oneOf("type", formats, "")
					return
				}
				g.schemaField(d, name, &description)
			})
			if len(d.found) == start {
				g.format(d, kind, description, "schema")
			}
		})
	case "stream":
		a.Stream, _ = d.truth()
	case "stream_options":
		d.object(obfuscation, func(string) { d.truth() })
	case "metadata":
		a.Metadata = d.labels()
	case "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention":
		d.text()
	case "include":
		d.unsupported("[]", `["reasoning.encrypted_content"]`) // there is no reasoning to be had
	case "store":
		raw := d.value()
		if d.syntax == nil && string(raw) != "false" {
			d.problem(Unsupported, "responses are not stored here; leave it out, or say false")
		}
	case "background":
		d.unsupported("false")
	case "truncation":
		d.unsupported(`"disabled"`)
	case "service_tier":
		d.unsupported(`"auto"`, `"default"`)
	case "top_logprobs":
		d.unsupported("0")
	case "reasoning":
		d.unsupported("{}", `{"effort":null}`, `{"summary":null}`, `{"effort":null,"summary":null}`)
	default:
		d.unsupported()
	}
}

// item reads one item of the input.
func (a *Ask) item(d *decoder) {
	kind := "message"
	var m Message
	var c ToolCall
	start := len(d.found)
	seen, ok := d.object(inputFields, func(name string) {
		switch name {
		case "type":
			kind, _ = d.text()
		case "role":
			m.Role = d.oneOf("role", inputRoles, "")
		case "content", "output":
			m.Content = d.itemContent()
		case "call_id":
			c.ID = d.callID()
		case "name":
			c.Name, _ = d.text()
		case "arguments":
			c.Arguments, _ = d.text()
		default:
			d.skip() // what the gateway, or another server, has put there itself
		}
	})
	if !ok || d.syntax != nil || len(d.found) > start {
		return
	}
	switch kind {
	case "message":
		switch {
		case m.Role == "":
			d.problemAt("role", MissingField, "must be given; want %s", anyOf(inputRoles))
		case !seen.has(inputFields, "content"):
			d.problemAt("content", MissingField, "must be given")
		case m.Role == "developer":
			m.Role = "system"
		}
		a.Messages = append(a.Messages, m)
	case "function_call":
		d.call(&c, "function", "call_id", "name")
		if n := len(a.Messages); n > 0 && a.Messages[n-1].Role == "assistant" {
			a.Messages[n-1].Calls = append(a.Messages[n-1].Calls, c)
			return
		}
		a.Messages = append(a.Messages, Message{Role: "assistant", Calls: []ToolCall{c}})
	case "function_call_output":
		switch {
		case c.ID == "":
			d.problemAt("call_id", MissingField, "must be given")
		case !seen.has(inputFields, "output"):
			d.problemAt("output", MissingField, "must be given")
		}
		a.Messages = append(a.Messages, Message{Role: "tool", CallID: c.ID, Content: m.Content})
	default:
		d.problemAt("type", Unsupported, "%s is not supported here; only message, function_call and function_call_output are", printable([]byte(kind)))
	}
}

// itemContent reads a text, or parts that are text, one below the other.
func (d *decoder) itemContent() string {
	if d.syntax == nil && d.json.PeekKind() == '"' {
		s, _ := d.text()
		return s
	}
	var texts []string
	d.array("text parts", MaxMessages, func() {
		kind, text := "", ""
		start := len(d.found)
		d.object(itemPartFields, func(name string) {
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
		case "input_text", "output_text", "text", "refusal":
			texts = append(texts, text)
		case "":
			d.problemAt("type", MissingField, "must be given")
		default:
			d.problemAt("type", Unsupported, "%s is not supported here; only text is", printable([]byte(kind)))
		}
	})
	return strings.Join(texts, "\n")
}

func (g *Generation) responseTool(d *decoder) {
	var t Tool
	kind := ""
	start := len(d.found)
	d.object(responseTool, func(name string) {
		if name == "type" {
			kind, _ = d.text()
			return
		}
		t.functionField(d, name)
	})
	switch {
	case d.syntax != nil:
	case kind != "function":
		d.found = d.found[:min(start, len(d.found))] // its other fields are its own
		d.problemAt("type", Unsupported, "%s is not supported here; only function is", printable([]byte(kind)))
	case len(d.found) == start:
		g.tool(d, t, "name")
	}
}

func (g *Generation) responseChoice(d *decoder) {
	if d.syntax == nil && d.json.PeekKind() != jsontext.KindBeginObject {
		g.chatChoice(d)
		return
	}
	kind := ""
	start := len(d.found)
	d.object(responseChoice, func(name string) {
		switch name {
		case "type":
			kind, _ = d.text()
		case "name":
			g.ToolName, _ = d.text()
		default:
			d.skip()
		}
	})
	switch {
	case len(d.found) > start || d.syntax != nil:
	case kind != "function":
		d.problemAt("type", Unsupported, "%s is not supported here; only function is", printable([]byte(kind)))
	case g.ToolName == "":
		d.problemAt("name", MissingField, "must be given")
	default:
		g.ToolChoice = ToolNamed
	}
}

// AppendResponse appends the body of POST /v1/responses.
func (t *Told) AppendResponse(dst []byte) []byte { return t.appendResponse(dst, true) }

// appendResponse appends the response object: whole, or as it is when it begins.
func (t *Told) appendResponse(dst []byte, whole bool) []byte {
	dst = append(dst, `{"id":"resp_`...)
	dst = append(dst, t.ID...)
	dst = append(dst, `","object":"response","created_at":`...)
	dst = strconv.AppendInt(dst, t.Created, 10)
	dst = append(append(append(dst, `,"status":"`...), t.responseStatus(whole)...), `","background":false,"error":null,"incomplete_details":`...)
	if whole && t.incomplete() {
		dst = append(dst, `{"reason":"max_output_tokens"}`...)
	} else {
		dst = append(dst, `null`...)
	}
	dst = append(dst, `,"instructions":`...)
	if t.Asked.instructions != "" {
		dst = appendString(dst, t.Asked.instructions)
	} else {
		dst = append(dst, `null`...)
	}
	g := t.Asked.Generation
	if g == nil {
		g = &Generation{Temperature: None, TopP: None}
	}
	dst = append(dst, `,"max_output_tokens":`...)
	if g.MaxTokens > 0 {
		dst = strconv.AppendInt(dst, g.MaxTokens, 10)
	} else {
		dst = append(dst, `null`...)
	}
	dst = append(dst, `,"metadata":`...)
	if len(t.Asked.Metadata) > 0 {
		dst = append(dst, t.Asked.Metadata...)
	} else {
		dst = append(dst, `{}`...)
	}
	dst = append(dst, `,"model":`...)
	dst = appendString(dst, t.Model)
	dst = append(dst, `,"output":[`...)
	if whole {
		for i := range t.items() {
			dst = t.appendItem(comma(dst, i), i, true)
		}
	}
	dst = append(dst, `],"parallel_tool_calls":`...)
	dst = strconv.AppendBool(dst, !g.OneCall)
	dst = append(dst, `,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"store":false,"temperature":`...)
	dst = g.Temperature.appendTo(dst)
	dst = append(dst, `,"text":`...)
	dst = g.appendTextFormat(dst)
	dst = append(dst, `,"tool_choice":`...)
	dst = g.appendResponseChoice(dst)
	dst = append(dst, `,"tools":[`...)
	for i := range g.Tools {
		dst = g.Tools[i].appendResponseTool(comma(dst, i))
	}
	dst = append(dst, `],"top_p":`...)
	dst = g.TopP.appendTo(dst)
	dst = append(dst, `,"truncation":"disabled","usage":`...)
	if !whole {
		return append(dst, `null}`...)
	}
	u := &t.Verdict.Usage
	dst = append(dst, `{"input_tokens":`...)
	dst = strconv.AppendInt(dst, u.InputTokens, 10)
	dst = append(dst, `,"input_tokens_details":{"cached_tokens":0},"output_tokens":`...)
	dst = strconv.AppendInt(dst, u.OutputTokens, 10)
	dst = append(dst, `,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":`...)
	dst = strconv.AppendInt(dst, u.InputTokens+u.OutputTokens, 10)
	dst = append(dst, `},"kaizen":`...)
	dst = t.Verdict.appendVerdict(dst)
	return append(dst, '}')
}

func (t *Told) incomplete() bool { return t.Full && len(t.Calls) == 0 }

// responseStatus is that of the response and of what is in it.
func (t *Told) responseStatus(whole bool) string {
	switch {
	case !whole:
		return "in_progress"
	case t.incomplete():
		return "incomplete"
	}
	return "completed"
}

// items is how many the output has: a message, or the calls.
func (t *Told) items() int { return max(1, len(t.Calls)) }

// appendItem appends one item of the output, whole or as it is when it begins.
func (t *Told) appendItem(dst []byte, i int, whole bool) []byte {
	status := t.responseStatus(whole)
	if len(t.Calls) == 0 {
		dst = append(append(dst, `{"id":"msg_`...), t.ID...)
		dst = append(append(dst, `","type":"message","status":"`...), status...)
		dst = append(dst, `","role":"assistant","content":[`...)
		if whole {
			dst = t.appendPart(dst, t.Text)
		}
		return append(dst, `]}`...)
	}
	c := &t.Calls[i]
	dst = append(dst, `{"id":`...)
	dst = appendString(dst, c.itemID())
	dst = append(append(dst, `,"type":"function_call","status":"`...), status...)
	dst = append(dst, `","call_id":`...)
	dst = appendString(dst, c.ID)
	dst = append(dst, `,"name":`...)
	dst = appendString(dst, c.Name)
	dst = append(dst, `,"arguments":`...)
	if whole {
		dst = appendString(dst, c.Arguments)
	} else {
		dst = append(dst, `""`...)
	}
	return append(dst, '}')
}

// itemID is the id of the item that a call stands in, which is not the call's.
func (c *ToolCall) itemID() string {
	_, rest, _ := strings.Cut(c.ID, "_")
	return "fc_" + rest
}

func (t *Told) appendPart(dst []byte, text string) []byte {
	dst = append(dst, `{"type":"output_text","annotations":[],"logprobs":[],"text":`...)
	dst = appendString(dst, text)
	return append(dst, '}')
}

func (g *Generation) appendTextFormat(dst []byte) []byte {
	switch g.Format {
	case FormatJSON:
		return append(dst, `{"format":{"type":"json_object"}}`...)
	case FormatSchema:
		dst = append(dst, `{"format":{"type":"json_schema","name":`...)
		dst = appendString(dst, g.SchemaName)
		dst = append(dst, `,"schema":`...)
		dst = append(dst, g.Schema...)
		return append(dst, `,"strict":true}}`...)
	}
	return append(dst, `{"format":{"type":"text"}}`...)
}

func (g *Generation) appendResponseChoice(dst []byte) []byte {
	switch g.ToolChoice {
	case "":
		return append(dst, `"auto"`...)
	case ToolNamed:
		dst = append(dst, `{"type":"function","name":`...)
		dst = appendString(dst, g.ToolName)
		return append(dst, '}')
	}
	return appendString(dst, g.ToolChoice)
}

func (t *Tool) appendResponseTool(dst []byte) []byte {
	dst = append(dst, `{"type":"function","name":`...)
	dst = appendString(dst, t.Name)
	dst = append(dst, `,"description":`...)
	if t.Description != "" {
		dst = appendString(dst, t.Description)
	} else {
		dst = append(dst, `null`...)
	}
	dst = append(dst, `,"parameters":`...)
	if len(t.Parameters) > 0 {
		dst = append(dst, t.Parameters...)
	} else {
		dst = append(dst, `null`...)
	}
	dst = append(dst, `,"strict":`...)
	dst = strconv.AppendBool(dst, t.Strict)
	return append(dst, '}')
}
