package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// purgePoll is how often Purge looks whether Pebble has removed the tables that
// are no longer in use; it does so in a goroutine of its own, soon after.
const purgePoll = 2 * time.Millisecond

// Purge returns when no file in the database's folder holds a value that was
// deleted from spans before the call: not the tables, not the write-ahead log,
// not the logs that Pebble keeps to write over. What was deleted from elsewhere
// may remain.
//
// Commits wait while the log is changed for a new one, twice a few syncs, and
// not for the rest: a table or more a span is rewritten. Calls must not overlap.
// An iterator that is open keeps its tables, and so Purge, waiting. An error,
// ctx's or the disk's, leaves the files as far as it came; to call again is safe.
//
// A folder that [DB.Backup] made has its own files, which stay as they are.
func (db *DB) Purge(ctx context.Context, spans ...Range) error {
	first, flushed, err := db.changeLog()
	if err != nil {
		return fmt.Errorf("purge %s: %w", db.dir, err)
	}
	select {
	case <-flushed:
	case <-ctx.Done():
		return fmt.Errorf("purge %s: flush: %w", db.dir, context.Cause(ctx))
	}
	for _, s := range spans {
		if err := db.Compact(ctx, s.Lower, s.Upper, false); err != nil {
			return fmt.Errorf("purge %s: compact: %w", db.dir, err)
		}
	}
	if err := db.removeLogs(first); err != nil {
		return fmt.Errorf("purge %s: %w", db.dir, err)
	}
	if err := db.awaitRemovals(ctx); err != nil {
		return fmt.Errorf("purge %s: remove tables: %w", db.dir, err)
	}
	// A name whose removal is not durable may come back after a crash, and its
	// bytes with it.
	if err := syncDir(db.fs, db.dir); err != nil {
		return fmt.Errorf("purge %s: %w", db.dir, err)
	}
	return db.Failed()
}

// changeLog has Pebble go on in a new log and write what the logs before it held
// into tables; flushed is closed when it has, and then no log numbered below
// first is needed any more.
//
// The new log is a new file, and so are those that take the place of logs kept
// for reuse from before: one written over from its start would still hold at its
// end what it held.
func (db *DB) changeLog() (first uint64, flushed <-chan struct{}, err error) {
	// Nothing but a commit or a flush changes the log, so none is changed here
	// but by us.
	db.write.Lock()
	defer db.write.Unlock()
	if err := db.Failed(); err != nil {
		return 0, nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			db.log.panicked.Store(true)
			err = db.log.fail(fmt.Errorf("pebble panicked: %v", r))
		}
	}()
	last, err := db.lastLog()
	if err != nil {
		return 0, nil, err
	}
	if err := db.probe(); err != nil {
		return 0, nil, err
	}
	db.fs.unused.Store(last)
	if flushed, err = db.AsyncFlush(); err != nil {
		return 0, nil, fmt.Errorf("change the log: %w", err)
	}
	first, err = db.lastLog()
	if err == nil && first <= last {
		err = fmt.Errorf("the log is still %d", last)
	}
	return first, flushed, err
}

// probe makes a file in the folder and removes it again. When Pebble cannot make
// the new log of a flush that it is asked for, it panics in such a way that the
// process ends there and then: a disk that is full or gone should be found out
// before.
func (db *DB) probe() error {
	name := db.fs.PathJoin(db.dir, "purge.probe")
	f, err := db.fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte("x"))
	return errors.Join(err, f.Sync(), f.Close(), db.fs.Remove(name), syncDir(db.fs, db.dir))
}

// lastLog is the number of the log in use, the highest.
func (db *DB) lastLog() (last uint64, err error) {
	names, err := db.fs.List(db.dir)
	for _, name := range names {
		if n, ok := fileNumber(name, ".log"); ok {
			last = max(last, n)
		}
	}
	return last, err
}

// removeLogs removes the logs numbered below first: those that Pebble keeps to
// write over, and those it is about to remove itself, which it does not mind.
func (db *DB) removeLogs(first uint64) error {
	db.write.Lock() // a backup that is being made may be copying one
	defer db.write.Unlock()
	names, err := db.fs.List(db.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if n, ok := fileNumber(name, ".log"); ok && n < first {
			if err := db.fs.Remove(db.fs.PathJoin(db.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// awaitRemovals returns when every table that is in the folder now has been
// removed or is in use. One that a compaction is just writing is neither until
// that ends, and is waited for too.
func (db *DB) awaitRemovals(ctx context.Context) error {
	unused, err := db.unusedTables()
	if err != nil || len(unused) == 0 {
		return err
	}
	again := time.NewTicker(purgePoll)
	defer again.Stop()
	for {
		select {
		case <-again.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		now, err := db.unusedTables()
		if err != nil {
			return err
		}
		for n := range unused {
			if !now[n] {
				delete(unused, n)
			}
		}
		if len(unused) == 0 {
			return nil
		}
	}
}

// unusedTables is which tables are in the folder and not in use.
func (db *DB) unusedTables() (map[uint64]bool, error) {
	// The folder first: a table that comes into use in between is then told.
	names, err := db.fs.List(db.dir)
	if err != nil {
		return nil, err
	}
	unused := make(map[uint64]bool)
	for _, name := range names {
		if n, ok := fileNumber(name, ".sst"); ok {
			unused[n] = true
		}
	}
	levels, err := db.SSTables()
	if err != nil {
		return nil, err
	}
	for _, tables := range levels {
		for i := range tables {
			delete(unused, uint64(tables[i].BackingSSTNum))
		}
	}
	return unused, nil
}

// fileNumber is the number in the name of one of Pebble's files.
func fileNumber(name, suffix string) (n uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil
}

// purgeFS is the file system as Pebble sees it. Logs are written over as ever,
// since a sync costs less then, but for those that a purge has removed.
type purgeFS struct {
	vfs.FS
	unused atomic.Uint64 // the logs up to this number are never written over
}

// Unwrap is part of vfs.FS.
func (p *purgeFS) Unwrap() vfs.FS { return p.FS }

// ReuseForWrite makes a new file where oldname must not be written over.
func (p *purgeFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if n, ok := fileNumber(p.PathBase(oldname), ".log"); !ok || n > p.unused.Load() {
		return p.FS.ReuseForWrite(oldname, newname, category)
	}
	if err := p.Remove(oldname); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return p.Create(newname, category)
}
