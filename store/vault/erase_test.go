package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/kaizen-os/deliberation/quorum/commit"
	"github.com/kaizen-os/deliberation/store"
)

// A canary is a planted record with every secret that must be gone with it.
type canary struct {
	id      string
	secrets map[string][]byte
}

// plant puts a record of so many bytes, none of which any other record shares.
func plant(t *testing.T, v *Vault, id string, size int) canary {
	t.Helper()
	seed := commit.Seed{}
	copy(seed[:], "seed of "+id+strings.Repeat("!", commit.Size))
	text := strings.Repeat("the canary "+id+" sings at dawn; ", size/32+1)[:size]
	c := &Contents{Owner: "alice", Seed: seed, Fields: []Field{{"prompt", []byte(text)}}}
	w, err := v.Put(id, c)
	if err == nil {
		err = w.Wait()
	}
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := v.sealed(id)
	if err != nil {
		t.Fatal(err)
	}
	nonce, rest := sealed[headerSize:headerSize+nonceSize], sealed[headerSize+nonceSize:]
	key, err := v.seal.wrap.Open(nil, nonce, rest[:wrapSize], bind(id, sealed[:headerSize]))
	if err != nil {
		t.Fatal(err)
	}
	salt := seed.Salt("prompt")
	secrets := map[string][]byte{"text": []byte(text), "seed": seed[:], "salt": salt[:], "record key": key, "wrapped key": rest[:wrapSize]}
	for at := wrapSize; at+16 <= len(rest); at += max(16, len(rest)/50) { // a table or log may hold any part
		secrets[fmt.Sprintf("sealed text at %d", at)] = rest[at : at+16]
	}
	return canary{id, secrets}
}

// found names a secret of c that lies in a file below one of the folders.
func (c canary) found(t *testing.T, dirs ...string) (what string) {
	t.Helper()
	for i := 0; i < len(dirs); {
		files := 0
		err := filepath.WalkDir(dirs[i], func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			files++
			data, err := os.ReadFile(path)
			for name, secret := range c.secrets {
				if bytes.Contains(data, secret) {
					what = fmt.Sprintf("%s of %s in %s", name, c.id, path)
				}
			}
			return err
		})
		switch {
		case what != "":
			return what
		case errors.Is(err, os.ErrNotExist) && files > 0: // Pebble has just removed one: what it held may be in another
			continue
		case err != nil || files == 0:
			t.Fatalf("search %s: %d files, %v", dirs[i], files, err)
		}
		i++
	}
	return ""
}

// neighbours puts n records.
func neighbours(t testing.TB, v *Vault, prefix string, n int) {
	t.Helper()
	for i := range n {
		put(t, v, fmt.Sprintf("%s_%03d", prefix, i), "bob", strings.Repeat(fmt.Sprint(prefix, i), 400))
	}
}

// canaryTrial plants canaries in one place of the files, erases one in the way
// given, and names a secret of it that is left in the vault's files or in a
// backup.
func canaryTrial(t *testing.T, place func(*testing.T, *Vault, Config) *Vault, size int, erase func(v *Vault, id string) error) string {
	t.Helper()
	dir := t.TempDir()
	cfg := Config{Dir: filepath.Join(dir, "vault"), MasterKey: master}
	v := open(t, cfg)
	neighbours(t, v, "dlb_b", 10)
	c, other := plant(t, v, "dlb_b_canary", size), plant(t, v, "dlb_c_canary", size)
	neighbours(t, v, "dlb_d", 10)
	v = place(t, v, cfg)
	if c.found(t, cfg.Dir) == "" || other.found(t, cfg.Dir) == "" {
		t.Fatal("the search does not find what is there")
	}
	if err := erase(v, c.id); err != nil {
		t.Fatal(err)
	}
	if left := c.found(t, cfg.Dir); left != "" {
		return left
	}
	if _, _, err := v.Get(other.id); err != nil || other.found(t, cfg.Dir) == "" {
		t.Errorf("its neighbour is gone, too: %v", err)
	}
	for i := range 10 {
		if _, _, err := v.Get(fmt.Sprintf("dlb_d_%03d", i)); err != nil {
			t.Error(err)
		}
	}
	// Logs are written over again, and nothing comes back with them.
	for i := range 6 {
		neighbours(t, v, fmt.Sprint("dlb_later", i), 5)
		flushed(t, v)
		if left := c.found(t, cfg.Dir); left != "" {
			return left
		}
	}
	backup := filepath.Join(dir, "backup")
	if err := v.Backup(backup); err != nil {
		t.Fatal(err)
	}
	if left := c.found(t, backup); left != "" {
		return left
	}
	v = reopened(t, v, cfg)
	if _, _, err := v.Get(c.id); !errors.Is(err, ErrNotFound) {
		t.Errorf("after reopening, Get() = %v", err)
	}
	return c.found(t, dir)
}

