package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/goleak"
)

// leavesGoroutines, set, says that this is a child of the test process that may
// end with goroutines running.
const leavesGoroutines = "KAIZEN_TEST_LEAVES_GOROUTINES"

func TestMain(m *testing.M) {
	if os.Getenv(leavesGoroutines) != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m)
}

func mustOpen(t *testing.T, dir string, o Options) *DB {
	t.Helper()
	db, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func set(t *testing.T, db *DB, key, value string) *pebble.Batch {
	t.Helper()
	b := db.NewBatch()
	if err := b.Set([]byte(key), []byte(value), nil); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFormatIsNotTheNewestByItself(t *testing.T) {
	db := mustOpen(t, "db", Options{FS: vfs.NewMem()})
	defer db.Close()
	if got := db.FormatMajorVersion(); got != pebble.FormatWALSyncChunks {
		t.Errorf("the store's format is %d, want %d", got, pebble.FormatWALSyncChunks)
	}
}

func TestCommittedAndWaitedForSurviveACrash(t *testing.T) {
	mem := vfs.NewCrashableMem()
	db := mustOpen(t, "a/b/db", Options{FS: mem}) // the folders' names must survive, too
	if err := db.Commit(set(t, db, "committed", "1")); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, key := range []string{"x", "y", "z"} {
		wg.Go(func() {
			b := set(t, db, key, "1")
			if err := errors.Join(db.Start(b), db.Wait(b), b.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	clone := mem.CrashClone(vfs.CrashCloneCfg{})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	again := mustOpen(t, "a/b/db", Options{FS: clone})
	defer again.Close()
	for _, key := range []string{"committed", "x", "y", "z"} {
		_, closer, err := again.Get([]byte(key))
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		closer.Close()
	}
}

func TestEveryFailedWriteIsFinalAndToldOnce(t *testing.T) {
	for name, write := range map[string]func(db *DB, b *pebble.Batch) error{
		"Commit":         (*DB).Commit,
		"Start and Wait": func(db *DB, b *pebble.Batch) error { return errors.Join(db.Start(b), db.Wait(b)) },
	} {
		t.Run(name, func(t *testing.T) {
			var broken errorfs.Toggle
			disk := errors.New("injected: the disk is gone")
			broken.Injector = errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileWrite {
					return disk
				}
				return nil
			})
			told := make(chan error, 10)
			db := mustOpen(t, "//db", Options{FS: errorfs.Wrap(vfs.NewMem(), &broken), OnFatal: func(err error) { told <- err }})
			if err := write(db, set(t, db, "k", "v")); err != nil {
				t.Fatal(err)
			}
			broken.On()
			if err := write(db, set(t, db, "k", "w")); !errors.Is(err, ErrFailed) || !errors.Is(err, disk) && !strings.Contains(err.Error(), disk.Error()) {
				t.Errorf("%s on a broken disk = %v", name, err)
			}
			if err := db.Failed(); !strings.HasPrefix(err.Error(), ErrFailed.Error()+": 000002.log: ") {
				t.Errorf("Failed() = %v, want the file named", err)
			}
			broken.Off()
			if err := db.Commit(set(t, db, "k", "x")); !errors.Is(err, ErrFailed) {
				t.Errorf("Commit on a mended disk = %v, want ErrFailed", err)
			}
			if err := db.Start(set(t, db, "k", "x")); !errors.Is(err, ErrFailed) {
				t.Errorf("Start on a mended disk = %v, want ErrFailed", err)
			}
			if err := <-told; !errors.Is(err, ErrFailed) {
				t.Errorf("OnFatal(%v)", err)
			}
			db.Close()
			if len(told) > 0 {
				t.Error("OnFatal was called twice")
			}
		})
	}
}

// A commit may be waiting inside Pebble for tables to be written when it turns
// out that they cannot be. It must come back all the same, and so must Close.
func TestCommitThatWaitsForAFailedFlushComesBack(t *testing.T) {
	if os.Getenv(leavesGoroutines) == "" { // the commit is left in Pebble, for the process to end
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(exe, "-test.run", "^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), leavesGoroutines+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v:\n%s", err, out)
		}
		return
	}
	disk := errors.New("injected: the disk is full")
	full := make(chan struct{})
	db := mustOpen(t, "db", Options{FS: errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") {
			<-full // a slow disk, at first
			return disk
		}
		return nil
	}))})
	commits := make(chan error)
	go func() {
		for {
			b := db.NewBatch()
			err := errors.Join(b.Set([]byte("k"), make([]byte, 64<<10), nil), db.Commit(b), b.Close())
			commits <- err
			if err != nil {
				return
			}
		}
	}()
	for waiting := false; !waiting; {
		select {
		case err := <-commits:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(2 * time.Second):
			waiting = true
		}
	}
	close(full)
	select {
	case err := <-commits:
		if !errors.Is(err, ErrFailed) || !errors.Is(err, disk) {
			t.Errorf("Commit() = %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Commit hangs")
	}
	closed := make(chan error)
	go func() { closed <- db.Close() }()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Fatal("Close hangs")
	}
}

