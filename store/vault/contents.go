package vault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/kaizen-os/deliberation/quorum/commit"
)

// A Field is one kept text.
type Field struct {
	Name string // "prompt", "reply/AUREA"
	Data []byte
}

// Contents are one record's texts, in the caller's order.
type Contents struct {
	Owner  string      // the client's name
	Seed   commit.Seed // of the salts of the record's commitments
	Fields []Field
}

// Field returns the data of the field of that name, or nil.
func (c *Contents) Field(name string) []byte {
	for _, f := range c.Fields {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

// contentsV1 starts the encoding:
//
//	1 ‖ seed:32 ‖ len ‖ owner ‖ count ‖ (len ‖ name ‖ len ‖ data)…
//
// with lengths and count as unsigned varints of the shortest form.
const contentsV1 = 1

// ErrContents is an encoding that is not one.
var ErrContents = errors.New("not a vault record's contents")

// size is the length of c's encoding, or more.
func (c *Contents) size() int {
	n := 1 + commit.Size + len(c.Owner) + 2*binary.MaxVarintLen32
	for _, f := range c.Fields {
		n += len(f.Name) + len(f.Data) + 2*binary.MaxVarintLen32
	}
	return n
}

// appendTo appends c's encoding to dst.
func (c *Contents) appendTo(dst []byte) []byte {
	dst = append(append(dst, contentsV1), c.Seed[:]...)
	dst = append(binary.AppendUvarint(dst, uint64(len(c.Owner))), c.Owner...)
	dst = binary.AppendUvarint(dst, uint64(len(c.Fields)))
	for _, f := range c.Fields {
		dst = append(binary.AppendUvarint(dst, uint64(len(f.Name))), f.Name...)
		dst = append(binary.AppendUvarint(dst, uint64(len(f.Data))), f.Data...)
	}
	return dst
}

// parseContents reads an encoding. The fields' data alias it. The error is
// ErrContents.
func parseContents(b []byte) (*Contents, error) {
	if len(b) < 1+commit.Size || b[0] != contentsV1 {
		return nil, fmt.Errorf("%w: unknown version", ErrContents)
	}
	c := &Contents{Seed: commit.Seed(b[1:])}
	d := decoder{b[1+commit.Size:], true}
	c.Owner = string(d.bytes())
	count := d.number()
	if !d.ok || count > uint64(len(d.rest))/2 { // a field takes two bytes or more
		return nil, fmt.Errorf("%w: cut short", ErrContents)
	}
	c.Fields = make([]Field, count)
	for i := range c.Fields {
		c.Fields[i] = Field{string(d.bytes()), d.bytes()}
	}
	if !d.ok || len(d.rest) > 0 {
		return nil, fmt.Errorf("%w: its lengths do not add up", ErrContents)
	}
	return c, nil
}

// decoder reads varints and what they count; ok turns false at the first fault.
type decoder struct {
	rest []byte
	ok   bool
}

func (d *decoder) number() uint64 {
	n, width := binary.Uvarint(d.rest)
	if width <= 0 || width > 1 && d.rest[width-1] == 0 || n > math.MaxInt32 {
		d.ok, d.rest = false, nil
		return 0
	}
	d.rest = d.rest[width:]
	return n
}

func (d *decoder) bytes() []byte {
	n := d.number()
	if n > uint64(len(d.rest)) {
		d.ok, d.rest = false, nil
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}
