package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/merkle"
)

// crashTrials is how many trials of each kind are run: a few, or more if
// KAIZEN_CRASH_TRIALS says so ("make crash").
func crashTrials(t testing.TB, few int) int {
	t.Helper()
	text := os.Getenv("KAIZEN_CRASH_TRIALS")
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("KAIZEN_CRASH_TRIALS is %q, want a number of trials", text)
	}
	return max(n, few)
}

// promises is what a ledger has said to anyone: the receipts it gave and the
// checkpoints it showed.
type promises struct {
	mu    sync.Mutex // guards the rest
	kept  map[uint64]promise
	heads map[uint64]merkle.Hash // root by size
	wrong error                  // two promises that contradict each other
}

type promise struct {
	Receipt
	text string
}

func newPromises() *promises {
	return &promises{kept: map[uint64]promise{}, heads: map[uint64]merkle.Hash{}}
}

func (p *promises) receipt(r Receipt, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if other, twice := p.kept[r.Index]; twice && p.wrong == nil {
		p.wrong = fmt.Errorf("entry %d was promised to two: %.40q and %.40q", r.Index, other.text, text)
	}
	p.kept[r.Index] = promise{r, text}
}

// head notes the checkpoint that l shows.
func (p *promises) head(l *Ledger) {
	h := l.head.Load()
	p.mu.Lock()
	defer p.mu.Unlock()
	if root, known := p.heads[h.Size]; known && root != h.Root && p.wrong == nil {
		p.wrong = fmt.Errorf("two checkpoints of size %d were shown", h.Size)
	}
	p.heads[h.Size] = h.Root
}

// sofar is a copy of p as it is now.
func (p *promises) sofar() *promises {
	now := newPromises()
	p.mu.Lock()
	defer p.mu.Unlock()
	for index, kept := range p.kept {
		now.kept[index] = kept
	}
	for size, root := range p.heads {
		now.heads[size] = root
	}
	now.wrong = p.wrong
	return now
}

// broken says which promise l, reopened, does not keep.
func (p *promises) broken(l *Ledger) error {
	if p.wrong != nil {
		return p.wrong
	}
	if err := l.Err(); err != nil {
		return err // such as a guard that is ahead
	}
	for index, promised := range p.kept {
		leaf, err := l.Entry(index)
		if err != nil {
			return err
		}
		if merkle.Hash(quorum.LeafHash(leaf)) != promised.LeafHash || !strings.Contains(string(leaf), `"`+promised.text+`"`) {
			return fmt.Errorf("entry %d is not what was acknowledged", index)
		}
		if promised.Size > l.Size() {
			return fmt.Errorf("entry %d was acknowledged under a checkpoint of size %d; now it is %d", index, promised.Size, l.Size())
		}
	}
	now := l.head.Load()
	for size, root := range p.heads {
		if size > now.Size {
			return fmt.Errorf("a checkpoint of size %d was shown; now it is %d", size, now.Size)
		}
		if size == 0 {
			continue
		}
		path, err := l.Consistency(size, now.Size)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(path, int64(now.Size), now.Root, int64(size), root); err != nil {
			return fmt.Errorf("the checkpoint of size %d does not follow from the one shown of size %d: %w", now.Size, size, err)
		}
	}
	return nil
}

// How a life ends, at some operation on the files.
type ending struct {
	step    string // before an operation of this kind, see stepOf; "" is of any
	at      int64  // and the at-th of them; 0 is when all is written
	killed  bool   // the process alone: nothing that was written is lost as yet
	percent int    // of what was not synced that survives the machine's end
}

// A life is one process's: a ledger open on a file system, until a crash.
type life struct {
	end      ending
	mem      *vfs.MemFS
	fs       *hookFS
	rng      *rand.Rand // crash's
	ops      atomic.Int64
	ledger   atomic.Pointer[Ledger]
	promises *promises

	once     sync.Once
	crashed  atomic.Bool
	where    string // the operation at which it crashed
	promised *promises
	left     remains
	clone    *vfs.MemFS
}

