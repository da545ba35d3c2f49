package charter

// Texts made to be slow say a few words over and over. What rules find at a word
// depends on the words around it only; so where these are the same as a while
// before, and nothing came of it then, nothing comes of it now, and no pattern
// need be tried again.

// matchReach is how many words to either side of a word decide what is found at
// it: a match over it may run so far, what undoes that match may stand so far
// from it, and be a match in turn; and one more word tells whether a sentence
// opens there.
const matchReach = longestSpan + sentenceReach + longestSpan

const (
	// repeatEvery is after how many words it is seen whether they repeat others,
	// so that in other texts this costs next to nothing.
	repeatEvery = 2 * matchReach
	// longestUnit is the most words that are taken for a unit said again.
	longestUnit = 64
	// mostCompared bounds how many words are compared until a unit is found.
	mostCompared = 4 * matchReach
)

// repeated gives the end of the stretch of tokens from i on of which each stands
// among the same words as one, a unit before, of those since quiet: no token since
// then has had anything come of it. It is i where there is no such stretch.
func repeated(tokens []token, i, quiet int) int {
	compared := 0
	for unit := 1; unit <= longestUnit && i-unit >= max(quiet, matchReach) && compared < mostCompared; unit++ {
		// Both counts of sentences run on side by side.
		apart := tokens[i].sentence - tokens[i-unit].sentence
		from, end := i, i
		for from > i-matchReach && again(tokens, from-1, unit, apart) {
			from--
		}
		if compared += i - from; from > i-matchReach {
			continue
		}
		for end < len(tokens) && again(tokens, end, unit, apart) {
			end++
		}
		if end-matchReach > i {
			return end - matchReach
		}
		compared += end - i
	}
	return i
}

// again reports whether token i is the one a unit before, so many sentences apart.
func again(tokens []token, i, unit int, apart int32) bool {
	is, was := &tokens[i], &tokens[i-unit]
	return is.word == was.word && is.sentence-was.sentence == apart
}
