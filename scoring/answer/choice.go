package answer

import (
	"strings"

	"github.com/kaizen-os/deliberation/quorum"
)

// letters is how many options a choice has that does not list them.
const letters = 10

// choice finds the option a reply takes.
func choice(text string, options []string) Answer {
	n := len(options)
	if n == 0 {
		n = letters
	}
	for i, o := range options {
		if text == o { // whatever else it could mean
			f := optionAt(i, options)
			return Answer{Key: f.key, Shown: f.shown}
		}
	}
	read := func(value string) finding { return chosen(value, options, n) }
	return settle(text, read, func(text string) finding {
		if whole := bare(text); len(whole) <= plainLimit && strings.IndexByte(whole, '\n') < 0 {
			if f := read(whole); f.key != "" {
				return f
			}
		}
		if len(text) <= 4*plainLimit {
			if f := read(revised(bare(text))); f.key != "" {
				return f // A... wait, no, D
			}
		}
		if i, other := lastLetter(text, n); i >= 0 {
			f := optionAt(i, options)
			if other >= 0 {
				f.several = f.key + optionAt(other, options).key
			}
			return f
		}
		if i := onlyLetter(text, n); i >= 0 {
			return optionAt(i, options)
		}
		i, other := lastText(text, options)
		f := optionAt(i, options)
		if other >= 0 {
			f.several = f.key + optionAt(other, options).key
		}
		return f
	})
}

// chosen is what a stated value says: one option, or several.
func chosen(value string, options []string, n int) finding {
	if strings.Contains(value, "（") {
		value = strings.NewReplacer("（", "(", "）", ")").Replace(value)
	}
	i, sure, differ := pick(value, options, n)
	f := optionAt(i, options)
	f.doubtful = differ
	if !sure {
		if all := several(bare(value), options, n); len(all) > 1 {
			f = optionAt(int(all[0]-'A'), options)
			f.several = all
		}
	}
	return f
}

// optionAt is the finding of option i. Of two that read the same, both are the
// first.
func optionAt(i int, options []string) (f finding) {
	if i >= 0 && i < len(options) {
		for k, o := range options[:i] {
			if o == options[i] {
				i = k
				break
			}
		}
	}
	switch {
	case i < 0:
		return f
	case i < 26:
		f.key = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i : i+1]
	default:
		f.key = bare(options[i])
	}
	f.shown = f.key
	if i < len(options) && options[i] != "" {
		f.shown = options[i]
	}
	return f
}

// several lists the letters of the options that v names side by side, by letter
// or by text: "(A) and (C)", "either B or D". It is shorter than two where v
// names one, or goes on to something else.
func several(v string, options []string, n int) string {
	var room [26]byte
	all := room[:0]
	i := afterWords(v, 0, "a combination of", "all of", "both", "either", "options", "option", "choices", "choice", "answers", "letters", "the", "likely", "probably")
	for {
		k, end := named(v, i, options, n)
		if k < 0 || k >= 26 || len(all) == cap(all) {
			return string(all)
		}
		if strings.IndexByte(string(all), byte('A'+k)) < 0 {
			all = append(all, byte('A'+k))
		}
		i = skip(v, end, " ")
		sep := i
		i = skip(v, i, ",/&+ ")
		for _, w := range [...]string{"and ", "or ", "und ", "y ", "et ", "oder ", "o "} {
			if hasFoldPrefix(v[i:], w) {
				i = skip(v, i+len(w), " ")
				break
			}
		}
		if i == sep || i == len(v) {
			return string(all)
		}
	}
}

// named is the option whose letter or text stands at v[i:], and where it ends; -1
// if none does.
func named(v string, i int, options []string, n int) (option, end int) {
	from := i
	i = afterWords(v, skip(v, i, "*\"'`"), "option", "choice")
	i = skip(v, i, "([*\"'`")
	wrapped := i > from && (v[i-1] == '(' || v[i-1] == '[')
	if i < len(v) && isAlpha(v[i]) && int(v[i]|0x20-'a') < n && (v[i] < 'a' || wrapped) {
		end = i + 1
		prose := end+1 < len(v) && v[end] == ' ' && v[end+1] >= 'a' && v[end+1] <= 'z' && afterWords(v, end+1, "and", "or", "are", "both") == end+1
		if end == len(v) || !isAlnum(v[end]) && v[end] < 0x80 && v[end] != '\'' && v[end] != '-' && v[end] != '^' && (wrapped || !prose) {
			return int(v[i] | 0x20 - 'a'), skip(v, end, ")]*\"'`")
		}
	}
	option, end = -1, 0
	for k, o := range options {
		o = withoutLabel(o, k)
		if len(o) > 1 && i+len(o) > end && i+len(o) <= len(v) && strings.EqualFold(v[i:i+len(o)], o) && (i+len(o) == len(v) || !isAlnum(v[i+len(o)])) {
			option, end = k, i+len(o)
		}
	}
	return option, skip(v, end, ")]*\"'`")
}

