package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/goleak"

	"github.com/kaizen-os/deliberation/quorum/commit"
	"github.com/kaizen-os/deliberation/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var master = bytes.Repeat([]byte{42}, KeySize)

var day0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// A calendar is a clock that tests set, by days.
type calendar struct{ day atomic.Int64 }

func (c *calendar) now() time.Time { return day0.AddDate(0, 0, int(c.day.Load())) }

func config(fs vfs.FS) Config {
	return Config{Dir: "vault", FS: fs, MasterKey: master, Clock: func() time.Time { return day0 }}
}

func open(t testing.TB, cfg Config) *Vault {
	t.Helper()
	v, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer func() { recover() }() // the test closed it
		v.Close()
	})
	return v
}

func put(t testing.TB, v *Vault, id, owner string, texts ...string) {
	t.Helper()
	c := contents(owner, texts...)
	w, err := v.Put(id, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Wait(); err != nil {
		t.Fatal(err)
	}
}

func contents(owner string, texts ...string) *Contents {
	c := &Contents{Owner: owner, Seed: commit.Seed{1, 2, 3}, Fields: []Field{}}
	for i, text := range texts {
		c.Fields = append(c.Fields, Field{fmt.Sprint("field", i), []byte(text)})
	}
	return c
}

func TestPutGet(t *testing.T) {
	fs := vfs.NewMem()
	v := open(t, config(fs))
	put(t, v, "dlb_1", "alice", "the prompt", "", strings.Repeat("long ", 10_000))
	for range 2 {
		c, at, err := v.Get("dlb_1")
		if err != nil || !at.Equal(day0) {
			t.Fatalf("Get() = %v, %v", at, err)
		}
		if want := contents("alice", "the prompt", "", strings.Repeat("long ", 10_000)); !reflect.DeepEqual(c, want) {
			t.Errorf("Get() = %.100v", c)
		}
		if string(c.Field("field0")) != "the prompt" || c.Field("none") != nil {
			t.Error("Field() finds the wrong one")
		}
		if _, _, err := v.Get("dlb_2"); !errors.Is(err, ErrNotFound) {
			t.Errorf("Get() of none = %v", err)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		v = open(t, config(fs))
	}
}

func TestPutRefusesWhatCannotBe(t *testing.T) {
	v := open(t, config(vfs.NewMem()))
	for rule, put := range map[string]func() (*Waiter, error){
		"an empty id":             func() (*Waiter, error) { return v.Put("", contents("a")) },
		"an id over 128 bytes":    func() (*Waiter, error) { return v.Put(strings.Repeat("x", 129), contents("a")) },
		"contents over the bound": func() (*Waiter, error) { return v.Put("x", contents("a", strings.Repeat("x", MaxContents))) },
		"an owner over the bound": func() (*Waiter, error) { return v.Put("x", contents(strings.Repeat("x", MaxContents))) },
	} {
		if _, err := put(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", rule, err)
		}
	}
}

func TestListIsTheOwnersLastFirst(t *testing.T) {
	v := open(t, config(vfs.NewMem()))
	for i := range 10 {
		put(t, v, fmt.Sprintf("dlb_%02d", i), []string{"alice", "bob"}[i%2], "x")
	}
	for _, tt := range []struct {
		owner, before string
		limit         int
		want          []string
	}{
		{"alice", "", 100, []string{"dlb_08", "dlb_06", "dlb_04", "dlb_02", "dlb_00"}},
		{"alice", "", 2, []string{"dlb_08", "dlb_06"}},
		{"alice", "dlb_06", 2, []string{"dlb_04", "dlb_02"}},
		{"bob", "dlb_04", 100, []string{"dlb_03", "dlb_01"}},
		{"alice", "dlb_00", 100, nil},
		{"carol", "", 100, nil},
	} {
		got, err := v.List(tt.owner, tt.before, tt.limit)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("List(%q, %q, %d) = %v, %v, want %v", tt.owner, tt.before, tt.limit, got, err, tt.want)
		}
	}
}

// rawFiles is every byte below dir.
func rawFiles(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all = append(all, data...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestNoTextLiesUnsealedOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	v := open(t, Config{Dir: filepath.Join(dir, "vault"), MasterKey: master})
	const canary, owner = "the canary sings at dawn", "alice@example.org"
	for i := range 200 {
		put(t, v, fmt.Sprintf("dlb_%03d", i), owner, canary)
	}
	seed := contents("").Seed
	for range 2 { // from the log, then from tables
		raw := rawFiles(t, dir)
		if !bytes.Contains(raw, []byte("dlb_077")) {
			t.Fatal("the search does not even find the ids")
		}
		for what, secret := range map[string][]byte{"text": []byte(canary), "owner": []byte(owner), "seed": seed[:], "master key": master} {
			if bytes.Contains(raw, secret) {
				t.Errorf("the %s lies open on the disk", what)
			}
		}
		if err := v.db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSweep(t *testing.T) {
	fs := vfs.NewMem()
	var clock calendar
	cfg := config(fs)
	cfg.Clock = clock.now
	v := open(t, cfg)
	for day := range 40 {
		clock.day.Store(int64(day))
		for i := range 20 {
			put(t, v, fmt.Sprintf("dlb_%02d_%02d", day, i), "alice", "x")
		}
	}
	put(t, v, "dlb_00_07", "alice", "put again, so young again")
	held := func(id string) bool { return id == "dlb_01_05" }
	n, err := v.Sweep(t.Context(), clock.now().Add(-Retention), held)
	if want := 9*20 - 2; n != want || err != nil {
		t.Errorf("Sweep() = %d, %v, want %d", n, err, want)
	}
	for id, want := range map[string]bool{"dlb_00_00": false, "dlb_08_19": false, "dlb_09_00": true, "dlb_39_00": true, "dlb_01_05": true, "dlb_00_07": true} {
		if _, _, err := v.Get(id); (err == nil) != want {
			t.Errorf("after the sweep Get(%s) = %v", id, err)
		}
	}
	if n, err := v.Sweep(t.Context(), clock.now().Add(-Retention), held); n != 0 || err != nil {
		t.Errorf("second Sweep() = %d, %v", n, err)
	}
	if ids, err := v.List("alice", "", 10_000); err != nil || len(ids) != 31*20+2 {
		t.Errorf("%d are listed, %v", len(ids), err)
	}

	// Orphans: of day 20, what the ledger does not know.
	from, to := day0.AddDate(0, 0, 20), day0.AddDate(0, 0, 21)
	n, err = v.SweepOrphans(t.Context(), from, to, func(id string) (bool, error) { return !strings.HasSuffix(id, "3"), nil })
	if n != 2 || err != nil {
		t.Errorf("SweepOrphans() = %d, %v, want 2", n, err)
	}
	if _, _, err := v.Get("dlb_20_13"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an orphan is still there: %v", err)
	}
	lost := errors.New("ledger lost")
	if _, err := v.SweepOrphans(t.Context(), from, to, func(string) (bool, error) { return false, lost }); !errors.Is(err, lost) {
		t.Errorf("SweepOrphans() = %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Sweep(ended, clock.now(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Sweep() of an ended context = %v", err)
	}
	if _, err := v.SweepOrphans(t.Context(), to, from, nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("SweepOrphans() backwards = %v", err)
	}
}

func TestWaitMeansDurable(t *testing.T) {
	mem := vfs.NewCrashableMem()
	v := open(t, config(mem))
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() { put(t, v, fmt.Sprint("dlb_", i), "alice", fmt.Sprint("text", i)) })
	}
	wg.Wait()
	clone := mem.CrashClone(vfs.CrashCloneCfg{})
	again := open(t, config(clone))
	for i := range 64 {
		c, _, err := again.Get(fmt.Sprint("dlb_", i))
		if err != nil || string(c.Fields[0].Data) != fmt.Sprint("text", i) {
			t.Errorf("record %d: %v", i, err)
		}
	}
}

func TestFailedSyncIsToldToEveryWaiter(t *testing.T) {
	disk := errors.New("injected: the disk is gone")
	var broken errorfs.Toggle
	broken.Injector = errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSync {
			return disk
		}
		return nil
	})
	fatal := make(chan error, 1)
	cfg := config(errorfs.Wrap(vfs.NewMem(), &broken))
	cfg.OnFatal = func(err error) { fatal <- err }
	v := open(t, cfg)
	put(t, v, "dlb_0", "alice", "x")
	broken.On()
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			w, err := v.Put(fmt.Sprint("dlb_", i), contents("alice", "x"))
			if err == nil {
				err = w.Wait()
			}
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("Put and Wait = %v, want ErrUnavailable", err)
			}
		})
	}
	wg.Wait()
	if err := <-fatal; !errors.Is(err, store.ErrFailed) {
		t.Errorf("OnFatal(%v)", err)
	}
	broken.Off()
	if _, err := v.Put("later", contents("alice")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Put() after = %v", err)
	}
}

