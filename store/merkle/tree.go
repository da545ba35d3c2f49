package merkle

import (
	"fmt"
	"math/bits"
)

// A Tree is the right edge of a growing tree. The zero Tree is empty. It has
// one writer; what Edge returns may be read by others while it grows.
type Tree struct {
	size uint64
	// peaks[h] is the root of the perfect subtree of height h on the edge, and
	// means something only where size has bit h.
	peaks [64]Hash
	// tiles[l] is the unfinished tile of level l, nil when it has no hash yet.
	// Its first hashes, once there, never change, so Edge need not copy them.
	tiles []*[TileWidth]Hash
}

// Size is how many leaves t has.
func (t *Tree) Size() uint64 { return t.size }

// Append adds a leaf. For each tile that it completes, at most one a level and
// from level 0 up, full is called; the tile is the callee's from then on.
//
// Hot: one node hash on average, and one allocation of a tile in 256 calls.
func (t *Tree) Append(leaf Hash, full func(level int, number uint64, tile *[TileWidth]Hash)) {
	h, index := leaf, t.size
	t.put(0, index, h, full)
	height := 0
	for ; index>>height&1 == 1; height++ {
		h = NodeHash(t.peaks[height], h)
		if (height+1)%TileHeight == 0 {
			t.put((height+1)/TileHeight, index>>(height+1), h, full)
		}
	}
	t.peaks[height] = h
	t.size++
}

// put writes hash number n of a level into its tile.
func (t *Tree) put(level int, n uint64, h Hash, full func(int, uint64, *[TileWidth]Hash)) {
	if level == len(t.tiles) {
		t.tiles = append(t.tiles, nil)
	}
	tile := t.tiles[level]
	if tile == nil {
		tile = new([TileWidth]Hash)
		t.tiles[level] = tile
	}
	tile[n%TileWidth] = h
	if n%TileWidth == TileWidth-1 {
		t.tiles[level] = nil
		full(level, n/TileWidth, tile)
	}
}

// Root is the root over all leaves. Cost: one hash a set bit of the size.
func (t *Tree) Root() Hash {
	if t.size == 0 {
		return EmptyRoot()
	}
	height := bits.TrailingZeros64(t.size)
	root := t.peaks[height]
	for height++; t.size>>height != 0; height++ {
		if t.size>>height&1 == 1 {
			root = NodeHash(t.peaks[height], root)
		}
	}
	return root
}

// An Edge is a tree's unfinished tiles at one size: what, besides the full
// tiles, any proof for that size needs. It never changes.
type Edge struct {
	size  uint64
	tiles [][]Hash // by level; may be empty
}

// Edge returns t's edge as it is now.
func (t *Tree) Edge() Edge {
	e := Edge{size: t.size, tiles: make([][]Hash, len(t.tiles))}
	for level, tile := range t.tiles {
		if width := int(t.size >> (TileHeight * level) % TileWidth); width > 0 {
			e.tiles[level] = tile[:width:width]
		}
	}
	return e
}

// Tile finds tile number n of a level at e's size. held says that e has its
// hashes; else it is full, and stored. Cutting it to a width is the caller's.
// An error says that the tree has no such tile.
func (e Edge) Tile(level int, n uint64) (hashes []Hash, held bool, err error) {
	if level < 0 || level*TileHeight >= 64 {
		return nil, false, fmt.Errorf("tile level %d: want 0 to 7", level)
	}
	switch count := e.size >> (TileHeight * level); {
	case n < count/TileWidth:
		return nil, false, nil
	case n == count/TileWidth && count%TileWidth > 0:
		return e.tiles[level], true, nil
	}
	return nil, false, fmt.Errorf("tile %d of level %d is beyond a tree of %d", n, level, e.size)
}

// Resume rebuilds the Tree of size leaves from what is stored: leaf gives the
// hash of a leaf, tile a full tile. It reads at most 255 of the former, and 255
// of the latter a level, at any size, and derives every hash of the edge anew.
func Resume(size uint64, leaf func(index uint64) (Hash, error), tile func(level int, number uint64) ([]Hash, error)) (*Tree, error) {
	t := &Tree{size: size}
	for level := 0; size>>(TileHeight*level) > 0; level++ {
		count := size >> (TileHeight * level)
		width := int(count % TileWidth)
		if width == 0 {
			t.tiles = append(t.tiles, nil)
			continue
		}
		edge := new([TileWidth]Hash)
		for i := range width {
			n := count - uint64(width) + uint64(i)
			if level == 0 {
				h, err := leaf(n)
				if err != nil {
					return nil, err
				}
				edge[i] = h
				continue
			}
			below, err := tile(level-1, n)
			if err != nil {
				return nil, err
			}
			if len(below) != TileWidth {
				return nil, fmt.Errorf("tile %d of level %d has %d hashes, want %d", n, level-1, len(below), TileWidth)
			}
			edge[i] = SubtreeRoot(below)
		}
		t.tiles = append(t.tiles, edge)
		// The bits of width are the peaks within this tile, highest first.
		start := 0
		for b := TileHeight - 1; b >= 0; b-- {
			if width>>b&1 == 1 {
				t.peaks[TileHeight*level+b] = SubtreeRoot(edge[start : start+1<<b])
				start += 1 << b
			}
		}
		if level == 7 {
			break
		}
	}
	return t, nil
}
