package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/merkle"
)

// Defaults of Config.
const (
	DefaultMinFreeDisk = 512 << 20
	// DefaultQueue holds two batches of the most writers measured (256).
	DefaultQueue = 512
)

// Config says how to open a ledger.
type Config struct {
	// Dir is the data folder. The store is in Dir/ledger, the key in
	// Dir/ledger.key, its public half in Dir/ledger.pub.
	Dir string
	// FS is what store and rollback guard lie on; nil is the machine's. The key
	// files are always the machine's.
	FS vfs.FS
	// Origin names the log in its checkpoints, and its key: such as
	// "kaizen.example.com/ledger". Empty takes the name of the key that is there.
	Origin string
	// SigningKey, in note form, is used instead of Dir's key files.
	SigningKey string
	// GuardFile is the rollback guard; empty is Dir/ledger.guard. It serves best
	// where a restored backup of Dir does not bring back an old one.
	GuardFile string

	Clock  func() time.Time     // nil is time.Now
	Uptime func() time.Duration // a clock that is never set, to judge Clock by; nil is the process's
	Logger *slog.Logger         // nil discards
	Meter  metric.Meter         // nil measures nothing

	// MinFreeDisk is the bytes under which new entries are refused; zero is 512
	// MiB. Where FS cannot tell, nothing is refused.
	MinFreeDisk uint64
	// Queue bounds the entries that wait; zero is 512.
	Queue int
	// Witnessed says that somebody gathers cosignatures: what others are shown
	// then follows the head by way of Publish.
	Witnessed bool

	// Fold, if set, is told every entry in order: at Open those from FoldFrom on,
	// with rec nil, then each new one when it is durable and before its Append
	// returns. leaf is valid during the call. Its error ends Open or the
	// sequencer.
	Fold     func(index uint64, at int64, leaf []byte, rec quorum.Record) error
	FoldFrom uint64

	// OnFatal is called once, in a goroutine of its own, when the sequencer has
	// ended for good: the process should, too.
	OnFatal func(error)
}

// A Receipt says that an entry is durable.
type Receipt struct {
	Index    uint64
	At       int64 // its time, UTC milliseconds
	LeafHash merkle.Hash
	Size     uint64 // of the first checkpoint that is over it
}

// A head is what readers see: a tree of one size, its checkpoint and edge. It
// never changes; the sequencer publishes a new one.
type head struct {
	Checkpoint
	note []byte
	edge merkle.Edge
}

// A Ledger is open. Its methods are safe for concurrent use.
type Ledger struct {
	cfg       Config
	fs        vfs.FS
	dir       string // of the store
	guardFile string
	log       *slog.Logger
	db        *store.DB
	key       *key
	next      *key // signs too, while the key is being replaced; else nil
	telemetry *telemetry
	head      atomic.Pointer[head]

	published  atomic.Pointer[published] // nil without witnesses; never ahead of head
	publishing sync.Mutex                // held through a Publish; guards unkept
	unkept     bool                      // the last one could not be written down

	queue   chan *pending
	pool    sync.Pool // of *pending: each holds a buffer of a whole leaf
	refusal atomic.Pointer[error]
	// rolledBack is set at Open: the store is behind the guard, which must stay.
	rolledBack bool
	disk       diskCheck

	names names

	seq sequencer // the sequencer's own

	grown   chan struct{} // to keepGuard: there is a new head
	stop    chan struct{} // closed by Close
	done    chan struct{} // closed when the sequencer has ended
	guarded chan struct{} // closed when the guard has ended
	closing sync.Once
	fatal   sync.Once
	closed  error
}

// Verifier checks what this ledger signs.
func (l *Ledger) Verifier() note.Verifier { return l.key.verifier }

func (l *Ledger) signers() []note.Signer {
	if l.next != nil {
		return []note.Signer{l.key, l.next}
	}
	return []note.Signer{l.key}
}

// VerifierKey is that key in note form, as in ledger.pub.
func (l *Ledger) VerifierKey() string { return l.key.vkey }

// Size is how many entries are durable.
func (l *Ledger) Size() uint64 { return l.head.Load().Size }

// Checkpoint is the latest signed tree head, a note. The bytes are shared: not
// to be changed.
func (l *Ledger) Checkpoint() []byte { return l.head.Load().note }

// Err is why new entries are refused: ErrUnavailable or one of its kinds; nil
// while they are taken.
func (l *Ledger) Err() error {
	if err := l.refusal.Load(); err != nil {
		return *err
	}
	select {
	case <-l.stop:
		return ErrClosed
	default:
	}
	return l.disk.check(l)
}