func newLife(mem *vfs.MemFS, end ending, seed uint64, p *promises) *life {
	v := &life{end: end, mem: mem, rng: rand.New(rand.NewPCG(seed, 0)), promises: p}
	v.fs = newHookFS(mem, func(op errorfs.Op, do func() error) error {
		step := stepOf(op)
		if (v.end.step == "" || v.end.step == step) && v.ops.Add(1) == v.end.at {
			v.crash(step)
		}
		return do()
	})
	return v
}

// crash takes what has been promised up to now, and then what is left: all of
// the one must be in the other.
func (v *life) crash(where string) {
	v.once.Do(func() {
		if l := v.ledger.Load(); l != nil {
			v.promises.head(l)
		}
		v.promised, v.where = v.promises.sofar(), where
		if v.end.killed {
			v.left = v.fs.remain(v.mem)
		} else {
			v.clone = v.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: v.end.percent, RNG: v.rng})
		}
		v.crashed.Store(true)
	})
}

// next is the file system that the next life finds.
func (v *life) next(t testing.TB) *vfs.MemFS {
	if v.end.killed {
		return v.left.files(t)
	}
	return v.clone
}

// text is an entry's: half of them short, some of a usual proof's size, and some
// of just about the most that fits a leaf.
func randomText(rng *rand.Rand, id string) string {
	longest := quorum.MaxLeaf - len(`{"at":"0000000000000","fact":""}`)
	var n int
	switch rng.IntN(10) {
	default:
		n = rng.IntN(300)
	case 0, 1, 2:
		n = 2000 + rng.IntN(8000)
	case 3, 4:
		n = longest - rng.IntN(60)
	}
	n = max(n, len(id))
	return id + strings.Repeat("x", n-len(id))
}

// run appends from eight goroutines until enough bytes are written or there is
// a crash.
func (v *life) run(t testing.TB, l *Ledger, name string, enough int64, seed uint64) {
	var written atomic.Int64
	var half sync.Once
	var wg sync.WaitGroup
	for w := range 8 {
		rng := rand.New(rand.NewPCG(seed, uint64(w)))
		wg.Go(func() {
			for i := 0; written.Load() < enough && !v.crashed.Load(); i++ {
				id := fmt.Sprintf("%s.%d.%d", name, w, i)
				text := randomText(rng, id)
				entryName := ""
				if rng.IntN(2) == 0 {
					entryName = fmt.Sprintf("%d %s", rng.IntN(1000), id) // in no order: names' tables overlap
				}
				r, err := l.Append(context.Background(), entryName, fact(text))
				if err != nil {
					t.Error(err)
					return
				}
				v.promises.receipt(r, text)
				v.promises.head(l)
				if written.Add(int64(len(text))) > enough/2 {
					half.Do(func() { // so little data would not make Pebble compact by itself
						if err := l.db.Compact(context.Background(), []byte{0}, []byte{0xff}, false); err != nil {
							t.Error(err)
						}
					})
				}
			}
		})
	}
	wg.Wait()
}

// coverage counts at what kinds of operation the trials' crashes came, and what
// Pebble had to do meanwhile.
type coverage struct {
	mu                   sync.Mutex // guards the rest
	crashes              map[string]int
	flushes, compactions int64
}

func (c *coverage) note(v *life, l *Ledger) {
	if c == nil {
		return
	}
	m := l.db.Metrics()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.crashes[v.where]++
	c.flushes += m.Flush.Count
	c.compactions += m.Compact.Count
}

var rareSteps = []string{
	"sync log", "create log", "reuse log", "rename log", "remove log",
	"create sst", "sync sst", "remove sst", "create MANIFEST", "write MANIFEST", "sync MANIFEST",
	"create marker", "remove marker", "rename dbtmp", "sync store", "sync data",
	"create guard", "write guard", "sync guard", "rename guard",
}

