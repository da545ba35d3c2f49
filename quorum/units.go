package quorum

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// PPM is a quantity in parts per million: vote weights, shares, similarities,
// agreement, confidence, GI. One whole is [One].
type PPM int64

// One is 1.0 in parts per million.
const One PPM = 1_000_000

// Score is a charter score in hundredths of a point, 0 to 10000 for 0 to 100.
type Score int32

// MaxScore is 100 points.
const MaxScore Score = 10_000

// MicroUSD is money in millionths of a US dollar.
type MicroUSD int64

// Tokens counts what one exchange consumed. Zero means the companion did not say.
type Usage struct {
	InputTokens  int64
	OutputTokens int64
	Cost         MicroUSD
}

// Price is what a companion charges for a thousand tokens.
type Price struct {
	Input, Output MicroUSD
}

// Cost of u's tokens at price p, rounded half up to a whole micro-dollar.
func (p Price) Cost(u Usage) MicroUSD {
	return (MicroUSD(u.InputTokens)*p.Input + MicroUSD(u.OutputTokens)*p.Output + 500) / 1000
}

// String prints p as a decimal with at least one place: "0.85", "1.0".
func (p PPM) String() string { return decimal(int64(p), 6, 1) }

// String prints s as points: "97.5", "100".
func (s Score) String() string { return decimal(int64(s), 2, 0) }

// String prints m as dollars: "0.0013".
func (m MicroUSD) String() string { return decimal(int64(m), 6, 2) }

func decimal(v int64, places, least int) string {
	neg := v < 0
	if neg {
		v = -v
	}
	unit := int64(math.Pow10(places))
	s := fmt.Sprintf("%d.%0*d", v/unit, places, v%unit)
	end := len(s)
	for end > len(s)-places+least && s[end-1] == '0' {
		end--
	}
	s = strings.TrimSuffix(s[:end], ".")
	if neg {
		s = "-" + s
	}
	return s
}

// ErrDecimal is a number that is not a plain decimal of few enough places.
var ErrDecimal = errors.New("quorum: not a plain decimal number")

// ParseDecimal reads a plain decimal ("0.0025", "1", "-3.5") exactly, as units of
// 10^-places. It refuses exponents, more places than asked for, and overflow.
func ParseDecimal(s string, places int) (int64, error) {
	digits := s
	neg := strings.HasPrefix(digits, "-")
	if neg {
		digits = digits[1:]
	}
	whole, frac, point := strings.Cut(digits, ".")
	if whole == "" || (point && frac == "") || len(frac) > places || len(whole) > 12 {
		return 0, fmt.Errorf("%w: %q (at most %d places)", ErrDecimal, s, places)
	}
	var v int64
	for _, c := range whole + frac + strings.Repeat("0", places-len(frac)) {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("%w: %q", ErrDecimal, s)
		}
		v = v*10 + int64(c-'0')
	}
	if neg {
		v = -v
	}
	return v, nil
}