// An Open whose disk has failed is given up after a while. If Pebble comes back
// from it later all the same, nothing of that is left behind.
func TestOpenThatIsLateAfterAFailureLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	disk := errors.New("injected: the disk is failing")
	mem, slow := vfs.NewMem(), make(chan struct{})
	var named, failed atomic.Bool
	_, err := Open("db", Options{FS: errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		switch {
		case op.Kind == errorfs.OpRename && strings.Contains(op.Path, "dbtmp"):
			named.Store(true)
		case named.Load() && op.Kind == errorfs.OpFileSync && op.Path == "db" && failed.CompareAndSwap(false, true):
			return disk // of the folder's names, the last write of an Open
		case failed.Load() && op.Kind == errorfs.OpList:
			<-slow
		}
		return nil
	}))})
	if !errors.Is(err, disk) {
		t.Errorf("Open() = %v, want the failure", err)
	}
	if !failed.Load() {
		t.Fatal("Pebble's last steps of an open are others now: nothing was injected")
	}
	close(slow)
	goleak.VerifyNone(t, before)
	db := mustOpen(t, "db", Options{FS: mem})
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	db := mustOpen(t, filepath.Join(dir, "db"), Options{})
	if _, err := Open(filepath.Join(dir, "db"), Options{}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "end the process") {
		t.Errorf("Open() of a held store = %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(dir, "none"), Options{ReadOnly: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open(ReadOnly) of no store = %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(dir, "file"), Options{}); err == nil || errors.Is(err, ErrLocked) {
		t.Errorf("Open() of a file = %v", err)
	}
	manifests, err := filepath.Glob(filepath.Join(dir, "db", "MANIFEST-*"))
	if err != nil || len(manifests) == 0 {
		t.Fatal(manifests, err)
	}
	for _, m := range manifests {
		if err := os.WriteFile(m, []byte("nonsense"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(filepath.Join(dir, "db"), Options{}); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "MANIFEST") || !strings.Contains(err.Error(), "backup") {
		t.Errorf("Open() of a damaged store = %v", err)
	}
}

func TestReadOnlyTakesNoWrites(t *testing.T) {
	mem := vfs.NewMem()
	db := mustOpen(t, "db", Options{FS: mem})
	if err := errors.Join(db.Commit(set(t, db, "k", "v")), db.Close()); err != nil {
		t.Fatal(err)
	}
	db = mustOpen(t, "db", Options{FS: mem, ReadOnly: true})
	defer db.Close()
	if err := db.Commit(set(t, db, "k", "w")); err == nil {
		t.Error("a store opened for reading took a write")
	}
}

func TestSecrets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "folder", "key")
	if _, err := ReadSecret(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadSecret() of none = %v", err)
	}
	if err := CreateSecret(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := CreateSecret(path, []byte("two")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("CreateSecret() over one = %v", err)
	}
	if got, err := ReadSecret(path); err != nil || string(got) != "one" {
		t.Errorf("ReadSecret() = %q, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v, %v", info.Mode(), err)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("%d files are left behind, %v", len(files)-1, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSecret(path); err == nil || !strings.Contains(err.Error(), "0640") {
		t.Errorf("ReadSecret() of a readable one = %v", err)
	}
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, make([]byte, 5000), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSecret(path); err == nil {
		t.Error("a file of 5000 bytes passes for a key")
	}
}

func TestReplaceFileLeavesTheOldOrTheNew(t *testing.T) {
	mem := vfs.NewCrashableMem()
	if err := ReplaceFile(mem, "f", []byte("old")); err != nil {
		t.Fatal(err)
	}
	for i := range int32(8) { // fail each step in turn
		failing := errorfs.Wrap(mem, errorfs.ErrInjected.If(errorfs.And(errorfs.Writes, errorfs.OnIndex(i))))
		err := ReplaceFile(failing, "f", []byte("new"))
		got := slurp(t, mem.CrashClone(vfs.CrashCloneCfg{}), "f")
		if got != "old" && got != "new" || err == nil && got != "new" {
			t.Errorf("step %d failing (%v) leaves %q", i, err, got)
		}
	}
}

func slurp(t *testing.T, fsys vfs.FS, path string) string {
	t.Helper()
	f, err := fsys.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	buf := make([]byte, 100)
	n, err := f.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestOwnerRange(t *testing.T) {
	for _, owner := range [][OwnerLen]byte{{}, {0: 7, 15: 0xff}, [OwnerLen]byte(bytes.Repeat([]byte{0xff}, OwnerLen))} {
		r := OwnerRange(owner, "")
		for _, id := range []string{"a", strings.Repeat("\xff", MaxName)} {
			if key := AppendOwnerKey(nil, owner, id); bytes.Compare(key, r.Lower) < 0 || bytes.Compare(key, r.Upper) >= 0 {
				t.Errorf("%q is outside its owner's range", key)
			}
		}
		if bytes.Compare(AppendOwnerKey(nil, owner, "b"), OwnerRange(owner, "b").Upper) < 0 {
			t.Error("a range before b holds b")
		}
	}
}

// The worked examples at the top of keys.go.
func TestKeyExamples(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{string(AppendCheckpointKey(nil)), "c"},
		{string(AppendEntryKey(nil, 258)), "e\x00\x00\x00\x00\x00\x00\x01\x02"},
		{string(AppendNameKey(nil, "dlb_01K")), "ndlb_01K"},
		{string(AppendTileKey(nil, 0, 1)), "t\x00\x00\x00\x00\x00\x00\x00\x00\x01"},
		{string(AppendRecordKey(nil, "dlb_01K")), "rdlb_01K"},
		{string(AppendKeyCheckKey(nil)), "k"},
		{string(AppendAgeKey(nil, 1<<32+5, "dlb_01K")), "a\x00\x00\x00\x01\x00\x00\x00\x05dlb_01K"},
		{string(AppendNoteKey(nil, "dlb_01K")), "xdlb_01K"},
		{string(AppendPurgeKey(nil)), "p"},
		{string(AppendOwnerKey(nil, [OwnerLen]byte{1}, "dlb_01K")), "o\x01" + strings.Repeat("\x00", 15) + "dlb_01K"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add(AppendEntryKey(nil, 258))
	f.Add(AppendNameKey(nil, "dlb_01K"))
	f.Add(AppendTileKey(nil, 1, 77))
	f.Add(AppendOwnerKey(nil, [OwnerLen]byte{1}, "dlb_01K"))
	f.Add(AppendAgeKey(nil, 1, "dlb_01K"))
	f.Add(AppendNoteKey(nil, "dlb_01K"))
	f.Add(AppendIndex(nil, 5))
	f.Fuzz(func(t *testing.T, key []byte) {
		check := func(kind string, again []byte, err error) {
			if err == nil && !bytes.Equal(again, key) {
				t.Errorf("%q is read as a key of %s, written as %q", key, kind, again)
			}
			if err != nil && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v is not ErrCorrupt", err)
			}
		}
		index, err := ParseEntryKey(key)
		check("entries", AppendEntryKey(nil, index), err)
		name, err := ParseNameKey(key)
		check("names", AppendNameKey(nil, name), err)
		level, n, err := ParseTileKey(key)
		check("tiles", AppendTileKey(nil, level, n), err)
		owner, id, err := ParseOwnerKey(key)
		check("owners", AppendOwnerKey(nil, owner, id), err)
		ms, id, err := ParseAgeKey(key)
		check("ages", AppendAgeKey(nil, ms, id), err)
		id, err = ParseNoteKey(key)
		check("notes", AppendNoteKey(nil, id), err)
		value, err := ParseIndex(key)
		check("indexes", AppendIndex(nil, value), err)
	})
}
