package quorum

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// FurtherPolicy is what may follow the first round of a deliberation, and what
// other companions' words are shown in it (DESIGN §4.10). Rounds, Judge and
// Synthesis switch steps on by themselves; a request may ask for them, or for
// none, whatever stands here. A number that is left out, or 0, is that of the
// document that says nothing at all: see [Policy.Further].
type FurtherPolicy struct {
	Rounds    int         `json:"rounds,omitzero"`    // 2 asks again where the first round is contested
	Judge     CompanionID `json:"judge,omitzero"`     // chooses where the panel is not sure
	Synthesis CompanionID `json:"synthesis,omitzero"` // writes what came of it
	Tiers     []Tier      `json:"tiers,omitempty"`    // at which these three are on by themselves; absent: at all

	JudgeUnder   PPM   `json:"judgeUnder"`   // confidence below which a carried answer goes before the judge
	QuoteMax     int   `json:"quoteMax"`     // bytes of one quoted reply
	QuoteTotal   int   `json:"quoteTotal"`   // bytes of all that is quoted to one companion
	QuoteMinimum Score `json:"quoteMinimum"` // a reply that scores less is quoted to nobody
}

// standardFurther is what a document says that says nothing: no step by itself,
// and the bounds that those asked for by a request keep to.
var standardFurther = FurtherPolicy{Rounds: 1, JudgeUnder: 500_000, QuoteMax: 4000, QuoteTotal: 32_000, QuoteMinimum: 7500}

// MaxQuotes is how many positions are shown to one companion: a letter each.
const MaxQuotes = 26

// fill completes a section that is there; one that is not stays out of the
// document, which so keeps its digest.
func (f *FurtherPolicy) fill() {
	if f.absent() {
		*f = FurtherPolicy{}
		return
	}
	s := &standardFurther
	if f.Rounds == 0 {
		f.Rounds = s.Rounds
	}
	if f.JudgeUnder == 0 {
		f.JudgeUnder = s.JudgeUnder
	}
	if f.QuoteMax == 0 {
		f.QuoteMax = s.QuoteMax
	}
	if f.QuoteTotal == 0 {
		f.QuoteTotal = s.QuoteTotal
	}
	if f.QuoteMinimum == 0 {
		f.QuoteMinimum = s.QuoteMinimum
	}
}

func (f *FurtherPolicy) absent() bool {
	return f.Rounds == 0 && f.Judge == "" && f.Synthesis == "" && len(f.Tiers) == 0 && f.JudgeUnder == 0 &&
		f.QuoteMax == 0 && f.QuoteTotal == 0 && f.QuoteMinimum == 0
}

func (f *FurtherPolicy) validate() error {
	switch {
	case f.absent():
		return nil
	case f.Rounds < 1 || f.Rounds > 2:
		return errors.New("rounds: want 1 or 2")
	case f.Judge != "" && !f.Judge.Valid():
		return fmt.Errorf("judge: %q is no companion's id", f.Judge)
	case f.Synthesis != "" && !f.Synthesis.Valid():
		return fmt.Errorf("synthesis: %q is no companion's id", f.Synthesis)
	case !fraction(f.JudgeUnder):
		return errors.New("judgeUnder is outside 0 to 1000000")
	case f.QuoteMax < 100 || f.QuoteMax > 64<<10 || f.QuoteTotal < f.QuoteMax || f.QuoteTotal > 1<<20:
		return errors.New("quoteMax (100 to 65536) or quoteTotal (quoteMax to 1048576) is out of range")
	case f.QuoteMinimum < standardFurther.QuoteMinimum || f.QuoteMinimum > MaxScore:
		return fmt.Errorf("quoteMinimum is outside %d to %d", standardFurther.QuoteMinimum, MaxScore)
	}
	for i, t := range f.Tiers {
		if t < Research || slices.Contains(f.Tiers[:i], t) {
			return errors.New("tiers: names none, or one twice")
		}
	}
	return nil
}

// Further is the section on what may follow the first round, complete.
func (p *Policy) Further() *FurtherPolicy {
	if p.Deliberation.absent() {
		return &standardFurther
	}
	return &p.Deliberation
}

// At is f as it switches steps on at tier t.
func (f *FurtherPolicy) At(t Tier) (rounds int, judge, synthesis CompanionID) {
	if len(f.Tiers) > 0 && !slices.Contains(f.Tiers, t) {
		return 1, "", ""
	}
	return max(f.Rounds, 1), f.Judge, f.Synthesis
}

// Why a further step was wanted and did not take place.
const (
	ReasonSettled     = "not needed: the panel was sure enough"
	ReasonOneSided    = "fewer than two positions may be shown"
	ReasonNoAuthority = "no answer has authority"
	ReasonByPanel     = "an operation is decided by the panel alone"
	ReasonNoTime      = "no time was left before the deadline"
	ReasonNoMoney     = "the request's cost limit left no room"
	ReasonNoMember    = "no member that may sit here"

	ReasonNothingToShow = "no reply may be shown"
	ReasonNotInForm     = "not in the form asked for"
	ReasonUnnamed       = "a point names no companion"
	ReasonStranger      = "names a companion that wrote nothing here"
)

// shuffle puts list into an order that depends on the deliberation and the
// purpose alone, so that anybody can tell what was shown in which place, and no
// place means anything.
func shuffle[T any](list []T, id, purpose string) {
	for i := len(list) - 1; i > 0; i-- {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d", purpose, id, i))
		j := int(binary.BigEndian.Uint64(sum[:8]) % uint64(i+1))
		list[i], list[j] = list[j], list[i]
	}
}
