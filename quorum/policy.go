package quorum

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kaizen-os/deliberation/quorum/canon"
)

// A Policy holds every number of the rules. It is one versioned document:
// embedded as the default, replaceable by the operator's file, recorded when it
// takes effect, and named by its digest in every proof. All quantities are
// integers: ppm, hundredths of a point, micro-dollars, milliseconds.
//
// A number that came later than the first ledgers is omitted when it is 0, and 0
// is how it was before: their policies keep their digests.
type Policy struct {
	Version       string            `json:"version"`
	Cycle         string            `json:"cycle"`         // "C-114"
	AnswerWeights string            `json:"answerWeights"` // earned or tier
	RefuseUnder   Score             `json:"refuseUnder"`   // a prompt that scores less is put to nobody
	Tiers         []TierPolicy      `json:"tiers"`         // research to critical
	Chambers      []ChamberPolicy   `json:"chambers"`
	Operations    []OperationPolicy `json:"operations"` // first match wins; none is critical
	Kinds         []KindPolicy      `json:"kinds"`      // one for every kind but auto
	Reliability   ReliabilityPolicy `json:"reliability"`
	Consensus     ConsensusPolicy   `json:"consensus"`
	Early         EarlyPolicy       `json:"early"`
	MaxPanel      int               `json:"maxPanel"`
	PendingHours  int               `json:"pendingHours"` // how long an operation waits for its co-sign
	Deliberation  FurtherPolicy     `json:"deliberation,omitzero"`

	digest [32]byte
	byTier [5]*TierPolicy
	byKind [8]*KindPolicy     // as it is in force: see [Policy.WithFitted]
	fitted []FittedConfidence // what of that is not the document's
}

// TierPolicy is what one tier is and asks for.
type TierPolicy struct {
	Tier           Tier     `json:"tier"`
	WeightMin      PPM      `json:"weightMin"` // a companion's own weight must lie between
	WeightMax      PPM      `json:"weightMax"`
	WeightDefault  PPM      `json:"weightDefault"`
	GIMinimum      PPM      `json:"giMinimum"`
	CharterMinimum Score    `json:"charterMinimum"` // a reply under it is recorded and not counted
	Budget         MicroUSD `json:"budgetPer1K"`    // per thousand tokens
	Rule           Rule     `json:"rule"`
}

// Rule is what a deliberation at one tier needs to be carried.
type Rule struct {
	Floor         Tier        `json:"floor"`     // who votes
	Approvals     int         `json:"approvals"` // counted ballots of positive weight in the winning position
	AtLeast       []TierCount `json:"atLeast"`   // of which this many of this tier or above
	Vendors       int         `json:"vendors"`   // distinct vendors among them
	Share         PPM         `json:"share"`     // of the counted weight that took a position
	CoSigners     int         `json:"coSigners"` // stewards, for operations only
	Participation PPM         `json:"participation"`
	Patient       bool        `json:"patient"` // no grace: waits for everyone unless the outcome is fixed
}

// TierCount asks for Count approvals of Tier or above.
type TierCount struct {
	Tier  Tier `json:"tier"`
	Count int  `json:"count"`
}

// ChamberPolicy is a subject room and the lowest tier that may sit in it.
type ChamberPolicy struct {
	Name  string `json:"name"`
	Floor Tier   `json:"floor"`
}

// OperationPolicy gives the tier an operation is decided at. Pattern is a name
// or a prefix ending in ".*".
type OperationPolicy struct {
	Pattern string `json:"pattern"`
	Tier    Tier   `json:"tier"`
}

// KindPolicy is how answers of one kind are weighed and believed. Confidence is
// the logistic of Bias + ByShare·share + ByMargin·margin + ByTurnout·turnout.
type KindPolicy struct {
	Kind          Kind `json:"kind"`
	Alternatives  int  `json:"alternatives"` // K of the log-odds where the request gives no options
	Exponent      int  `json:"exponent"`     // sharpens weights
	Bias          PPM  `json:"bias"`
	ByShare       PPM  `json:"byShare"`
	ByMargin      PPM  `json:"byMargin"`
	ByTurnout     PPM  `json:"byTurnout,omitzero"` // of the weight waited for, what took a position
	MinConfidence PPM  `json:"minConfidence"`

	// FitStrength is how many labelled items these coefficients are worth where a
	// calibration fits them anew; 0: they stay as they are. Of closed kinds only.
	FitStrength int64 `json:"fitStrength,omitzero"`
}

// ReliabilityPolicy turns outcomes into reliability (DESIGN §4.4).
type ReliabilityPolicy struct {
	Base        PPM   `json:"base"`        // p of a kind without evidence: Base + Slope·tier weight
	Slope       PPM   `json:"slope"`       //
	Strength    int64 `json:"strength"`    // outcomes the parent is worth
	CellCap     int64 `json:"cellCap"`     // outcomes a cell remembers
	SoftUnder   int64 `json:"softUnder"`   // agreement counts only below this many labelled outcomes
	SoftCap     int64 `json:"softCap"`     // agreements a cell remembers
	SoftWeight  PPM   `json:"softWeight"`  // an agreement against a labelled outcome
	FamilyCap   PPM   `json:"familyCap"`   // a family's weight over its best member's
	Probability PPM   `json:"probability"` // p is kept this far from 0 and 1
}

