package quorum

import (
	"crypto/sha256"
	"fmt"

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

// Validate says what of x is not one of the words it may be.
func (x *Erasure) Validate() error {
	switch x.Actor {
	case Owner, Steward, Operator, Gateway:
	default:
		return fmt.Errorf("%w: erasure by %q", ErrRecord, x.Actor)
	}
	if x.Cause != ErasureAsked && x.Cause != ErasureLost {
		return fmt.Errorf("%w: erasure because %q", ErrRecord, x.Cause)
	}
	if x.ID == "" {
		return fmt.Errorf("%w: erasure of nothing", ErrRecord)
	}
	return nil
}

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
			x.Actor = r.String()
		case "at":
			at = r.Int()
		case "cause":
			x.Cause = ErasureCause(r.String())
		case "deliberation":
			x.ID = r.String()
		}
	})
	if err := x.Validate(); err != nil {
		r.Fail("%v", err)
	}
	wantSubject(r, subjects, "deliberation/"+x.ID, sha256.Sum256([]byte(x.ID)))
	return x, at
}
