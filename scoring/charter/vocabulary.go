package charter

// A wordID names a word of the rule table.
type wordID uint16

const (
	unknownWord wordID = iota
	numberWord         // any run of digits; "#" in a pattern
	firstWord
)

// A vocabulary finds the rule table's words. Open addressing, at most a
// quarter full: nearly every word of a text is not in it, and is told so by
// one look at one slot.
type vocabulary struct {
	words []string // by wordID
	slots []slot
}

type slot struct {
	hash hash
	id   wordID
}

// hash is FNV-1a over a word's lower case bytes, 32 bits: made while the word
// is read. A hit is always compared, so a collision costs time only.
type hash uint32

const hashSeed hash = 2166136261

func (h hash) add(c byte) hash { return (h ^ hash(c)) * 16777619 }

func newVocabulary() *vocabulary { return &vocabulary{words: make([]string, firstWord)} }

// seal builds the slots once all words are in.
func (v *vocabulary) seal() {
	size := 64
	for size < 4*len(v.words) {
		size *= 2
	}
	v.slots = make([]slot, size)
	for id := firstWord; int(id) < len(v.words); id++ {
		h := hashSeed
		for _, c := range []byte(v.words[id]) {
			h = h.add(c)
		}
		i := v.start(h)
		for v.slots[i].id != unknownWord {
			i = (i + 1) & uint32(size-1)
		}
		v.slots[i] = slot{h, id}
	}
}

// start spreads h over the slots; FNV's low bits alone cluster.
func (v *vocabulary) start(h hash) uint32 { return uint32(h^h>>15) & uint32(len(v.slots)-1) }

func (v *vocabulary) find(h hash, w []byte) wordID {
	for i := v.start(h); v.slots[i].id != unknownWord; i = (i + 1) & uint32(len(v.slots)-1) {
		if s := v.slots[i]; s.hash == h && v.words[s.id] == string(w) {
			return s.id
		}
	}
	return unknownWord
}

func (v *vocabulary) lookup(w []byte) wordID {
	h := hashSeed
	for _, c := range w {
		h = h.add(c)
	}
	return v.find(h, w)
}
