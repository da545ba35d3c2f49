package answer

import (
	"math/bits"

	"github.com/kaizen-os/deliberation/quorum"
)

// Apart is the similarity of two texts that contradict each other.
const Apart quorum.PPM = -1

// Similarities appends to dst how like each two of replies are, row by row above
// the diagonal: (0,1), (0,2), … (1,2), …. It is the weight of the words they
// share over that of the lighter text's words, a word weighing the more the fewer
// texts have it, halved where figures of the lighter are missing in the other;
// [Apart] where the two contradict each other. Words of the question count only
// where a text has no others.
//
// Everything is symmetric, and the same in any order of replies. The replies'
// scratch memory is used: they must be distinct and not in use elsewhere. Without
// growing it nothing is allocated but dst.
func Similarities(dst []quorum.PPM, replies []*Words) []quorum.PPM {
	if len(replies) < 2 {
		return dst
	}
	v := &replies[0].all
	v.read(replies)
	for _, w := range replies {
		w.spread(v)
	}
	for i, a := range replies[:len(replies)-1] {
		for _, b := range replies[i+1:] {
			dst = append(dst, v.compare(a, b))
		}
	}
	return dst
}

// A vocabulary numbers the words of a panel's replies. Those that more than one
// reply has get a place each in bands of 64, so that a pair of replies is compared
// a band at a time; all words of a band are in equally many replies and so weigh
// the same.
type vocabulary struct {
	index   []uint32 // open addressing over terms, 1-based
	terms   []term   // by id
	weights []uint32 // by band
	counts  []uint32 // by how many texts have them: terms, then the next free place
}

// A term is one word of a panel.
type term struct {
	hash   uint64
	texts  uint32 // how many have it
	place  uint32 // in the bands, or alone
	weight uint32
}

// alone is the place of a word that one text only has.
const alone = ^uint32(0)

// read numbers and places the words of replies.
func (v *vocabulary) read(replies []*Words) {
	total := 0
	for _, w := range replies {
		total += len(w.list)
	}
	size := 64
	for size < 2*total {
		size *= 2
	}
	v.index = cleared(v.index, size)
	v.terms = v.terms[:0]
	mask := uint64(size - 1)
	for _, w := range replies {
		w.id = w.id[:0]
		for k := range w.list {
			h := w.list[k].hash
			i := h & mask
			for v.index[i] != 0 && v.terms[v.index[i]-1].hash != h {
				i = (i + 1) & mask
			}
			id := v.index[i] - 1
			if v.index[i] == 0 {
				id = uint32(len(v.terms))
				v.terms = append(v.terms, term{hash: h})
				v.index[i] = id + 1
			}
			v.terms[id].texts++
			w.id = append(w.id, id)
		}
	}
	v.place(len(replies))
}

// place gives the terms of n texts their weights and places.
func (v *vocabulary) place(n int) {
	v.counts = cleared(v.counts, n+1)
	for i := range v.terms {
		v.counts[v.terms[i].texts]++
	}
	v.weights = v.weights[:0]
	for have := 2; have <= n; have++ {
		count := v.counts[have]
		v.counts[have] = uint32(64 * len(v.weights))
		if count == 0 {
			continue
		}
		weight := inverseFrequency(uint32(n), uint32(have))
		for range (count + 63) / 64 {
			v.weights = append(v.weights, weight)
		}
	}
	lone := inverseFrequency(uint32(n), 1)
	for i := range v.terms {
		t := &v.terms[i]
		if t.texts == 1 {
			t.place, t.weight = alone, lone
			continue
		}
		t.place = v.counts[t.texts]
		v.counts[t.texts]++
		t.weight = v.weights[t.place/64]
	}
}

// has reports whether w has the word with this id, which another text has.
func (v *vocabulary) has(w *Words, id uint32) bool {
	place := v.terms[id].place
	return place != alone && w.bands[place/64].words>>(place%64)&1 != 0
}

// A band is what one text knows of 64 words, a bit each.
type band struct {
	words           uint64 // that it has
	alias, asked    uint64
	hard, figures   uint64 // core words that are names, figures or dates; figures or dates
	affirms, denies uint64
	higher, lower   uint64
	sentence        [64]uint8
}

// opposed is the words that one affirms and the other denies, or than which one
// says more and the other less.
func (x *band) opposed(y *band) uint64 {
	return (x.affirms^y.affirms)&(x.denies^y.denies) | (x.higher^y.higher)&(x.lower^y.lower)
}

// spread spreads w's words over its bands and sums their weights.
func (w *Words) spread(v *vocabulary) {
	w.bands = cleared(w.bands, len(v.weights))
	w.facts, w.units = w.facts[:0], w.units[:0]
	w.length = [64]uint16{}
	w.sum = side{}
	for k, id := range w.id {
		x, t := &w.list[k], &v.terms[id]
		w.sum.add(x.bits, uint64(t.weight))
		if x.bits&hard != 0 {
			w.facts = append(w.facts, uint16(k))
		}
		if x.unit != 0 && x.bits&asked == 0 {
			w.units = append(w.units, uint16(k))
		}
		if x.bits&alias == 0 {
			w.length[x.sentence&63]++
		}
		if t.place == alone {
			continue
		}
		b, bit := &w.bands[t.place/64], uint64(1)<<(t.place%64)
		b.sentence[t.place%64] = uint8(x.sentence)
		b.words |= bit
		if x.bits == affirms { // as most
			b.affirms |= bit
			continue
		}
		for _, p := range [...]struct {
			plane *uint64
			of    bool
		}{
			{&b.alias, x.bits&alias != 0}, {&b.asked, x.bits&asked != 0},
			{&b.affirms, x.bits&affirms != 0}, {&b.denies, x.bits&denies != 0},
			{&b.higher, x.bits&(higher|lower) == higher}, {&b.lower, x.bits&(higher|lower) == lower},
			{&b.hard, x.bits&asked == 0 && x.bits&hard != 0},
			{&b.figures, x.bits&asked == 0 && x.bits&(figure|dated) != 0},
		} {
			if p.of {
				*p.plane |= bit
			}
		}
	}
}