// pick is the option that a stated value names, by its text as a whole, by its
// letter, or by a text it begins with; -1 if it names none. Sure says that it is
// the option's text, and nothing else. Differ says that letter and text name
// different ones; the letter then counts.
func pick(value string, options []string, n int) (i int, sure, differ bool) {
	v := bare(value)
	if v == "" {
		return -1, false, false
	}
	for i, o := range options {
		// One letter is that option's text only to the letter: "C" is not
		// the option that reads c, the speed of light.
		if len(v) == 1 && v != bare(withoutLabel(o, i)) {
			continue
		}
		if sameText(v, o) || sameText(v, withoutLabel(o, i)) {
			return i, true, false
		}
	}
	i, rest := leadingLetter(v, n)
	j := -1
	if i >= 0 {
		v = bare(rest)
	}
	longest := 0
	if len(v) > 0 && len(v) < 2048 {
		for k, o := range options {
			// A text that is one letter counts as a whole only: "a decrease".
			if o = withoutLabel(o, k); len(o) > longest && (sameText(v, o) || beginsWith(v, o)) && (len(o) > 1 || !isAlpha(o[0])) {
				j, longest = k, len(o)
			}
		}
	}
	switch {
	case i < 0 && j < 0 && len(options) > 0 && (hasFoldPrefix(v, "option ") || hasFoldPrefix(v, "choice ")) && len(v) > 7 && isDigit(v[7]):
		if k := int(v[7] - '0'); (len(v) == 8 || !isAlnum(v[8])) && k >= 1 && k <= n {
			return k - 1, false, false
		}
		return -1, false, false
	case i < 0:
		return j, false, false
	case j >= 0 && j != i:
		return i, false, true
	}
	return i, false, false
}

// leadingLetter is the option letter that v opens with, as in B, (B), B. and
// Option B: and what follows it; -1 if it opens with none. A capital that begins
// a sentence ("A decrease", "I think") is none.
func leadingLetter(v string, n int) (i int, rest string) {
	at := afterWords(v, skip(v, 0, " \n\t*"), "option", "choice", "letter", "answer", "is", "either", "most", "likely", "the", "correct", "best", "closest", "to", "be", "statement",
		"definitely", "probably", "clearly", "la opción", "la opcion", "opción", "opcion", "l'option", "die", "lettre", "letra", "буква", "вариант")
	wrapped := at > 0
	for at < len(v) {
		if c := v[at]; strings.IndexByte("([{*\"'`$\\ :.,_", c) >= 0 {
			wrapped = wrapped || c == '(' || c == '[' || c == '*' || c == '{' || c == '"'
			at++
			continue
		}
		if hasFoldPrefix(v[at:], "text{") || hasFoldPrefix(v[at:], "textbf{") || hasFoldPrefix(v[at:], "boxed{") || hasFoldPrefix(v[at:], "mathrm{") || hasFoldPrefix(v[at:], "mathbf{") {
			at += strings.IndexByte(v[at:], '{') + 1
			wrapped = true
			continue
		}
		break
	}
	if at = afterWords(v, at, "option", "choice", "letter"); at > 0 && isSpace(v[at-1]) {
		at = skip(v, at, "([*")
	}
	if at == len(v) || !isAlpha(v[at]) {
		return -1, ""
	}
	if i = int(v[at]|0x20) - 'a'; i >= n {
		return -1, ""
	}
	lower := v[at] >= 'a'
	end := at + 1
	if end == len(v) {
		return i, ""
	}
	switch c := v[end]; {
	case isAlnum(c) || c == '\'' || c == '_' || c == '-' || c >= 0x80 || c == '(' || c == '^':
		return -1, ""
	case c == ')' || c == ']' || c == '}' || c == '*' || c == '"':
		if lower && !wrapped && end+1 < len(v) {
			return -1, ""
		}
	case c == '.' || c == ':' || c == ',' || c == ';' || c == '\n':
		if lower && end+1 < len(v) {
			return -1, ""
		}
		if c == '.' && end+1 < len(v) && isAlpha(v[end+1]) && end+2 < len(v) && v[end+2] == '.' {
			return -1, "" // an abbreviation
		}
	case c == ' ':
		if lower || ruledOut(v[end:]) {
			return -1, ""
		}
		next := skip(v, end, " ")
		if next < len(v) && isAlpha(v[next]) {
			prose := v[at] == 'A' || v[at] == 'I' || !wrapped
			if prose && !hasFoldPrefix(v[next:], "because") && !hasFoldPrefix(v[next:], "since") && !hasFoldPrefix(v[next:], "is ") && !hasFoldPrefix(v[next:], "and ") && !hasFoldPrefix(v[next:], "or ") {
				return -1, ""
			}
		}
		if next < len(v) && (v[next] == '=' || v[next] == '+' || v[next] == '<' || v[next] == '>') {
			return -1, ""
		}
	}
	return i, strings.TrimLeft(v[end:], ")]}*\". :,;$-\n")
}

