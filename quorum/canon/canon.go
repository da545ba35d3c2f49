// Package canon writes and reads RFC 8785 canonical JSON, limited to what the
// ledger holds: objects, arrays, strings, booleans and integers of at most 2^53
// in magnitude. There are no floats and no nulls.
//
// The append functions are for encoders that emit members in key order by
// construction; [Transform] canonicalises any JSON; a [Reader] accepts nothing
// but canonical bytes, so that one value has one encoding.
package canon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxInt is the largest integer magnitude that every JSON reader keeps exact.
const MaxInt = 1 << 53

// ErrNotCanonical is a text that is not canonical JSON of this package's kind.
var ErrNotCanonical = errors.New("not canonical JSON")

const hex = "0123456789abcdef"

// AppendString appends s as a JSON string with RFC 8785 escapes. Invalid UTF-8
// becomes U+FFFD, byte by byte.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	plain := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n != 1 {
				i += n
				continue
			}
		}
		dst = append(dst, s[plain:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			if c < 0x20 {
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				dst = append(dst, "\uFFFD"...)
			}
		}
		i++
		plain = i
	}
	dst = append(dst, s[plain:]...)
	return append(dst, '"')
}

// AppendHex appends b as a JSON string of lower-case hexadecimal digits.
func AppendHex(dst, b []byte) []byte {
	dst = append(dst, '"')
	for _, c := range b {
		dst = append(dst, hex[c>>4], hex[c&15])
	}
	return append(dst, '"')
}

// Transform canonicalises a JSON text: members sorted by UTF-16 code units,
// minimal escapes, no white space. Floats, nulls, duplicate members and integers
// beyond 2^53 are refused with [ErrNotCanonical].
func Transform(text []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	out, err := transform(d, make([]byte, 0, len(text)), 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err == nil {
		return nil, fmt.Errorf("%w: data after the value", ErrNotCanonical)
	}
	return out, nil
}

const maxDepth = 32

func transform(d *json.Decoder, dst []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested deeper than %d", ErrNotCanonical, maxDepth)
	}
	tok, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotCanonical, err)
	}
	switch t := tok.(type) {
	case json.Delim:
		if t == '[' {
			dst = append(dst, '[')
			for i := 0; d.More(); i++ {
				if i > 0 {
					dst = append(dst, ',')
				}
				if dst, err = transform(d, dst, depth+1); err != nil {
					return nil, err
				}
			}
			_, err = d.Token()
			return append(dst, ']'), err
		}
		return transformObject(d, dst, depth)
	case string:
		return AppendString(dst, t), nil
	case bool:
		return strconv.AppendBool(dst, t), nil
	case json.Number:
		n, err := strconv.ParseInt(t.String(), 10, 64)
		if err != nil || n > MaxInt || n < -MaxInt {
			return nil, fmt.Errorf("%w: %s is no integer within 2^53", ErrNotCanonical, t)
		}
		return strconv.AppendInt(dst, n, 10), nil
	}
	return nil, fmt.Errorf("%w: null", ErrNotCanonical)
}

func transformObject(d *json.Decoder, dst []byte, depth int) ([]byte, error) {
	type member struct {
		key   string
		value []byte
	}
	var members []member
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotCanonical, err)
		}
		value, err := transform(d, nil, depth+1)
		if err != nil {
			return nil, err
		}
		members = append(members, member{tok.(string), value})
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotCanonical, err)
	}
	sort.Slice(members, func(i, j int) bool { return lessUTF16(members[i].key, members[j].key) })
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			if members[i-1].key == m.key {
				return nil, fmt.Errorf("%w: member %q twice", ErrNotCanonical, m.key)
			}
			dst = append(dst, ',')
		}
		dst = AppendString(dst, m.key)
		dst = append(dst, ':')
		dst = append(dst, m.value...)
	}
	return append(dst, '}'), nil
}

// lessUTF16 orders keys as RFC 8785 does: by UTF-16 code units, which differs
// from byte order only beyond the basic plane.
func lessUTF16(a, b string) bool {
	ua, ub := utf16.Encode([]rune(a)), utf16.Encode([]rune(b))
	for i := 0; i < len(ua) && i < len(ub); i++ {
		if ua[i] != ub[i] {
			return ua[i] < ub[i]
		}
	}
	return len(ua) < len(ub)
}

// AppendInt appends v in its shortest form. It panics beyond 2^53: the value
// would not survive other readers.
func AppendInt(dst []byte, v int64) []byte {
	if v > MaxInt || v < -MaxInt {
		panic("bug: integer beyond 2^53 in canonical JSON")
	}
	return strconv.AppendInt(dst, v, 10)
}
