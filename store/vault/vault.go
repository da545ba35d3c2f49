package vault

import (
	"bytes"
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/kaizen-os/deliberation/store"
)

// Retention is how long records are kept, where the operator says nothing.
const Retention = 30 * 24 * time.Hour

// MaxContents bounds one record's contents: the largest panel with the longest
// replies that are read. Beyond half a memtable Pebble takes a slower path, which
// nothing but such a record does.
const MaxContents = 80 << 20

var (
	// ErrUnavailable is a vault that takes no records now.
	ErrUnavailable = errors.New("vault unavailable")
	// ErrNotFound is a record that is not there: never was, swept, or erased.
	ErrNotFound = errors.New("not in the vault")
	// ErrInvalid is a record that cannot be: badly named, or too long.
	ErrInvalid = errors.New("not a vault record")
)

// Config says how to open a vault.
type Config struct {
	Dir     string // Pebble's folder, the vault's own
	FS      vfs.FS // nil is the machine's
	KeyFile string // the master key, 0600, made with a new vault; keep it out of Dir and of every backup
	// MasterKey, 32 bytes, is used instead of KeyFile.
	MasterKey []byte
	Clock     func() time.Time // nil is time.Now
	Logger    *slog.Logger     // nil discards
	OnFatal   func(error)      // as the ledger's: called once, the process should end
}

// A Vault is open. Its methods are safe for concurrent use.
type Vault struct {
	db    *store.DB
	seal  *sealer
	clock func() time.Time
	debt  debt

	// purgeFiles is store.DB.Purge; a test leaves it out to see that it is missed.
	purgeFiles func(ctx context.Context, spans ...store.Range) error
}

// Open opens the vault in cfg.Dir, making it, and its master key, if there is
// none. Errors: store.ErrLocked, store.ErrCorrupt.
func Open(cfg Config) (*Vault, error) {
	if cfg.Dir == "" || (cfg.KeyFile == "") == (cfg.MasterKey == nil) {
		return nil, errors.New("vault: Config.Dir and one of KeyFile and MasterKey are required")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	db, err := store.Open(cfg.Dir, store.Options{FS: cfg.FS, Logger: cfg.Logger, OnFatal: cfg.OnFatal})
	if err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	v := &Vault{db: db, clock: cfg.Clock, debt: debt{turn: make(chan struct{}, 1)}, purgeFiles: db.Purge}
	if err := errors.Join(v.unlock(cfg), v.recall()); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return v, nil
}

// unlock finds the master key, one being made for a new vault only, and checks
// that it is this vault's: under another, new records would be sealed apart from
// the old, and the old lost.
func (v *Vault) unlock(cfg Config) error {
	check, closer, err := v.db.Get(store.AppendKeyCheckKey(nil))
	fresh := errors.Is(err, pebble.ErrNotFound)
	if err == nil {
		check = bytes.Clone(check)
		err = closer.Close()
	}
	if err != nil && !fresh {
		return v.readError("key check", err)
	}
	master := cfg.MasterKey
	if master == nil {
		if master, err = loadMaster(cfg.KeyFile, fresh); err != nil {
			return err
		}
	}
	if v.seal, err = newSealer(master); err != nil {
		return err
	}
	if !fresh {
		if !hmac.Equal(check, v.seal.check) {
			return errors.New("the vault was sealed with another master key: put that one back")
		}
		return nil
	}
	b := v.db.NewBatch()
	if err := b.Set(store.AppendKeyCheckKey(nil), v.seal.check, nil); err != nil {
		return err
	}
	return errors.Join(v.db.Commit(b), b.Close())
}

// A Waiter waits for one Put.
type Waiter struct {
	db    *store.DB
	batch *pebble.Batch
	id    string
}

// Put seals c as the record id (1 to 128 bytes, sorting by time, as ULIDs do)
// and starts to write it; the returned Waiter must be waited on, once. c is not
// kept. Errors: ErrInvalid, ErrUnavailable.
func (v *Vault) Put(id string, c *Contents) (*Waiter, error) {
	if id == "" || len(id) > store.MaxName {
		return nil, fmt.Errorf("%w: id of %d bytes, want 1 to %d", ErrInvalid, len(id), store.MaxName)
	}
	if n := c.size(); n > MaxContents {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrInvalid, n, MaxContents)
	}
	at := v.clock()
	sealed := v.seal.seal(id, at, c)
	h, err := parseHeader(sealed)
	if err != nil {
		panic("bug: sealed an unreadable record")
	}
	// Three small keys on the stack; Pebble copies what it is given.
	var record, owner, age [1 + 8 + store.OwnerLen + store.MaxName]byte
	b := v.db.NewBatch()
	err = errors.Join(
		b.Set(store.AppendRecordKey(record[:0], id), sealed, nil),
		b.Set(store.AppendOwnerKey(owner[:0], h.owner, id), nil, nil),
		b.Set(store.AppendAgeKey(age[:0], h.ms, id), nil, nil))
	if err == nil {
		err = v.db.Start(b)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: put %s: %w", ErrUnavailable, id, err)
	}
	return &Waiter{v.db, b, id}, nil
}

// Wait returns when the record is durable. On an error, ErrUnavailable, that is
// not known, and the vault takes no more.
func (w *Waiter) Wait() error {
	if err := w.db.Wait(w.batch); err != nil {
		return fmt.Errorf("%w: put %s: %w", ErrUnavailable, w.id, err)
	}
	return w.batch.Close()
}

// Get unseals the record id and says when it was put.
// Errors: ErrNotFound, store.ErrCorrupt.
func (v *Vault) Get(id string) (c *Contents, at time.Time, err error) {
	sealed, err := v.sealed(id)
	if err != nil {
		return nil, time.Time{}, err
	}
	c, h, err := v.seal.open(id, sealed)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("vault record %s: %w", id, err)
	}
	return c, time.UnixMilli(int64(h.ms)).UTC(), nil
}

// sealed returns a copy of the sealed record.
func (v *Vault) sealed(id string) ([]byte, error) {
	value, closer, err := v.db.Get(store.AppendRecordKey(nil, id))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	if err != nil {
		return nil, v.readError("record "+id, err)
	}
	defer closer.Close()
	return append([]byte(nil), value...), nil
}

// List returns the ids of owner's records, the last first, from the one before
// the id before; "" starts at the last. At most limit of them.
func (v *Vault) List(owner, before string, limit int) (ids []string, err error) {
	keys := store.OwnerRange(v.seal.tag(owner), before)
	iter, err := v.db.NewIter(&pebble.IterOptions{LowerBound: keys.Lower, UpperBound: keys.Upper})
	if err != nil {
		return nil, v.readError("list", err)
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for ok := iter.Last(); ok && len(ids) < limit; ok = iter.Prev() {
		_, id, err := store.ParseOwnerKey(iter.Key())
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	if err := iter.Error(); err != nil {
		return nil, v.readError("list", err)
	}
	return ids, nil
}

// Backup copies the vault's store, without its master key, into the folder dir,
// which must not exist. Errors: store.ErrFailed, and the file system's.
func (v *Vault) Backup(dir string) error { return v.db.Backup(dir) }

// Close closes the vault. Every Put must have been waited for, and every Erase
// and Sweep have ended.
func (v *Vault) Close() error { return v.db.Close() }

func (v *Vault) readError(what string, err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: vault %s: %w", store.ErrCorrupt, what, err)
	}
	return fmt.Errorf("read vault %s: %w", what, err)
}