// ruledOut reports whether what follows an option's letter says that it is not the
// one: " is wrong".
func ruledOut(after string) bool {
	rest, ok := strings.CutPrefix(after, " is ")
	if !ok {
		return false
	}
	for _, w := range [...]string{"not", "wrong", "incorrect", "false", "too", "out", "impossible"} {
		if hasFoldPrefix(rest, w) && (len(rest) == len(w) || !isAlnum(rest[len(w)])) {
			return true
		}
	}
	return false
}

// lastLetter is the option whose letter a reply names last, in a form that is
// hardly anything else: (B), Option B, **B**, "is B." or B. at the start of a
// line; -1 if there is none. Other is one that it names in the same breath, as in
// "(A) and (B)", or -1.
func lastLetter(text string, n int) (i, other int) {
	const near = 2 << 10 // what matters is at the end
	from := max(0, len(text)-near)
	for at := len(text) - 1; at >= from; at-- {
		c := text[at]
		if c < 'A' || c > 'Z' || int(c-'A') >= n {
			continue
		}
		after := byte('\n')
		if at+1 < len(text) {
			after = text[at+1]
		}
		if isAlnum(after) || after >= 0x80 || after == '\'' {
			continue
		}
		before := byte('\n')
		if at > 0 {
			before = text[at-1]
		}
		switch {
		case before == '(' && after == ')' && (at < 2 || !isAlnum(text[at-2])):
		case before == '*' && (after == '*' || after == '.' || after == ')' || after == ':'):
		case before == '\n' && (after == '.' || after == ')' || after == ':'):
		case (before == '"' || before == ' ' && at > 1 && (text[at-2] == '-' || text[at-2] == '*') && (at == 2 || text[at-3] == '\n')) &&
			(after == '.' || after == ')' || after == ':' || after == '"'): // - B. Paris
		case before == ' ' && precededBy(text[:at-1], "option", "choice", "answer"):
		case before == ' ' && (after == '.' || after == ':' || after == '\n') && precededBy(text[:at-1], "is", "is:", "be", "be:", "are", "to", "with", "choose", "pick", "select", "say", "so", "thus", "hence", "therefore"):
		default:
			continue
		}
		return int(c - 'A'), besides(text[:at], n)
	}
	return -1, -1
}

// besides is the option whose letter, in brackets, stands before "and (", which s
// ends with; -1 if none does.
func besides(s string, n int) int {
	s = strings.TrimRight(strings.TrimSuffix(s, "("), " ")
	joined := false
	for _, w := range [...]string{" and", " or", " &", ","} {
		if strings.HasSuffix(s, w) {
			s = strings.TrimRight(strings.TrimSuffix(s, w), " ,")
			joined = true
		}
	}
	if k := len(s) - 3; joined && k >= 0 && s[k] == '(' && s[k+2] == ')' && s[k+1] >= 'A' && int(s[k+1]-'A') < n {
		return int(s[k+1] - 'A')
	}
	return -1
}

