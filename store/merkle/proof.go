package merkle

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/mod/sumdb/tlog"
)

// A Tiles reads tiles: the first width hashes of tile number n of a level, as
// their bytes.
type Tiles func(level int, n uint64, width int) ([]byte, error)

// ErrProof is a proof that does not show what it should.
var ErrProof = errors.New("merkle: the proof does not hold")

// Inclusion is the path from the leaf at index to root, which is over size
// leaves, from the leaf's sibling upwards. Every tile it reads is checked
// against root. Cost: about 250 hashes a level of tiles.
func Inclusion(index, size uint64, root Hash, tiles Tiles) ([]Hash, error) {
	if index >= size || size > math.MaxInt64/2 {
		return nil, fmt.Errorf("no leaf %d in a tree of %d", index, size)
	}
	return tlog.ProveRecord(int64(size), int64(index), reader(size, root, tiles))
}

// Consistency is the proof that the tree of old leaves is the start of the one
// of size leaves that root is over. Tiles are checked as for Inclusion.
func Consistency(old, size uint64, root Hash, tiles Tiles) ([]Hash, error) {
	if old == 0 || old > size || size > math.MaxInt64/2 {
		return nil, fmt.Errorf("no consistency from %d to %d leaves", old, size)
	}
	return tlog.ProveTree(int64(size), int64(old), reader(size, root, tiles))
}

// RootAt is the root over the first old of the size leaves that root is over.
func RootAt(old, size uint64, root Hash, tiles Tiles) (Hash, error) {
	switch {
	case old > size || size > math.MaxInt64/2:
		return Hash{}, fmt.Errorf("no tree of %d in one of %d", old, size)
	case old == size:
		return root, nil
	case old == 0:
		return EmptyRoot(), nil
	}
	return tlog.TreeHash(int64(old), reader(size, root, tiles))
}

// VerifyInclusion checks a path of Inclusion. The error is ErrProof.
func VerifyInclusion(path []Hash, index, size uint64, root, leaf Hash) error {
	if index >= size || size > math.MaxInt64/2 {
		return fmt.Errorf("%w: no leaf %d in a tree of %d", ErrProof, index, size)
	}
	if tlog.CheckRecord(path, int64(size), root, int64(index), leaf) != nil {
		return fmt.Errorf("%w: leaf %d is not under the root of %d leaves", ErrProof, index, size)
	}
	return nil
}

// VerifyConsistency checks a proof of Consistency. The error is ErrProof.
func VerifyConsistency(proof []Hash, old, size uint64, oldRoot, root Hash) error {
	if old == 0 || old > size || size > math.MaxInt64/2 {
		return fmt.Errorf("%w: no consistency from %d to %d leaves", ErrProof, old, size)
	}
	if tlog.CheckTree(proof, int64(size), root, int64(old), oldRoot) != nil {
		return fmt.Errorf("%w: the tree of %d leaves is not the start of that of %d", ErrProof, old, size)
	}
	return nil
}

func reader(size uint64, root Hash, tiles Tiles) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: int64(size), Hash: root}, tileReader{tiles})
}

// tileReader hands tiles to tlog.
type tileReader struct{ tiles Tiles }

func (tileReader) Height() int { return TileHeight }

func (r tileReader) ReadTiles(want []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(want))
	for i, t := range want {
		var err error
		if data[i], err = r.tiles(t.L, uint64(t.N), t.W); err != nil {
			return nil, err
		}
	}
	return data, nil
}

func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}
