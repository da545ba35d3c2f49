package gateway

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/canon"
	"github.com/kaizen-os/deliberation/quorum/state"
)

// A snapshot spares a start the folding of the whole ledger. It is a
// convenience: whatever is wrong with one, the ledger is folded instead. Its form
// is one line, "kaizen-book-1 " and the SHA-256 of the rest, and then
//
//	{"courses":[{"fitted":[…],"from":SIZE,"policy":DIGEST}],"last":HASH,"policies":[…],"state":{…}}
//
// where courses, left out when there are none, say what was in force of a policy
// beside its document, and last is the leaf hash of the last entry folded, so that a snapshot of
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
	body := []byte{'{'}
	policies, courses := b.policiesInForce()
	if len(courses) > 0 {
		body = append(body, `"courses":[`...)
		for i, c := range courses {
			if i > 0 {
				body = append(body, ',')
			}
			body = append(body, `{"fitted":`...)
			body = quorum.AppendFitted(body, c.policy.Fitted())
			body = append(body, `,"from":`...)
			body = canon.AppendInt(body, int64(c.from))
			body = append(body, `,"policy":`...)
			digest := c.policy.Digest()
			body = canon.AppendHex(body, digest[:])
			body = append(body, '}')
		}
		body = append(body, `],`...)
	}
	body = append(body, `"last":`...)
	body = canon.AppendHex(body, last[:])
	body = append(body, `,"policies":[`...)
	for i, p := range policies {
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

// policiesInForce are those that are or were, and the courses that they took.
func (b *Book) policiesInForce() (policies []*quorum.Policy, courses []course) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.policies {
		policies = append(policies, p)
	}
	return policies, slices.Clone(b.courses)
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
	var read []courseRead
	r := canon.NewReader(body)
	r.Object(func(key []byte) {
		switch string(key) {
		case "courses":
			r.Array(func() { read = append(read, readCourse(r)) })
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
	for _, c := range read {
		p := b.policies[c.digest]
		if p == nil {
			return nil, fmt.Errorf("%w: a course of a policy that is not in it", ErrSnapshot)
		}
		p, err := p.WithFitted(c.fitted)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSnapshot, err)
		}
		b.courses = append(b.courses, course{c.from, p})
	}
	b.state.Store(st)
	b.expect = &last
	return b, nil
}

// A courseRead is a course before the policies have been read.
type courseRead struct {
	fitted []quorum.FittedConfidence
	from   uint64
	digest [32]byte
}

func readCourse(r *canon.Reader) (c courseRead) {
	r.Object(func(key []byte) {
		switch string(key) {
		case "fitted":
			c.fitted = quorum.ReadFitted(r)
		case "from":
			c.from = uint64(r.Int())
		case "policy":
			r.Hex(c.digest[:])
		}
	})
	return c
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