// onlyLetter is the option whose letter is the one capital that stands alone in a
// short reply: "I'd go for B"; -1 if there is none or more than one. Neither the
// article nor "I" is taken for a letter.
func onlyLetter(text string, n int) int {
	found := -1
	if len(text) > 2*plainLimit || strings.Contains(text, " nor ") {
		return -1
	}
	for i := range len(text) {
		c := text[i]
		if c < 'A' || c > 'Z' || i > 0 && (text[i-1] != ' ' && text[i-1] != '*' && text[i-1] != '"' && text[i-1] != ':') {
			continue
		}
		end := i+1 == len(text) || !isAlnum(text[i+1]) && text[i+1] < 0x80 && text[i+1] != '\''
		word := c == 'I' || c == 'A'
		if !end || int(c-'A') >= n || ruledOut(text[i+1:]) || word && (i == 0 || i+2 < len(text) && text[i+1] == ' ') {
			continue
		}
		if found >= 0 && found != int(c-'A') {
			return -1
		}
		found = int(c - 'A')
	}
	return found
}

func precededBy(s string, words ...string) bool {
	for _, w := range words {
		if k := len(s) - len(w); k >= 0 && hasFoldPrefix(s[k:], w) && (k == 0 || !isAlnum(s[k-1])) {
			return true
		}
	}
	return false
}

// lastText is the option whose text stands last near the end of a reply, the
// longest where one is part of another; -1 if there is none. Other is one that
// stands before it and an "or", or -1.
func lastText(text string, options []string) (i, other int) {
	const near = 1 << 10
	text = tail(text, near)
	best, end, length := -1, 0, 0
	for i, o := range options {
		o = withoutLabel(o, i)
		if o == "" || len(o) > 200 || len(o) == 1 && isAlpha(o[0]) {
			continue // "a" stands in every text
		}
		for at := len(text) - len(o); at >= 0 && at+len(o) >= end; at-- {
			stop := at + len(o)
			if text[at]|0x20 != o[0]|0x20 || !strings.EqualFold(text[at:stop], o) ||
				at > 0 && isAlnum(text[at-1]) && isAlnum(o[0]) || stop < len(text) && isAlnum(text[stop]) && isAlnum(o[len(o)-1]) {
				continue
			}
			if stop > end || len(o) > length {
				best, end, length = i, stop, len(o)
			}
			break
		}
	}
	if best < 0 {
		return -1, -1
	}
	before, or := strings.CutSuffix(strings.TrimSuffix(text[:end-length], "the "), " or ")
	for i, o := range options {
		if o = withoutLabel(o, i); or && i != best && len(o) > 1 && len(o) <= 200 && precededBy(strings.TrimRight(before, ", "), strings.ToLower(o)) {
			return best, i
		}
	}
	return best, -1
}

// withoutLabel is an option's text without a label of its own that only repeats
// its place: "B) Paris" as the second option.
func withoutLabel(o string, i int) string {
	s := strings.TrimSpace(o)
	open := strings.HasPrefix(s, "(")
	if open {
		s = s[1:]
	}
	if i < 26 && len(s) > 2 && s[0]|0x20 == byte('a'+i) && (s[1] == ')' || !open && (s[1] == '.' || s[1] == ':')) && s[2] == ' ' {
		return strings.TrimSpace(s[2:])
	}
	return strings.TrimSpace(o)
}

// sameText compares a value with an option's text: case and what stands around
// it do not count.
func sameText(v, o string) bool {
	return strings.EqualFold(v, o) || strings.EqualFold(v, bare(o))
}

func beginsWith(v, o string) bool {
	return len(v) > len(o) && len(o) > 0 && strings.EqualFold(v[:len(o)], o) && (!isAlnum(v[len(o)]) || !isAlnum(o[len(o)-1])) && v[len(o)] < 0x80
}

// bare is s without the quotes, Markdown and punctuation around it.
func bare(s string) string {
	for {
		was := len(s)
		s = strings.TrimSpace(s)
		s = strings.TrimRight(s, ".,;:!*`_")
		s = strings.TrimLeft(s, "*`_:")
		if k := len(s) - 1; k > 0 && (s[0] == '"' && s[k] == '"' || s[0] == '\'' && s[k] == '\'') {
			s = s[1:k]
		}
		if strings.HasPrefix(s, "\\(") && strings.HasSuffix(s, "\\)") && len(s) >= 4 {
			s = s[2 : len(s)-2]
		}
		if strings.HasPrefix(s, "\\text{") && strings.HasSuffix(s, "}") {
			s = s[len("\\text{") : len(s)-1]
		}
		if len(s) == was {
			return s
		}
	}
}

// stanceKey is the key of a position on a motion.
func stanceKey(s quorum.Stance) string {
	if s == quorum.Abstain {
		return ""
	}
	return s.String()
}
