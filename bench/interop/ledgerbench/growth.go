package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/kaizen-os/deliberation/bench/load"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/ledger"
)

// A growthPlan is at which sizes one growing ledger is looked at.
type growthPlan struct {
	Sizes  []uint64
	Times  int // how often each thing is done at each size, in a process of its own
	Proofs int
	One    uint64 // entries that one writer appends, to a copy
	Many   uint64 // and many writers, to another
}

var (
	fullGrowth  = growthPlan{Sizes: []uint64{1e4, 1e5, 1e6}, Times: 5, Proofs: 5000, One: 5000, Many: 100_000}
	shortGrowth = growthPlan{Sizes: []uint64{1e4, 3e4}, Times: 2, Proofs: 500, One: 500, Many: 10_000}
)

const (
	hugeSize    = 1e7
	manyWriters = 256
	// bytesEach is what an entry of smallLeaf bytes may take on the disk while
	// Pebble rewrites its tables: measured, 400 are kept.
	bytesEach = 900
)

// A growth is one ledger at several sizes.
type growth struct {
	Leaf  int
	Sizes []sized
}

// A sized is a ledger at one size.
type sized struct {
	Size  uint64
	Built outcome   // from the size before, many writers
	Opens []outcome // and receipts
	One   []outcome // appends to a copy, one writer
	Many  []outcome // and many
	Disk  int64     // bytes
	Shape shape
}

// A shape is what Pebble keeps the ledger in.
type shape struct {
	Tables, TopFiles int64 // all, and those of level 0, which every look-up visits
	TopSublevels     int32
	WAL              uint64 // bytes of log to be replayed at the next open
	Manifest         int64  // bytes
}

// A growthTask is what a child does to a growing ledger.
type growthTask struct {
	Copy    string // a folder to copy the ledger into; nothing else is then done
	Until   uint64 // append until it has so many entries
	More    uint64 // or so many more
	Writers int
	Proofs  int // take so many receipts
}

type growthOutcome struct {
	Size      uint64 // at the end
	Open      time.Duration
	OpenCPU   time.Duration // of the whole process meanwhile
	AfterOpen memory
	Heap      uint64 // live bytes after the open
	ProofP50  time.Duration
	ProofP99  time.Duration
	ProofCPU  time.Duration // of one
	Appended  window
}

// do is a child's part. The ledger is opened by itself, with no fold over it.
func (t growthTask) do(ctx context.Context, dir string, leafBytes int) (g growthOutcome, err error) {
	cpu, err := cpuTime()
	if err != nil {
		return g, err
	}
	begin := time.Now()
	o, err := openOurs(dir, newLeaf(leafBytes))
	if err != nil {
		return g, err
	}
	end, err := cpuTime()
	g.Open, g.OpenCPU = time.Since(begin), end-cpu
	defer func() { err = errors.Join(err, o.Close()) }()
	switch {
	case err != nil:
		return g, err
	case t.Copy != "":
		return g, copyLedger(o.Ledger, dir, t.Copy)
	}
	if g.AfterOpen, err = ownMemory(); err != nil {
		return g, err
	}
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	g.Heap = stats.HeapAlloc
	if t.Proofs > 0 {
		err = g.prove(o.Ledger, t.Proofs)
	} else {
		g.Appended, err = fill(ctx, o, max(t.Until, o.Size()+t.More), t.Writers)
	}
	g.Size = o.Size()
	return g, err
}

