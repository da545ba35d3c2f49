package state

import (
	"bytes"
	"errors"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// believing is a calibration of 60 items that also says how numbers are believed.
func believing(s *State, bias quorum.PPM) *quorum.Calibration {
	c := calibration(s, "")
	c.Items, c.Cells[0].Items = 60, 60
	c.Confidence = []quorum.FittedConfidence{{Kind: quorum.Number, Items: 60, Bias: bias, ByShare: 1_000_000, ByMargin: 500_000}}
	return c
}

// The fold is of integers, to the last: 42 leads with all the weight there is.
func TestACalibrationSaysHowAnswersAreBelieved(t *testing.T) {
	s, a := founded(t)
	document := s.Policy
	decided := func(s *State) quorum.PPM {
		return deliberate(t, s, "dlb_x", quorum.Number, "42", "42", "42", "42").Verdict.Confidence
	}
	stated := decided(s)
	s = write(t, s, a, believing(s, -3_000_000))
	if got := decided(s); got != 182_425 { // the logistic of -3 + 1 + 0.5
		t.Errorf("confidence %s", got)
	}
	if s.Policy.Digest() != document.Digest() || document.Kind(quorum.Number).Bias == -3_000_000 {
		t.Error("it is another document, or the document has changed")
	}
	s = write(t, s, a, calibration(s, "algebra"))
	if got := decided(s); got != 182_425 {
		t.Errorf("after a calibration that fits nothing: confidence %s", got)
	}
	s = write(t, s, a, believing(s, -1_500_000))
	if got := decided(s); got != 500_000 {
		t.Errorf("after another fit: confidence %s", got)
	}
	again, err := Read(s.Append(nil))
	if err != nil || !bytes.Equal(again.Append(nil), s.Append(nil)) || decided(again) != 500_000 || again.Policy.Digest() != document.Digest() {
		t.Errorf("the snapshot reads back as another state: %v", err)
	}
	// A document that comes into force starts from its own numbers, also this one.
	late := believing(s, 0)
	s = write(t, s, a, &quorum.Activation{Actor: "operator", Policy: document})
	if got := decided(s); got == 500_000 || len(s.Policy.Fitted()) > 0 {
		t.Errorf("after an activation: confidence %s, was %s", got, stated)
	}
	other := policy()
	other.Version = "other"
	other, err = quorum.ParsePolicy(other.Canonical())
	if err != nil {
		t.Fatal(err)
	}
	s = write(t, s, a, &quorum.Activation{Actor: "operator", Policy: other})
	s = write(t, s, a, late) // counted under the one before
	if len(s.Policy.Fitted()) > 0 {
		t.Error("a fit to one document is in force under another")
	}
}

// A proof is judged by what had been fitted when its panel was seated, and one
// that states another confidence is refused.
func TestProofsAreJudgedByTheConfidenceTheyKnew(t *testing.T) {
	s, a := founded(t)
	before := s
	s = write(t, s, a, believing(s, -3_000_000))
	keys := []string{"42", "42", "42", "7"}
	s = write(t, s, a, deliberate(t, before, "dlb_before", quorum.Number, keys...))
	s = write(t, s, a, deliberate(t, s, "dlb_after", quorum.Number, keys...))
	for name, forge := range map[string]func(*quorum.Proof){
		"one more": func(p *quorum.Proof) { p.Verdict.Confidence++ },
		"the document's": func(p *quorum.Proof) {
			p.Verdict.Confidence = deliberate(t, before, "x", quorum.Number, keys...).Verdict.Confidence
		},
		"carried nevertheless": func(p *quorum.Proof) { p.Verdict.Status = quorum.Carried },
	} {
		p := deliberate(t, s, "dlb_forged", quorum.Number, keys...)
		forge(p)
		if err := a.Visit(s.Size, stamped(p, start)); !errors.Is(err, ErrVerdict) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAConfidenceThatThePolicyKeepsIsRefused(t *testing.T) {
	s, a := founded(t)
	c := believing(s, 0)
	c.Cells[0].Kind, c.Confidence[0].Kind = quorum.VoteKind, quorum.VoteKind
	if err := a.Visit(s.Size, stamped(c, start)); !errors.Is(err, ErrCalibration) {
		t.Errorf("audit: %v", err)
	}
	if _, err := s.Apply(start, c); !errors.Is(err, ErrFold) {
		t.Errorf("fold: %v", err)
	}
}

func TestSnapshotsWithABadConfidenceAreRefused(t *testing.T) {
	s, a := founded(t)
	s = write(t, s, a, believing(s, -3_000_000))
	good := s.Append(nil)
	for name, edit := range map[string][2]string{
		"out of bounds":                {`"bias":-3000000`, `"bias":-30000000`},
		"of a kind the policy keeps":   {`"items":60,"kind":"number"`, `"items":60,"kind":"vote"`},
		"of too few items":             {`"items":60,"kind":"number"`, `"items":6,"kind":"number"`},
		"of a later form of the state": {`"version":1`, `"version":2`},
	} {
		bad := bytes.Replace(good, []byte(edit[0]), []byte(edit[1]), 1)
		if bytes.Equal(bad, good) {
			t.Fatalf("%s: the edit does not apply to %s", name, good)
		}
		if _, err := Read(bad); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
