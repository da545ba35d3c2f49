package answer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// short finds a short answer. What it is is not known: a name, a date, a Python
// value.
func short(text string) Answer {
	return settle(text, func(value string) (key, shown string) {
		return shortKey(value, text)
	}, func(text string) (key, shown string) {
		if i := strings.LastIndex(text, "```"); i > 0 {
			if j := strings.LastIndex(text[:i], "```"); j >= 0 && strings.TrimSpace(text[i+3:]) == "" {
				return shortKey(fenced(text[j:]), text)
			}
		}
		if i := strings.LastIndex(text, "=="); i >= 0 && strings.Contains(text[:i], "assert") {
			return shortKey(text[i+2:lineEnd(text, i)], text)
		}
		t := strings.TrimSpace(text)
		if i := strings.LastIndexByte(t, '\n'); i >= 0 && len(t)-i <= 120 {
			t = t[i+1:] // the last line
		}
		if len(t) > 240 {
			return "", "" // an essay has no short answer
		}
		return shortKey(t, text)
	})
}

// aboutCode reports whether a reply speaks of a program. The case and the spaces
// of its answer then count; in an answer in words they do not.
func aboutCode(text string) bool {
	return strings.Contains(text, "function") || strings.Contains(text, "assert") || strings.Contains(text, "string")
}

// shortKey brings a stated value to its key: a literal to its one form, a number
// to its one spelling, words folded unless text speaks of a program.
func shortKey(value, text string) (key, shown string) {
	v := strings.TrimSpace(value)
	if strings.HasPrefix(v, "```") {
		v = fenced(v)
	}
	v = strings.TrimSpace(strings.Trim(v, "`"))
	if i := strings.LastIndex(v, "=="); i >= 0 && strings.HasPrefix(v, "assert") {
		v = strings.TrimSpace(v[i+2:])
	}
	for strings.HasPrefix(v, "**") && strings.HasSuffix(v, "**") && len(v) > 4 {
		v = strings.TrimSpace(v[2 : len(v)-2])
	}
	if v == "" {
		if value != "" && aboutCode(text) && !strings.Contains(value, "`") {
			return value, value // a string of spaces
		}
		return "", ""
	}
	shown = v
	var buf [96]byte
	l := literal{out: buf[:0]}
	content := false
	switch c := v[0]; {
	case c == '"' || c == '\'':
		// A string, quoted as a program would: its content is the answer,
		// since half of the models leave the quotes away.
		if end, ok := stringEnd(v, 0); ok && blank(v, end) == len(v) {
			inside := string(appendContent(buf[:0], v[1:end-1], false))
			if inside == "" {
				return "''", shown
			}
			v, content = inside, true
		} else if k := len(v) - 1; k > 0 && v[k] == c {
			v, content = v[1:k], true
		}
	case c == '[' || c == '(' || c == '{':
		if l.canonical(v) {
			return string(l.out), shown
		}
	}
	if c := v[0]; content && (c == '[' || c == '(' || c == '{') && l.canonical(v) {
		return string(l.out), shown
	}
	if c := v[0]; c == '[' || c == '{' {
		return squeezedLiteral(v), shown
	}
	if isDigit(v[0]) || v[0] == '-' || v[0] == '$' || v[0] == '.' {
		if out, end, ok := readFigure(buf[:0], v, 0); ok && strings.Trim(v[end:], " .%") == "" && !leadingZero(v) {
			return string(out), shown
		}
	}
	if content || aboutCode(text) {
		switch v {
		case "True", "False", "None":
			return strings.ToLower(v), shown
		case "null":
			return "none", shown
		}
		if content {
			return v, shown
		}
		return string(appendContent(buf[:0], strings.Trim(value, "`"), false)), shown
	}
	if evades(v) {
		return "", ""
	}
	if tidied := bare(v); tidied != "" {
		shown = tidied
	}
	return folded(v), shown
}

func leadingZero(v string) bool { return len(v) > 1 && v[0] == '0' && isDigit(v[1]) }

// squeezedLiteral is a literal that does not parse, without the white space
// outside its strings and with one kind of quotes.
func squeezedLiteral(v string) string {
	b := make([]byte, 0, len(v))
	quote := byte(0)
	for i := range len(v) {
		c := v[i]
		switch {
		case c == '"' || c == '\'':
			if quote == 0 {
				quote = c
			} else if quote == c {
				quote = 0
			}
			c = '\''
		case quote == 0 && isSpace(c):
			continue
		}
		b = append(b, c)
	}
	return string(b)
}

// folded is v in lower case, without accents, articles and punctuation, its words
// one space apart.
func folded(v string) string {
	var buf [96]byte
	b := buf[:0]
	gap := false
	for i := 0; i < len(v); {
		c := v[i]
		if c < utf8.RuneSelf {
			i++
			if c >= 'A' && c <= 'Z' {
				c |= 0x20
			}
			switch {
			case isAlnum(c) || c == '%' || c == '+' || c == '#' || c == '&' || c == '$' || c == '<' || c == '>' || c == '=' || c == '^':
			case (c == '.' || c == ',') && len(b) > 0 && isDigit(b[len(b)-1]) && i < len(v) && isDigit(v[i]):
				if c == ',' {
					continue // between thousands
				}
			case c == '\'' || c == '.':
				continue // don't, U.S.
			case c == '-' && !gap && i < len(v) && isDigit(v[i]) && (len(b) == 0 || b[len(b)-1] == ' '):
			default:
				gap = len(b) > 0
				continue
			}
			if gap {
				b = spaced(b)
				gap = false
			}
			b = append(b, c)
			continue
		}
		r, n := utf8.DecodeRuneInString(v[i:])
		if r == '’' || unicode.Is(unicode.Mn, r) {
			i += n
			continue
		}
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsSymbol(r) {
			gap = len(b) > 0
			i += n
			continue
		}
		if gap {
			b = spaced(b)
			gap = false
		}
		b = appendFolded(b, v[i:i+n], r)
		i += n
	}
	if len(b) == 0 {
		return v // nothing but signs: they are the answer
	}
	return string(b)
}

// spaced appends a space to b, which it empties where all it holds is an article.
func spaced(b []byte) []byte {
	switch string(b) {
	case "the", "a", "an":
		return b[:0]
	}
	return append(b, ' ')
}

// appendFolded appends r, which is s, in lower case and without its accents.
func appendFolded(dst []byte, s string, r rune) []byte {
	if d := norm.NFKD.PropertiesString(s).Decomposition(); d != nil {
		for _, r := range string(d) {
			if !unicode.Is(unicode.Mn, r) {
				dst = utf8.AppendRune(dst, unicode.ToLower(r))
			}
		}
		return dst
	}
	switch r {
	case 'ø', 'Ø':
		return append(dst, 'o')
	case 'ß':
		return append(dst, 's', 's')
	case 'æ', 'Æ':
		return append(dst, 'a', 'e')
	case 'ł', 'Ł':
		return append(dst, 'l')
	}
	return utf8.AppendRune(dst, unicode.ToLower(r))
}

// evades reports whether a short answer is none: "I don't know".
func evades(v string) bool {
	if len(v) > 120 {
		return false
	}
	v = strings.TrimLeft(v, " \"'")
	for _, w := range [...]string{"i don't know", "i do not know", "i don’t know", "unknown", "n/a", "cannot be determined", "can't be determined",
		"it cannot be determined", "not enough information", "insufficient information", "i'm not sure", "i am not sure", "i’m not sure",
		"unable to determine", "cannot determine", "not determinable", "not provided", "undetermined"} {
		if hasFoldPrefix(v, w) {
			return true
		}
	}
	return false
}
