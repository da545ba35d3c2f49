package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"os"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Pebble takes what it cannot read in its last log for the log's end: a write
// that the crash has torn, and that nobody was told was kept. That is nearly
// always what it is. But a record that was synced, and answered for, can be
// damaged too; then it and all behind it would go, unsaid, and be written over.
//
// Pebble looks for signs of that itself, at the offset that later records say was
// synced before them, but only from the next block of 32 KiB on, and the offsets
// leave out what filled up a block: over the log of a store with large batches
// nearly everything. So the logs are looked through here before Pebble sees them.
//
// The form of a log (package record of Pebble): blocks of 32 KiB, in them chunks
//
//	crc:4 ‖ length:2 ‖ type:1 ‖ log number:4 ‖ synced offset:8 ‖ payload
//
// of which one (full) or several (first, middle, last) are a record. Where no
// chunk's head fits into what is left of a block there are zeros. The first log of
// a store has no synced offsets, a manifest no log numbers either. A log that was
// closed ends with
//
//	0:4 ‖ 0:2 ‖ 5:1 ‖ log number + 1:4
const (
	logBlock = 32 << 10

	manifestHead, firstLogHead, logHead    = 7, 11, 19 // what comes before the payload
	manifestTypes, firstLogTypes, logTypes = 1, 5, 9   // the first of four each
	endOfTypes                             = 13
)

// What a chunk is of its record.
const (
	fullChunk = iota
	firstChunk
	middleChunk
	lastChunk
)

// checkFiles looks at what Pebble, opening the store in dir, takes for granted or
// does not name when it is wrong: the last log (one before it was closed, or Pebble
// does not take it), the manifest, and the options. With serial, each record of the
// log was on the disk before the next was begun, as it is in a manifest. The error
// is ErrCorrupt, with file and offset.
func checkFiles(fs vfs.FS, dir string, serial bool) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	var log, manifest, options string
	var number, turn uint64
	for _, name := range names {
		if text, ok := strings.CutSuffix(name, ".log"); ok {
			if n, err := strconv.ParseUint(text, 10, 64); err == nil && n >= number {
				number, log = n, name
			}
		}
		if strings.HasPrefix(name, "OPTIONS-") {
			options = max(options, name)
		}
		if text, ok := strings.CutPrefix(name, "marker.manifest."); ok {
			text, value, _ := strings.Cut(text, ".")
			if n, err := strconv.ParseUint(text, 10, 64); err == nil && n >= turn {
				turn, manifest = n, value
			}
		}
	}
	for _, l := range []records{{name: manifest, manifest: true, serial: true}, {name: log, number: uint32(number), serial: serial}} {
		if l.data, err = readFile(fs, dir, l.name); err != nil {
			return err
		}
		if end := l.end(); end.damaged != "" {
			return fmt.Errorf("%w: %s, offset %d of %d: the record there is not whole, %s: restore it from a backup", ErrCorrupt, l.name, end.at, len(l.data), end.damaged)
		}
	}
	text, err := readFile(fs, dir, options)
	if err != nil || options == "" {
		return err
	}
	ours := pebble.Options{Comparer: pebble.DefaultComparer, Merger: pebble.DefaultMerger, FS: fs}
	if err := ours.CheckCompatibility(dir, string(text)); err != nil {
		return fmt.Errorf("%w: %s: remove it, or restore it from a backup (%w)", ErrCorrupt, options, Plain(err))
	}
	return nil
}