// Append adds rec and returns when it is durable, in the tree, under a signed
// checkpoint, and folded. name, at most 128 bytes, makes it findable by Lookup;
// it must be new, or empty.
//
// Append obeys ctx. Errors: ErrInvalid, ErrExists, ErrBusy, ErrUncertain, and
// ErrUnavailable with its kinds. Only after ErrUncertain and ErrUnavailable may
// the entry have been kept all the same.
func (l *Ledger) Append(ctx context.Context, name string, rec quorum.Record) (Receipt, error) {
	if err := l.Err(); err != nil {
		return Receipt{}, err
	}
	if ctx.Err() != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrBusy, context.Cause(ctx))
	}
	p := l.pool.Get().(*pending)
	if err := p.encode(name, rec); err != nil {
		l.recycle(p)
		return Receipt{}, err
	}
	if err := l.reserve(name); err != nil {
		l.recycle(p)
		return Receipt{}, err
	}
	select {
	case l.queue <- p:
	default:
		select {
		case l.queue <- p:
		case <-ctx.Done():
			l.names.settle(false, name)
			l.recycle(p)
			return Receipt{}, fmt.Errorf("%w: %d entries wait: %w", ErrBusy, cap(l.queue), context.Cause(ctx))
		case <-l.done:
			l.names.settle(false, name)
			l.recycle(p)
			return Receipt{}, l.ended()
		}
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		if p.state.CompareAndSwap(waiting, abandoned) { // the sequencer drops it
			l.names.settle(false, name)
			return Receipt{}, fmt.Errorf("%w: %w", ErrBusy, context.Cause(ctx))
		}
		select {
		case <-p.done: // it was just then answered
		default:
			return Receipt{}, fmt.Errorf("%w: %w", ErrUncertain, context.Cause(ctx))
		}
	case <-l.done:
		// The sequencer answers all it took before it ends: only what it never
		// saw is still waiting.
		if p.state.CompareAndSwap(waiting, abandoned) {
			l.names.settle(false, name)
			return Receipt{}, l.ended()
		}
		<-p.done
	}
	receipt, err := p.receipt, p.err
	l.recycle(p)
	return receipt, err
}

// ended is why there is no sequencer any more.
func (l *Ledger) ended() error {
	if err := l.refusal.Load(); err != nil {
		return *err
	}
	return ErrClosed
}

func (l *Ledger) recycle(p *pending) {
	p.reset()
	l.pool.Put(p)
}

// Lookup finds the index of the durable entry of that name.
func (l *Ledger) Lookup(name string) (index uint64, ok bool, err error) {
	size := l.Size() // before the read: what Pebble shows beyond it may not be durable
	index, ok, err = l.lookup(name)
	return index, ok && index < size, err
}

func (l *Ledger) lookup(name string) (index uint64, ok bool, err error) {
	if name == "" || len(name) > store.MaxName {
		return 0, false, nil
	}
	var buf [1 + store.MaxName]byte
	value, closer, err := l.db.Get(store.AppendNameKey(buf[:0], name))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, readError(fmt.Sprintf("look up %q", name), err)
	}
	defer closer.Close()
	index, err = store.ParseIndex(value)
	return index, err == nil, err
}

// Entry returns a copy of the leaf at index. Errors: ErrNotFound,
// store.ErrCorrupt.
func (l *Ledger) Entry(index uint64) ([]byte, error) {
	if size := l.Size(); index >= size {
		return nil, fmt.Errorf("%w: entry %d of %d", ErrNotFound, index, size)
	}
	value, closer, err := l.db.Get(store.AppendEntryKey(nil, index))
	if err != nil {
		return nil, readError(fmt.Sprintf("entry %d", index), err)
	}
	defer closer.Close()
	e, err := parseEntry(value)
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", index, err)
	}
	return append([]byte(nil), e.leaf()...), nil
}

// Proof is the receipt of the entry at index, as c2sp.org/tlog-proof@v1 text: under
// the published checkpoint, with its cosignatures, when that covers the entry, else
// under the newest. Every hash in it was checked against the signed root. Errors:
// ErrNotFound, store.ErrCorrupt.
func (l *Ledger) Proof(index uint64) ([]byte, error) { return l.ProofWith(index, nil) }

