package quorum

import (
	"math"
	"testing"
)

func TestLnGolden(t *testing.T) {
	for _, tt := range []struct {
		num, den int64
		want     PPM
	}{
		{1, 1, 0}, {2, 1, 693147}, {1, 2, -693147}, {10, 1, 2302585}, {5 * 800_000, 200_000, 2995732},
		{620_000, 380_000, 489548}, {999_000, 1_000, 6906755}, {1, 1 << 62, -42975125}, {3, 7, -847298},
	} {
		if got := Ln(tt.num, tt.den); got != tt.want {
			t.Errorf("Ln(%d/%d) = %d, want %d", tt.num, tt.den, got, tt.want)
		}
	}
}

func TestExpGolden(t *testing.T) {
	for _, tt := range []struct {
		x    PPM
		want int64
	}{
		{0, 1_000_000}, {One, 2_718_282}, {-One, 367_879}, {693_147, 2_000_000}, {-14 * One, 1}, {-16 * One, 0},
		{10 * One, 22_026_465_795}, {29 * One, 3931334297135226770}, {500_000, 1_648_721}, {-500_000, 606_531},
	} {
		if got := Exp(tt.x); got != tt.want {
			t.Errorf("Exp(%d) = %d, want %d", tt.x, got, tt.want)
		}
	}
}

// The fixed-point functions agree with float64 to within one ppm of the result
// over the range the rules use, and never fall where they should rise.
func TestFixedAgainstFloat(t *testing.T) {
	last := int64(-1)
	for x := PPM(-16 * One); x < 16*One; x += 777 {
		want := math.Exp(float64(x)/1e6) * 1e6
		got := Exp(x)
		if math.Abs(float64(got)-want) > 1+want*1e-9 {
			t.Fatalf("Exp(%d) = %d, float64 says %f", x, got, want)
		}
		l := int64(Logistic(x))
		if w := 1e6 / (1 + math.Exp(-float64(x)/1e6)); math.Abs(float64(l)-w) > 1 {
			t.Fatalf("Logistic(%d) = %d, float64 says %f", x, l, w)
		}
		if l < last {
			t.Fatalf("Logistic falls at %d", x)
		}
		last = l
	}
	for n := int64(1); n < 4_000_000; n += 1237 {
		want := math.Log(float64(n)/1e6) * 1e6
		if got := Ln(n, 1_000_000); math.Abs(float64(got)-want) > 1 {
			t.Fatalf("Ln(%d/1e6) = %d, float64 says %f", n, got, want)
		}
	}
}

func TestSqrt(t *testing.T) {
	for v := int64(0); v < 100_000; v++ {
		if r := Sqrt(v); r*r > v || (r+1)*(r+1) <= v {
			t.Fatalf("Sqrt(%d) = %d", v, r)
		}
	}
}

func TestDecimal(t *testing.T) {
	for _, s := range []string{"0.0025", "1.0", "0.85", "12.5"} {
		v, err := ParseDecimal(s, 6)
		if err != nil || PPM(v).String() != s {
			t.Errorf("ParseDecimal(%q) = %d, %v, prints as %s", s, v, err, PPM(v))
		}
	}
	for _, s := range []string{"", ".", "1.", ".5", "1e3", "0.1234567", "1,5", "+1", "9999999999999", "0x1", "- 1"} {
		if v, err := ParseDecimal(s, 6); err == nil {
			t.Errorf("ParseDecimal(%q) = %d, want an error", s, v)
		}
	}
}
