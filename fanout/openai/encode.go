package openai

import (
	"strconv"
	"strings"

	"github.com/kaizen-os/deliberation/fanout/dialect"
	"github.com/kaizen-os/deliberation/quorum"
)

const (
	roleSystem = "system"
	roleTool   = "tool"

	// schemaName is what a client's schema is called that it gave no name.
	schemaName = "answer"
)

// appendRequest appends a request body: the conversation, or the prompt as one
// user message, under the instruction for d if it has one, and the settings that
// the client gave. The instruction joins a system message that the conversation
// begins with, since many models' templates allow only one.
func (a *Adapter) appendRequest(dst []byte, d *quorum.Deliberation) []byte {
	dst = append(dst, a.head...)
	if limit := dialect.Limit(a.maxTokens, d.Generation); limit > 0 {
		dst = append(dst, a.limitField...)
		dst = strconv.AppendInt(dst, limit, 10)
	}
	dst = append(dst, `,"messages":[`...)
	messages := d.Messages
	var room [1 << 10]byte
	system := room[:0]
	if len(messages) > 0 && messages[0].Role == roleSystem {
		system = append(append(system, messages[0].Content...), "\n\n"...)
	}
	lacks := a.lacks
	if d.Generation != nil && d.Generation.Format == quorum.FormatJSON && !saysJSON(d) {
		lacks |= dialect.NoJSONObject // servers refuse the setting unless some message speaks of JSON
	}
	if told := dialect.AppendInstruction(system, d, lacks); len(told) > len(system) {
		if len(system) > 0 {
			messages = messages[1:]
		}
		dst = appendMessage(dst, roleSystem, told)
		dst = append(dst, ',')
	}
	if len(d.Messages) == 0 {
		dst = append(appendMessage(dst, "user", d.Prompt), ',')
	}
	for i := range messages {
		dst = append(appendTurn(dst, &messages[i]), ',')
	}
	dst[len(dst)-1] = ']' // in place of the last comma; admission lets no empty conversation in
	if d.Generation != nil {
		dst = appendGeneration(dst, d.Generation, a.lacks)
	}
	if a.stream {
		dst = append(dst, `,"stream":true`...)
		if !a.lacks.Has(dialect.NoStreamOptions) {
			dst = append(dst, `,"stream_options":{"include_usage":true}`...)
		}
	}
	return append(dst, '}')
}

// saysJSON reports whether a message of d's speaks of JSON.
func saysJSON(d *quorum.Deliberation) bool {
	for i := range d.Messages {
		if strings.Contains(strings.ToLower(d.Messages[i].Content), "json") {
			return true
		}
	}
	return len(d.Messages) == 0 && strings.Contains(strings.ToLower(d.Prompt), "json")
}

func appendMessage[Text string | []byte](dst []byte, role string, content Text) []byte {
	dst = dialect.AppendString(append(dst, `{"role":`...), role)
	dst = dialect.AppendString(append(dst, `,"content":`...), content)
	return append(dst, '}')
}

// appendTurn appends a message with the calls it makes or answers.
func appendTurn(dst []byte, m *quorum.Message) []byte {
	if len(m.Calls) == 0 {
		dst = appendMessage(dst, m.Role, m.Content)
		if m.Role == roleTool {
			dst = dialect.AppendString(append(dst[:len(dst)-1], `,"tool_call_id":`...), m.CallID)
			dst = append(dst, '}')
		}
		return dst
	}
	dst = dialect.AppendString(append(dst, `{"role":`...), m.Role)
	dst = append(dst, `,"content":`...)
	if m.Content == "" {
		dst = append(dst, "null"...)
	} else {
		dst = dialect.AppendString(dst, m.Content)
	}
	dst = append(dst, `,"tool_calls":[`...)
	for i, c := range m.Calls {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = dialect.AppendString(append(dst, `{"id":`...), c.ID)
		dst = dialect.AppendString(append(dst, `,"type":"function","function":{"name":`...), c.Name)
		arguments := c.Arguments
		if arguments == "" {
			arguments = "{}"
		}
		dst = dialect.AppendString(append(dst, `,"arguments":`...), arguments)
		dst = append(dst, `}}`...)
	}
	return append(dst, `]}`...)
}

func appendGeneration(dst []byte, g *quorum.Generation, lacks dialect.Lacks) []byte {
	if g.Temperature >= 0 && !lacks.Has(dialect.NoTemperature) {
		dst = dialect.AppendDecimal(append(dst, `,"temperature":`...), g.Temperature)
	}
	if g.TopP >= 0 && !lacks.Has(dialect.NoTopP) {
		dst = dialect.AppendDecimal(append(dst, `,"top_p":`...), g.TopP)
	}
	if len(g.Stop) > 0 && !lacks.Has(dialect.NoStop) {
		dst = dialect.AppendStrings(append(dst, `,"stop":`...), g.Stop)
	}
	if g.Seeded && !lacks.Has(dialect.NoSeed) {
		dst = strconv.AppendInt(append(dst, `,"seed":`...), g.Seed, 10)
	}
	switch {
	case g.Format == quorum.FormatSchema && !lacks.Has(dialect.NoJSONSchema):
		name := g.SchemaName
		if name == "" {
			name = schemaName
		}
		dst = dialect.AppendString(append(dst, `,"response_format":{"type":"json_schema","json_schema":{"name":`...), name)
		dst = dialect.AppendJSON(append(dst, `,"schema":`...), g.Schema, 0, "{}")
		dst = append(dst, `}}`...)
	case g.Format != quorum.FormatText && !lacks.Has(dialect.NoJSONObject):
		dst = append(dst, `,"response_format":{"type":"json_object"}`...)
	}
	if len(g.Tools) > 0 {
		dst = appendTools(dst, g, lacks)
	}
	return dst
}

func appendTools(dst []byte, g *quorum.Generation, lacks dialect.Lacks) []byte {
	dst = append(dst, `,"tools":[`...)
	for i := range g.Tools {
		t := &g.Tools[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = dialect.AppendString(append(dst, `{"type":"function","function":{"name":`...), t.Name)
		if t.Description != "" {
			dst = dialect.AppendString(append(dst, `,"description":`...), t.Description)
		}
		if len(t.Parameters) > 0 {
			dst = dialect.AppendJSON(append(dst, `,"parameters":`...), t.Parameters, '{', "{}")
		}
		if t.Strict {
			dst = append(dst, `,"strict":true`...)
		}
		dst = append(dst, `}}`...)
	}
	dst = append(dst, ']')
	if !lacks.Has(dialect.NoToolChoice) {
		switch g.ToolChoice {
		case quorum.ToolNone:
			dst = append(dst, `,"tool_choice":"none"`...)
		case quorum.ToolRequired:
			dst = append(dst, `,"tool_choice":"required"`...)
		case quorum.ToolNamed:
			dst = dialect.AppendString(append(dst, `,"tool_choice":{"type":"function","function":{"name":`...), g.ToolName)
			dst = append(dst, `}}`...)
		}
	}
	if g.OneCall && !lacks.Has(dialect.NoParallelToolCalls) {
		dst = append(dst, `,"parallel_tool_calls":false`...)
	}
	return dst
}
