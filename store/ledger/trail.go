package ledger

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/merkle"
)

// An Earlier is a checkpoint of the ledger that was seen before.
type Earlier struct {
	Checkpoint
	Where string // who remembers it, such as a file's name
}

// A Trail checks, on a way through all entries, that the ledger begins with what
// each earlier checkpoint was signed over: that it has only ever grown.
type Trail struct {
	ahead []Earlier // by size
}

// NewTrail checks for those checkpoints.
func NewTrail(earlier ...Earlier) *Trail {
	t := &Trail{ahead: slices.Clone(earlier)}
	slices.SortStableFunc(t.ahead, func(a, b Earlier) int { return cmp.Compare(a.Size, b.Size) })
	return t
}

// Pass is to be called with the empty tree and after each entry that was added
// to it. The error is store.ErrCorrupt. Cost: a comparison, but for the sizes
// that there are checkpoints of.
func (t *Trail) Pass(tree *merkle.Tree) error {
	for len(t.ahead) > 0 && t.ahead[0].Size == tree.Size() {
		e := t.ahead[0]
		if root := tree.Root(); root != e.Root {
			return fmt.Errorf("%w: its first %d entries are not those that %s holds a signature over", store.ErrCorrupt, e.Size, e.Where)
		}
		t.ahead = t.ahead[1:]
	}
	return nil
}

// End is to be called when there are no more entries. A checkpoint that is still
// ahead then is of entries that were lost. The error is store.ErrCorrupt.
func (t *Trail) End(size uint64) error {
	if len(t.ahead) == 0 {
		return nil
	}
	last := t.ahead[len(t.ahead)-1]
	return fmt.Errorf("%w: it has %d entries, and %s holds a signature over %d: the last ones were lost, or this is an old copy",
		store.ErrCorrupt, size, last.Where, last.Size)
}
