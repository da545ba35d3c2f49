package quorum

import (
	"errors"
	"fmt"
	"slices"

	"github.com/kaizen-os/deliberation/quorum/canon"
)

// FitItems is how many labelled items of a kind its confidence can be fitted to
// at the least: with fewer, four numbers say more of the items than of the panel.
const FitItems = 50

// maxCoefficient bounds what is fitted: beyond it a logistic is 0 or 1 anyway.
const maxCoefficient = 20 * One

// FittedConfidence is how answers of one kind are believed, as labelled items
// said: what stands in the place of the policy's numbers of the same names.
type FittedConfidence struct {
	Kind      Kind
	Items     int64 // that it was fitted to
	Bias      PPM
	ByShare   PPM
	ByMargin  PPM
	ByTurnout PPM
}

// Clamp brings the coefficients to where [FittedConfidence.Validate] wants them.
func (f *FittedConfidence) Clamp() {
	f.Bias = min(max(f.Bias, -maxCoefficient), maxCoefficient)
	for _, by := range []*PPM{&f.ByShare, &f.ByMargin, &f.ByTurnout} {
		*by = min(max(*by, 0), maxCoefficient)
	}
}

// Validate says what is wrong with f, or nil.
func (f *FittedConfidence) Validate() error {
	within := *f
	within.Clamp()
	switch {
	case !f.Kind.Closed():
		return errors.New("a confidence of no closed kind")
	case f.Items < FitItems || f.Items > MaxCalibrationItems:
		return fmt.Errorf("a confidence fitted to %d items, want %d to %d", f.Items, FitItems, MaxCalibrationItems)
	case within != *f:
		return fmt.Errorf("a confidence of kind %s: a coefficient is out of range", f.Kind)
	}
	return nil
}

// validFits says what is wrong with a list of fits, which is in order of kind.
func validFits(fits []FittedConfidence) error {
	for i := range fits {
		if err := fits[i].Validate(); err != nil {
			return err
		}
		if i > 0 && fits[i-1].Kind >= fits[i].Kind {
			return errors.New("confidences out of order")
		}
	}
	return nil
}

// Fits reports whether labelled items may fit the confidence of kind k.
func (p *Policy) Fits(k Kind) bool { return k.Closed() && p.byKind[k].FitStrength > 0 }

// Stated is what the document says of k, whatever labelled items have said since.
func (p *Policy) Stated(k Kind) *KindPolicy { return &p.Kinds[k-1] }

// Fitted are the kinds whose confidence is not the document's, in order. Not to be
// changed.
func (p *Policy) Fitted() []FittedConfidence { return p.fitted }

// WithFitted is p with the confidence of these kinds as fitted, and of the others
// as it was. It is the same document, with the same digest: proofs name that, and
// the ledger says what labelled items made of it by then.
func (p *Policy) WithFitted(fits []FittedConfidence) (*Policy, error) {
	if len(fits) == 0 {
		return p, nil
	}
	if err := validFits(fits); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	next := *p
	next.fitted = slices.Clone(p.fitted)
	for _, f := range fits {
		if !p.Fits(f.Kind) {
			return nil, fmt.Errorf("%w: the confidence of kind %s stays as the document says", ErrPolicy, f.Kind)
		}
		i, ok := slices.BinarySearchFunc(next.fitted, f.Kind, func(f FittedConfidence, k Kind) int { return int(f.Kind) - int(k) })
		if !ok {
			next.fitted = slices.Insert(next.fitted, i, f)
		}
		next.fitted[i] = f
		k := *p.byKind[f.Kind]
		k.Bias, k.ByShare, k.ByMargin, k.ByTurnout = f.Bias, f.ByShare, f.ByMargin, f.ByTurnout
		next.byKind[f.Kind] = &k
	}
	return &next, nil
}

// Turnout is how much of the weight that was waited for took a position, of
// ballots that have been decided on.
func Turnout(ballots []Ballot) PPM {
	var heard, taken PPM
	for i := range ballots {
		b := &ballots[i]
		if b.Outcome != Unneeded {
			heard += b.Weight
		}
		if b.Counted && b.Position >= 0 {
			taken += b.Weight
		}
	}
	return ratio(taken, heard)
}

// AppendFitted appends fits as canonical JSON, an array of objects in which a
// coefficient of 0 is left out.
func AppendFitted(dst []byte, fits []FittedConfidence) []byte {
	e := encoder{b: dst}
	e.fits(fits)
	return e.b
}

func (e *encoder) fits(fits []FittedConfidence) {
	e.open('[')
	for i := range fits {
		f := &fits[i]
		e.comma()
		e.open('{')
		e.num("bias", int64(f.Bias))
		e.num("byMargin", int64(f.ByMargin))
		e.num("byShare", int64(f.ByShare))
		e.num("byTurnout", int64(f.ByTurnout))
		e.num("items", f.Items)
		e.str("kind", f.Kind.String())
		e.close('}')
	}
	e.close(']')
}

// ReadFitted reads what AppendFitted wrote; a fault is left in r.
func ReadFitted(r *canon.Reader) (fits []FittedConfidence) {
	r.Array(func() {
		var f FittedConfidence
		r.Object(func(key []byte) {
			switch string(key) {
			case "bias":
				f.Bias = PPM(r.Int())
			case "byMargin":
				f.ByMargin = PPM(r.Int())
			case "byShare":
				f.ByShare = PPM(r.Int())
			case "byTurnout":
				f.ByTurnout = PPM(r.Int())
			case "items":
				f.Items = r.Int()
			case "kind":
				kind, err := ParseKind(r.String())
				if err != nil {
					r.Fail("%v", err)
				}
				f.Kind = kind
			}
		})
		fits = append(fits, f)
	})
	if err := validFits(fits); err != nil {
		r.Fail("%v", err)
	}
	return fits
}
