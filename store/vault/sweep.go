package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/kaizen-os/deliberation/store"
)

// sweepBatch is how many records one commit of a sweep deletes.
const sweepBatch = 256

// Sweep deletes the records put before a time, except those that held, if set,
// says are still wanted (an open incident or appeal). It returns how many it
// deleted, also beside an error. Errors: ErrUnavailable, store.ErrCorrupt, ctx's.
func (v *Vault) Sweep(ctx context.Context, before time.Time, held func(id string) bool) (int, error) {
	return v.sweep(ctx, time.UnixMilli(0), before, func(id string) (bool, error) {
		return held == nil || !held(id), nil
	})
}

// SweepOrphans deletes the records put within from (included) and to (not) that
// recorded does not know: what a crash, or a failed append, left without an entry
// in the ledger. to must lie further back than an append may take.
func (v *Vault) SweepOrphans(ctx context.Context, from, to time.Time, recorded func(id string) (bool, error)) (int, error) {
	return v.sweep(ctx, from, to, func(id string) (bool, error) {
		known, err := recorded(id)
		return !known, err
	})
}

// An aged is one record as the index by age names it.
type aged struct {
	ms    uint64
	id    string
	owner [store.OwnerLen]byte
	stale bool // the record was put again since: only this listing goes
}

// sweep deletes the records of a span of time that unwanted picks.
func (v *Vault) sweep(ctx context.Context, from, to time.Time, unwanted func(id string) (bool, error)) (swept int, err error) {
	if to.Before(from) || from.UnixMilli() < 0 {
		return 0, fmt.Errorf("%w: sweep from %s to %s", ErrInvalid, from.UTC(), to.UTC())
	}
	var batch []aged
	flush := func() error {
		if err := v.delete(batch); err != nil {
			return err
		}
		for _, r := range batch {
			if !r.stale {
				swept++
			}
		}
		batch = batch[:0]
		return nil
	}
	err = v.scan(store.AgeRange(uint64(from.UnixMilli()), uint64(to.UnixMilli())), func(key []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		ms, id, err := store.ParseAgeKey(key)
		if err != nil {
			return err
		}
		if yes, err := unwanted(id); err != nil || !yes {
			return err
		}
		r := aged{ms: ms, id: id}
		if sealed, err := v.sealed(id); err == nil {
			h, err := parseHeader(sealed)
			if err != nil {
				return fmt.Errorf("vault record %s: %w", id, err)
			}
			r.owner, r.stale = h.owner, h.ms != ms
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
		if batch = append(batch, r); len(batch) == sweepBatch {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	return swept, err
}

// delete removes records with their listings, durably.
func (v *Vault) delete(records []aged) error {
	if len(records) == 0 {
		return nil
	}
	b := v.db.NewBatch()
	for _, r := range records {
		err := b.Delete(store.AppendAgeKey(nil, r.ms, r.id), nil)
		if !r.stale {
			err = errors.Join(err,
				b.Delete(store.AppendRecordKey(nil, r.id), nil),
				b.Delete(store.AppendOwnerKey(nil, r.owner, r.id), nil))
		}
		if err != nil {
			return fmt.Errorf("%w: delete %s: %w", ErrUnavailable, r.id, err)
		}
	}
	if err := v.db.Commit(b); err != nil {
		return fmt.Errorf("%w: delete %d records: %w", ErrUnavailable, len(records), err)
	}
	return b.Close()
}

// scan visits the keys of a range. A key is valid during the
// call.
func (v *Vault) scan(keys store.Range, visit func(key []byte) error) (err error) {
	iter, err := v.db.NewIter(&pebble.IterOptions{LowerBound: keys.Lower, UpperBound: keys.Upper})
	if err != nil {
		return v.readError("scan", err)
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for ok := iter.First(); ok; ok = iter.Next() {
		if err := visit(iter.Key()); err != nil {
			return err
		}
	}
	if err := iter.Error(); err != nil {
		return v.readError("scan", err)
	}
	return nil
}
