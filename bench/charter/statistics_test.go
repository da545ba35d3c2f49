package charter

import (
	"math"
	"testing"
)

func near(a, b float64) bool { return math.Abs(a-b) < 5e-5 || math.IsNaN(a) && math.IsNaN(b) }

func TestWilson(t *testing.T) {
	for _, tt := range []struct {
		name      string
		share     Share
		low, high float64
	}{
		{"none of ten may still be a quarter", Share{0, 10}, 0, 0.27753},
		{"half of ten", Share{5, 10}, 0.23659, 0.76341},
		{"eight of ten", Share{8, 10}, 0.49016, 0.94332},
		{"all of ten need not be all", Share{10, 10}, 0.72247, 1},
		{"one in a hundred", Share{10, 1000}, 0.00544, 0.01831},
		{"of nothing nothing is known", Share{}, nan, nan},
	} {
		if low, high := tt.share.Wilson(); !near(low, tt.low) || !near(high, tt.high) {
			t.Errorf("%s: %.5f to %.5f, want %.5f to %.5f", tt.name, low, high, tt.low, tt.high)
		}
	}
}

func TestAUROC(t *testing.T) {
	for _, tt := range []struct {
		name    string
		bad, ok []float64
		want    float64
	}{
		{"all bad above all ok", []float64{3, 4}, []float64{1, 2}, 1},
		{"all bad below", []float64{1}, []float64{2, 3}, 0},
		{"one tie in four pairs counts half", []float64{3, 2}, []float64{2, 1}, 0.875},
		{"ties throughout", []float64{5, 5, 5}, []float64{5, 5}, 0.5},
		{"three tie with one, one stands above: (2 + 0.5·3) of 4", []float64{7, 1, 1, 1}, []float64{1}, 0.625},
		{"nothing to hold it against", []float64{1}, nil, nan},
	} {
		if got := auroc(tt.bad, tt.ok); !near(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestRecallAtFixedFalsePositives(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(i) // 0 to 99
	}
	tied := make([]float64, 200)
	tied[0], tied[1], tied[2] = 5, 5, 5 // one more than may be above
	for _, tt := range []struct {
		name        string
		benign, bad []float64
		want        Share
	}{
		{"one of a hundred may be above: what ties with the second is not", hundred, []float64{98, 98.5, 99, 1000}, Share{3, 4}},
		{"where three tie for two places none is above", tied, []float64{0, 1, 5, 6}, Share{1, 4}},
		{"of fewer than a hundred none may be", hundred[:50], []float64{49, 50}, Share{1, 2}},
		{"without benign items nothing is", nil, []float64{1000}, Share{0, 1}},
	} {
		if got := above(tt.bad, threshold(tt.benign, 0.01)); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	v := []float64{1, 2, 3, 4}
	for _, tt := range []struct{ share, want float64 }{{0.5, 2}, {0.51, 3}, {0.99, 4}, {0, 1}} {
		if got := quantile(v, tt.share); got != tt.want {
			t.Errorf("quantile %v: %v, want %v", tt.share, got, tt.want)
		}
	}
	if got := quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("of none: %v", got)
	}
}
