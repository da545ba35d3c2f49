package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ReadSecret reads the key file at path. It refuses one that others may read.
// A file that is not there is fs.ErrNotExist.
//
// Key files are the machine's, not [Options.FS]'s: that has no file modes.
func ReadSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("key file %s has mode %04o: others may read it; chmod 600 it, and replace the key if they did", path, mode)
	}
	if info.Size() > 4096 {
		return nil, fmt.Errorf("key file %s has %d bytes: not a key", path, info.Size())
	}
	return os.ReadFile(path)
}

// CreateSecret writes a key file that only its owner may read, durably, and
// fails with fs.ErrExist rather than replace one.
func CreateSecret(path string, secret []byte) error { return create(path, secret, 0o600) }

// CreatePublic is CreateSecret for what anyone may read.
func CreatePublic(path string, text []byte) error { return create(path, text, 0o644) }

func create(path string, data []byte, mode fs.FileMode) error {
	dir := filepath.Dir(path)
	if err := MakeDir(vfs.Default, dir); err != nil {
		return err
	}
	// Written beside and linked into place: a crash leaves the whole file or
	// none, and a link, unlike a rename, does not replace what is there.
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncDir(vfs.Default, dir)
}

// ReplaceFile writes a small file whole and durably: after a crash it holds the
// old bytes or the new ones.
func ReplaceFile(fsys vfs.FS, path string, data []byte) error {
	temp := path + ".new"
	f, err := fsys.Create(temp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(bytes.Clone(data)) // a vfs.File may scribble on what it is given
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", temp, err)
	}
	if err := fsys.Rename(temp, path); err != nil {
		return err
	}
	return syncDir(fsys, fsys.PathDir(path))
}

// MakeDir makes dir and what leads to it, durably: a file may be synced as often
// as one likes, it is gone after a crash if the name of its folder was never.
func MakeDir(fsys vfs.FS, dir string) error {
	missing := dir
	var parents []string // of the folders that are to be made
	for {
		if _, err := fsys.Stat(missing); err == nil {
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		parent := fsys.PathDir(missing)
		if parent == missing {
			break
		}
		parents = append(parents, parent)
		missing = parent
	}
	if err := fsys.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, parent := range parents {
		if err := syncDir(fsys, parent); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(fsys vfs.FS, dir string) error {
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
