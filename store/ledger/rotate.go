package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store"
)

// How a signing key is replaced, by an operator who has all the time they like:
//
//  1. [Rotate] makes the next key beside the one in use.
//  2. The next Open records it, under a checkpoint of the old key alone, and signs
//     with both from then on. Verifiers of either key go on; those of the old one
//     find the new one in the ledger, and take it over.
//  3. [Retire] makes the next key the only one, and destroys the old one.

// NextKeyFile is the key that will follow, mode 0600. While it is there, both sign.
const NextKeyFile = "ledger.key.next"

// Rotate makes the next signing key of the ledger in dir, and returns its verifier
// key. The ledger must not be open. The error is fs.ErrExist where a next key is
// there already.
func Rotate(dir string) (vkey string, err error) {
	k, err := loadKey(dir, "", false)
	if err != nil {
		return "", err
	}
	fresh, err := newKey(k.Name())
	if err != nil {
		return "", err
	}
	next, err := parseKey(fresh)
	if err != nil {
		return "", err
	}
	return next.vkey, store.CreateSecret(filepath.Join(dir, NextKeyFile), []byte(fresh))
}

// ErrNotRecorded is a next key that has not signed the ledger's head yet.
var ErrNotRecorded = errors.New("the next key has not signed yet: start the gateway once, so that it is recorded, and tell the verifiers")

// Retire makes the next key of the ledger in dir the only one and destroys the
// old one; it returns the new verifier key. The ledger must not be open. Called
// again after a crash, it finishes. Errors: ErrNotRecorded, fs.ErrNotExist where
// there is no next key, store.ErrLocked.
func Retire(dir string) (vkey string, err error) {
	path, nextPath := filepath.Join(dir, KeyFile), filepath.Join(dir, NextKeyFile)
	next, err := readKey(nextPath)
	if errors.Is(err, fs.ErrNotExist) {
		// Perhaps the process ended between the two steps below.
		k, keyErr := readKey(path)
		if keyErr != nil {
			return "", keyErr
		}
		if public, pubErr := os.ReadFile(filepath.Join(dir, PubFile)); pubErr != nil || string(public) == k.vkey+"\n" {
			return "", fmt.Errorf("there is no next key to go on with: %w", err)
		}
		return k.vkey, replacePublic(dir, k)
	}
	if err != nil {
		return "", err
	}
	// The head must carry the new key's signature, or nobody could open the store.
	r, err := OpenReader(dir, nil, next.verifier)
	if errors.Is(err, ErrCheckpoint) {
		return "", ErrNotRecorded
	}
	if err != nil {
		return "", err
	}
	if err := r.Close(); err != nil {
		return "", err
	}
	if err := os.Rename(nextPath, path); err != nil {
		return "", err
	}
	return next.vkey, replacePublic(dir, next) // durable with the rename before it
}

func replacePublic(dir string, k *key) error {
	return store.ReplaceFile(vfs.Default, filepath.Join(dir, PubFile), []byte(k.vkey+"\n"))
}

// signWithNext records the next key, unless it is recorded, and signs the head with
// both. Open calls it when all else is in place and the sequencer does not run yet.
func (l *Ledger) signWithNext() error {
	if l.cfg.SigningKey != "" || l.rolledBack {
		return nil
	}
	next, err := readKey(filepath.Join(l.cfg.Dir, NextKeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if next.Name() != l.key.Name() {
		return fmt.Errorf("the next key is %q's, the ledger is %q", next.Name(), l.key.Name())
	}
	name := recordName(next.verifier)
	if _, recorded, err := l.Lookup(name); err != nil {
		return err
	} else if !recorded {
		p := l.pool.Get().(*pending)
		defer l.recycle(p)
		if err := errors.Join(p.encode(name, &quorum.Rekeying{Key: next.vkey}), l.reserve(name)); err != nil {
			return err
		}
		if err := l.write([]*pending{p}); err != nil {
			return err
		}
		if <-p.done; p.err != nil {
			return fmt.Errorf("record the next key: %w", p.err)
		}
		l.log.Info("ledger is signed with the next key too", "key", next.vkey, "index", p.receipt.Index)
	}
	l.next = next
	if _, err := ParseCheckpoint(l.Checkpoint(), next.verifier); err == nil {
		return nil
	}
	b, err := l.stage(nil, 0)
	if err != nil {
		return err
	}
	defer b.close()
	if err := l.db.Commit(b.Batch); err != nil {
		return fmt.Errorf("%w: sign the head with the next key: %w", ErrUnavailable, err)
	}
	l.head.Store(b.head)
	return nil
}

// recordName names the record of a key.
func recordName(v note.Verifier) string { return fmt.Sprintf("ledger.key/%08x", v.KeyHash()) }