func flushed(t *testing.T, v *Vault) *Vault {
	t.Helper()
	if err := v.db.Flush(); err != nil {
		t.Fatal(err)
	}
	return v
}

func reopened(t *testing.T, v *Vault, cfg Config) *Vault {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, cfg)
}

// places is where a record may lie when it is erased.
var places = map[string]func(*testing.T, *Vault, Config) *Vault{
	"only in the log":                       func(_ *testing.T, v *Vault, _ Config) *Vault { return v },
	"in a table of level 0, and an old log": func(t *testing.T, v *Vault, _ Config) *Vault { return flushed(t, v) },
	"in a lower level": func(t *testing.T, v *Vault, _ Config) *Vault {
		for _, prefix := range []string{"dlb_a", "dlb_b_", "dlb_z"} {
			neighbours(t, v, prefix, 20)
			if err := flushed(t, v).db.Compact(t.Context(), []byte{0}, []byte{0xff}, false); err != nil {
				t.Fatal(err)
			}
		}
		neighbours(t, v, "dlb_b_c", 20)
		return flushed(t, v)
	},
	"at the end of a log that was written over": func(t *testing.T, v *Vault, _ Config) *Vault {
		for range 8 { // more than Pebble keeps
			put(t, flushed(t, v), "dlb_e", "bob", "short")
		}
		return v
	},
	"in the log of a process before": reopened,
}

var sizes = map[string]int{"small": 3000, "beyond half a memtable": 2 << 20}

func TestErasedIsInNoFile(t *testing.T) {
	for place, lay := range places {
		for name, size := range sizes {
			t.Run(place+"/"+name, func(t *testing.T) {
				if left := canaryTrial(t, lay, size, func(v *Vault, id string) error { return v.Erase(t.Context(), "owner", id) }); left != "" {
					t.Error(left)
				}
			})
		}
	}
}

// What retention sweeps is gone in the same way.
func TestSweptIsInNoFile(t *testing.T) {
	for place, lay := range places {
		t.Run(place, func(t *testing.T) {
			left := canaryTrial(t, lay, 3000, func(v *Vault, id string) error {
				n, err := v.SweepOrphans(t.Context(), time.UnixMilli(0), time.Now().Add(time.Hour), func(other string) (bool, error) { return other != id, nil })
				if n != 1 {
					t.Errorf("%d swept", n)
				}
				return err
			})
			if left != "" {
				t.Error(left)
			}
		})
	}
}