// ProofWith is Proof with extra data, which nothing in it vouches for.
func (l *Ledger) ProofWith(index uint64, extra []byte) ([]byte, error) {
	shown := l.published.Load() // before the head, which is then not behind it
	h := l.head.Load()
	c, signed := h.Checkpoint, h.note
	if shown != nil && index < shown.Size {
		c, signed = shown.Checkpoint, shown.note
	}
	if index >= c.Size {
		return nil, fmt.Errorf("%w: entry %d of %d", ErrNotFound, index, c.Size)
	}
	// A tile that was unfinished at c's size is cut to what it had then.
	path, err := merkle.Inclusion(index, c.Size, c.Root, l.tilesAt(h))
	if err != nil {
		return nil, fmt.Errorf("%w: proof of entry %d: %w", store.ErrCorrupt, index, err)
	}
	return Proof{Index: index, Extra: extra, Path: path, Checkpoint: signed}.AppendTo(nil), nil
}

// Consistency is the proof that the ledger of old entries is the start of the
// one of size entries. Errors: ErrNotFound, store.ErrCorrupt.
func (l *Ledger) Consistency(old, size uint64) ([]merkle.Hash, error) {
	h := l.head.Load()
	if old == 0 || old > size || size > h.Size {
		return nil, fmt.Errorf("%w: consistency from %d to %d of %d", ErrNotFound, old, size, h.Size)
	}
	root, err := merkle.RootAt(size, h.Size, h.Root, l.tilesAt(h))
	if err == nil {
		var proof []merkle.Hash
		if proof, err = merkle.Consistency(old, size, root, l.tilesAt(h)); err == nil {
			return proof, nil
		}
	}
	return nil, fmt.Errorf("%w: consistency from %d to %d: %w", store.ErrCorrupt, old, size, err)
}

// Tile returns the first width hashes of hash tile n of a level, as C2SP
// tlog-tiles serves them; any width that the current size covers.
// Errors: ErrNotFound, store.ErrCorrupt.
func (l *Ledger) Tile(level int, n uint64, width int) ([]byte, error) {
	return l.at(l.head.Load()).tile(level, n, width)
}

// Bundle returns the first width entries of entry bundle n, each behind its
// length in two bytes, as C2SP tlog-tiles serves them.
// Errors: ErrNotFound, store.ErrCorrupt.
func (l *Ledger) Bundle(n uint64, width int) ([]byte, error) {
	return l.at(l.head.Load()).bundle(n, width)
}

// Read returns the bytes of the resource that p names, of any width that the
// current size covers. Errors: ErrNotFound, store.ErrCorrupt.
func (l *Ledger) Read(p TilePath) ([]byte, error) { return l.at(l.head.Load()).read(p) }

func (l *Ledger) at(h *head) view { return view{l.db, h} }

func (l *Ledger) tilesAt(h *head) merkle.Tiles { return l.at(h).tile }

// Backup copies the ledger's store, without its keys, into the folder dir, which
// must not exist. The copy ends with a published checkpoint. Errors:
// store.ErrFailed, and the file system's.
func (l *Ledger) Backup(dir string) error { return l.db.Backup(dir) }

// ConfirmClock accepts the wall clock as it is, after an ErrClock.
func (l *Ledger) ConfirmClock() { l.seq.confirmed.Store(true) }

// Close takes no more entries, finishes those that wait, and closes the store.
// A second Close does nothing and returns what the first did.
func (l *Ledger) Close() error {
	l.closing.Do(func() {
		close(l.stop)
		<-l.done
		<-l.guarded
		l.closed = errors.Join(l.telemetry.close(), l.db.Close())
	})
	return l.closed
}

// A diskCheck looks at the free disk at most once a second.
type diskCheck struct {
	mu   sync.Mutex
	next time.Duration
	err  error
}

func (d *diskCheck) check(l *Ledger) error {
	now := l.cfg.Uptime()
	d.mu.Lock()
	defer d.mu.Unlock()
	if now < d.next {
		return d.err
	}
	d.next, d.err = now+time.Second, nil
	if usage, err := l.fs.GetDiskUsage(l.dir); err == nil && usage.AvailBytes < l.cfg.MinFreeDisk {
		d.err = fmt.Errorf("%w: %d MiB free, at least %d wanted: free some in %s", ErrDiskFull, usage.AvailBytes>>20, l.cfg.MinFreeDisk>>20, l.dir)
		l.log.Warn("disk nearly full: new entries are refused", "free_bytes", usage.AvailBytes)
	}
	return d.err
}
