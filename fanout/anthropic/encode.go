package anthropic

import (
	"strconv"
	"strings"

	"github.com/kaizen-os/deliberation/fanout/dialect"
	"github.com/kaizen-os/deliberation/quorum"
)

const (
	roleSystem    = "system"
	roleUser      = "user"
	roleAssistant = "assistant"
	roleTool      = "tool"
)

// noParameters is the schema of a tool that takes none; the API wants one.
const noParameters = `{"type":"object","properties":{}}`

// appendRequest appends a request body.
func (a *Adapter) appendRequest(dst []byte, d *quorum.Deliberation) []byte {
	dst = append(dst, a.head...)
	dst = strconv.AppendInt(dst, dialect.Limit(a.maxTokens, d.Generation), 10)
	var room [1 << 10]byte
	if system := a.appendSystem(room[:0], d); len(system) > 0 {
		dst = dialect.AppendString(append(dst, `,"system":`...), system)
	}
	dst = append(dst, `,"messages":[`...)
	if len(d.Messages) == 0 {
		dst = appendText(dst, roleUser, d.Prompt)
	} else {
		dst = appendMessages(dst, d.Messages)
	}
	dst = append(dst, ']')
	if d.Generation != nil {
		dst = a.appendGeneration(dst, d.Generation)
	}
	if a.stream {
		dst = append(dst, `,"stream":true`...)
	}
	return append(dst, '}')
}

// appendSystem appends what stands apart from the conversation: its system
// messages, wherever they are, and the instruction for d.
func (a *Adapter) appendSystem(dst []byte, d *quorum.Deliberation) []byte {
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
	if dst = dialect.AppendInstruction(dst, d, a.lacks); len(dst) == begun {
		return dst[:before]
	}
	return dst
}

func appendText(dst []byte, role, text string) []byte {
	dst = dialect.AppendString(append(dst, `{"role":`...), role)
	dst = dialect.AppendString(append(dst, `,"content":`...), text)
	return append(dst, '}')
}

// appendMessages appends the conversation. The results of one turn's calls must
// stand together, in one message of the user's.
func appendMessages(dst []byte, messages []quorum.Message) []byte {
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
			dst = append(dst, `{"role":"user","content":[`...)
			dst = appendResult(dst, m)
			for i+1 < len(messages) && messages[i+1].Role == roleTool {
				i++
				dst = appendResult(append(dst, ','), &messages[i])
			}
			dst = append(dst, `]}`...)
		case len(m.Calls) > 0:
			dst = appendCalls(dst, m)
		default:
			dst = appendText(dst, m.Role, m.Content)
		}
	}
	return dst
}

func appendResult(dst []byte, m *quorum.Message) []byte {
	dst = dialect.AppendString(append(dst, `{"type":"tool_result","tool_use_id":`...), callID(m.CallID))
	if m.Content != "" {
		dst = dialect.AppendString(append(dst, `,"content":`...), m.Content)
	}
	return append(dst, '}')
}

func appendCalls(dst []byte, m *quorum.Message) []byte {
	dst = append(dst, `{"role":"`+roleAssistant+`","content":[`...)
	if m.Content != "" { // the API refuses empty text
		dst = dialect.AppendString(append(dst, `{"type":"text","text":`...), m.Content)
		dst = append(dst, `},`...)
	}
	for i, c := range m.Calls {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = dialect.AppendString(append(dst, `{"type":"tool_use","id":`...), callID(c.ID))
		dst = dialect.AppendString(append(dst, `,"name":`...), c.Name)
		dst = dialect.AppendJSON(append(dst, `,"input":`...), c.Arguments, '{', "{}")
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}

// callID is id in the characters that the API allows: the conversation may have
// begun with another provider, whose ids have others.
func callID(id string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
			return c
		}
		return '_'
	}, id)
}

func (a *Adapter) appendGeneration(dst []byte, g *quorum.Generation) []byte {
	switch {
	case g.Temperature >= 0 && !a.lacks.Has(dialect.NoTemperature):
		// The API's scale ends at 1, others' at 2.
		dst = dialect.AppendDecimal(append(dst, `,"temperature":`...), min(g.Temperature, quorum.One))
	case g.TopP >= 0 && !a.lacks.Has(dialect.NoTopP):
		dst = dialect.AppendDecimal(append(dst, `,"top_p":`...), g.TopP)
	}
	if !a.lacks.Has(dialect.NoStop) {
		// One of white space alone would have the request refused; the answer is cut
		// at it here.
		var stops []string
		for _, s := range g.Stop {
			if strings.TrimSpace(s) != "" {
				stops = append(stops, s)
			}
		}
		if len(stops) > 0 {
			dst = dialect.AppendStrings(append(dst, `,"stop_sequences":`...), stops)
		}
	}
	if len(g.Tools) > 0 {
		dst = a.appendTools(dst, g)
	}
	return dst
}

func (a *Adapter) appendTools(dst []byte, g *quorum.Generation) []byte {
	dst = append(dst, `,"tools":[`...)
	for i := range g.Tools {
		t := &g.Tools[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = dialect.AppendString(append(dst, `{"name":`...), t.Name)
		if t.Description != "" {
			dst = dialect.AppendString(append(dst, `,"description":`...), t.Description)
		}
		dst = dialect.AppendJSON(append(dst, `,"input_schema":`...), t.Parameters, '{', noParameters)
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	if a.lacks.Has(dialect.NoToolChoice) {
		return dst
	}
	one := g.OneCall && !a.lacks.Has(dialect.NoParallelToolCalls)
	switch g.ToolChoice {
	case quorum.ToolAuto:
		if !one {
			return dst // which is the same
		}
		dst = append(dst, `,"tool_choice":{"type":"auto"`...)
	case quorum.ToolNone:
		one = false
		dst = append(dst, `,"tool_choice":{"type":"none"`...)
	case quorum.ToolRequired:
		dst = append(dst, `,"tool_choice":{"type":"any"`...)
	case quorum.ToolNamed:
		dst = dialect.AppendString(append(dst, `,"tool_choice":{"type":"tool","name":`...), g.ToolName)
	}
	if one {
		dst = append(dst, `,"disable_parallel_tool_use":true`...)
	}
	return append(dst, '}')
}
