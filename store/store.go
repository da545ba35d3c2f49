package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

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

// UnflushedBytes bounds what the logs may hold that no table does yet: the
// memtables there can be, and one that is just being filled.
const UnflushedBytes = (memTables + 1) * memTableBytes

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
	// Serial says that the database is written by Commit alone. Each batch is then
	// on the disk before the next is begun, by which damage at a log's end is told
	// from a write that was torn.
	Serial bool
	// OnFatal is called once, in a goroutine of its own, when a write or sync
	// has failed. The process should end: no later write succeeds.
	OnFatal func(error)
}

// A DB is one open Pebble database. Reads are Pebble's own; writes go through
// Commit or Start and no other way.
type DB struct {
	*pebble.DB
	dir  string
	fs   *purgeFS // below what stops at the first failure
	lock *pebble.Lock
	log  *logger

	// write serialises entry to Pebble's commit pipeline. Pebble panics there,
	// holding its own lock, when its log cannot be written; with this in front,
	// nobody follows into that lock.
	write sync.Mutex
	// inside is how many commits Pebble has not come back from.
	inside  atomic.Int64
	closing func() // lets go what a failure has held back; see failStop
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

	log := &logger{Logger: o.Logger.With("store", dir), onFatal: o.OnFatal, dead: make(chan struct{})}
	closing := make(chan struct{})
	files := &purgeFS{FS: o.FS}
	o.FS = files
	if !o.ReadOnly {
		o.FS = newFailStop(files, dir, log, closing)
	}
	if err := checkFiles(o.FS, dir, o.Serial); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", dir, err), lock.Close())
	}
	discard := func(db *pebble.DB) { // of what has failed
		if db != nil {
			close(closing)
			db.Close()
		}
	}
	db, err := open(dir, o, log, lock, discard)
	if failed := log.failed.Load(); failed != nil {
		err = *failed
		discard(db)
	}
	if err != nil {
		lock.Close()
		switch {
		case errors.Is(err, pebble.ErrDBDoesNotExist):
			return nil, fmt.Errorf("open store: there is none in %s: %w", dir, fs.ErrNotExist)
		case pebble.IsCorruptionError(err), log.corrupt.Load(),
			errors.Is(err, os.ErrNotExist),                        // of a file that must be there
			strings.Contains(err.Error(), "object size mismatch"): // of a table, which Pebble does not mark
			return nil, fmt.Errorf("%w: %s: restore it from a backup (%w)", ErrCorrupt, dir, Plain(err))
		}
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	return &DB{DB: db, dir: dir, fs: files, lock: lock, log: log, closing: sync.OnceFunc(func() { close(closing) })}, nil
}

// open calls pebble.Open, which waits for ever when a table cannot be written,
// and makes that an error. A database that comes after all, once nobody waits for
// it any more, is discarded.
func open(dir string, o Options, log *logger, lock *pebble.Lock, discard func(*pebble.DB)) (*pebble.DB, error) {
	type opened struct {
		db  *pebble.DB
		err error
	}
	result := make(chan opened, 1)
	go func() {
		db, err := openPebble(dir, o, log, lock)
		result <- opened{db, err}
	}()
	select {
	case r := <-result:
		return r.db, r.err
	case <-log.dead:
	}
	select {
	case r := <-result:
		return r.db, r.err
	case <-time.After(patience):
		go func() { discard((<-result).db) }()
		return nil, *log.failed.Load()
	}
}

// patience is how long something that has failed is given to come back from
// Pebble before it is left there.
const patience = 200 * time.Millisecond

// openPebble calls pebble.Open, which panics on some damaged files, and makes
// that an error too.
func openPebble(dir string, o Options, log *logger, lock *pebble.Lock) (db *pebble.DB, err error) {
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
func (db *DB) Commit(b *pebble.Batch) error {
	return db.enter(b, func() error { return b.Commit(pebble.Sync) })
}

// Start applies b and returns before it is on the disk; Wait says when it is.
// Many may be under way at once and share one sync.
func (db *DB) Start(b *pebble.Batch) error {
	return db.enter(b, func() error { return db.ApplyNoSyncWait(b, pebble.Sync) })
}

// enter calls Pebble with b, and returns when that has or when the store has
// failed: a commit may be waiting for room that there never will be, as tables
// can no longer be written.
func (db *DB) enter(b *pebble.Batch, call func() error) error {
	db.write.Lock()
	defer db.write.Unlock()
	if err := db.Failed(); err != nil {
		return err
	}
	b.Ref() // a caller that closes b must not have it used again while Pebble has it
	db.inside.Add(1)
	result := make(chan error, 1)
	go func() {
		result <- db.call(call)
		db.inside.Add(-1)
		b.Unref()
	}()
	var err error
	select {
	case err = <-result:
	case <-db.log.dead:
		select {
		case err = <-result:
		case <-time.After(patience):
		}
	}
	if err != nil {
		return db.log.fail(err)
	}
	// Pebble takes a failed sync for a good one (see failStop); by itself it would
	// call its logger's Fatalf and, as ours returns, report success. Either way the
	// failure noted is the answer.
	return db.Failed()
}

// call makes a panic of Pebble's an error.
func (db *DB) call(call func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			db.log.panicked.Store(true)
			err = fmt.Errorf("pebble panicked: %v", r)
		}
	}()
	return call()
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
	db.closing()
	if db.Failed() != nil {
		return errors.Join(db.closeFailed(), db.lock.Close())
	}
	// The last sync is Close's own, and may fail too.
	return errors.Join(db.DB.Close(), db.Failed(), db.lock.Close())
}

// closeFailed closes Pebble unless a panic or a commit that waits has its locks.
func (db *DB) closeFailed() (err error) {
	if db.log.panicked.Load() || db.inside.Load() > 0 {
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
	dead     chan struct{} // closed when failed is set
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
		close(l.dead)
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
		BackgroundError: func(err error) {
			if l.failed.Load() == nil { // what follows from the failure is not worth a line
				l.Error("pebble background work failed", "error", err)
			}
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			l.corrupt.Store(true)
			l.Error("store file is damaged", "file", info.Path)
		},
	}
}
