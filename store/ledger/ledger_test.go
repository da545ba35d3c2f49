package ledger

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/merkle"
)

func TestMain(m *testing.M) {
	if os.Getenv(leavesGoroutines) != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m)
}

// A fact is the tests' record.
type fact string

func (fact) Type() quorum.RecordType { return "fact" }

func (f fact) AppendLeaf(dst []byte) ([]byte, int) {
	dst = append(dst, `{"at":"`...)
	stamp := len(dst)
	dst = append(dst, `0000000000000","fact":"`...)
	dst = append(dst, f...)
	return append(dst, `"}`...), stamp
}

const origin = "kaizen.test/ledger"

// testKey is one signing key for all tests.
var testKey = sync.OnceValue(func() string {
	key, _, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		panic(err)
	}
	return key
})

// A ticker is a clock that tests set.
type ticker struct {
	sync.Mutex
	now    time.Time
	uptime time.Duration
}

func newTicker() *ticker { return &ticker{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *ticker) wall() time.Time {
	c.Lock()
	defer c.Unlock()
	return c.now
}

func (c *ticker) up() time.Duration {
	c.Lock()
	defer c.Unlock()
	return c.uptime
}

func (c *ticker) pass(d time.Duration) {
	c.Lock()
	defer c.Unlock()
	c.now, c.uptime = c.now.Add(d), c.uptime+d
}

func (c *ticker) jump(d time.Duration) {
	c.Lock()
	defer c.Unlock()
	c.now = c.now.Add(d)
}

func config(fs vfs.FS) Config {
	return Config{Dir: "data", FS: fs, Origin: origin, SigningKey: testKey()}
}

func open(t testing.TB, cfg Config) *Ledger {
	t.Helper()
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func add(t testing.TB, l *Ledger, name, text string) Receipt {
	t.Helper()
	r, err := l.Append(t.Context(), name, fact(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// addMany appends n facts from 64 writers.
func addMany(t testing.TB, l *Ledger, n int) {
	t.Helper()
	var wg sync.WaitGroup
	work := make(chan int, n)
	for i := range n {
		work <- i
	}
	close(work)
	for range 64 {
		wg.Go(func() {
			for i := range work {
				if _, err := l.Append(t.Context(), "", fact(fmt.Sprint(i))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// checkLedger rebuilds the tree of l with tlog's own code and holds root, tiles,
// bundles, checkpoint and proofs against it.
func checkLedger(t testing.TB, l *Ledger, size uint64) {
	t.Helper()
	c, err := ParseCheckpoint(l.Checkpoint(), l.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	if c.Size != size || l.Size() != size {
		t.Fatalf("size is %d, checkpoint's %d, want %d", l.Size(), c.Size, size)
	}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	var hashes []tlog.Hash
	for n := uint64(0); n*256 < size; n++ {
		width := int(min(256, size-n*256))
		bundle, err := l.Bundle(n, width)
		if err != nil {
			t.Fatal(err)
		}
		for i := range width {
			length := int(binary.BigEndian.Uint16(bundle))
			leaf := bundle[2 : 2+length]
			bundle = bundle[2+length:]
			added, err := tlog.StoredHashes(int64(n)*256+int64(i), leaf, reader)
			if err != nil {
				t.Fatal(err)
			}
			stored = append(stored, added...)
			hashes = append(hashes, tlog.RecordHash(leaf))
		}
		if len(bundle) != 0 {
			t.Fatalf("bundle %d has %d bytes too many", n, len(bundle))
		}
	}
	root, err := tlog.TreeHash(int64(size), reader)
	if err != nil {
		t.Fatal(err)
	}
	if size > 0 && root != c.Root {
		t.Fatalf("root of %d entries is not the signed one", size)
	}
	for _, tile := range tlog.NewTiles(8, 0, int64(size)) {
		want, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.Tile(tile.L, uint64(tile.N), tile.W)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%s differs from tlog's", tile.Path())
		}
	}
	step := max(1, size/50)
	for index := uint64(0); index < size; index += step {
		text, err := l.Proof(index)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParseProof(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(p.Path, int64(size), root, int64(index), hashes[index]); err != nil {
			t.Fatalf("proof of %d: %v", index, err)
		}
		leaf, err := l.Entry(index)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Verify(leaf, l.Verifier()); err != nil {
			t.Fatalf("proof of %d: %v", index, err)
		}
	}
}

func TestAppendIsReadableAndProven(t *testing.T) {
	fs := vfs.NewMem()
	clock := newTicker()
	cfg := config(fs)
	cfg.Clock, cfg.Uptime = clock.wall, clock.up
	l := open(t, cfg)
	checkLedger(t, l, 0)

	r := add(t, l, "dlb_1", "first")
	if want := (Receipt{Index: 0, At: clock.wall().UnixMilli(), LeafHash: r.LeafHash, Size: 1}); r != want {
		t.Errorf("Append() = %+v, want %+v", r, want)
	}
	leaf, err := l.Entry(0)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf(`{"at":"%d","fact":"first"}`, r.At); string(leaf) != want {
		t.Errorf("Entry(0) = %s, want %s", leaf, want)
	}
	if r.LeafHash != merkle.Hash(quorum.LeafHash(leaf)) {
		t.Error("the receipt's hash is not the leaf's")
	}
	if i, ok, err := l.Lookup("dlb_1"); i != 0 || !ok || err != nil {
		t.Errorf("Lookup() = %d, %v, %v", i, ok, err)
	}
	for _, name := range []string{"", "dlb_2", strings.Repeat("x", 200)} {
		if _, ok, err := l.Lookup(name); ok || err != nil {
			t.Errorf("Lookup(%q) = %v, %v", name, ok, err)
		}
	}
	checkLedger(t, l, 1)
}

func TestReopenGoesOn(t *testing.T) {
	fs := vfs.NewMem()
	for round, size := range []int{1, 2, 255, 256, 257, 600} {
		l := open(t, config(fs))
		if round > 0 {
			add(t, l, "", "one more")
		}
		addMany(t, l, size-int(l.Size()))
		checkLedger(t, l, uint64(size))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		c, err := Verify("data", fs, l.Verifier(), nil)
		if err != nil || c.Size != uint64(size) {
			t.Fatalf("Verify() = %d, %v", c.Size, err)
		}
	}
}

func TestSizesAroundTwoLevelsOfTiles(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, config(fs))
	for _, size := range []int{65_535, 65_536, 65_537} {
		addMany(t, l, size-int(l.Size()))
		checkLedger(t, l, uint64(size))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	checkLedger(t, open(t, config(fs)), 65_537)
}

func TestAppendRefusesWhatCannotBe(t *testing.T) {
	l := open(t, config(vfs.NewMem()))
	add(t, l, "taken", "x")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		rule string
		ctx  context.Context
		name string
		text string
		want error
	}{
		{"a leaf over 65,535 bytes is refused", t.Context(), "", strings.Repeat("x", quorum.MaxLeaf), ErrInvalid},
		{"a name over 128 bytes is refused", t.Context(), strings.Repeat("n", 129), "x", ErrInvalid},
		{"a name that is taken is refused", t.Context(), "taken", "x", ErrExists},
		{"an ended context takes no place", ended, "", "x", ErrBusy},
	} {
		if _, err := l.Append(tt.ctx, tt.name, fact(tt.text)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.rule, err)
		}
	}
	checkLedger(t, l, 1)
	// The longest leaf and the longest name are taken.
	longest := quorum.MaxLeaf - len(`{"at":"0000000000000","fact":""}`)
	add(t, l, strings.Repeat("n", 128), strings.Repeat("x", longest))
	checkLedger(t, l, 2)
}

func TestReadsBeyondTheSize(t *testing.T) {
	l := open(t, config(vfs.NewMem()))
	addMany(t, l, 300)
	for what, err := range map[string]error{
		"Entry(300)":           second(l.Entry(300)),
		"Proof(300)":           second(l.Proof(300)),
		"Tile(0,1,45)":         second(l.Tile(0, 1, 45)),
		"Tile(0,2,1)":          second(l.Tile(0, 2, 1)),
		"Tile(0,0,0)":          second(l.Tile(0, 0, 0)),
		"Tile(0,0,257)":        second(l.Tile(0, 0, 257)),
		"Tile(1,0,2)":          second(l.Tile(1, 0, 2)),
		"Tile(9,0,1)":          second(l.Tile(9, 0, 1)),
		"Tile(-1,0,1)":         second(l.Tile(-1, 0, 1)),
		"Bundle(1,45)":         second(l.Bundle(1, 45)),
		"Bundle(2,1)":          second(l.Bundle(2, 1)),
		"Bundle(1<<62,1)":      second(l.Bundle(1<<62, 1)),
		"Consistency(0,9)":     second(l.Consistency(0, 9)),
		"Consistency(10,9)":    second(l.Consistency(10, 9)),
		"Consistency(300,301)": second(l.Consistency(300, 301)),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", what, err)
		}
	}
	// Any width within the size is served, of full and of unfinished tiles.
	for _, width := range []int{1, 44} {
		whole, err := l.Tile(0, 1, 44)
		part, err2 := l.Tile(0, 1, width)
		if err != nil || err2 != nil || !bytes.Equal(part, whole[:32*width]) {
			t.Errorf("Tile(0, 1, %d): %v, %v", width, err, err2)
		}
		if part, err := l.Tile(0, 0, width); err != nil || len(part) != 32*width {
			t.Errorf("Tile(0, 0, %d): %d bytes, %v", width, len(part), err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestConsistencyBetweenCheckpoints(t *testing.T) {
	l := open(t, config(vfs.NewMem()))
	var old []Checkpoint
	for _, size := range []int{1, 5, 256, 300, 700} {
		addMany(t, l, size-int(l.Size()))
		c, err := ParseCheckpoint(l.Checkpoint(), l.Verifier())
		if err != nil {
			t.Fatal(err)
		}
		old = append(old, c)
		for _, o := range old {
			for _, c := range old {
				if o.Size > c.Size {
					continue
				}
				proof, err := l.Consistency(o.Size, c.Size)
				if err != nil {
					t.Fatal(err)
				}
				if err := tlog.CheckTree(proof, int64(c.Size), c.Root, int64(o.Size), o.Root); err != nil {
					t.Errorf("from %d to %d: %v", o.Size, c.Size, err)
				}
			}
		}
	}
}

func TestFoldSeesEveryEntryOnceInOrder(t *testing.T) {
	fs := vfs.NewMem()
	type seen struct {
		index uint64
		leaf  string
		live  bool
	}
	var got []seen
	cfg := config(fs)
	cfg.Fold = func(index uint64, at int64, leaf []byte, rec quorum.Record) error {
		if !strings.Contains(string(leaf), fmt.Sprint(at)) {
			t.Errorf("entry %d: at %d is not in the leaf", index, at)
		}
		got = append(got, seen{index, string(leaf), rec != nil})
		return nil
	}
	l := open(t, cfg)
	addMany(t, l, 300)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	live := got
	if len(live) != 300 {
		t.Fatalf("%d entries were folded, want 300", len(live))
	}
	for i, s := range live {
		if s.index != uint64(i) || !s.live {
			t.Fatalf("fold %d was of entry %d, live %v", i, s.index, s.live)
		}
	}
	got = nil
	cfg.FoldFrom = 100
	open(t, cfg)
	if len(got) != 200 {
		t.Fatalf("%d entries were replayed from 100 of 300", len(got))
	}
	for i, s := range got {
		if s.live || s.leaf != live[100+i].leaf || s.index != uint64(100+i) {
			t.Fatalf("replay %d differs from what was folded live", i)
		}
	}
}

func TestFoldErrorStopsTheLedger(t *testing.T) {
	fs := vfs.NewMem()
	unknown := errors.New("unknown predicate")
	fatal := make(chan error, 1)
	cfg := config(fs)
	cfg.OnFatal = func(err error) { fatal <- err }
	cfg.Fold = func(index uint64, _ int64, _ []byte, _ quorum.Record) error {
		if index == 1 {
			return unknown
		}
		return nil
	}
	l := open(t, cfg)
	add(t, l, "", "known")
	if _, err := l.Append(t.Context(), "", fact("x")); !errors.Is(err, ErrUnavailable) || !errors.Is(err, unknown) || !strings.Contains(err.Error(), "entry 1") {
		t.Errorf("Append() = %v", err)
	}
	if err := <-fatal; !errors.Is(err, unknown) {
		t.Errorf("OnFatal(%v)", err)
	}
	if _, err := l.Append(t.Context(), "", fact("x")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Append() after = %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); !errors.Is(err, unknown) || !strings.Contains(err.Error(), "entry 1") {
		t.Errorf("Open() = %v", err)
	}
}

func TestTimeNeverGoesBack(t *testing.T) {
	fs := vfs.NewMem()
	clock := newTicker()
	cfg := config(fs)
	cfg.Clock, cfg.Uptime = clock.wall, clock.up
	l := open(t, cfg)
	first := add(t, l, "", "a")
	clock.jump(-time.Hour)
	if r := add(t, l, "", "b"); r.At != first.At {
		t.Errorf("after the clock went back the entry is of %d, want %d", r.At, first.At)
	}
	l.Close()
	l = open(t, cfg)
	if r := add(t, l, "", "c"); r.At != first.At {
		t.Errorf("after reopening the entry is of %d, want %d", r.At, first.At)
	}
}

func TestClockThatJumpedAheadIsRefused(t *testing.T) {
	clock := newTicker()
	cfg := config(vfs.NewMem())
	cfg.Clock, cfg.Uptime = clock.wall, clock.up
	l := open(t, cfg)
	clock.pass(100 * time.Hour) // a quiet week is no jump
	add(t, l, "", "a")
	clock.jump(2 * time.Hour)
	if _, err := l.Append(t.Context(), "", fact("b")); !errors.Is(err, ErrClock) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("Append() = %v, want ErrClock", err)
	}
	clock.jump(-2 * time.Hour)
	add(t, l, "", "the clock was set right")
	clock.jump(2 * time.Hour)
	if _, err := l.Append(t.Context(), "", fact("c")); !errors.Is(err, ErrClock) {
		t.Errorf("Append() = %v, want ErrClock", err)
	}
	l.ConfirmClock()
	if r := add(t, l, "", "the clock was confirmed"); r.At != clock.wall().UnixMilli() {
		t.Errorf("the entry is of %d", r.At)
	}
	clock.jump(-60 * 365 * 24 * time.Hour)
	checkLedger(t, l, 3)
}

func TestClockOfNoThirteenDigits(t *testing.T) {
	cfg := config(vfs.NewMem())
	cfg.Clock = func() time.Time { return time.Unix(5, 0) }
	l := open(t, cfg)
	if _, err := l.Append(t.Context(), "", fact("x")); !errors.Is(err, ErrClock) {
		t.Errorf("Append() in 1970 = %v, want ErrClock", err)
	}
}

func TestNearlyFullDiskRefusesNewEntries(t *testing.T) {
	fs := vfs.NewMem()
	clock := newTicker()
	cfg := config(fs)
	cfg.Clock, cfg.Uptime = clock.wall, clock.up
	l := open(t, cfg)
	add(t, l, "", "a")
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 100 << 20, TotalBytes: 1 << 40})
	add(t, l, "", "looked at once a second")
	clock.pass(2 * time.Second)
	if _, err := l.Append(t.Context(), "", fact("b")); !errors.Is(err, ErrDiskFull) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("Append() = %v, want ErrDiskFull", err)
	}
	if !errors.Is(l.Err(), ErrDiskFull) {
		t.Errorf("Err() = %v", l.Err())
	}
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1 << 30, TotalBytes: 1 << 40})
	clock.pass(2 * time.Second)
	add(t, l, "", "c")
}

func TestCloseFinishesWhatWaitsAndRefusesTheRest(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, config(fs))
	var wg sync.WaitGroup
	var mu sync.Mutex
	kept := map[uint64]bool{}
	started := make(chan struct{}, 64)
	for range 64 {
		wg.Go(func() {
			for first := true; ; first = false {
				r, err := l.Append(t.Context(), "", fact("x"))
				if err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				kept[r.Index] = true
				mu.Unlock()
				if first {
					started <- struct{}{}
				}
			}
		})
	}
	for range 32 {
		<-started
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Errorf("second Close() = %v", err)
	}
	if !errors.Is(l.Err(), ErrClosed) {
		t.Errorf("Err() = %v", l.Err())
	}
	c, err := Verify("data", fs, l.Verifier(), nil)
	if err != nil || c.Size != uint64(len(kept)) {
		t.Fatalf("Verify() = %d, %v; %d were acknowledged", c.Size, err, len(kept))
	}
}

func TestNamesAreUniqueAmongConcurrentAppends(t *testing.T) {
	l := open(t, config(vfs.NewMem()))
	for round := range 50 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 8 {
			wg.Go(func() {
				_, err := l.Append(t.Context(), fmt.Sprint("name", round), fact("x"))
				if err == nil {
					mu.Lock()
					won++
					mu.Unlock()
				} else if !errors.Is(err, ErrExists) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Fatalf("%d of 8 took the name", won)
		}
	}
	if l.Size() != 50 {
		t.Errorf("size is %d, want 50", l.Size())
	}
	for name, kept := range l.names.recent {
		if !kept {
			t.Errorf("name %q is still under way", name)
		}
	}
}

// Names in any order are unique, also those long forgotten, also after reopening.
func TestForgottenNamesStayTaken(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, config(fs))
	const n = recentNames + 2000
	name := func(i int) string { return fmt.Sprintf("%05d", i*7919%n) } // scattered; n is no multiple of 7919
	var wg sync.WaitGroup
	for w := range 32 {
		wg.Go(func() {
			for i := w; i < n; i += 32 {
				add(t, l, name(i), "x")
			}
		})
	}
	wg.Wait()
	if len(l.names.recent) > recentNames || len(l.names.ring) > recentNames+64 {
		t.Errorf("%d names are remembered", len(l.names.recent))
	}
	for range 2 {
		for i := range n {
			if _, err := l.Append(t.Context(), name(i), fact("x")); !errors.Is(err, ErrExists) {
				t.Fatalf("Append(%q) again = %v, want ErrExists", name(i), err)
			}
		}
		l.Close()
		l = open(t, config(fs))
	}
	if l.Size() != n {
		t.Errorf("size is %d, want %d", l.Size(), n)
	}
}

// gate holds commits until it is opened, and counts them.
type gate struct {
	commit  func(*pebble.Batch) error
	entered chan struct{}
	open    chan struct{}
}

func holdCommits(l *Ledger) *gate {
	g := &gate{l.seq.commit, make(chan struct{}, 1000), make(chan struct{})}
	l.seq.commit = func(b *pebble.Batch) error {
		g.entered <- struct{}{}
		<-g.open
		return g.commit(b)
	}
	return g
}

func TestQueueIsBoundedAndContextIsObeyed(t *testing.T) {
	cfg := config(vfs.NewMem())
	cfg.Queue = 2
	l := open(t, cfg)
	g := holdCommits(l)
	results := make(chan error, 8)
	send := func(ctx context.Context, name string) {
		_, err := l.Append(ctx, name, fact("x"))
		results <- err
	}
	// One is being written, two wait: the queue is full.
	taken, cancelTaken := context.WithCancel(t.Context())
	defer cancelTaken()
	go send(taken, "taken")
	<-g.entered
	queued, cancelQueued := context.WithCancel(t.Context())
	defer cancelQueued()
	go send(queued, "queued")
	go send(t.Context(), "kept")
	for len(l.queue) < 2 {
		runtime.Gosched()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := l.Append(ctx, "late", fact("x")); !errors.Is(err, ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Append() with a full queue = %v, want ErrBusy", err)
	}
	cancelQueued()
	if err := <-results; !errors.Is(err, ErrBusy) {
		t.Errorf("Append() given up while queued = %v, want ErrBusy", err)
	}
	cancelTaken()
	if err := <-results; !errors.Is(err, ErrUncertain) {
		t.Errorf("Append() given up while written = %v, want ErrUncertain", err)
	}
	close(g.open)
	if err := <-results; err != nil {
		t.Error(err)
	}
	for name, want := range map[string]bool{"taken": true, "kept": true, "queued": false, "late": false} {
		if _, ok, err := l.Lookup(name); ok != want || err != nil {
			t.Errorf("Lookup(%q) = %v, %v, want %v", name, ok, err, want)
		}
	}
	add(t, l, "queued", "a name given up is free again")
	checkLedger(t, l, 3)
}

// While one batch syncs, what arrives becomes one more batch, not many.
func TestWaitingEntriesShareOneCommit(t *testing.T) {
	l := open(t, config(vfs.NewMem()))
	g := holdCommits(l)
	const writers = 200
	var wg sync.WaitGroup
	wg.Go(func() { add(t, l, "", "first") })
	<-g.entered
	for range writers {
		wg.Go(func() { add(t, l, "", "x") })
	}
	for len(l.queue) < writers {
		runtime.Gosched()
	}
	if l.Size() != 0 {
		t.Errorf("size is %d before the commit", l.Size())
	}
	if _, err := l.Entry(0); !errors.Is(err, ErrNotFound) {
		t.Errorf("Entry(0) before the commit: %v", err)
	}
	close(g.open)
	wg.Wait()
	if extra := len(g.entered); extra != 1 {
		t.Errorf("%d waiting entries took %d commits, want 1", writers, extra)
	}
	checkLedger(t, l, writers+1)
}

func TestTwoProcessesCannotHoldOneLedger(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, Origin: origin, MinFreeDisk: 1}
	open(t, cfg)
	if _, err := Open(cfg); !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), "end the process") {
		t.Errorf("Open() = %v, want ErrLocked", err)
	}
	if _, err := Verify(dir, nil, nil, nil); !errors.Is(err, store.ErrLocked) {
		t.Errorf("Verify() = %v, want ErrLocked", err)
	}
}

func TestKeyFilesAreMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, Origin: origin, MinFreeDisk: 1}
	l := open(t, cfg)
	add(t, l, "a", "x")
	l.Close()

	info, err := os.Stat(filepath.Join(dir, KeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v, %v", info, err)
	}
	verifier, err := ReadVerifier(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := Verify(dir, nil, verifier, nil); err != nil || c.Size != 1 || c.Origin != origin {
		t.Errorf("Verify() = %+v, %v", c, err)
	}
	// The origin may be left out, but not changed.
	cfg.Origin = ""
	l = open(t, cfg)
	if l.VerifierKey()+"\n" != read(t, filepath.Join(dir, PubFile)) {
		t.Error("ledger.pub is not the key's public half")
	}
	l.Close()
	cfg.Origin = "another.test"
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), origin) {
		t.Errorf("Open() under another origin = %v", err)
	}
	cfg.Origin = origin

	key := read(t, filepath.Join(dir, KeyFile))
	for _, tt := range []struct {
		rule string
		do   func() error
		want string
	}{
		{"a key that others may read is refused", func() error { return os.Chmod(filepath.Join(dir, KeyFile), 0o644) }, "others may read it"},
		{"a key that is none is refused", func() error { return os.WriteFile(filepath.Join(dir, KeyFile), []byte("nonsense"), 0o600) }, "not an Ed25519 key"},
		{"a missing key is not made anew for a signed store", func() error { return nil }, "put it back"},
		{"a key that did not sign the store is refused", func() error {
			other, err := newKey(origin)
			return errors.Join(err, os.Remove(filepath.Join(dir, PubFile)), os.WriteFile(filepath.Join(dir, KeyFile), []byte(other), 0o600))
		}, "no signature of the key"},
		{"a public key that is another's is refused", func() error {
			return os.WriteFile(filepath.Join(dir, KeyFile), []byte(key), 0o600)
		}, "is not the public half"},
	} {
		os.Remove(filepath.Join(dir, KeyFile))
		if !strings.Contains(tt.rule, "missing") {
			if err := os.WriteFile(filepath.Join(dir, KeyFile), []byte(key), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := tt.do(); err != nil {
			t.Fatal(err)
		}
		if l, err := Open(cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			if err == nil {
				l.Close()
			}
			t.Errorf("%s: Open() = %v", tt.rule, err)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestVerifyOfNoLedger(t *testing.T) {
	if _, err := Verify(t.TempDir(), nil, nil, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Verify() = %v, want ErrNotExist", err)
	}
}
