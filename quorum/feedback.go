package quorum

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/kaizen-os/deliberation/quorum/canon"
)

// Ratings of an answer, in stars.
const (
	LowestRating  = 1
	HighestRating = 5
)

// A Correctness is what is said of an answer: nothing, or whether it was right.
type Correctness uint8

const (
	Unsaid Correctness = iota
	WasRight
	WasWrong
)

var correctnessNames = [...]string{"", "right", "wrong"}

func (c Correctness) String() string { return correctnessNames[c] }

// ParseCorrectness reads what String gives.
func ParseCorrectness(s string) (Correctness, error) {
	if i := slices.Index(correctnessNames[:], s); i >= 0 {
		return Correctness(i), nil
	}
	return Unsaid, fmt.Errorf("unknown correctness %q", s)
}

// A Feedback is what the owner of a deliberation says of its answer, once. It
// has no words. Whether the answer was right counts only when a steward has
// confirmed it.
type Feedback struct {
	ID      string // of the deliberation
	Rating  int64  // LowestRating to HighestRating
	Correct Correctness
}

// Type of the record.
func (f *Feedback) Type() RecordType { return TypeFeedback }

// Validate says what is wrong with f, or nil.
func (f *Feedback) Validate() error {
	if f.ID == "" || f.Rating < LowestRating || f.Rating > HighestRating {
		return fmt.Errorf("%w: feedback of %d stars on %.70q", ErrRecord, f.Rating, f.ID)
	}
	return nil
}

// AppendLeaf encodes the record; see [Record].
func (f *Feedback) AppendLeaf(dst []byte) ([]byte, int) {
	e := encoder{b: dst}
	e.begin()
	e.str("actor", Owner)
	stamp := e.stamp()
	e.str("correct", f.Correct.String())
	e.str("deliberation", f.ID)
	e.num("rating", f.Rating)
	e.end(TypeFeedback)
	digest := sha256.Sum256([]byte(f.ID))
	e.subject(digestSHA256, "deliberation/"+f.ID, &digest)
	return e.done(), stamp
}

func readFeedback(r *canon.Reader, subjects []Subject) (*Feedback, int64) {
	f := &Feedback{}
	var at int64
	r.Object(func(key []byte) {
		switch string(key) {
		case "actor":
			if by := r.String(); by != Owner {
				r.Fail("feedback by %.70q", by)
			}
		case "at":
			at = r.Int()
		case "correct":
			c, err := ParseCorrectness(r.String())
			if err != nil {
				r.Fail("%v", err)
			}
			f.Correct = c
		case "deliberation":
			f.ID = r.String()
		case "rating":
			f.Rating = r.Int()
		}
	})
	if err := f.Validate(); err != nil {
		r.Fail("%v", err)
	}
	wantSubject(r, subjects, "deliberation/"+f.ID, sha256.Sum256([]byte(f.ID)))
	return f, at
}

// A Confirmation is a steward's word that the owner's feedback on whether an
// answer was right is so. It lists who gave the answer and who another, so that
// the fold need not look back; an auditor does.
type Confirmation struct {
	ID         string // of the deliberation
	Index      uint64 // of its proof
	Correct    bool   // the answer was right
	Kind       Kind
	Topic      string
	Supporters []CompanionID // of the answer
	Others     []CompanionID // who gave another; of closed kinds only
}

// Type of the record.
func (c *Confirmation) Type() RecordType { return TypeConfirmation }

// Validate says what is wrong with c, or nil.
func (c *Confirmation) Validate() error {
	all := slices.Concat(c.Supporters, c.Others)
	slices.Sort(all)
	switch {
	case c.ID == "" || c.Kind == Auto || len(c.Topic) > MaxTopic:
		return fmt.Errorf("%w: confirmation of nothing that can be right", ErrRecord)
	case len(c.Supporters) == 0 || len(all) > 64 || all[0] == "" || len(slices.Compact(all)) != len(c.Supporters)+len(c.Others):
		return fmt.Errorf("%w: confirmation of nobody, too many, or one twice", ErrRecord)
	case len(c.Others) > 0 && !c.Kind.Closed():
		return fmt.Errorf("%w: confirmation of who was wrong about %s", ErrRecord, c.Kind)
	}
	return nil
}