// cleared is a slice of n zeros, in s's memory where there is room.
func cleared[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// A side is the weight of one text's words.
type side struct {
	core, all uint64
	hard      uint64 // of the core words that are names, figures or dates
	figures   int    // how many core words are figures or dates
}

func (s *side) add(bits uint16, weight uint64) {
	if bits&alias != 0 {
		return
	}
	s.all += weight
	if bits&asked != 0 {
		return
	}
	s.core += weight
	if bits&hard != 0 {
		s.hard += weight
	}
	if bits&(figure|dated) != 0 {
		s.figures++
	}
}

// inverseFrequency is 1000·ln(1 + n/have): what a word weighs that have of n texts
// have.
func inverseFrequency(n, have uint32) uint32 {
	return ln1000(n+have) - ln1000(have)
}

// ln1000 is 1000·ln(n), for n from 1 on, rounded down, by sixteen binary places
// of the logarithm.
func ln1000(n uint32) uint32 {
	whole := uint32(0)
	x := uint64(n) << 32
	for x >= 2<<32 {
		x >>= 1
		whole++
	}
	log := uint64(whole) << 16
	for bit := uint64(1) << 15; bit != 0; bit >>= 1 {
		x = (x >> 16) * (x >> 16)
		if x >= 2<<32 {
			x >>= 1
			log |= bit
		}
	}
	return uint32(log * 693147 / (1000 << 16))
}

// A meeting is what two texts have in common.
type meeting struct {
	overlap    uint64 // weight of the core words in both
	overlapAll uint64 // and of all words in both
	own        [2]side
	facts      int  // names, figures and dates in both
	denied     bool // some word is denied in one and affirmed in the other
}

// compare is the similarity of a and b.
func (v *vocabulary) compare(a, b *Words) quorum.PPM {
	if len(a.list) == 0 || len(b.list) == 0 {
		return wordless(a, b)
	}
	m := meeting{own: [2]side{a.sum, b.sum}}
	for i, weight := range v.weights {
		x, y := &a.bands[i], &b.bands[i]
		both := x.words & y.words &^ (x.alias & y.alias)
		if both == 0 {
			continue
		}
		core := both &^ (x.asked | y.asked)
		w := uint64(weight)
		m.overlapAll += w * ones(both)
		m.overlap += w * ones(core)
		m.facts += int(ones(core & (x.hard | y.hard)))
		m.own[0].take(x, both, w)
		m.own[1].take(y, both, w)
		m.denied = m.denied || both&x.opposed(y)&^(x.alias|y.alias) != 0
	}
	s := m.similarity(a, b)
	if v.contradict(a, b, &m) {
		return Apart
	}
	return s
}

func ones(words uint64) uint64 { return uint64(bits.OnesCount64(words)) }

// take is the opposite of add, for the hard words among both.
func (s *side) take(x *band, both, weight uint64) {
	if x.hard&both != 0 {
		s.hard -= weight * ones(x.hard&both)
		s.figures -= int(ones(x.figures & both))
	}
}

func (m *meeting) similarity(a, b *Words) quorum.PPM {
	overlap, lighter, shorter := m.overlap, a.sum.core, 0
	if b.sum.core < lighter || b.sum.core == lighter && m.own[1].figures > m.own[0].figures {
		lighter, shorter = b.sum.core, 1
	}
	if lighter == 0 { // nothing but the question's words
		overlap, lighter, shorter = m.overlapAll, a.sum.all, 0
		if b.sum.all < lighter {
			lighter, shorter = b.sum.all, 1
		}
	}
	if lighter == 0 {
		return 0
	}
	s := quorum.PPM(min(overlap, lighter) * uint64(quorum.One) / lighter)
	if m.own[shorter].figures > 0 {
		s /= 2
	}
	return s
}

// wordless compares two texts of which one at least is no more than yes or no.
func wordless(a, b *Words) quorum.PPM {
	x, y := answers(a), answers(b)
	switch {
	case x*y < 0:
		return Apart
	case x*y > 0:
		return quorum.One
	}
	return 0
}

// answers is +1 where a text affirms what was asked, -1 where it denies it, by its
// first word or by what it says of the question's words.
func answers(w *Words) int8 {
	if w.lead != 0 {
		return w.lead
	}
	yes, no := 0, 0
	for k := range w.list {
		switch b := w.list[k].bits; {
		case b&asked == 0:
		case b&(affirms|denies) == denies:
			no++
		case b&(affirms|denies) == affirms:
			yes++
		}
	}
	switch {
	case no > 0:
		return -1
	case yes > 0:
		return 1
	}
	return 0
}
