package vault

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/kaizen-os/deliberation/store"
)

// maxBy bounds what a note says of who erased, in bytes.
const maxBy = 32

// Erase deletes the records ids and returns when that is durable and no file of
// the vault holds their sealed bytes any more. Of each there remains a note, for
// as long as the record would have been kept: whose it was, as a keyed hash, and
// by, a word of the caller's (1 to 32 bytes) that [Vault.Erased] gives back. With
// it the caller can finish what a crash cut short.
//
// Ids that were erased before, or are not there, are passed over; if none is or
// was there, the error is ErrNotFound. After any other error, ErrUnavailable or
// ctx's, nothing or all may be deleted; Erase is to be called again.
//
// Cost: the log is changed and each record's table rewritten, once for all ids,
// and once for several calls that come while one is at it. Backups that were
// taken before keep what they hold.
func (v *Vault) Erase(ctx context.Context, by string, ids ...string) error {
	if by == "" || len(by) > maxBy {
		return fmt.Errorf("%w: erased by %d bytes, want 1 to %d", ErrInvalid, len(by), maxBy)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: erase: %w", ErrUnavailable, context.Cause(ctx))
	}
	b := v.db.NewBatch()
	var spans []span
	known := false
	for _, id := range ids {
		sealed, err := v.sealed(id)
		if errors.Is(err, ErrNotFound) {
			_, before, err := v.note(id)
			if err != nil {
				return err
			}
			known = known || before
			continue
		}
		if err != nil {
			return err
		}
		h, err := parseHeader(sealed)
		if err != nil {
			return fmt.Errorf("vault record %s: %w", id, err)
		}
		err = errors.Join(
			b.Delete(store.AppendRecordKey(nil, id), nil),
			b.Delete(store.AppendOwnerKey(nil, h.owner, id), nil),
			b.Set(store.AppendNoteKey(nil, id), note{h, by}.appendTo(nil), nil),
			b.Set(store.AppendAgeKey(nil, h.ms, id), nil, nil)) // a sweep may just have taken it
		if err != nil {
			return fmt.Errorf("%w: erase %s: %w", ErrUnavailable, id, err)
		}
		spans = append(spans, span{id, id})
		known = true
	}
	if err := v.delete(b, spans...); err != nil {
		return err
	}
	// Also when there was nothing to delete: an Erase that was cut short, or one
	// still under way, has deleted it, and the files are what is left to do.
	if err := v.purge(ctx); err != nil {
		return err
	}
	if !known {
		return fmt.Errorf("%w: %q", ErrNotFound, ids)
	}
	return nil
}

// Owns reports whether the record id is owner's, or was before it was erased.
// Errors: ErrNotFound, store.ErrCorrupt.
func (v *Vault) Owns(owner, id string) (bool, error) {
	tag := v.seal.tag(owner)
	sealed, err := v.sealed(id)
	if err == nil {
		h, err := parseHeader(sealed)
		if err != nil {
			return false, fmt.Errorf("vault record %s: %w", id, err)
		}
		return hmac.Equal(tag[:], h.owner[:]), nil
	}
	if !errors.Is(err, ErrNotFound) {
		return false, err
	}
	n, ok, err2 := v.note(id)
	if err2 != nil {
		return false, err2
	}
	if !ok {
		return false, err
	}
	return hmac.Equal(tag[:], n.owner[:]), nil
}

// Erased returns who erased the record id, in the word that Erase was given; ok
// is false when nobody did, or so long ago that its retention is over.
func (v *Vault) Erased(id string) (by string, ok bool, err error) {
	n, ok, err := v.note(id)
	return n.by, ok, err
}

// EachErased visits all that Erased knows, in order of id.
func (v *Vault) EachErased(visit func(id, by string) error) error {
	return v.scan(store.Notes(), func(key, value []byte) error {
		id, err := store.ParseNoteKey(key)
		if err != nil {
			return err
		}
		n, err := parseNote(value)
		if err != nil {
			return fmt.Errorf("vault note %s: %w", id, err)
		}
		return visit(id, n.by)
	})
}

// A note is what is left of an erased record:
//
//	1 ‖ ms:8 ‖ owner:16 ‖ by
//
// It begins as the sealed record did.
type note struct {
	header
	by string
}

func (n note) appendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, sealedV1), n.ms)
	return append(append(dst, n.owner[:]...), n.by...)
}

func parseNote(b []byte) (note, error) {
	if len(b) <= headerSize || len(b) > headerSize+maxBy || b[0] != sealedV1 {
		return note{}, fmt.Errorf("%w: not the note of an erased record", store.ErrCorrupt)
	}
	return note{header{binary.BigEndian.Uint64(b[1:]), [store.OwnerLen]byte(b[9:])}, string(b[headerSize:])}, nil
}

