package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// logOf commits batches of those sizes and returns the store's files and the log
// they are in, with where each batch's record ends. With old, it is the log of a
// store that was there before.
func logOf(t *testing.T, old bool, sizes ...int) (fs *vfs.MemFS, name string, ends []int) {
	t.Helper()
	fs = vfs.NewMem()
	db := mustOpen(t, "db", Options{FS: fs})
	if old {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = mustOpen(t, "db", Options{FS: fs})
	}
	names, err := fs.List("db")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if strings.HasSuffix(n, ".log") {
			name = max(name, n)
		}
	}
	for i, size := range sizes {
		b := set(t, db, fmt.Sprint("key ", i), strings.Repeat("v", size))
		if err := errors.Join(db.Commit(b), b.Close()); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, len(readAll(t, fs, "db/"+name)))
	}
	return fs, name, append(ends, closeForLog(t, db, fs, name))
}

func numberOf(t *testing.T, log string) (number uint32) {
	t.Helper()
	if _, err := fmt.Sscanf(log, "%d.log", &number); err != nil {
		t.Fatal(err)
	}
	return number
}

func readLog(data []byte, number uint32, serial bool) logEnd {
	return (&records{data: data, number: number, serial: serial}).end()
}

func closeForLog(t *testing.T, db *DB, fs vfs.FS, name string) int {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return len(readAll(t, fs, "db/"+name))
}

