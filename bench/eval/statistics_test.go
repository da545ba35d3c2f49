package eval

import (
	"github.com/kaizen-os/deliberation/gateway/wire"
	"math"
	"testing"
)

func TestPaired(t *testing.T) {
	a := []float64{1, 1, 0, 1, 1, 0, 1, 1}
	b := []float64{1, 0, 0, 1, 0, 1, 1, 1}
	got := paired(a, b)
	// Differences 0 1 0 0 1 -1 0 0: mean 1/8, variance (3 - 8/64)/7.
	half := 1.959963985 * math.Sqrt((3-0.125)/7/8)
	if math.Abs(got.Mean-0.125) > 1e-12 || math.Abs(got.Low-(0.125-half)) > 1e-9 || math.Abs(got.High-(0.125+half)) > 1e-9 {
		t.Errorf("paired = %+v", got)
	}
	if one := paired([]float64{1}, []float64{0}); one.Mean != 1 || !math.IsNaN(one.Low) {
		t.Errorf("an interval from one prompt: %+v", one)
	}
}

func TestAUROC(t *testing.T) {
	for _, tt := range []struct {
		name      string
		forecasts []forecast
		want      float64
	}{
		{"sure when right", []forecast{{0.9, true}, {0.8, true}, {0.2, false}}, 1},
		{"sure when wrong", []forecast{{0.1, true}, {0.9, false}}, 0},
		{"always the same", []forecast{{0.5, true}, {0.5, false}, {0.5, true}}, 0.5},
		{"one pair of three astray", []forecast{{0.9, true}, {0.3, true}, {0.2, true}, {0.25, false}}, 2.0 / 3},
		{"all right", []forecast{{0.9, true}}, math.NaN()},
		{"none", nil, math.NaN()},
	} {
		got := auroc(tt.forecasts)
		if math.Abs(got-tt.want) > 1e-12 || math.IsNaN(got) != math.IsNaN(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestCalibrationError(t *testing.T) {
	honest := []forecast{{0.75, true}, {0.75, true}, {0.75, true}, {0.75, false}, {1, true}, {0, false}}
	if got := calibrationError(honest); math.Abs(got) > 1e-12 {
		t.Errorf("honest forecasts have error %v", got)
	}
	boastful := []forecast{{0.95, false}, {0.95, true}, {0.95, false}, {0.95, true}}
	if got := calibrationError(boastful); math.Abs(got-0.45) > 1e-12 {
		t.Errorf("boastful forecasts have error %v, want 0.45", got)
	}
	if !math.IsNaN(calibrationError(nil)) {
		t.Error("no forecasts have an error")
	}
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		name string
		v    []float64
		want float64
	}{
		{"the middle one", []float64{9, 1, 2}, 2},
		{"between two", []float64{4, 1, 2, 9}, 3},
		{"one", []float64{7}, 7},
		{"none", nil, math.NaN()},
	} {
		if got := median(tt.v); got != tt.want && !math.IsNaN(tt.want) || math.IsNaN(got) != math.IsNaN(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestEscalationByHand(t *testing.T) {
	weights := func(n int) outcome { return outcome{weights: make([]wire.PPM, n)} }
	few, all := []outcome{weights(2), weights(5), weights(2), weights(3)}, []outcome{weights(5), weights(5), weights(5), weights(5)}
	few[0].grade, few[1].grade, all[0].grade, all[1].grade, all[2].grade = 1, 1, 1, 1, 1
	e := escalation(100, few, all, 5)
	if e.Labels != 100 || e.Score != 0.5 || e.AgainstAll.Mean != -0.25 || e.Asked != 12.0/20 || e.Widened != 0.25 {
		t.Errorf("%+v", e)
	}
}
