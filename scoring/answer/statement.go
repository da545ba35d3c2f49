package answer

import "strings"

// rank is how formally a statement gives the answer.
type rank uint8

const (
	none   rank = iota
	phrase      // the answer is 5; Answer: 5
	hashes      // #### 5
	boxed       // \boxed{5}
	field       // "answer": "5"
)

// A statement is a place in a reply that says "this is my answer".
type statement struct {
	rank  rank
	value string
}

// statements are the last ones of a text, the very last first.
type statements struct {
	n    int
	list [maxStatements]statement
}

// maxStatements bounds how many places are read: since each may run to the end
// of the text, this is also what keeps the whole linear.
const maxStatements = 8

// find finds the statements of text, the last first. What opens one is looked for
// by a part of it that strings.Index finds fast, beginning with a rare letter.
func (f *statements) find(text string) {
	var at places
	at.find(text, "wer", phrase)
	at.find(text, "WER", phrase)
	at.find(text, "\\boxed", boxed)
	at.find(text, "####", hashes)
	edge := len(text) // where the statement found before this one began
	for f.n < len(f.list) {
		i, kind := at.last()
		switch kind {
		case none:
			return
		case phrase:
			if s, start, ok := readAnswer(text, i+len("wer"), edge); ok {
				f.add(s)
				edge = start
			}
		case boxed:
			f.add(statement{boxed, braced(text[i+len("\\boxed"):])})
			edge = i
		case hashes:
			f.add(statement{hashes, text[i+len("####") : lineEnd(text, i)]})
			edge = i
		}
	}
}

// places are where statements may begin, the last few in order of place.
type places struct {
	n    int
	list [2 * maxStatements]place
}

type place struct {
	at   int
	kind rank
}

// find adds where sign stands in text: the last ones, no more than there is room
// for.
func (p *places) find(text, sign string, kind rank) {
	var ring [maxStatements]int
	n := 0
	for from := 0; ; {
		i := strings.Index(text[from:], sign)
		if i < 0 {
			break
		}
		from += i + len(sign)
		if kind == phrase && (from < 6 || !equalFold(text[from-6:from], "answer")) {
			continue
		}
		ring[n%len(ring)] = from - len(sign)
		n++
	}
	for k := max(0, n-len(ring)); k < n; k++ {
		p.insert(place{ring[k%len(ring)], kind})
	}
}

// insert keeps the list in order, and of too many the last.
func (p *places) insert(x place) {
	i := p.n
	for i > 0 && p.list[i-1].at > x.at {
		i--
	}
	if p.n == len(p.list) {
		if i == 0 {
			return
		}
		copy(p.list[:], p.list[1:i])
		p.list[i-1] = x
		return
	}
	copy(p.list[i+1:p.n+1], p.list[i:p.n])
	p.list[i] = x
	p.n++
}

// last takes the last place out; its kind is none when there are no more.
func (p *places) last() (at int, kind rank) {
	if p.n == 0 {
		return 0, none
	}
	p.n--
	return p.list[p.n].at, p.list[p.n].kind
}

func (f *statements) add(s statement) {
	// A field's own white space is kept: it may be a program's output.
	if s.rank != field {
		s.value = strings.TrimSpace(s.value)
	}
	if s.value != "" {
		f.list[f.n] = s
		f.n++
	}
}

