package quorum

import (
	"crypto/sha256"

	"github.com/kaizen-os/deliberation/quorum/canon"
)

// Who erased a deliberation's text: a role, never a name. [Operator] is one, too.
const (
	Owner   = "owner"   // who had asked
	Steward = "steward" // a person, whose ruling is final
	Gateway = "gateway" // the program itself
)

// An ErasureCause is why the text of a deliberation is gone.
type ErasureCause string

const (
	ErasureAsked ErasureCause = "asked" // somebody who may had it erased
	ErasureLost  ErasureCause = "lost"  // it never became durable, though its proof did
)

// An Erasure says that the text and the salts of a deliberation are gone before
// their retention was over. Its proof stands as it was; its commitments cannot be
// opened any more.
type Erasure struct {
	ID    string
	Actor string // Owner, Steward, Operator or Gateway
	Cause ErasureCause
}

// Type of the record.
func (x *Erasure) Type() RecordType { return TypeErasure }

// AppendLeaf encodes the record; see [Record].
func (x *Erasure) AppendLeaf(dst []byte) ([]byte, int) {
	e := encoder{b: dst}
	e.begin()
	e.str("actor", x.Actor)
	stamp := e.stamp()
	e.str("cause", string(x.Cause))
	e.str("deliberation", x.ID)
	e.end(TypeErasure)
	digest := sha256.Sum256([]byte(x.ID))
	e.subject(digestSHA256, "deliberation/"+x.ID, &digest)
	return e.done(), stamp
}

func readErasure(r *canon.Reader, subjects []Subject) (*Erasure, int64) {
	x := &Erasure{}
	var at int64
	r.Object(func(key []byte) {
		switch string(key) {
		case "actor":
			switch x.Actor = r.String(); x.Actor {
			case Owner, Steward, Operator, Gateway:
			default:
				r.Fail("actor %q", x.Actor)
			}
		case "at":
			at = r.Int()
		case "cause":
			if x.Cause = ErasureCause(r.String()); x.Cause != ErasureAsked && x.Cause != ErasureLost {
				r.Fail("cause %q", x.Cause)
			}
		case "deliberation":
			x.ID = r.String()
		}
	})
	if x.ID == "" || x.Actor == "" || x.Cause == "" {
		r.Fail("deliberation, actor or cause is missing")
	}
	wantSubject(r, subjects, "deliberation/"+x.ID, sha256.Sum256([]byte(x.ID)))
	return x, at
}
