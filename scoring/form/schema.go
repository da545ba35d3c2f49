package form

import (
	"encoding/json"
	"errors"
	"math/big"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync/atomic"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Bounds of a schema, and of what holding replies to it may cost.
const (
	maxSchemaBytes  = 64 << 10
	maxSchemaParts  = 2048    // JSON values in it: to compile goes with their square
	maxRequestParts = 6144    // of all schemas together; beyond that, only what replies are held to is read, and 2,048 more at most
	maxPatterns     = 8192    // the steps that all its patterns have, repetitions counted out
	maxDigits       = 128     // of a number, its exponent counted out
	maxSteps        = 300_000 // about half a second, where all is used
)

var (
	errSchemaSize  = errors.New("is too large: at most 64 KiB and 2,048 values, 64 deep")
	errTogether    = errors.New("is too large, together with the others: at most 8,192 values")
	errSchema      = errors.New("is no valid JSON Schema, or refers to what is not in it")
	errSchemaKinds = errors.New("uses $dynamicRef or $recursiveRef, which are not supported here")
	errNumber      = errors.New("has a number that is too large or too fine")
)

// A budget is how many steps all the validating of one request may still take: a
// step for each part of a schema that is held against a part of a reply, and for
// each that is looked at on the way.
type budget struct {
	left  atomic.Int64
	parts int // that its schemas have had so far, together
}

func newBudget() *budget {
	b := new(budget)
	b.left.Store(maxSteps)
	return b
}

// exhausted is what a step beyond the budget throws.
type exhausted struct{}

// watch has each look at s cost its steps, in the place of its format: formats are
// not asserted by themselves, and this one is looked at before anything below. What
// s refers to counts here as well: where it asks for another type, nothing else of
// it is looked at.
//
// The values that s allows are looked up here too. The library would compare with
// one after the other, before it looks at the format.
func (b *budget) watch(s *jsonschema.Schema) {
	fixed := 1 + len(s.AllOf) + len(s.AnyOf) + len(s.OneOf) + len(s.DependentSchemas) + len(s.Dependencies) + len(s.DependentRequired) + len(s.Required)
	var allowed [2]map[string]bool
	if s.Enum != nil {
		allowed[0] = keys(s.Enum.Values)
		s.Enum = nil
	}
	if s.Const != nil {
		allowed[1] = keys([]any{*s.Const})
		s.Const = nil
	}
	s.Format = &jsonschema.Format{Name: "steps", Validate: func(v any) error {
		n := fixed
		switch v := v.(type) {
		case map[string]any:
			n += len(v) * (1 + len(s.PatternProperties))
		case []any:
			n += len(v)
		case string:
			n += len(v) / 64
		}
		if allowed[0] != nil || allowed[1] != nil {
			n += size(v)
		}
		if b.left.Add(-int64(n)) < 0 {
			panic(exhausted{})
		}
		for _, values := range allowed {
			if values != nil && !values[key(v)] {
				return errValue
			}
		}
		return nil
	}}
}

var errValue = errors.New("not a value that is allowed")

func keys(values []any) map[string]bool {
	out := make(map[string]bool, len(values))
	for _, v := range values {
		out[key(v)] = true
	}
	return out
}

// key is v in the form in which equal values are equal bytes.
func key(v any) string {
	raw, err := json.Marshal(v)
	if err == nil {
		raw, err = canon(raw)
	}
	if err != nil {
		return "" // equal to no value: v has come from JSON, and is sane
	}
	return string(raw)
}

// size is how many values a document has.
func size(v any) int {
	n := 1
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			n += size(inner)
		}
	case []any:
		for _, inner := range v {
			n += size(inner)
		}
	}
	return n
}

// A schema tells whether it accepts a document.
type schema struct{ compiled *jsonschema.Schema }

// nothing loads no document, from nowhere.
type nothing struct{}

func (nothing) Load(string) (any, error) { return nil, errSchema }

// root is the schema's address. Nothing is ever fetched from it.
const root = "kaizen://request/schema"

