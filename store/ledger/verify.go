package ledger

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/merkle"
)

// ReadVerifier reads the verifier key in dir's ledger.pub: good for checking
// that a ledger is whole, not for whose it is.
func ReadVerifier(dir string, fs vfs.FS) (note.Verifier, error) {
	if fs == nil {
		fs = vfs.Default
	}
	text, err := readPublicKey(fs, dir)
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(string(bytes.TrimSpace(text)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fs.PathJoin(dir, PubFile), err)
	}
	return v, nil
}

func readPublicKey(fs vfs.FS, dir string) ([]byte, error) {
	path := fs.PathJoin(dir, PubFile)
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, 4096)
	n, err := f.Read(buf)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return buf[:n], nil
}

// Verify re-reads the whole ledger in the data folder dir, which no process may
// hold open: the checkpoint's signature, every entry's hash, every tile, the
// root, the order of times, and the names both ways. It changes nothing. visit,
// if set, is given each entry in order; its slices are valid during the call. The
// ledger must begin with what the earlier checkpoints were signed over.
//
// It returns the checkpoint that all agrees with, or the first thing wrong:
// store.ErrCorrupt, ErrCheckpoint, store.ErrLocked, fs.ErrNotExist, or visit's
// error with the index. Cost: one pass, memory does not grow with size.
func Verify(dir string, fs vfs.FS, verifier note.Verifier, visit func(index uint64, at int64, leaf []byte) error, earlier ...Earlier) (c Checkpoint, err error) {
	if fs == nil {
		fs = vfs.Default
	}
	db, err := store.Open(fs.PathJoin(dir, StoreDir), store.Options{FS: fs, ReadOnly: true, Serial: true})
	if err != nil {
		return Checkpoint{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	signed, err := readCheckpoint(db)
	if err != nil {
		return Checkpoint{}, err
	}
	if signed == nil {
		return Checkpoint{}, fmt.Errorf("%w: there is no checkpoint", store.ErrCorrupt)
	}
	if c, err = ParseCheckpoint(signed, verifier); err != nil {
		return Checkpoint{}, err
	}
	v := verification{db: db, visit: visit, trail: NewTrail(earlier...)}
	if err := v.entries(c.Size); err != nil {
		return Checkpoint{}, err
	}
	if root := v.tree.Root(); root != c.Root {
		return Checkpoint{}, fmt.Errorf("%w: the %d entries give the root %s, signed is %s", store.ErrCorrupt, c.Size, root, c.Root)
	}
	if err := v.trail.End(c.Size); err != nil {
		return Checkpoint{}, err
	}
	if err := v.noOther("tile", store.Tiles(), v.tiles); err != nil {
		return Checkpoint{}, err
	}
	if err := v.noOther("name", store.Names(), v.names); err != nil {
		return Checkpoint{}, err
	}
	return c, nil
}

// A verification is one pass of Verify.
type verification struct {
	db    *store.DB
	visit func(uint64, int64, []byte) error
	tree  merkle.Tree
	trail *Trail
	tiles uint64 // full tiles seen, each equal to the stored one
	names uint64 // named entries seen, each in the index
	last  int64
}

// entries hashes every entry into the tree, comparing on the way each tile that
// fills up with the stored one, and each name with the index.
func (v *verification) entries(size uint64) error {
	var bad error
	full := func(level int, n uint64, tile *[merkle.TileWidth]merkle.Hash) {
		data, err := readTile(v.db, level, n)
		if err == nil && !bytes.Equal(data, merkle.AppendTile(nil, tile[:])) {
			err = fmt.Errorf("%w: tile %d of level %d does not hold the hashes of its entries", store.ErrCorrupt, n, level)
		}
		if bad == nil {
			bad = err
		}
		v.tiles++
	}
	if err := v.trail.Pass(&v.tree); err != nil {
		return err
	}
	err := eachEntry(v.db, 0, size, func(index uint64, e stored) error {
		v.tree.Append(merkle.LeafHash(e.prefixed), full)
		if bad != nil {
			return bad
		}
		if err := v.trail.Pass(&v.tree); err != nil {
			return err
		}
		if e.at < v.last {
			return fmt.Errorf("%w: entry %d is of %d, before the entry it follows, of %d", store.ErrCorrupt, index, e.at, v.last)
		}
		v.last = e.at
		if err := v.name(index, e); err != nil {
			return err
		}
		if v.visit != nil {
			if err := v.visit(index, e.at, e.leaf()); err != nil {
				return fmt.Errorf("entry %d: %w", index, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch _, closer, err := v.db.Get(store.AppendEntryKey(nil, size)); {
	case err == nil:
		closer.Close()
		return fmt.Errorf("%w: entry %d is beyond the signed size %d", store.ErrCorrupt, size, size)
	case !errors.Is(err, pebble.ErrNotFound):
		return readError(fmt.Sprintf("entry %d", size), err)
	}
	return nil
}

// name checks that an entry's name leads to it.
func (v *verification) name(index uint64, e stored) error {
	if len(e.name) == 0 {
		return nil
	}
	v.names++
	value, closer, err := v.db.Get(store.AppendNameKey(nil, string(e.name)))
	if err != nil {
		return readError(fmt.Sprintf("name %q of entry %d", e.name, index), err)
	}
	defer closer.Close()
	got, err := store.ParseIndex(value)
	if err != nil {
		return fmt.Errorf("name %q of entry %d: %w", e.name, index, err)
	}
	if got != index {
		return fmt.Errorf("%w: the name %q of entry %d leads to entry %d", store.ErrCorrupt, e.name, index, got)
	}
	return nil
}

// noOther checks that a range has as many keys as were accounted for.
func (v *verification) noOther(what string, keys store.Range, want uint64) (err error) {
	iter, err := v.db.NewIter(&pebble.IterOptions{LowerBound: keys.Lower, UpperBound: keys.Upper})
	if err != nil {
		return readError(what+"s", err)
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	var have uint64
	for ok := iter.First(); ok; ok = iter.Next() {
		have++
	}
	if err := iter.Error(); err != nil {
		return readError(what+"s", err)
	}
	if have != want {
		return fmt.Errorf("%w: %d %ss are stored, %d belong to the entries", store.ErrCorrupt, have, what, want)
	}
	return nil
}
