package ledger

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/kaizen-os/deliberation/store"
)

// guardEvery is how often the rollback guard is written at most: it costs syncs
// of its own, and a second of entries is what a rolled-back store may hide.
const guardEvery = time.Second

// readGuard returns the checkpoint in the guard file: the last head this ledger
// is known to have signed. ok is false when there is no file.
func readGuard(fs vfs.FS, path string, verifier note.Verifier) (c Checkpoint, ok bool, err error) {
	f, err := fs.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return Checkpoint{}, false, nil
	}
	if err != nil {
		return Checkpoint{}, false, fmt.Errorf("rollback guard: %w", err)
	}
	defer f.Close()
	buf := make([]byte, 4096)
	info, err := f.Stat()
	if err != nil {
		return Checkpoint{}, false, fmt.Errorf("rollback guard: %w", err)
	}
	if info.Size() > int64(len(buf)) {
		return Checkpoint{}, false, fmt.Errorf("%w: rollback guard %s: %d bytes", store.ErrCorrupt, path, info.Size())
	}
	buf = buf[:info.Size()]
	if len(buf) > 0 {
		if _, err := f.ReadAt(buf, 0); err != nil {
			return Checkpoint{}, false, fmt.Errorf("rollback guard: %w", err)
		}
	}
	c, err = ParseCheckpoint(buf, verifier)
	if err != nil {
		return Checkpoint{}, false, fmt.Errorf("%w: rollback guard %s: %w", store.ErrCorrupt, path, err)
	}
	return c, true, nil
}

// keepGuard writes the published head to the guard file, at most once in
// guardEvery, until the sequencer has ended; then once more. It writes what is
// already synced, so the guard is never ahead of the store.
func (l *Ledger) keepGuard() {
	defer close(l.guarded)
	var written uint64
	write := func() {
		head := l.head.Load()
		if head.Size == written || l.rolledBack {
			return
		}
		if err := store.ReplaceFile(l.fs, l.guardFile, head.note); err != nil {
			l.log.Error("rollback guard not written", "file", l.guardFile, "error", err)
			return
		}
		written = head.Size
	}
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-l.grown:
		case <-l.done:
			write()
			return
		}
		select {
		case <-pause.C:
		case <-l.done:
			write()
			return
		}
		write()
		pause.Reset(guardEvery)
	}
}
