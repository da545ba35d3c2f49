package eval

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/kaizen-os/deliberation/bench/sim"
)

// A split is one recording's prompts in the order that a seed shuffled them
// into, and the folds they fall in: position i is in fold i modulo their number.
//
// The shuffle sorts by a hash of seed and id: the same on every machine,
// whatever the order of the file.
type split struct {
	items  []*sim.Item // all, shuffled
	graded []*sim.Item // the first of them, as many as are graded
	folds  int
	seed   uint64
}

func newSplit(rec *sim.Recording, cfg *Config) *split {
	s := &split{folds: cfg.Folds, seed: cfg.Seed}
	for i := range rec.Items {
		s.items = append(s.items, &rec.Items[i])
	}
	shuffle(s.items, cfg.Seed, "folds")
	s.graded = s.items
	if cfg.Limit > 0 && cfg.Limit < len(s.items) {
		s.graded = s.items[:cfg.Limit]
	}
	return s
}

// all are the indices into graded.
func (s *split) all() []int {
	indices := make([]int, len(s.graded))
	for i := range indices {
		indices[i] = i
	}
	return indices
}

// fold is the indices into graded of one fold.
func (s *split) fold(k int) (indices []int) {
	for i := k; i < len(s.graded); i += s.folds {
		indices = append(indices, i)
	}
	return indices
}

// labelled draws n prompts of each kind, or as many as there are, from all folds
// but k: what the gateway that is graded on fold k may know the truth of. A
// larger draw begins with the smaller.
func (s *split) labelled(k, n int, g grader) (drawn []*sim.Item) {
	var others []*sim.Item
	for i, it := range s.items {
		if i%s.folds != k && g.labels(it) {
			others = append(others, it)
		}
	}
	shuffle(others, s.seed, fmt.Sprintf("labelled %d", k))
	counts := map[sim.RecordedKind]int{}
	for _, it := range others {
		if counts[it.Kind] < n {
			counts[it.Kind]++
			drawn = append(drawn, it)
		}
	}
	return drawn
}

// shuffle orders items by a hash of seed, purpose and id; ids are unique.
func shuffle(items []*sim.Item, seed uint64, purpose string) {
	ranks := make(map[*sim.Item]uint64, len(items))
	for _, it := range items {
		text := binary.BigEndian.AppendUint64(nil, seed)
		text = append(text, purpose+"\x00"+it.ID...)
		sum := sha256.Sum256(text)
		ranks[it] = binary.BigEndian.Uint64(sum[:])
	}
	slices.SortFunc(items, func(a, b *sim.Item) int { return cmp.Compare(ranks[a], ranks[b]) })
}
