package answer

import "encoding/binary"

// Text is read eight bytes at a time where it is ASCII: a byte each of a number,
// the first the lowest.
const (
	each    = 0x0101010101010101
	tops    = each * 0x80 // the top bit of each byte
	lowered = each * 0x20 // what makes letters small, and leaves digits as they are
)

// eightAt is the first eight bytes of s.
func eightAt(s string) uint64 {
	_ = s[7] // one check, and one load, to the compiler
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// sorts tells of eight bytes, by the top bit of each, which are ASCII letters or
// digits, and which letters.
func sorts(eight uint64) (alnum, letters uint64) {
	low := eight &^ tops
	small := low | lowered
	// Adding what a bound lacks of 0x80 sets the top bit from that bound on.
	letters = (small + each*(0x80-'a')) &^ (small + each*(0x7f-'z')) &^ eight & tops
	digits := (low + each*(0x80-'0')) &^ (low + each*(0x7f-'9')) &^ eight & tops
	return letters | digits, letters
}

// ending is the last four of b's first n bytes, n > 3: an ending of fewer is looked
// for behind a shift.
func ending(b []byte, n int) uint32 { return binary.LittleEndian.Uint32(b[n-4 : n]) }

// Endings as [ending] gives them.
const (
	es   = 'e' | 's'<<8
	ies  = 'i' | 'e'<<8 | 's'<<16
	xes  = 'x' | 'e'<<8 | 's'<<16
	zes  = 'z' | 'e'<<8 | 's'<<16
	sses = 's' | 's'<<8 | 'e'<<16 | 's'<<24
	shes = 's' | 'h'<<8 | 'e'<<16 | 's'<<24
	ches = 'c' | 'h'<<8 | 'e'<<16 | 's'<<24
	ied  = 'i' | 'e'<<8 | 'd'<<16
	ing  = 'i' | 'n'<<8 | 'g'<<16
	ed   = 'e' | 'd'<<8
	ly   = 'l' | 'y'<<8
)
