// Package roster is membership as a fold over records: which companions there
// are, in the order they were founded, and where each stands.
package roster

import (
	"errors"
	"fmt"
	"slices"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/canon"
	"github.com/kaizen-os/deliberation/quorum/standing"
)

// A Member is a companion as the ledger knows it and what it has earned.
type Member struct {
	quorum.Companion
	Seed     [32]byte // digest of the operator's entry that was last recorded
	Standing *standing.Reliability
}

// A Roster is every member, the withdrawn included, in order of founding. It is
// immutable.
type Roster struct {
	members []Member
}

// Members in order of founding; not to be changed.
func (r *Roster) Members() []Member {
	if r == nil {
		return nil
	}
	return r.members
}

// Find returns the member called id, or nil.
func (r *Roster) Find(id quorum.CompanionID) *Member {
	for i := range r.Members() {
		if r.members[i].ID == id {
			return &r.members[i]
		}
	}
	return nil
}

// ErrMember is a record about a companion that it cannot apply to.
var ErrMember = errors.New("roster")

// Found enters a companion, or takes over what the operator's file now says of
// it. Of a known one, tier and status stand as the ledger has them, but a
// withdrawn one comes back in the status of its entry.
func (r *Roster) Found(f *quorum.Founding) (*Roster, error) {
	c := f.Companion
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMember, err)
	}
	out := r.clone()
	if m := out.Find(c.ID); m != nil {
		c.Tier = m.Tier
		if m.Status != quorum.Withdrawn {
			c.Status = m.Status
		}
		m.Companion, m.Seed = c, f.Digest()
		return out, nil
	}
	if c.Status != quorum.Active && c.Status != quorum.Shadow {
		return nil, fmt.Errorf("%w: %s founded as %q, want active or shadow", ErrMember, c.ID, c.Status)
	}
	out.members = append(out.members, Member{Companion: c, Seed: f.Digest()})
	return out, nil
}

// Withdraw takes a companion off the panel for good, or until it is founded again.
func (r *Roster) Withdraw(id quorum.CompanionID) (*Roster, error) {
	out := r.clone()
	m := out.Find(id)
	if m == nil || m.Status == quorum.Withdrawn {
		return nil, fmt.Errorf("%w: %s is no member that could be withdrawn", ErrMember, id)
	}
	m.Status = quorum.Withdrawn
	return out, nil
}

// Earn gives each member the standing that earned returns for it; nil leaves it
// as it is.
func (r *Roster) Earn(earned func(*Member) *standing.Reliability) *Roster {
	out := r.clone()
	for i := range out.members {
		if to := earned(&out.members[i]); to != nil {
			out.members[i].Standing = to
		}
	}
	return out
}

func (r *Roster) clone() *Roster { return &Roster{members: slices.Clone(r.Members())} }

// Append appends the roster as canonical JSON.
func (r *Roster) Append(dst []byte) []byte {
	dst = append(dst, '[')
	for i := range r.Members() {
		m := &r.members[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"companion":`...)
		dst = quorum.AppendCompanion(dst, &m.Companion)
		dst = append(dst, `,"seed":`...)
		dst = canon.AppendHex(dst, m.Seed[:])
		dst = append(dst, `,"standing":`...)
		dst = m.Standing.Append(dst)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// Read reads what Append wrote; a fault is left in src.
func Read(src *canon.Reader) *Roster {
	r := new(Roster)
	src.Array(func() {
		var m Member
		src.Object(func(key []byte) {
			switch string(key) {
			case "companion":
				m.Companion = quorum.ReadCompanion(src)
			case "seed":
				src.Hex(m.Seed[:])
			case "standing":
				m.Standing = standing.Read(src)
			}
		})
		if r.Find(m.ID) != nil {
			src.Fail("companion %s twice", m.ID)
		}
		r.members = append(r.members, m)
	})
	return r
}