// Of tells what a companion's part was: right or wrong, or nothing. Of an answer
// that was right, its supporters are right and those who gave another are wrong;
// of a wrong one its supporters are, and nothing is known of the others.
func (c *Confirmation) Of(id CompanionID) Correctness {
	switch {
	case slices.Contains(c.Supporters, id) && c.Correct:
		return WasRight
	case slices.Contains(c.Supporters, id), slices.Contains(c.Others, id) && c.Correct:
		return WasWrong
	}
	return Unsaid
}

// AppendLeaf encodes the record; see [Record].
func (c *Confirmation) AppendLeaf(dst []byte) ([]byte, int) {
	e := encoder{b: dst}
	e.begin()
	e.str("actor", Steward)
	stamp := e.stamp()
	e.flag("correct", c.Correct)
	e.str("deliberation", c.ID)
	e.always("index", int64(c.Index))
	e.str("kind", c.Kind.String())
	e.companions("others", c.Others)
	e.companions("supporters", c.Supporters)
	e.str("topic", c.Topic)
	e.end(TypeConfirmation)
	digest := sha256.Sum256([]byte(c.ID))
	e.subject(digestSHA256, "deliberation/"+c.ID, &digest)
	return e.done(), stamp
}

func (e *encoder) companions(k string, list []CompanionID) {
	if len(list) == 0 {
		return
	}
	e.key(k)
	e.open('[')
	for _, id := range list {
		e.comma()
		e.b = canon.AppendString(e.b, string(id))
	}
	e.close(']')
}

func readConfirmation(r *canon.Reader, subjects []Subject) (*Confirmation, int64) {
	c := &Confirmation{}
	var at int64
	r.Object(func(key []byte) {
		switch string(key) {
		case "actor":
			if by := r.String(); by != Steward {
				r.Fail("confirmation by %.70q", by)
			}
		case "at":
			at = r.Int()
		case "correct":
			c.Correct = r.Bool()
		case "deliberation":
			c.ID = r.String()
		case "index":
			c.Index = uint64(r.Int())
		case "kind":
			kind, err := ParseKind(r.String())
			if err != nil {
				r.Fail("%v", err)
			}
			c.Kind = kind
		case "others":
			r.Array(func() { c.Others = append(c.Others, CompanionID(r.String())) })
		case "supporters":
			r.Array(func() { c.Supporters = append(c.Supporters, CompanionID(r.String())) })
		case "topic":
			c.Topic = r.String()
		}
	})
	if err := c.Validate(); err != nil {
		r.Fail("%v", err)
	}
	wantSubject(r, subjects, "deliberation/"+c.ID, sha256.Sum256([]byte(c.ID)))
	return c, at
}

// Confirmed is the record that p's answer was right, or was not; nil where p has
// none. index is p's own. Who is right or wrong by it is who held that answer, or
// another, in the first round, where each answered alone.
func (p *Proof) Confirmed(index uint64, correct bool) *Confirmation {
	w := p.Verdict.Winner
	if w < 0 || w >= len(p.Ballots) {
		return nil
	}
	answer := p.firstHeld(w)
	if answer < 0 {
		return nil
	}
	c := &Confirmation{ID: p.ID, Index: index, Correct: correct, Kind: p.Kind, Topic: p.Topic}
	for i := range p.Ballots {
		b := &p.Ballots[i].Ballot
		switch {
		case !b.Counted || b.Position < 0:
		case b.Position == answer:
			c.Supporters = append(c.Supporters, b.Companion)
		case p.Kind.Closed(): // two texts that differ may both be right
			c.Others = append(c.Others, b.Companion)
		}
	}
	if c.Validate() != nil {
		return nil
	}
	return c
}
