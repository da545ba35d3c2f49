package quorum

import (
	"crypto/sha256"
	"strings"

	"github.com/kaizen-os/deliberation/quorum/canon"
)

// A Rekeying says that the ledger is from now on signed with another key too,
// and later with that one alone. It stands under a checkpoint of the key before
// it, which so hands over to the new one.
type Rekeying struct {
	Key string // the new verifier key, in note form
}

// Type of the record.
func (k *Rekeying) Type() RecordType { return TypeRekeying }

// AppendLeaf encodes the record; see [Record].
func (k *Rekeying) AppendLeaf(dst []byte) ([]byte, int) {
	e := encoder{b: dst}
	e.begin()
	stamp := e.stamp()
	e.str("key", k.Key)
	e.end(TypeRekeying)
	digest := sha256.Sum256([]byte(k.Key))
	e.subject(digestSHA256, "ledger/key", &digest)
	return e.done(), stamp
}

func readRekeying(r *canon.Reader, subjects []Subject) (*Rekeying, int64) {
	k := &Rekeying{}
	var at int64
	r.Object(func(key []byte) {
		switch string(key) {
		case "at":
			at = r.Int()
		case "key":
			k.Key = r.String()
		}
	})
	if strings.Count(k.Key, "+") < 2 { // name+hash+base64
		r.Fail("key %q", k.Key)
	}
	wantSubject(r, subjects, "ledger/key", sha256.Sum256([]byte(k.Key)))
	return k, at
}
