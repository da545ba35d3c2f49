package quorum

import "crypto/sha256"

// A RecordType names what a record says; it is the last part of the in-toto
// predicate type, "https://kaizen-os.civic.ai/attestation/<type>/v1".
type RecordType string

// PredicatePrefix and PredicateVersion frame a RecordType to a predicate type.
const (
	PredicatePrefix  = "https://kaizen-os.civic.ai/attestation/"
	PredicateVersion = "/v1"
)

// StampDigits is the width of a record's time: UTC milliseconds, 13 digits
// until the year 2286.
const StampDigits = 13

// MaxLeaf is the most bytes one ledger entry may have (C2SP tlog-tiles).
const MaxLeaf = 65_535

// A Record is one fact kept in the ledger. Its canonical bytes (a leaf) are an
// unsigned in-toto Statement v1 in RFC 8785 JSON. The sequencer alone knows the
// time, so a leaf is encoded with [StampDigits] zeros in its place.
type Record interface {
	Type() RecordType
	// AppendLeaf appends the leaf to dst and returns the offset, from the start
	// of the result, of the time's digits.
	AppendLeaf(dst []byte) (leaf []byte, stamp int)
}

// PutStamp writes at (UTC milliseconds) over the zeros that AppendLeaf left at
// leaf[stamp:]. It panics if at has not exactly StampDigits digits.
func PutStamp(leaf []byte, stamp int, at int64) {
	digits := leaf[stamp : stamp+StampDigits]
	for i := StampDigits - 1; i >= 0; i-- {
		digits[i] = byte('0' + at%10)
		at /= 10
	}
	if at != 0 || digits[0] == '0' {
		panic("bug: record time outside 13 digits")
	}
}

// LeafHash is the RFC 6962 hash of a leaf: SHA-256(0x00 ‖ leaf).
func LeafHash(leaf []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(leaf)
	var sum [32]byte
	h.Sum(sum[:0])
	return sum
}
