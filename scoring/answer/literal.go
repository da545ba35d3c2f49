package answer

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// literal brings a JSON value or a Python literal to one canonical form: no
// white space, strings in single quotes, numbers without what does not count,
// the members of an object by key, true, false and none in lower case.
type literal struct {
	out   []byte
	quiet bool // only find the end
	spans []span
}

type span struct{ from, to int }

// maxDepth is how deeply a literal may nest.
const maxDepth = 64

// scan finds the end of the literal at s[i:] without writing it.
func (l *literal) scan(s string, i int) (end int, ok bool) {
	l.quiet = true
	end, ok = l.value(s, i, 0)
	l.quiet = false
	return end, ok
}

// canonical appends the canonical form of s, which has to be one literal as a
// whole.
func (l *literal) canonical(s string) bool {
	end, ok := l.value(s, 0, 0)
	return ok && blank(s, end) == len(s)
}

// tuple appends the canonical form of several literals side by side, as Python
// shows a tuple that it is given without brackets: [], [1].
func (l *literal) tuple(s string) bool {
	l.out = l.out[:0]
	l.put('(')
	for n, i := 0, 0; ; n++ {
		end, ok := l.value(s, i, 1)
		if !ok {
			return false
		}
		if i = blank(s, end); i == len(s) {
			l.put(')')
			return n > 0
		}
		if s[i] != ',' {
			return false
		}
		l.put(',')
		i++
	}
}

func (l *literal) put(b ...byte) {
	if !l.quiet {
		l.out = append(l.out, b...)
	}
}

// value reads the value at s[i:] and returns where it ends.
func (l *literal) value(s string, i, depth int) (int, bool) {
	i = blank(s, i)
	if i == len(s) || depth > maxDepth {
		return i, false
	}
	switch c := s[i]; {
	case c == '[':
		return l.list(s, i+1, depth, '[', ']')
	case c == '(':
		return l.list(s, i+1, depth, '(', ')')
	case c == '{':
		return l.object(s, i+1, depth)
	case c == '"' || c == '\'':
		return l.str(s, i)
	case isDigit(c) || c == '-' || c == '+' || c == '.':
		d, end, ok := readDecimal(s, i)
		if !ok || end < len(s) && (isAlpha(s[end]) || s[end] == '_') {
			return i, false
		}
		if !l.quiet {
			l.out = d.append(l.out)
		}
		return end, true
	case isAlpha(c) || c == '_':
		return l.word(s, i)
	}
	return i, false
}

func (l *literal) word(s string, i int) (int, bool) {
	from := i
	for i < len(s) && (isAlnum(s[i]) || s[i] == '_') {
		i++
	}
	switch w := s[from:i]; w {
	case "True", "true":
		l.text("true")
	case "False", "false":
		l.text("false")
	case "None", "null", "nil":
		l.text("none")
	case "set", "nan", "NaN", "inf", "Infinity":
		l.text(w)
		if i+1 < len(s) && s[i:i+2] == "()" {
			l.text("()")
			i += 2
		}
	case "b", "r", "u", "f":
		if i == len(s) || s[i] != '"' && s[i] != '\'' {
			return from, false
		}
		if w == "b" {
			l.put('b')
		}
		return l.str(s, i)
	default:
		return from, false
	}
	return i, true
}

func (l *literal) text(s string) {
	if !l.quiet {
		l.out = append(l.out, s...)
	}
}

func (l *literal) list(s string, i, depth int, open, end byte) (int, bool) {
	l.put(open)
	n, comma := 0, false
	for {
		i = blank(s, i)
		if i < len(s) && s[i] == end {
			if open == '(' && n == 1 && comma {
				l.put(',') // (1,) is a tuple, (1) is not
			}
			l.put(end)
			return i + 1, true
		}
		if n > 0 {
			if !comma {
				return i, false
			}
			l.put(',')
		}
		var ok bool
		if i, ok = l.value(s, i, depth+1); !ok {
			return i, false
		}
		n++
		i = blank(s, i)
		if comma = i < len(s) && s[i] == ','; comma {
			i++
		}
	}
}

