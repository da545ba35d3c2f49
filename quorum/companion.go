package quorum

import "fmt"

// CompanionID names a companion: upper case letters, digits, '_' and '-', at most 32.
type CompanionID string

// Valid reports whether id is well formed.
func (id CompanionID) Valid() bool {
	if len(id) == 0 || len(id) > 32 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if !(c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || i > 0 && (c == '_' || c == '-')) {
			return false
		}
	}
	return true
}

// Status is where a companion stands in its life (DESIGN, "Membership"). The
// names are the record's.
type Status string

const (
	Shadow    Status = "shadow"    // asked, never counted
	Active    Status = "active"    // asked and counted
	Suspended Status = "suspended" // neither asked nor counted
	Withdrawn Status = "withdrawn" // left, or no longer in the operator's file
)

// Companion is an admitted model as the ledger knows it. How to reach it
// (endpoint, key) is the operator's and is not here.
type Companion struct {
	ID       CompanionID
	Provider string // the dialect it speaks: kaizen, openai, anthropic, gemini
	Vendor   string // who stands behind it: counted by "distinct vendors" and recusal
	Family   string // models of one make share a weight cap
	Model    string
	Tier     Tier
	Weight   PPM // its own vote weight; zero takes its tier's default
	Sentinel bool
	Status   Status
	Price    Price
}

// Validate says what is wrong with c, or nil.
func (c *Companion) Validate() error {
	switch {
	case !c.ID.Valid():
		return fmt.Errorf("companion id %q: want 1 to 32 of A-Z, 0-9, _ and -, starting with a letter or digit", c.ID)
	case c.Provider == "" || c.Vendor == "" || c.Family == "":
		return fmt.Errorf("companion %s: provider, vendor and family are required", c.ID)
	case len(c.Model) > 64 || len(c.Vendor) > 32 || len(c.Family) > 32:
		return fmt.Errorf("companion %s: model (64), vendor or family (32) is too long", c.ID)
	case c.Tier < Research || c.Tier > Critical:
		return fmt.Errorf("companion %s: tier is required", c.ID)
	case c.Weight < 0 || c.Weight > One:
		return fmt.Errorf("companion %s: weight %s is outside 0 to 1", c.ID, c.Weight)
	case c.Price.Input < 0 || c.Price.Output < 0:
		return fmt.Errorf("companion %s: a price is below 0", c.ID)
	}
	return nil
}
