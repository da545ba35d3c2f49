package grade

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

func someKind() *quorum.KindPolicy {
	return &quorum.KindPolicy{Kind: quorum.Number, Bias: -1_500_000, ByShare: 1_900_000, ByMargin: 3_300_000, FitStrength: 100}
}

// drawn are n leads that are right as often as the logistic of these says.
func drawn(n int, bias, share, margin, turnout float64) []Lead {
	rng := rand.New(rand.NewPCG(1, 2))
	leads := make([]Lead, n)
	for i := range leads {
		s, m, t := rng.Float64(), rng.Float64(), rng.Float64()
		p := logistic(bias + share*s + margin*m + turnout*t)
		leads[i] = Lead{Share: ppm(s), Margin: ppm(m), Turnout: ppm(t), Right: rng.Float64() < p}
	}
	return leads
}

func near(got quorum.PPM, want, by float64) bool { return math.Abs(part(got)-want) <= by }

func TestManyItemsGiveTheCoefficientsThatTheyWereMadeWith(t *testing.T) {
	f := FitConfidence(someKind(), drawn(40_000, -2, 3, 1, 0.5))
	if !near(f.Bias, -2, 0.2) || !near(f.ByShare, 3, 0.2) || !near(f.ByMargin, 1, 0.2) || !near(f.ByTurnout, 0.5, 0.2) {
		t.Errorf("%+v", f)
	}
	// A slope that falls is none.
	if f = FitConfidence(someKind(), drawn(40_000, 1, 2, -3, 0)); f.ByMargin != 0 || f.ByShare < 1_000_000 {
		t.Errorf("%+v", f)
	}
}

// Items that come out as the policy says change next to nothing; a few that do not,
// little; and more strength holds more.
func TestFewItemsMoveLittle(t *testing.T) {
	k := someKind()
	f := FitConfidence(k, drawn(4096, -1.5, 1.9, 3.3, 0))
	if !near(f.Bias, -1.5, 0.15) || !near(f.ByShare, 1.9, 0.3) || !near(f.ByMargin, 3.3, 0.3) || !near(f.ByTurnout, 0, 0.3) {
		t.Errorf("%+v", f)
	}
	worse := drawn(60, -3, 1.9, 3.3, 0)
	few := FitConfidence(k, worse)
	k.FitStrength = 1000
	held := FitConfidence(k, worse)
	k.FitStrength = 1
	free := FitConfidence(k, worse)
	if !(free.Bias < few.Bias && few.Bias < held.Bias && held.Bias < -1_500_000 && few.Bias > -3_000_000) {
		t.Errorf("biases %s, %s, %s with a strength of 1, 100, 1000", free.Bias, few.Bias, held.Bias)
	}
	if !near(few.ByShare, 1.9, 0.3) || !near(few.ByMargin, 3.3, 0.3) {
		t.Errorf("60 items move slopes: %+v", few)
	}
}

func TestAFitOfWhatSaysLittle(t *testing.T) {
	all := func(n int, l Lead) []Lead {
		leads := make([]Lead, n)
		for i := range leads {
			leads[i] = l
		}
		return leads
	}
	sure := Lead{Share: quorum.One, Margin: quorum.One, Turnout: quorum.One, Right: true}
	wrong := sure
	wrong.Right = false
	k := someKind()
	stated := logistic(-1.5 + 1.9 + 3.3)
	for _, tt := range []struct {
		name     string
		leads    []Lead
		min, max float64 // of the confidence when all agree
	}{
		{"nothing", nil, stated - 1e-5, stated + 1e-5},
		{"one companion, always right", all(100, sure), stated, 0.999},
		{"one companion, always wrong", all(100, wrong), 0.3, 0.7}, // a hundred against a hundred of the policy's
		{"right once in two", append(all(2048, sure), all(2048, wrong)...), 0.48, 0.53},
		{"nobody weighs anything", all(100, Lead{}), stated - 0.1, 1},
	} {
		f := FitConfidence(k, tt.leads)
		got := part(quorum.Logistic(f.Bias + f.ByShare + f.ByMargin + f.ByTurnout))
		if got < tt.min || got > tt.max || f.ByShare < 0 || f.ByMargin < 0 || f.ByTurnout < 0 || f.Items != int64(len(tt.leads)) || f.Kind != quorum.Number {
			t.Errorf("%s: confidence %.4f, want %.4f to %.4f: %+v", tt.name, got, tt.min, tt.max, f)
		}
		if again := FitConfidence(k, tt.leads); again != f {
			t.Errorf("%s: %+v, then %+v", tt.name, f, again)
		}
	}
	// What the policy may say, a record may not hold.
	k.Bias, k.ByShare = -900*quorum.One, 700*quorum.One
	f := FitConfidence(k, all(60, sure))
	if f.Validate() != nil || FitConfidence(k, nil).ByShare != 20*quorum.One {
		t.Errorf("%+v: %v", f, f.Validate())
	}
}

func BenchmarkFitConfidence(b *testing.B) {
	leads, k := drawn(4096, -2, 3, 1, 0.5), someKind()
	b.ReportAllocs()
	for b.Loop() {
		FitConfidence(k, leads)
	}
}
