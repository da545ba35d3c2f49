package store

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Backup copies the database into the folder dir, which must not exist, as of
// now: all that [DB.Commit] has returned for, and perhaps what [DB.Start] began.
// Tables are linked where the file system can, so it takes milliseconds, during
// which nothing is committed.
//
// A commit that is under way is waited for: a copy never holds what the disk may
// yet refuse.
func (db *DB) Backup(dir string) error {
	db.write.Lock()
	defer db.write.Unlock()
	if err := db.Failed(); err != nil {
		return err
	}
	if err := db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("back up %s: %w", db.dir, err)
	}
	return db.Failed()
}
