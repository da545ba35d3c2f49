package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Format is the on-disk format both databases are kept in. It is a constant so
// that an upgrade of the library never changes a store by itself; with WAL sync
// chunks Pebble can tell a log that ends from a log that was damaged.
const Format = pebble.FormatWALSyncChunks

// The whole process is to stay under 96 MiB under load, and there are two
// databases in it.
const (
	memTableBytes = 3 << 20 // at most memTables of them are held at once
	memTables     = 3
	cacheBytes    = 2 << 20 // reads are few: a receipt, a verdict looked up
	openFiles     = 256
)

var (
	// ErrLocked is a store that another process holds.
	ErrLocked = errors.New("the store is in use by another process")
	// ErrCorrupt is a store whose files do not hold what was written.
	ErrCorrupt = errors.New("the store is damaged")
	// ErrFailed is a store that has had a failed write; it takes no more.
	ErrFailed = errors.New("the store has failed")
)

// Options say how to open a database.
type Options struct {
	FS       vfs.FS       // nil is the machine's
	Logger   *slog.Logger // nil discards
	ReadOnly bool         // nothing is created or changed
	// OnFatal is called once, in a goroutine of its own, when a write or sync
	// has failed. The process should end: no later write succeeds.
	OnFatal func(error)
}

// A DB is one open Pebble database. Reads are Pebble's own; writes go through
// Commit or Start and no other way.
type DB struct {
	*pebble.DB
	dir  string
	lock *pebble.Lock
	log  *logger

	// write serialises entry to Pebble's commit pipeline. Pebble panics there,
	// holding its own lock, when its log cannot be written; with this in front,
	// nobody follows into that lock.
	write sync.Mutex
}

// Open opens the database in dir, making it if need be.
//
// Errors: ErrLocked; ErrCorrupt, with the file where Pebble names it;
// fs.ErrNotExist when ReadOnly and there is none.
func Open(dir string, o Options) (*DB, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if !o.ReadOnly {
		if err := MakeDir(o.FS, dir); err != nil {
			return nil, fmt.Errorf("make store folder: %w", err)
		}
	} else if _, err := o.FS.Stat(dir); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	lock, err := pebble.LockDirectory(dir, o.FS)
	if err != nil {
		// A lock file that cannot be made is a PathError; one that is held is not.
		if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
			return nil, fmt.Errorf("lock store: %w", err)
		}
		return nil, fmt.Errorf("%w: %s: end the process that holds it, or use another folder (%w)", ErrLocked, dir, err)
	}

	log := &logger{Logger: o.Logger.With("store", dir), onFatal: o.OnFatal}
	db, err := open(dir, o, log, lock)
	if err != nil {
		lock.Close()
		switch {
		case errors.Is(err, os.ErrNotExist) && o.ReadOnly && !log.corrupt.Load():
			return nil, fmt.Errorf("open store %s: %w", dir, err)
		case pebble.IsCorruptionError(err), log.corrupt.Load():
			return nil, fmt.Errorf("%w: %s: restore it from a backup (%w)", ErrCorrupt, dir, err)
		}
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	return &DB{DB: db, dir: dir, lock: lock, log: log}, nil
}

// open calls pebble.Open, which panics on some damaged files, and makes that an
// error too.
func open(dir string, o Options, log *logger, lock *pebble.Lock) (db *pebble.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("pebble panicked: %v", r)
			log.corrupt.Store(true)
		}
	}()
	opts := &pebble.Options{
		FS:                          o.FS,
		Lock:                        lock,
		Logger:                      log,
		EventListener:               log.events(),
		ReadOnly:                    o.ReadOnly,
		ErrorIfNotExists:            o.ReadOnly,
		FormatMajorVersion:          Format,
		CacheSize:                   cacheBytes,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: memTables,
		MaxOpenFiles:                openFiles,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
	}
	// No table holds keys of two kinds. Entries, tiles and ids only grow, so their
	// tables then never overlap and move down whole, unread; mixed with the one
	// checkpoint or with names, each would overlap all others, and compactions
	// rewriting them cost more than the appends.
	opts.Experimental.SpanPolicyFunc = func(start []byte) (pebble.SpanPolicy, []byte, error) {
		if len(start) == 0 || start[0] == 0xff {
			return pebble.SpanPolicy{}, nil, nil
		}
		return pebble.SpanPolicy{}, []byte{start[0] + 1}, nil
	}
	// Hashes and sealed text hardly get smaller, and the time is the append's.
	opts.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	for i := range opts.Levels {
		// A name that is new, as nearly all are, is looked up before it is taken.
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return pebble.Open(dir, opts)
}