// readFile reads the file of that name in dir; nil if there is none, which is for
// Pebble to say.
func readFile(fs vfs.FS, dir, name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	file, err := fs.Open(fs.PathJoin(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

// records is a log or a manifest.
type records struct {
	name     string
	data     []byte
	number   uint32 // the log's, by its lower bits
	manifest bool
	serial   bool // each record was on the disk before the next was begun
}

// logEnd is how a log ends.
type logEnd struct {
	at      int    // where the first record begins that is not whole; the length if all are
	closed  bool   // behind the last record there is a trailer
	damaged string // if the record at at was whole once, what shows that
}

// end finds the log's end.
func (l *records) end() logEnd {
	at, record := 0, 0 // the next chunk, and the record that it is of
	for at < len(l.data) {
		if room := logBlock - at%logBlock; room < l.heads()[0] {
			if tail := l.data[at:min(at+room, len(l.data))]; len(bytes.Trim(tail, "\x00")) == 0 {
				if record == at {
					record = at + len(tail)
				}
				at += len(tail)
				continue
			}
		}
		if record == at && !l.manifest && bytes.HasPrefix(l.data[at:], l.trailer()) {
			return logEnd{at: at, closed: true}
		}
		part, next, ok := l.chunk(at, l.number)
		if !ok || (record == at) != (part == fullChunk || part == firstChunk) {
			break
		}
		at = next
		if part == fullChunk || part == lastChunk {
			record = at
		}
	}
	return logEnd{at: record, damaged: l.damage(record, at)}
}

// heads are the lengths that chunks' heads may have, the greatest first.
func (l *records) heads() []int {
	if l.manifest {
		return []int{manifestHead}
	}
	return []int{logHead, firstLogHead}
}

func (l *records) trailer() []byte {
	t := make([]byte, firstLogHead)
	t[6] = firstLogTypes
	binary.LittleEndian.PutUint32(t[7:], l.number+1)
	return t
}

// chunk reads the chunk at at: what it is of its record and where the next one
// begins. It must pass its checksum and be of the log of that number, not of one
// whose file is used again.
func (l *records) chunk(at int, number uint32) (part, next int, ok bool) {
	if at+l.heads()[len(l.heads())-1] > len(l.data) {
		return 0, 0, false
	}
	b := l.data[at:]
	types, head := manifestTypes, manifestHead
	if !l.manifest {
		if types, head = firstLogTypes, firstLogHead; b[6] >= logTypes {
			types, head = logTypes, logHead
		}
		if binary.LittleEndian.Uint32(b[7:]) != number {
			return 0, 0, false
		}
	}
	part, next = int(b[6])-types, at+head+int(binary.LittleEndian.Uint16(b[4:]))
	if part < fullChunk || part > lastChunk || next > len(l.data) || next > at-at%logBlock+logBlock {
		return 0, 0, false
	}
	return part, next, binary.LittleEndian.Uint32(b) == checksum(l.data[at+6:next])
}

// damage says what shows that the record at record, whose chunk at at cannot be
// read, was once whole; "" is nothing.
func (l *records) damage(record, at int) string {
	if at >= len(l.data) {
		return "" // cut off between chunks
	}
	if l.serial && !l.manifest {
		if i := bytes.Index(l.data[at:], l.trailer()); i >= 0 {
			return fmt.Sprintf("and yet the log was closed, at offset %d", at+i)
		}
	}
	// Chunks are looked for at every byte: what says where the next one begins may
	// be what is damaged.
	for i := at + 1; i < len(l.data); i++ {
		part, _, ok := l.chunk(i, l.number)
		if !ok {
			continue
		}
		if l.data[i+6] >= logTypes && binary.LittleEndian.Uint64(l.data[i+firstLogHead:]) > uint64(record) {
			return fmt.Sprintf("and yet was synced when the chunk at offset %d was written", i)
		}
		if l.serial && (part == fullChunk || part == firstChunk) {
			return fmt.Sprintf("and yet is followed by one, at offset %d", i)
		}
	}
	if l.bitFlip(at) {
		return "but for one bit"
	}
	return ""
}

// bitFlip is whether one bit, put right, makes the chunk at at pass its checksum.
// A write that was torn lacks whole sectors, and passes by chance, once in some
// ten thousand.
func (l *records) bitFlip(at int) bool {
	if at+l.heads()[0] > len(l.data) {
		return false
	}
	b := l.data[at:min(at-at%logBlock+logBlock, len(l.data))]
	if !l.manifest {
		if _, _, whole := l.chunk(at, binary.LittleEndian.Uint32(b[7:])); whole {
			return false // of the log whose file this was before
		}
	}
	want, length := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint16(b[4:])
	for _, head := range l.heads() { // the type may be what is damaged
		for bit := range 16 { // of the length
			if end := head + int(length^1<<bit); end <= len(b) && checksum(b[6:end]) == want {
				return true
			}
		}
		end := head + int(length)
		if end <= len(b) && !zeroSector(l.data[:at+end], at) && oneBitOff(b[6:end], want) {
			return true
		}
	}
	return false
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is Pebble's: a CRC, turned so that one over bytes that hold one is good.
func checksum(b []byte) uint32 {
	return bits.RotateLeft32(crc32.Checksum(b, castagnoli), 17) + crcDelta
}

const crcDelta = 0xa282ead8

// oneBitOff is whether one bit of b, or of want, keeps want from being its
// checksum.
func oneBitOff(b []byte, want uint32) bool {
	got := checksum(b)
	if bits.OnesCount32(got^want) == 1 {
		return true
	}
	// A CRC is linear: what one bit changes depends on how far it is from the end,
	// and is found for one byte more from what it is there.
	diff := bits.RotateLeft32(got-crcDelta, -17) ^ bits.RotateLeft32(want-crcDelta, -17)
	var flips [8]uint32
	for i := range flips {
		flips[i] = castagnoli[1<<i]
	}
	for range b {
		for i, flip := range flips {
			if flip == diff {
				return true
			}
			flips[i] = flip>>8 ^ castagnoli[byte(flip)]
		}
	}
	return false
}

// zeroSector is whether data from at on has a whole sector of zeros, as where
// nothing was written.
func zeroSector(data []byte, at int) bool {
	const sector = 512
	for i := (at + sector - 1) / sector * sector; i+sector <= len(data); i += sector {
		if len(bytes.TrimLeft(data[i:i+sector], "\x00")) == 0 {
			return true
		}
	}
	return false
}
