package quorum

import (
	"encoding/json"
	"strings"
)

// A Generation is how a client wants replies to be made, beyond what it asks.
// Settings that a companion's provider does not have are left out there.
type Generation struct {
	MaxTokens   int64    // of one reply; 0 leaves it to the companion
	Temperature PPM      // or NotGiven
	TopP        PPM      // or NotGiven
	Stop        []string // a reply ends before any of these
	Seed        int64    // where Seeded
	Seeded      bool
	Format      Format
	Schema      []byte // of FormatSchema: a JSON Schema, as the client wrote it
	SchemaName  string
	Tools       []Tool
	ToolChoice  ToolChoice
	ToolName    string // of ToolNamed
	// OneCall asks for at most one tool call in a reply.
	OneCall bool
}

// NotGiven stands in a [Generation] for a number that the client left out.
const NotGiven PPM = -1

// Format is what form a reply's text is to have.
type Format uint8

const (
	FormatText   Format = iota // any
	FormatJSON                 // a JSON object
	FormatSchema               // JSON that Schema accepts
)

// A Tool is a function that the client could run for a companion.
type Tool struct {
	Name        string
	Description string
	Parameters  []byte // a JSON Schema, as the client wrote it; empty for none
	Strict      bool
}

// ToolChoice says whether a reply may call tools.
type ToolChoice uint8

const (
	ToolAuto     ToolChoice = iota // it may
	ToolNone                       // it must not
	ToolRequired                   // it must call some
	ToolNamed                      // it must call the one that is named
)

// A ToolCall is a companion's wish to have a tool run.
type ToolCall struct {
	ID        string // made by the provider; tells nothing
	Name      string
	Arguments string // JSON, as the companion wrote it
}

// CallsText is the text of a reply that calls tools: a JSON object, so that calls
// of the same tools with the same arguments are the same position, are scored like
// any other text, and are committed to by the ledger. Arguments that are no JSON
// stand in it as a string. The ids are left out: every provider makes its own.
func CallsText(calls []ToolCall) string {
	var b strings.Builder
	b.WriteString(`{"toolCalls":[`)
	for i, c := range calls {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"name":`)
		b.Write(quoted(c.Name))
		b.WriteString(`,"arguments":`)
		switch {
		case strings.TrimSpace(c.Arguments) == "":
			b.WriteString("{}")
		case json.Valid([]byte(c.Arguments)):
			b.WriteString(c.Arguments)
		default:
			b.Write(quoted(c.Arguments))
		}
		b.WriteByte('}')
	}
	b.WriteString(`]}`)
	return b.String()
}

// ParseCalls is the inverse of [CallsText]: the calls that a reply's text stands
// for, or none when it is any other text.
func ParseCalls(text string) []ToolCall {
	if !strings.HasPrefix(text, `{"toolCalls":[`) {
		return nil
	}
	var doc struct {
		ToolCalls []struct {
			Name      string          `json:"name"`
			Arguments json.RawMessage `json:"arguments"`
		} `json:"toolCalls"`
	}
	if json.Unmarshal([]byte(text), &doc) != nil {
		return nil
	}
	var calls []ToolCall
	for _, c := range doc.ToolCalls {
		if c.Name == "" || len(c.Arguments) == 0 {
			return nil
		}
		arguments := string(c.Arguments)
		var broken string
		if json.Unmarshal(c.Arguments, &broken) == nil {
			arguments = broken
		}
		calls = append(calls, ToolCall{Name: c.Name, Arguments: arguments})
	}
	return calls
}

func quoted(s string) []byte {
	b, _ := json.Marshal(s) // a string always marshals
	return b
}
