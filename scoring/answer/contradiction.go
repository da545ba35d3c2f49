package answer

import "math/bits"

// contradict reports whether a and b cannot both be meant: one denies what the other
// affirms, or says more where that says less, or the two put another name,
// figure, date or unit in the same place.
func (v *vocabulary) contradict(a, b *Words, m *meeting) bool {
	if a.lead*b.lead < 0 {
		return true
	}
	if (a.lead != 0) != (b.lead != 0) && a.count <= plainWords && b.count <= plainWords && answers(a)*answers(b) < 0 {
		return true
	}
	if m.denied && (denial(a, b) || denial(b, a)) {
		return true
	}
	if v.unitsDiffer(a, b) {
		return true
	}
	return m.restAgrees() && v.substituted(a, b, m)
}

// plainWords is up to how many words a text is one statement.
const plainWords = 40

// restAgrees reports whether, names and figures of one text alone aside, the two
// say the same.
func (m *meeting) restAgrees() bool {
	rest := min(m.own[0].core-m.own[0].hard, m.own[1].core-m.own[1].hard)
	return rest == 0 || m.overlap*10 >= rest*5
}

// denial reports whether some sentence of a denies what b affirms, or the other
// way round: a word of it is denied in one text only, and b has most of the
// sentence's words.
func denial(a, b *Words) bool {
	against := uint64(0) // sentences of a, a bit each
	for i := range a.bands {
		x, y := &a.bands[i], &b.bands[i]
		for o := x.words & y.words & x.opposed(y) &^ x.alias; o != 0; o &= o - 1 {
			against |= 1 << x.sentence[bits.TrailingZeros64(o)]
		}
	}
	if against == 0 {
		return false
	}
	var both [64]uint16 // by sentence of a: the words that b has too
	for i := range a.bands {
		x, y := &a.bands[i], &b.bands[i]
		for o := x.words & y.words &^ x.alias; o != 0; o &= o - 1 {
			both[x.sentence[bits.TrailingZeros64(o)]&63]++
		}
	}
	for ; against != 0; against &= against - 1 {
		i := bits.TrailingZeros64(against)
		if both[i]*10 >= a.length[i]*6 {
			return true
		}
	}
	return false
}

// unitsDiffer reports whether the two give one figure in different units.
func (v *vocabulary) unitsDiffer(a, b *Words) bool {
	for _, k := range a.units {
		if u := &a.list[k]; v.has(b, a.id[k]) {
			if unit := b.list[b.find(u.hash)].unit; unit != 0 && unit != u.unit {
				return true
			}
		}
	}
	return false
}

// substituted reports whether a has a name, figure or date of its own in a place
// where b has another of the same sort.
//
// It looks at the first few such words of each text only, so that its work stays
// bounded.
func (v *vocabulary) substituted(a, b *Words, m *meeting) bool {
	var mine, theirs [maxFacts]uint16
	x, y := v.ownFacts(mine[:0], a, b), v.ownFacts(theirs[:0], b, a)
	for _, k := range x {
		f := &a.list[k]
		for _, j := range y {
			u := &b.list[j]
			if sameSort(f.bits, u.bits) && (m.nothingShared() || a.atIssue(f) && b.atIssue(u) && samePlace(f, u)) {
				return true
			}
		}
	}
	return false
}

// atIssue reports whether a word stands where a text answers: in its first sentence
// that adds anything to the question, or anywhere where nothing was asked. What
// comes after it is detail, in which two right answers differ.
func (w *Words) atIssue(v *word) bool { return !w.asked || v.sentence == w.main }

// maxFacts is how many names, figures and dates of a text are held against
// another's.
const maxFacts = 32

// ownFacts appends where w has names, figures and dates that other has not.
func (v *vocabulary) ownFacts(dst []uint16, w, other *Words) []uint16 {
	for _, k := range w.facts {
		if !v.has(other, w.id[k]) {
			if dst = append(dst, k); len(dst) == maxFacts {
				break
			}
		}
	}
	return dst
}

func sameSort(x, y uint16) bool {
	if x&asked != y&asked {
		return false // what one repeats of the question the other need not
	}
	if x&figure != 0 && y&figure != 0 {
		return x&year == y&year
	}
	return x&dated != 0 && y&dated != 0 || x&(name|opener) != 0 && y&(name|opener) != 0 && (x|y)&name != 0 ||
		x&opener != 0 && y&opener != 0
}

// nothingShared reports whether the two have no fact of this sort in common, so
// that the one in the one text can only be meant against that in the other.
func (m *meeting) nothingShared() bool {
	return m.facts == 0
}

func samePlace(v, u *word) bool {
	return v.left != 0 && v.left == u.left || v.right != 0 && v.right == u.right || v.unit != 0 && v.unit == u.unit
}