func readAll(t *testing.T, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// What a crash leaves of a log is not taken for damage, whatever it leaves of the
// last record; and no record before it may be damaged unnoticed.
func TestLogsEnd(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, old := range []bool{false, true} {
		sizes := []int{10, 3000, 40_000, 200, 70_000, 32_700, 5, 9000, 33_000, 17}
		fs, name, ends := logOf(t, old, sizes...)
		data := readAll(t, fs, "db/"+name)
		number := numberOf(t, name)
		if end := readLog(data, number, true); !end.closed || end.at != ends[len(sizes)-1] || end.damaged != "" {
			t.Errorf("old=%v: of a closed log, readLog() = %+v, want its end at %d", old, end, ends[len(sizes)-1])
		}
		for i := range sizes {
			begin := 0
			if i > 0 {
				begin = ends[i-1]
			}
			// Torn: some of its sectors were written, and the rest is zeros.
			for range 50 {
				torn := bytes.Clone(data[:ends[i]])
				for at := begin; at < ends[i]; at = (at/512 + 1) * 512 {
					if rng.IntN(2) == 0 {
						clear(torn[at:min((at/512+1)*512, len(torn))])
					}
				}
				end := readLog(torn, number, true)
				if end.damaged != "" || end.at != begin && end.at != ends[i] {
					t.Errorf("old=%v: with record %d torn, readLog() = %+v, want its end at %d", old, i, end, begin)
				}
			}
			// Cut off anywhere.
			for range 20 {
				if end := readLog(data[:begin+rng.IntN(ends[i]-begin)], number, true); end.damaged != "" || end.at != begin {
					t.Errorf("old=%v: with record %d cut off, readLog() = %+v, want its end at %d", old, i, end, begin)
				}
			}
			// One bit flipped: with the rest behind it, and as the last.
			for range 200 {
				whole := data
				if rng.IntN(2) == 0 {
					whole = data[:ends[i]]
				}
				flipped := bytes.Clone(whole)
				at := begin + rng.IntN(ends[i]-begin)
				bit := rng.IntN(8)
				flipped[at] ^= 1 << bit
				if end := readLog(flipped, number, true); end.damaged == "" && end.at < ends[i] {
					t.Errorf("old=%v: bit %d at %d flipped in record %d of %d to %d, of %d bytes: readLog() = %+v", old, bit, at, i, begin, ends[i], len(whole), end)
				}
			}
			// Anything overwritten, with more behind it.
			for range 50 {
				spoiled := bytes.Clone(data)
				at := begin + rng.IntN(ends[i]-begin)
				for j := at; j < min(at+1+rng.IntN(40), ends[i]); j++ {
					spoiled[j] = byte(rng.Uint32())
				}
				if bytes.Equal(spoiled, data) {
					continue
				}
				if end := readLog(spoiled, number, true); end.damaged == "" {
					t.Errorf("old=%v: spoiled at %d in record %d of %d to %d: readLog() = %+v", old, at, i, begin, ends[i], end)
				}
			}
		}
	}
}

// A log's file is used again, and what it held before is behind the new end.
func TestOldRecordsBehindALogsEndAreNotDamage(t *testing.T) {
	older := func(number uint32, sizes ...int) []byte {
		fs, name, _ := logOf(t, true, sizes...)
		data := readAll(t, fs, "db/"+name)
		renumber(data, numberOf(t, name), number)
		return data
	}
	rng := rand.New(rand.NewPCG(3, 4))
	behind := older(1, 40_000, 500, 70_000, 9, 12_000)
	fs, name, ends := logOf(t, true, 300, 20_000, 50_000)
	data, number := readAll(t, fs, "db/"+name), numberOf(t, name)
	for i, end := range ends[:3] {
		mixed := append(bytes.Clone(data[:end]), behind[end:]...)
		if got := readLog(mixed, number, true); got.at != end || got.damaged != "" {
			t.Errorf("readLog() = %+v, want its end at %d", got, end)
		}
		begin := 0
		if i > 0 {
			begin = ends[i-1]
		}
		for range 100 { // the last record torn: where it was not written is what was there before
			torn := bytes.Clone(mixed)
			for at := begin; at < end; at = (at/512 + 1) * 512 {
				if rng.IntN(2) == 0 {
					to := min((at/512+1)*512, end)
					copy(torn[at:to], behind[at:to])
				}
			}
			if got := readLog(torn, number, true); got.damaged != "" || got.at != begin && got.at != end {
				t.Errorf("with record %d torn, readLog() = %+v, want its end at %d", i, got, begin)
			}
		}
	}
}

// renumber makes the chunks of a log those of another.
func renumber(data []byte, from, to uint32) {
	copy(data[bytes.Index(data, (&records{number: from}).trailer()):], (&records{number: to}).trailer())
	l := &records{data: data}
	for at := 0; at+logHead <= len(data); {
		_, next, ok := l.chunk(at, from)
		if !ok {
			at++ // zeros at a block's end, or the trailer
			continue
		}
		binary.LittleEndian.PutUint32(data[at+7:], to)
		binary.LittleEndian.PutUint32(data[at:], checksum(data[at+6:next]))
		at = next
	}
}

func TestOpenRefusesADamagedLog(t *testing.T) {
	fs, name, ends := logOf(t, true, 300, 20_000, 50_000, 40)
	data := readAll(t, fs, "db/"+name)
	data[ends[1]+200] ^= 4
	if err := ReplaceFile(fs, "db/"+name, data); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{true, false} {
		_, err := Open("db", Options{FS: fs, ReadOnly: readOnly, Serial: true})
		if want := fmt.Sprintf("%s, offset %d of ", name, ends[1]); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(ReadOnly: %v) = %v, want %q", readOnly, err, want)
		}
	}
}

// Whatever a log holds, reading it ends, within it.
func FuzzReadLog(f *testing.F) {
	f.Add(append([]byte("\x00\x00\x00\x00\x00\x00\x05\x05\x00\x00\x00"), make([]byte, 40)...), uint32(4), true)
	f.Fuzz(func(t *testing.T, data []byte, number uint32, serial bool) {
		end := readLog(data, number, serial)
		if end.at < 0 || end.at > len(data) {
			t.Errorf("readLog() = %+v of %d bytes", end, len(data))
		}
		// What is behind the end does not change what is before it.
		if again := readLog(data[:end.at], number, serial); again.at != end.at && !end.closed {
			t.Errorf("readLog() = %+v, and %+v of what is before that", end, again)
		}
	})
}
