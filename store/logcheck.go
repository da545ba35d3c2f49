package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"strconv"
	"strings"

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
// a store has no synced offsets, and types 5 to 8 in the stead of 9 to 12. A log
// that was closed ends with
//
//	0:4 ‖ 0:2 ‖ 5:1 ‖ log number + 1:4
const (
	logBlock = 32 << 10
	// What comes before the payload, and in the first log.
	chunkHead, firstLogHead = 19, 11

	firstLogTypes, chunkTypes, endOfTypes = 5, 9, 13
)

// What a chunk is of its record.
const (
	fullChunk = iota
	firstChunk
	middleChunk
	lastChunk
)

// logEnd is how a log ends.
type logEnd struct {
	at      int    // where the first record begins that is not whole; the length if all are
	closed  bool   // behind the last record there is a trailer
	damaged string // if the record at at was whole once, what shows that
}

// checkLogs looks through the logs in dir. A log that is not the last was closed
// before the next was begun. With serial, each record was on the disk before the
// next was begun. The error is ErrCorrupt, with file and offset.
func checkLogs(fs vfs.FS, dir string, serial bool) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	last, lastName := uint64(0), ""
	for _, name := range names {
		text, isLog := strings.CutSuffix(name, ".log")
		if number, err := strconv.ParseUint(text, 10, 64); isLog && err == nil && number >= last {
			last, lastName = number, name
		}
	}
	if lastName == "" {
		return nil
	}
	f, err := fs.Open(fs.PathJoin(dir, lastName))
	if err != nil {
		return err
	}
	data, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", lastName, err)
	}
	if end := readLog(data, uint32(last), serial); end.damaged != "" {
		return fmt.Errorf("%w: %s: the record at offset %d of %d bytes: %s", ErrCorrupt, lastName, end.at, len(data), end.damaged)
	}
	return nil
}

// readLog reads the log of that number to its end.
func readLog(data []byte, number uint32, serial bool) logEnd {
	at, record := 0, 0 // the next chunk, and the record that it is of
	for at < len(data) {
		if room := logBlock - at%logBlock; room < chunkHead { // at least for one of the forms
			if tail := data[at:min(at+room, len(data))]; len(bytes.Trim(tail, "\x00")) == 0 {
				if record == at {
					record = at + len(tail)
				}
				at += len(tail)
				continue
			}
		}
		if record == at && bytes.HasPrefix(data[at:], trailer(number)) {
			return logEnd{at: at, closed: true}
		}
		part, next, ok := chunk(data, at, number)
		if !ok || (record == at) != (part == fullChunk || part == firstChunk) {
			break
		}
		at = next
		if part == fullChunk || part == lastChunk {
			record = at
		}
	}
	return logEnd{at: record, damaged: damage(data, record, at, number, serial)}
}

func trailer(number uint32) []byte {
	t := make([]byte, firstLogHead)
	t[6] = firstLogTypes
	binary.LittleEndian.PutUint32(t[7:], number+1)
	return t
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is Pebble's: a CRC, turned so that one over bytes that hold one is good.
func checksum(b []byte) uint32 {
	return bits.RotateLeft32(crc32.Checksum(b, castagnoli), 17) + crcDelta
}

const crcDelta = 0xa282ead8

// chunk reads the chunk at at: what it is of its record and where the next one
// begins. It must pass its checksum and be of that log, not of one whose file is
// used again.
func chunk(data []byte, at int, number uint32) (part, next int, ok bool) {
	if at+firstLogHead > len(data) {
		return 0, 0, false
	}
	head := data[at:]
	if kind := head[6]; kind < firstLogTypes || kind >= endOfTypes || binary.LittleEndian.Uint32(head[7:]) != number {
		return 0, 0, false
	}
	next = at + headLen(head[6]) + int(binary.LittleEndian.Uint16(head[4:]))
	if next > len(data) || next > at-at%logBlock+logBlock {
		return 0, 0, false
	}
	return int(head[6]-firstLogTypes) % 4, next, binary.LittleEndian.Uint32(head) == checksum(data[at+6:next])
}

func headLen(kind byte) int {
	if kind < chunkTypes {
		return firstLogHead
	}
	return chunkHead
}

// damage says what shows that the record at record, whose chunk at at cannot be
// read, was once whole; "" is nothing.
func damage(data []byte, record, at int, number uint32, serial bool) string {
	if at >= len(data) {
		return "" // cut off between chunks
	}
	if serial {
		if i := bytes.Index(data[at:], trailer(number)); i >= 0 {
			return fmt.Sprintf("not whole, and yet the log was closed, at offset %d", at+i)
		}
	}
	// Chunks are looked for at every byte: what says where the next one begins may
	// be what is damaged.
	for i := at + 1; i+firstLogHead <= len(data); i++ {
		part, _, ok := chunk(data, i, number)
		if !ok {
			continue
		}
		if data[i+6] >= chunkTypes && binary.LittleEndian.Uint64(data[i+firstLogHead:]) > uint64(record) {
			return fmt.Sprintf("not whole, and yet synced when the one at offset %d was written", i)
		}
		if serial && (part == fullChunk || part == firstChunk) {
			return fmt.Sprintf("not whole, and yet followed by one, at offset %d", i)
		}
	}
	if bitFlip(data, at) {
		return "one bit has flipped"
	}
	return ""
}

// bitFlip is whether one bit, put right, makes the chunk at at pass its checksum.
// A write that was torn lacks whole sectors, and passes by chance, once in some
// ten thousand.
func bitFlip(data []byte, at int) bool {
	if at+chunkHead > len(data) {
		return false
	}
	if _, _, whole := chunk(data, at, binary.LittleEndian.Uint32(data[at+7:])); whole {
		return false // of the log whose file this was before
	}
	want, length := binary.LittleEndian.Uint32(data[at:]), binary.LittleEndian.Uint16(data[at+4:])
	end := min(at-at%logBlock+logBlock, len(data))
	for _, head := range []int{chunkHead, firstLogHead} { // the type may be what is damaged
		for b := range 16 { // in the length
			if next := at + head + int(length^1<<b); next <= end && checksum(data[at+6:next]) == want {
				return true
			}
		}
		next := at + head + int(length)
		if next <= end && !zeroSector(data[:next], at) && oneBitOff(data[at+6:next], want) {
			return true
		}
	}
	return false
}

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