func (v *Vault) note(id string) (n note, ok bool, err error) {
	value, closer, err := v.db.Get(store.AppendNoteKey(nil, id))
	if errors.Is(err, pebble.ErrNotFound) {
		return note{}, false, nil
	}
	if err != nil {
		return note{}, false, v.readError("note "+id, err)
	}
	defer closer.Close()
	if n, err = parseNote(value); err != nil {
		return note{}, false, fmt.Errorf("vault note %s: %w", id, err)
	}
	return n, true, nil
}

// A span is the ids from first to last.
type span struct{ first, last string }

// maxSpans bounds what is remembered of deletions. Past it they become one,
// which is right and only more to rewrite.
const maxSpans = 32

// debt is what was deleted and may still be in the vault's files. It is kept in
// the vault, too, so that a crash forgets none of it.
type debt struct {
	turn chan struct{} // holds the one purge that may be at work

	mu    sync.Mutex // guards the rest, and is held while a deletion commits
	spans []span
	count int // of deletions: tells a purge whether there were more meanwhile
}

// with returns spans and more, those that overlap as one.
func (d *debt) with(more []span) []span {
	spans := append([]span(nil), d.spans...)
	for _, m := range more {
		rest := spans[:0]
		for _, s := range spans {
			if s.last < m.first || m.last < s.first {
				rest = append(rest, s)
			} else {
				m = span{min(s.first, m.first), max(s.last, m.last)}
			}
		}
		spans = append(rest, m)
	}
	if len(spans) > maxSpans {
		all := spans[0]
		for _, s := range spans {
			all = span{min(s.first, all.first), max(s.last, all.last)}
		}
		spans = []span{all}
	}
	return spans
}

// appendSpans appends each span's two ids, each behind its length.
func appendSpans(dst []byte, spans []span) []byte {
	for _, s := range spans {
		dst = append(binary.AppendUvarint(dst, uint64(len(s.first))), s.first...)
		dst = append(binary.AppendUvarint(dst, uint64(len(s.last))), s.last...)
	}
	return dst
}

func parseSpans(b []byte) (spans []span, err error) {
	d := decoder{b, true}
	for d.ok && len(d.rest) > 0 {
		spans = append(spans, span{string(d.bytes()), string(d.bytes())})
	}
	if !d.ok {
		return nil, fmt.Errorf("%w: what is to be purged is not readable", store.ErrCorrupt)
	}
	return spans, nil
}

// recall reads what was owed when the vault was last closed, or killed.
func (v *Vault) recall() error {
	value, closer, err := v.db.Get(store.AppendPurgeKey(nil))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return v.readError("what is to be purged", err)
	}
	defer closer.Close()
	v.debt.spans, err = parseSpans(bytes.Clone(value))
	return err
}

// delete commits and closes b, which deletes records within spans, and with it
// notes that their files are to be purged.
func (v *Vault) delete(b *pebble.Batch, spans ...span) error {
	if b.Empty() {
		return b.Close()
	}
	d := &v.debt
	d.mu.Lock()
	defer d.mu.Unlock()
	owed := d.with(spans)
	if len(spans) > 0 {
		if err := b.Set(store.AppendPurgeKey(nil), appendSpans(nil, owed), nil); err != nil {
			return fmt.Errorf("%w: delete: %w", ErrUnavailable, err)
		}
	}
	if err := v.db.Commit(b); err != nil {
		return fmt.Errorf("%w: delete: %w", ErrUnavailable, err)
	}
	d.spans = owed
	d.count++
	return b.Close()
}

// purge returns when no file of the vault holds what was deleted before.
func (v *Vault) purge(ctx context.Context) error {
	d := &v.debt
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return fmt.Errorf("%w: erase: %w", ErrUnavailable, context.Cause(ctx))
	}
	d.mu.Lock()
	spans, count := d.spans, d.count
	d.mu.Unlock()
	if len(spans) == 0 {
		return nil // the one before has done ours, too
	}
	ranges := make([]store.Range, len(spans))
	for i, s := range spans {
		ranges[i] = store.Records(s.first, s.last)
	}
	if err := v.purgeFiles(ctx, ranges...); err != nil {
		return fmt.Errorf("%w: erase: %w", ErrUnavailable, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.count != count {
		return nil // more was deleted meanwhile, and is purged by who did
	}
	b := v.db.NewBatch()
	if err := errors.Join(b.Delete(store.AppendPurgeKey(nil), nil), v.db.Commit(b)); err != nil {
		return fmt.Errorf("%w: erase: %w", ErrUnavailable, err)
	}
	d.spans = nil
	return b.Close()
}
