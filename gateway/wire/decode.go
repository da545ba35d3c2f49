package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A decoder reads one body, field by field, and gathers what is wrong with it.
// A problem with a field leaves the field at zero and reading goes on; a problem
// with the JSON itself ends it, and everything read after that is empty.
//
// Objects are read by [decoder.object], which knows the fields they may have, so
// unknown and duplicate fields are found in one place.
type decoder struct {
	in      bytes.Buffer // a view of the body: the JSON decoder then reads it in place
	json    *jsontext.Decoder
	options []jsontext.Options
	body    []byte
	scratch []byte

	path  [10]step // from the root to the value being read
	depth int
	nulls bool // a field that is null counts as left out

	syntax error // the first problem with the JSON itself
	code   Code  // of the first problem with a field
	found  []Detail
	more   int // problems beyond maxDetails
}

// A step is a field of an object, or an index of an array when name is "".
type step struct {
	name  string
	index int
}

// decoders keeps JSON decoders between bodies. One weighs 670 bytes in seven
// allocations: without the pool the guide's request takes 1.0 µs, with it 0.65
// (BenchmarkRequestDecode). Nothing of a body stays in a pooled decoder.
var decoders = sync.Pool{New: func() any {
	d := &decoder{
		json: new(jsontext.Decoder),
		// Duplicates are found by decoder.object, by name and path, and do not
		// end the reading.
		options: []jsontext.Options{jsontext.AllowDuplicateNames(true)},
	}
	d.in = *bytes.NewBuffer(nil)
	return d
}}

// maxScratch bounds the buffer for unescaping that a pooled decoder keeps.
const maxScratch = 64 << 10

// decodeObject reads body as exactly one object of the fields given and calls
// set, in the body's order, for each that is there; then, if it was an object,
// check, which looks at the whole. set and check must not keep d.
func decodeObject(body []byte, fields []string, set func(d *decoder, name string), check func(d *decoder, seen fieldSet)) error {
	return decodeAs(body, fields, false, set, check)
}

// decodeAs is decodeObject; nulls lets fields be null, as providers do.
func decodeAs(body []byte, fields []string, nulls bool, set func(d *decoder, name string), check func(d *decoder, seen fieldSet)) error {
	d := decoders.Get().(*decoder)
	d.body, d.nulls = body, nulls
	d.in = *bytes.NewBuffer(body)
	d.json.Reset(&d.in, d.options...)

	seen, ok := d.object(fields, func(name string) { set(d, name) })
	if d.syntax == nil {
		if _, err := d.json.ReadToken(); !errors.Is(err, io.EOF) {
			d.syntax = errTrailing
		}
	}
	if ok && d.syntax == nil {
		check(d, seen)
	}
	err := d.result()

	d.in = bytes.Buffer{}
	d.json.Reset(&d.in, d.options...)
	scratch := d.scratch[:0]
	if cap(scratch) > maxScratch {
		scratch = nil
	}
	*d = decoder{json: d.json, options: d.options, scratch: scratch}
	decoders.Put(d)
	return err
}

var errTrailing = errors.New("data after the end of the object")

// result turns what was found into an *Error, or nil.
func (d *decoder) result() error {
	if d.syntax != nil {
		problem := d.syntaxProblem()
		return &Error{Code: InvalidJSON, Message: "the body is not valid JSON: " + problem, Details: []Detail{{"", problem}}}
	}
	if len(d.found) == 0 {
		return nil
	}
	first := d.found[0]
	message := first.Problem
	if first.Field != "" {
		message = first.Field + ": " + first.Problem
	}
	if n := len(d.found) + d.more; n > 1 {
		message = fmt.Sprintf("%s (the first of %d problems)", message, n)
	}
	return &Error{Code: d.code, Message: message, Details: d.found}
}

