package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

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

// A fault fails steps on the files, see stepOf, once it is armed.
type fault struct {
	step      string
	persisted bool // it is done all the same
	lasting   bool // the step goes on failing, as on a full disk; else it fails once
	err       error

	armed  atomic.Bool
	struck atomic.Int64
}

func (f *fault) hook(op errorfs.Op, do func() error) error {
	if stepOf(op) != f.step || !f.armed.Load() || !f.lasting && f.struck.Load() > 0 {
		return do()
	}
	if f.struck.Add(1) > 1 && !f.lasting {
		return do() // another was first
	}
	if f.persisted {
		if err := do(); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %w", op.Path, f.err)
}

// within fails the test if do has not come back after a minute.
func within(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		buf := make([]byte, 1<<20)
		t.Fatalf("%s hangs:\n%s", what, buf[:runtime.Stack(buf, true)])
	}
}

// After a step that failed, or was said to have failed, the callers have an error
// or a receipt that holds; nothing hangs; and the next Open finds all that was
// acknowledged and goes on.
//
// Pebble would try a table again at once, and for ever: the store takes its first
// failure as final, as it does that of a log or a manifest. What merely could not
// be removed is not lost, and the guard may be behind.
func TestFailedStepWhileAppending(t *testing.T) {
	for _, tt := range []struct {
		step string
		ends bool // the ledger
	}{
		{"write log", true},
		{"sync log", true},
		{"create log", true}, // a memtable is full
		{"reuse log", true},  // and there is an old log to be overwritten
		{"sync store", true}, // its name
		{"create sst", true},
		{"write sst", true},
		{"sync sst", true},
		{"write MANIFEST", true},
		{"sync MANIFEST", true},
		{"remove sst", false},
		{"create guard", false},
		{"write guard", false},
		{"sync guard", false},
		{"rename guard", false},
		{"sync data", false}, // the folder that the guard is in
	} {
		for _, f := range faults(tt.step) {
			t.Run(f.String(), func(t *testing.T) {
				mem := vfs.NewCrashableMem()
				cfg := config(newHookFS(mem, f.hook))
				fatal := make(chan error, 1)
				cfg.OnFatal = func(err error) { fatal <- err }
				l := open(t, cfg)
				p := newPromises()
				appendAll(t, l, p, 3, 20) // some are there before
				f.armed.Store(true)
				within(t, "Append", func() {
					if tt.ends {
						refused(t, l, p)
						return
					}
					if strings.HasSuffix(tt.step, "sst") {
						must(t, errors.Join(l.db.Flush(), l.db.Compact(t.Context(), []byte{0}, []byte{0xff}, false)))
					}
					if errs := appendAll(t, l, p, 10, 100); len(errs) > 0 {
						t.Errorf("Append() = %v", errs[0])
					}
				})
				if tt.ends {
					if err := <-fatal; !errors.Is(err, store.ErrFailed) || !errors.Is(err, syscall.ENOSPC) {
						t.Errorf("OnFatal(%v)", err)
					}
					size := l.Size()
					f.armed.Store(false)
					if _, err := l.Append(t.Context(), "", fact("x")); !errors.Is(err, ErrUnavailable) || l.Size() != size {
						t.Errorf("Append() on a disk that works again = %v", err)
					}
					if _, err := l.Proof(size - 1); err != nil {
						t.Errorf("what was durable is not served: %v", err)
					}
				} else if f.struck.Load() == 0 {
					l.Close() // may write the guard, and does remove what is obsolete
				}
				within(t, "Close", func() { l.Close() })
				if f.struck.Load() == 0 {
					t.Fatal("the step was never come to")
				}
				f.armed.Store(false)
				survived(t, mem, p)
			})
		}
	}
}

// faults are the ways in which a step fails: it was not done, it was and is said
// not to be, it cannot be done as on a full disk.
func faults(step string) []*fault {
	return []*fault{
		{step: step, err: syscall.ENOSPC},
		{step: step, err: syscall.ENOSPC, persisted: true},
		{step: step, err: syscall.ENOSPC, lasting: true},
	}
}

func (f *fault) String() string {
	return fmt.Sprintf("%s/persisted=%v/lasting=%v", f.step, f.persisted, f.lasting)
}

