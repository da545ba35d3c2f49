package answer

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// short finds a short answer. What it is is not known: a name, a date, a Python
// value.
func short(text string) Answer {
	return settle(text, func(value string) (f finding) {
		f.key, f.shown = shortKey(value, text)
		f.doubtful = eitherOr(value)
		return f
	}, func(text string) (f finding) {
		f.key, f.shown = lastShort(text)
		f.doubtful = eitherOr(text)
		return f
	})
}

// lastShort is the answer of a reply that does not say what it is: a literal, the
// code block or the assertion at the end, the last line.
func lastShort(text string) (key, shown string) {
	t := strings.TrimSpace(text)
	if inline := strings.TrimRight(t, "."); strings.HasSuffix(inline, "`") && !strings.HasSuffix(inline, "``") && aboutCode(text) {
		if i := strings.LastIndexAny(inline[:len(inline)-1], "`\n"); i >= 0 && inline[i] == '`' {
			return shortKey(inline[i:], text) // It returns `[1, 2]`.
		}
	}
	var l literal
	if t != "" && strings.IndexByte("[({'\"", t[0]) >= 0 {
		if end, ok := l.scan(t, 0); ok && end == len(t) {
			return shortKey(t, text)
		}
	}
	if i := strings.LastIndex(text, "```"); i > 0 {
		if j := strings.LastIndex(text[:i], "```"); j >= 0 && strings.TrimSpace(text[i+3:]) == "" {
			return shortKey(fenced(text[j:]), text)
		}
	}
	if i := strings.LastIndex(text, "=="); i >= 0 && strings.Contains(text[:i], "assert") {
		return shortKey(text[i+2:lineEnd(text, i)], text)
	}
	if i := strings.LastIndexByte(t, '\n'); i >= 0 && len(t)-i <= 120 {
		t = t[i+1:] // the last line
	}
	if len(t) > maxShort {
		return "", "" // an essay has no short answer
	}
	if evades(t) {
		return "", ""
	}
	if v := output(t); v != "" {
		return shortKey(v, text)
	}
	return shortKey(withoutLead(t), text)
}

// eitherOr reports whether a short answer leaves open which of two it is.
func eitherOr(v string) bool {
	v = strings.TrimLeft(v, " *")
	return len(v) <= 2*plainLimit && hasFoldPrefix(v, "either ") && strings.Contains(v, " or ")
}

// leads are what a short reply may say before its answer.
var leads = [...]string{"wait", "actually", "no", "sorry", "oops", "correction", "well", "i think", "i believe", "i'd say", "it's", "it is", "it was", "that is", "that's", "that was", "this is", "they are", "they were"}

// withoutLead is v without what only leads to the answer: "It is Paris".
func withoutLead(v string) string {
	rest := v
again:
	for _, w := range leads {
		end := len(w)
		if hasFoldPrefix(rest, w) && end < len(rest) && !isAlnum(rest[end]) && rest[end] < 0x80 && (rest[end] != ' ' || strings.Contains(w, " ") || strings.Contains(w, "'")) {
			rest = strings.TrimLeft(rest[end:], " ,.:;-!")
			goto again
		}
	}
	if rest == "" {
		return v
	}
	return rest
}