// syntaxProblem says what is wrong with the JSON and where, without the
// characters that are: they may be a prompt's.
func (d *decoder) syntaxProblem() string {
	var syntactic *jsontext.SyntacticError
	offset := d.json.InputOffset()
	what := "malformed"
	switch {
	case len(bytes.TrimSpace(d.body)) == 0:
		return "the body is empty; send a JSON object"
	case errors.Is(d.syntax, errTrailing):
		what = errTrailing.Error()
	case errors.Is(d.syntax, io.ErrUnexpectedEOF) || errors.Is(d.syntax, io.EOF):
		what, offset = "ends too early", int64(len(d.body))
	case errors.As(d.syntax, &syntactic):
		offset = syntactic.ByteOffset
		what = syntactic.Err.Error()
		if rest, ok := strings.CutPrefix(what, "invalid character "); ok {
			what = "unexpected character"
			if _, where, ok := strings.Cut(rest, "' "); ok {
				what += " " + where
			}
		} else if strings.HasPrefix(what, "invalid escape sequence") {
			what = "invalid escape sequence in string"
		}
	}
	before := d.body[:min(max(offset, 0), int64(len(d.body)))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + len(before) - (bytes.LastIndexByte(before, '\n') + 1)
	return fmt.Sprintf("%s at line %d, column %d", what, line, column)
}

// problem notes what is wrong with the value at the current path.
func (d *decoder) problem(code Code, format string, args ...any) {
	if len(d.found) == 0 {
		d.code = code
	}
	if len(d.found) == maxDetails {
		d.more++
		return
	}
	d.found = append(d.found, Detail{d.where(), fmt.Sprintf(format, args...)})
}

// problemAt notes what is wrong with a field of the object at the current path.
func (d *decoder) problemAt(field string, code Code, format string, args ...any) {
	d.push(step{name: field})
	d.problem(code, format, args...)
	d.depth--
}

func (d *decoder) push(s step) {
	d.path[d.depth] = s
	d.depth++
}

// where is the current path: "messages[3].role".
func (d *decoder) where() string {
	var path []byte
	for _, s := range d.path[:d.depth] {
		switch {
		case s.name == "":
			path = append(path, '[')
			path = strconv.AppendInt(path, int64(s.index), 10)
			path = append(path, ']')
		case len(path) > 0:
			path = append(path, '.')
			fallthrough
		default:
			path = append(path, s.name...)
		}
	}
	return string(path)
}

// A fieldSet holds which fields of an object were given, by index.
type fieldSet uint64

func (s fieldSet) has(fields []string, name string) bool {
	for i, f := range fields {
		if f == name {
			return s&(1<<i) != 0
		}
	}
	panic("bug: no field " + name)
}

// object reads an object that may have the fields given, in any order, and calls
// set for each. It says which were there, and whether there was an object.
func (d *decoder) object(fields []string, set func(name string)) (seen fieldSet, ok bool) {
	if !d.begin('{', "an object") {
		return 0, false
	}
	for d.syntax == nil && d.json.PeekKind() != '}' {
		raw := d.value()
		if d.syntax != nil {
			return seen, true
		}
		i := d.find(fields, raw)
		switch {
		case i < 0:
			d.unknown(fields, raw)
			d.skip()
		case seen&(1<<i) != 0:
			d.problemAt(fields[i], DuplicateField, "given twice")
			d.skip()
		default:
			seen |= 1 << i
			if d.nulls && d.json.PeekKind() == 'n' {
				d.skip()
				continue
			}
			d.push(step{name: fields[i]})
			set(fields[i])
			d.depth--
		}
	}
	d.end()
	return seen, true
}

// unknown notes a field that the object at the current path does not have.
func (d *decoder) unknown(fields []string, raw []byte) {
	name := printable(d.unquoted(raw))
	if near := nearest(name, fields); near != "" {
		d.problemAt(name, UnknownField, "unknown field; did you mean %s?", near)
		return
	}
	d.problemAt(name, UnknownField, "unknown field; known here: %s", strings.Join(fields, ", "))
}

// array reads an array and calls each for its elements, which must read exactly
// one value. Of an array longer than most, only most elements are read, and it
// notes the problem.
func (d *decoder) array(what string, most int, each func()) {
	if !d.begin('[', "an array of "+what) {
		return
	}
	n := 0
	for ; d.syntax == nil && d.json.PeekKind() != ']'; n++ {
		if n >= most {
			d.skip()
			continue
		}
		d.push(step{index: n})
		each()
		d.depth--
	}
	d.end()
	if n > most && d.syntax == nil {
		d.problem(InvalidValue, "has %d elements; at most %d", n, most)
	}
}

// begin enters an object or array, or notes that something else is there.
func (d *decoder) begin(kind jsontext.Kind, want string) bool {
	if d.syntax != nil || !d.kind(kind, want) {
		return false
	}
	d.end()
	return d.syntax == nil
}

// end reads the delimiter that is known to be next.
func (d *decoder) end() {
	if d.syntax == nil {
		_, d.syntax = d.json.ReadToken()
	}
}

// kind reports whether the next value is of the kind wanted. If not it notes
// that and skips the value.
func (d *decoder) kind(want jsontext.Kind, name string) bool {
	switch got := d.json.PeekKind(); got {
	case want:
		return true
	case jsontext.KindInvalid:
		d.skip() // the read says what is wrong
	default:
		d.problem(InvalidType, "want %s, got %s", name, kindName(got))
		d.skip()
	}
	return false
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 'n':
		return "null; leave the field out instead"
	case 't', 'f':
		return "a boolean"
	}
	return "something else"
}