// appendAll appends from eight goroutines, each n entries of a usual size.
func appendAll(t *testing.T, l *Ledger, p *promises, n, size int) (errs []error) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range n {
				text := fmt.Sprintf("%d.%d.%d %s", l.Size(), w, i, strings.Repeat("x", size))
				r, err := l.Append(context.Background(), "", fact(text))
				if err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
					return
				}
				p.receipt(r, text)
				p.head(l)
			}
		})
	}
	wg.Wait()
	return errs
}

// refused appends and has the tables written, by which every step is come to,
// until a caller is refused. Then all must be, and for the one reason.
func refused(t *testing.T, l *Ledger, p *promises) {
	t.Helper()
	var errs []error
	for range 20 {
		if errs = appendAll(t, l, p, 2, 2000); len(errs) > 0 {
			break
		}
		flushed, err := l.db.AsyncFlush()
		must(t, err)
		poll := time.NewTicker(time.Millisecond)
		for done := false; !done && l.db.Failed() == nil; {
			select {
			case <-flushed:
				done = true
			case <-poll.C:
			}
		}
		poll.Stop()
	}
	if len(errs) == 0 {
		t.Error("nobody was refused")
	}
	again := appendAll(t, l, p, 1, 2000)
	if len(again) != 8 {
		t.Errorf("%d callers of 8 were refused after the first was", len(again))
	}
	for _, err := range append(errs, again...) {
		if !errors.Is(err, ErrUnavailable) || !errors.Is(err, store.ErrFailed) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Append() = %v, want ErrUnavailable, ErrFailed and the cause", err)
		}
	}
}

// survived opens what is left after the power is cut, and after the process
// alone has died.
func survived(t *testing.T, mem *vfs.MemFS, p *promises) {
	t.Helper()
	all := vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))}
	for _, left := range []*vfs.MemFS{mem.CrashClone(vfs.CrashCloneCfg{}), mem.CrashClone(all)} {
		l := open(t, config(left))
		if err := p.broken(l); err != nil {
			t.Error(err)
		}
		checkLedger(t, l, l.Size())
		add(t, l, "", "life goes on")
		size := l.Size()
		must(t, l.Close())
		if c, err := Verify("data", left, l.Verifier(), nil); err != nil || c.Size != size {
			t.Errorf("Verify() = %d, %v, want %d", c.Size, err, size)
		}
	}
}

// A step that fails while the ledger is opened makes Open fail, or does not
// matter; the next Open finds everything. Pebble's Open leaves a goroutine when it
// fails; and where it waits for a table that cannot be written ours comes back
// without it. So this is done in a process whose goroutines are not counted.
func TestFailedStepWhileOpening(t *testing.T) {
	if os.Getenv(leavesGoroutines) == "" {
		runInChild(t, leavesGoroutines)
		return
	}
	for _, step := range []string{
		"create MANIFEST", "write MANIFEST", "sync MANIFEST", "create marker", "sync store", "sync data",
		"create log", "write log", "sync log", "create dbtmp", "write dbtmp", "sync dbtmp", "rename OPTIONS",
	} {
		failOpening(t, "a new ledger", step, true)
	}
	for _, step := range []string{
		"create sst", "write sst", "sync sst", "create MANIFEST", "write MANIFEST", "sync MANIFEST", "create marker", "sync store",
		"create log", "create dbtmp", "write dbtmp", "sync dbtmp", "rename OPTIONS",
	} {
		failOpening(t, "an old ledger", step, true)
	}
	for _, step := range []string{"remove log", "remove marker", "remove OPTIONS"} {
		failOpening(t, "an old ledger", step, false)
	}
}

func failOpening(t *testing.T, which, step string, fails bool) {
	for _, f := range faults(step) {
		t.Run(which+"/"+f.String(), func(t *testing.T) {
			t.Parallel() // some wait for a moment
			mem := vfs.NewCrashableMem()
			p := newPromises()
			if which == "an old ledger" {
				l := open(t, config(mem))
				appendAll(t, l, p, 10, 3000) // all of it in the log
				must(t, l.Close())
			}
			f.armed.Store(true)
			within(t, "Open", func() {
				l, err := Open(config(newHookFS(mem, f.hook)))
				if err == nil {
					l.Close()
				} else if !errors.Is(err, syscall.ENOSPC) || errors.Is(err, store.ErrCorrupt) {
					t.Errorf("Open() = %v, want the cause", err)
				}
				if (err != nil) != fails {
					t.Errorf("Open() = %v", err)
				}
			})
			if f.struck.Load() == 0 {
				t.Fatal("the step was never come to")
			}
			survived(t, mem, p)
		})
	}
}