// ConsensusPolicy is how replies become positions and a winner.
type ConsensusPolicy struct {
	ClusterAt    PPM `json:"clusterAt"`            // similarity that joins two texts
	OpenWords    int `json:"openWords"`            // longer replies are compared, not clustered
	OwnPosition  PPM `json:"ownPosition"`          // similarity's part in choosing the reply
	OpenSpread   PPM `json:"openSpread"`           // log-odds an open text loses for each deviation that it is astray
	OpenOutlier  PPM `json:"openOutlier,omitzero"` // deviations under the mean resemblance that are not astray; 0: every deviation counts, both ways
	DissentShare PPM `json:"dissentShare"`         // a position below it is no dissent
	PlainShare   PPM `json:"plainShare"`           // of the replies that must show a closed kind for auto to take it
	// RejectionTurnout asks of a leading rejection, too, that as much of the seated
	// weight took part as an approval needs; else it is contested. Without it a vote
	// that does not lead with approve is lost, however few spoke.
	RejectionTurnout bool `json:"rejectionTurnout,omitzero"`
}

// EarlyPolicy is when a deliberation stops listening (DESIGN §4.9).
type EarlyPolicy struct {
	Tempering   PPM   `json:"tempering"`        // of the log-odds in the posterior
	Posterior   PPM   `json:"posterior"`        // of the leader, for it to be likely
	Opposed     PPM   `json:"opposed,omitzero"` // of the weight still out, that it must withstand to be likely
	MinReplies  int   `json:"minReplies"`
	GraceMillis int64 `json:"graceMillis"`
	GraceShare  PPM   `json:"graceShare"` // of the time elapsed, when that is longer
	ObserveOne  int   `json:"observeOne"` // in so many deliberations, by id
}

//go:embed policy.json
var defaultPolicy []byte

// DefaultPolicy is the embedded document, parsed anew.
func DefaultPolicy() *Policy {
	p, err := ParsePolicy(defaultPolicy)
	if err != nil {
		panic("bug: embedded policy: " + err.Error())
	}
	return p
}

// ErrPolicy is a policy document that cannot be used.
var ErrPolicy = errors.New("policy")

// ParsePolicy reads a JSON policy document. Unknown members and numbers out of
// range are refused, naming the member.
func ParsePolicy(doc []byte) (*Policy, error) {
	canonical, err := canon.Transform(doc)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	p := new(Policy)
	d := json.NewDecoder(bytes.NewReader(canonical))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	p.Deliberation.fill()
	if err := p.Deliberation.validate(); err != nil {
		return nil, fmt.Errorf("%w: deliberation: %w", ErrPolicy, err)
	}
	// An absent list and an empty one are the same document.
	if p.Operations == nil {
		p.Operations = []OperationPolicy{}
	}
	for i := range p.Tiers {
		if p.Tiers[i].Rule.AtLeast == nil {
			p.Tiers[i].Rule.AtLeast = []TierCount{}
		}
		p.byTier[p.Tiers[i].Tier] = &p.Tiers[i]
	}
	for i := range p.Kinds {
		p.byKind[p.Kinds[i].Kind] = &p.Kinds[i]
	}
	p.digest = sha256.Sum256(p.Canonical())
	return p, nil
}

// Canonical is the document in canonical JSON.
func (p *Policy) Canonical() []byte {
	doc, err := json.Marshal(p)
	if err == nil {
		doc, err = canon.Transform(doc)
	}
	if err != nil {
		panic("bug: policy does not encode: " + err.Error())
	}
	return doc
}

// Digest is SHA-256 of the canonical document.
func (p *Policy) Digest() [32]byte { return p.digest }

// Tier is the part about t.
func (p *Policy) Tier(t Tier) *TierPolicy { return p.byTier[t] }

// Kind is the part about k, as it is in force; k must not be Auto.
func (p *Policy) Kind(k Kind) *KindPolicy { return p.byKind[k] }

// Chamber is the floor of the chamber called name.
func (p *Policy) Chamber(name string) (floor Tier, ok bool) {
	for _, c := range p.Chambers {
		if c.Name == name {
			return c.Floor, true
		}
	}
	return NoTier, false
}

// OperationTier is the tier that op is decided at; an unknown one is critical.
func (p *Policy) OperationTier(op string) Tier {
	for _, o := range p.Operations {
		prefix, wild := strings.CutSuffix(o.Pattern, "*")
		if o.Pattern == op || wild && strings.HasPrefix(op, prefix) {
			return o.Tier
		}
	}
	return Critical
}

// VoteWeight is what c weighs by its tier alone: its own weight within the
// tier's bounds, or the tier's default.
func (p *Policy) VoteWeight(c *Companion) PPM {
	t := p.Tier(c.Tier)
	if c.Weight == 0 {
		return t.WeightDefault
	}
	return min(max(c.Weight, t.WeightMin), t.WeightMax)
}

