package answer

import (
	"encoding/binary"
	"unicode"
	"unicode/utf8"
)

// Words is what one text says: its words that carry something, each once, folded
// to hashes, with what is known of their place. The zero value is empty and ready
// for [Words.Read]; reading again reuses its memory. A Words is not safe for
// concurrent use.
type Words struct {
	list  []word   // in order of first appearance
	index []uint16 // open addressing over list, 1-based; a power of two long

	count  int  // words of the whole text
	lead   int8 // +1 when it opens with yes, -1 with no
	hedges int  // clauses that say the writer does not know
	said   int  // core words in the others

	asked bool   // there was a question
	main  uint16 // the first sentence with a core word

	// Scratch of Similarities.
	id     []uint32   // by word: its number in the panel's vocabulary
	bands  []band     // of the words that other texts have too
	facts  []uint16   // where names, figures and dates stand in list
	units  []uint16   // where figures with a unit stand in list
	length [64]uint16 // by sentence: its words
	sum    side       // of all words
	all    vocabulary // used of the first reply of a panel only
}

// maxWords bounds the distinct words that are kept of one text; what comes later
// is counted and no more.
const maxWords = 2048

// The bits of a word.
const (
	asked   uint16 = 1 << iota // stands in the question
	name                       // capitalised within a sentence
	opener                     // capitalised, but so is every sentence's first word
	figure                     // a number
	year                       // a number that reads as one
	dated                      // a month or a weekday
	affirms                    // stands in an affirmation
	denies                     // stands in a negation
	alias                      // the initials of a name: found by, never counted
	higher                     // more than this
	lower                      // less than this

	hard = name | opener | figure | dated
)

// A word stands for all places of one word in a text; what is known of its
// neighbours is of the first.
type word struct {
	hash        uint64
	left, right uint32 // what stands before it and the word behind it; 0 for nothing telling
	unit        uint32 // behind a figure
	sentence    uint16
	bits        uint16
}

// Count is how many words the whole text has, repetitions and all.
func (w *Words) Count() int { return w.count }

// Hedge reports whether the text says, in place of an answer, that there is none
// to give: "I don't know", "it cannot be determined".
func (w *Words) Hedge() bool { return w.hedges > 0 && w.said < 2 }

// Read makes w what text says. Words that question has too are marked, since to
// repeat the question says nothing; question may be nil, and is only read.
//
// It takes time linear in the text and allocates only to grow w's buffers.
func (w *Words) Read(text string, question *Words) {
	w.list = w.list[:0]
	if w.index == nil {
		w.index = make([]uint16, 512)
	}
	clear(w.index)
	w.count, w.lead, w.hedges, w.said = 0, 0, 0, 0
	w.asked, w.main = question != nil && len(question.list) > 0, 0
	r := reader{w: w, question: question, text: text}
	r.read()
	for i := range w.list {
		if w.list[i].bits&(asked|alias) == 0 {
			w.main = w.list[i].sentence
			break
		}
	}
}

// find returns where hash stands in w.list, or -1.
func (w *Words) find(hash uint64) int {
	if len(w.list) == 0 {
		return -1
	}
	mask := uint64(len(w.index) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		at := w.index[i]
		if at == 0 {
			return -1
		}
		if w.list[at-1].hash == hash {
			return int(at - 1)
		}
	}
}

// add keeps v, or adds what it says to the same word's earlier place. It returns
// where the word stands, or -1 when there is no more room.
func (w *Words) add(v word) int {
	mask := uint64(len(w.index) - 1)
	i := v.hash & mask
	for ; w.index[i] != 0; i = (i + 1) & mask {
		at := int(w.index[i] - 1)
		if w.list[at].hash == v.hash {
			old := &w.list[at]
			if v.bits&alias == 0 {
				old.bits = old.bits&^alias | v.bits
			}
			if old.unit == 0 {
				old.unit = v.unit
			}
			return at
		}
	}
	if len(w.list) == maxWords {
		return -1
	}
	w.list = append(w.list, v)
	w.index[i] = uint16(len(w.list))
	if 2*len(w.list) > len(w.index) {
		w.grow()
	}
	return len(w.list) - 1
}

func (w *Words) grow() {
	size := 2 * len(w.index)
	if cap(w.index) >= size {
		w.index = w.index[:size]
		clear(w.index)
	} else {
		w.index = make([]uint16, size)
	}
	mask := uint64(size - 1)
	for k := range w.list {
		i := w.list[k].hash & mask
		for w.index[i] != 0 {
			i = (i + 1) & mask
		}
		w.index[i] = uint16(k + 1)
	}
}

// The hash of a word is of its folded letters, eight at a time, never 0.
const (
	hashSeed  uint64 = 0x9e3779b97f4a7c15
	hashPrime uint64 = 0xbf58476d1ce4e5b9
)

// longest is how many bytes of a word are read.
const longest = 48

// foldedWord holds one folded word, with room behind it: what is looked at in eights
// is masked, not copied.
type foldedWord [longest + 16]byte

// hash is that of the first n bytes. Up to sixteen, as nearly all words are, it
// takes the same steps for any n: a branch on a word's length would be mistaken
// every other time, which costs more than the step.
func (b *foldedWord) hash(n int) uint64 {
	keep := &keeps[n]
	h := (hashSeed ^ uint64(n) ^ binary.LittleEndian.Uint64(b[:])&keep[0]) * hashPrime
	h ^= h >> 29
	h = (h ^ binary.LittleEndian.Uint64(b[8:])&keep[1]) * hashPrime
	for at := 16; at < n; at += 8 {
		h ^= h >> 29
		h = (h ^ binary.LittleEndian.Uint64(b[at:])&(1<<(8*(n-at))-1)) * hashPrime
	}
	return h ^ h>>32 | 1
}

