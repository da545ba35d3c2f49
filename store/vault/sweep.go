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
	what  what
}

// what a listing by age leads to.
type what int

const (
	aRecord what = iota
	aNote        // of a record that was erased
	nothing      // any more: the record was put again since
)

// sweep deletes the records of a span of time that unwanted picks, and, once for
// all of them, purges the files they were in.
func (v *Vault) sweep(ctx context.Context, from, to time.Time, unwanted func(id string) (bool, error)) (swept int, err error) {
	if to.Before(from) || from.UnixMilli() < 0 {
		return 0, fmt.Errorf("%w: sweep from %s to %s", ErrInvalid, from.UTC(), to.UTC())
	}
	var batch []aged
	flush := func() error {
		n, err := v.deleteAged(batch)
		swept += n
		batch = batch[:0]
		return err
	}
	err = v.scan(store.AgeRange(uint64(from.UnixMilli()), uint64(to.UnixMilli())), func(key, _ []byte) error {
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
		r, err := v.aged(ms, id)
		if err != nil {
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
	// The scan is over: while it goes on, the tables it reads cannot be removed.
	// What a sweep before this one could not purge is purged now.
	if purged := v.purge(ctx); err == nil {
		err = purged
	}
	return swept, err
}

// aged finds what is behind one listing of the index by age.
func (v *Vault) aged(ms uint64, id string) (aged, error) {
	r := aged{ms: ms, id: id, what: nothing}
	sealed, err := v.sealed(id)
	if err == nil {
		h, err := parseHeader(sealed)
		if err != nil {
			return r, fmt.Errorf("vault record %s: %w", id, err)
		}
		if h.ms == ms {
			r.owner, r.what = h.owner, aRecord
		}
		return r, nil
	}
	if !errors.Is(err, ErrNotFound) {
		return r, err
	}
	n, ok, err := v.note(id)
	if ok && n.ms == ms {
		r.what = aNote
	}
	return r, err
}

// deleteAged removes records and notes with their listings, durably, and says how
// many of them were records.
func (v *Vault) deleteAged(batch []aged) (records int, err error) {
	b := v.db.NewBatch()
	var spans []span
	for _, r := range batch {
		err := b.Delete(store.AppendAgeKey(nil, r.ms, r.id), nil)
		switch r.what {
		case aRecord:
			err = errors.Join(err,
				b.Delete(store.AppendRecordKey(nil, r.id), nil),
				b.Delete(store.AppendOwnerKey(nil, r.owner, r.id), nil),
				b.Delete(store.AppendNoteKey(nil, r.id), nil)) // it may just have been erased
			if spans == nil {
				spans = []span{{r.id, r.id}}
			}
			spans[0] = span{min(spans[0].first, r.id), max(spans[0].last, r.id)}
			records++
		case aNote:
			err = errors.Join(err, b.Delete(store.AppendNoteKey(nil, r.id), nil))
		}
		if err != nil {
			return 0, fmt.Errorf("%w: delete %s: %w", ErrUnavailable, r.id, err)
		}
	}
	if err := v.delete(b, spans...); err != nil {
		return 0, err
	}
	return records, nil
}

// scan visits what is in a range. Key and value are valid during the call.
func (v *Vault) scan(keys store.Range, visit func(key, value []byte) error) (err error) {
	iter, err := v.db.NewIter(&pebble.IterOptions{LowerBound: keys.Lower, UpperBound: keys.Upper})
	if err != nil {
		return v.readError("scan", err)
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for ok := iter.First(); ok; ok = iter.Next() {
		value, err := iter.ValueAndErr()
		if err != nil {
			return v.readError("scan", err)
		}
		if err := visit(iter.Key(), value); err != nil {
			return err
		}
	}
	if err := iter.Error(); err != nil {
		return v.readError("scan", err)
	}
	return nil
}
