package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store"
)

// acked remembers what a ledger has promised.
type acked struct {
	sync.Mutex
	receipts map[uint64]Receipt
	texts    map[uint64]string
}

func (a *acked) note(r Receipt, text string) {
	a.Lock()
	defer a.Unlock()
	a.receipts[r.Index], a.texts[r.Index] = r, text
}

func (a *acked) snapshot() map[uint64]string {
	a.Lock()
	defer a.Unlock()
	copied := make(map[uint64]string, len(a.texts))
	for i, text := range a.texts {
		copied[i] = text
	}
	return copied
}

// crashTrial writes from several goroutines, takes a crash clone of the file
// system in the middle, and says what of what was acknowledged before the clone
// the reopened ledger lacks.
func crashTrial(t *testing.T, seed uint64, percent int, spoil func(*Ledger)) (lost error) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, uint64(percent)))
	fs := vfs.NewCrashableMem()
	cfg := config(fs)
	cfg.GuardFile = "guard"
	a := &acked{receipts: map[uint64]Receipt{}, texts: map[uint64]string{}}

	// Some rounds before the last end cleanly, so tables and logs of several
	// ages are there.
	var promised map[uint64]string
	var clone *vfs.MemFS
	for round := range 2 {
		l, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if spoil != nil {
			spoil(l)
		}
		target := int64(1 + rng.IntN(400))
		var count atomic.Int64
		var once sync.Once
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := 0; count.Load() < target; i++ {
					text := fmt.Sprintf("%d.%d.%d %s", round, w, i, strings.Repeat("x", (w*i)%3000))
					r, err := l.Append(context.Background(), fmt.Sprintf("n%d.%d.%d", round, w, i), fact(text))
					if err != nil {
						t.Error(err)
						return
					}
					a.note(r, text)
					if count.Add(1) == target && round == 1 {
						once.Do(func() {
							promised = a.snapshot() // before the clone: all of it must be in it
							clone = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
						})
					}
				}
			})
		}
		wg.Wait()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}

	cfg.FS = clone
	l, err := Open(cfg)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := l.Err(); err != nil {
		return err
	}
	for index, text := range promised {
		leaf, err := l.Entry(index)
		if err != nil {
			return err
		}
		if !strings.Contains(string(leaf), `"`+text+`"`) {
			return fmt.Errorf("entry %d is another", index)
		}
	}
	checkLedger(t, l, l.Size())
	add(t, l, "", "life goes on")
	size := l.Size()
	checkLedger(t, l, size)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := Verify("data", clone, l.Verifier(), nil); err != nil || c.Size != size {
		t.Fatalf("Verify() = %d, %v; want %d", c.Size, err, size)
	}
	return nil
}

func TestCrashLosesNothingAcknowledged(t *testing.T) {
	for _, percent := range []int{0, 50, 100} {
		for seed := range uint64(8) {
			t.Run(fmt.Sprintf("percent=%d/seed=%d", percent, seed), func(t *testing.T) {
				if err := crashTrial(t, seed, percent, nil); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// The crash test is worth something only if it fails when the sync is left out.
func TestCrashTestNoticesAMissingSync(t *testing.T) {
	noSync := func(l *Ledger) {
		l.seq.commit = func(b *pebble.Batch) error { return b.Commit(pebble.NoSync) }
	}
	for seed := range uint64(8) {
		if err := crashTrial(t, seed, 0, noSync); err != nil {
			return
		}
	}
	t.Error("no trial noticed that nothing was synced")
}

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

func TestGuardRefusesARolledBackStore(t *testing.T) {
	fs := vfs.NewCrashableMem()
	cfg := config(fs)
	l := open(t, cfg)
	addMany(t, l, 100)
	backup := fs.CrashClone(vfs.CrashCloneCfg{}) // taken while it runs
	addMany(t, l, 200)
	l.Close() // writes the guard
	guard := copyFile(t, fs, "data/ledger.guard")
	putFile(t, backup, "data/ledger.guard", guard)

	for range 2 { // also the second time: the guard has not been lowered
		cfg.FS = backup
		old := open(t, cfg)
		_, err := old.Append(t.Context(), "", fact("x"))
		if !errors.Is(err, ErrRolledBack) || !errors.Is(err, ErrUnavailable) {
			t.Fatalf("Append() = %v, want ErrRolledBack", err)
		}
		for _, want := range []string{"has 100 entries, 300 were signed", "restore", "data/ledger.guard"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not say %q: %v", want, err)
			}
		}
		checkLedger(t, old, 100) // reads are served
		old.Close()
	}
	// The newer store is taken as before.
	cfg.FS = fs
	add(t, open(t, cfg), "", "x")
}

func TestGuardRefusesAnotherHistory(t *testing.T) {
	guards := make([][]byte, 2)
	stores := make([]*vfs.MemFS, 2)
	for i := range stores {
		stores[i] = vfs.NewMem()
		l := open(t, config(stores[i]))
		add(t, l, "", fmt.Sprint("history ", i))
		l.Close()
		guards[i] = copyFile(t, stores[i], "data/ledger.guard")
		l = open(t, config(stores[i]))
		add(t, l, "", "more")
		l.Close()
	}
	putFile(t, stores[0], "data/ledger.guard", guards[1])
	if _, err := Open(config(stores[0])); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "not those that were signed") {
		t.Errorf("Open() = %v", err)
	}
	putFile(t, stores[0], "data/ledger.guard", []byte("nonsense"))
	if _, err := Open(config(stores[0])); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "ledger.guard") {
		t.Errorf("Open() = %v", err)
	}
	putFile(t, stores[0], "data/ledger.guard", guards[0]) // an older one of its own
	add(t, open(t, config(stores[0])), "", "x")
}

// The guard is written at most once a second, and never before the sync.
func TestGuardIsWrittenSparinglyAndBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		var writes atomic.Int64
		cfg := config(errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpRename && strings.Contains(op.Path, "ledger.guard") {
				writes.Add(1)
			}
			return nil
		})))
		cfg.Clock = func() time.Time { return time.Now().AddDate(26, 0, 0) } // bubbles begin in 2000
		l, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		const seconds = 5
		for range seconds * 20 {
			if _, err := l.Append(context.Background(), "", fact("x")); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			guard, ok, err := readGuard(mem, "data/ledger.guard", l.Verifier())
			if err != nil || !ok || guard.Size > l.Size() {
				t.Fatalf("guard is %+v, %v, %v at size %d", guard, ok, err, l.Size())
			}
			<-time.After(50 * time.Millisecond)
		}
		if n := writes.Load(); n < seconds-1 || n > seconds+1 {
			t.Errorf("the guard was written %d times in %d seconds", n, seconds)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if guard, _, _ := readGuard(mem, "data/ledger.guard", l.Verifier()); guard.Size != l.Size() {
			t.Errorf("after Close the guard is at %d of %d", guard.Size, l.Size())
		}
	})
}

func copyFile(t *testing.T, fs vfs.FS, path string) []byte {
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

func putFile(t *testing.T, fs vfs.FS, path string, data []byte) {
	t.Helper()
	if err := store.ReplaceFile(fs, path, data); err != nil {
		t.Fatal(err)
	}
}
