package merkle

import (
	"crypto/sha256"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a SHA-256 hash of the tree.
type Hash = tlog.Hash

// TileHeight is how many levels of the tree one tile spans, TileWidth how many
// hashes it holds, and TileBytes their length.
const (
	TileHeight = 8
	TileWidth  = 1 << TileHeight
	TileBytes  = TileWidth * tlog.HashSize
)

// LeafPrefix stands before a leaf's bytes when it is hashed.
const LeafPrefix = 0x00

// LeafHash hashes a leaf that already stands behind its LeafPrefix: one call of
// Sum256 over one slice is what keeps an append from copying the leaf.
func LeafHash(prefixed []byte) Hash {
	if prefixed[0] != LeafPrefix {
		panic("bug: leaf without its prefix")
	}
	return sha256.Sum256(prefixed)
}

// NodeHash hashes two children: SHA-256(0x01 ‖ left ‖ right). No allocation.
func NodeHash(left, right Hash) Hash {
	var buf [1 + 2*tlog.HashSize]byte
	buf[0] = 0x01
	copy(buf[1:], left[:])
	copy(buf[1+tlog.HashSize:], right[:])
	return sha256.Sum256(buf[:])
}

// EmptyRoot is the root of the tree without leaves.
func EmptyRoot() Hash { return sha256.Sum256(nil) }

// SubtreeRoot is the root over hashes, whose number is a power of two, at most
// TileWidth.
func SubtreeRoot(hashes []Hash) Hash {
	n := len(hashes)
	if n == 0 || n > TileWidth || n&(n-1) != 0 {
		panic("bug: not a perfect subtree of a tile")
	}
	if n == 1 {
		return hashes[0]
	}
	var row [TileWidth / 2]Hash
	for i := range n / 2 {
		row[i] = NodeHash(hashes[2*i], hashes[2*i+1])
	}
	for n /= 2; n > 1; n /= 2 {
		for i := range n / 2 {
			row[i] = NodeHash(row[2*i], row[2*i+1])
		}
	}
	return row[0]
}

// AppendTile appends a tile's hashes as its bytes.
func AppendTile(dst []byte, hashes []Hash) []byte {
	for i := range hashes {
		dst = append(dst, hashes[i][:]...)
	}
	return dst
}

// ParseTile reads the bytes of a tile of width hashes into a new slice.
func ParseTile(data []byte, width int) ([]Hash, error) {
	if width < 1 || width > TileWidth || len(data) != width*tlog.HashSize {
		return nil, fmt.Errorf("tile of %d bytes: want %d hashes of %d", len(data), width, tlog.HashSize)
	}
	hashes := make([]Hash, width)
	for i := range hashes {
		hashes[i] = Hash(data[i*tlog.HashSize:])
	}
	return hashes, nil
}
