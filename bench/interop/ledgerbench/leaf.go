package main

import (
	"math/rand/v2"
	"strconv"

	"github.com/kaizen-os/deliberation/quorum"
)

// usualLeaf is about what a usual proof takes, in bytes; smallLeaf lets ten
// million entries go on a disk.
const (
	usualLeaf = 3000
	smallLeaf = 300
)

// A leaf is an entry's bytes but for its number and time: JSON of a fixed
// length, whose text does not compress, like the commitments of a proof.
type leaf struct{ text string }

const (
	leafHead   = `{"at":"`
	leafZeros  = `0000000000000`
	leafNumber = `","n":"`
	leafText   = `","text":"`
	leafEnd    = `"}`
	digits     = 20
	leafFixed  = len(leafHead+leafZeros+leafNumber+leafText+leafEnd) + digits
)

// newLeaf makes leaves of size bytes.
func newLeaf(size int) leaf {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	random := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, max(size-leafFixed, 0))
	for i := range text {
		text[i] = letters[random.IntN(len(letters))]
	}
	return leaf{string(text)}
}

// appendTo appends entry number i and says where its time goes.
func (l leaf) appendTo(dst []byte, i uint64) (_ []byte, stamp int) {
	dst = append(dst, leafHead...)
	stamp = len(dst)
	dst = append(append(dst, leafZeros...), leafNumber...)
	dst = appendNumber(dst, i)
	dst = append(append(dst, leafText...), l.text...)
	return append(dst, leafEnd...), stamp
}

func (l leaf) size() int { return leafFixed + len(l.text) }

// appendNumber appends i in twenty digits, so that names grow as they sort.
func appendNumber(dst []byte, i uint64) []byte {
	var buf [digits]byte
	number := strconv.AppendUint(buf[:0], i, 10)
	for range digits - len(number) {
		dst = append(dst, '0')
	}
	return append(dst, number...)
}

// name is the entry's name, of a deliberation's length.
func name(i uint64) string {
	var buf [4 + digits]byte
	return string(appendNumber(append(buf[:0], "dlb_"...), i))
}

// A record is entry number i, to our ledger.
type record struct {
	leaf
	i uint64
}

func (record) Type() quorum.RecordType { return "benchmark" }

func (r record) AppendLeaf(dst []byte) ([]byte, int) { return r.appendTo(dst, r.i) }
