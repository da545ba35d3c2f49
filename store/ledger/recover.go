package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/merkle"
)

// Open opens the ledger in cfg.Dir, making it if there is none, and starts its
// sequencer.
//
// It rebuilds the tree's edge from the stored entries and tiles and refuses the
// store when their root is not the one that was signed. A store behind the
// rollback guard is opened for reading: Append then fails with ErrRolledBack.
//
// Errors: store.ErrLocked, store.ErrCorrupt, and Fold's.
func Open(cfg Config) (*Ledger, error) {
	l, err := prepare(cfg)
	if err != nil {
		return nil, err
	}
	if err := l.restore(); err != nil {
		return nil, errors.Join(err, l.db.Close())
	}
	if l.telemetry, err = newTelemetry(l.cfg.Meter, l); err != nil {
		return nil, errors.Join(err, l.db.Close())
	}
	if err := l.signWithNext(); err != nil {
		return nil, errors.Join(err, l.telemetry.close(), l.db.Close())
	}
	go l.run()
	go l.keepGuard()
	return l, nil
}

// prepare opens the files and fills in the defaults.
func prepare(cfg Config) (*Ledger, error) {
	if cfg.Dir == "" {
		return nil, errors.New("ledger: Config.Dir is required")
	}
	if cfg.FS == nil {
		cfg.FS = vfs.Default
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Uptime == nil {
		start := time.Now()
		cfg.Uptime = func() time.Duration { return time.Since(start) }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.MinFreeDisk == 0 {
		cfg.MinFreeDisk = DefaultMinFreeDisk
	}
	if cfg.Queue == 0 {
		cfg.Queue = DefaultQueue
	}
	if cfg.GuardFile == "" {
		cfg.GuardFile = cfg.FS.PathJoin(cfg.Dir, GuardFile)
	}
	l := &Ledger{
		cfg:       cfg,
		fs:        cfg.FS,
		dir:       cfg.FS.PathJoin(cfg.Dir, StoreDir),
		guardFile: cfg.GuardFile,
		log:       cfg.Logger,
		queue:     make(chan *pending, cfg.Queue),
		grown:     make(chan struct{}, 1),
		stop:      make(chan struct{}),
		done:      make(chan struct{}),
		guarded:   make(chan struct{}),
	}
	l.pool.New = func() any { return &pending{done: make(chan struct{}, 1)} }
	var err error
	l.db, err = store.Open(l.dir, store.Options{FS: cfg.FS, Logger: cfg.Logger, Serial: true, OnFatal: func(err error) {
		l.refuse(fmt.Errorf("%w: %w", ErrUnavailable, err))
	}})
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	l.seq.commit = l.db.Commit
	l.seq.wall, l.seq.uptime = time.Duration(cfg.Clock().UnixNano()), cfg.Uptime()
	return l, nil
}

// restore brings the ledger to the state the store is in.
func (l *Ledger) restore() error {
	signed, err := readCheckpoint(l.db)
	if err != nil {
		return err
	}
	if err := l.unlock(signed == nil); err != nil {
		return err
	}
	if signed == nil {
		if err := l.begin(); err != nil {
			return err
		}
	} else if err := l.resume(signed); err != nil {
		return fmt.Errorf("open ledger %s: %w", l.dir, err)
	}
	if err := errors.Join(l.checkGuard(), l.names.load(l.db)); err != nil {
		return err
	}
	if l.cfg.Witnessed {
		l.restorePublished()
	}
	if l.cfg.Fold == nil {
		return nil
	}
	return eachEntry(l.db, l.cfg.FoldFrom, l.Size(), func(index uint64, e stored) error {
		if err := l.cfg.Fold(index, e.at, e.leaf(), nil); err != nil {
			return fmt.Errorf("fold entry %d: %w", index, err)
		}
		return nil
	})
}

// unlock finds the signing key; one is made for a fresh store only.
func (l *Ledger) unlock(fresh bool) (err error) {
	if l.cfg.SigningKey != "" {
		l.key, err = parseKey(l.cfg.SigningKey)
		if err == nil && l.cfg.Origin != "" && l.cfg.Origin != l.key.Name() {
			err = fmt.Errorf("it is %q's, the ledger is %q", l.key.Name(), l.cfg.Origin)
		}
		if err != nil {
			return fmt.Errorf("ledger signing key: %w", err)
		}
		return nil
	}
	l.key, err = loadKey(l.cfg.Dir, l.cfg.Origin, fresh)
	if errors.Is(err, fs.ErrNotExist) && !fresh {
		return fmt.Errorf("the store in %s was signed, but its key %s is gone: put it back (%w)", l.dir, filepath.Join(l.cfg.Dir, KeyFile), err)
	}
	return err
}

// begin signs the empty tree, so that there is a checkpoint from the start.
func (l *Ledger) begin() error {
	iter, err := l.db.NewIter(&pebble.IterOptions{})
	if err != nil {
		return readError("first key", err)
	}
	found := iter.First()
	if err := errors.Join(iter.Error(), iter.Close()); err != nil {
		return readError("first key", err)
	}
	if found {
		return fmt.Errorf("%w: %s holds keys but no checkpoint", store.ErrCorrupt, l.dir)
	}
	l.seq.tree = new(merkle.Tree)
	b, err := l.stage(nil, 0)
	if err != nil {
		return err
	}
	defer b.close()
	if err := l.db.Commit(b.Batch); err != nil {
		return fmt.Errorf("%w: commit the first checkpoint: %w", ErrUnavailable, err)
	}
	l.head.Store(b.head)
	return nil
}

// resume rebuilds the tree and holds it against the signed checkpoint.
func (l *Ledger) resume(signed []byte) error {
	c, err := ParseCheckpoint(signed, l.key.verifier)
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	}
	if l.seq.tree, err = resumeTree(l.db, c); err != nil {
		return err
	}
	if c.Size > 0 {
		err := eachEntry(l.db, c.Size-1, c.Size, func(_ uint64, e stored) error {
			l.seq.last = e.at
			return nil
		})
		if err != nil {
			return err
		}
	}
	switch _, closer, err := l.db.Get(store.AppendEntryKey(nil, c.Size)); {
	case err == nil:
		closer.Close()
		return fmt.Errorf("%w: entry %d is beyond the signed size %d", store.ErrCorrupt, c.Size, c.Size)
	case !errors.Is(err, pebble.ErrNotFound):
		return readError(fmt.Sprintf("entry %d", c.Size), err)
	}
	l.head.Store(&head{Checkpoint: c, note: signed, edge: l.seq.tree.Edge()})
	return nil
}

// resumeTree rebuilds the tree that c was signed over and holds it against c.
func resumeTree(db *store.DB, c Checkpoint) (*merkle.Tree, error) {
	tree, err := merkle.Resume(c.Size, func(index uint64) (merkle.Hash, error) {
		value, closer, err := db.Get(store.AppendEntryKey(nil, index))
		if err != nil {
			return merkle.Hash{}, readError(fmt.Sprintf("entry %d", index), err)
		}
		defer closer.Close()
		e, err := parseEntry(value)
		if err != nil {
			return merkle.Hash{}, fmt.Errorf("entry %d: %w", index, err)
		}
		return merkle.LeafHash(e.prefixed), nil
	}, func(level int, n uint64) ([]merkle.Hash, error) {
		data, err := readTile(db, level, n)
		if err != nil {
			return nil, err
		}
		return merkle.ParseTile(data, merkle.TileWidth)
	})
	if err != nil {
		return nil, err
	}
	if root := tree.Root(); root != c.Root {
		return nil, fmt.Errorf("%w: its entries up to %d give the root %s, signed was %s", store.ErrCorrupt, c.Size, root, c.Root)
	}
	return tree, checkNewest(db, c.Size)
}

// checkNewest wants the newest entries without a gap, back over as many bytes as
// may have been in the logs alone.
//
// A manifest that was cut off is one of an older store: Pebble then opens what it
// lists, and replays what logs there are. Those between, whose tables it does not
// know, have been removed; what was in them, entries and names, is missing just
// before what the oldest log left holds. Cost: as much is read at any size.
func checkNewest(db *store.DB, size uint64) (err error) {
	keys := store.Entries()
	iter, err := db.NewIter(&pebble.IterOptions{LowerBound: keys.Lower, UpperBound: store.EntriesFrom(size).Lower})
	if err != nil {
		return readError("newest entries", err)
	}
	defer func() {
		if closed := iter.Close(); err == nil && closed != nil { // it tells again what went wrong before
			err = readError("newest entries", closed)
		}
	}()
	read, want := 0, size
	for ok := iter.Last(); ok && read < store.UnflushedBytes; ok = iter.Prev() {
		index, err := store.ParseEntryKey(iter.Key())
		if err != nil {
			return err
		}
		if want--; index != want {
			return fmt.Errorf("%w: entry %d is missing, and %d is there: the manifest may be older than the logs", store.ErrCorrupt, want, want+1)
		}
		value, err := iter.ValueAndErr()
		if err != nil {
			return readError(fmt.Sprintf("entry %d", index), err)
		}
		read += len(value)
	}
	if err := iter.Error(); err != nil {
		return readError(fmt.Sprintf("entry before %d", want), err)
	}
	if want > 0 && read < store.UnflushedBytes {
		return fmt.Errorf("%w: entry %d is missing, and all before it", store.ErrCorrupt, want-1)
	}
	return nil
}

// checkGuard compares the store with the last head known to have been signed.
// A store behind it may be read. One that differs from it is another history,
// and is refused.
func (l *Ledger) checkGuard() error {
	guard, ok, err := readGuard(l.fs, l.guardFile, l.key.verifier)
	if err != nil || !ok {
		return err
	}
	h := l.head.Load()
	if guard.Size > h.Size {
		err := fmt.Errorf("%w: it has %d entries, %d were signed: restore a copy of %s that has them all; "+
			"if there is none, start a new ledger in another folder, with a new key. "+
			"(Removing %s makes this one sign again, and it will then contradict the receipts given for entries %d to %d.)",
			ErrRolledBack, h.Size, guard.Size, l.dir, l.guardFile, h.Size, guard.Size-1)
		l.rolledBack = true
		l.refusal.Store(&err)
		l.log.Error("ledger is read-only", "error", err)
		return nil
	}
	root, err := merkle.RootAt(guard.Size, h.Size, h.Root, l.tilesAt(h))
	if err != nil {
		return fmt.Errorf("%w: root of the first %d entries: %w", store.ErrCorrupt, guard.Size, err)
	}
	if root != guard.Root {
		return fmt.Errorf("%w: its first %d entries are not those that were signed (rollback guard %s)", store.ErrCorrupt, guard.Size, l.guardFile)
	}
	return nil
}

// readCheckpoint returns a copy of the stored checkpoint, or nil.
func readCheckpoint(db *store.DB) ([]byte, error) {
	value, closer, err := db.Get(store.AppendCheckpointKey(nil))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, readError("checkpoint", err)
	}
	defer closer.Close()
	return append([]byte{}, value...), nil
}