// The canary test is worth something only if it fails when the erasing, or one
// part of it, is left out.
func TestCanaryTestNoticesWhatIsLeftOut(t *testing.T) {
	for part, erase := range map[string]func(v *Vault, id string) error{
		"the erasing": func(*Vault, string) error { return nil },
		"the files": func(v *Vault, id string) error {
			v.purgeFiles = func(context.Context, ...store.Range) error { return nil }
			return v.Erase(context.Background(), "owner", id)
		},
		"the logs": func(v *Vault, id string) error {
			v.purgeFiles = func(ctx context.Context, spans ...store.Range) error {
				err := v.db.Flush()
				for _, s := range spans {
					err = errors.Join(err, v.db.Compact(ctx, s.Lower, s.Upper, false))
				}
				return err
			}
			return v.Erase(context.Background(), "owner", id)
		},
		"the tables": func(v *Vault, id string) error {
			purge := v.purgeFiles
			v.purgeFiles = func(ctx context.Context, _ ...store.Range) error { return purge(ctx) }
			return v.Erase(context.Background(), "owner", id)
		},
	} {
		t.Run("without "+part, func(t *testing.T) {
			for _, lay := range places {
				if canaryTrial(t, lay, 3000, erase) != "" {
					return
				}
			}
			t.Error("no trial noticed that it was left out")
		})
	}
}

func TestEraseManyWithOneRewrite(t *testing.T) {
	dir := t.TempDir()
	v := open(t, Config{Dir: dir, MasterKey: master})
	var all []canary
	var ids []string
	for i := range 100 {
		c := plant(t, v, fmt.Sprintf("dlb_%03d", i), 500)
		if i%2 == 0 { // far apart from one another: they are purged as one span
			all, ids = append(all, c), append(ids, c.id)
		}
	}
	flushed(t, v)
	purge, purges, spans := v.purgeFiles, 0, 0
	v.purgeFiles = func(ctx context.Context, s ...store.Range) error {
		purges, spans = purges+1, len(s)
		return purge(ctx, s...)
	}
	if err := v.Erase(t.Context(), "owner", append(ids, "dlb_never")...); err != nil {
		t.Fatal(err)
	}
	if purges != 1 || spans != 1 {
		t.Errorf("%d purges, the last of %d spans", purges, spans)
	}
	for _, c := range all {
		if left := c.found(t, dir); left != "" {
			t.Error(left)
		}
	}
	if left, err := v.List("alice", "", 1000); err != nil || len(left) != 50 {
		t.Errorf("%d are left, %v", len(left), err)
	}
}

func TestWhatIsLeftOfAnErasedRecord(t *testing.T) {
	fs := vfs.NewMem()
	var clock calendar
	cfg := config(fs)
	cfg.Clock = clock.now
	v := open(t, cfg)
	put(t, v, "dlb_1", "alice", "x")
	put(t, v, "dlb_2", "alice", "x")
	if owns, err := v.Owns("alice", "dlb_1"); !owns || err != nil {
		t.Errorf("Owns() = %v, %v", owns, err)
	}
	if _, erased, err := v.Erased("dlb_1"); erased || err != nil {
		t.Errorf("Erased() = %v, %v", erased, err)
	}
	for _, by := range []string{"steward", "owner"} { // the second time nothing changes
		if err := v.Erase(t.Context(), by, "dlb_1"); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, _, err := v.Get("dlb_1"); !errors.Is(err, ErrNotFound) {
			t.Errorf("Get() = %v", err)
		}
		if by, erased, err := v.Erased("dlb_1"); by != "steward" || !erased || err != nil {
			t.Errorf("Erased() = %q, %v, %v", by, erased, err)
		}
		for owner, want := range map[string]bool{"alice": true, "bob": false} {
			if owns, err := v.Owns(owner, "dlb_1"); owns != want || err != nil {
				t.Errorf("Owns(%s) = %v, %v", owner, owns, err)
			}
		}
		if ids, err := v.List("alice", "", 10); err != nil || !slices.Equal(ids, []string{"dlb_2"}) {
			t.Errorf("List() = %v, %v", ids, err)
		}
		var notes []string
		err := v.EachErased(func(id, by string) error {
			notes = append(notes, id+" "+by)
			return nil
		})
		if err != nil || !slices.Equal(notes, []string{"dlb_1 steward"}) {
			t.Errorf("EachErased() = %v, %v", notes, err)
		}
		v = reopened(t, v, cfg)
	}
	if _, err := v.Owns("alice", "dlb_3"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Owns() of none = %v", err)
	}
	if err := v.Erase(t.Context(), "owner", "dlb_3"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Erase() of none = %v", err)
	}
	for _, by := range []string{"", strings.Repeat("x", maxBy+1)} {
		if err := v.Erase(t.Context(), by, "dlb_2"); !errors.Is(err, ErrInvalid) {
			t.Errorf("Erase() by %q = %v", by, err)
		}
	}
	// The note goes when the record would have.
	clock.day.Store(31)
	if n, err := v.Sweep(t.Context(), clock.now().Add(-Retention), nil); n != 1 || err != nil {
		t.Errorf("Sweep() = %d, %v, want the one record", n, err)
	}
	if _, erased, err := v.Erased("dlb_1"); erased || err != nil {
		t.Errorf("Erased() after retention = %v, %v", erased, err)
	}
	if _, err := v.Owns("alice", "dlb_1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Owns() after retention = %v", err)
	}
}

