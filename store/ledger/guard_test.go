package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/kaizen-os/deliberation/store"
)

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