// readTile returns a copy of a full tile's bytes.
func readTile(db *store.DB, level int, n uint64) ([]byte, error) {
	what := fmt.Sprintf("tile %d of level %d", n, level)
	value, closer, err := db.Get(store.AppendTileKey(nil, level, n))
	if err != nil {
		return nil, readError(what, err)
	}
	defer closer.Close()
	if len(value) != merkle.TileBytes {
		return nil, fmt.Errorf("%w: %s has %d bytes, want %d", store.ErrCorrupt, what, len(value), merkle.TileBytes)
	}
	return append([]byte{}, value...), nil
}

// eachEntry visits the entries from first to end (not included), all of which
// must be there. What visit is given is valid during the call.
func eachEntry(db *store.DB, first, end uint64, visit func(index uint64, e stored) error) (err error) {
	if first >= end {
		return nil
	}
	keys := store.EntriesFrom(first)
	iter, err := db.NewIter(&pebble.IterOptions{LowerBound: keys.Lower, UpperBound: store.EntriesFrom(end).Lower})
	if err != nil {
		return readError(fmt.Sprintf("entries from %d", first), err)
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	next := first
	for ok := iter.First(); ok; ok = iter.Next() {
		index, err := store.ParseEntryKey(iter.Key())
		if err != nil {
			return err
		}
		if index != next {
			break
		}
		value, err := iter.ValueAndErr()
		if err != nil {
			return readError(fmt.Sprintf("entry %d", index), err)
		}
		e, err := parseEntry(value)
		if err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
		if err := visit(index, e); err != nil {
			return err
		}
		next++
	}
	if err := iter.Error(); err != nil {
		return readError(fmt.Sprintf("entry %d", next), err)
	}
	if next != end {
		return fmt.Errorf("%w: entry %d is missing", store.ErrCorrupt, next)
	}
	return nil
}

// readError says what was read. What should be there and is not, or does not
// pass Pebble's checksums, is ErrCorrupt.
func readError(what string, err error) error {
	if errors.Is(err, pebble.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing", store.ErrCorrupt, what)
	}
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %s: %w", store.ErrCorrupt, what, store.Plain(err))
	}
	return fmt.Errorf("read %s: %w", what, store.Plain(err))
}