// Failed returns the first failed write, wrapped in ErrFailed, or nil.
func (db *DB) Failed() error {
	if err := db.log.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// Commit applies b and returns when it is on the disk. Any error is final:
// whether b was kept is not known, and nothing more is taken.
func (db *DB) Commit(b *pebble.Batch) (err error) {
	db.write.Lock()
	defer db.write.Unlock()
	if err := db.Failed(); err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			db.log.panicked.Store(true)
			err = db.log.fail(fmt.Errorf("pebble panicked: %v", r))
		}
	}()
	if err := b.Commit(pebble.Sync); err != nil {
		return db.log.fail(err)
	}
	// On a failed sync Pebble calls its logger's Fatalf and, as ours returns,
	// reports success: the flag it leaves is the answer.
	return db.Failed()
}

// Start applies b and returns before it is on the disk; Wait says when it is.
// Many may be under way at once and share one sync.
func (db *DB) Start(b *pebble.Batch) (err error) {
	db.write.Lock()
	defer db.write.Unlock()
	if err := db.Failed(); err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			db.log.panicked.Store(true)
			err = db.log.fail(fmt.Errorf("pebble panicked: %v", r))
		}
	}()
	if err := db.ApplyNoSyncWait(b, pebble.Sync); err != nil {
		return db.log.fail(err)
	}
	return nil
}

// Wait returns when b, which Start took, is on the disk; errors are Commit's.
func (db *DB) Wait(b *pebble.Batch) error {
	if err := b.SyncWait(); err != nil {
		return db.log.fail(err)
	}
	return db.Failed()
}

// Close closes the database. After a failed write it leaves Pebble as it is:
// its locks may be held for good, and the process is about to end.
func (db *DB) Close() error {
	if db.Failed() != nil {
		return errors.Join(db.closeFailed(), db.lock.Close())
	}
	return errors.Join(db.DB.Close(), db.lock.Close())
}

// closeFailed closes Pebble unless a panic left its locks held.
func (db *DB) closeFailed() (err error) {
	if db.log.panicked.Load() {
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("close failed store: %v", r)
		}
	}()
	return db.DB.Close()
}

// logger takes Pebble's words to slog and remembers the fatal ones.
type logger struct {
	*slog.Logger
	onFatal  func(error)
	failed   atomic.Pointer[error]
	corrupt  atomic.Bool
	panicked atomic.Bool
}

func (l *logger) Infof(format string, args ...any) {}

func (l *logger) Errorf(format string, args ...any) {
	l.Error("pebble", "problem", fmt.Sprintf(format, args...))
}

// Fatalf is not expected to return, yet it must: the process has callers to
// answer before it ends.
func (l *logger) Fatalf(format string, args ...any) { l.fail(fmt.Errorf(format, args...)) }

// fail notes the first failure and tells of it, once; it returns the first.
func (l *logger) fail(cause error) error {
	err := fmt.Errorf("%w: %w", ErrFailed, cause)
	if l.failed.CompareAndSwap(nil, &err) {
		l.Error("store write failed; nothing more is written", "error", cause)
		if l.onFatal != nil {
			go l.onFatal(err)
		}
	}
	return *l.failed.Load()
}

// events keeps Pebble's default for damaged files, Fatalf, from ending the
// process: the read that met the damage returns an error of its own.
func (l *logger) events() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) { l.Error("pebble background work failed", "error", err) },
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			l.corrupt.Store(true)
			l.Error("store file is damaged", "file", info.Path)
		},
	}
}