// Puts that wait together share syncs.
func TestPutsShareSyncs(t *testing.T) {
	var syncs atomic.Int64
	entered, open_ := make(chan struct{}, 1), make(chan struct{})
	var hold atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSync) && hold.Load() {
			if syncs.Add(1) == 1 {
				entered <- struct{}{}
				<-open_
			}
		}
		return nil
	}))
	v := open(t, config(fs))
	hold.Store(true)
	first, err := v.Put("first", contents("alice"))
	if err != nil {
		t.Fatal(err)
	}
	<-entered
	var waiters []*Waiter
	for i := range 100 {
		w, err := v.Put(fmt.Sprint("dlb_", i), contents("alice", "x")) // returns though a sync is under way
		if err != nil {
			t.Fatal(err)
		}
		waiters = append(waiters, w)
	}
	close(open_)
	for _, w := range append(waiters, first) {
		if err := w.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if n := syncs.Load(); n > 3 {
		t.Errorf("101 puts took %d syncs", n)
	}
}

func TestMasterKey(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: filepath.Join(dir, "vault"), KeyFile: filepath.Join(dir, "keys", "vault.key")}
	v := open(t, cfg)
	put(t, v, "dlb_1", "alice", "x")
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(cfg.KeyFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v, %v", info, err)
	}
	v = open(t, cfg)
	if _, _, err := v.Get("dlb_1"); err != nil {
		t.Error(err)
	}
	v.Close()

	refused := func(rule, want string) {
		t.Helper()
		if v, err := Open(cfg); err == nil || !strings.Contains(err.Error(), want) {
			if err == nil {
				v.Close()
			}
			t.Errorf("%s: Open() = %v, want %q", rule, err, want)
		}
	}
	key, err := os.ReadFile(cfg.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Clone(key)
	if other[0]++; key[0] != '0' {
		other[0] = '0'
	}
	if err := os.WriteFile(cfg.KeyFile, other, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("another master key is refused", "another master key")
	if err := os.WriteFile(cfg.KeyFile, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused("a key that is none is refused", "64 hex digits")
	if err := os.Remove(cfg.KeyFile); err != nil {
		t.Fatal(err)
	}
	refused("a missing key is not made anew for a vault in use", "put it back")
	if _, err := Open(Config{Dir: dir}); err == nil {
		t.Error("Open() without a key")
	}
	if _, err := Open(Config{Dir: filepath.Join(dir, "v2"), MasterKey: []byte("short")}); err == nil {
		t.Error("Open() with a short key")
	}
}

// A sealed record that was changed in any byte, or moved to another id, does not
// open.
func TestSealedRecordsAreBoundToTheirPlace(t *testing.T) {
	s, err := newSealer(master)
	if err != nil {
		t.Fatal(err)
	}
	sealed := s.seal("dlb_1", day0, contents("alice", "text"))
	if c, _, err := s.open("dlb_1", sealed); err != nil || c.Owner != "alice" {
		t.Fatal(c, err)
	}
	if _, _, err := s.open("dlb_2", sealed); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("under another id: %v", err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, _, err := s.open("dlb_1", changed); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, _, err := s.open("dlb_1", sealed[:i]); err == nil {
			t.Errorf("it opens with %d bytes", i)
		}
	}
	if bytes.Equal(sealed, s.seal("dlb_1", day0, contents("alice", "text"))) {
		t.Error("the same contents are sealed to the same bytes")
	}
}

func FuzzParseContents(f *testing.F) {
	f.Add(contents("alice", "prompt", "").appendTo(nil))
	f.Add(contents("").appendTo(nil))
	f.Add([]byte{contentsV1})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseContents(data)
		if err != nil {
			if !errors.Is(err, ErrContents) {
				t.Errorf("%v is not ErrContents", err)
			}
			return
		}
		if again := c.appendTo(nil); !bytes.Equal(again, data) {
			t.Errorf("%q is read, but written as %q", data, again)
		}
		if c.size() < len(data) {
			t.Errorf("size() = %d of %d bytes", c.size(), len(data))
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	s, err := newSealer(master)
	if err != nil {
		b.Fatal(err)
	}
	c := contents("alice", strings.Repeat("x", 600), strings.Repeat("x", 600), strings.Repeat("x", 600), strings.Repeat("x", 600), strings.Repeat("x", 600))
	b.ReportAllocs()
	for b.Loop() {
		s.seal("dlb_1", day0, c)
	}
}

// BenchmarkPut is Put as it is, many commits under way in Pebble at once, which
// groups their syncs.
func BenchmarkPut(b *testing.B) {
	for _, writers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			v := open(b, Config{Dir: b.TempDir(), MasterKey: master})
			c := contents("alice", strings.Repeat("x", 3000))
			fromWriters(b, writers, func(i int) error {
				w, err := v.Put(fmt.Sprintf("dlb_%020d", i), c)
				if err != nil {
					return err
				}
				return w.Wait()
			})
		})
	}
}

