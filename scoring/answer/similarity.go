package answer

import "github.com/kaizen-os/deliberation/quorum"

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
		w.weigh(v, len(replies))
	}
	pair := uint32(0)
	for i, a := range replies[:len(replies)-1] {
		for k := range a.list {
			v.at[a.id[k]] = uint16(k + 1)
		}
		for _, b := range replies[i+1:] {
			pair++
			dst = append(dst, v.compare(a, b, pair))
		}
		for _, id := range a.id {
			v.at[id] = 0
		}
	}
	return dst
}

// A vocabulary numbers the words of a panel's replies, so that a pair of them is
// compared by looking into an array.
type vocabulary struct {
	index []uint32 // open addressing over words, 1-based
	words []uint64 // by id: the hash
	texts []uint32 // by id: how many texts have it
	at    []uint16 // by id: where it stands in the row's text, 1-based
}

// read numbers the words of replies.
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
	v.words, v.texts = v.words[:0], v.texts[:0]
	mask := uint64(size - 1)
	for _, w := range replies {
		w.id = w.id[:0]
		for k := range w.list {
			h := w.list[k].hash
			i := h & mask
			for v.index[i] != 0 && v.words[v.index[i]-1] != h {
				i = (i + 1) & mask
			}
			if v.index[i] == 0 {
				v.words = append(v.words, h)
				v.texts = append(v.texts, 0)
				v.index[i] = uint32(len(v.words))
			}
			id := v.index[i] - 1
			v.texts[id]++
			w.id = append(w.id, id)
		}
	}
	v.at = cleared(v.at, len(v.words))
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

// weigh gives each of w's words its weight among n texts.
func (w *Words) weigh(v *vocabulary, n int) {
	var weights [64]uint32 // by how many texts have the word: most panels are small
	w.weight = cleared(w.weight, len(w.list))
	w.mark = cleared(w.mark, len(w.list))
	w.sum = side{}
	for k, id := range w.id {
		have := v.texts[id]
		if have >= uint32(len(weights)) {
			w.weight[k] = inverseFrequency(uint32(n), have)
		} else {
			if weights[have] == 0 {
				weights[have] = inverseFrequency(uint32(n), have)
			}
			w.weight[k] = weights[have]
		}
		w.sum.add(w.list[k].bits, uint64(w.weight[k]))
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

// compare is the similarity of a, whose words stand in v.at, and b.
func (v *vocabulary) compare(a, b *Words, pair uint32) quorum.PPM {
	if len(a.list) == 0 || len(b.list) == 0 {
		return wordless(a, b)
	}
	m := meeting{own: [2]side{a.sum, b.sum}}
	for k, id := range b.id {
		j := v.at[id]
		if j == 0 {
			continue
		}
		j--
		x, y := a.list[j].bits, b.list[k].bits
		if x&y&alias != 0 {
			continue
		}
		a.mark[j], b.mark[k] = pair, pair
		w := uint64(b.weight[k])
		m.overlapAll += w
		core := (x|y)&asked == 0
		if core {
			m.overlap += w
			if x&hard != 0 || y&hard != 0 {
				m.facts++
			}
		}
		m.own[0].take(x, w)
		m.own[1].take(y, w)
		if (x^y)&(affirms|denies) == affirms|denies && (x|y)&alias == 0 {
			m.denied = true
		}
	}
	s := m.similarity(a, b)
	if m.contradicts(a, b, pair) {
		return Apart
	}
	return s
}

// take is the opposite of add.
func (s *side) take(bits uint16, weight uint64) {
	if bits&(asked|alias) != 0 {
		return
	}
	if bits&hard != 0 {
		s.hard -= weight
	}
	if bits&(figure|dated) != 0 {
		s.figures--
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
