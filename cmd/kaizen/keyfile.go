package main

import (
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// keyFileEvery is how often a key's file is looked at, at most: a key is rotated
// once in a while, and calls come by the thousand.
const keyFileEvery = time.Second

// A keyFile is a key that is kept in a file and read again when that changes, so
// that it is rotated without a restart. A file that is gone or holds no key, as
// while it is being replaced, leaves the key as it was.
type keyFile struct {
	path string
	log  *slog.Logger
	now  func() time.Time

	key  atomic.Pointer[string]
	next atomic.Int64 // not looked at before this, in Unix nanoseconds

	mu   sync.Mutex // held by whoever looks; guards what follows
	seen fileStamp
	said bool // that the file holds no key
}

// fileStamp is by what a file's change is known.
type fileStamp struct {
	changed time.Time
	size    int64
}

// newKeyFile makes the keyFile of a key that was just read from path.
func newKeyFile(path, key string, log *slog.Logger) *keyFile {
	k := &keyFile{path: path, log: log, now: time.Now}
	k.key.Store(&key)
	return k // without a stamp, so that it is read again at first use: it may have changed since
}

// Reveal gives the key that the file has held last.
func (k *keyFile) Reveal() string {
	now := k.now().UnixNano()
	if next := k.next.Load(); now >= next && k.next.CompareAndSwap(next, now+int64(keyFileEvery)) {
		k.look()
	}
	return *k.key.Load()
}

// reread reads the file at once, whatever is known of it: who has the configuration
// read again expects that every call from then on has the key that is there.
func (k *keyFile) reread() {
	k.mu.Lock()
	k.seen = fileStamp{}
	k.mu.Unlock()
	k.look()
}

func (k *keyFile) look() {
	k.mu.Lock()
	defer k.mu.Unlock()
	info, err := os.Stat(k.path)
	if err == nil {
		stamp := fileStamp{info.ModTime(), info.Size()}
		if stamp == k.seen {
			return
		}
		var data []byte
		if data, err = readBounded(k.path, maxSecretBytes); err == nil {
			if key := strings.TrimRight(string(data), "\r\n"); headerSafe(key) {
				k.seen, k.said = stamp, false
				k.key.Store(&key)
				return
			}
		}
	}
	if !k.said {
		k.said = true
		k.log.Warn("a key's file holds no key; the one before stays in use", "file", k.path)
	}
}
