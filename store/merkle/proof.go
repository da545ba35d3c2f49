package merkle

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// A Tiles reads tiles: the first width hashes of tile number n of a level, as
// their bytes.
type Tiles func(level int, n uint64, width int) ([]byte, error)

// ErrProof is a proof that does not show what it should.
var ErrProof = errors.New("merkle: the proof does not hold")

// Inclusion is the path from the leaf at index to root, which is over size
// leaves, from the leaf's sibling upwards. It is checked against root before it
// is returned, so a damaged tile gives an error. Cost: at most 250 hashes and
// two reads a level of tiles; a third of what tlog's reader takes, which checks
// each tile by itself.
func Inclusion(index, size uint64, root Hash, tiles Tiles) ([]Hash, error) {
	if index >= size || size > math.MaxInt64/2 {
		return nil, fmt.Errorf("no leaf %d in a tree of %d", index, size)
	}
	r := treeReader{size: size, tiles: tiles}
	leaf, err := r.perfect(0, index)
	if err != nil {
		return nil, err
	}
	path := make([]Hash, 0, bits.Len64(size-1))
	for height := 0; (size-1)>>height > 0; height++ {
		sibling := index>>height ^ 1
		last := (size - 1) >> height
		if sibling > last {
			continue // an only child is its parent
		}
		var h Hash
		if (sibling+1)<<height <= size {
			h, err = r.perfect(height, sibling)
		} else {
			h, err = r.ragged(sibling << height)
		}
		if err != nil {
			return nil, err
		}
		path = append(path, h)
	}
	if err := VerifyInclusion(path, index, size, root, leaf); err != nil {
		return nil, fmt.Errorf("the stored tiles do not lead from leaf %d to the root", index)
	}
	return path, nil
}

// A treeReader makes subtree roots of tiles. It keeps the tiles it has read,
// since the eight subtrees of a path within one tile share it.
type treeReader struct {
	size  uint64
	tiles Tiles
	read  []readTile
}

type readTile struct {
	level int
	n     uint64
	data  []byte
}

// perfect is the root of the perfect subtree number n of a height.
func (r *treeReader) perfect(height int, n uint64) (Hash, error) {
	level, below := height/TileHeight, height%TileHeight
	first := n << below
	data, err := r.tile(level, first/TileWidth)
	if err != nil {
		return Hash{}, err
	}
	start, count := int(first%TileWidth)*len(Hash{}), 1<<below
	hashes, err := ParseTile(data[start:start+count*len(Hash{})], count)
	if err != nil {
		return Hash{}, err
	}
	return SubtreeRoot(hashes), nil
}

// ragged is the root over the leaves from first, which is on the boundary of a
// perfect subtree that the tree does not fill, to the last.
func (r *treeReader) ragged(first uint64) (Hash, error) {
	var root Hash
	for end := r.size; end > first; {
		height := bits.TrailingZeros64(end - first)
		end -= 1 << height
		h, err := r.perfect(height, end>>height)
		if err != nil {
			return Hash{}, err
		}
		if end+1<<height == r.size {
			root = h
		} else {
			root = NodeHash(h, root)
		}
	}
	return root, nil
}

// tile reads as much of a tile as the tree has.
func (r *treeReader) tile(level int, n uint64) ([]byte, error) {
	for _, t := range r.read {
		if t.level == level && t.n == n {
			return t.data, nil
		}
	}
	width := int(min(TileWidth, r.size>>(TileHeight*level)-n*TileWidth))
	data, err := r.tiles(level, n, width)
	if err != nil {
		return nil, err
	}
	if len(data) != width*len(Hash{}) {
		return nil, fmt.Errorf("tile %d of level %d has %d bytes, want %d hashes", n, level, len(data), width)
	}
	r.read = append(r.read, readTile{level, n, data})
	return data, nil
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