// A crash after the deletion, and before the files were purged, leaves the rest
// to the next Erase or sweep.
func TestAnInterruptedEraseIsFinishedLater(t *testing.T) {
	for name, finish := range map[string]func(v *Vault) error{
		"by the same again": func(v *Vault) error { return v.Erase(context.Background(), "owner", "dlb_1") },
		"by a sweep": func(v *Vault) error {
			_, err := v.Sweep(context.Background(), day0, nil)
			return err
		},
		"by another": func(v *Vault) error {
			if err := v.Erase(context.Background(), "owner", "dlb_other"); !errors.Is(err, ErrNotFound) {
				return err
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Dir: t.TempDir(), MasterKey: master}
			v := open(t, cfg)
			c := plant(t, v, "dlb_1", 3000)
			flushed(t, v)
			v.purgeFiles = func(context.Context, ...store.Range) error { return errors.New("the power fails") }
			if err := v.Erase(t.Context(), "owner", c.id); !errors.Is(err, ErrUnavailable) {
				t.Fatalf("Erase() = %v", err)
			}
			v = reopened(t, v, cfg)
			if len(v.debt.spans) == 0 {
				t.Fatal("it is forgotten that there is something to be purged")
			}
			if err := finish(v); err != nil {
				t.Fatal(err)
			}
			if left := c.found(t, cfg.Dir); left != "" {
				t.Error(left)
			}
			// And that is remembered: nothing is rewritten again.
			v = reopened(t, v, cfg)
			v.purgeFiles = func(context.Context, ...store.Range) error { return errors.New("purged twice") }
			if err := finish(v); err != nil {
				t.Error(err)
			}
		})
	}
}

