package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/canon"
	"github.com/kaizen-os/deliberation/quorum/state"
)

// A snapshot spares a start the folding of the whole ledger. It is a
// convenience: whatever is wrong with one, the ledger is folded instead. Its form
// is one line, "kaizen-book-1 " and the SHA-256 of the rest, and then
//
//	{"last":HASH,"policies":[…],"state":{…}}
//
// where last is the leaf hash of the last entry folded, so that a snapshot of
// another ledger is told.
const snapshotMagic = "kaizen-book-1 "

// ErrSnapshot is a snapshot that cannot be used with this ledger.
var ErrSnapshot = errors.New("book snapshot")

// Snapshot is b as of the last durable record; nil for an empty one. entry reads
// a leaf of the ledger.
func (b *Book) Snapshot(entry func(index uint64) ([]byte, error)) ([]byte, error) {
	st := b.State()
	if st.Size == 0 {
		return nil, nil
	}
	leaf, err := entry(st.Size - 1)
	if err != nil {
		return nil, err
	}
	last := quorum.LeafHash(leaf)
	body := append([]byte(nil), `{"last":`...)
	body = canon.AppendHex(body, last[:])
	body = append(body, `,"policies":[`...)
	for i, p := range b.policiesInForce() {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, p.Canonical()...)
	}
	body = append(body, `],"state":`...)
	body = st.Append(body)
	body = append(body, '}')
	sum := sha256.Sum256(body)
	return append([]byte(snapshotMagic+hex.EncodeToString(sum[:])+"\n"), body...), nil
}

func (b *Book) policiesInForce() []*quorum.Policy {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []*quorum.Policy
	for _, p := range b.policies {
		out = append(out, p)
	}
	return out
}

// RestoreBook makes a Book of a snapshot. Its Fold must be called from the entry
// before the snapshot's size on ([Book.FoldFrom]), which it compares.
func RestoreBook(snapshot []byte) (*Book, error) {
	head, body, ok := bytes.Cut(snapshot, []byte("\n"))
	sum := sha256.Sum256(body)
	if !ok || string(head) != snapshotMagic+hex.EncodeToString(sum[:]) {
		return nil, fmt.Errorf("%w: damaged, or of another version", ErrSnapshot)
	}
	b := NewBook()
	var last [32]byte
	var st *state.State
	r := canon.NewReader(body)
	r.Object(func(key []byte) {
		switch string(key) {
		case "last":
			r.Hex(last[:])
		case "policies":
			r.Array(func() {
				p, err := quorum.ParsePolicy(r.Raw())
				if err != nil {
					r.Fail("%v", err)
					return
				}
				b.policies[p.Digest()] = p
			})
		case "state":
			s, err := state.Read(r.Raw())
			if err != nil {
				r.Fail("%v", err)
			}
			st = s
		}
	})
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	if st == nil || st.Size == 0 {
		return nil, fmt.Errorf("%w: it holds nothing", ErrSnapshot)
	}
	b.state.Store(st)
	b.expect = &last
	return b, nil
}

// FoldFrom is the first entry that Fold must be given.
func (b *Book) FoldFrom() uint64 {
	if b.expect != nil {
		return b.State().Size - 1
	}
	return b.State().Size
}

// compare holds the first entry that is folded after a restore against the one
// that the snapshot ended with.
func (b *Book) compare(index uint64, leaf []byte) error {
	if index != b.State().Size-1 || quorum.LeafHash(leaf) != *b.expect {
		return fmt.Errorf("%w: entry %d is not the one it ended with", ErrSnapshot, index)
	}
	b.expect = nil
	return nil
}
