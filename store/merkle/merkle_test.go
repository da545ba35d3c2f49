package merkle

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// log is a whole tree in memory, with tlog's own hashes beside ours.
type log struct {
	tree   Tree
	tiles  map[string][]Hash
	leaves []Hash
	stored []tlog.Hash
}

func (l *log) full(level int, n uint64, tile *[TileWidth]Hash) {
	l.tiles[fmt.Sprint(level, n)] = tile[:]
}

func (l *log) grow(t *testing.T, size int) {
	t.Helper()
	for i := len(l.leaves); i < size; i++ {
		leaf := binary.BigEndian.AppendUint32([]byte{LeafPrefix}, uint32(i))
		h := LeafHash(leaf)
		hashes, err := tlog.StoredHashesForRecordHash(int64(i), h, l.reader())
		if err != nil {
			t.Fatal(err)
		}
		l.stored = append(l.stored, hashes...)
		l.leaves = append(l.leaves, h)
		l.tree.Append(h, l.full)
	}
}

func (l *log) reader() tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range indexes {
			out = append(out, l.stored[i])
		}
		return out, nil
	})
}

// read is a Tiles over the edge and the full tiles.
func (l *log) read(e Edge) Tiles {
	return func(level int, n uint64, width int) ([]byte, error) {
		hashes, held, err := e.Tile(level, n)
		if err != nil {
			return nil, err
		}
		if !held {
			hashes = l.tiles[fmt.Sprint(level, n)]
		}
		return AppendTile(nil, hashes[:width]), nil
	}
}

func newLog() *log { return &log{tiles: map[string][]Hash{}} }

var sizes = []int{1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 1000, 65535, 65536, 65537, 66000}

