package roster

import (
	"errors"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/canon"
	"github.com/kaizen-os/deliberation/quorum/standing"
)

func found(id string, tier quorum.Tier, status quorum.Status) *quorum.Founding {
	return &quorum.Founding{Actor: quorum.Operator, Companion: quorum.Companion{ID: quorum.CompanionID(id), Provider: "kaizen", Vendor: "v", Family: "f", Tier: tier, Status: status}}
}

func TestRosterKeepsTheOrderOfFounding(t *testing.T) {
	var r *Roster
	for _, id := range []string{"ZEUS", "ATLAS", "EVE"} {
		next, err := r.Found(found(id, quorum.High, quorum.Active))
		if err != nil {
			t.Fatal(err)
		}
		r = next
	}
	r, err := r.Withdraw("ATLAS")
	if err != nil {
		t.Fatal(err)
	}
	r, err = r.Found(found("ATLAS", quorum.High, quorum.Active))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []quorum.CompanionID{"ZEUS", "ATLAS", "EVE"} {
		if got := r.Members()[i].ID; got != want {
			t.Errorf("member %d is %s, want %s", i, got, want)
		}
	}
}

func TestRosterRefuses(t *testing.T) {
	r, err := (*Roster)(nil).Found(found("EVE", quorum.High, quorum.Active))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]func() error{
		"withdrawing a stranger":     func() error { _, err := r.Withdraw("NOBODY"); return err },
		"a companion without a tier": func() error { _, err := r.Found(found("X", quorum.NoTier, quorum.Active)); return err },
		"founding one as suspended":  func() error { _, err := r.Found(found("X", quorum.High, quorum.Suspended)); return err },
		"an id that is none":         func() error { _, err := r.Found(found("not an id", quorum.High, quorum.Active)); return err },
		"withdrawing somebody twice": func() error {
			once, err := r.Withdraw("EVE")
			if err != nil {
				return nil
			}
			_, err = once.Withdraw("EVE")
			return err
		},
	}
	for name, act := range tests {
		if err := act(); !errors.Is(err, ErrMember) {
			t.Errorf("%s: %v, want ErrMember", name, err)
		}
	}
}

func TestEarnLeavesOthersAlone(t *testing.T) {
	p := quorum.DefaultPolicy()
	r, _ := (*Roster)(nil).Found(found("EVE", quorum.High, quorum.Active))
	r, _ = r.Found(found("JADE", quorum.High, quorum.Active))
	next := r.Earn(func(m *Member) *standing.Reliability {
		if m.ID == "EVE" {
			return m.Standing.Agreed(p, quorum.Number, true)
		}
		return nil
	})
	if len(next.Find("EVE").Standing.Cells()) != 1 || len(next.Find("JADE").Standing.Cells()) != 0 || len(r.Find("EVE").Standing.Cells()) != 0 {
		t.Error("standing reached somebody else, or the roster before")
	}
}

func TestRosterReadsBack(t *testing.T) {
	r, _ := (*Roster)(nil).Found(found("EVE", quorum.High, quorum.Shadow))
	text := r.Append(nil)
	src := canon.NewReader(text)
	again := Read(src)
	if err := src.End(); err != nil || string(again.Append(nil)) != string(text) {
		t.Errorf("%s reads back as %s, %v", text, again.Append(nil), err)
	}
	twice := append(append(append([]byte{}, text[:len(text)-1]...), ','), text[1:]...)
	src = canon.NewReader(twice)
	Read(src)
	if src.End() == nil {
		t.Error("takes one companion twice")
	}
}
