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
	"crypto/hmac"
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
func (s *Seed) Salt(field string) (salt Salt) {
	mac := hmac.New(sha256.New, s[:])
	mac.Write([]byte(field))
	mac.Sum(salt[:0])
	return salt
}

// Of commits to data under salt: SHA-256(domain ‖ salt ‖ data).
func Of(domain string, salt Salt, data []byte) (d Digest) {
	h := sha256.New()
	h.Write([]byte(domain))
	h.Write(salt[:])
	h.Write(data)
	h.Sum(d[:0])
	return d
}

// Opens reports whether salt and data open d.
func (d Digest) Opens(domain string, salt Salt, data []byte) bool {
	got := Of(domain, salt, data)
	return subtle.ConstantTimeCompare(got[:], d[:]) == 1
}