// maxShort is the longest short answer in words, in bytes.
const maxShort = 240

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
	for was := ""; was != v; {
		was = v
		v = strings.TrimSpace(strings.Trim(v, "`"))
	}
	if i := strings.LastIndex(v, "=="); i >= 0 && strings.HasPrefix(v, "assert") {
		v = strings.TrimSpace(v[i+2:])
	}
	for strings.HasPrefix(v, "**") && strings.HasSuffix(v, "**") && len(v) > 4 {
		v = strings.TrimSpace(v[2 : len(v)-2])
	}
	if v == "" {
		if aboutCode(text) && !strings.Contains(value, "`") {
			return codeString(value) // of spaces, or empty
		}
		return "", ""
	}
	shown = v
	var buf [96]byte
	l := literal{out: buf[:0]}
	if strings.IndexByte("[({'\"", v[0]) >= 0 {
		// A comment or a full stop behind a literal is no part of it.
		if end, ok := l.scan(v, 0); ok {
			if rest := strings.TrimSpace(v[end:]); rest == "." || strings.HasPrefix(rest, "#") {
				v = v[:end]
				shown = v
			}
		}
	}
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
		} else if l.tuple(v) {
			return string(l.out), shown
		} else if k := len(v) - 1; k > 0 && v[k] == c {
			v, content = v[1:k], true
		}
	case c == '[' || c == '(' || c == '{':
		if l.canonical(v) || l.tuple(v) {
			return string(l.out), shown
		}
	}
	if c := v[0]; content && (c == '[' || c == '(' || c == '{') && l.canonical(v) {
		return string(l.out), shown
	}
	if c := v[0]; c == '[' || c == '{' {
		key = squeezedLiteral(v)
		if l.out = l.out[:0]; l.canonical(key) {
			key = string(l.out)
		}
		return key, key
	}
	if !content && strings.IndexByte(v, '\n') >= 0 && !aboutCode(text) {
		v = strings.Join(strings.Fields(v), " ") // on one line, as it is shown
		shown = v
	}
	if isDigit(v[0]) || v[0] == '-' || v[0] == '$' || v[0] == '.' {
		if out, end, ok := readFigure(buf[:0], v, 0); ok && measureOnly(v[end:]) && !leadingZero(v) {
			return string(out), shown
		}
	}
	if content || aboutCode(text) {
		switch v {
		case "True", "False", "None":
			return strings.ToLower(v), shown
		case "null":
			return "none", "None"
		}
		if content {
			return v, shown
		}
		return codeString(strings.Trim(value, "`"))
	}
	if evades(v) || len(v) > maxShort {
		return "", ""
	}
	if tidied := bare(v); tidied != "" && tidied != v {
		return shortKey(tidied, text)
	}
	if n, end, ok := spelled(v); ok && end == len(v) {
		return string(ratio{n, 1}.append(buf[:0])), v
	}
	if key := dateKey(v); key != "" {
		return key, v
	}
	return folded(withoutApposition(withoutLead(v))), v
}

// measureOnly reports whether what follows a number is a per cent sign or a
// currency, or the word for one.
func measureOnly(s string) bool {
	s = strings.Trim(s, " .%")
	for _, w := range [...]string{"", "percent", "per cent", "dollars", "dollar", "usd", "euros", "euro", "eur"} {
		if equalFold(s, w) {
			return true
		}
	}
	return false
}

// withoutApposition is v without what only explains it: "Paris, the capital of
// France" and "Paris, because …".
func withoutApposition(v string) string {
	for i := 1; i+2 < len(v); i++ {
		if v[i] != ',' || v[i+1] != ' ' {
			continue
		}
		rest := v[i+2:]
		for _, w := range [...]string{"which ", "who ", "because ", "since ", "where "} {
			if hasFoldPrefix(rest, w) {
				return v[:i]
			}
		}
		for _, w := range [...]string{"the ", "a ", "an "} {
			if hasFoldPrefix(rest, w) && (strings.Contains(rest, " of ") || strings.Contains(rest, " in ") || strings.Contains(rest, " who ")) {
				return v[:i]
			}
		}
	}
	return v
}

// dateKey is the one spelling of a date that is all of v, "1990-05-12" or
// "1990-05"; "" where v is none.
func dateKey(v string) string {
	if len(v) > plainLimit {
		return ""
	}
	if y, m, d, end := isoDate(v, 0); end > 0 && end == len(v) {
		return dated3(y, m, d)
	}
	year, month, day := 0, 0, 0
	for word := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == ' ' || r == ',' || r == '.' }) {
		n := digits(word, 0)
		m := monthOf(word)
		switch rest := word[n:]; {
		case n == 4 && rest == "" && year == 0:
			year = int(word[0]-'0')*1000 + int(word[1]-'0')*100 + int(word[2]-'0')*10 + int(word[3]-'0')
		case (n == 1 || n == 2) && day == 0 && (rest == "" || rest == "th" || rest == "st" || rest == "nd" || rest == "rd"):
			for i := range n {
				day = day*10 + int(word[i]-'0')
			}
			if day < 1 || day > 31 {
				return ""
			}
		case n == 0 && m > 0 && month == 0:
			month = m
		case equalFold(word, "of") || equalFold(word, "the") || equalFold(word, "on"):
		default:
			return ""
		}
	}
	if year == 0 || month == 0 {
		return ""
	}
	return dated3(year, month, day)
}

