package quorum

import (
	"bytes"
	"crypto/sha256"
	"strconv"

	"github.com/kaizen-os/deliberation/quorum/canon"
)

// Operator is the actor of what the operator's configuration says.
const Operator = "operator"

// A Founding enters a companion, or what the operator's file now says of it.
// Status and tier hold for a companion the ledger does not know; for one it
// knows they stand as the ledger has decided since.
type Founding struct {
	Actor     string // who did it, such as [Operator]
	Companion Companion
}

// Type of the record.
func (f *Founding) Type() RecordType { return TypeCompanion }

// Digest of the companion's entry: a changed file is told by it.
func (f *Founding) Digest() [32]byte {
	e := encoder{}
	f.Companion.encode(&e)
	return sha256.Sum256(e.b)
}

// AppendLeaf encodes the record; see [Record].
func (f *Founding) AppendLeaf(dst []byte) ([]byte, int) {
	e := encoder{b: dst}
	e.begin()
	e.str("actor", f.Actor)
	stamp := e.stamp()
	e.key("companion")
	f.Companion.encode(&e)
	e.end(TypeCompanion)
	digest := f.Digest()
	e.subject(digestSHA256, "companion/"+string(f.Companion.ID), &digest)
	return e.done(), stamp
}

func (c *Companion) encode(e *encoder) {
	e.open('{')
	e.str("family", c.Family)
	e.str("id", string(c.ID))
	e.num("inputPrice", int64(c.Price.Input))
	e.str("model", c.Model)
	e.num("outputPrice", int64(c.Price.Output))
	e.str("provider", c.Provider)
	e.flag("sentinel", c.Sentinel)
	e.str("status", string(c.Status))
	e.str("tier", c.Tier.String())
	e.str("vendor", c.Vendor)
	e.num("weight", int64(c.Weight))
	e.close('}')
}

// ReadCompanion reads one companion as records and snapshots hold it.
func ReadCompanion(r *canon.Reader) Companion {
	var c Companion
	r.Object(func(key []byte) {
		switch string(key) {
		case "family":
			c.Family = r.String()
		case "id":
			c.ID = CompanionID(r.String())
		case "inputPrice":
			c.Price.Input = MicroUSD(r.Int())
		case "model":
			c.Model = r.String()
		case "outputPrice":
			c.Price.Output = MicroUSD(r.Int())
		case "provider":
			c.Provider = r.String()
		case "sentinel":
			c.Sentinel = r.Bool()
		case "status":
			c.Status = Status(r.String())
			if c.Status != Shadow && c.Status != Active && c.Status != Suspended && c.Status != Withdrawn {
				r.Fail("status %q", c.Status)
			}
		case "tier":
			c.Tier = readName(r, ParseTier)
		case "vendor":
			c.Vendor = r.String()
		case "weight":
			c.Weight = PPM(r.Int())
		}
	})
	if r.Err() == nil {
		if err := c.Validate(); err != nil {
			r.Fail("%v", err)
		}
	}
	return c
}

// AppendCompanion appends c as [ReadCompanion] reads it.
func AppendCompanion(dst []byte, c *Companion) []byte {
	e := encoder{b: dst}
	c.encode(&e)
	return e.b
}

func readFounding(r *canon.Reader, subjects []Subject) (*Founding, int64) {
	f := &Founding{}
	var at int64
	r.Object(func(key []byte) {
		switch string(key) {
		case "actor":
			f.Actor = r.String()
		case "at":
			at = r.Int()
		case "companion":
			f.Companion = ReadCompanion(r)
		}
	})
	if f.Companion.ID == "" {
		r.Fail("companion is missing")
	}
	wantSubject(r, subjects, "companion/"+string(f.Companion.ID), f.Digest())
	return f, at
}

func wantSubject(r *canon.Reader, subjects []Subject, name string, digest [32]byte) {
	if len(subjects) != 1 || subjects[0] != (Subject{name, digest}) {
		r.Fail("subject is not %s with the digest of what is recorded", name)
	}
}

// A Withdrawal takes a companion off the roster.
type Withdrawal struct {
	Actor     string
	Companion CompanionID
	Reason    string
}

// Type of the record.
func (w *Withdrawal) Type() RecordType { return TypeWithdrawal }

// AppendLeaf encodes the record; see [Record].
func (w *Withdrawal) AppendLeaf(dst []byte) ([]byte, int) {
	e := encoder{b: dst}
	e.begin()
	e.str("actor", w.Actor)
	stamp := e.stamp()
	e.str("companion", string(w.Companion))
	e.str("reason", w.Reason)
	e.end(TypeWithdrawal)
	digest := sha256.Sum256([]byte(w.Companion))
	e.subject(digestSHA256, "companion/"+string(w.Companion), &digest)
	return e.done(), stamp
}

func readWithdrawal(r *canon.Reader, subjects []Subject) (*Withdrawal, int64) {
	w := &Withdrawal{}
	var at int64
	r.Object(func(key []byte) {
		switch string(key) {
		case "actor":
			w.Actor = r.String()
		case "at":
			at = r.Int()
		case "companion":
			if w.Companion = CompanionID(r.String()); !w.Companion.Valid() {
				r.Fail("companion %q", w.Companion)
			}
		case "reason":
			w.Reason = r.String()
		}
	})
	wantSubject(r, subjects, "companion/"+string(w.Companion), sha256.Sum256([]byte(w.Companion)))
	return w, at
}

// An Activation puts a policy in force.
type Activation struct {
	Actor  string
	Policy *Policy
}

// Type of the record.
func (a *Activation) Type() RecordType { return TypePolicy }

// AppendLeaf encodes the record; see [Record].
func (a *Activation) AppendLeaf(dst []byte) ([]byte, int) {
	e := encoder{b: dst}
	e.begin()
	e.str("actor", a.Actor)
	stamp := e.stamp()
	e.key("policy")
	e.b = append(e.b, a.Policy.Canonical()...)
	e.end(TypePolicy)
	digest := a.Policy.Digest()
	e.subject(digestSHA256, "policy", &digest)
	return e.done(), stamp
}

func readActivation(r *canon.Reader, subjects []Subject) (*Activation, int64) {
	a := &Activation{}
	var at int64
	r.Object(func(key []byte) {
		switch string(key) {
		case "actor":
			a.Actor = r.String()
		case "at":
			at = r.Int()
		case "policy":
			doc := r.Raw()
			if r.Err() != nil {
				return
			}
			p, err := ParsePolicy(doc)
			switch {
			case err != nil:
				r.Fail("%v", err)
			case !bytes.Equal(p.Canonical(), doc):
				r.Fail("policy document is not in its full form")
			default:
				a.Policy = p
			}
		}
	})
	if a.Policy == nil {
		r.Fail("policy is missing")
		return a, at
	}
	wantSubject(r, subjects, "policy", a.Policy.Digest())
	return a, at
}

func appendInt(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }
