package answer

import "strings"

// listed is from how many statements on, one below the other, they are a list of
// answers and not one that was changed: models that are shown solved questions
// first, or are asked several, repeat all of them.
const listed = 3

// below reports whether what stands between two statements only leads from one
// line to a line below.
func below(between string) bool {
	return len(between) <= 48 && strings.IndexByte(between, '\n') >= 0
}

// replaces reports whether the statement s, with the text between it and the one
// before, takes the other's place.
func replaces(text string, before, s *statement, between string) bool {
	if before == nil {
		return true
	}
	if before.rank == field && s.rank == field {
		closing, opening := braces(between)
		// The same object again, or one around it.
		if closing == 0 && opening == 0 || closing > opening {
			return true
		}
	}
	// The final answer comes after one to a part of the question.
	if before.rank == phrase && s.rank == phrase && finally(text[:s.start]) && !finally(text[:before.start]) {
		return true
	}
	return corrects(between)
}

// finally reports whether a text ends in "final": what comes is the answer.
func finally(text string) bool { return precededBy(strings.TrimRight(text, " "), "final") }

// nested reports whether s is a field within the value, or beside the object, of
// the one before it, and so no answer to the whole.
func nested(before, s *statement, between string) bool {
	if before == nil || before.rank != field || s.rank != field {
		return false
	}
	closing, opening := braces(between)
	return opening > closing
}

func braces(s string) (closing, opening int) {
	for i := range len(s) {
		switch s[i] {
		case '{', '[':
			opening++
		case '}', ']':
			closing++
		}
	}
	return closing, opening
}

// reconsidering are words by which one takes back what was said before.
var reconsidering = [...]string{"wait", "actually", "correction", "corrected", "correcting", "mistake", "mistakenly", "mistaken", "recheck", "rechecking",
	"recalculate", "recalculating", "recalculated", "reconsider", "reconsidering", "reconsidered", "reevaluate", "revise", "revised", "revising",
	"scratch", "oops", "sorry", "apologies", "apologize", "however", "rather", "hmm", "error", "reflection", "overlooked", "misread"}

// corrects reports whether the text between two statements says that the first is
// given up: "Wait, …", "No: …", "However, …".
func corrects(between string) bool {
	between = tail(between, 2<<10)
	first := true
	for i := 0; i < len(between); {
		c := between[i]
		if !isAlpha(c) {
			first = first || c == '.' || c == '\n' || c == '!' || c == '?' || c == '-'
			i++
			continue
		}
		from := i
		for i < len(between) && (isAlpha(between[i]) || between[i] == '\'') {
			i++
		}
		w := between[from:i]
		if first && equalFold(w, "no") && i < len(between) && between[i] != ' ' && between[i] != '\n' {
			return true
		}
		first = false
		if len(w) < 4 && !equalFold(w, "hmm") {
			continue
		}
		for _, cue := range reconsidering {
			if equalFold(w, cue) {
				return true
			}
		}
	}
	return false
}

// takingBack are the words that open a sentence which takes back what was said.
var takingBack = [...]string{"wait", "no wait", "correction", "scratch that", "oops", "sorry, it", "sorry, that", "on second thought", "on reflection", "on further reflection", "upon reflection", "after reflection", "actually, no", "actually no", "actually, it", "actually it",
	"i change my", "i changed my mind", "i've changed my mind", "i am changing my", "i'm changing my", "i take that back", "let me correct", "i made a mistake", "i made an error", "i misread"}

// takenBack reports whether a sentence of rest, what follows the last statement,
// opens by taking it back: "Wait, it is 6."
func takenBack(rest string) bool {
	rest = tail(rest, 2<<10)
	for i := 0; i < len(rest); i++ {
		if i > 0 && rest[i-1] != '\n' && !(rest[i-1] == ' ' && (i < 2 || isStop(rest[i-2]))) {
			continue
		}
		if takesBack(rest[i:]) {
			return true
		}
	}
	return false
}

// takesBack reports whether s opens by taking back what stands before it.
func takesBack(s string) bool {
	if s == "" {
		return false
	}
	first := s[0] | 0x20
	for i := range takingBack {
		cue := takingBack[i]
		if cue[0] != first || !hasFoldPrefix(s, cue) {
			continue
		}
		end := len(cue)
		if end < len(s) && isAlnum(s[end]) {
			continue
		}
		if cue != "wait" || end < len(s) && !isSpace(s[end]) {
			return true
		}
	}
	return false
}

func isStop(c byte) bool {
	return c == '.' || c == '!' || c == '?' || c == '\n' || c == '-' || c == ')' || c == ','
}

// revised is what a stated value becomes by what it goes on to say: the 6 of
// "5, no, 6" and of "5 - I mean 6"; "" where it says one thing only.
func revised(v string) (rest string) {
	for i := 1; i < len(v); i++ {
		if c := v[i]; c|0x20 < 'a' || c|0x20 > 'z' || isAlpha(v[i-1]) {
			continue
		}
		k := i
		for k > 0 && v[k-1] == ' ' {
			k--
		}
		if k == 0 || strings.IndexByte(",;-(.:", v[k-1]) < 0 && (k < 3 || v[k-3:k] != "—" && v[k-3:k] != "–" && v[k-3:k] != "…") {
			continue
		}
		for _, cue := range [...]struct {
			word string
			mark bool // a punctuation mark has to follow
		}{{"wait", false}, {"no", true}, {"sorry", true}, {"correction", false}, {"i mean", false}, {"make that", false}, {"actually no", true}, {"actually, no", true}, {"scratch that", false}, {"i meant", false}} {
			end := i + len(cue.word)
			if !hasFoldPrefix(v[i:], cue.word) || end >= len(v) || isAlnum(v[end]) || cue.mark && v[end] == ' ' {
				continue
			}
			rest = strings.TrimLeft(v[end:], " ,.:;-")
		}
	}
	return rest
}
