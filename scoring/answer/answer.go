package answer

import (
	"strings"

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
	switch kind {
	case quorum.Choice:
		return choice(text, options)
	case quorum.Number:
		return settle(text, number, lastNumber)
	case quorum.Short:
		return short(text)
	case quorum.JSON:
		return document(text)
	case quorum.VoteKind:
		return vote(text, reply.Stance)
	}
	return Answer{}
}

// settle picks one answer of the statements in text: the most formal that read
// can make sense of, the last of those. Where nothing formal is stated, last is
// asked for a guess.
func settle(text string, read func(value string) (key, shown string), last func(text string) (key, shown string)) (a Answer) {
	var found statements
	found.find(text)
	best := none
	formal := false
	for i := range found.n {
		s := &found.list[i]
		formal = formal || s.rank > phrase
		if best != none && s.rank == phrase && best != phrase {
			continue // "the answer is" on the way to a formal answer is reasoning
		}
		key, shown := read(s.value)
		switch {
		case key == "":
		case best == none:
			a.Key, a.Shown, best = key, shown, s.rank
		case key != a.Key:
			a.Ambiguous = true
			if s.rank > best {
				a.Key, a.Shown, best = key, shown, s.rank
			}
		case s.rank > best:
			best = s.rank
		}
	}
	// A formal answer that is none of the kind ("no solution") is no reason to
	// guess another.
	if best == none && !formal {
		a.Key, a.Shown = last(text)
	}
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
		if i, _ := pick(value, options, len(options)); i >= 0 {
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
