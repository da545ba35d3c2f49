package answer

import (
	"strings"
	"unicode/utf8"
)

// fieldValue reads the value of an answer field that s opens with, as models
// write them: a JSON string, one whose inner quotes are not escaped, a bare
// value, an object or list, a code block, or any of these cut off. Escaped says
// that the field stands inside a string, so that its quotes are \".
func fieldValue(s string) string {
	s = s[:min(len(s), maxValue)]
	if s == "" {
		return ""
	}
	if len(s) > 1 && s[0] == '\\' && isQuote(s[1]) {
		if end := strings.Index(s[2:], s[:2]); end >= 0 {
			return unescape(s[2 : 2+end])
		}
		return unescape(s[2:lineEnd(s, 2)])
	}
	switch {
	case strings.HasPrefix(s, "```"):
		return fenced(s)
	case strings.HasPrefix(s, `"""`):
		if end := strings.Index(s[3:], `"""`); end >= 0 {
			return s[3 : 3+end]
		}
	case s[0] == '"':
		return quoted(s)
	case s[0] == '[' || s[0] == '{' || s[0] == '(':
		var l literal
		if end, ok := l.scan(s, 0); ok {
			return s[:end]
		}
	}
	// Bare, or in the single quotes that are the value's own: it ends with the
	// line, with the object, or where the next key begins.
	end := lineEnd(s, 0)
	line := s[:end]
	depth := 0
	for i := range len(line) {
		switch c := line[i]; {
		case c == '{' || c == '[' || c == '(':
			depth++
		case (c == ']' || c == ')') && depth > 0:
			depth--
		case c == '}':
			if depth == 0 {
				return strings.TrimRight(line[:i], " ,")
			}
			depth--
		case c == ',' && depth == 0 && opensKey(line[i+1:]):
			return strings.TrimSpace(line[:i])
		}
	}
	return strings.TrimRight(line, " ,`")
}

// quoted reads the string s opens with. A quote ends it only where the object
// could go on from there, and where no bracket within is still open, so that
// quotes inside that should have been escaped are part of it.
func quoted(s string) string {
	escape := false
	open := 0 // brackets open before the quote at hand
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			escape = true
			i++
		case '[', '{', '(':
			open++
		case ']', '}', ')':
			open--
		case '"':
			if ends, sure := endsString(s[i+1:]); ends && (open <= 0 || sure) {
				return plainString(s[1:i], escape)
			}
		}
	}
	// Never closed: cut off. What closes the object or the block is not part of it.
	cut := s[1:]
	if i := strings.Index(cut, "```"); i >= 0 {
		cut = cut[:i]
	}
	return plainString(strings.TrimRight(cut, " \t\r\n}\"\\"), escape)
}

// endsString reports whether a string may have ended before rest, and whether it
// must have: the reply ends there, or a new line closes the object.
func endsString(rest string) (ends, sure bool) {
	i := 0
	line := false
	for i < len(rest) && isSpace(rest[i]) {
		line = line || rest[i] == '\n'
		i++
	}
	switch {
	case i == len(rest) || strings.HasPrefix(rest[i:], "```"):
		return true, true
	case rest[i] == '}':
		return true, line
	case rest[i] == ',':
		return opensKey(rest[i+1:]), false
	}
	// A new line of prose, the closing brace forgotten.
	return line, line
}

// opensKey reports whether s goes on with the next key of an object.
func opensKey(s string) bool {
	i := 0
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	if i == len(s) || s[i] != '"' && s[i] != '\'' {
		return i < len(s) && s[i] == '}'
	}
	quote := s[i]
	for j := i + 1; j < min(len(s), i+64); j++ {
		if s[j] == quote {
			j = skip(s, j+1, " ")
			return j < len(s) && s[j] == ':'
		}
	}
	return false
}

// fenced is the inside of the code block s opens with.
func fenced(s string) string {
	s = s[3:]
	if i := strings.IndexByte(s, '\n'); i >= 0 && i < 16 {
		s = s[i+1:] // the language
	}
	if i := strings.Index(s, "```"); i >= 0 {
		s = s[:i]
	}
	return strings.TrimSpace(s)
}

func plainString(s string, escaped bool) string {
	if !escaped {
		return s
	}
	return unescape(s)
}

// unescape undoes the escapes of a JSON string. What is none, and what is more
// likely the start of a TeX command (\frac, \times), stays as it is.
func unescape(s string) string {
	at := strings.IndexByte(s, '\\')
	if at < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for at >= 0 && at+1 < len(s) {
		b = append(b, s[:at]...)
		c := s[at+1]
		switch {
		case c == '"' || c == '\\' || c == '/' || c == '\'':
			b = append(b, c)
		case c == 'n' && !texCommand(s[at+1:]):
			b = append(b, '\n')
		case c == 't' && !texCommand(s[at+1:]):
			b = append(b, '\t')
		case c == 'r' && !texCommand(s[at+1:]):
			b = append(b, '\r')
		case c == 'u' && len(s) >= at+6 && hex4(s[at+2:]) >= 0:
			r := rune(hex4(s[at+2:]))
			at += 4
			if r >= 0xd800 && r < 0xdc00 && len(s) >= at+8 && s[at+2] == '\\' && s[at+3] == 'u' {
				if low := rune(hex4(s[at+4:])); low >= 0xdc00 && low < 0xe000 {
					r = (r-0xd800)<<10 | (low - 0xdc00) + 0x10000
					at += 6
				}
			}
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, '\\', c)
		}
		s = s[at+2:]
		at = strings.IndexByte(s, '\\')
	}
	return string(append(b, s...))
}

// texCommand reports whether s, the part after a backslash, is a TeX command that
// begins like a JSON escape.
func texCommand(s string) bool {
	for _, name := range [...]string{"times", "text", "tfrac", "theta", "tan", "to ", "tau", "neq", "nu ", "rho", "right"} {
		if strings.HasPrefix(s, name) {
			return true
		}
	}
	return false
}

// hex4 is the value of the four hexadecimal digits s opens with, or -1.
func hex4(s string) (v int) {
	if len(s) < 4 {
		return -1
	}
	for i := range 4 {
		c := s[i]
		switch {
		case isDigit(c):
			v = v<<4 | int(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			v = v<<4 | int(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return v
}
