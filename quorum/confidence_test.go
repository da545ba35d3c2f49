package quorum

import (
	"errors"
	"testing"
)

// numberFit is what labelled items say of numbers: sure of nothing.
func numberFit(bias PPM) FittedConfidence {
	return FittedConfidence{Kind: Number, Items: 60, Bias: bias, ByShare: 1_000_000, ByMargin: 500_000}
}

func TestAFittedConfidenceStandsInThePlaceOfThePolicys(t *testing.T) {
	p := DefaultPolicy()
	fitted, err := p.WithFitted([]FittedConfidence{numberFit(-3_000_000)})
	if err != nil {
		t.Fatal(err)
	}
	q := Question{Tier: Standard, Kind: Number}
	ballots := panel(p, &q, "42", "42", "42", "42")
	was, is := p.Decide(&q, ballots), fitted.Decide(&q, ballots)
	// All agree: 1 - 1/(1+e^-1.5), the logistic of -3 + 1 + 0.5, is under the kind's threshold.
	if is.Confidence != 182_425 || is.Status != Contested || was.Status != Carried {
		t.Errorf("confidence %s, %s; by the document %s, %s", is.Confidence, is.Status, was.Confidence, was.Status)
	}
	if p.Digest() != fitted.Digest() || string(p.Canonical()) != string(fitted.Canonical()) || len(p.Fitted()) > 0 || p.Kind(Number).Bias != -2_140_000 {
		t.Error("a fit is another document, or has changed this one")
	}
	q.Kind = Choice
	if a, b := p.Decide(&q, ballots), fitted.Decide(&q, ballots); a.Confidence != b.Confidence {
		t.Errorf("another kind's confidence: %s, was %s", b.Confidence, a.Confidence)
	}
	// What is still out is foreseen by the same numbers.
	q.Kind = Number
	out := func(i int) bool { return i == 3 }
	heard := panel(p, &q, "42", "42", "42", "unneeded")
	v := fitted.Decide(&q, heard)
	if got := fitted.Settled(&q, &v, heard, out); !got {
		t.Error("no reply that is out can make a leader sure that a whole panel does not, and it is waited for")
	}
	again, err := fitted.WithFitted([]FittedConfidence{{Kind: Choice, Items: 50}, numberFit(0)})
	if err != nil || len(again.Fitted()) != 2 || again.Kind(Number).Bias != 0 || fitted.Kind(Number).Bias != -3_000_000 || again.Stated(Number).Bias != -2_140_000 {
		t.Errorf("%+v, %v", again.Fitted(), err)
	}
}

func TestAPolicyThatIsNotFitted(t *testing.T) {
	p := DefaultPolicy()
	if p.Fits(VoteKind) || p.Fits(Text) || !p.Fits(Number) {
		t.Error("votes and texts are not fitted, numbers are")
	}
	if _, err := p.WithFitted([]FittedConfidence{{Kind: VoteKind, Items: 60}}); !errors.Is(err, ErrPolicy) {
		t.Errorf("of a kind that the policy keeps: %v", err)
	}
	for _, change := range []func(*Policy){
		func(p *Policy) { p.Kinds[1].FitStrength = -1 },
		func(p *Policy) { p.Kinds[1].FitStrength = 10_001 },
		func(p *Policy) { p.Kinds[Text-1].FitStrength = 50 },
	} {
		bad := DefaultPolicy()
		change(bad)
		if _, err := ParsePolicy(bad.Canonical()); !errors.Is(err, ErrPolicy) {
			t.Errorf("%v", err)
		}
	}
}

// Turnout is the one that the confidence of a verdict comes from.
func TestTurnoutIsTheVerdicts(t *testing.T) {
	p := DefaultPolicy()
	q := Question{Tier: Research, Kind: VoteKind}
	ballots := panel(p, &q, "approve", "approve", "reject", "unneeded")
	ballots[2].Abstained = true
	v := p.Decide(&q, ballots)
	if turnout := Turnout(ballots); turnout == One || turnout == 0 || v.Confidence != p.confidence(VoteKind, v.Share, v.Margin, turnout) {
		t.Errorf("turnout %s, confidence %s", turnout, v.Confidence)
	}
}