// readAnswer reads the statement that the word "answer", ending at end, may
// open, and where that statement starts. Edge is where the next statement
// starts: a phrase ends there at the latest.
func readAnswer(text string, end, edge int) (s statement, start int, ok bool) {
	start = end - len("answer")
	if start > 0 && isAlnum(text[start-1]) {
		return s, 0, false // "reanswer"
	}
	key := start
	for key > 0 && end-key < 24 && (isAlpha(text[key-1]) || text[key-1] == '_' || text[key-1] == ' ') {
		key--
	}
	i := end
	closed := byte(0) // the quote that closes the key
	if i+1 < len(text) && text[i] == '\\' && isQuote(text[i+1]) {
		closed = text[i+1]
		i += 2
	} else if i < len(text) && isQuote(text[i]) {
		closed = text[i]
		i++
	}
	i = skip(text, i, " \t*_")
	if i < len(text) && (text[i] == ':' || text[i] == '=') {
		i++
		quoted := closed != 0 && key > 0 && text[key-1] == closed
		if quoted || opensField(text, key) {
			return statement{field, fieldValue(text[skip(text, i, " \t\r\n*"):])}, key, true
		}
		i = skip(text, i, " \t\r\n*")
		return statement{phrase, phraseValue(text[i:max(i, edge)])}, start, true
	}
	if closed != 0 {
		return s, 0, false
	}
	// "the answer to this question would be 5": a few words, then is or be.
	for range 9 {
		i = skip(text, i, " \t\r\n*_")
		word := i
		for i < len(text) && (isAlpha(text[i]) || text[i] == '\'') {
			i++
		}
		switch {
		case i == word:
			return s, 0, false
		case equalFold(text[word:i], "is") || equalFold(text[word:i], "be") || equalFold(text[word:i], "was"):
			i = skip(text, i, " \t\r\n*_:")
			if i < len(text) && (hasFoldPrefix(text[i:], "not ") || hasFoldPrefix(text[i:], "no longer")) {
				return s, 0, false // which answer it is not
			}
			i = afterWords(text, i, "therefore", "thus", "simply", "clearly", "approximately", "about", "then")
			return statement{phrase, phraseValue(text[i:max(i, edge)])}, start, true
		}
	}
	return s, 0, false
}

// opensField reports whether a bare key at text[at:] stands as one of an object
// that was written without quotes: {answer: 5}.
func opensField(text string, at int) bool {
	for at > 0 && (text[at-1] == ' ' || text[at-1] == '\n' || text[at-1] == '\t') {
		at--
	}
	return at > 0 && (text[at-1] == '{' || text[at-1] == ',' && strings.LastIndexByte(text[max(0, at-200):at], '{') >= 0)
}

// phraseValue is what follows "the answer is", to the end of its sentence or
// line. A full stop inside a number or an abbreviation ends nothing.
func phraseValue(s string) string {
	s = s[:min(len(s), 400)]
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\n':
			if i > 1 {
				return s[:i]
			}
		case '.', '!', '?', ';':
			if i > 0 && s[i-1] != '.' && (i+1 == len(s) || s[i+1] == ' ' || s[i+1] == '\n') {
				if i == 1 && i+2 < len(s) && s[i+1] == ' ' { // "B. Paris": a label
					continue
				}
				return s[:i]
			}
		}
	}
	return s
}

// braced is the text within the braces s opens with, after spaces, braces inside them
// included; all of it where they are never closed.
func braced(s string) string {
	s = strings.TrimLeft(s, " ")
	if s == "" || s[0] != '{' {
		return ""
	}
	depth := 0
	for i := 0; i < min(len(s), maxValue); i++ {
		switch s[i] {
		case '\\':
			i++ // \{ and \} are braces to be printed
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return s[1:i]
			}
		}
	}
	return s[1:lineEnd(s, 1)]
}

// maxValue is the longest answer that is read; a longer one is cut.
const maxValue = 16 << 10

func lineEnd(s string, from int) int {
	if i := strings.IndexByte(s[from:], '\n'); i >= 0 {
		return from + i
	}
	return len(s)
}

func skip(s string, i int, cut string) int {
	for i < len(s) && strings.IndexByte(cut, s[i]) >= 0 {
		i++
	}
	return i
}

// afterWords skips any of words at s[i:], with the spaces after them.
func afterWords(s string, i int, words ...string) int {
again:
	for _, w := range words {
		if hasFoldPrefix(s[i:], w) && i+len(w) < len(s) && !isAlnum(s[i+len(w)]) {
			i = skip(s, i+len(w), " ,:\n*")
			goto again
		}
	}
	return i
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlnum(c byte) bool { return isAlpha(c) || isDigit(c) }
func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' }
func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// equalFold compares with the lower-case ASCII word w.
func equalFold(s, w string) bool { return len(s) == len(w) && hasFoldPrefix(s, w) }

func hasFoldPrefix(s, w string) bool {
	if len(s) < len(w) {
		return false
	}
	for i := range len(w) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != w[i] {
			return false
		}
	}
	return true
}
