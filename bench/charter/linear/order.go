package linear

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"
)

// inGroups gives the texts with those of one group side by side.
func inGroups(set []*Text) []*Text {
	set = slices.Clone(set)
	slices.SortStableFunc(set, func(a, b *Text) int { return cmp.Compare(a.Item.Group, b.Item.Group) })
	return set
}

// fold is which of n parts a text falls into. Texts of one group fall together; one
// without a group is its own.
func fold(t *Text, n int) int {
	h := fnv.New32a()
	if t.Item.Group != "" {
		h.Write([]byte(t.Item.Group))
	} else {
		h.Write([]byte(t.Item.Text))
	}
	// The low bits of this hash alone depend on little.
	return int(uint64(h.Sum32()*2654435769) * uint64(n) >> 32)
}

func magnitudes(m map[uint32]float64) []float64 {
	v := make([]float64, 0, len(m))
	for _, w := range m {
		v = append(v, math.Abs(w))
	}
	slices.Sort(v)
	return v
}

// quantile of values in ascending order.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return 1
	}
	return v[int(q*float64(len(v)-1))]
}
