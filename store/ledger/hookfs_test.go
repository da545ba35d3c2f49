package ledger

import (
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/kaizen-os/deliberation/store"
)

// A hookFS hands every operation that changes files to hook, which carries it
// out with do, or does not, or lies about it.
type hookFS struct {
	vfs.FS
	hook func(op errorfs.Op, do func() error) error
	// running is held for reading while an operation is carried out: who holds it
	// for writing sees the files between two operations.
	running *sync.RWMutex
}

func newHookFS(fs vfs.FS, hook func(errorfs.Op, func() error) error) *hookFS {
	return &hookFS{fs, hook, new(sync.RWMutex)}
}

func (h *hookFS) do(kind errorfs.OpKind, path string, do func() error) error {
	return h.hook(errorfs.Op{Kind: kind, Path: path}, func() error {
		h.running.RLock()
		defer h.running.RUnlock()
		return do()
	})
}

func (h *hookFS) file(kind errorfs.OpKind, path string, open func() (vfs.File, error)) (vfs.File, error) {
	var f vfs.File
	err := h.do(kind, path, func() (err error) {
		f, err = open()
		return err
	})
	if err != nil {
		if f != nil {
			f.Close() // it was opened, and said not to be
		}
		return nil, err
	}
	return &hookFile{f, h, path}, nil
}

func (h *hookFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return h.file(errorfs.OpCreate, name, func() (vfs.File, error) { return h.FS.Create(name, category) })
}

func (h *hookFS) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return h.file(errorfs.OpReuseForWrite, old, func() (vfs.File, error) { return h.FS.ReuseForWrite(old, name, category) })
}

func (h *hookFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return h.file(errorfs.OpOpen, name, func() (vfs.File, error) { return h.FS.OpenReadWrite(name, category, opts...) })
}

func (h *hookFS) OpenDir(name string) (vfs.File, error) {
	return h.file(errorfs.OpOpenDir, name, func() (vfs.File, error) { return h.FS.OpenDir(name) })
}

func (h *hookFS) Link(old, name string) error {
	return h.do(errorfs.OpLink, name, func() error { return h.FS.Link(old, name) })
}

func (h *hookFS) Remove(name string) error {
	return h.do(errorfs.OpRemove, name, func() error { return h.FS.Remove(name) })
}

func (h *hookFS) Rename(old, name string) error {
	return h.do(errorfs.OpRename, name, func() error { return h.FS.Rename(old, name) })
}

func (h *hookFS) Unwrap() vfs.FS { return h.FS }

type hookFile struct {
	vfs.File
	fs   *hookFS
	path string
}

func (f *hookFile) Write(p []byte) (n int, err error) {
	err = f.fs.do(errorfs.OpFileWrite, f.path, func() (err error) {
		n, err = f.File.Write(p)
		return err
	})
	return n, err
}

func (f *hookFile) WriteAt(p []byte, at int64) (n int, err error) {
	err = f.fs.do(errorfs.OpFileWriteAt, f.path, func() (err error) {
		n, err = f.File.WriteAt(p, at)
		return err
	})
	return n, err
}

func (f *hookFile) Sync() error {
	return f.fs.do(errorfs.OpFileSync, f.path, f.File.Sync)
}

func (f *hookFile) SyncData() error {
	return f.fs.do(errorfs.OpFileSyncData, f.path, f.File.SyncData)
}

func (f *hookFile) SyncTo(length int64) (full bool, err error) {
	err = f.fs.do(errorfs.OpFileSyncTo, f.path, func() (err error) {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}

// stepOf says what kind of step an operation is, such as "write sst".
func stepOf(op errorfs.Op) string {
	verb := map[errorfs.OpKind]string{
		errorfs.OpCreate: "create", errorfs.OpReuseForWrite: "reuse", errorfs.OpOpen: "open", errorfs.OpOpenDir: "open",
		errorfs.OpLink: "link", errorfs.OpRemove: "remove", errorfs.OpRename: "rename", errorfs.OpFileWrite: "write", errorfs.OpFileWriteAt: "write",
		errorfs.OpFileSync: "sync", errorfs.OpFileSyncData: "sync", errorfs.OpFileSyncTo: "write back",
	}[op.Kind]
	base := path.Base(op.Path)
	for _, kind := range []string{"guard", "MANIFEST", "OPTIONS", "marker", ".sst", ".log", ".dbtmp"} {
		if strings.Contains(base, kind) {
			return verb + " " + strings.TrimPrefix(kind, ".")
		}
	}
	return verb + " folder"
}

// What is left of a machine's files: what is there to be read, and how much of
// that is on the disk.
type remains struct{ seen, durable *vfs.MemFS }

// remain says what is left of h's files, between two operations, when the
// process dies and the machine goes on.
func (h *hookFS) remain(mem *vfs.MemFS) remains {
	h.running.Lock()
	defer h.running.Unlock()
	all := vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))}
	return remains{seen: mem.CrashClone(all), durable: mem.CrashClone(vfs.CrashCloneCfg{})}
}

// files makes that a file system, which can lose what is not durable.
func (r remains) files(t testing.TB) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashableMem()
	copyFiles(t, r.durable, fs, "", true)
	copyFiles(t, r.seen, fs, "", false)
	return fs
}

// copyFiles makes the folder dir of to the same as that of from; with sync,
// durably.
func copyFiles(t testing.TB, from, to *vfs.MemFS, dir string, sync bool) {
	t.Helper()
	names, err := from.List(dir)
	must(t, err)
	there := map[string]bool{}
	for _, name := range names {
		there[name] = true
		path := from.PathJoin(dir, name)
		info, err := from.Stat(path)
		must(t, err)
		if info.IsDir() {
			must(t, to.MkdirAll(path, 0o700))
			copyFiles(t, from, to, path, sync)
			continue
		}
		data := copyFile(t, from, path)
		if _, err := to.Stat(path); err == nil {
			have := copyFile(t, to, path)
			if string(have) == string(data) {
				continue
			}
			if len(have) > len(data) {
				must(t, to.Remove(path)) // no file shrinks: it is another one of that name
			}
		}
		f, err := to.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
		must(t, err)
		_, err = f.WriteAt(data, 0)
		must(t, err)
		if sync {
			must(t, f.Sync())
		}
		must(t, f.Close())
	}
	have, err := to.List(dir)
	must(t, err)
	for _, name := range have {
		if !there[name] {
			must(t, to.RemoveAll(to.PathJoin(dir, name)))
		}
	}
	if sync {
		d, err := to.OpenDir(dir)
		must(t, err)
		must(t, d.Sync())
		must(t, d.Close())
	}
}

func copyFile(t testing.TB, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, info.Size())
	if len(data) > 0 {
		if _, err := f.ReadAt(data, 0); err != nil {
			t.Fatal(err)
		}
	}
	return data
}

func putFile(t testing.TB, fs vfs.FS, path string, data []byte) {
	t.Helper()
	if err := store.ReplaceFile(fs, path, data); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
