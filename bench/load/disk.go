package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// SyncedSets sets values of size bytes in a fresh Pebble below dir, one after
// the other, each synced, for duration, and gives how long one takes. dir should
// be on the file system that the ledger is on. Nothing is left behind.
func SyncedSets(ctx context.Context, dir string, size int, duration time.Duration) (Quantiles, error) {
	latencies := NewLatencies()
	err := pebbled(dir, func(db *pebble.DB) error {
		value := noise(size)
		var key [8]byte
		end := time.Now().Add(duration)
		for n := uint64(0); ctx.Err() == nil; n++ {
			start := time.Now()
			if start.After(end) {
				return nil
			}
			binary.BigEndian.PutUint64(key[:], n)
			if err := db.Set(key[:], value, pebble.Sync); err != nil {
				return err
			}
			latencies.Record(time.Since(start))
		}
		return ctx.Err()
	})
	return latencies.Quantiles(), err
}

// SyncedBatches commits batches of perBatch values of size bytes in a fresh
// Pebble below dir, one batch after the other, each synced, for duration, and
// gives values a second: what group commit could reach if it did nothing else.
func SyncedBatches(ctx context.Context, dir string, size, perBatch int, duration time.Duration) (float64, error) {
	var perSecond float64
	err := pebbled(dir, func(db *pebble.DB) error {
		value := noise(size)
		var key [8]byte
		start := time.Now()
		n := uint64(0)
		for time.Since(start) < duration && ctx.Err() == nil {
			batch := db.NewBatch()
			for range perBatch {
				binary.BigEndian.PutUint64(key[:], n)
				n++
				if err := batch.Set(key[:], value, nil); err != nil {
					return err
				}
			}
			if err := batch.Commit(pebble.Sync); err != nil {
				return err
			}
			if err := batch.Close(); err != nil {
				return err
			}
		}
		perSecond = float64(n) / time.Since(start).Seconds()
		return ctx.Err()
	})
	return perSecond, err
}

// pebbled opens a Pebble for do and removes it.
func pebbled(dir string, do func(*pebble.DB) error) (err error) {
	folder, err := os.MkdirTemp(dir, "raw-pebble-")
	if err != nil {
		return fmt.Errorf("load: raw pebble: %w", err)
	}
	defer os.RemoveAll(folder)
	db, err := pebble.Open(folder, &pebble.Options{Logger: silent{}, FormatMajorVersion: pebble.FormatNewest})
	if err != nil {
		return fmt.Errorf("load: raw pebble: %w", err)
	}
	defer func() {
		if closed := db.Close(); err == nil {
			err = closed
		}
	}()
	return do(db)
}

// noise does not compress, like the hashes and commitments of a proof.
func noise(size int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// silent drops Pebble's reports of its routine work.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf("raw pebble: "+format, args...))
}
