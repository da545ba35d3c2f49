package ledger

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/merkle"
)

// An entry's value:
//
//	stamp:2 ‖ length:1 ‖ name ‖ 0x00 ‖ leaf
//
// stamp is the offset of the time's digits in the leaf, so that the time is
// read where the tree vouches for it. The name makes the name index verifiable,
// and restorable. The zero byte is RFC 6962's leaf prefix: behind it the leaf is
// hashed where it stands.
const entryHead = 3

// A pending is one Append on its way: filled by its caller, then the
// sequencer's until done has been sent to.
type pending struct {
	value []byte
	leaf  int // where the leaf starts in value
	stamp int // where the time's digits start in value
	name  string
	rec   quorum.Record

	state   atomic.Int32 // waiting, then taken or abandoned
	done    chan struct{}
	receipt Receipt
	err     error
}

const (
	waiting int32 = iota
	taken
	abandoned
)

// keepBuffer is the largest value buffer a pooled pending keeps: a usual proof
// is 3 to 10 KB, and one of 60 KB should not be held for good.
const keepBuffer = 16 << 10

// encode fills p with rec's value.
func (p *pending) encode(name string, rec quorum.Record) error {
	if len(name) > store.MaxName {
		return fmt.Errorf("%w: name of %d bytes, at most %d", ErrInvalid, len(name), store.MaxName)
	}
	p.name, p.rec = name, rec
	v := append(p.value[:0], 0, 0, byte(len(name)))
	v = append(v, name...)
	v = append(v, merkle.LeafPrefix)
	p.leaf = len(v)
	p.value, p.stamp = rec.AppendLeaf(v)
	leafLen, stamp := len(p.value)-p.leaf, p.stamp-p.leaf
	if leafLen > quorum.MaxLeaf {
		return fmt.Errorf("%w: %s of %d bytes, at most %d", ErrInvalid, rec.Type(), leafLen, quorum.MaxLeaf)
	}
	if stamp < 0 || stamp+quorum.StampDigits > leafLen {
		panic("bug: a record's time lies outside its leaf")
	}
	binary.BigEndian.PutUint16(p.value, uint16(stamp))
	return nil
}

// reset makes p ready for the pool.
func (p *pending) reset() {
	if cap(p.value) > keepBuffer {
		p.value = nil
	}
	p.value = p.value[:0]
	p.name, p.rec, p.receipt, p.err = "", nil, Receipt{}, nil
	p.state.Store(waiting)
}

// A stored is an entry as it is read back. Its slices alias the value.
type stored struct {
	name     []byte
	prefixed []byte // 0x00 ‖ leaf
	at       int64
}

func (s stored) leaf() []byte { return s.prefixed[1:] }

// parseEntry reads an entry's value.
func parseEntry(value []byte) (stored, error) {
	if len(value) < entryHead {
		return stored{}, fmt.Errorf("%w: entry of %d bytes", store.ErrCorrupt, len(value))
	}
	stamp, nameEnd := int(binary.BigEndian.Uint16(value)), entryHead+int(value[2])
	if nameEnd+1 > len(value) || value[nameEnd] != merkle.LeafPrefix || value[2] > store.MaxName {
		return stored{}, fmt.Errorf("%w: entry's name", store.ErrCorrupt)
	}
	s := stored{name: value[entryHead:nameEnd], prefixed: value[nameEnd:]}
	if len(s.leaf()) > quorum.MaxLeaf || stamp+quorum.StampDigits > len(s.leaf()) {
		return stored{}, fmt.Errorf("%w: entry's time", store.ErrCorrupt)
	}
	for _, c := range s.leaf()[stamp : stamp+quorum.StampDigits] {
		if c < '0' || c > '9' {
			return stored{}, fmt.Errorf("%w: entry's time", store.ErrCorrupt)
		}
		s.at = s.at*10 + int64(c-'0')
	}
	return s, nil
}
