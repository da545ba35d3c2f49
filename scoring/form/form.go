package form

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kaizen-os/deliberation/quorum"
)

// A Form is what replies to one request must look like.
type Form struct {
	format  quorum.Format
	schema  *schema // of FormatSchema
	tools   map[string]*schema
	must    bool   // call a tool
	named   string // this one
	oneCall bool
}

// A Problem is a schema that cannot be gone by. Tool is the index of the tool
// whose it is, or -1.
type Problem struct {
	Tool int
	What string // for the client; holds nothing of the schema
}

func (p *Problem) Error() string { return p.What }

// New makes the form that g asks for; nil when any text will do. The error is a
// *Problem.
func New(g *quorum.Generation) (*Form, error) {
	if g == nil || g.Format == quorum.FormatText && (len(g.Tools) == 0 || g.ToolChoice == quorum.ToolNone) {
		return nil, nil
	}
	f := &Form{format: g.Format}
	steps := newBudget()
	var err error
	if g.Format == quorum.FormatSchema {
		if f.schema, err = compile(g.Schema, steps); err != nil {
			return nil, &Problem{-1, err.Error()}
		}
	}
	if g.ToolChoice == quorum.ToolNone {
		return f, nil
	}
	f.tools = make(map[string]*schema, len(g.Tools))
	for i := range g.Tools {
		t := &g.Tools[i]
		var s *schema
		if len(t.Parameters) > 0 && (t.Strict || steps.parts < maxRequestParts) {
			if s, err = compile(t.Parameters, steps); err != nil {
				return nil, &Problem{i, err.Error()}
			}
		}
		if !t.Strict {
			s = nil // the client takes what the companion makes of it
		}
		f.tools[t.Name] = s
	}
	f.must, f.oneCall = g.ToolChoice == quorum.ToolRequired || g.ToolChoice == quorum.ToolNamed, g.OneCall
	if g.ToolChoice == quorum.ToolNamed {
		f.named = g.ToolName
	}
	return f, nil
}

// A Reading is what a reply answers, as a form reads it.
type Reading struct {
	Key    string // canonical: equal for equal answers
	Shown  string // the JSON by itself, or the reply's text
	Calls  bool   // it calls tools
	Reason string // why it does not count, or ""
}

// Read reads a reply's text.
func (f *Form) Read(text string) Reading {
	if calls := f.calls(text); calls != nil {
		return f.readCalls(text, calls)
	}
	switch {
	case strings.TrimSpace(text) == "":
		return Reading{} // empty: that is reason enough
	case f.must:
		return Reading{Reason: quorum.ReasonNoCall}
	case f.format == quorum.FormatText:
		return Reading{Key: string(quote(strings.TrimSpace(text))), Shown: text}
	}
	doc, key, ok := document(text)
	if !ok || f.format == quorum.FormatJSON && doc[0] != '{' || f.schema != nil && !f.schema.accepts(doc) {
		return Reading{Reason: quorum.ReasonNotInForm}
	}
	return Reading{Key: key, Shown: doc}
}

// calls are those that text stands for, where there are tools to call.
func (f *Form) calls(text string) []quorum.ToolCall {
	if f.tools == nil {
		return nil
	}
	return quorum.ParseCalls(text)
}

func (f *Form) readCalls(text string, calls []quorum.ToolCall) Reading {
	out := Reading{Calls: true, Shown: text}
	if f.oneCall && len(calls) > 1 {
		out.Reason = quorum.ReasonManyCalls
		return out
	}
	var key []byte
	for _, c := range calls {
		s, known := f.tools[c.Name]
		if !known || f.named != "" && c.Name != f.named {
			out.Reason = quorum.ReasonStrangeCall
			return out
		}
		arguments := c.Arguments
		if strings.TrimSpace(arguments) == "" {
			arguments = "{}"
		}
		canonical, err := canon([]byte(arguments))
		if err != nil || canonical[0] != '{' || s != nil && !s.accepts(arguments) {
			out.Reason = quorum.ReasonNotInForm
			return out
		}
		key = append(append(append(append(key, quote(c.Name)...), ':'), canonical...), '\n')
	}
	out.Key = string(key)
	return out
}

// document is the one JSON value that text is, in a code fence or not, and its
// canonical form.
func document(text string) (doc, key string, ok bool) {
	doc = strings.TrimSpace(text)
	if inner, ok := strings.CutPrefix(doc, "```"); ok {
		if inner, ok = strings.CutSuffix(inner, "```"); !ok {
			return "", "", false
		}
		language, rest, _ := strings.Cut(inner, "\n")
		if l := strings.TrimSpace(language); l != "" && !strings.EqualFold(l, "json") {
			return "", "", false
		}
		doc = strings.TrimSpace(rest)
	}
	canonical, err := canon([]byte(doc))
	if err != nil {
		return "", "", false
	}
	return doc, string(canonical), true
}

var errTooDeep = errors.New("too deep")

// canon is the canonical form of one JSON value: members sorted, no white space,
// each number and string in one way. Whole numbers keep all their digits.
func canon(doc []byte) ([]byte, error) {
	if depth(doc) > maxDepth {
		return nil, errTooDeep
	}
	v := jsontext.Value(bytes.Clone(doc))
	err := v.Format(jsontext.ReorderRawObjects(true), jsontext.CanonicalizeRawFloats(true), jsontext.PreserveRawStrings(false),
		jsontext.AllowInvalidUTF8(false), jsontext.Multiline(false), jsontext.SpaceAfterColon(false), jsontext.SpaceAfterComma(false))
	if err != nil {
		return nil, fmt.Errorf("no JSON: %w", err)
	}
	if len(v) == 0 {
		return nil, errors.New("no JSON")
	}
	return v, nil
}

// maxDepth of a document, or of a schema.
const maxDepth = 64

// depth bounds how deep doc nests, by its brackets, those in strings left out.
func depth(doc []byte) (deepest int) {
	now, inside := 0, false
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

func quote(s string) []byte {
	b, _ := jsontext.AppendQuote(nil, s) // the error only says that a byte was replaced
	return b
}
