package state

import (
	"crypto/sha256"
	"fmt"

	"github.com/kaizen-os/deliberation/quorum"
)

// An answered is a digest of all that could be confirmed of a proof; zero where
// nothing could. An auditor keeps one for every record, so it is no longer than
// it must be: twelve bytes, 120 MB for ten million.
type answered [12]byte

func digestAnswer(c *quorum.Confirmation) (d answered) {
	if c != nil {
		sum := sha256.Sum256(fmt.Appendf(nil, "%q %s %q %q %q", c.ID, c.Kind, c.Topic, c.Supporters, c.Others))
		copy(d[:], sum[:])
	}
	return d
}

// given holds feedback to once a deliberation. Whose it is, an auditor cannot
// tell: the ledger names no client.
func (a *Auditor) given(f *quorum.Feedback) error {
	if _, twice := a.feedback[f.ID]; twice {
		return fmt.Errorf("%w: %s has some already", ErrFeedback, f.ID)
	}
	a.feedback[f.ID] = f.Correct
	return nil
}

// confirmed holds a confirmation against the proof and the feedback.
func (a *Auditor) confirmed(c *quorum.Confirmation) error {
	said := quorum.WasWrong
	if c.Correct {
		said = quorum.WasRight
	}
	if c.Index >= uint64(len(a.answers)) || a.answers[c.Index] != digestAnswer(c) {
		return fmt.Errorf("%w: %s had no such answer at %d", ErrFeedback, c.ID, c.Index)
	}
	if a.feedback[c.ID] != said {
		return fmt.Errorf("%w: %s: nobody's feedback is waiting that its answer was %s", ErrFeedback, c.ID, said)
	}
	a.feedback[c.ID] = quorum.Unsaid // confirmed once
	return nil
}
