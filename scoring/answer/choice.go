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
	clash := false
	a := settle(text, func(value string) (key, shown string) {
		i, differ := pick(value, options, n)
		clash = clash || differ
		return option(i, options)
	}, func(text string) (key, shown string) {
		i := -1
		if whole := bare(text); len(whole) <= plainLimit && strings.IndexByte(whole, '\n') < 0 {
			i, _ = pick(whole, options, n)
		}
		if i < 0 {
			i = lastLetter(text, n)
		}
		if j := lastText(text, options); i < 0 {
			i = j
		}
		return option(i, options)
	})
	a.Ambiguous = a.Ambiguous || clash
	return a
}

func option(i int, options []string) (key, shown string) {
	switch {
	case i < 0:
		return "", ""
	case i < 26:
		key = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i : i+1]
	default:
		key = bare(options[i])
	}
	if i < len(options) && options[i] != "" {
		return key, options[i]
	}
	return key, key
}

// pick is the option that a stated value names, by its text as a whole, by its
// letter, or by a text it begins with; -1 if it names none. Differ says that
// letter and text name different ones; the letter then counts.
func pick(value string, options []string, n int) (i int, differ bool) {
	v := bare(value)
	if v == "" {
		return -1, false
	}
	for i, o := range options {
		// One letter is that option's text only to the letter: "C" is not
		// the option that reads c, the speed of light.
		if len(v) == 1 && v != bare(withoutLabel(o, i)) {
			continue
		}
		if sameText(v, o) || sameText(v, withoutLabel(o, i)) {
			return i, false
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
			if o = withoutLabel(o, k); len(o) > longest && (sameText(v, o) || beginsWith(v, o)) {
				j, longest = k, len(o)
			}
		}
	}
	switch {
	case i < 0 && j < 0 && len(options) > 0 && (hasFoldPrefix(v, "option ") || hasFoldPrefix(v, "choice ")) && len(v) > 7 && isDigit(v[7]):
		if k := int(v[7] - '0'); (len(v) == 8 || !isAlnum(v[8])) && k >= 1 && k <= n {
			return k - 1, false
		}
		return -1, false
	case i < 0:
		return j, false
	case j >= 0 && j != i:
		return i, true
	}
	return i, false
}

// leadingLetter is the option letter that v opens with, as in B, (B), B. and
// Option B: and what follows it; -1 if it opens with none. A capital that begins
// a sentence ("A decrease", "I think") is none.
func leadingLetter(v string, n int) (i int, rest string) {
	at := afterWords(v, skip(v, 0, " \n\t*"), "option", "choice", "letter", "answer", "is", "either", "most", "likely", "the", "correct", "best", "closest", "to", "be", "statement")
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
		if lower && !wrapped {
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
		if lower {
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

// lastLetter is the option whose letter a reply names last, in a form that is
// hardly anything else: (B), Option B, **B**, "is B." or B. at the start of a
// line; -1 if there is none.
func lastLetter(text string, n int) int {
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
		case before == ' ' && precededBy(text[:at-1], "option", "choice", "answer"):
		case before == ' ' && (after == '.' || after == ':' || after == '\n') && precededBy(text[:at-1], "is", "is:", "be", "be:", "are", "to", "with"):
		default:
			continue
		}
		return int(c - 'A')
	}
	return -1
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
// longest where one is part of another; -1 if there is none.
func lastText(text string, options []string) int {
	const near = 1 << 10
	if len(text) > near {
		text = text[len(text)-near:]
	}
	best, end, length := -1, 0, 0
	for i, o := range options {
		o = withoutLabel(o, i)
		if o == "" || len(o) > 200 {
			continue
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
	return best
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
