package mirror

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/merkle"
)

// parallel is how many bundles are fetched at once. On the network it hides the
// way there and back; each may hold 16 MiB.
const parallel = 8

// Options say what to check a log against, and what to do with what holds.
type Options struct {
	Verifier note.Verifier // of the log's key
	// Earlier are checkpoints that the log must begin with.
	Earlier []ledger.Earlier
	// Visit, if set, is given each entry in order; leaf is valid during the call.
	Visit func(index uint64, leaf []byte) error
	// Keep, if set, is given each tile and bundle that was checked, in an order
	// that has all of them before Verify returns. It may keep data.
	Keep func(p ledger.TilePath, data []byte) error
}

// Verify goes through the log of the checkpoint that src serves: its signature,
// every entry and every tile, the root, and the checkpoints before it. It returns
// that checkpoint, also as the note it was, or the first thing that is wrong:
// store.ErrCorrupt, ledger.ErrCheckpoint, fs.ErrNotExist, src's error, Visit's or
// Keep's.
func Verify(ctx context.Context, src Source, o Options) (ledger.Checkpoint, []byte, error) {
	signed, err := src.Checkpoint(ctx)
	if err != nil {
		return ledger.Checkpoint{}, nil, fmt.Errorf("checkpoint: %w", err)
	}
	c, err := ledger.ParseCheckpoint(signed, o.Verifier)
	if err != nil {
		return ledger.Checkpoint{}, nil, err
	}
	v := verification{src: src, o: &o, size: c.Size, trail: ledger.NewTrail(o.Earlier...)}
	if err := v.run(ctx); err != nil {
		return ledger.Checkpoint{}, nil, err
	}
	if root := v.tree.Root(); root != c.Root {
		return ledger.Checkpoint{}, nil, fmt.Errorf("%w: the %d entries give the root %s, signed is %s", store.ErrCorrupt, c.Size, root, c.Root)
	}
	return c, signed, v.trail.End(c.Size)
}

// A verification is one pass of Verify.
type verification struct {
	src   Source
	o     *Options
	size  uint64
	tree  merkle.Tree
	trail *ledger.Trail
	upper []finished // tiles above level 0 that the last entries filled
}

type finished struct {
	path   ledger.TilePath
	hashes []merkle.Hash
}

// A piece is one bundle with the tile of its hashes, on its way.
type piece struct {
	bundle, tile []byte
	err          error
}

