package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/merkle"
)

// Export verifies the log that src serves and writes it into dir as static
// files: a web server that serves the folder serves the log. It returns the
// checkpoint, which is written last, and durably: until then the folder serves
// what it did before.
//
// A folder that holds an earlier export is brought up to date; src must then go
// on from it. Options.Keep is not used. Errors: as of Verify, and the file
// system's.
func Export(ctx context.Context, src Source, dir string, o Options) (ledger.Checkpoint, error) {
	folder := Folder(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return ledger.Checkpoint{}, err
	}
	switch signed, err := folder.Checkpoint(ctx); {
	case err == nil:
		c, err := ledger.ParseCheckpoint(signed, o.Verifier)
		if err != nil {
			return ledger.Checkpoint{}, fmt.Errorf("%s already holds a log, of another key: use an empty folder (%w)", dir, err)
		}
		o.Earlier = append(o.Earlier[:len(o.Earlier):len(o.Earlier)], ledger.Earlier{Checkpoint: c, Where: filepath.Join(dir, checkpointName)})
	case !errors.Is(err, fs.ErrNotExist):
		return ledger.Checkpoint{}, err
	default:
		if entries, err := os.ReadDir(dir); err != nil {
			return ledger.Checkpoint{}, err
		} else if len(entries) > 0 {
			return ledger.Checkpoint{}, fmt.Errorf("%s is not empty and holds no log: use an empty folder, or that of an earlier export", dir)
		}
	}
	o.Keep = folder.keep
	c, signed, err := Verify(ctx, kept{src, folder}, o)
	if err != nil {
		return ledger.Checkpoint{}, err
	}
	if key, err := src.Key(ctx); err == nil {
		if err := folder.write(keyName, key); err != nil {
			return ledger.Checkpoint{}, err
		}
	}
	if err := store.ReplaceFile(vfs.Default, filepath.Join(dir, checkpointName), signed); err != nil {
		return ledger.Checkpoint{}, fmt.Errorf("export %s: %w", dir, err)
	}
	return c, nil
}

// keep writes what was verified. A full tile takes the place of its partial ones.
func (f Folder) keep(p ledger.TilePath, data []byte) error {
	name := p.String()
	if err := f.write(name, data); err != nil {
		return err
	}
	if p.Width < merkle.TileWidth {
		return nil
	}
	return os.RemoveAll(filepath.Join(string(f), filepath.FromSlash(name)+".p"))
}

// write puts a whole file in place, or leaves what was there; one that is right
// already is not touched.
func (f Folder) write(name string, data []byte) error {
	path := filepath.Join(string(f), filepath.FromSlash(name))
	if have, err := f.read(name, int64(len(data))); err == nil && bytes.Equal(have, data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Chmod(0o644), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(temp.Name()))
	}
	return nil
}
