package canon

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// A Reader walks one canonical JSON text from front to back. The first thing
// that is wrong stops it: every later call returns zero values, and Err says
// what it was and where. Strings are copied out; nothing aliases the text.
type Reader struct {
	text []byte
	at   int
	err  error
	key  []byte // scratch for member names
}

// NewReader starts at the front of text.
func NewReader(text []byte) *Reader { return &Reader{text: text} }

// Err is the first error, or nil.
func (r *Reader) Err() error { return r.err }

// Fail records an error of the caller's at the present place, unless there is one already.
func (r *Reader) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w at byte %d: %s", ErrNotCanonical, r.at, fmt.Sprintf(format, args...))
	}
}

// End checks that nothing is left, and returns Err.
func (r *Reader) End() error {
	if r.err == nil && r.at != len(r.text) {
		r.Fail("data after the value")
	}
	return r.err
}

func (r *Reader) next(c byte) bool {
	if r.err == nil && r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *Reader) want(c byte) {
	if !r.next(c) {
		r.Fail("want %q", c)
	}
}

// Object reads an object, calling member for each key; member must read the
// value. Keys out of order or twice are refused. A key is valid during the call
// only.
func (r *Reader) Object(member func(key []byte)) {
	r.want('{')
	var last string
	for first := true; r.err == nil; first = false {
		if r.next('}') {
			return
		}
		if !first {
			r.want(',')
		}
		r.key = r.appendString(r.key[:0])
		if r.err != nil {
			return
		}
		if !first && !lessUTF16Bytes(last, r.key) {
			r.Fail("member %q out of order", r.key)
			return
		}
		last = string(r.key)
		r.want(':')
		before := r.at
		member(r.key)
		if r.err == nil && r.at == before {
			r.Fail("unknown member %q", last)
		}
	}
}

// lessUTF16Bytes avoids the slow comparison for ASCII keys, which all of ours are.
func lessUTF16Bytes(a string, b []byte) bool {
	for i := range len(a) {
		if a[i] >= utf8.RuneSelf {
			return lessUTF16(a, string(b))
		}
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return lessUTF16(a, string(b))
		}
	}
	return a < string(b)
}

// Array reads an array, calling element once for each; element must read it.
func (r *Reader) Array(element func()) {
	r.want('[')
	for first := true; r.err == nil; first = false {
		if r.next(']') {
			return
		}
		if !first {
			r.want(',')
		}
		before := r.at
		element()
		if r.err == nil && r.at == before {
			r.Fail("element not read")
		}
	}
}

// Int reads an integer within 2^53.
func (r *Reader) Int() int64 {
	if r.err != nil {
		return 0
	}
	start := r.at
	if r.at < len(r.text) && r.text[r.at] == '-' {
		r.at++
	}
	digits := r.at
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		r.at++
	}
	v, err := strconv.ParseInt(string(r.text[start:r.at]), 10, 64)
	switch {
	case err != nil || v > MaxInt || v < -MaxInt:
		r.Fail("want an integer within 2^53")
	case r.text[digits] == '0' && (r.at-digits > 1 || digits > start):
		r.Fail("integer not in its shortest form")
	}
	if r.err != nil {
		return 0
	}
	return v
}

// Bool reads true or false.
func (r *Reader) Bool() bool {
	rest := r.text[min(r.at, len(r.text)):]
	switch {
	case r.err != nil:
	case len(rest) >= 4 && string(rest[:4]) == "true":
		r.at += 4
		return true
	case len(rest) >= 5 && string(rest[:5]) == "false":
		r.at += 5
	default:
		r.Fail("want true or false")
	}
	return false
}

// String reads a string.
func (r *Reader) String() string { return string(r.appendString(nil)) }

// Hex reads a string of lower-case hexadecimal digits into dst, which it must fill exactly.
func (r *Reader) Hex(dst []byte) {
	s := r.appendString(r.key[:0])
	if r.err != nil {
		return
	}
	if len(s) != 2*len(dst) {
		r.Fail("want %d hexadecimal digits", 2*len(dst))
		return
	}
	for i := range dst {
		hi, lo := unhex(s[2*i]), unhex(s[2*i+1])
		if hi > 15 || lo > 15 {
			r.Fail("want lower-case hexadecimal digits")
			return
		}
		dst[i] = hi<<4 | lo
	}
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}

// Raw reads any canonical value and returns its bytes, which alias the text.
func (r *Reader) Raw() []byte {
	start := r.at
	r.skip(0)
	if r.err != nil {
		return nil
	}
	return r.text[start:r.at]
}

func (r *Reader) skip(depth int) {
	if depth > maxDepth {
		r.Fail("nested deeper than %d", maxDepth)
	}
	if r.err != nil {
		return
	}
	if r.at >= len(r.text) {
		r.Fail("want a value")
		return
	}
	switch c := r.text[r.at]; {
	case c == '{':
		// Object uses r.key for one level at a time, which nesting inside the
		// callback would overwrite; the order check keeps its own copy.
		r.Object(func([]byte) { r.skip(depth + 1) })
	case c == '[':
		r.Array(func() { r.skip(depth + 1) })
	case c == '"':
		r.key = r.appendString(r.key[:0])
	case c == 't' || c == 'f':
		r.Bool()
	default:
		r.Int()
	}
}

func (r *Reader) appendString(dst []byte) []byte {
	r.want('"')
	plain := r.at
	for r.err == nil {
		if r.at >= len(r.text) {
			r.Fail("string without an end")
			break
		}
		c := r.text[r.at]
		switch {
		case c == '"':
			dst = append(dst, r.text[plain:r.at]...)
			r.at++
			return dst
		case c == '\\':
			dst = append(dst, r.text[plain:r.at]...)
			dst = r.unescape(dst)
			plain = r.at
		case c < 0x20:
			r.Fail("control character in a string")
		case c < utf8.RuneSelf:
			r.at++
		default:
			rn, n := utf8.DecodeRune(r.text[r.at:])
			if rn == utf8.RuneError && n == 1 {
				r.Fail("invalid UTF-8")
			}
			r.at += n
		}
	}
	return dst
}

// unescape reads one escape, refusing all but the one canonical form of each character.
func (r *Reader) unescape(dst []byte) []byte {
	rest := r.text[r.at:]
	if len(rest) >= 2 {
		const short = `"\btnfr`
		const means = "\"\\\b\t\n\f\r"
		for i := range len(short) {
			if rest[1] == short[i] {
				r.at += 2
				return append(dst, means[i])
			}
		}
	}
	if len(rest) >= 6 && string(rest[:4]) == `\u00` {
		hi, lo := unhex(rest[4]), unhex(rest[5])
		c := hi<<4 | lo
		if hi <= 1 && lo <= 15 && c != '\b' && c != '\t' && c != '\n' && c != '\f' && c != '\r' {
			r.at += 6
			return append(dst, c)
		}
	}
	r.Fail("escape not in its canonical form")
	return dst
}
