package answer

// contradicts reports whether a and b cannot both be meant: one denies what the other affirms, or the two put another name,
// figure, date or unit in the same place.
func (m *meeting) contradicts(a, b *Words, pair uint32) bool {
	if a.lead*b.lead < 0 {
		return true
	}
	if (a.lead != 0) != (b.lead != 0) && a.count <= plainWords && b.count <= plainWords && answers(a)*answers(b) < 0 {
		return true
	}
	if m.denied && (denial(a, b, pair) || denial(b, a, pair)) {
		return true
	}
	if unitsDiffer(a, b) {
		return true
	}
	return m.restAgrees() && substituted(a, b, m, pair)
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
func denial(a, b *Words, pair uint32) bool {
	var all, both [64]uint16
	var against [64]bool
	for k := range a.list {
		v := &a.list[k]
		if v.bits&alias != 0 {
			continue
		}
		all[v.sentence]++
		if a.mark[k] != pair {
			continue
		}
		both[v.sentence]++
		j := b.find(v.hash)
		if x := (v.bits ^ b.list[j].bits) & (affirms | denies); x == affirms|denies {
			against[v.sentence] = true
		}
	}
	for i := range all {
		if against[i] && both[i]*10 >= all[i]*6 {
			return true
		}
	}
	return false
}

// unitsDiffer reports whether the two give one figure in different units.
func unitsDiffer(a, b *Words) bool {
	for k := range a.list {
		v := &a.list[k]
		if v.unit == 0 || v.bits&asked != 0 {
			continue
		}
		if j := b.find(v.hash); j >= 0 && b.list[j].unit != 0 && b.list[j].unit != v.unit {
			return true
		}
	}
	return false
}

// substituted reports whether a has a name, figure or date of its own in a place
// where b has another of the same sort.
//
// It looks at the first few such words of each text only, so that its work stays
// bounded.
func substituted(a, b *Words, m *meeting, pair uint32) bool {
	var mine, theirs [maxFacts]uint16
	x, y := a.ownFacts(mine[:0], pair), b.ownFacts(theirs[:0], pair)
	for _, k := range x {
		v := &a.list[k]
		for _, j := range y {
			u := &b.list[j]
			if sameSort(v.bits, u.bits) && (m.nothingShared() || samePlace(v, u)) {
				return true
			}
		}
	}
	return false
}

// maxFacts is how many names, figures and dates of a text are held against
// another's.
const maxFacts = 32

// ownFacts appends where w has names, figures and dates that the other text of
// the pair has not.
func (w *Words) ownFacts(dst []uint16, pair uint32) []uint16 {
	for k := range w.list {
		if b := w.list[k].bits; b&hard != 0 && b&alias == 0 && w.mark[k] != pair {
			if dst = append(dst, uint16(k)); len(dst) == maxFacts {
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
