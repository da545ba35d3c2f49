package main

import (
	"context"
	"crypto/rand"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/kaizen-os/deliberation/store"
)

// As our sequencer gathers: so many entries or bytes to a batch at most, and so
// many that wait.
const (
	maxBatch      = 512
	maxBatchBytes = 1 << 20
	queued        = 512
)

// A floor is what our ledger is held against: the same bytes into the same
// Pebble by one writer, which gathers what waits and syncs it in one batch.
// Nothing is encoded, hashed, signed or found again.
type floor struct {
	db      *store.DB
	value   []byte
	queue   chan *floorWrite
	pool    sync.Pool
	batches atomic.Uint64
	done    chan struct{}
	failed  atomic.Pointer[error]
}

type floorWrite struct{ done chan struct{} }

func openFloor(dir string, size int) (*floor, error) {
	db, err := store.Open(dir, store.Options{})
	if err != nil {
		return nil, err
	}
	f := &floor{db: db, value: make([]byte, size), queue: make(chan *floorWrite, queued), done: make(chan struct{})}
	rand.Read(f.value)
	f.pool.New = func() any { return &floorWrite{make(chan struct{}, 1)} }
	go f.run()
	return f, nil
}

var errFloor = errors.New("the floor's commit failed")

func (f *floor) Append(ctx context.Context, _ uint64) error {
	w := f.pool.Get().(*floorWrite)
	select {
	case f.queue <- w:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	<-w.done
	f.pool.Put(w)
	if err := f.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (f *floor) run() {
	defer close(f.done)
	var index uint64
	var batch []*floorWrite
	for first := range f.queue {
		batch = f.gather(batch[:0], first)
		if err := f.commit(index, len(batch)); err != nil {
			err = errors.Join(errFloor, err)
			f.failed.CompareAndSwap(nil, &err)
		}
		index += uint64(len(batch))
		f.batches.Add(1)
		for _, w := range batch {
			w.done <- struct{}{}
		}
	}
}

// gather takes what waits, yielding until that brings nothing new: those whom
// the last batch woke are then in this one.
func (f *floor) gather(batch []*floorWrite, first *floorWrite) []*floorWrite {
	batch = append(batch, first)
	for idle := false; len(batch) < maxBatch && len(batch)*len(f.value) < maxBatchBytes; {
		select {
		case w, ok := <-f.queue:
			if !ok {
				return batch
			}
			batch = append(batch, w)
			idle = false
			continue
		default:
		}
		if idle {
			break
		}
		idle = true
		runtime.Gosched()
	}
	return batch
}

func (f *floor) commit(index uint64, n int) error {
	b := f.db.NewBatchWithSize(n*(len(f.value)+32) + 64)
	defer b.Close()
	for i := range uint64(n) {
		op := b.SetDeferred(store.EntryKeyLen, len(f.value))
		store.AppendEntryKey(op.Key[:0], index+i)
		copy(op.Value, f.value)
		if err := op.Finish(); err != nil {
			return err
		}
	}
	return f.db.Commit(b)
}

func (f *floor) Batches() (uint64, error) { return f.batches.Load(), nil }

func (f *floor) Close() error {
	close(f.queue)
	<-f.done
	return f.db.Close()
}
