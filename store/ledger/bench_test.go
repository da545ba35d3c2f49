package ledger

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/kaizen-os/deliberation/store"
)

// leafText makes a leaf of about 3 KB, a usual proof's.
var leafText = strings.Repeat("0123456789abcdef", 3000/16)

// fromWriters runs b.N calls of do from that many goroutines, and reports the
// process's CPU time a call beside the usual figures.
func fromWriters(b *testing.B, writers int, do func(i int) error) {
	b.ReportAllocs()
	var before, after syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
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
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	b.ReportMetric(float64(cpu.Microseconds())/float64(i), "cpu-µs/op")
}

func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			l, err := Open(Config{Dir: b.TempDir(), Origin: origin, MinFreeDisk: 1})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			commits := 0
			commit := l.seq.commit
			l.seq.commit = func(batch *pebble.Batch) error { commits++; return commit(batch) }
			fromWriters(b, writers, func(i int) error {
				_, err := l.Append(context.Background(), fmt.Sprintf("dlb_%020d", i), fact(leafText))
				return err
			})
			b.ReportMetric(float64(l.Size())/float64(commits), "entries/sync")
		})
	}
}

// BenchmarkRawPebble is the floor: the same bytes in synced batches, gathered
// the same way, and nothing else.
func BenchmarkRawPebble(b *testing.B) {
	for _, writers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			db, err := store.Open(b.TempDir(), store.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			value := make([]byte, len(leafText)+60)
			rand.Read(value[:8])
			copy(value[8:], leafText)
			l := &Ledger{queue: make(chan *pending, DefaultQueue)}
			done := make(chan struct{})
			commits, index := 0, uint64(0)
			go func() {
				defer close(done)
				for p := range l.queue {
					l.gather(p)
					batch := db.NewBatch()
					for range l.seq.batch {
						op := batch.SetDeferred(store.EntryKeyLen, len(value))
						store.AppendEntryKey(op.Key[:0], index)
						copy(op.Value, value)
						if err := op.Finish(); err != nil {
							b.Error(err)
						}
						index++
					}
					if err := db.Commit(batch); err != nil {
						b.Error(err)
					}
					commits++
					batch.Close()
					for _, p := range l.seq.batch {
						p.done <- struct{}{}
					}
				}
			}()
			pool := sync.Pool{New: func() any { return &pending{done: make(chan struct{}, 1)} }}
			fromWriters(b, writers, func(int) error {
				p := pool.Get().(*pending)
				p.state.Store(waiting)
				p.value = value
				l.queue <- p
				<-p.done
				pool.Put(p)
				return nil
			})
			close(l.queue)
			<-done
			b.ReportMetric(float64(index)/float64(commits), "entries/sync")
		})
	}
}

func BenchmarkProof(b *testing.B) {
	l, err := Open(Config{Dir: b.TempDir(), Origin: origin, MinFreeDisk: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	addMany(b, l, 20_000)
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		if _, err := l.Proof(i * 7 % 20_000); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	l, err := Open(Config{Dir: dir, Origin: origin, MinFreeDisk: 1})
	if err != nil {
		b.Fatal(err)
	}
	addMany(b, l, 20_000)
	l.Close()
	for b.Loop() {
		if _, err := Verify(dir, nil, l.Verifier(), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20_000, "ns/entry")
}
