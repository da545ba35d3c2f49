package gemini

import (
	"math"
	"strconv"

	"github.com/kaizen-os/deliberation/fanout/dialect"
	"github.com/kaizen-os/deliberation/quorum"
)

const (
	roleSystem    = "system"
	roleAssistant = "assistant"
	roleTool      = "tool"
)

// foreignSignature stands where the API wants the model's own signature of a call:
// in a conversation that went through a panel the call may be another model's.
const foreignSignature = "skip_thought_signature_validator"

// appendRequest appends a request body.
func (a *Adapter) appendRequest(dst []byte, d *quorum.Deliberation) []byte {
	dst = append(dst, '{')
	lacks := a.lacks
	if g := d.Generation; g != nil && len(g.Tools) > 0 {
		lacks |= dialect.NoJSONObject | dialect.NoJSONSchema // the API has one or the other
	}
	var room [1 << 10]byte
	if system := appendSystem(room[:0], d, lacks); len(system) > 0 {
		dst = dialect.AppendString(append(dst, `"systemInstruction":{"parts":[{"text":`...), system)
		dst = append(dst, `}]},`...)
	}
	dst = append(dst, `"contents":[`...)
	if len(d.Messages) == 0 {
		dst = appendText(dst, "user", d.Prompt)
	} else {
		dst = appendContents(dst, d.Messages)
	}
	dst = append(dst, ']')
	if g := d.Generation; g != nil && len(g.Tools) > 0 {
		dst = appendTools(dst, g, lacks)
	}
	return append(a.appendConfig(dst, d.Generation, lacks), '}')
}

// appendSystem appends what stands apart from the conversation: its system
// messages, wherever they are, and the instruction for d.
func appendSystem(dst []byte, d *quorum.Deliberation, lacks dialect.Lacks) []byte {
	for i := range d.Messages {
		if m := &d.Messages[i]; m.Role == roleSystem && m.Content != "" {
			if len(dst) > 0 {
				dst = append(dst, "\n\n"...)
			}
			dst = append(dst, m.Content...)
		}
	}
	before := len(dst)
	if before > 0 {
		dst = append(dst, "\n\n"...)
	}
	begun := len(dst)
	if dst = dialect.AppendInstruction(dst, d, lacks); len(dst) == begun {
		return dst[:before]
	}
	return dst
}

func appendText(dst []byte, role, text string) []byte {
	dst = append(append(append(dst, `{"role":"`...), role...), `","parts":[{"text":`...)
	dst = dialect.AppendString(dst, text)
	return append(dst, `}]}`...)
}