// object reads the members of an object, a dict or a set and writes them sorted,
// since in none of them the order counts.
func (l *literal) object(s string, i, depth int) (int, bool) {
	l.put('{')
	first := len(l.spans)
	from := len(l.out)
	n, comma := 0, false
	defer func() { l.spans = l.spans[:first] }()
	for {
		i = blank(s, i)
		if i < len(s) && s[i] == '}' {
			break
		}
		if n > 0 && !comma {
			return i, false
		}
		at := len(l.out)
		var ok bool
		if i, ok = l.value(s, i, depth+1); !ok {
			return i, false
		}
		if i = blank(s, i); i < len(s) && s[i] == ':' {
			l.put(':')
			if i, ok = l.value(s, i+1, depth+1); !ok {
				return i, false
			}
		}
		if !l.quiet {
			l.spans = append(l.spans, span{at, len(l.out)})
		}
		n++
		i = blank(s, i)
		if comma = i < len(s) && s[i] == ','; comma {
			i++
		}
	}
	if !l.quiet {
		l.arrange(first, from)
	}
	l.put('}')
	return i + 1, true
}

// arrange sorts the members written since from and puts commas between them.
func (l *literal) arrange(first, from int) {
	members := l.spans[first:]
	if len(members) < 2 {
		return
	}
	was := string(l.out[from:])
	slices.SortStableFunc(members, func(a, b span) int {
		return strings.Compare(was[a.from-from:a.to-from], was[b.from-from:b.to-from])
	})
	l.out = l.out[:from]
	for i, m := range members {
		if i > 0 {
			l.out = append(l.out, ',')
		}
		l.out = append(l.out, was[m.from-from:m.to-from]...)
	}
}

// str reads a string in either quote and writes it in single ones.
func (l *literal) str(s string, i int) (int, bool) {
	end, ok := stringEnd(s, i)
	if !ok {
		return i, false
	}
	if !l.quiet {
		l.out = append(l.out, '\'')
		l.out = appendContent(l.out, s[i+1:end-1], true)
		l.out = append(l.out, '\'')
	}
	return end, true
}

// stringEnd is where the string that opens at s[i] has ended.
func stringEnd(s string, i int) (int, bool) {
	end := -1 // the next quote: looked for once, however many escapes there are
	for j := i + 1; j < len(s); {
		if end < j {
			k := strings.IndexByte(s[j:], s[i])
			if k < 0 {
				break
			}
			end = j + k
		}
		escape := strings.IndexByte(s[j:end], '\\')
		if escape < 0 {
			return end + 1, true
		}
		j += escape + 2
	}
	return i, false
}

// appendContent appends the inside of a string literal with every escape written
// one way, so that "\x41", "\u0041" and "A" are the same.
func appendContent(dst []byte, s string, inner bool) []byte {
	for i := 0; i < len(s); i++ {
		from := i
		for i < len(s) && s[i] >= ' ' && s[i] != '\\' && s[i] != '\'' {
			i++
		}
		dst = append(dst, s[from:i]...)
		if i == len(s) {
			break
		}
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			i++
			switch c = s[i]; c {
			case 'n':
				c = '\n'
			case 't':
				c = '\t'
			case 'r':
				c = '\r'
			case '\\', '"', '\'', '/':
			case 'u':
				if r := hex4(s[i+1:]); r >= 0 {
					dst = utf8.AppendRune(dst, rune(r))
					i += 4
					continue
				}
				dst = append(dst, '\\', '\\')
			case 'x':
				if len(s) > i+2 {
					if r := hex4("00" + s[i+1:i+3]); r >= 0 {
						dst = utf8.AppendRune(dst, rune(r))
						i += 2
						continue
					}
				}
				dst = append(dst, '\\', '\\')
			default:
				dst = append(dst, '\\', '\\')
			}
		}
		switch c {
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\\':
			dst = append(dst, '\\', '\\')
		case '\'':
			if inner {
				dst = append(dst, '\\')
			}
			dst = append(dst, c)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

func blank(s string, i int) int {
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	return i
}
