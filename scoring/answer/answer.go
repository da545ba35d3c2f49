package answer

import (
	"strings"
	"unicode/utf8"

	"github.com/kaizen-os/deliberation/quorum"
)

// An Answer is what a reply of a closed kind comes to.
type Answer struct {
	// Key is canonical: equal for equal answers and for no others. It is ""
	// when no answer was found. A choice's is the option's letter, or its
	// text beyond Z; a vote's is "approve" or "reject".
	Key string
	// Shown is the answer as a person would read it: the option as it was
	// given, "42".
	Shown string
	// Stance is set for votes only. An abstention has a stance and no key.
	Stance quorum.Stance
	// Ambiguous says that the reply states more than one final answer. Key
	// is then the one the reply gives most formally, and last.
	Ambiguous bool
}

// Extract finds the answer that reply gives to a question of a closed kind.
// Options are the texts of a choice, in order; when there are none the letters A
// to J are taken to be the options. A kind that is not closed has no answer. The
// result does not keep options or reply, but may share the memory of their
// strings.
func Extract(kind quorum.Kind, options []string, reply *quorum.Reply) Answer {
	text := reply.Text
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	if kind == quorum.Number || kind == quorum.Short { // elsewhere strings are exact: options, JSON
		text = commonSpaces(text)
	}
	switch kind {
	case quorum.Choice:
		return choice(text, options)
	case quorum.Number:
		return settle(text, func(value string) (f finding) {
			f.key, f.shown = number(value)
			f.doubtful = between(value)
			return f
		}, func(text string) (f finding) {
			f.key, f.shown = lastNumber(text)
			f.doubtful = between(text)
			return f
		})
	case quorum.Short:
		return short(text)
	case quorum.JSON:
		return document(text)
	case quorum.VoteKind:
		return vote(text, reply.Stance)
	}
	return Answer{}
}

// commonSpaces is text with a blank in place of each white space that no answer is
// told apart by and that is rare, so that what reads it need know only the common
// ones.
func commonSpaces(text string) string {
	if !hasRareSpace(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if rareSpace(r) {
			return ' '
		}
		return r
	}, text)
}

func rareSpace(r rune) bool {
	switch r {
	case '\v', '\f', 0x85, 0x1680, 0x2028, 0x2029, 0x205f, 0x3000:
		return true
	}
	return r >= 0x2000 && r <= 0x200a && r != 0x2009
}

// hasRareSpace looks at the bytes that may begin one, by a search that takes many
// bytes at a time: hardly any reply has one.
func hasRareSpace(text string) bool {
	if strings.IndexByte(text, '\v') >= 0 || strings.IndexByte(text, '\f') >= 0 {
		return true
	}
	for _, first := range [...]byte{0xc2, 0xe1, 0xe2, 0xe3} {
		for at := 0; ; {
			n := strings.IndexByte(text[at:], first)
			if n < 0 {
				break
			}
			at += n
			if r, _ := utf8.DecodeRuneInString(text[at:]); rareSpace(r) {
				return true
			}
			at++
		}
	}
	return false
}

// A finding is what one statement, or the end of a text, comes to: the key of its
// answer and how it is shown. Several holds the letters of options where it names
// more than one and so decides nothing; the key is then the first of them.
type finding struct {
	key, shown string
	several    string
	doubtful   bool // what it says does not fit together
}

// settle picks one answer of the statements in text: the most formal that read
// can make sense of, the last of those. Where nothing formal is stated, last is
// asked for a guess.
//
// Statements that differ make the answer ambiguous, but for those that it is
// plain were given up: reasoning on the way to a formal answer, what is taken
// back ("wait, …"), a member of an object that comes again, and lists of answers
// to several questions, of which the last answers the one that was asked.
func settle(text string, read, last func(value string) finding) Answer {
	var found statements
	found.find(text)
	return found.settle(text, read, last)
}