// copyLedger copies l and its keys, as a backup does: tables are linked, so it
// takes no room, and what is appended to the copy leaves l as it was.
func copyLedger(l *ledger.Ledger, from, to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	if err := l.Backup(filepath.Join(to, ledger.StoreDir)); err != nil {
		return err
	}
	for _, name := range []string{ledger.KeyFile, ledger.PubFile} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// fill appends until o has size entries, and measures all of it.
func fill(ctx context.Context, o *ours, size uint64, writers int) (w window, err error) {
	first := o.Size()
	var next atomic.Uint64
	next.Store(first)
	cpu, err := cpuTime()
	if err != nil {
		return w, err
	}
	latencies := load.NewLatencies()
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	start := time.Now()
	for range writers {
		wg.Go(func() {
			for failed.Load() == nil {
				i := next.Add(1) - 1
				if i >= size {
					return
				}
				start := time.Now()
				if err := o.Append(ctx, i); err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				latencies.Record(time.Since(start))
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return w, *err
	}
	end, err := cpuTime()
	q := latencies.Quantiles()
	return window{Entries: int64(o.Size() - first), Took: time.Since(start), CPU: end - cpu, Batches: o.batches.Load(), P50: q.P50, P99: q.P99}, err
}

// prove takes the receipts of entries from all over the ledger.
func (g *growthOutcome) prove(l *ledger.Ledger, n int) error {
	random := rand.New(rand.NewPCG(1, l.Size()))
	latencies := load.NewLatencies()
	cpu, err := cpuTime()
	if err != nil {
		return err
	}
	for range n {
		index := random.Uint64N(l.Size())
		start := time.Now()
		if _, err := l.Proof(index); err != nil {
			return err
		}
		latencies.Record(time.Since(start))
	}
	end, err := cpuTime()
	q := latencies.Quantiles()
	g.ProofP50, g.ProofP99, g.ProofCPU = q.P50, q.P99, (end-cpu)/time.Duration(max(n, 1))
	return err
}

// growth grows one ledger and looks at it at each size of the plan.
func (r *runner) growth(ctx context.Context, p growthPlan) (*growth, error) {
	largest := slices.Max(p.Sizes)
	if err := wantFree(r.dir, int64(largest)*bytesEach+1<<30, fmt.Sprintf("a ledger of %d entries", largest)); err != nil {
		return nil, err
	}
	dir := filepath.Join(r.dir, "growth")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	g := &growth{Leaf: newLeaf(smallLeaf).size()}
	for _, size := range p.Sizes {
		fmt.Fprintf(r.progress, "growing to %d entries\n", size)
		s, err := r.sized(ctx, p, dir, size)
		if err != nil {
			return nil, err
		}
		g.Sizes = append(g.Sizes, s)
	}
	return g, nil
}

// sized fills the ledger in dir to size and looks at it there.
func (r *runner) sized(ctx context.Context, p growthPlan, dir string, size uint64) (s sized, err error) {
	s.Size = size
	do := func(dir string, t growthTask) (outcome, error) {
		return start(ctx, task{Dir: dir, Leaf: smallLeaf, Writers: t.Writers, Growth: t})
	}
	if s.Built, err = do(dir, growthTask{Until: size, Writers: manyWriters}); err != nil {
		return s, err
	}
	if s.Disk, err = diskUse(dir); err != nil {
		return s, err
	}
	for range p.Times {
		out, err := do(dir, growthTask{Proofs: p.Proofs})
		if err != nil {
			return s, err
		}
		s.Opens = append(s.Opens, out)
	}
	if s.Shape, err = shapeOf(dir); err != nil {
		return s, err
	}
	for range p.Times {
		for _, part := range []struct {
			writers int
			more    uint64
			into    *[]outcome
		}{{1, p.One, &s.One}, {manyWriters, p.Many, &s.Many}} {
			out, err := r.onCopy(dir, do, growthTask{More: part.more, Writers: part.writers})
			if err != nil {
				return s, err
			}
			*part.into = append(*part.into, out)
		}
	}
	return s, nil
}

// onCopy does t to a copy of the ledger in dir.
func (r *runner) onCopy(dir string, do func(string, growthTask) (outcome, error), t growthTask) (outcome, error) {
	folder := filepath.Join(r.dir, "copy")
	defer os.RemoveAll(folder)
	if _, err := do(dir, growthTask{Copy: folder}); err != nil {
		return outcome{}, err
	}
	syscall.Sync()
	return do(folder, t)
}

// shapeOf looks at the ledger's Pebble, which nobody may hold open.
func shapeOf(dir string) (s shape, err error) {
	folder := filepath.Join(dir, ledger.StoreDir)
	manifests, err := filepath.Glob(filepath.Join(folder, "MANIFEST-*"))
	if err != nil {
		return s, err
	}
	for _, path := range manifests {
		info, err := os.Stat(path)
		if err != nil {
			return s, err
		}
		s.Manifest += info.Size()
	}
	db, err := store.Open(folder, store.Options{ReadOnly: true})
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	m := db.Metrics()
	for _, level := range m.Levels {
		s.Tables += level.TablesCount
	}
	s.TopFiles, s.TopSublevels, s.WAL = m.Levels[0].TablesCount, m.Levels[0].Sublevels, m.WAL.Size
	return s, nil
}