func (v *verification) run(ctx context.Context) error {
	if err := v.trail.Pass(&v.tree); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var fetching sync.WaitGroup
	defer fetching.Wait()
	defer cancel()
	// As deep as what may be under way: the loop below takes the pieces in order.
	pieces := make(chan chan piece, parallel)
	fetching.Go(func() {
		defer close(pieces)
		for n := range (v.size + merkle.TileWidth - 1) / merkle.TileWidth {
			out := make(chan piece, 1)
			select {
			case pieces <- out:
			case <-ctx.Done():
				return
			}
			fetching.Go(func() { out <- v.fetch(ctx, n) })
		}
	})
	n := uint64(0)
	for out := range pieces {
		p := <-out
		if p.err != nil {
			return p.err
		}
		if err := v.bundle(n, p); err != nil {
			return err
		}
		if err := v.uppers(ctx); err != nil {
			return err
		}
		n++
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return v.edge(ctx)
}

// width is that of bundle n and of its tile.
func (v *verification) width(n uint64) int {
	return int(min(merkle.TileWidth, v.size-n*merkle.TileWidth))
}

func (v *verification) fetch(ctx context.Context, n uint64) (p piece) {
	width := v.width(n)
	if p.bundle, p.err = v.read(ctx, ledger.TilePath{Entries: true, N: n, Width: width}); p.err == nil {
		p.tile, p.err = v.read(ctx, ledger.TilePath{N: n, Width: width})
	}
	return p
}

// read fetches a resource. A partial one may have been removed when the full one
// came, which begins with it.
func (v *verification) read(ctx context.Context, p ledger.TilePath) ([]byte, error) {
	data, err := v.src.Read(ctx, p)
	if errors.Is(err, fs.ErrNotExist) && p.Width < merkle.TileWidth {
		full := p
		full.Width = merkle.TileWidth
		if whole, fullErr := v.src.Read(ctx, full); fullErr == nil {
			return cut(p, whole)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	return data, nil
}

// cut is the start of a full resource that p names.
func cut(p ledger.TilePath, whole []byte) ([]byte, error) {
	length := p.Width * len(merkle.Hash{})
	if p.Entries {
		length = 0
		for range p.Width {
			if length+2 > len(whole) {
				break
			}
			length += 2 + int(binary.BigEndian.Uint16(whole[length:]))
		}
	}
	if length > len(whole) {
		return nil, fmt.Errorf("%w: %s is cut short", store.ErrCorrupt, p)
	}
	return whole[:length:length], nil
}

// bundle hashes the entries of bundle n into the tree, each against the tile.
func (v *verification) bundle(n uint64, p piece) error {
	at := ledger.TilePath{Entries: true, N: n, Width: v.width(n)}
	tile := ledger.TilePath{N: n, Width: at.Width}
	if len(p.tile) != at.Width*len(merkle.Hash{}) {
		return fmt.Errorf("%w: %s has %d bytes, want %d hashes", store.ErrCorrupt, tile, len(p.tile), at.Width)
	}
	full := func(level int, number uint64, hashes *[merkle.TileWidth]merkle.Hash) {
		if level > 0 { // level 0 is compared hash by hash
			v.upper = append(v.upper, finished{ledger.TilePath{Level: level, N: number, Width: merkle.TileWidth}, hashes[:]})
		}
	}
	rest := p.bundle
	var prefixed []byte
	for i := range at.Width {
		index := n*merkle.TileWidth + uint64(i)
		if len(rest) < 2 || len(rest)-2 < int(binary.BigEndian.Uint16(rest)) {
			return fmt.Errorf("%w: %s ends within entry %d", store.ErrCorrupt, at, index)
		}
		leaf := rest[2 : 2+int(binary.BigEndian.Uint16(rest))]
		rest = rest[2+len(leaf):]
		prefixed = append(append(prefixed[:0], merkle.LeafPrefix), leaf...)
		hash := merkle.LeafHash(prefixed)
		if !bytes.Equal(hash[:], p.tile[i*len(hash):(i+1)*len(hash)]) {
			return fmt.Errorf("%w: entry %d in %s does not have the hash that %s holds for it", store.ErrCorrupt, index, at, tile)
		}
		v.tree.Append(hash, full)
		if err := v.trail.Pass(&v.tree); err != nil {
			return err
		}
		if v.o.Visit != nil {
			if err := v.o.Visit(index, leaf); err != nil {
				return fmt.Errorf("entry %d: %w", index, err)
			}
		}
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: %s goes on after its %d entries", store.ErrCorrupt, at, at.Width)
	}
	return errors.Join(v.keep(at, p.bundle), v.keep(tile, p.tile))
}

// uppers compares the tiles above level 0 that have filled up.
func (v *verification) uppers(ctx context.Context) error {
	for _, u := range v.upper {
		if err := v.compare(ctx, u.path, u.hashes); err != nil {
			return err
		}
	}
	v.upper = v.upper[:0]
	return nil
}

// edge compares the unfinished tiles above level 0.
func (v *verification) edge(ctx context.Context) error {
	edge := v.tree.Edge()
	for level := 1; v.size>>(merkle.TileHeight*level) > 0; level++ {
		number := v.size >> (merkle.TileHeight * (level + 1))
		hashes, held, err := edge.Tile(level, number)
		if err != nil || !held {
			continue // the level ends with a full tile
		}
		if err := v.compare(ctx, ledger.TilePath{Level: level, N: number, Width: len(hashes)}, hashes); err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) compare(ctx context.Context, p ledger.TilePath, hashes []merkle.Hash) error {
	data, err := v.read(ctx, p)
	if err != nil {
		return err
	}
	if !bytes.Equal(data, merkle.AppendTile(make([]byte, 0, merkle.TileBytes), hashes)) {
		return fmt.Errorf("%w: %s does not hold the hashes of the tiles below it", store.ErrCorrupt, p)
	}
	return v.keep(p, data)
}

func (v *verification) keep(p ledger.TilePath, data []byte) error {
	if v.o.Keep == nil {
		return nil
	}
	return v.o.Keep(p, data)
}
