package form

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"sync/atomic"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Bounds of a schema, and of what holding replies to it may cost.
const (
	maxSchemaBytes = 64 << 10
	maxSchemaParts = 4096 // JSON values in it: to compile goes with their square
	maxDigits      = 128  // of a number, its exponent counted out
	maxSteps       = 200_000
)

var (
	errSchemaSize  = errors.New("is too large: at most 64 KiB and 4,096 values, 64 deep")
	errSchema      = errors.New("is no valid JSON Schema, or refers to what is not in it")
	errSchemaKinds = errors.New("uses $dynamicRef or $recursiveRef, which are not supported here")
	errNumber      = errors.New("has a number that is too large or too fine")
)

// A budget is how many steps all the validating of one request may still take.
type budget struct{ left atomic.Int64 }

func newBudget() *budget {
	b := new(budget)
	b.left.Store(maxSteps)
	return b
}

// exhausted is what a step beyond the budget throws.
type exhausted struct{}

func (b *budget) step(any) error {
	if b.left.Add(-1) < 0 {
		panic(exhausted{})
	}
	return nil
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
	c := jsonschema.NewCompiler()
	c.UseLoader(nothing{})
	if c.AddResource(root, doc) != nil {
		return nil, errSchema
	}
	compiled, err := c.Compile(root)
	if err != nil {
		return nil, errSchema // what it says may quote the schema
	}
	count(compiled, &jsonschema.Format{Name: "steps", Validate: steps.step}, make(map[*jsonschema.Schema]bool))
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

// count puts a step on each part of a schema, in the place of its format: formats
// are not asserted by themselves, and this one is looked at before anything below.
func count(s *jsonschema.Schema, step *jsonschema.Format, seen map[*jsonschema.Schema]bool) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	s.Format = step
	if s.DynamicRef != nil { // only the drafts' own schemas have one
		count(s.DynamicRef.Ref, step, seen)
	}
	for _, one := range []*jsonschema.Schema{s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else, s.PropertyNames, s.UnevaluatedProperties,
		s.Contains, s.Items2020, s.UnevaluatedItems, s.ContentSchema} {
		count(one, step, seen)
	}
	for _, list := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf, s.PrefixItems} {
		for _, one := range list {
			count(one, step, seen)
		}
	}
	for _, one := range s.Properties {
		count(one, step, seen)
	}
	for _, one := range s.PatternProperties {
		count(one, step, seen)
	}
	for _, one := range s.DependentSchemas {
		count(one, step, seen)
	}
	some := []any{s.AdditionalProperties, s.AdditionalItems, s.Items}
	for _, one := range s.Dependencies {
		some = append(some, one)
	}
	for _, one := range some {
		switch one := one.(type) {
		case *jsonschema.Schema:
			count(one, step, seen)
		case []*jsonschema.Schema:
			for _, o := range one {
				count(o, step, seen)
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