// A trial lives some lives, each on what the crash of the last one left.
type trial struct {
	seed    uint64
	percent int           // see ending
	steps   []string      // if any, the lives end at these only
	spoil   func(*Ledger) // if set, is what makes the ledger a bad one
	large   bool          // lives may be several times as long
	seen    *coverage     // nil counts nothing
}

// run says which promise was broken.
func (trial trial) run(t testing.TB) error {
	t.Helper()
	rng := rand.New(rand.NewPCG(trial.seed, uint64(trial.percent)))
	mem := vfs.NewCrashableMem()
	promised := newPromises()
	const lives = 3
	for i := range lives {
		end := ending{percent: trial.percent, killed: i+1 < lives && rng.IntN(4) == 0}
		switch kind := rng.IntN(8); {
		case len(trial.steps) > 0:
			end.step, end.at = trial.steps[rng.IntN(len(trial.steps))], 1+rng.Int64N(20)
		case kind < 2:
			end.at = 1 + rng.Int64N(60) // about what Open does
		case kind < 4:
			end.at = 1 + rng.Int64N(600)
		case kind < 7: // a step that is rare among them
			end.step, end.at = rareSteps[rng.IntN(len(rareSteps))], 1+rng.Int64N(6)
		}
		v := newLife(mem, end, rng.Uint64(), promised)
		cfg := config(v.fs)
		cfg.GuardFile = "guard"
		l, err := Open(cfg)
		if err != nil {
			return fmt.Errorf("life %d: %w", i, err)
		}
		if err := promised.broken(l); err != nil {
			l.Close()
			return fmt.Errorf("life %d: %w", i, err)
		}
		v.ledger.Store(l)
		if trial.spoil != nil {
			trial.spoil(l)
		}
		enough := 1<<19 + rng.Int64N(2<<20)
		if trial.large && rng.IntN(8) == 0 {
			enough += 10 << 20 // logs are used again
		}
		v.run(t, l, strconv.Itoa(i), enough, rng.Uint64())
		v.crash("at rest")
		trial.seen.note(v, l)
		if err := l.Close(); err != nil {
			return err
		}
		mem, promised = v.next(t), v.promised
	}

	cfg := config(mem)
	cfg.GuardFile = "guard"
	l, err := Open(cfg)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := promised.broken(l); err != nil {
		return err
	}
	checkLedger(t, l, l.Size())
	add(t, l, "", "life goes on")
	size := l.Size()
	checkLedger(t, l, size)
	if err := l.Close(); err != nil {
		return err
	}
	if c, err := Verify("data", mem, l.Verifier(), nil); err != nil || c.Size != size {
		return fmt.Errorf("Verify() = %d, %v; want %d", c.Size, err, size)
	}
	return nil
}

func TestCrashLosesNothingAcknowledged(t *testing.T) {
	seen := &coverage{crashes: map[string]int{}}
	const few = 2
	trials := crashTrials(t, few)
	for _, percent := range []int{0, 50, 100} {
		t.Run(fmt.Sprintf("percent=%d", percent), func(t *testing.T) {
			for seed := range uint64(trials) {
				if err := (trial{seed: seed, percent: percent, large: trials > few, seen: seen}).run(t); err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
			}
		})
	}
	if seen.flushes == 0 || seen.compactions == 0 {
		t.Errorf("there were %d flushes and %d compactions: the trials are too small", seen.flushes, seen.compactions)
	}
	kinds := make([]string, 0, len(seen.crashes))
	for kind := range seen.crashes {
		kinds = append(kinds, kind)
	}
	slices.SortFunc(kinds, func(a, b string) int { return cmp.Compare(seen.crashes[b], seen.crashes[a]) })
	t.Logf("%d flushes, %d compactions", seen.flushes, seen.compactions)
	for _, kind := range kinds {
		t.Logf("%4d crashes: %s", seen.crashes[kind], kind)
	}
}

