package ledger

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/merkle"
)

// One batch holds at most this: half a memtable or more would take Pebble's
// slow path for large batches.
const (
	maxBatch      = 512
	maxBatchBytes = 1 << 20
)

// maxJump is how far the wall clock may run ahead of the one that is never set.
const maxJump = time.Hour

// sequencer is the state of the one goroutine that writes. Nothing else touches
// it after Open but confirmed and commit, which tests replace before the first
// Append.
type sequencer struct {
	tree  *merkle.Tree
	batch []*pending
	last  int64 // time of the last entry

	wall, uptime time.Duration // the two clocks when last agreed; wall since 1970
	confirmed    atomic.Bool

	commit func(*pebble.Batch) error
}

// run is the sequencer. It ends when Close is called, after what waits has been
// written, or when a batch failed.
func (l *Ledger) run() {
	defer close(l.done)
	for {
		select {
		case p := <-l.queue:
			l.gather(p)
		case <-l.stop:
			select {
			case p := <-l.queue:
				l.gather(p)
			default:
				return
			}
		}
		if len(l.seq.batch) == 0 {
			continue
		}
		if err := l.write(l.seq.batch); err != nil {
			l.end(err)
			return
		}
	}
}

// gather fills seq.batch with first and what else waits.
//
// After a batch the callers that it woke come back with their next entries, but
// only once they get to run. Yielding until a yield brings nothing new lets them
// into this batch: without it batches of one and of all the others alternate,
// and half the syncs are wasted. With one writer it costs a microsecond.
func (l *Ledger) gather(first *pending) {
	batch, bytes := l.seq.batch[:0], 0
	add := func(p *pending) {
		if p.state.CompareAndSwap(waiting, taken) {
			batch = append(batch, p)
			bytes += len(p.value)
		}
	}
	add(first)
	for idle := false; len(batch) < maxBatch && bytes < maxBatchBytes; {
		select {
		case p := <-l.queue:
			add(p)
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
	l.seq.batch = batch
}

// write stamps, hashes, signs and commits batch, then publishes, folds and
// answers. It answers every entry of batch. An error ends the sequencer.
func (l *Ledger) write(batch []*pending) error {
	at, err := l.stamp()
	if err != nil {
		l.answer(batch, err) // it may pass: the sequencer goes on
		return nil
	}
	first := l.seq.tree.Size()
	b, err := l.stage(batch, at)
	if err != nil {
		l.answer(batch, fmt.Errorf("%w: %w", ErrUnavailable, err))
		return err
	}
	defer b.close()

	start := l.cfg.Uptime()
	if err := l.seq.commit(b.Batch); err != nil {
		err = fmt.Errorf("%w: commit entries %d to %d: %w", ErrUnavailable, first, b.head.Size-1, err)
		l.answer(batch, err)
		return err
	}
	l.telemetry.committed(len(batch), l.cfg.Uptime()-start)

	l.head.Store(b.head)
	select {
	case l.grown <- struct{}{}:
	default:
	}
	if l.cfg.Fold != nil {
		for i, p := range batch {
			if err := l.cfg.Fold(p.receipt.Index, at, p.value[p.leaf:], p.rec); err != nil {
				err = fmt.Errorf("%w: fold entry %d: %w", ErrUnavailable, p.receipt.Index, err)
				l.answer(batch[:i], nil)
				l.answer(batch[i:], err)
				return err
			}
		}
	}
	l.answer(batch, nil)
	return nil
}

// A staged is a batch ready to commit, and the head that it makes.
type staged struct {
	*pebble.Batch
	head *head
}

// close gives the batch back to Pebble's pool. A batch whose commit failed may
// still be in use there, and its Close reports that; it is then let go.
func (s staged) close() { _ = s.Batch.Close() }

// What a batch holds beside its entries' values and names, roughly: keys, lengths
// and the name index for each; tiles and the checkpoint once.
const (
	entryRoom = 64
	batchRoom = merkle.TileBytes + 1024
)

// stage grows the tree by batch and lays out all that its commit must keep.
//
// Hot: a leaf is copied once, into Pebble's batch, and hashed where it stands.
func (l *Ledger) stage(batch []*pending, at int64) (staged, error) {
	seq := &l.seq
	// Sized beforehand: a batch of 256 proofs that grew by doubling left 3 MiB of
	// garbage for each that was committed.
	size := batchRoom
	for _, p := range batch {
		size += len(p.value) + len(p.name) + entryRoom
	}
	b := l.db.NewBatchWithSize(size)
	var failed error
	full := func(level int, n uint64, tile *[merkle.TileWidth]merkle.Hash) {
		op := b.SetDeferred(store.TileKeyLen, merkle.TileBytes)
		store.AppendTileKey(op.Key[:0], level, n)
		merkle.AppendTile(op.Value[:0], tile[:])
		if err := op.Finish(); err != nil {
			failed = err
		}
	}
	for _, p := range batch {
		quorum.PutStamp(p.value, p.stamp, at)
		index := seq.tree.Size()
		p.receipt = Receipt{Index: index, At: at, LeafHash: merkle.LeafHash(p.value[p.leaf-1:])}
		seq.tree.Append(p.receipt.LeafHash, full)

		op := b.SetDeferred(store.EntryKeyLen, len(p.value))
		store.AppendEntryKey(op.Key[:0], index)
		copy(op.Value, p.value)
		if err := op.Finish(); err != nil {
			failed = err
		}
		if p.name != "" {
			op := b.SetDeferred(1+len(p.name), 8)
			store.AppendNameKey(op.Key[:0], p.name)
			store.AppendIndex(op.Value[:0], index)
			if err := op.Finish(); err != nil {
				failed = err
			}
		}
	}
	h := &head{
		Checkpoint: Checkpoint{Origin: l.key.Name(), Size: seq.tree.Size(), Root: seq.tree.Root()},
		edge:       seq.tree.Edge(),
	}
	for _, p := range batch {
		p.receipt.Size = h.Size
	}
	var err error
	if h.note, err = h.Sign(l.signers()...); err != nil {
		return staged{}, fmt.Errorf("sign checkpoint of size %d: %w", h.Size, err)
	}
	if err := b.Set(store.AppendCheckpointKey(nil), h.note, nil); err != nil {
		return staged{}, err
	}
	return staged{b, h}, failed
}

// answer wakes the callers of batch, with their receipt or err, and releases
// their names.
func (l *Ledger) answer(batch []*pending, err error) {
	l.names.mu.Lock()
	for _, p := range batch {
		l.names.settleOne(p.name, err == nil)
	}
	l.names.mu.Unlock()
	for _, p := range batch {
		if p.err = err; err != nil {
			p.receipt = Receipt{}
		}
		p.done <- struct{}{} // has room: one send a pending
	}
}

// end notes why no more is taken, answers what still waits, and tells OnFatal.
func (l *Ledger) end(err error) {
	l.refuse(err)
	for {
		select {
		case p := <-l.queue:
			if p.state.CompareAndSwap(waiting, taken) {
				l.answer([]*pending{p}, err)
			}
		default:
			return
		}
	}
}

// refuse makes every later Append fail with err, and calls OnFatal, once.
func (l *Ledger) refuse(err error) {
	l.refusal.CompareAndSwap(nil, &err)
	l.fatal.Do(func() {
		l.log.Error("ledger takes no more entries", "error", err)
		if l.cfg.OnFatal != nil {
			go l.cfg.OnFatal(err)
		}
	})
}

// stamp is the time of the next batch: now, or the last entry's time where the
// clock went back. A clock that jumped ahead would hold the ledger's time there
// for good, so it is refused until it is set right or confirmed.
func (l *Ledger) stamp() (int64, error) {
	seq := &l.seq
	now := l.cfg.Clock()
	wall, uptime := time.Duration(now.UnixNano()), l.cfg.Uptime()
	if seq.confirmed.Swap(false) {
		seq.wall, seq.uptime = wall, uptime
	}
	if jump := (wall - seq.wall) - (uptime - seq.uptime); jump > maxJump {
		return 0, fmt.Errorf("%w: it jumped %s ahead, to %s: set it right, or confirm it", ErrClock, jump.Round(time.Second), now.UTC().Format(time.RFC3339))
	}
	seq.wall, seq.uptime = wall, uptime
	at := max(now.UnixMilli(), seq.last)
	if at < 1e12 || at >= 1e13 { // 13 digits: 2001 to 2286
		return 0, fmt.Errorf("%w: it says %s", ErrClock, now.UTC().Format(time.RFC3339))
	}
	seq.last = at
	return at, nil
}
