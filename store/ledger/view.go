package ledger

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/merkle"
)

// A view is the log as of one head: what readers of that size may see.
type view struct {
	db   *store.DB
	head *head
}

// tile is the first width hashes of a tile: from the head's edge while it is
// unfinished there, else from the store, cut to width.
func (v view) tile(level int, n uint64, width int) ([]byte, error) {
	hashes, held, err := v.head.edge.Tile(level, n)
	if err != nil || width < 1 || width > merkle.TileWidth || held && width > len(hashes) {
		return nil, fmt.Errorf("%w: tile %d of level %d, width %d, at size %d", ErrNotFound, n, level, width, v.head.Size)
	}
	if held {
		return merkle.AppendTile(make([]byte, 0, width*len(merkle.Hash{})), hashes[:width]), nil
	}
	data, err := readTile(v.db, level, n)
	if err != nil {
		return nil, err
	}
	return data[: width*len(merkle.Hash{}) : width*len(merkle.Hash{})], nil
}

// bundle is the first width entries of an entry bundle.
func (v view) bundle(n uint64, width int) ([]byte, error) {
	size := v.head.Size
	first := n * merkle.TileWidth
	if width < 1 || width > merkle.TileWidth || n > size/merkle.TileWidth || first+uint64(width) > size {
		return nil, fmt.Errorf("%w: bundle %d, width %d, at size %d", ErrNotFound, n, width, size)
	}
	var bundle []byte
	err := eachEntry(v.db, first, first+uint64(width), func(_ uint64, e stored) error {
		if bundle == nil { // entries of a bundle are much alike
			bundle = make([]byte, 0, width*(2+len(e.leaf())+len(e.leaf())/8))
		}
		bundle = append(bundle, byte(len(e.leaf())>>8), byte(len(e.leaf())))
		bundle = append(bundle, e.leaf()...)
		return nil
	})
	return bundle, err
}

func (v view) read(p TilePath) ([]byte, error) {
	if p.Entries {
		return v.bundle(p.N, p.Width)
	}
	return v.tile(p.Level, p.N, p.Width)
}

// A Reader reads the public side of a ledger that no process has open. It signs
// nothing and changes nothing, and needs no key but the public one.
type Reader struct {
	view
	fs  vfs.FS
	dir string
}

// OpenReader opens the ledger in the data folder dir for reading, after the same
// checks as Open: its edge must give the root that verifier's key has signed.
// Errors: store.ErrCorrupt, store.ErrLocked, ErrCheckpoint, fs.ErrNotExist.
func OpenReader(dir string, fs vfs.FS, verifier note.Verifier) (*Reader, error) {
	if fs == nil {
		fs = vfs.Default
	}
	db, err := store.Open(fs.PathJoin(dir, StoreDir), store.Options{FS: fs, ReadOnly: true, Serial: true})
	if err != nil {
		return nil, err
	}
	head, err := readHead(db, verifier)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open ledger %s: %w", dir, err), db.Close())
	}
	return &Reader{view{db, head}, fs, dir}, nil
}

// readHead rebuilds the head of the signed checkpoint in db.
func readHead(db *store.DB, verifier note.Verifier) (*head, error) {
	signed, err := readCheckpoint(db)
	if err != nil {
		return nil, err
	}
	if signed == nil {
		return nil, fmt.Errorf("%w: there is no checkpoint", store.ErrCorrupt)
	}
	c, err := ParseCheckpoint(signed, verifier)
	if err != nil {
		return nil, err
	}
	tree, err := resumeTree(db, c)
	if err != nil {
		return nil, err
	}
	return &head{Checkpoint: c, note: signed, edge: tree.Edge()}, nil
}

// Checkpoint is the signed tree head, a note.
func (r *Reader) Checkpoint() []byte { return r.head.note }

// PublicKey is the folder's ledger.pub: one line, the verifier key in note form.
func (r *Reader) PublicKey() ([]byte, error) { return readPublicKey(r.fs, r.dir) }

// Read returns the bytes of the resource that p names, of any width that the
// checkpoint's size covers. Errors: ErrNotFound, store.ErrCorrupt.
func (r *Reader) Read(p TilePath) ([]byte, error) { return r.read(p) }

// Close closes the store.
func (r *Reader) Close() error { return r.db.Close() }