// Open of a new ledger and of one with entries in its log, ended at every one of
// its operations, each time with other halves of what was not synced: the folder's
// names among that, in any order.
func TestCrashAnywhereInOpen(t *testing.T) {
	for _, entries := range []int{0, 40} {
		mem := vfs.NewCrashableMem()
		p := newPromises()
		if entries > 0 {
			l := open(t, config(mem))
			appendAll(t, l, p, entries/8, 10_000)
			must(t, l.Close())
		}
		for trial := range crashTrials(t, 3) {
			rng := rand.New(rand.NewPCG(uint64(entries), uint64(trial)))
			left := crashOpen(t, mem.CrashClone(vfs.CrashCloneCfg{}), rng)
			if len(left) < 30 {
				t.Errorf("%d crashes only", len(left))
			}
			for i, left := range left {
				l, err := Open(config(left.fs))
				if err != nil {
					t.Errorf("%d entries, trial %d, crash %d, before %s: %v", entries, trial, i, left.step, err)
					continue
				}
				if err := p.broken(l); err != nil {
					t.Errorf("%d entries, trial %d, crash %d, before %s: %v", entries, trial, i, left.step, err)
				}
				must(t, l.Close())
			}
		}
	}
}

// A crashed is what a crash before that step has left.
type crashed struct {
	step string
	fs   *vfs.MemFS
}

// crashOpen opens the ledger on mem and closes it, and is what is left if it
// crashes at each of its operations instead.
func crashOpen(t *testing.T, mem *vfs.MemFS, rng *rand.Rand) (left []crashed) {
	t.Helper()
	var mu sync.Mutex // guards rng and left
	l, err := Open(config(newHookFS(mem, func(op errorfs.Op, do func() error) error {
		mu.Lock()
		left = append(left, crashed{stepOf(op), mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})})
		mu.Unlock()
		return do()
	})))
	must(t, err)
	must(t, l.Close())
	return left
}

// The crash test is worth something only if it fails for a ledger that promises
// too early. Each mutation of one must be noticed within these many trials.
const mutationTrials = 8

func TestCrashTestNoticesALedgerThatPromisesTooEarly(t *testing.T) {
	for mutation, spoil := range map[string]func(*Ledger){
		"it does not sync": func(l *Ledger) {
			l.seq.commit = func(b *pebble.Batch) error { return b.Commit(pebble.NoSync) }
		},
		"it answers its callers before the commit": func(l *Ledger) {
			commit := l.seq.commit
			var next *pebble.Batch // answered, and committed with the one after
			l.seq.commit = func(b *pebble.Batch) error {
				late := next
				next = l.db.NewBatch()
				if err := next.Apply(b, nil); err != nil || late == nil {
					return err
				}
				defer late.Close()
				return commit(late)
			}
		},
		"it shows its checkpoint before the commit": func(l *Ledger) {
			commit := l.seq.commit
			l.seq.commit = func(b *pebble.Batch) error {
				signed, err := checkpointIn(b)
				if err != nil {
					return err
				}
				c, err := ParseCheckpoint(signed, l.Verifier())
				if err != nil {
					return err
				}
				l.head.Store(&head{Checkpoint: c, note: signed, edge: l.seq.tree.Edge()})
				return commit(b)
			}
		},
	} {
		t.Run(mutation, func(t *testing.T) {
			for seed := range uint64(mutationTrials) {
				if err := (trial{seed: seed, steps: []string{"write log", "sync log"}, spoil: spoil}).run(t); err != nil {
					t.Logf("trial %d: %v", seed, err)
					return
				}
			}
			t.Errorf("none of %d trials noticed", mutationTrials)
		})
	}
}

// checkpointIn finds the checkpoint that b is to store.
func checkpointIn(b *pebble.Batch) ([]byte, error) {
	for r := b.Reader(); ; {
		_, key, value, ok, err := r.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, errors.New("the batch has no checkpoint")
		}
		if string(key) == string(store.AppendCheckpointKey(nil)) {
			return slices.Clone(value), nil
		}
	}
}