// BenchmarkPutGathered is what Put is held against: one goroutine that gathers
// what waits into one batch with one sync.
func BenchmarkPutGathered(b *testing.B) {
	type job struct {
		id     string
		sealed []byte
		done   chan error
	}
	for _, writers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			v := open(b, Config{Dir: b.TempDir(), MasterKey: master})
			c := contents("alice", strings.Repeat("x", 3000))
			queue := make(chan job, 512)
			done := make(chan struct{})
			go func() {
				defer close(done)
				var jobs []job
				for j := range queue {
					jobs = append(jobs[:0], j)
					batch := v.db.NewBatch()
					for more := true; more; {
						select {
						case j, ok := <-queue:
							if ok {
								jobs = append(jobs, j)
							}
							more = ok
						default:
							more = false
						}
					}
					var errs error
					for _, j := range jobs {
						h, _ := parseHeader(j.sealed)
						errs = errors.Join(errs,
							batch.Set(store.AppendRecordKey(nil, j.id), j.sealed, nil),
							batch.Set(store.AppendOwnerKey(nil, h.owner, j.id), nil, nil),
							batch.Set(store.AppendAgeKey(nil, h.ms, j.id), nil, nil))
					}
					errs = errors.Join(errs, batch.Commit(pebble.Sync), batch.Close())
					for _, j := range jobs {
						j.done <- errs
					}
				}
			}()
			fromWriters(b, writers, func(i int) error {
				j := job{fmt.Sprintf("dlb_%020d", i), nil, make(chan error, 1)}
				j.sealed = v.seal.seal(j.id, day0, c)
				queue <- j
				return <-j.done
			})
			close(queue)
			<-done
		})
	}
}

func fromWriters(b *testing.B, writers int, do func(i int) error) {
	b.ReportAllocs()
	work := make(chan int, 4096)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range work {
				if err := do(i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	i := 0
	for b.Loop() {
		work <- i
		i++
	}
	close(work)
	wg.Wait()
}
