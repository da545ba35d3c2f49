package charter

import (
	"bytes"
	"encoding/binary"
)

// A wordID names a word of the rule table.
type wordID uint16

const (
	unknownWord wordID = iota
	numberWord         // any run of digits; "#" in a pattern
	firstWord
)

// A vocabulary finds the rule table's words. Open addressing, at most a
// quarter full: most words of a text that are not in it are told so by one look
// at one slot.
type vocabulary struct {
	words []string // by wordID
	slips []slip   // misspellings, numbered on from the words
	keys  []key    // of words, then of slips
	means []wordID // of words, themselves; then of slips
	slots []wordID
	shift uint // leaves as many bits of a hash as number the slots

	single  [256]wordID // words of one byte
	strokes *strokes    // words with i or l
}

// strokes finds words in which an i cannot be told from an l. Of several that
// look alike then, the first is found.
type strokes struct {
	written vocabulary // the words with 1 for both
	ids     []wordID   // by those
}

func (s *strokes) lookup(w *[longestWord]byte) wordID { return s.ids[s.written.lookupIn(w)] }

// A slip is a common misspelling of a word.
type slip struct {
	spelt string
	word  wordID
}

// A key is a word's lower case bytes, eight to a number, zeros behind: so that a
// word is compared in one step or two, and hashed as fast.
type key [longestWord / 8]uint64

func keyOf(w []byte) key {
	var b [longestWord]byte
	copy(b[:], w)
	return keyIn(&b)
}

// keyIn is the key of a word with zeros behind it.
func keyIn(b *[longestWord]byte) key {
	return key{binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:16]), binary.LittleEndian.Uint64(b[16:])}
}

func newVocabulary() *vocabulary { return &vocabulary{words: make([]string, firstWord)} }

// seal builds what words are found by, once all are in.
func (v *vocabulary) seal() {
	v.index()
	v.strokes = &strokes{written: *newVocabulary(), ids: make([]wordID, firstWord)}
	seen := map[string]bool{}
	for id := int(firstWord); id < len(v.words); id++ {
		if w := []byte(v.words[id]); bytes.ContainsAny(w, "il") {
			for i, c := range w {
				if c == 'i' || c == 'l' {
					w[i] = '1'
				}
			}
			if as := string(w); !seen[as] {
				seen[as] = true
				v.strokes.written.words = append(v.strokes.written.words, as)
				v.strokes.ids = append(v.strokes.ids, wordID(id))
			}
		}
	}
	v.strokes.written.index()
	for c := range v.single {
		if class[c] == isDigit {
			v.single[c] = numberWord
		} else {
			v.single[c] = v.lookup([]byte{lower[c]})
		}
	}
}

// index builds the slots.
func (v *vocabulary) index() {
	size := 64
	v.shift = 64 - 6
	for size < 4*(len(v.words)+len(v.slips)) {
		size *= 2
		v.shift--
	}
	v.slots = make([]wordID, size)
	v.keys = make([]key, firstWord, len(v.words)+len(v.slips))
	v.means = make([]wordID, firstWord, cap(v.keys))
	for id, w := range v.words[firstWord:] {
		v.put(w, wordID(id)+firstWord)
	}
	for _, s := range v.slips {
		if v.lookup([]byte(s.spelt)) == unknownWord {
			v.put(s.spelt, s.word)
		}
	}
}

// put gives spelt the next number, and the meaning of word.
func (v *vocabulary) put(spelt string, word wordID) {
	k := keyOf([]byte(spelt))
	i := v.start(&k)
	for v.slots[i] != unknownWord {
		i = (i + 1) & (len(v.slots) - 1)
	}
	v.slots[i] = wordID(len(v.keys))
	v.keys = append(v.keys, k)
	v.means = append(v.means, word)
}

// start is the first slot to look at: the top bits of a product depend on all of
// a word's.
func (v *vocabulary) start(k *key) int {
	return int((k[0]*0x9e3779b97f4a7c15 + k[1]*0xbf58476d1ce4e5b9 + k[2]*0x94d049bb133111eb) >> v.shift)
}

func (v *vocabulary) find(k *key) wordID {
	for i := v.start(k); ; i++ {
		id := v.slots[i&(len(v.slots)-1)]
		if id == unknownWord || v.keys[id] == *k {
			return v.means[id]
		}
	}
}

// lookupIn is lookup of a word with zeros behind it.
func (v *vocabulary) lookupIn(w *[longestWord]byte) wordID {
	k := keyIn(w)
	return v.find(&k)
}

func (v *vocabulary) lookup(w []byte) wordID {
	k := keyOf(w)
	return v.find(&k)
}

// From these lengths on, a word's misspellings are told from other words.
const (
	shortestSwap = 4
	shortestDrop = 5
)

// slipsOf gives the misspellings of w that leave it readable: an inner vowel
// left out, or two letters after the first changed about.
func slipsOf(w string) (all []string) {
	if len(w) < shortestSwap || len(w) > longestWord {
		return nil
	}
	for i := 1; i < len(w)-1; i++ {
		switch w[i] {
		case 'a', 'e', 'i', 'o', 'u':
			if len(w) >= shortestDrop {
				all = append(all, w[:i]+w[i+1:])
			}
		}
		if w[i] != w[i+1] {
			all = append(all, w[:i]+w[i+1:i+2]+w[i:i+1]+w[i+2:])
		}
	}
	return all
}
