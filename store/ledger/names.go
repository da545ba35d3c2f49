package ledger

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/kaizen-os/deliberation/store"
)

// recentNames is how many names are remembered. It covers far more than the
// milliseconds by which the ids of concurrent deliberations arrive out of order.
const recentNames = 4096

// names keeps entries' names unique.
//
// A name is noted before its entry is queued and until after it can be looked
// up, so two Appends never both take one. Nearly all names are ids that grow
// with time, so the last ones are remembered along with the greatest of those
// forgotten: what sorts above that and is not remembered is new, without a look
// into the store. (That look was 13 µs, a quarter of an append's CPU time.)
type names struct {
	mu     sync.Mutex
	recent map[string]bool // false while the name's Append is under way
	ring   []string        // of recent, oldest first from next; may name what is no longer there
	next   int
	floor  string // no name that sorts above it is stored but those in recent
}

// load sets n to what db holds.
func (n *names) load(db *store.DB) (err error) {
	n.recent, n.ring = make(map[string]bool, recentNames), make([]string, 0, recentNames)
	keys := store.Names()
	iter, err := db.NewIter(&pebble.IterOptions{LowerBound: keys.Lower, UpperBound: keys.Upper})
	if err != nil {
		return readError("names", err)
	}
	if iter.Last() {
		n.floor, err = store.ParseNameKey(iter.Key())
	}
	if err := errors.Join(iter.Error(), iter.Close()); err != nil {
		return readError("names", err)
	}
	return err
}

// reserve takes name for an Append, or says that it is taken. Every reserve that
// succeeds is followed by one settle.
func (l *Ledger) reserve(name string) error {
	if name == "" {
		return nil
	}
	n := &l.names
	n.mu.Lock()
	_, has := n.recent[name]
	look := name <= n.floor
	if !has {
		n.note(name)
	}
	n.mu.Unlock()
	if has {
		return fmt.Errorf("%w: %q", ErrExists, name)
	}
	if !look {
		return nil
	}
	_, has, err := l.lookup(name)
	if err == nil && has {
		err = fmt.Errorf("%w: %q", ErrExists, name)
	}
	if err != nil {
		l.names.settle(false, name)
	}
	return err
}

// note remembers name, forgetting the oldest one that is not under way.
func (n *names) note(name string) {
	n.recent[name] = false
	if len(n.ring) < recentNames {
		n.ring = append(n.ring, name)
		return
	}
	for range n.ring {
		oldest := n.ring[n.next]
		kept, has := n.recent[oldest]
		if !has || kept {
			if kept {
				delete(n.recent, oldest)
				n.floor = max(n.floor, oldest)
			}
			n.ring[n.next] = name
			n.next = (n.next + 1) % len(n.ring)
			return
		}
		n.next = (n.next + 1) % len(n.ring) // under way: it stays, as if new
	}
	n.ring = append(n.ring, name) // all are under way
}

// settle ends what reserve began: the name was kept, or is free again.
func (n *names) settle(kept bool, names ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range names {
		n.settleOne(name, kept)
	}
}

func (n *names) settleOne(name string, kept bool) {
	switch {
	case name == "":
	case kept:
		n.recent[name] = true
	default:
		delete(n.recent, name)
	}
}