func (found *statements) settle(text string, read, last func(value string) finding) (a Answer) {
	best, formal := none, found.cut
	open := finding{} // several options named at once
	doubtful := false
	row := 0 // statements one below the other
	var before *statement
	for i := found.n - 1; i >= 0; i-- {
		s := &found.list[i]
		between := ""
		if before != nil && before.end() < s.from {
			between = text[before.end():s.from]
		}
		if nested(before, s, between) {
			continue
		}
		formal = formal || s.rank > phrase
		f := finding{}
		if s.rank == phrase {
			if v := revised(s.value); v != "" {
				f = read(v)
			}
		}
		if f.key == "" {
			f = read(s.value)
		}
		row++
		if before == nil || !below(between) {
			row = 1
		}
		switch {
		case f.key == "":
		case f.several != "":
			if best == none || !strings.Contains(f.several, a.Key) {
				open = f
			}
		case best == none || f.key == a.Key:
			if s.rank > best {
				a.Key, a.Shown, best = f.key, f.shown, s.rank
			}
			doubtful = f.doubtful
			open = finding{}
			a.Ambiguous = a.Ambiguous && row < listed
		default:
			given := replaces(text, before, s, between)
			switch {
			case given || s.rank >= best:
				a.Ambiguous = !given && !(best == phrase && s.rank > phrase) && row < listed
				a.Key, a.Shown, best = f.key, f.shown, s.rank
				doubtful = f.doubtful
				open = finding{}
			case s.rank == phrase && best > phrase && (strings.Contains(s.value, a.Shown)):
				// It only explains the formal answer.
			default:
				a.Ambiguous = true
			}
		}
		before = s
	}
	switch {
	case open.key != "" && best == none:
		return Answer{Key: open.key, Shown: open.shown, Ambiguous: true}
	case open.key != "":
		a.Ambiguous = true
	case best == none && !formal:
		// A formal answer that is none of the kind ("no solution") is no reason
		// to guess another.
		f := last(text)
		a.Key, a.Shown, a.Ambiguous = f.key, f.shown, f.several != "" || f.doubtful
	case best == phrase && takenBack(text[before.end():]):
		// What it is now is said in as many words, or not at all.
		f, rest := finding{}, strings.Trim(text[before.end():], " .,;:!-\n")
		if len(rest) <= 3*plainLimit && (rest[0]|0x20 != 'i' || hasFoldPrefix(rest, "i change my answer")) { // not "I made a mistake"
			f = last(rest)
		}
		if f.key == "" || f.several != "" || f.doubtful {
			a.Ambiguous = true
			break
		}
		a.Key, a.Shown, a.Ambiguous, doubtful = f.key, f.shown, false, false
	}
	a.Ambiguous = a.Ambiguous || doubtful
	return a
}

// plainLimit is the most characters a reply may have to be, as a whole, an
// answer and nothing else (DESIGN §4.2).
const plainLimit = 40

// Plain reports whether reply shows a closed kind by its form alone, an answer
// field, ####, \boxed{} or a whole reply of at most 40 characters, and which:
// choice where there are options and it is one of them, number where it reads as
// one, else short.
func Plain(reply string, options []string) (quorum.Kind, bool) {
	whole := strings.TrimSpace(reply)
	var found statements
	found.find(whole)
	var value string
	formal := false
	best := phrase
	for i := range found.n {
		if s := &found.list[i]; s.rank > best {
			best, value, formal = s.rank, s.value, true
		}
	}
	if !formal {
		if whole == "" || len(whole) > 4*plainLimit || runes(whole) > plainLimit {
			return quorum.Auto, false
		}
		value = whole
		if found.n > 0 {
			value = found.list[0].value
		} else if says(whole) {
			return quorum.Auto, false
		}
	}
	value = bare(value)
	if value == "" || evades(value) {
		return quorum.Auto, false
	}
	if len(options) > 0 {
		if i, _, _ := pick(value, options, len(options)); i >= 0 {
			return quorum.Choice, true
		}
	}
	if readsAsNumber(value) {
		return quorum.Number, true
	}
	return quorum.Short, true
}

// says reports whether a few words are a sentence about something: then they are
// text, to be compared by what they say, and not an answer to be compared whole.
func says(s string) bool {
	for word := range strings.FieldsSeq(s) {
		switch strings.ToLower(strings.Trim(word, ".,:;!?'\"")) {
		case "is", "are", "was", "were", "am", "i", "it's", "that's", "i'm", "think", "believe":
			return true
		}
	}
	return false
}

// runes counts characters without failing on what is not UTF-8.
func runes(s string) (n int) {
	for range s {
		n++
	}
	return n
}
