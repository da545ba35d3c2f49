package quorum

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/kaizen-os/deliberation/quorum/canon"
)

// A RecordType names what a record says; it is the middle of the in-toto
// predicate type, "https://kaizen-os.civic.ai/attestation/<type>/v1".
type RecordType string

const (
	TypeDeliberation RecordType = "deliberation"
	TypeCompletion   RecordType = "deliberation.completed"
	TypeCacheHits    RecordType = "cache.hits"
	TypeCompanion    RecordType = "companion.founded"
	TypeWithdrawal   RecordType = "companion.withdrawn"
	TypePolicy       RecordType = "policy.activated"
	TypeRekeying     RecordType = "ledger.rekeyed"
	TypeErasure      RecordType = "text.erased"
	TypeCalibration  RecordType = "calibration.counted"
	TypeFeedback     RecordType = "feedback.given"
	TypeConfirmation RecordType = "feedback.confirmed"
)

const (
	predicatePrefix  = "https://kaizen-os.civic.ai/attestation/"
	predicateVersion = "/v1"
	statementType    = "https://in-toto.io/Statement/v1"
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

var (
	// ErrRecord is a leaf that is no record of ours.
	ErrRecord = errors.New("not a ledger record")
	// ErrRecordType is a record of a type or version this program does not know:
	// a fold must stop before it.
	ErrRecordType = errors.New("unknown record type or version")
)

// A Subject binds a commitment (or a plain digest) to the statement by name.
type Subject struct {
	Name   string
	Digest [32]byte
}

// Names of the digests of subjects.
const (
	digestCommitment = "kaizenCommitmentV1"
	digestSHA256     = "sha256"
)

// ParseRecord reads a leaf and the time stamped on it. What it accepts is
// canonical: encoding the record again gives the same bytes.
func ParseRecord(leaf []byte) (rec Record, at int64, err error) {
	if len(leaf) > MaxLeaf {
		return nil, 0, fmt.Errorf("%w: %d bytes, at most %d", ErrRecord, len(leaf), MaxLeaf)
	}
	var predicate []byte
	var kind string
	var subjects []Subject
	seen := 0
	r := canon.NewReader(leaf)
	r.Object(func(key []byte) {
		seen++
		switch string(key) {
		case "_type":
			if got := r.String(); got != statementType {
				r.Fail("statement type %q", got)
			}
		case "predicate":
			predicate = r.Raw()
		case "predicateType":
			kind = r.String()
		case "subject":
			subjects = readSubjects(r)
		}
	})
	if err := r.End(); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if seen != 4 {
		return nil, 0, fmt.Errorf("%w: want _type, predicate, predicateType and subject", ErrRecord)
	}
	name, ours := strings.CutPrefix(kind, predicatePrefix)
	name, current := strings.CutSuffix(name, predicateVersion)
	if !ours || !current {
		return nil, 0, fmt.Errorf("%w: %q", ErrRecordType, kind)
	}
	p := canon.NewReader(predicate)
	switch RecordType(name) {
	case TypeDeliberation:
		rec, at = readProof(p, subjects)
	case TypeCompletion:
		rec, at = readCompletion(p, subjects)
	case TypeCacheHits:
		rec, at = readCacheHits(p, subjects)
	case TypeCompanion:
		rec, at = readFounding(p, subjects)
	case TypeWithdrawal:
		rec, at = readWithdrawal(p, subjects)
	case TypePolicy:
		rec, at = readActivation(p, subjects)
	case TypeRekeying:
		rec, at = readRekeying(p, subjects)
	case TypeErasure:
		rec, at = readErasure(p, subjects)
	case TypeCalibration:
		rec, at = readCalibration(p, subjects)
	case TypeFeedback:
		rec, at = readFeedback(p, subjects)
	case TypeConfirmation:
		rec, at = readConfirmation(p, subjects)
	default:
		return nil, 0, fmt.Errorf("%w: %q", ErrRecordType, kind)
	}
	if err := p.End(); err != nil {
		return nil, 0, fmt.Errorf("%w: %s: %w", ErrRecord, name, err)
	}
	if len(strconv.FormatInt(at, 10)) != StampDigits {
		return nil, 0, fmt.Errorf("%w: %s: time %d is not of %d digits", ErrRecord, name, at, StampDigits)
	}
	// One record, one encoding: what an encoder leaves out, or would put
	// elsewhere, is refused here in one place.
	again, stamp := rec.AppendLeaf(make([]byte, 0, len(leaf)))
	PutStamp(again, stamp, at)
	if !bytes.Equal(again, leaf) {
		return nil, 0, fmt.Errorf("%w: %s: not in its one encoding", ErrRecord, name)
	}
	return rec, at, nil
}

func readSubjects(r *canon.Reader) []Subject {
	var out []Subject
	r.Array(func() {
		var s Subject
		r.Object(func(key []byte) {
			switch string(key) {
			case "digest":
				r.Object(func(name []byte) {
					if n := string(name); n == digestCommitment || n == digestSHA256 {
						r.Hex(s.Digest[:])
					}
				})
			case "name":
				s.Name = r.String()
			}
		})
		if s.Name == "" {
			r.Fail("subject without a name")
		}
		out = append(out, s)
	})
	return out
}

// An encoder writes members of one canonical object after another; its caller
// keeps them in key order. Members that hold nothing are left out, so that a
// record has one encoding.
type encoder struct {
	b     []byte
	fresh bool // nothing since the last '{' or '['
}

func (e *encoder) open(c byte)  { e.b = append(e.b, c); e.fresh = true }
func (e *encoder) close(c byte) { e.b = append(e.b, c); e.fresh = false }

func (e *encoder) comma() {
	if !e.fresh {
		e.b = append(e.b, ',')
	}
	e.fresh = false
}

func (e *encoder) key(k string) {
	e.comma()
	e.b = append(e.b, '"')
	e.b = append(e.b, k...)
	e.b = append(e.b, '"', ':')
}

func (e *encoder) str(k, v string) {
	if v != "" {
		e.key(k)
		e.b = canon.AppendString(e.b, v)
	}
}

func (e *encoder) flag(k string, v bool) {
	if v {
		e.key(k)
		e.b = append(e.b, "true"...)
	}
}

func (e *encoder) num(k string, v int64) {
	if v != 0 {
		e.always(k, v)
	}
}

// always writes v even when it is zero.
func (e *encoder) always(k string, v int64) {
	e.key(k)
	e.b = strconv.AppendInt(e.b, v, 10)
}

func (e *encoder) hex(k string, v []byte) {
	e.key(k)
	e.b = canon.AppendHex(e.b, v)
}

// stamp leaves room for the time and returns where.
func (e *encoder) stamp() int {
	e.key("at")
	at := len(e.b)
	e.b = append(e.b, "0000000000000"...)
	return at
}

// begin and end frame a predicate with its statement.
func (e *encoder) begin() {
	e.b = append(e.b, `{"_type":"`+statementType+`","predicate":`...)
	e.open('{')
}

func (e *encoder) end(t RecordType) {
	e.close('}')
	e.b = append(e.b, `,"predicateType":"`+predicatePrefix...)
	e.b = append(e.b, t...)
	e.b = append(e.b, predicateVersion+`","subject":[`...)
	e.fresh = true
}

func (e *encoder) subject(digestName, name string, digest *[32]byte) {
	e.comma()
	e.b = append(e.b, `{"digest":{"`...)
	e.b = append(e.b, digestName...)
	e.b = append(e.b, '"', ':')
	e.b = canon.AppendHex(e.b, digest[:])
	e.b = append(e.b, `},"name":`...)
	e.b = canon.AppendString(e.b, name)
	e.b = append(e.b, '}')
}

// commitment writes a subject unless there is nothing committed to.
func (e *encoder) commitment(name string, digest *[32]byte) {
	if *digest != ([32]byte{}) {
		e.subject(digestCommitment, name, digest)
	}
}

func (e *encoder) done() []byte { return append(e.b, ']', '}') }
