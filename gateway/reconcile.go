package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store/vault"
)

const (
	// reconcileEntries is how many of the last entries may be proofs whose texts
	// were lost: many times the deliberations that can be in flight at once, since
	// after its first failed sync the vault takes no more.
	reconcileEntries = 1024
	// reconcileSlack is by how much a text and its proof may be of different age.
	reconcileSlack = time.Hour
)

// Reconcile records of texts that are gone what a crash left unrecorded. It is to
// be called after the stores were opened and before the gateway serves.
//
// An erasure is in the vault before it is in the ledger, and is recorded now if
// it was not. A proof and its texts become durable at the same time, each in a
// store of its own: where the vault failed and the ledger did not, the caller
// heard that nothing was decided, and yet there is a proof, of which nobody can
// ever show what was said. Its texts are recorded as lost, unless they are older
// than retention and so may have been swept.
//
// It returns how many records it made, also beside an error.
func (g *Gateway) Reconcile(ctx context.Context, now time.Time, retention time.Duration) (made int, err error) {
	record := func(x *quorum.Erasure) error {
		if _, ok, err := g.ledger.Lookup(erasureName(x.ID)); ok || err != nil {
			return err
		}
		if _, err := g.recordErasure(ctx, x); err != nil {
			return fmt.Errorf("record the erasure of %s: %w", x.ID, err)
		}
		made++
		return nil
	}
	end := g.ledger.Size() // what is recorded here is not looked at
	err = g.vault.EachErased(func(id, by string) error {
		if _, ok, err := g.ledger.Lookup(id); !ok || err != nil {
			return err // a ledger that was restored from before it: a sweep removes the note
		}
		return record(&quorum.Erasure{ID: id, Actor: by, Cause: quorum.ErasureAsked})
	})
	if err != nil {
		return made, err
	}
	for i := max(end, reconcileEntries) - reconcileEntries; i < end; i++ {
		leaf, err := g.ledger.Entry(i)
		if err != nil {
			return made, fmt.Errorf("read entry %d: %w", i, err)
		}
		rec, at, err := quorum.ParseRecord(leaf)
		if err != nil {
			return made, fmt.Errorf("read entry %d: %w", i, err)
		}
		p, ok := rec.(*quorum.Proof)
		if !ok || p.Prompt == [32]byte{} || now.Sub(time.UnixMilli(at)) > retention-reconcileSlack {
			continue
		}
		// Owns finds a record without opening it, or the note of one that was erased.
		if _, err := g.vault.Owns("", p.ID); err == nil {
			continue
		} else if !errors.Is(err, vault.ErrNotFound) {
			return made, fmt.Errorf("texts of %s: %w", p.ID, err)
		}
		if err := record(&quorum.Erasure{ID: p.ID, Actor: quorum.Gateway, Cause: quorum.ErasureLost}); err != nil {
			return made, err
		}
	}
	return made, nil
}
