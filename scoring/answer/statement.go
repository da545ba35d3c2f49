package answer

import "strings"

// rank is how formally a statement gives the answer.
type rank uint8

const (
	none   rank = iota
	phrase      // the answer is 5; Answer: 5
	hashes      // #### 5
	boxed       // \boxed{5}
	field       // "answer": "5"; <answer>5</answer>
)

// A statement is a place in a reply that says "this is my answer".
type statement struct {
	rank  rank
	value string
	start int // where it begins in the text
	from  int // where its value does
}

// end is about where the value ends: one that was unescaped is shorter than what
// it was read from.
func (s *statement) end() int { return s.from + len(s.value) }

// statements are the last ones of a text, the very last first.
type statements struct {
	n    int
	list [maxStatements]statement
	cut  bool // the text ends where a field's value should begin
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
	at.find(text, "\\fbox", boxed)
	at.find(text, "####", hashes)
	edge := len(text) // where the statement found before this one began
	for f.n < len(f.list) {
		i, kind := at.last()
		switch kind {
		case none:
			if f.n == 0 {
				f.foreign(text)
			}
			return
		case phrase:
			s, ok := readAnswer(text, i+len("wer"), edge)
			if ok {
				f.add(s)
				edge = s.start
			}
			f.cut = f.cut || !ok && s.rank == field
		case boxed:
			from := i + len("\\fbox")
			if text[i+1] == 'b' {
				from = i + len("\\boxed")
			}
			f.add(statement{boxed, braced(text[from:]), i, from})
			edge = i
		case hashes:
			if s, ok := readHashes(text, i); ok {
				f.add(s)
				edge = i
			}
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
	if s.value != "" || s.rank == field {
		f.list[f.n] = s
		f.n++
	}
}

// only leaves the statements of one rank.
func (f *statements) only(r rank) {
	n := 0
	for _, s := range f.list[:f.n] {
		if s.rank == r {
			f.list[n] = s
			n++
		}
	}
	f.n = n
}

// readHashes reads what follows the #### at text[at:]. A heading of the fourth
// level looks the same and gives no answer: it has words, and text below it.
func readHashes(text string, at int) (s statement, ok bool) {
	from := at + len("####")
	if at > 0 && text[at-1] == '#' || from < len(text) && text[from] == '#' {
		return s, false
	}
	end := lineEnd(text, from)
	s = statement{hashes, text[from:end], at, from}
	if strings.TrimSpace(text[end:]) == "" {
		return s, true
	}
	for _, word := range [...]string{"answer", "result", "solution"} {
		if hasFoldPrefix(strings.TrimLeft(s.value, " *"), word) {
			return s, false // Answer: and what follows is found by itself
		}
	}
	words := 0
	for word := range strings.FieldsSeq(s.value) {
		if len(word) > 2 && isAlpha(word[0]) && isAlpha(word[1]) {
			words++
		}
	}
	return s, words == 0
}

// readAnswer reads the statement that the word "answer", ending at text[end], may
// open. Edge is where the next statement starts: a phrase ends there at the latest.
func readAnswer(text string, end, edge int) (s statement, ok bool) {
	start := end - len("answer")
	if start > 0 && isAlnum(text[start-1]) {
		return s, false // "reanswer"
	}
	if start > 0 && text[start-1] == '<' && end < len(text) && text[end] == '>' {
		value := head(text[end+1:], maxValue)
		if i := strings.Index(value, "</"); i >= 0 {
			value = value[:i]
		}
		return statement{field, strings.TrimSpace(value), start - 1, end + 1}, true
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
	if i < len(text) && (text[i] == ':' || text[i] == '=' || strings.HasPrefix(text[i:], "：")) {
		i++
		for i < len(text) && text[i]&0xc0 == 0x80 {
			i++ // the rest of a wide colon
		}
		quoted := closed != 0 && key > 0 && text[key-1] == closed
		if quoted || opensField(text, key) {
			from := skip(text, i, " \t\r\n*")
			value := fieldValue(text[from:])
			// An empty string is an answer; nothing at all is a reply cut off.
			return statement{field, value, key, from}, value != "" || from < len(text) && isQuote(text[from])
		}
		i = skip(text, i, " \t\r\n*")
		return phraseAt(text, start, i, edge), true
	}
	if closed != 0 || asVerb(text, start) || doubted(text[:start]) {
		return s, false
	}
	if i < len(text) && text[i] == '\n' && heading(text, key) {
		return phraseAt(text, start, skip(text, i, " \t\r\n*#"), edge), true
	}
	// "the answer to this question would be 5": a few words, then is or be.
	for range 9 {
		i = skip(text, i, " \t\r\n*_")
		word := i
		for i < len(text) && (isAlpha(text[i]) || text[i] == '\'') {
			i++
		}
		switch w := text[word:i]; {
		case w == "":
			return s, false
		case isDenial(w) || equalFold(w, "field") || equalFold(w, "contains"):
			return s, false // which answer it cannot be; how it is to be read
		case equalFold(w, "would"):
			if supposes(text, start) {
				return s, false // "if all were red, the answer would be 7"
			}
		case equalFold(w, "is") || equalFold(w, "be") || equalFold(w, "was"):
			i = skip(text, i, " \t\r\n*_:")
			if n := wordEnd(text, i); isDenial(text[i:n]) || hasFoldPrefix(text[i:], "no longer") {
				return s, false
			}
			i = afterWords(text, i, "therefore", "thus", "simply", "clearly", "approximately", "about", "then", "actually", "definitely", "indeed", "probably", "likely")
			return phraseAt(text, start, i, edge), true
		}
	}
	return s, false
}

func phraseAt(text string, start, from, edge int) statement {
	return statement{phrase, phraseValue(text[from:max(from, edge)]), start, from}
}

func wordEnd(s string, i int) int {
	for i < len(s) && (isAlpha(s[i]) || s[i] == '\'') {
		i++
	}
	return i
}

// isDenial reports whether a word says of an answer that it is none.
func isDenial(w string) bool {
	for _, no := range [...]string{"not", "cannot", "can't", "isn't", "wasn't", "won't", "wouldn't", "couldn't", "shouldn't", "never", "neither"} {
		if equalFold(w, no) {
			return true
		}
	}
	return false
}

// asVerb reports whether "answer" at text[at:] is what somebody does: "to answer",
// "he can answer".
func asVerb(text string, at int) bool {
	end := at
	for end > 0 && text[end-1] == ' ' {
		end--
	}
	from := end
	for from > 0 && end-from < 8 && (isAlpha(text[from-1]) || text[from-1] == '\'') {
		from--
	}
	for _, w := range [...]string{"to", "can", "could", "will", "would", "must", "should", "may", "cannot", "can't", "not", "i", "you", "we", "they", "who", "please"} {
		if equalFold(text[from:end], w) {
			return true
		}
	}
	return false
}

// doubted reports whether a text ends in what others may think: "one might think
// the" answer is 10.
func doubted(text string) bool {
	text = strings.TrimRight(tail(text, 2*plainLimit), " ")
	for _, w := range [...]string{" correct", " right", " final", " the", " that"} {
		text = strings.TrimSuffix(text, w)
	}
	if !precededBy(text, "think", "say", "assume", "guess", "expect", "suppose") {
		return false
	}
	text = strings.TrimRight(text[:strings.LastIndexByte(text, ' ')+1], " ")
	return precededBy(text, "might", "may", "could", "would", "tempted to") && !precededBy(text, "i would", "i might", "we may", "we could", "i could")
}

// heading reports whether the line with text[key:] is nothing but a heading up to
// there.
func heading(text string, key int) bool {
	marks := 0
	for key > 0 && text[key-1] != '\n' {
		key--
		switch text[key] {
		case '#', '*':
			marks++
		case ' ':
		default:
			return false
		}
	}
	return marks > 0
}

// supposes reports whether the sentence with text[at:] begins with "if".
func supposes(text string, at int) bool {
	const far = 300
	from := at
	for from > 0 && at-from < far && text[from-1] != '.' && text[from-1] != '\n' && text[from-1] != '?' && text[from-1] != '!' {
		from--
	}
	return hasFoldPrefix(text[skip(text, from, " *\t(\""):], "if ")
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
	s = head(s, 400)
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\n':
			if i > 1 {
				return s[:i]
			}
		case '.', '!', '?', ';':
			if i > 0 && s[i-1] != '.' && (i+1 == len(s) || s[i+1] == ' ' || s[i+1] == '\n') {
				if i == 1 && isAlpha(s[0]) && i+2 < len(s) && s[i+1] == ' ' && !takesBack(s[i+2:]) && !corrects(s[i+2:wordEnd(s, i+2)]) { // "B. Paris": a label
					continue
				}
				return s[:i]
			}
		case 0xe3:
			if strings.HasPrefix(s[i:], "。") {
				return s[:i]
			}
		}
	}
	return s
}

// braced is the text within the braces s opens with, after spaces, braces inside
// them included; all of it where they are never closed. TeX also takes one
// character without braces, or a number.
func braced(s string) string {
	s = strings.TrimLeft(s, " ")
	if s == "" || s[0] != '{' {
		n := digits(s, 0)
		if n == 0 && len(s) > 0 && isAlpha(s[0]) && (len(s) == 1 || !isAlnum(s[1])) {
			n = 1
		}
		return s[:n]
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

// head and tail are the first and the last n bytes of s, no character cut in two.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	i := len(s) - n
	for i < len(s) && s[i]&0xc0 == 0x80 {
		i++
	}
	return s[i:]
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
