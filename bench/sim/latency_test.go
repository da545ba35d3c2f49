package sim

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestParseLatency(t *testing.T) {
	for _, s := range []string{"0s", "20ms", "uniform:10ms-50ms", "lognormal:60ms,1s"} {
		l, err := ParseLatency(s)
		if err != nil || l.String() != s {
			t.Errorf("ParseLatency(%q) = %v, %v", s, l, err)
		}
	}
	for _, s := range []string{"", "0"} {
		if l, err := ParseLatency(s); err != nil || l != (Latency{}) {
			t.Errorf("ParseLatency(%q) = %v, %v, want none", s, l, err)
		}
	}
	for _, s := range []string{"20", "-1ms", "2m", "uniform:50ms-10ms", "uniform:10ms", "lognormal:0,1s", "lognormal:1s,60ms", "normal:1s,2s", "uniform:x-y"} {
		if l, err := ParseLatency(s); !errors.Is(err, ErrLatency) {
			t.Errorf("ParseLatency(%q) = %v, %v, want ErrLatency", s, l, err)
		}
	}
}

func TestLatencyDraws(t *testing.T) {
	draws := func(l Latency) []time.Duration {
		all := make([]time.Duration, 20_000)
		for i := range all {
			all[i] = l.Draw(mix(uint64(i)))
		}
		slices.Sort(all)
		return all
	}
	between := func(what string, got, low, high time.Duration) {
		t.Helper()
		if got < low || got > high {
			t.Errorf("%s = %v, want %v to %v", what, got, low, high)
		}
	}
	tail := draws(Lognormal(60*time.Millisecond, time.Second))
	between("lognormal median", tail[10_000], 57*time.Millisecond, 63*time.Millisecond)
	between("lognormal p99", tail[19_800], 880*time.Millisecond, 1120*time.Millisecond)
	even := draws(Uniform(10*time.Millisecond, 50*time.Millisecond))
	between("uniform least", even[0], 10*time.Millisecond, 11*time.Millisecond)
	between("uniform median", even[10_000], 29*time.Millisecond, 31*time.Millisecond)
	between("uniform most", even[19_999], 49*time.Millisecond, 50*time.Millisecond)
	same := draws(Fixed(20 * time.Millisecond))
	between("fixed", same[0], 20*time.Millisecond, same[19_999])
	for _, bits := range []uint64{0, 1<<64 - 1} {
		between("an extreme draw", Lognormal(time.Second, 50*time.Second).Draw(bits), 0, maxLatency)
	}
}

func FuzzParseLatency(f *testing.F) {
	for _, s := range []string{"20ms", "uniform:1ms-2ms", "lognormal:60ms,1s", "uniform:-", ":"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseLatency(s)
		if err != nil {
			return
		}
		if again, err := ParseLatency(l.String()); err != nil || again != l {
			t.Errorf("ParseLatency(%q) = %v, which reads back as %v, %v", s, l, again, err)
		}
		if d := l.Draw(12345); d < 0 || d > maxLatency {
			t.Errorf("%v draws %v", l, d)
		}
	})
}