// keeps masks, by a word's length, its first and second eight bytes.
var keeps = func() (t [longest + 1][2]uint64) {
	for n := range t {
		t[n] = [2]uint64{1<<(8*n) - 1, 1<<(8*max(n-8, 0)) - 1}
	}
	return t
}()

func hashBytes(b []byte) uint64 {
	var l foldedWord
	return l.hash(copy(l[:longest], b))
}

func hashWord(s string) uint64 { return hashBytes([]byte(s)) }
func hashStem(s string) uint64 { return hashBytes(stem([]byte(s))) }

// hashNumber is the hash of a figure: of its digits without the zeros at their
// end, and of its power of ten.
func hashNumber(n int) uint64 {
	exp := 0
	for n != 0 && n%10 == 0 {
		n /= 10
		exp++
	}
	return hashFigure(uint64(n), exp)
}

func hashFigure(mantissa uint64, exp int) uint64 {
	if mantissa == 0 {
		exp = 0
	}
	h := (mantissa ^ 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9
	h ^= h>>27 ^ uint64(exp+512)*0x94d049bb133111eb
	h *= hashPrime
	return h ^ h>>31 | 1
}

func pairHash(a, b uint64) uint64 {
	h := (a ^ b>>7 ^ b<<13) * hashPrime
	return h ^ h>>31 | 1
}

// stem cuts the endings of English inflection, as a light stemmer does: what is
// left need not be a word, only the same for all forms of one.
//
// How words end is as good as chance to a processor, so the endings that are
// frequent are cut by arithmetic, and only the rare ones by branches.
func stem(b []byte) []byte {
	n := len(b)
	if n < 4 {
		return b
	}
	end := ending(b, n)
	s := one(end>>24 == 's') & one(end>>16&0xff != 's') & one(end>>16&0xff != 'i')
	last := end >> (8 - 8*s) & 0xffffff // three letters, but for the s
	if end>>16 == es || last == ied {
		return stemRare(b)
	}
	n -= s
	verb := one(last == ing)&one(n > 5) | one(last>>8 == ed)&one(n > 4)
	n -= verb*2 + verb&one(last == ing) + 2*(one(last>>8 == ly)&one(n > 5))
	c := b[n-1]
	n -= verb & one(n > 3) & one(c == b[n-2]) & one(c != 'l') & one(c != 's') & one(c != 'e') // stopped
	n -= one(n > 3) & one(b[n-1] == 'e')
	return b[:n]
}

// one is 1 for true.
func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

// stemRare is stem for any ending.
func stemRare(b []byte) []byte {
	n := len(b)
	if b[n-1] == 's' {
		switch end := ending(b, n); {
		case end>>8 == ies && n > 4:
			b[n-3] = 'y'
			n -= 2
		case n > 4 && (end == sses || end == shes || end == ches), end>>8 == xes, end>>8 == zes:
			n -= 2
		case b[n-2] != 's' && b[n-2] != 'i':
			n--
		}
	}
	if n > 4 {
		switch end := ending(b, n); {
		case end>>8 == ied:
			b[n-3] = 'y'
			n -= 2
		case end>>8 == ing && n > 5, end>>16 == ed:
			if b[n-1] == 'g' {
				n--
			}
			n -= 2
			if n > 3 && b[n-1] == b[n-2] && b[n-1] != 'l' && b[n-1] != 's' && b[n-1] != 'e' {
				n-- // stopped
			}
		case end>>16 == ly && n > 5:
			n -= 2
		}
	}
	if n > 3 && b[n-1] == 'e' {
		n--
	}
	return b[:n]
}

// prefixed is the length of the prefix that denies the rest of a folded word, as in
// unsafe and impassable, or 0. Only words that look like adjectives have one.
func prefixed(b []byte) int {
	if len(b) < 7 || b[0] != 'u' && b[0] != 'i' && b[0] != 'n' {
		return 0
	}
	n := 2
	switch string(b[:2]) {
	case "un":
		if b[2] == 'i' || string(b[2:5]) == "der" {
			return 0 // unite, under
		}
		return n
	case "in":
	case "im":
		if b[2] != 'p' && b[2] != 'm' && b[2] != 'b' {
			return 0
		}
	case "ir", "il":
		if b[2] != b[1] {
			return 0
		}
	case "no":
		if b[2] != 'n' {
			return 0
		}
		n = 3
	default:
		return 0
	}
	switch string(b[len(b)-2:]) {
	case "le", "al", "nt", "te", "ve", "us", "ic", "ar", "se", "ct", "ed":
		return n
	}
	return 0
}

// foldTable maps ASCII letters to lower case, digits to themselves, all else to 0.
var foldTable = func() (t [256]byte) {
	for c := range 256 {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			t[c] = byte(c)
		case c >= 'A' && c <= 'Z':
			t[c] = byte(c) | 0x20
		}
	}
	return t
}()

// ideograph reports whether r is a word by itself, in scripts without spaces.
func ideograph(r rune) bool {
	return r >= 0x3040 && r <= 0x9fff || r >= 0xac00 && r <= 0xd7a3 || r >= 0x20000 && r <= 0x323af
}

// letter decodes the rune s opens with and says whether it belongs to a word.
func letter(s string) (r rune, n int, ok bool) {
	r, n = utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n <= 1 {
		return r, 1, false
	}
	return r, n, unicode.IsLetter(r) || unicode.Is(unicode.Mn, r) || unicode.IsDigit(r)
}
