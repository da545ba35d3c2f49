package charter

// fewestSpaced is from how many letters on a run of single ones may be a word
// spelled apart: "s c u m", "f-u-c-k". Two are more often a name and an article.
const fewestSpaced = 3

// joinSpaced makes one token of the letters of a word that is spelled apart, if
// the rules know that word. A word of one letter at either end of the run, "are a
// s c u m", is left out of it. One pass, in place.
func (s *scratch) joinSpaced(t *table) {
	tokens := s.tokens
	for i := range tokens {
		if tokens[i].end-tokens[i].start == 1 && s.spacedAt(i) >= fewestSpaced {
			s.joinFrom(t, i)
			return
		}
	}
}

// joinFrom is joinSpaced from the first token that begins such a run.
func (s *scratch) joinFrom(t *table, i int) {
	tokens, kept := s.tokens, i // kept: of the tokens so far
	for i < len(tokens) {
		n := s.spacedAt(i)
		first, until, word := i, i+n, unknownWord
		if n >= fewestSpaced {
			first, until, word = s.spelled(t, i, i+n)
		}
		if word == unknownWord {
			kept += copy(tokens[kept:], tokens[i:i+n])
			i += n
			continue
		}
		kept += copy(tokens[kept:], tokens[i:first])
		whole := tokens[first]
		whole.end, whole.word = tokens[until-1].end, word
		s.sentences[whole.sentence] |= word.trait()
		tokens[kept] = whole
		kept++
		i = until
	}
	s.tokens = tokens[:kept]
}

// spelled looks for the word that the single letters from token first to before
// until spell, all of them or without one at an end.
func (s *scratch) spelled(t *table, first, until int) (int, int, wordID) {
	for _, cut := range [...][2]int{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
		from, to := first+cut[0], until-cut[1]
		if to-from < fewestSpaced {
			break
		}
		if word := s.joined(t, from, to-from); word != unknownWord {
			return from, to, word
		}
	}
	return first, until, unknownWord
}

// spacedAt counts the tokens from i on that are single letters of one sentence
// with one byte between each and the next.
func (s *scratch) spacedAt(i int) int {
	n := 0
	for k := i; k < len(s.tokens); k++ {
		tok := &s.tokens[k]
		if tok.end-tok.start != 1 || class[s.folded.text[tok.start]] != isLetter ||
			k > i && (tok.start-s.tokens[k-1].end != 1 || tok.sentence != s.tokens[i].sentence) {
			break
		}
		n++
	}
	return max(n, 1)
}

// joined looks up the word that n single letters from token i on spell.
func (s *scratch) joined(t *table, i, n int) wordID {
	if n > longestWord {
		return unknownWord
	}
	var w [longestWord]byte
	for k := range n {
		w[k] = lower[s.folded.text[s.tokens[i+k].start]]
	}
	return t.vocabulary.lookup(w[:n])
}
