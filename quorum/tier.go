package quorum

import "fmt"

// Tier is a safety tier: what a companion may do, and what may be asked at it.
// Tiers are ordered; the zero Tier is "none given".
type Tier uint8

const (
	NoTier Tier = iota
	Research
	Standard
	High
	Critical
)

// Tiers lists the four tiers from lowest to highest.
var Tiers = [4]Tier{Research, Standard, High, Critical}

var tierNames = [...]string{"", "research", "standard", "high", "critical"}

func (t Tier) String() string { return tierNames[t] }

// ParseTier reads a tier's name.
func ParseTier(s string) (Tier, error) {
	for i, n := range tierNames[1:] {
		if s == n {
			return Tier(i + 1), nil
		}
	}
	return NoTier, fmt.Errorf("unknown tier %q: want research, standard, high or critical", s)
}

// MarshalText and UnmarshalText let a Tier stand as its name in JSON and YAML.
func (t Tier) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

func (t *Tier) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTier(string(b))
	return err
}
