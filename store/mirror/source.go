package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/merkle"
)

// A Source serves one log. Its methods are safe for concurrent use; what is not
// there is fs.ErrNotExist.
type Source interface {
	Checkpoint(ctx context.Context) ([]byte, error)
	// Key is the verifier key that the source itself names, in note form.
	Key(ctx context.Context) ([]byte, error)
	Read(ctx context.Context, p ledger.TilePath) ([]byte, error)
}

// Names of what a log serves beside its tiles.
const (
	checkpointName = "checkpoint"
	keyName        = "key"
)

// Bounds of what is read: a checkpoint with room for witnesses, a key, and 256
// entries of the greatest length behind their lengths.
const (
	maxCheckpoint = 64 << 10
	maxKey        = 4 << 10
	maxBundle     = merkle.TileWidth * (2 + 65_535)
)

func mostOf(p ledger.TilePath) int64 {
	if p.Entries {
		return maxBundle
	}
	return merkle.TileBytes
}

// Folder is a log that lies in a folder as [Export] writes it.
type Folder string

// Checkpoint reads the checkpoint file.
func (f Folder) Checkpoint(context.Context) ([]byte, error) {
	return f.read(checkpointName, maxCheckpoint)
}

// Key reads the key file.
func (f Folder) Key(context.Context) ([]byte, error) { return f.read(keyName, maxKey) }

// Read reads a tile or bundle.
func (f Folder) Read(_ context.Context, p ledger.TilePath) ([]byte, error) {
	return f.read(p.String(), mostOf(p))
}

func (f Folder) read(name string, most int64) ([]byte, error) {
	path := filepath.Join(string(f), filepath.FromSlash(name))
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%s: want a file of at most %d bytes, it has %d", path, most, info.Size())
	}
	return os.ReadFile(path)
}

// A Store is a log in a data folder that no process has open.
type Store struct{ *ledger.Reader }

// Checkpoint is the stored one.
func (s Store) Checkpoint(context.Context) ([]byte, error) { return s.Reader.Checkpoint(), nil }

// Key is the public key that lies beside the store.
func (s Store) Key(context.Context) ([]byte, error) { return s.PublicKey() }

// Read reads a tile or bundle.
func (s Store) Read(_ context.Context, p ledger.TilePath) ([]byte, error) {
	data, err := s.Reader.Read(p)
	if errors.Is(err, ledger.ErrNotFound) {
		err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return data, err
}

// kept is a source whose finished tiles are taken from a folder that has them.
// They are checked like the others, so it need not be trusted; it spares fetching
// a log anew that has only grown.
type kept struct {
	Source
	folder Folder
}

func (k kept) Read(ctx context.Context, p ledger.TilePath) ([]byte, error) {
	if p.Width == merkle.TileWidth {
		if data, err := k.folder.Read(ctx, p); err == nil {
			return data, nil
		}
	}
	return k.Source.Read(ctx, p)
}
