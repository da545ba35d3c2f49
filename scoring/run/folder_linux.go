package run

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// A room is what a folder may still hold.
type room struct {
	bytes   int64
	entries int
}

// overfull reports whether folder holds more than a candidate may. It looks at
// maxEntries entries at most, each time, whatever is there.
func overfull(folder string) bool {
	left := room{bytes: maxFolder, entries: maxEntries}
	return !left.holds(folder)
}

// holds takes what is in folder from r, until there is too much of it. What has
// gone while it looks is not there; what is closed to us might hold anything.
func (r *room) holds(folder string) bool {
	dir, err := os.OpenFile(folder, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return gone(err)
	}
	var inside []string // so that one folder at a time is open
	for err == nil {
		var names []string
		names, err = dir.Readdirnames(64)
		if r.entries -= len(names); r.entries < 0 {
			break
		}
		for _, name := range names {
			path := filepath.Join(folder, name)
			info, err := os.Lstat(path)
			if err != nil {
				if gone(err) {
					continue
				}
				r.bytes = -1
				break
			}
			if info.IsDir() {
				inside = append(inside, path)
			}
			r.bytes -= sizeOf(info)
		}
		if r.bytes < 0 {
			break
		}
	}
	dir.Close()
	if r.entries < 0 || r.bytes < 0 {
		return false
	}
	for _, path := range inside {
		if !r.holds(path) {
			return false
		}
	}
	return true
}

// gone reports whether err is of something that is not there, or is no folder any
// more.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}

// sizeOf is what info takes: what is reserved beyond the end of a file counts, and
// so does what a hole has room for.
func sizeOf(info fs.FileInfo) int64 {
	size := info.Size()
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		size = max(size, stat.Blocks*512)
	}
	return size
}