// Erase does not return while somebody still reads a table that holds the
// record, nor wait beyond its context.
func TestEraseWaitsForReadersWithinItsContext(t *testing.T) {
	dir := t.TempDir()
	v := open(t, Config{Dir: dir, MasterKey: master})
	c := plant(t, v, "dlb_1", 3000)
	put(t, flushed(t, v), "dlb_2", "alice", "x")
	iter, err := v.db.NewIter(&pebble.IterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := v.Erase(ctx, "owner", c.id); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("Erase() beside a reader = %v", err)
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if err := v.Erase(ended, "owner", "dlb_2"); !errors.Is(err, context.Canceled) {
		t.Errorf("Erase() in an ended context = %v", err)
	}
	if _, _, err := v.Get("dlb_2"); err != nil {
		t.Errorf("an ended context erases: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- v.Erase(context.Background(), "owner", c.id) }()
	if err := iter.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if left := c.found(t, dir); left != "" {
		t.Error(left)
	}
}

func TestErasuresBesideEverythingElse(t *testing.T) {
	dir := t.TempDir()
	v := open(t, Config{Dir: filepath.Join(dir, "vault"), MasterKey: master})
	var mu sync.Mutex
	var gone []canary
	stop := make(chan struct{})
	var busy, erasers sync.WaitGroup
	for w := range 2 {
		busy.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprintf("dlb_w%d_%05d", w, i)
				put(t, v, id, "bob", strings.Repeat(id, 300))
				if _, _, err := v.Get(id); err != nil {
					t.Error(err)
				}
				if _, err := v.List("bob", "", 10); err != nil {
					t.Error(err)
				}
			}
		})
	}
	busy.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := v.Backup(filepath.Join(dir, fmt.Sprint("backup", i))); err != nil {
				t.Error(err)
			}
			if _, err := v.Sweep(t.Context(), time.Now().Add(-Retention), nil); err != nil {
				t.Error(err)
			}
		}
	})
	for w := range 4 {
		erasers.Go(func() {
			for i := range 5 {
				c := plant(t, v, fmt.Sprintf("dlb_e%d_%d", w, i), 2000)
				if err := v.Erase(context.Background(), "owner", c.id); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				gone = append(gone, c)
				mu.Unlock()
			}
		})
	}
	erasers.Wait()
	close(stop)
	busy.Wait()
	for _, c := range gone {
		if left := c.found(t, filepath.Join(dir, "vault")); left != "" {
			t.Error(left)
		}
	}
}

// An acknowledged erasure is not undone by a crash, not even one that takes back
// every name and byte that was not synced.
func TestAnErasureSurvivesACrash(t *testing.T) {
	mem := vfs.NewCrashableMem()
	v := open(t, config(mem))
	put(t, v, "dlb_1", "alice", "x")
	put(t, flushed(t, v), "dlb_2", "alice", "x")
	sealed, err := v.sealed("dlb_1")
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Erase(t.Context(), "owner", "dlb_1"); err != nil {
		t.Fatal(err)
	}
	clone := mem.CrashClone(vfs.CrashCloneCfg{})
	if name := holding(t, clone, "vault", wrapped(sealed)); name != "" {
		t.Errorf("%s is back, with the wrapped key", name)
	}
	again := open(t, config(clone))
	if _, _, err := again.Get("dlb_1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("after a crash, Get() = %v", err)
	}
	if _, _, err := again.Get("dlb_2"); err != nil {
		t.Error(err)
	}
	if len(again.debt.spans) > 0 {
		t.Errorf("it is to be purged again: %v", again.debt.spans)
	}
}

// A crash at any operation on the files leaves the record whole, or its note;
// never neither. To erase it again, then, does all that is left to do.
func TestACrashAtAnyOperationOfAnErasure(t *testing.T) {
	for _, percent := range []int{0, 50, 100} {
		t.Run(fmt.Sprintf("percent=%d", percent), func(t *testing.T) {
			for at := int64(0); ; at++ {
				mem := vfs.NewCrashableMem()
				var armed atomic.Bool
				var count atomic.Int64
				var clone *vfs.MemFS
				var mu sync.Mutex // guards clone
				v := open(t, config(errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
					if armed.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && count.Add(1)-1 == at {
						mu.Lock()
						defer mu.Unlock()
						clone = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(at), 0))})
					}
					return nil
				}))))
				put(t, v, "dlb_0", "alice", "x")
				put(t, flushed(t, v), "dlb_1", "alice", "x")
				sealed, err := v.sealed("dlb_1")
				if err != nil {
					t.Fatal(err)
				}
				armed.Store(true)
				if err := v.Erase(t.Context(), "owner", "dlb_1"); err != nil {
					t.Fatal(err)
				}
				armed.Store(false)
				if err := v.Close(); err != nil {
					t.Fatal(err)
				}
				mu.Lock()
				crashed := clone
				mu.Unlock()
				if crashed == nil {
					if at < 20 {
						t.Errorf("an erasure takes %d operations: the test sees too few", at)
					}
					return
				}

				again := open(t, config(crashed))
				_, _, kept := again.Get("dlb_1")
				_, noted, err := again.Erased("dlb_1")
				if err != nil || (kept == nil) == noted {
					t.Errorf("operation %d: Get() = %v, erased %v, %v", at, kept, noted, err)
				}
				if _, _, err := again.Get("dlb_0"); err != nil {
					t.Errorf("operation %d: another is lost: %v", at, err)
				}
				if err := again.Erase(t.Context(), "owner", "dlb_1"); err != nil {
					t.Errorf("operation %d: again: %v", at, err)
				}
				if name := holding(t, crashed, "vault", wrapped(sealed)); name != "" {
					t.Errorf("operation %d: %s holds the wrapped key", at, name)
				}
				if err := again.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// wrapped is the part of a sealed record without which it cannot be opened.
