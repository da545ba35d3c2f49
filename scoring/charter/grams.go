package charter

import (
	"encoding/binary"

	"github.com/kaizen-os/deliberation/quorum"
)

// What the linear model reads of a text: its words without their endings, each
// two that stand side by side, and a few facts that the rules found. A gram is
// the hash of one or two words; it is the same on every machine.
type gram = uint32

// Texts are read in blocks of so many words. A gram counts once a block: saying
// a word ten times in one breath is no more evidence than saying it once. Two
// blocks make a window, and a text shows what its worst window does; so a long
// harmless beginning does not thin out what follows.
const blockWords = 128

// Facts that the model weighs beside the grams, as bits.
type facts uint32

const (
	refusedFact  = iota // the text, as a whole, declines
	compliesFact        // it says what those say who go on to do it
	foundFact           // and after it, by severity: something was found, more than one thing was
	numFacts     = foundFact + 2*len(ladder)
)

// read gives the facts of a text whose findings are reported.
func (s *scratch) facts(t *table, a *quorum.Assessment) (f facts) {
	if s.refuses(t) {
		f |= 1 << refusedFact
	}
	if s.holds(t, t.complies) {
		f |= 1 << compliesFact
	}
	for i := range a.Findings {
		if a.Findings[i].Clause == quorum.Privacy {
			continue // an address says nothing of the rest
		}
		k := foundFact + 2*step(a.Findings[i].Severity)
		f |= (f >> k & 1) << (k + 1)
		f |= 1 << k
	}
	return f
}

// readGrams fills grams with those of one block of words and gives how many there
// are, and the last word, for the next block; before is the last word of the block
// before, or 0. No gram is 0.
func (s *scratch) readGrams(t *table, grams *[2 * blockWords]gram, block []token, before gram) (n int, last gram) {
	for i := range block {
		w := s.wordGram(t, &block[i])
		grams[n] = w
		n++
		if before != 0 {
			grams[n] = pair(before, w)
			n++
		}
		before = w
	}
	return n, before
}

// wordGram is the gram of one word. A word of the rule table is what the table
// says, however it was spelled.
func (s *scratch) wordGram(t *table, tok *token) gram {
	if tok.word != unknownWord {
		return t.grams[tok.word]
	}
	text, at := s.folded.text, int(tok.start)
	n := stem(text[at:tok.end])
	if n > 2 && disguised(text[at:tok.end]) {
		return plainGram(text[at:tok.end])
	}
	k := key{binary.LittleEndian.Uint64(text[at : at+8])}
	switch {
	case n < 8:
		k[0] &= 1<<(8*n) - 1
	case n > 16:
		k[1] = binary.LittleEndian.Uint64(text[at+8 : at+16])
		k[2] = binary.LittleEndian.Uint64(text[at+16:at+24]) & (1<<(8*(n-16)) - 1)
	case n > 8:
		k[1] = binary.LittleEndian.Uint64(text[at+8:at+16]) & (1<<(8*(n-8)) - 1)
	}
	return k.gram()
}

// disguised reports whether w has digits in it: then they may stand for letters.
func disguised(w []byte) bool {
	for _, c := range w[:min(len(w), longestWord)] {
		if class[c] == isDigit || class[c] == isJoin && c != '\'' {
			return true
		}
	}
	return false
}

// plainGram is the gram of w with digits and signs read as the letters they stand
// for.
func plainGram(w []byte) gram {
	var as [longestWord]byte
	n := copy(as[:], w)
	for i, c := range as[:n] {
		if leet[c] != 0 {
			as[i] = leet[c]
		}
	}
	clear(as[stem(as[:n]):])
	k := keyOf(as[:])
	return k.gram()
}

// gram is the hash of a word; upper and lower case are the same to it.
func (k *key) gram() gram {
	const small = 0x2020202020202020
	return mix((k[0]|small)*0x9e3779b97f4a7c15 + (k[1]|small)*0xbf58476d1ce4e5b9 + (k[2]|small)*0x94d049bb133111eb)
}

// pair is the gram of two words, a before b.
func pair(a, b gram) gram {
	return mix(uint64(a)*0xff51afd7ed558ccd + uint64(b)*0xc4ceb9fe1a85ec53)
}