func TestTreeAgreesWithTlog(t *testing.T) {
	l := newLog()
	if l.tree.Root() != sha256.Sum256(nil) {
		t.Error("the empty tree's root is not the hash of nothing")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range sizes {
		l.grow(t, size)
		want, err := tlog.TreeHash(int64(size), l.reader())
		if err != nil {
			t.Fatal(err)
		}
		root := l.tree.Root()
		if root != want {
			t.Fatalf("root at size %d differs from tlog's", size)
		}
		read := l.read(l.tree.Edge())
		for _, index := range []int{0, size - 1, size / 2, rng.IntN(size)} {
			path, err := Inclusion(uint64(index), uint64(size), root, read)
			if err != nil {
				t.Fatalf("Inclusion(%d, %d): %v", index, size, err)
			}
			if err := VerifyInclusion(path, uint64(index), uint64(size), root, l.leaves[index]); err != nil {
				t.Error(err)
			}
			if size > 1 && VerifyInclusion(path, uint64(index), uint64(size), root, l.leaves[(index+1)%size]) == nil {
				t.Errorf("the path of leaf %d of %d also shows another leaf", index, size)
			}
			old := index + 1
			proof, err := Consistency(uint64(old), uint64(size), root, read)
			if err != nil {
				t.Fatalf("Consistency(%d, %d): %v", old, size, err)
			}
			oldRoot, err := RootAt(uint64(old), uint64(size), root, read)
			if err != nil {
				t.Fatal(err)
			}
			if want, _ := tlog.TreeHash(int64(old), l.reader()); oldRoot != want {
				t.Errorf("RootAt(%d) differs from tlog's", old)
			}
			if err := VerifyConsistency(proof, uint64(old), uint64(size), oldRoot, root); err != nil {
				t.Error(err)
			}
			if VerifyConsistency(proof, uint64(old), uint64(size), root, oldRoot) == nil && old != size {
				t.Errorf("consistency from %d to %d also holds for exchanged roots", old, size)
			}
		}
	}
}

func TestResumeGivesTheSameTree(t *testing.T) {
	l := newLog()
	for _, size := range append([]int{0}, sizes...) {
		l.grow(t, size)
		resumed, err := Resume(uint64(size),
			func(i uint64) (Hash, error) { return l.leaves[i], nil },
			func(level int, n uint64) ([]Hash, error) { return l.tiles[fmt.Sprint(level, n)], nil })
		if err != nil {
			t.Fatal(err)
		}
		if resumed.Root() != l.tree.Root() {
			t.Fatalf("resumed root at size %d differs", size)
		}
		// It goes on as the one that never stopped.
		again := newLog()
		again.tree, again.leaves, again.stored = *resumed, l.leaves[:size:size], l.stored[:tlog.StoredHashCount(int64(size)):tlog.StoredHashCount(int64(size))]
		again.grow(t, size+300)
		want, err := tlog.TreeHash(int64(size+300), again.reader())
		if err != nil {
			t.Fatal(err)
		}
		if again.tree.Root() != want {
			t.Fatalf("tree resumed at %d goes wrong after", size)
		}
	}
}

func TestResumePassesOnWhatCannotBeRead(t *testing.T) {
	lost := errors.New("lost")
	tile := func(int, uint64) ([]Hash, error) { return make([]Hash, TileWidth), nil }
	if _, err := Resume(3, func(uint64) (Hash, error) { return Hash{}, lost }, tile); !errors.Is(err, lost) {
		t.Errorf("Resume() = %v, want the leaf's error", err)
	}
	leaf := func(uint64) (Hash, error) { return Hash{}, nil }
	if _, err := Resume(256, leaf, func(int, uint64) ([]Hash, error) { return nil, lost }); !errors.Is(err, lost) {
		t.Errorf("Resume() = %v, want the tile's error", err)
	}
	if _, err := Resume(256, leaf, func(int, uint64) ([]Hash, error) { return make([]Hash, 3), nil }); err == nil || !strings.Contains(err.Error(), "tile 0 of level 0") {
		t.Errorf("Resume() = %v, want the short tile named", err)
	}
}

// A reader's edge stays as it was while the writer goes on.
func TestEdgeDoesNotChange(t *testing.T) {
	l := newLog()
	l.grow(t, 700)
	edge, root := l.tree.Edge(), l.tree.Root()
	l.grow(t, 70_000)
	path, err := Inclusion(699, 700, root, l.read(edge))
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyInclusion(path, 699, 700, root, l.leaves[699]); err != nil {
		t.Error(err)
	}
	for _, bad := range []struct {
		level int
		n     uint64
	}{{0, 3}, {1, 1}, {2, 0}, {-1, 0}, {8, 0}, {63, 0}} {
		if _, _, err := edge.Tile(bad.level, bad.n); err == nil {
			t.Errorf("Tile(%d, %d) of 700 leaves exists", bad.level, bad.n)
		}
	}
}

func TestDamagedTileGivesNoProof(t *testing.T) {
	l := newLog()
	l.grow(t, 1000)
	root, edge := l.tree.Root(), l.tree.Edge()
	l.tiles["0 1"][77][5] ^= 1
	if _, err := Inclusion(300, 1000, root, l.read(edge)); err == nil {
		t.Error("a path was made from a damaged tile")
	}
	if _, err := Consistency(300, 1000, root, l.read(edge)); err == nil {
		t.Error("a consistency proof was made from a damaged tile")
	}
}

func TestOutOfRange(t *testing.T) {
	l := newLog()
	l.grow(t, 10)
	root, read := l.tree.Root(), l.read(l.tree.Edge())
	if _, err := Inclusion(10, 10, root, read); err == nil {
		t.Error("Inclusion beyond the size")
	}
	if _, err := Consistency(0, 10, root, read); err == nil {
		t.Error("Consistency from nothing")
	}
	if _, err := Consistency(11, 10, root, read); err == nil {
		t.Error("Consistency backwards")
	}
	if _, err := RootAt(11, 10, root, read); err == nil {
		t.Error("RootAt beyond the size")
	}
	if err := VerifyInclusion(nil, 10, 10, root, Hash{}); !errors.Is(err, ErrProof) {
		t.Errorf("VerifyInclusion() = %v", err)
	}
	if err := VerifyConsistency(nil, 11, 10, root, root); !errors.Is(err, ErrProof) {
		t.Errorf("VerifyConsistency() = %v", err)
	}
}

func TestTileBytes(t *testing.T) {
	hashes := []Hash{{1}, {2}, {3}}
	data := AppendTile(nil, hashes)
	got, err := ParseTile(data, 3)
	if err != nil || got[2] != hashes[2] {
		t.Errorf("ParseTile() = %v, %v", got, err)
	}
	for _, width := range []int{0, 2, 4, 257} {
		if _, err := ParseTile(data, width); err == nil {
			t.Errorf("ParseTile(width %d) of 3 hashes", width)
		}
	}
}

func BenchmarkTreeAppend(b *testing.B) {
	var t Tree
	full := func(int, uint64, *[TileWidth]Hash) {}
	b.ReportAllocs()
	for b.Loop() {
		t.Append(Hash{}, full)
	}
}

func BenchmarkInclusion(b *testing.B) {
	l := newLog()
	for i := range 100_000 {
		h := Hash{byte(i), byte(i >> 8), byte(i >> 16)}
		l.tree.Append(h, l.full)
	}
	root, read := l.tree.Root(), l.read(l.tree.Edge())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Inclusion(1234, 100_000, root, read); err != nil {
			b.Fatal(err)
		}
	}
}
