package quorum

import "fmt"

// VerdictStatus is what a deliberation came to.
type VerdictStatus uint8

const (
	RefusedPrompt VerdictStatus = iota // the prompt itself: nobody was asked
	Inquorate                          // too few counted ballots for any answer to have authority
	Lost                               // a vote whose leading position is not approve, with enough taking part
	Carried
	Contested // an answer leads, without what the tier asks for
	Pending   // carried, and waits for a steward's co-sign
	Expired   // waited too long
)

var statusNames = [...]string{"refused", "inquorate", "lost", "carried", "contested", "pending", "expired"}

func (s VerdictStatus) String() string { return statusNames[s] }

// ParseVerdictStatus reads a status's name.
func ParseVerdictStatus(s string) (VerdictStatus, error) {
	for i, n := range statusNames {
		if s == n {
			return VerdictStatus(i), nil
		}
	}
	return 0, fmt.Errorf("unknown verdict status %q", s)
}

// NoConfidence stands for "none": open text and code have no calibrated confidence.
const NoConfidence PPM = -1

// A Position is one answer and what stands behind it.
type Position struct {
	Weight     PPM // sum over its supporters of what decides
	TierWeight PPM
	Earned     PPM
	Supporters int
	Share      PPM // of the counted weight that took a position
	Best       int // the ballot that speaks for it
	Stance     Stance
	HasTop     bool // a critical companion is among them
}

// A Dissent is a position that did not win and must be heard.
type Dissent struct {
	Position int
	WinsBy   string // "tier", "count" or "": by what other rule it would have won
}

// A Verdict is what the rules make of a panel's ballots. Positions are in order
// of strength; the first is the leader, if there is any.
type Verdict struct {
	Status     VerdictStatus
	Winner     int // index of the ballot whose reply is the answer, or -1
	Decision   Stance
	Positions  []Position
	Dissent    []Dissent
	Agreement  PPM  // the leader's share of all seated weight
	Bound      bool // some seats were not waited for: agreement is a lower bound
	Share      PPM  // the leader's share of the counted weight that took a position
	Margin     PPM  // by which it leads the next
	Confidence PPM  // or NoConfidence
	Votes      int  // approvals: counted ballots of positive weight behind the leader
	Required   int
	Degraded   bool // some seat failed us
	Flips      bool // the other kind of weight would have led to another answer
}