func mix(x uint64) gram {
	x ^= x >> 32
	return max(1, gram(x*0xd6e8feb86659fd93>>32))
}

// stem is the length of w without an English ending and at most longestWord. Words
// that lose too much of themselves do no harm: what counts is that forms of one
// word mostly agree.
func stem(w []byte) int {
	const small = 0x20
	n := min(len(w), longestWord)
	if n < 4 || n < len(w) {
		return n
	}
	switch last, before := w[n-1]|small, w[n-2]|small; {
	case last == 's':
		switch {
		case before == 's' || before == 'u' || before == 'i':
			return n
		case before == '\'':
			return n - 2
		case before == 'e' && n > 5 && w[n-3]|small == 'i':
			return n - 3
		case before == 'e' && n > 4:
			return n - 2
		}
		return n - 1
	case last == 'g' && before == 'n' && n > 5 && w[n-3]|small == 'i':
		return n - 3
	case last == 'd' && before == 'e' && n > 4:
		return n - 2
	case last == 'e' || last == 'y':
		return n - 1
	}
	return n
}

// indexGrams fills in what the words of the rule table are as grams.
func (t *table) indexGrams() {
	t.grams = make([]gram, len(t.vocabulary.words))
	for id := range t.grams {
		w := []byte(t.vocabulary.words[id])
		if wordID(id) == numberWord {
			w = []byte("#")
		}
		k := keyOf(w[:stem(w)])
		t.grams[id] = k.gram()
	}
}

// A Sample is what the linear model reads of one text. It is for training: it
// holds no words, and the model finds in it what it finds in the text.
type Sample struct {
	Blocks []Block
	Facts  []int // which hold, ascending, each under Facts
}

// A Block is one of the stretches that a text is read in.
type Block struct {
	Words int
	Grams []uint32 // each once, in order of appearance
}

// Facts is how many facts a model weighs.
const Facts = numFacts

// Sample reads a reply to prompt as AssessReply does.
func (s *Scorer) Sample(reply, prompt string) (sample Sample) {
	w := s.pool.take(len(reply))
	defer s.pool.give(w, len(reply))
	var a quorum.Assessment
	w.folded.fold(reply)
	w.read(s.table, &a, prompt, inReply)
	for f, k := w.facts(s.table, &a), 0; k < numFacts; k++ {
		if f>>k&1 != 0 {
			sample.Facts = append(sample.Facts, k)
		}
	}
	var grams [2 * blockWords]gram
	var last gram
	for at := 0; at < len(w.tokens); at += blockWords {
		block := w.tokens[at:min(at+blockWords, len(w.tokens))]
		var n int
		n, last = w.readGrams(s.table, &grams, block, last)
		seen := make(map[gram]bool, n)
		b := Block{Words: len(block)}
		for _, g := range grams[:n] {
			if !seen[g] {
				seen[g] = true
				b.Grams = append(b.Grams, g)
			}
		}
		sample.Blocks = append(sample.Blocks, b)
	}
	w.reset()
	return sample
}

// Topics gives, by rule, the grams of the words that its patterns look for, but
// for the most frequent of the language: what people wrote down as belonging
// together. It is for training; personal data has none.
func (s *Scorer) Topics() (topics [][]uint32) {
	t := s.table
	for k := range t.rules {
		r := &t.rules[k]
		if r.fact || r.detector != "" || r.Clause == quorum.Privacy {
			continue
		}
		var in wordSet
		for i := range t.patterns {
			if t.patterns[i].rule != k {
				continue
			}
			for _, part := range t.patterns[i].parts {
				if part.words.common > 0 {
					continue
				}
				for len(in.bits) < len(part.words.bits) {
					in.bits = append(in.bits, 0)
				}
				for j, b := range part.words.bits {
					in.bits[j] |= b
				}
			}
		}
		var grams []uint32
		for id := int(firstWord); id < len(t.grams); id++ {
			if in.has(wordID(id)) {
				grams = append(grams, t.grams[id])
			}
		}
		if grams != nil {
			topics = append(topics, grams)
		}
	}
	return topics
}
