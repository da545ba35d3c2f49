package wire

import (
	"math"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of what a client may say about how replies are to be made. Tools and
// schemas count towards the prompt's bytes as well.
const (
	MaxTools      = 128
	MaxStops      = 16
	maxStopBytes  = 256
	maxNameBytes  = 64 // of a tool, a schema, a tool call's id
	maxCallBytes  = 128
	maxReplyToken = 1 << 30
)

// A Generation is how a client wants replies to be made, beyond what it asks. No
// client of POST /v1/deliberate says anything of it; those of the
// provider-shaped routes do.
type Generation struct {
	MaxTokens   int64    // of one reply; 0 leaves it to the companion
	Temperature PPM      // or None
	TopP        PPM      // or None
	Stop        []string // a reply ends before any of these
	Seed        int64    // where Seeded
	Seeded      bool
	Format      string // "" for any text, "json" for an object, "schema" for what Schema accepts
	Schema      []byte // a JSON Schema, as the client wrote it
	SchemaName  string
	Tools       []Tool
	ToolChoice  string // "" when the companion chooses, "none", "required", or "named"
	ToolName    string // of "named"
	OneCall     bool   // at most one tool call in a reply

	SchemaField string // where Schema stands in the body
	ParamsField string // where the n-th tool's parameters do, as a format
}

// The values of [Generation.Format] and [Generation.ToolChoice].
const (
	FormatJSON   = "json"
	FormatSchema = "schema"

	ToolNone     = "none"
	ToolRequired = "required"
	ToolNamed    = "named"
)

// A Tool is a function that the client could run for a companion.
type Tool struct {
	Name        string
	Description string
	Parameters  []byte // a JSON Schema, as the client wrote it; empty for none
	Strict      bool
}

// A ToolCall is a companion's wish to have a tool run.
type ToolCall struct {
	ID        string
	Name      string
	Arguments string // JSON
}

// plain reports whether g asks for nothing in particular.
func (g *Generation) plain() bool {
	return g.MaxTokens == 0 && g.Temperature < 0 && g.TopP < 0 && len(g.Stop) == 0 && !g.Seeded && g.Format == "" && len(g.Tools) == 0 && !g.OneCall
}

// AppendTo appends g in one form, so that equal wishes have equal bytes: for
// keys, not for any route.
func (g *Generation) AppendTo(dst []byte) []byte {
	dst = append(dst, `{"maxTokens":`...)
	dst = strconv.AppendInt(dst, g.MaxTokens, 10)
	dst = append(dst, `,"temperature":`...)
	dst = g.Temperature.appendTo(dst)
	dst = append(dst, `,"topP":`...)
	dst = g.TopP.appendTo(dst)
	dst = append(dst, `,"stop":`...)
	dst = appendStrings(dst, g.Stop)
	if g.Seeded {
		dst = append(dst, `,"seed":`...)
		dst = strconv.AppendInt(dst, g.Seed, 10)
	}
	dst = appendField(dst, 0, "format", g.Format)
	dst = appendField(dst, 0, "schema", string(g.Schema))
	dst = appendField(dst, 0, "schemaName", g.SchemaName)
	dst = append(dst, `,"tools":[`...)
	for i := range g.Tools {
		t := &g.Tools[i]
		dst = append(comma(dst, i), `{"name":`...)
		dst = appendString(dst, t.Name)
		dst = appendField(dst, 0, "description", t.Description)
		dst = appendField(dst, 0, "parameters", string(t.Parameters))
		dst = append(dst, `,"strict":`...)
		dst = strconv.AppendBool(dst, t.Strict)
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	dst = appendField(dst, 0, "toolChoice", g.ToolChoice)
	dst = appendField(dst, 0, "toolName", g.ToolName)
	dst = append(dst, `,"oneCall":`...)
	dst = strconv.AppendBool(dst, g.OneCall)
	return append(dst, '}')
}

// size is how many bytes of the prompt's bound g takes up.
func (g *Generation) size() int {
	n := len(g.Schema)
	for i := range g.Tools {
		n += len(g.Tools[i].Name) + len(g.Tools[i].Description) + len(g.Tools[i].Parameters)
	}
	return n
}

// settle looks at what no field of g can tell by itself.
func (g *Generation) settle(d *decoder, choiceField string) {
	if len(d.found) > 0 {
		return
	}
	known := func(t Tool) bool { return t.Name == g.ToolName }
	switch {
	case g.ToolChoice != "" && g.ToolChoice != ToolNone && len(g.Tools) == 0:
		d.problemAt(choiceField, InvalidValue, "there are no tools to choose from")
	case g.ToolChoice == ToolNamed && !slices.ContainsFunc(g.Tools, known):
		d.problemAt(choiceField, InvalidValue, "none of the tools has that name")
	}
}

// tool notes what is wrong with a tool that has been read, or takes it in.
func (g *Generation) tool(d *decoder, t Tool, nameField string) {
	switch {
	case !isToolName(t.Name):
		d.problemAt(nameField, InvalidValue, "want 1 to %d letters, digits, _ or -", maxNameBytes)
		return
	case slices.ContainsFunc(g.Tools, func(o Tool) bool { return o.Name == t.Name }):
		d.problemAt(nameField, InvalidValue, "is the name of another tool too")
		return
	}
	g.Tools = append(g.Tools, t)
}

func isToolName(s string) bool {
	if s == "" || len(s) > maxNameBytes {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

// stops reads one string, or an array of them.
func (g *Generation) stops(d *decoder) {
	one := func() {
		s, ok := d.text()
		switch {
		case !ok:
		case s == "":
			d.problem(InvalidValue, "is empty")
		case len(s) > maxStopBytes:
			d.problem(InvalidValue, "is %d bytes; at most %d", len(s), maxStopBytes)
		default:
			g.Stop = append(g.Stop, s)
		}
	}
	if d.syntax == nil && d.json.PeekKind() == '"' {
		one()
		return
	}
	d.array("strings", MaxStops, one)
}

// described is schema with a description in it, if it is an object that has none.
func described(schema []byte, description string) []byte {
	if description == "" || len(schema) == 0 || schema[0] != '{' {
		return schema
	}
	out := append([]byte(`{"description":`), appendString(nil, description)...)
	rest := schema[1:]
	for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\n' || rest[0] == '\t' || rest[0] == '\r') {
		rest = rest[1:]
	}
	if rest[0] != '}' {
		out = append(out, ',')
	}
	return append(out, rest...)
}

// share reads a number from 0 to most, as parts per million. What is finer is
// rounded: nobody samples by it, and it never reaches the ledger.
func (d *decoder) share(most int64) PPM {
	if d.syntax != nil || !d.kind('0', "a number") {
		return None
	}
	raw := d.value()
	if d.syntax != nil {
		return None
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || f < 0 || f > float64(most) {
		d.problem(InvalidValue, "want a number from 0 to %d", most)
		return None
	}
	return PPM(math.Round(f * 1e6))
}

// schema reads a JSON Schema, as it is written but for white space: it is told
// again in streams, where a line break ends what is told.
func (d *decoder) schema() []byte {
	if d.syntax != nil || !d.kind('{', "a JSON Schema, which is an object") {
		return nil
	}
	v := jsontext.Value(append([]byte(nil), d.value()...))
	if d.syntax == nil {
		d.syntax = v.Compact()
	}
	return v
}

// unsupported notes that a field would change the answer and is not known here,
// unless its value is one that changes nothing: null, or one of neutral.
func (d *decoder) unsupported(neutral ...string) {
	raw := d.value()
	if d.syntax != nil {
		return
	}
	v := jsontext.Value(append([]byte(nil), raw...))
	if v.Compact() == nil && slices.Contains(neutral, string(v)) {
		return
	}
	if len(neutral) > 0 {
		d.problem(Unsupported, "is not supported here, other than %s", anyOf(neutral))
		return
	}
	d.problem(Unsupported, "is not supported here")
}