func (d *decoder) skip() {
	if d.syntax == nil {
		d.syntax = d.json.SkipValue()
	}
}

func (d *decoder) value() jsontext.Value {
	if d.syntax != nil {
		return nil
	}
	var v jsontext.Value
	v, d.syntax = d.json.ReadValue()
	return v
}

// unquoted is the text of a JSON string, valid until the next call.
func (d *decoder) unquoted(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	d.scratch, _ = jsontext.AppendUnquote(d.scratch[:0], raw) // raw has been validated
	return d.scratch
}

// find is the index in names of a JSON string, or -1.
func (d *decoder) find(names []string, raw []byte) int {
	text := d.unquoted(raw)
	for i, n := range names {
		if n == string(text) {
			return i
		}
	}
	return -1
}

// text reads a string; "" with ok false when there is another type.
func (d *decoder) text() (s string, ok bool) {
	if d.syntax != nil || !d.kind('"', "a string") {
		return "", false
	}
	raw := d.value()
	if d.syntax != nil {
		return "", false
	}
	return string(d.unquoted(raw)), true
}

// oneOf reads a string that must be one of names and returns the one of names.
// The empty string stands for a field not given and comes out as absent.
func (d *decoder) oneOf(what string, names []string, absent string) string {
	if d.syntax != nil || !d.kind('"', "a string") {
		return absent
	}
	raw := d.value()
	if d.syntax != nil || len(d.unquoted(raw)) == 0 {
		return absent
	}
	if i := d.find(names, raw); i >= 0 {
		return names[i]
	}
	d.problem(InvalidValue, "unknown %s; want %s", what, anyOf(names))
	return absent
}

// whole reads a whole number from least to most.
func (d *decoder) whole(least, most int64) int64 {
	if d.syntax != nil || !d.kind('0', "a whole number") {
		return 0
	}
	raw := d.value()
	if d.syntax != nil {
		return 0
	}
	if bytes.ContainsAny(raw, ".eE") {
		d.problem(InvalidType, "want a whole number, without point or exponent")
		return 0
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n < least || n > most {
		if most == math.MaxInt64 {
			d.problem(InvalidValue, "want a number of at least %d", least)
		} else {
			d.problem(InvalidValue, "want a number from %d to %d", least, most)
		}
		return 0
	}
	return n
}

// anyOf lists names for people: "a, b or c".
func anyOf(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// maxName bounds how much of an unknown field's name is said back.
const maxName = 64

// printable is name as it may stand in an error: short, and without control
// characters.
func printable(name []byte) string {
	if len(name) > maxName {
		cut := maxName
		for cut > 0 && !utf8.RuneStart(name[cut]) {
			cut--
		}
		return printable(name[:cut]) + "…"
	}
	for _, r := range string(name) {
		if !strconv.IsPrint(r) {
			return strings.Trim(strconv.Quote(string(name)), `"`)
		}
	}
	if len(name) == 0 {
		return `""`
	}
	return string(name)
}

// nearest is the one of names that differs from name by a single slip (a letter
// wrong, missing, extra, or two swapped) or by case or underscores only; or "".
func nearest(name string, names []string) string {
	fold := strings.ToLower(strings.ReplaceAll(name, "_", ""))
	for _, n := range names {
		if oneSlip(fold, strings.ToLower(n)) {
			return n
		}
	}
	return ""
}

func oneSlip(a, b string) bool {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	a, b = a[i:], b[i:]
	switch len(a) - len(b) {
	case 0:
		return len(a) == 0 || a[1:] == b[1:] ||
			len(a) > 1 && a[0] == b[1] && a[1] == b[0] && a[2:] == b[2:]
	case 1:
		return a[1:] == b
	case -1:
		return a == b[1:]
	}
	return false
}

// unmarshal reads a response, for clients: fields they do not know are ignored.
// Its errors say where and what kind, never the value.
func unmarshal(what string, body []byte, v any) error {
	err := json.Unmarshal(body, v)
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &semantic):
		kind, _, _ := strings.Cut(kindName(semantic.JSONKind), ";")
		where := "the top"
		if semantic.JSONPointer != "" {
			where = printable([]byte(semantic.JSONPointer))
		}
		return fmt.Errorf("decode %s: unexpected %s at %s", what, kind, where)
	case errors.As(err, &syntactic):
		return fmt.Errorf("decode %s: not valid JSON at byte %d", what, syntactic.ByteOffset)
	}
	return fmt.Errorf("decode %s: not valid JSON", what)
}
