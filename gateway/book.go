package gateway

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/state"
)

// A Book is what the ledger's records come to, always as of the last durable
// one. The ledger's sequencer writes it, through [Book.Fold]; everybody reads.
type Book struct {
	state   atomic.Pointer[state.State]
	members atomic.Uint64 // how often the roster's members, what they have earned by labels, or the policy changed

	expect *[32]byte // restored, and not yet compared with the ledger; Fold's own

	mu       sync.Mutex // guards what follows
	policies map[[32]byte]*quorum.Policy
	courses  []course // in order of from
}

// A course is a policy as it was in force from a size of the ledger on: with what
// a calibration had fitted, or, where a document came back into force, without.
type course struct {
	from   uint64
	policy *quorum.Policy
}

// NewBook returns the book of an empty ledger.
func NewBook() *Book {
	b := &Book{policies: make(map[[32]byte]*quorum.Policy)}
	b.state.Store(new(state.State))
	return b
}

// State as of the last durable record. Immutable.
func (b *Book) State() *state.State { return b.state.Load() }

// Policy is one that is or was in force, by its digest; nil if there was none such.
func (b *Book) Policy(digest [32]byte) *quorum.Policy {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.policies[digest]
}

// PolicyAt is the policy with this digest as those knew it whose panel was seated
// when the ledger had asOf records: with the confidence that had been fitted by
// then. Nil if there was none such.
func (b *Book) PolicyAt(digest [32]byte, asOf uint64) *quorum.Policy {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := len(b.courses) - 1; i >= 0; i-- {
		if c := &b.courses[i]; c.from <= asOf && c.policy.Digest() == digest {
			return c.policy
		}
	}
	return b.policies[digest]
}

// turn notes that another policy is in force than before next, if it is one that
// its digest alone does not tell.
func (b *Book) turn(before, next *state.State) {
	if next.Policy == before.Policy {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	digest := next.Policy.Digest()
	if len(next.Policy.Fitted()) > 0 || b.policies[digest] != nil {
		b.courses = append(b.courses, course{next.Size, next.Policy})
	}
	if b.policies[digest] == nil {
		b.policies[digest] = next.Policy
	}
}

// Fold takes the next record. At replay rec is nil and parsed here. An error
// means that the ledger holds what this program cannot follow.
func (b *Book) Fold(index uint64, at int64, leaf []byte, rec quorum.Record) error {
	if b.expect != nil {
		return b.compare(index, leaf)
	}
	s := b.state.Load()
	if index != s.Size {
		return fmt.Errorf("fold record %d: the book is at %d", index, s.Size)
	}
	if rec == nil {
		var err error
		if rec, at, err = quorum.ParseRecord(leaf); err != nil {
			return fmt.Errorf("fold record %d: %w", index, err)
		}
	}
	next, err := s.Apply(at, rec)
	if err != nil {
		return err
	}
	b.turn(s, next)
	b.state.Store(next)
	// Counted when it is in force, so that no answer of the state before is kept
	// under the count of the state after.
	switch rec.(type) {
	case *quorum.Activation, *quorum.Founding, *quorum.Withdrawal, *quorum.Calibration, *quorum.Confirmation:
		b.members.Add(1)
	}
	return nil
}