func (p *Policy) validate() error {
	if p.Version == "" || !strings.HasPrefix(p.Cycle, "C-") {
		return errors.New(`version is empty or cycle is not "C-n"`)
	}
	if p.AnswerWeights != "earned" && p.AnswerWeights != "tier" {
		return fmt.Errorf("answerWeights is %q: want earned or tier", p.AnswerWeights)
	}
	var tiers, kinds []int
	for i := range p.Tiers {
		t := &p.Tiers[i]
		tiers = append(tiers, int(t.Tier))
		if err := t.validate(); err != nil {
			return fmt.Errorf("tiers[%d] (%s): %w", i, t.Tier, err)
		}
	}
	if !slices.Equal(tiers, []int{1, 2, 3, 4}) {
		return errors.New("tiers: want research, standard, high and critical, in this order")
	}
	for i := range p.Kinds {
		k := &p.Kinds[i]
		kinds = append(kinds, int(k.Kind))
		if k.Alternatives < 2 || k.Alternatives > 1000 || k.Exponent < 0 || k.Exponent > 8 ||
			k.ByShare < 0 || k.ByMargin < 0 || k.ByTurnout < 0 || !fraction(k.MinConfidence) || k.FitStrength < 0 || k.FitStrength > 10_000 {
			return fmt.Errorf("kinds[%d] (%s): a number is out of range", i, k.Kind)
		}
		if k.FitStrength > 0 && !k.Kind.Closed() {
			return fmt.Errorf("kinds[%d] (%s): fitStrength is for closed kinds", i, k.Kind)
		}
	}
	if !slices.Equal(kinds, []int{1, 2, 3, 4, 5, 6, 7}) {
		return errors.New("kinds: want choice, number, short, json, vote, text and code, in this order")
	}
	if len(p.Chambers) == 0 {
		return errors.New("chambers: want at least one")
	}
	for i, c := range p.Chambers {
		if c.Name == "" || c.Floor < Research {
			return fmt.Errorf("chambers[%d]: name or floor is missing", i)
		}
	}
	for i, o := range p.Operations {
		if o.Pattern == "" || o.Tier < Research {
			return fmt.Errorf("operations[%d]: pattern or tier is missing", i)
		}
	}
	r, c, e := &p.Reliability, &p.Consensus, &p.Early
	switch {
	case !fraction(r.Base) || !fraction(r.Slope) || r.Base+r.Slope > One || !fraction(r.SoftWeight) ||
		r.Strength < 1 || r.Strength > 10_000 || r.CellCap < 1 || r.CellCap > 1_000_000 || r.SoftUnder < 0 || r.SoftCap < 1 ||
		r.SoftCap > 1_000_000 || r.FamilyCap < One || r.FamilyCap > 64*One || r.Probability < 1 || r.Probability > One/2:
		return errors.New("reliability: a number is out of range")
	case !fraction(c.ClusterAt) || !fraction(c.OwnPosition) || !fraction(c.OpenSpread) || c.OpenOutlier < 0 || c.OpenOutlier > 8*One || !fraction(c.DissentShare) ||
		!fraction(c.PlainShare) || c.OpenWords < 1:
		return errors.New("consensus: a number is out of range")
	case !fraction(e.Tempering) || !fraction(e.Posterior) || !fraction(e.Opposed) || e.MinReplies < 1 || e.GraceMillis < 0 || !fraction(e.GraceShare) || e.ObserveOne < 1:
		return errors.New("early: a number is out of range")
	case p.MaxPanel < 1 || p.MaxPanel > 64 || p.PendingHours < 1 || p.RefuseUnder < 0 || p.RefuseUnder > MaxScore:
		return errors.New("maxPanel (1 to 64), pendingHours or refuseUnder is out of range")
	}
	return nil
}

func (t *TierPolicy) validate() error {
	r := &t.Rule
	switch {
	case t.WeightMin < 0 || t.WeightMin > t.WeightDefault || t.WeightDefault > t.WeightMax || t.WeightMax > One:
		return errors.New("want 0 <= weightMin <= weightDefault <= weightMax <= 1000000")
	case !fraction(t.GIMinimum) || t.CharterMinimum < 0 || t.CharterMinimum > MaxScore || t.Budget < 0:
		return errors.New("giMinimum, charterMinimum or budgetPer1K is out of range")
	case r.Floor < Research || r.Approvals < 1 || r.Approvals > 64 || r.Vendors < 1 || r.Vendors > 64 || r.CoSigners < 0:
		return errors.New("rule: floor, approvals, vendors or coSigners is out of range")
	case !fraction(r.Share) || !fraction(r.Participation):
		return errors.New("rule: share or participation is outside 0 to 1000000")
	}
	if len(r.AtLeast) > 4 {
		return errors.New("rule: atLeast names more than four tiers")
	}
	for _, a := range r.AtLeast {
		if a.Tier < Research || a.Count < 0 || a.Count > r.Approvals {
			return errors.New("rule: atLeast asks for more than approvals, or names no tier")
		}
	}
	return nil
}

func fraction(v PPM) bool { return v >= 0 && v <= One }