func dated3(y, m, d int) string {
	b := strconv.AppendInt(nil, int64(y), 10)
	b = append(b, '-', byte('0'+m/10), byte('0'+m%10))
	if d > 0 {
		b = append(b, '-', byte('0'+d/10), byte('0'+d%10))
	}
	return string(b)
}

// monthOf is the number of the month that a word names, or 0.
func monthOf(word string) int {
	for i, name := range monthNames {
		if equalFold(word, name) || len(word) == 3 && hasFoldPrefix(name, strings.ToLower(word)) {
			return i + 1
		}
	}
	return 0
}

// codeString is the finding of a program's output, which is shown as a program
// would write it: what it is does not depend on what stood around it.
func codeString(value string) (key, shown string) {
	key = string(appendContent(nil, value, false))
	shown = "'" + string(appendContent(nil, value, true)) + "'"
	if key == "" {
		key = shown
	}
	return key, shown
}

func leadingZero(v string) bool { return len(v) > 1 && v[0] == '0' && isDigit(v[1]) }

// squeezedLiteral is a literal that does not parse, without the white space
// outside its strings and with one kind of quotes.
func squeezedLiteral(v string) string {
	b := make([]byte, 0, len(v))
	quote := byte(0)
	for i := 0; i < len(v); i++ {
		c := v[i]
		switch {
		case c == '\n' && quote != 0:
			b = append(b, '\\', 'n')
			continue
		case c == '\\' && quote != 0 && i+1 < len(v) && v[i+1] != '\n':
			i++
			b = append(b, c, v[i])
			continue
		case c == '\'' && quote == '"':
			b = append(b, '\\', c)
			continue
		case quote == 0 && (c == '"' || c == '\''):
			quote, c = c, '\''
		case quote != 0 && c == quote:
			quote, c = 0, '\''
		case quote == 0 && isSpace(c):
			continue
		}
		b = append(b, c)
	}
	// As a value of its own it would lose the same at its ends.
	return strings.TrimFunc(string(b), func(r rune) bool { return r == '`' || unicode.IsSpace(r) })
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
	if len(v) > 160 {
		return false
	}
	v = strings.TrimLeft(v, " \"'")
	for _, w := range [...]string{"i don't know", "i do not know", "i don’t know", "cannot be determined", "can't be determined",
		"it cannot be determined", "not enough information", "insufficient information", "i'm not sure", "i am not sure", "i’m not sure",
		"unable to ", "cannot determine", "cannot answer", "not determinable", "not provided", "not specified", "no idea", "no answer",
		"i cannot ", "i can't ", "i can’t ", "i am unable", "i'm unable", "i’m unable", "i'm sorry", "i’m sorry", "i am sorry", "i apologize", "sorry, ",
		"as an ai ", "i do not have ", "i don't have ", "i don’t have ", "i have no ", "there is no answer", "there is not enough", "there is no way to",
		"je ne sais pas", "no lo sé", "no sé", "ich weiß nicht", "ich weiß es nicht", "non lo so", "não sei", "не знаю", "我不知道", "不知道", "わかりません", "모르겠"} {
		if hasFoldPrefix(v, w) {
			return true
		}
	}
	for _, w := range [...]string{"unknown", "n/a", "undetermined", "indeterminate", "unclear", "uncertain"} {
		if hasFoldPrefix(v, w) && (len(v) == len(w) || v[len(w)] != ' ' && !isAlnum(v[len(w)])) {
			return true // but not "Unknown Pleasures"
		}
	}
	return false
}
