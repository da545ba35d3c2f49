package store

import (
	"encoding/binary"
	"fmt"
)

// Every key of both databases. Numbers are big endian, so that keys sort as
// what they number.
//
//	ledger
//	c                        the signed checkpoint            "c"
//	e ‖ index:8              one entry                        entry 258:            "e" 00 00 00 00 00 00 01 02
//	n ‖ name                 index:8 of the entry so named    entry named dlb_01K:  "ndlb_01K"
//	t ‖ level:1 ‖ number:8   a full tile, 256 hashes          second of level 0:    "t" 00 00 00 00 00 00 00 00 01
//
//	vault
//	k                        what the master key is known by  "k"
//	r ‖ id                   one sealed record                dlb_01K:              "rdlb_01K"
//	o ‖ owner:16 ‖ id        an owner's records, by id        (no value)            "o" 16 bytes "dlb_01K"
//	a ‖ ms:8 ‖ id            records and notes by age         (no value)            "a" 00 00 01 93 5a … "dlb_01K"
//	x ‖ id                   note of an erased record         dlb_01K:              "xdlb_01K"
//	p                        what is to be purged             "p"
const (
	checkpointPrefix = 'c'
	entryPrefix      = 'e'
	namePrefix       = 'n'
	tilePrefix       = 't'
	keyCheckPrefix   = 'k'
	recordPrefix     = 'r'
	ownerPrefix      = 'o'
	agePrefix        = 'a'
	notePrefix       = 'x'
	purgePrefix      = 'p'
)

// Lengths of the keys that have one, and of an owner's tag.
const (
	EntryKeyLen = 1 + 8
	TileKeyLen  = 1 + 1 + 8
	OwnerLen    = 16
	// MaxName bounds a name or id in bytes.
	MaxName = 128
)

// A Range is a span of keys, from Lower up to and without Upper.
type Range struct{ Lower, Upper []byte }

func prefixRange(prefix byte) Range { return Range{[]byte{prefix}, []byte{prefix + 1}} }

// Entries is where the ledger's entries lie, in order of index.
func Entries() Range { return prefixRange(entryPrefix) }

// EntriesFrom is Entries from index on.
func EntriesFrom(index uint64) Range {
	return Range{AppendEntryKey(nil, index), []byte{entryPrefix + 1}}
}

// Names is where the ledger's names lie, in byte order.
func Names() Range { return prefixRange(namePrefix) }

// Tiles is where the full tiles lie, by level and then number.
func Tiles() Range { return prefixRange(tilePrefix) }

// AppendCheckpointKey appends the checkpoint's key.
func AppendCheckpointKey(dst []byte) []byte { return append(dst, checkpointPrefix) }

// AppendEntryKey appends the key of the entry at index.
func AppendEntryKey(dst []byte, index uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, entryPrefix), index)
}

// ParseEntryKey reads an entry's key.
func ParseEntryKey(key []byte) (index uint64, err error) {
	if len(key) != EntryKeyLen || key[0] != entryPrefix {
		return 0, fmt.Errorf("%w: %q is no entry's key", ErrCorrupt, key)
	}
	return binary.BigEndian.Uint64(key[1:]), nil
}

// AppendNameKey appends the key of name.
func AppendNameKey(dst []byte, name string) []byte {
	return append(append(dst, namePrefix), name...)
}

// ParseNameKey reads a name's key.
func ParseNameKey(key []byte) (name string, err error) {
	if len(key) < 2 || len(key) > 1+MaxName || key[0] != namePrefix {
		return "", fmt.Errorf("%w: %q is no name's key", ErrCorrupt, key)
	}
	return string(key[1:]), nil
}

// AppendIndex appends an index as a value.
func AppendIndex(dst []byte, index uint64) []byte { return binary.BigEndian.AppendUint64(dst, index) }

// ParseIndex reads an index as a value.
func ParseIndex(value []byte) (uint64, error) {
	if len(value) != 8 {
		return 0, fmt.Errorf("%w: an index of %d bytes, want 8", ErrCorrupt, len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}

// AppendTileKey appends the key of the full tile at level and number.
func AppendTileKey(dst []byte, level int, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, tilePrefix, byte(level)), number)
}

