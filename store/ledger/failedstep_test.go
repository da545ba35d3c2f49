package ledger

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store"
)

// failingSync fails syncs of the write-ahead log once armed; persisted lets the
// bytes reach the disk all the same.
type failingSync struct {
	armed     atomic.Bool
	persisted bool
	fs        *vfs.MemFS
}

var errDisk = errors.New("injected: the disk is gone")

func (f *failingSync) String() string { return "failing sync" }

func (f *failingSync) MaybeError(op errorfs.Op) error {
	sync := op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo
	if !sync || !f.armed.Load() || !strings.HasSuffix(op.Path, ".log") {
		return nil
	}
	if f.persisted {
		file, err := f.fs.OpenReadWrite(op.Path, vfs.WriteCategoryUnspecified)
		if err != nil {
			return err
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return err
		}
	}
	return errDisk
}

func TestFailedSyncAcknowledgesNobody(t *testing.T) {
	for _, persisted := range []bool{false, true} {
		t.Run(fmt.Sprintf("persisted=%v", persisted), func(t *testing.T) {
			mem := vfs.NewCrashableMem()
			inject := &failingSync{persisted: persisted, fs: mem}
			fatal := make(chan error, 1)
			cfg := config(errorfs.Wrap(mem, inject))
			cfg.OnFatal = func(err error) { fatal <- err }
			folded := 0
			cfg.Fold = func(uint64, int64, []byte, quorum.Record) error { folded++; return nil }
			l := open(t, cfg)
			addMany(t, l, 300)
			before := l.Checkpoint()

			inject.armed.Store(true)
			var wg sync.WaitGroup
			for i := range 32 {
				wg.Go(func() {
					if r, err := l.Append(t.Context(), fmt.Sprint("n", i), fact("x")); !errors.Is(err, ErrUnavailable) {
						t.Errorf("Append() = %+v, %v, want ErrUnavailable", r, err)
					}
				})
			}
			wg.Wait()
			if err := <-fatal; !errors.Is(err, store.ErrFailed) {
				t.Errorf("OnFatal(%v)", err)
			}
			if l.Size() != 300 || string(l.Checkpoint()) != string(before) || folded != 300 {
				t.Errorf("size %d, %d folded: something was published", l.Size(), folded)
			}
			for i := range 32 {
				if _, ok, _ := l.Lookup(fmt.Sprint("n", i)); ok {
					t.Errorf("name n%d is found", i)
				}
			}
			inject.armed.Store(false)
			if _, err := l.Append(t.Context(), "", fact("x")); !errors.Is(err, ErrUnavailable) {
				t.Errorf("Append() on a disk that works again = %v, want ErrUnavailable", err)
			}
			checkLedger(t, l, 300) // what was durable is still served

			clone := mem.CrashClone(vfs.CrashCloneCfg{})
			l.Close()
			again := open(t, config(clone))
			if size := again.Size(); size < 300 || !persisted && size != 300 || persisted && size == 300 {
				t.Errorf("size after reopening is %d", size)
			}
			checkLedger(t, again, again.Size())
			add(t, again, "", "x")
			checkLedger(t, again, again.Size())
		})
	}
}

// Pebble, left to itself, reports a commit whose sync failed as a success.
func TestFatalfFlagIsWhatTellsOfAFailedSync(t *testing.T) {
	mem := vfs.NewCrashableMem()
	inject := &failingSync{fs: mem}
	db, err := store.Open("db", store.Options{FS: errorfs.Wrap(mem, inject)})
	if err != nil {
		t.Fatal(err)
	}
	inject.armed.Store(true)
	b := db.NewBatch()
	if err := b.Set([]byte("k"), []byte("v"), nil); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(pebble.Sync); err != nil {
		t.Fatalf("Pebble now returns the error itself (%v): Commit's comment is out of date", err)
	}
	if err := db.Failed(); !errors.Is(err, store.ErrFailed) || !strings.Contains(err.Error(), errDisk.Error()) {
		t.Errorf("Failed() = %v", err)
	}
	inject.armed.Store(false)
	if err := db.Commit(db.NewBatch()); !errors.Is(err, store.ErrFailed) {
		t.Errorf("Commit() after = %v", err)
	}
	if err := db.Start(db.NewBatch()); !errors.Is(err, store.ErrFailed) {
		t.Errorf("Start() after = %v", err)
	}
	db.Close()
}