// compile reads a schema. What it costs to validate by it counts against steps.
func compile(raw []byte, steps *budget) (*schema, error) {
	if len(raw) > maxSchemaBytes || depth(raw) > maxDepth {
		return nil, errSchemaSize
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	if err != nil {
		return nil, errSchema
	}
	parts := 0
	if err := look(doc, &parts); err != nil {
		return nil, err
	}
	if steps.parts += parts; steps.parts > maxRequestParts+maxSchemaParts {
		return nil, errTogether
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(nothing{})
	c.UseRegexpEngine(new(patterns).compile)
	if c.AddResource(root, doc) != nil {
		return nil, errSchema
	}
	compiled, err := c.Compile(root)
	if err != nil {
		return nil, errSchema // what it says may quote the schema
	}
	count(compiled, steps, make(map[*jsonschema.Schema]bool))
	return &schema{compiled}, nil
}

// look holds a document to the bounds that its bytes do not show.
func look(v any, parts *int) error {
	if *parts++; *parts > maxSchemaParts {
		return errSchemaSize
	}
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if name == "$dynamicRef" || name == "$recursiveRef" {
				return errSchemaKinds
			}
			if err := look(inner, parts); err != nil {
				return err
			}
		}
	case []any:
		for _, inner := range v {
			if err := look(inner, parts); err != nil {
				return err
			}
		}
	case json.Number:
		if !sane(v) {
			return errNumber
		}
	}
	return nil
}

// sane reports whether a number can be reckoned with exactly, in little memory.
func sane(n json.Number) bool {
	digits, exponent, _ := strings.Cut(strings.ToLower(string(n)), "e")
	if len(digits) > maxDigits || len(exponent) > 4 {
		return false
	}
	if exponent == "" {
		return true
	}
	e, ok := new(big.Int).SetString(strings.TrimPrefix(exponent, "+"), 10)
	return ok && e.CmpAbs(big.NewInt(400)) <= 0
}

// patterns compiles the patterns of one schema. A pattern of twenty bytes can repeat
// its way to a hundred megabytes.
type patterns struct{ steps int }

func (p *patterns) compile(pattern string) (jsonschema.Regexp, error) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, errSchema
	}
	if p.steps += steps(parsed); p.steps > maxPatterns {
		return nil, errSchema
	}
	return regexp.Compile(pattern)
}

// steps of a pattern, at least; more than maxPatterns where they are many.
func steps(r *syntax.Regexp) int {
	n := 1 + len(r.Rune)
	for _, sub := range r.Sub {
		n = min(n+steps(sub), maxPatterns+1)
	}
	if r.Op == syntax.OpRepeat {
		n = min(n*max(r.Min, r.Max, 1), maxPatterns+1)
	}
	return n
}

// count has each part of a schema watched.
func count(s *jsonschema.Schema, steps *budget, seen map[*jsonschema.Schema]bool) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	steps.watch(s)
	if s.DynamicRef != nil { // only the drafts' own schemas have one
		count(s.DynamicRef.Ref, steps, seen)
	}
	for _, one := range []*jsonschema.Schema{s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else, s.PropertyNames, s.UnevaluatedProperties,
		s.Contains, s.Items2020, s.UnevaluatedItems, s.ContentSchema} {
		count(one, steps, seen)
	}
	for _, list := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf, s.PrefixItems} {
		for _, one := range list {
			count(one, steps, seen)
		}
	}
	for _, one := range s.Properties {
		count(one, steps, seen)
	}
	for _, one := range s.PatternProperties {
		count(one, steps, seen)
	}
	for _, one := range s.DependentSchemas {
		count(one, steps, seen)
	}
	some := []any{s.AdditionalProperties, s.AdditionalItems, s.Items}
	for _, one := range s.Dependencies {
		some = append(some, one)
	}
	for _, one := range some {
		switch one := one.(type) {
		case *jsonschema.Schema:
			count(one, steps, seen)
		case []*jsonschema.Schema:
			for _, o := range one {
				count(o, steps, seen)
			}
		}
	}
}

// accepts reports whether doc, which is valid JSON, is what the schema describes.
// Once the budget is used up it accepts nothing.
func (s *schema) accepts(doc string) (ok bool) {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
	if err != nil || !saneThroughout(v) {
		return false
	}
	defer func() {
		switch thrown := recover(); thrown.(type) {
		case nil:
		case exhausted:
			ok = false
		default:
			panic(thrown)
		}
	}()
	return s.compiled.Validate(v) == nil
}

func saneThroughout(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			if !saneThroughout(inner) {
				return false
			}
		}
	case []any:
		for _, inner := range v {
			if !saneThroughout(inner) {
				return false
			}
		}
	case json.Number:
		return sane(v)
	}
	return true
}