// ParseTileKey reads a tile's key.
func ParseTileKey(key []byte) (level int, number uint64, err error) {
	if len(key) != TileKeyLen || key[0] != tilePrefix || key[1] > 63 {
		return 0, 0, fmt.Errorf("%w: %q is no tile's key", ErrCorrupt, key)
	}
	return int(key[1]), binary.BigEndian.Uint64(key[2:]), nil
}

// AppendKeyCheckKey appends the key of what the vault's master key is known by.
func AppendKeyCheckKey(dst []byte) []byte { return append(dst, keyCheckPrefix) }

// AppendRecordKey appends the key of the sealed record id.
func AppendRecordKey(dst []byte, id string) []byte {
	return append(append(dst, recordPrefix), id...)
}

// Records is where the sealed records of the ids from first to last lie, both
// included.
func Records(first, last string) Range {
	return Range{AppendRecordKey(nil, first), append(AppendRecordKey(nil, last), 0)}
}

// AppendNoteKey appends the key of the note that the record id was erased.
func AppendNoteKey(dst []byte, id string) []byte { return append(append(dst, notePrefix), id...) }

// Notes is where the notes of erased records lie, in order of id.
func Notes() Range { return prefixRange(notePrefix) }

// ParseNoteKey reads a note's key.
func ParseNoteKey(key []byte) (id string, err error) {
	if len(key) < 2 || len(key) > 1+MaxName || key[0] != notePrefix {
		return "", fmt.Errorf("%w: %q is no note's key", ErrCorrupt, key)
	}
	return string(key[1:]), nil
}

// AppendPurgeKey appends the key of what is to be purged.
func AppendPurgeKey(dst []byte) []byte { return append(dst, purgePrefix) }

// AppendOwnerKey appends the key that lists id among owner's records.
func AppendOwnerKey(dst []byte, owner [OwnerLen]byte, id string) []byte {
	return append(append(append(dst, ownerPrefix), owner[:]...), id...)
}

// OwnerRange is where owner's records are listed, in order of id, up to and
// without the id before; "" is all of them.
func OwnerRange(owner [OwnerLen]byte, before string) Range {
	lower := AppendOwnerKey(nil, owner, "")
	if before != "" {
		return Range{lower, AppendOwnerKey(nil, owner, before)}
	}
	upper := append([]byte(nil), lower...)
	for i := len(upper) - 1; ; i-- { // ends at the prefix, which is not 0xff
		if upper[i]++; upper[i] != 0 {
			return Range{lower, upper}
		}
	}
}

// ParseOwnerKey reads an owner's key.
func ParseOwnerKey(key []byte) (owner [OwnerLen]byte, id string, err error) {
	if len(key) <= 1+OwnerLen || len(key) > 1+OwnerLen+MaxName || key[0] != ownerPrefix {
		return owner, "", fmt.Errorf("%w: %q is no owner's key", ErrCorrupt, key)
	}
	return [OwnerLen]byte(key[1:]), string(key[1+OwnerLen:]), nil
}

// AppendAgeKey appends the key that lists id by its time, UTC milliseconds.
func AppendAgeKey(dst []byte, ms uint64, id string) []byte {
	return append(binary.BigEndian.AppendUint64(append(dst, agePrefix), ms), id...)
}

// AgeRange is where the records of the times from (included) to to (not) are
// listed, oldest first.
func AgeRange(from, to uint64) Range {
	return Range{AppendAgeKey(nil, from, ""), AppendAgeKey(nil, to, "")}
}

// ParseAgeKey reads an age's key.
func ParseAgeKey(key []byte) (ms uint64, id string, err error) {
	if len(key) <= 9 || len(key) > 9+MaxName || key[0] != agePrefix {
		return 0, "", fmt.Errorf("%w: %q is no age's key", ErrCorrupt, key)
	}
	return binary.BigEndian.Uint64(key[1:]), string(key[9:]), nil
}
