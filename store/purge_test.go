package store

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// Purge changes the log for a new file, though Pebble has old ones to write over.
func TestPurgeLeavesNoLogFromBefore(t *testing.T) {
	mem := vfs.NewMem()
	db := mustOpen(t, "db", Options{FS: mem})
	defer db.Close()
	for range 8 {
		if err := errors.Join(db.Commit(set(t, db, "k", strings.Repeat("the old value", 100))), db.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	b := db.NewBatch()
	if err := errors.Join(b.Delete([]byte("k"), nil), db.Commit(b), db.Purge(t.Context(), Range{[]byte("k"), []byte("l")})); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		names, err := mem.List("db")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if bytes.Contains(content(t, mem, "db/"+name), []byte("the old value")) {
				t.Errorf("%s holds what was deleted", name)
			}
		}
		if err := errors.Join(db.Commit(set(t, db, "x", "1")), db.Flush()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPurgeOfAFailedStoreFails(t *testing.T) {
	disk := errors.New("injected: the disk is gone")
	var broken errorfs.Toggle
	broken.Injector = errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSync {
			return disk
		}
		return nil
	})
	db := mustOpen(t, "db", Options{FS: errorfs.Wrap(vfs.NewMem(), &broken)})
	defer db.Close()
	broken.On()
	if err := db.Commit(set(t, db, "k", "v")); !errors.Is(err, ErrFailed) {
		t.Fatalf("Commit() = %v", err)
	}
	if err := db.Purge(t.Context(), Range{[]byte("k"), []byte("l")}); !errors.Is(err, ErrFailed) {
		t.Errorf("Purge() = %v", err)
	}
}

// A disk on which nothing can be made fails the purge, not the process.
func TestPurgeOnAFullDiskFails(t *testing.T) {
	full := errors.New("injected: no space left")
	var broken errorfs.Toggle
	broken.Injector = errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpReuseForWrite {
			return full
		}
		return nil
	})
	db := mustOpen(t, "db", Options{FS: errorfs.Wrap(vfs.NewMem(), &broken)})
	defer db.Close()
	if err := db.Commit(set(t, db, "k", "v")); err != nil {
		t.Fatal(err)
	}
	broken.On()
	if err := db.Purge(t.Context(), Range{[]byte("k"), []byte("l")}); !errors.Is(err, full) {
		t.Errorf("Purge() = %v", err)
	}
	broken.Off()
	if err := errors.Join(db.Failed(), db.Commit(set(t, db, "k", "w")), db.Purge(t.Context(), Range{[]byte("k"), []byte("l")})); err != nil {
		t.Errorf("once there is space again: %v", err)
	}
}

// content is empty for a file that Pebble has just removed.
func content(t *testing.T, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