func wrapped(sealed []byte) []byte { return sealed[headerSize : headerSize+nonceSize+wrapSize] }

// holding names a file in dir that holds secret. Should Pebble just then remove
// one, whose content may be in another by now, all are looked at again.
func holding(t *testing.T, fs vfs.FS, dir string, secret []byte) string {
	t.Helper()
again:
	for {
		names, err := fs.List(dir)
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		for _, name := range names {
			f, err := fs.Open(fs.PathJoin(dir, name))
			if errors.Is(err, os.ErrNotExist) {
				continue again
			}
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(f)
			if err = errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(data, secret) {
				return name
			}
		}
		return ""
	}
}

func TestDebt(t *testing.T) {
	var d debt
	d.spans = []span{{"b", "d"}, {"m", "m"}}
	for _, tt := range []struct {
		name string
		more span
		want []span
	}{
		{"one apart is one more", span{"x", "z"}, []span{{"b", "d"}, {"m", "m"}, {"x", "z"}}},
		{"one that overlaps is one with it", span{"c", "k"}, []span{{"m", "m"}, {"b", "k"}}},
		{"one over all is all", span{"a", "z"}, []span{{"a", "z"}}},
		{"one that is covered is nothing new", span{"c", "c"}, []span{{"m", "m"}, {"b", "d"}}},
	} {
		if got := d.with([]span{tt.more}); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	var many []span
	for i := range maxSpans + 1 {
		many = append(many, span{fmt.Sprintf("n%02d", i), fmt.Sprintf("n%02d", i)})
	}
	if got := d.with(many); !slices.Equal(got, []span{{"b", fmt.Sprintf("n%02d", maxSpans)}}) {
		t.Errorf("more than %d spans are %v", maxSpans, got)
	}
}

func FuzzParseSpans(f *testing.F) {
	f.Add(appendSpans(nil, []span{{"a", "b"}, {"", strings.Repeat("x", 200)}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		spans, err := parseSpans(data)
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%v is not ErrCorrupt", err)
			}
			return
		}
		if again := appendSpans(nil, spans); !bytes.Equal(again, data) {
			t.Errorf("%q is read, but written as %q", data, again)
		}
	})
}

func FuzzParseNote(f *testing.F) {
	f.Add(note{header{7, [store.OwnerLen]byte{1}}, "owner"}.appendTo(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := parseNote(data)
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%v is not ErrCorrupt", err)
			}
			return
		}
		if again := n.appendTo(nil); !bytes.Equal(again, data) {
			t.Errorf("%q is read, but written as %q", data, again)
		}
	})
}

// BenchmarkErase is one erasure from a vault of some size, with a put beside it.
func BenchmarkErase(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			v := open(b, Config{Dir: b.TempDir(), MasterKey: master})
			var next atomic.Int64
			id := func() string { return fmt.Sprintf("dlb_%06d", next.Add(1)) }
			for range n {
				put(b, v, id(), "alice", strings.Repeat("x", 3000))
			}
			for b.Loop() {
				last := id()
				put(b, v, last, "alice", strings.Repeat("x", 3000))
				if err := v.Erase(b.Context(), "owner", last); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
