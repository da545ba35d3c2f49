package charter

import "math/bits"

// at tries p with its anchor part at token a, and gives the first and last
// token of the shortest match.
//
// reach holds, as bits relative to a, the tokens that the part before can end
// at; so the work is bounded by the pattern's span however many ways there are
// to match it.
func (p *pattern) at(tokens []token, a int) (first, last int, ok bool) {
	lastSentence := tokens[a].sentence + p.across
	last = a
	if reach := uint64(1); p.anchor+1 < len(p.parts) {
		for _, part := range p.parts[p.anchor+1:] {
			var next uint64
			for at := smear(reach, part.gap); at != 0; at &= at - 1 {
				i := bits.TrailingZeros64(at)
				if a+i >= len(tokens) || tokens[a+i].sentence > lastSentence {
					break
				}
				if part.words.has(tokens[a+i].word) {
					next |= 1 << i
				}
			}
			if next == 0 {
				return 0, 0, false
			}
			reach = next
		}
		last = a + bits.TrailingZeros64(reach)
	}
	firstSentence := tokens[last].sentence - p.across
	first = a
	reach := uint64(1)
	for k := p.anchor - 1; k >= 0; k-- {
		var next uint64
		for at := smear(reach, p.parts[k+1].gap); at != 0; at &= at - 1 {
			i := bits.TrailingZeros64(at)
			if a-i < 0 || tokens[a-i].sentence < firstSentence {
				break
			}
			if p.parts[k].words.has(tokens[a-i].word) {
				next |= 1 << i
			}
		}
		if next == 0 {
			return 0, 0, false
		}
		reach = next
	}
	if p.opening {
		for at := reach; at != 0; at &= at - 1 {
			i := a - bits.TrailingZeros64(at)
			if i == 0 || tokens[i-1].sentence != tokens[i].sentence {
				return i, last, true
			}
		}
		return 0, 0, false
	}
	return a - bits.TrailingZeros64(reach), last, true
}

// smear gives the places one to gap+1 beyond each place in reach.
func smear(reach uint64, gap int) uint64 {
	var to uint64
	for i := 0; i <= gap; i++ {
		reach <<= 1
		to |= reach
	}
	return to
}

// matchRules tries every pattern at every word that may anchor it.
func (s *scratch) matchRules(t *table, in scope) {
	quiet := 0 // nothing has come of any word from this one on
	for i := 0; i < len(s.tokens); i++ {
		if i%repeatEvery == 0 && i > 0 {
			if i = repeated(s.tokens, i, quiet); i == len(s.tokens) {
				return
			}
		}
		if list := t.anchored[s.tokens[i].word]; len(list) > 0 && s.matchAt(t, in, i, list) {
			quiet = i + 1
		}
	}
}

// matchAt tries the patterns of list, which token i anchors, and reports whether
// anything came of it.
func (s *scratch) matchAt(t *table, in scope, i int, list []anchored) (any bool) {
	for _, a := range list {
		if a.wants&s.sentences[s.tokens[i].sentence] == 0 {
			continue
		}
		p := &t.patterns[a.pattern]
		r := &t.rules[p.rule]
		h := &s.held[p.rule]
		if r.scope&in == 0 || h.full(r, p.bit) || h.anywhere && s.undoneAt(h, i) {
			continue
		}
		first, last, ok := p.at(s.tokens, i)
		if !ok {
			continue
		}
		if !h.touched {
			h.touched = true
			s.touched = append(s.touched, p.rule)
		}
		if s.undone(t, r, h, first, last) {
			continue
		}
		any = true
		if r.detector != "" {
			s.announced(r.detector, int(s.tokens[last].end))
			continue
		}
		h.add(r, p.bit, first, last)
	}
	return any
}

// sentenceReach bounds how far from a match its sentence is searched.
const sentenceReach = 40

// undone reports whether the sentence around tokens first to last, or any they
// run over, takes the match back: it negates it, or holds one of the rule's
// unless patterns. What did so last time is looked at first, so that a text of
// nothing but undone matches costs no more than others.
func (s *scratch) undone(t *table, r *rule, h *held, first, last int) bool {
	if r.always && len(r.unless) == 0 {
		return false
	}
	opens, closes := s.tokens[first].sentence, s.tokens[last].sentence
	from, to := max(0, first-sentenceReach), min(len(s.tokens), last+1+sentenceReach)
	if u := int(h.undoer) - 1; u >= from && u < to && s.tokens[u].sentence >= opens && s.tokens[u].sentence <= closes && (u < first || h.anywhere) {
		return true
	}
	for i := from; i < to; i++ {
		tok := &s.tokens[i]
		if tok.sentence < opens || tok.sentence > closes || tok.word == unknownWord {
			continue
		}
		if !r.always && (i < first && t.negation.has(tok.word) || (i < first || i > last) && t.verdict.has(tok.word)) && !s.rhetorical(t, i) {
			h.undoer, h.anywhere = int32(i+1), false
			return true
		}
		for _, k := range r.unless {
			p := &t.patterns[k]
			if p.parts[p.anchor].words.has(tok.word) {
				if _, _, ok := p.at(s.tokens, i); ok {
					h.undoer, h.anywhere = int32(i+1), true
					return true
				}
			}
		}
	}
	return false
}

// undoneAt reports whether h's undoer, which need not stand before a match, takes
// back all matches over token i, before any is looked for.
func (s *scratch) undoneAt(h *held, i int) bool {
	u := int(h.undoer) - 1
	return u >= i-sentenceReach && u <= i+sentenceReach && s.tokens[u].sentence == s.tokens[i].sentence
}

// rhetorical reports whether token i, a negation or a verdict, only sounds like
// one: "isn't it clear that" says that it is.
func (s *scratch) rhetorical(t *table, i int) bool {
	for _, k := range t.rhetoric {
		p := &t.patterns[k]
		if p.parts[p.anchor].words.has(s.tokens[i].word) {
			if _, _, ok := p.at(s.tokens, i); ok {
				return true
			}
		}
	}
	return false
}

// held is what one rule has matched in the text so far.
type held struct {
	touched   bool   // it is in the scratch's list
	undoer    int32  // the token that took the last match back, counted from 1
	anywhere  bool   // it need not stand before the match
	different uint64 // patterns seen
	n         int32  // spans kept
	spans     [mostSpans]span
}

// mostSpans bounds what any rule keeps of one text.
const mostSpans = 8

// span is a stretch of the folded text.
type span struct{ start, end int32 }

// full reports whether another match of the pattern with this bit would tell
// nothing new.
func (h *held) full(r *rule, bit uint) bool {
	return int(h.n) >= r.most && (r.least == 1 || h.different>>bit&1 != 0)
}

// add notes a match over tokens first to last; made a span of bytes later.
func (h *held) add(r *rule, bit uint, first, last int) {
	h.different |= 1 << bit
	if int(h.n) < r.most {
		h.spans[h.n] = span{int32(first), int32(last)}
		h.n++
	}
}
