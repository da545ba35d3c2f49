package store

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A failStop is the file system that Pebble is given. It makes the first failed
// write or sync of the store the last: from then on nothing reaches the disk, by
// whoever in Pebble.
//
// Pebble by itself goes on, each part in its way. It counts on its logger's
// Fatalf to end the process, where ours returns: after a failed sync of the
// manifest it would write the same tables again, and a store so written does not
// open. It writes a table again at once if that failed, for ever, and on a disk
// that stays full lets commits and Open wait for it, for ever. And where a log
// cannot be begun or ended it panics over a mutex that it does not hold, which
// ends the process with nobody answered.
type failStop struct {
	vfs.FS
	dir     string // the store's; what lies elsewhere, such as a backup, is not its concern
	log     *logger
	closing chan struct{} // closed when the database is
}

func newFailStop(fs vfs.FS, dir string, log *logger, closing chan struct{}) *failStop {
	return &failStop{FS: fs, dir: fs.PathDir(fs.PathJoin(dir, "x")), log: log, closing: closing} // as paths of its files begin
}

// change carries out an operation that changes the file or folder at path.
//
// One on a log or on the folder's names succeeds as far as Pebble can see: whoever
// commits looks at the failure noted before it says that anything is kept. Any
// other returns its error if it was the first to fail; after that it is held back
// until the database is closed, and so is not tried over and over.
func (f *failStop) change(path string, do func() error) error {
	if path != f.dir && f.PathDir(path) != f.dir {
		return do()
	}
	commits := path == f.dir || strings.HasSuffix(path, ".log")
	if f.log.failed.Load() == nil {
		err := do()
		if err == nil {
			return nil
		}
		f.log.fail(fmt.Errorf("%s: %w", f.PathBase(path), err))
		if commits {
			return nil
		}
		return err
	}
	if commits {
		return nil
	}
	<-f.closing
	return ErrFailed
}

// file opens a file that is to be changed.
func (f *failStop) file(path string, open func() (vfs.File, error)) (vfs.File, error) {
	var file vfs.File
	err := f.change(path, func() (err error) {
		file, err = open()
		return err
	})
	if err != nil {
		return nil, err
	}
	if file == nil { // a log, and nothing will be written to it
		file = vfs.NewMemFile(nil)
	}
	return &failStopFile{file, f, path}, nil
}

func (f *failStop) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if f.PathDir(name) == f.dir && strings.HasPrefix(f.PathBase(name), "marker.") {
		// A marker's name says which manifest counts. Pebble syncs the folder when
		// both are in it; where a crash keeps the one name and not the other, the
		// store does not open.
		if err := f.change(name, func() error { return syncDir(f.FS, f.dir) }); err != nil {
			return nil, err
		}
	}
	return f.file(name, func() (vfs.File, error) { return f.FS.Create(name, category) })
}

func (f *failStop) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(name, func() (vfs.File, error) { return f.FS.ReuseForWrite(old, name, category) })
}

func (f *failStop) OpenDir(name string) (vfs.File, error) {
	dir, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &failStopFile{dir, f, f.PathDir(f.PathJoin(name, "x"))}, nil
}

func (f *failStop) Rename(old, name string) error {
	return f.change(name, func() error { return f.FS.Rename(old, name) })
}

// Remove is of what is no longer needed: if it fails nothing is lost, and the
// next Open tries again. But after a failure it is not known what is needed.
func (f *failStop) Remove(name string) error {
	if f.log.failed.Load() != nil && f.PathDir(name) == f.dir {
		return ErrFailed
	}
	return f.FS.Remove(name)
}

func (f *failStop) Unwrap() vfs.FS { return f.FS }

type failStopFile struct {
	vfs.File
	fs   *failStop
	path string
}

func (f *failStopFile) Write(p []byte) (int, error) {
	err := f.fs.change(f.path, func() error {
		_, err := f.File.Write(p)
		return err
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *failStopFile) Sync() error { return f.fs.change(f.path, f.File.Sync) }

func (f *failStopFile) SyncData() error { return f.fs.change(f.path, f.File.SyncData) }

func (f *failStopFile) SyncTo(length int64) (full bool, err error) {
	err = f.fs.change(f.path, func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}
