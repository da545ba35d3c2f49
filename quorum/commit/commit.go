// Package commit makes the salted commitments that stand in a proof where text
// would: SHA-256(domain ‖ salt ‖ bytes). Who has the bytes and the salt can show
// what was said; who has the commitment alone cannot even test a guess.
//
// One random [Seed] a record is kept, sealed, with its texts; each field's salt
// is derived from it. A commitment is opened field by field by giving away that
// field's salt, never the seed. Erasing the seed closes all of them for good.
//
// The package is pure and stands on the standard library alone, so that a
// client can verify offline with a dozen lines of any language.
package commit

import (
	"crypto/sha256"
	"crypto/subtle"
)

// V1 is the domain of the digests named kaizenCommitmentV1. Domains in use
// must not be prefixes of one another: nothing stands between domain and salt.
const V1 = "kaizenCommitmentV1\x00"

// Size is the length of seeds, salts and commitments in bytes.
const Size = 32

type (
	// A Seed is a record's secret, of which its salts are made.
	Seed [Size]byte
	// A Salt hides one field.
	Salt [Size]byte
	// A Digest is a commitment to one field.
	Digest [Size]byte
)

// Salt is field's salt: HMAC-SHA256(seed, field).
//
// Written out over whole blocks on the stack: a proof needs a dozen salts, and
// crypto/hmac allocates two hashes for each.
func (s *Seed) Salt(field string) Salt {
	const block = sha256.BlockSize
	var room [block + 64]byte
	inner := append(room[:block], field...)
	var outer [block + sha256.Size]byte
	copy(inner, s[:])
	copy(outer[:], s[:])
	for i := range block {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	sum := sha256.Sum256(inner)
	copy(outer[block:], sum[:])
	return sha256.Sum256(outer[:])
}

// Of commits to data under salt: SHA-256(domain ‖ salt ‖ data). It does not
// allocate for data of up to 1,900 bytes.
func Of[T ~string | ~[]byte](domain string, salt Salt, data T) Digest {
	var room [2048]byte
	text := append(append(append(room[:0], domain...), salt[:]...), data...)
	return sha256.Sum256(text)
}

// Opens reports whether salt and data open d.
func (d Digest) Opens(domain string, salt Salt, data []byte) bool {
	got := Of(domain, salt, data)
	return subtle.ConstantTimeCompare(got[:], d[:]) == 1
}