// appendContents appends the conversation. The results of one turn's calls must
// stand together, in one content.
func appendContents(dst []byte, messages []quorum.Message) []byte {
	first := true
	for i := 0; i < len(messages); i++ {
		m := &messages[i]
		if m.Role == roleSystem {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		switch {
		case m.Role == roleTool:
			dst = append(dst, `{"role":"user","parts":[`...)
			dst = appendResult(dst, messages, i)
			for i+1 < len(messages) && messages[i+1].Role == roleTool {
				i++
				dst = appendResult(append(dst, ','), messages, i)
			}
			dst = append(dst, `]}`...)
		case len(m.Calls) > 0:
			dst = appendCalls(dst, m)
		case m.Role == roleAssistant:
			dst = appendText(dst, "model", m.Content)
		default:
			dst = appendText(dst, "user", m.Content)
		}
	}
	return dst
}

// appendResult appends the result of a call. The API knows calls by their
// function's name, and wants an object.
func appendResult(dst []byte, messages []quorum.Message, at int) []byte {
	m := &messages[at]
	dst = dialect.AppendString(append(dst, `{"functionResponse":{"name":`...), called(messages[:at], m.CallID))
	wrapped := append(dialect.AppendString([]byte(`{"result":`), m.Content), '}')
	dst = dialect.AppendJSON(append(dst, `,"response":`...), m.Content, '{', string(wrapped))
	return append(dst, `}}`...)
}

// called is the name of the function that the latest call with an id is of.
func called(messages []quorum.Message, id string) string {
	for i := len(messages) - 1; i >= 0; i-- {
		for _, c := range messages[i].Calls {
			if c.ID == id {
				return c.Name
			}
		}
	}
	return id
}

func appendCalls(dst []byte, m *quorum.Message) []byte {
	dst = append(dst, `{"role":"model","parts":[`...)
	if m.Content != "" {
		dst = dialect.AppendString(append(dst, `{"text":`...), m.Content)
		dst = append(dst, `},`...)
	}
	for i, c := range m.Calls {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = dialect.AppendString(append(dst, `{"functionCall":{"name":`...), c.Name)
		dst = dialect.AppendJSON(append(dst, `,"args":`...), c.Arguments, '{', "{}")
		dst = append(dst, `},"thoughtSignature":"`+foreignSignature+`"}`...)
	}
	return append(dst, `]}`...)
}

func appendTools(dst []byte, g *quorum.Generation, lacks dialect.Lacks) []byte {
	dst = append(dst, `,"tools":[{"functionDeclarations":[`...)
	for i := range g.Tools {
		t := &g.Tools[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = dialect.AppendString(append(dst, `{"name":`...), t.Name)
		if t.Description != "" {
			dst = dialect.AppendString(append(dst, `,"description":`...), t.Description)
		}
		if len(t.Parameters) > 0 {
			dst = dialect.AppendJSON(append(dst, `,"parametersJsonSchema":`...), t.Parameters, '{', "{}")
		}
		dst = append(dst, '}')
	}
	dst = append(dst, `]}]`...)
	if lacks.Has(dialect.NoToolChoice) {
		return dst
	}
	switch g.ToolChoice {
	case quorum.ToolNone:
		dst = append(dst, `,"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}`...)
	case quorum.ToolRequired:
		dst = append(dst, `,"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}`...)
	case quorum.ToolNamed:
		dst = append(dst, `,"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":[`...)
		dst = append(dialect.AppendString(dst, g.ToolName), `]}}`...)
	}
	return dst
}

// appendConfig appends the generationConfig, if there is anything to say in it.
func (a *Adapter) appendConfig(dst []byte, g *quorum.Generation, lacks dialect.Lacks) []byte {
	const before = `,"generationConfig":{`
	begun := len(dst)
	dst = append(dst, before...)
	if limit := dialect.Limit(a.maxTokens, g); limit > 0 {
		dst = append(strconv.AppendInt(append(dst, `"maxOutputTokens":`...), limit, 10), ',')
	}
	if g != nil {
		dst = appendGeneration(dst, g, lacks)
	}
	if len(dst) == begun+len(before) {
		return dst[:begun]
	}
	dst[len(dst)-1] = '}' // in place of the last comma
	return dst
}

// appendGeneration appends each setting with a comma behind it.
func appendGeneration(dst []byte, g *quorum.Generation, lacks dialect.Lacks) []byte {
	if g.Temperature >= 0 && !lacks.Has(dialect.NoTemperature) {
		dst = append(dialect.AppendDecimal(append(dst, `"temperature":`...), g.Temperature), ',')
	}
	if g.TopP >= 0 && !lacks.Has(dialect.NoTopP) {
		dst = append(dialect.AppendDecimal(append(dst, `"topP":`...), g.TopP), ',')
	}
	if len(g.Stop) > 0 && !lacks.Has(dialect.NoStop) {
		dst = append(dialect.AppendStrings(append(dst, `"stopSequences":`...), g.Stop), ',')
	}
	// The API's seed has 32 bits; another would have the request refused.
	if g.Seeded && g.Seed >= math.MinInt32 && g.Seed <= math.MaxInt32 && !lacks.Has(dialect.NoSeed) {
		dst = append(strconv.AppendInt(append(dst, `"seed":`...), g.Seed, 10), ',')
	}
	switch {
	case g.Format == quorum.FormatSchema && !lacks.Has(dialect.NoJSONSchema):
		dst = append(dst, `"responseMimeType":"application/json","responseJsonSchema":`...)
		dst = append(dialect.AppendJSON(dst, g.Schema, 0, "{}"), ',')
	case g.Format != quorum.FormatText && !lacks.Has(dialect.NoJSONObject):
		dst = append(dst, `"responseMimeType":"application/json",`...)
	}
	return dst
}
