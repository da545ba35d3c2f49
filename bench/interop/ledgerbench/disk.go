package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/kaizen-os/deliberation/bench/load"
)

// rawFile is how far one raw write follows another before they begin anew.
const rawFile = 8 << 20

// rawSyncs writes size bytes and calls fdatasync, one after the other, for
// duration: the least that keeping an entry can take. The file is filled and
// synced beforehand, so that nothing but its data is to be written, as it is
// with a log file that is used again.
func rawSyncs(ctx context.Context, dir string, size int, duration time.Duration) (load.Quantiles, error) {
	f, err := os.CreateTemp(dir, "raw-")
	if err != nil {
		return load.Quantiles{}, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(make([]byte, rawFile)); err != nil {
		return load.Quantiles{}, err
	}
	if err := f.Sync(); err != nil {
		return load.Quantiles{}, err
	}
	data, _ := newLeaf(size).appendTo(nil, 0)
	latencies := load.NewLatencies()
	end := time.Now().Add(duration)
	for at := int64(0); ctx.Err() == nil; at += int64(size) {
		start := time.Now()
		if start.After(end) {
			break
		}
		if at+int64(size) > rawFile {
			at = 0
		}
		if _, err := f.WriteAt(data, at); err != nil {
			return load.Quantiles{}, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return load.Quantiles{}, fmt.Errorf("fdatasync: %w", err)
		}
		latencies.Record(time.Since(start))
	}
	return latencies.Quantiles(), ctx.Err()
}

// diskUse is how many bytes the files below dir take on the disk.
func diskUse(dir string) (bytes int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			bytes += stat.Blocks * 512
		}
		return nil
	})
	return bytes, err
}

// wantFree refuses to begin what would not end for want of room.
func wantFree(dir string, bytes int64, what string) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return fmt.Errorf("free disk of %s: %w", dir, err)
	}
	if free := int64(s.Bavail) * s.Bsize; free < bytes {
		return fmt.Errorf("%s wants %.1f GiB free in %s, there are %.1f: free some, or use --dir", what, gib(bytes), dir, gib(free))
	}
	return nil
}
