package quorum

import "math/bits"

// Natural logarithm, exponential and logistic on fixed-point integers, the same
// on every machine. Inside they work with 60 fractional bits; golden values in
// the tests hold every result.

const (
	fracBits = 60
	fixOne   = uint64(1) << fracBits
	fixLn2   = uint64(799144290325165979) // ln 2 · 2^60
)

// Ln is the natural logarithm of num/den in ppm, rounded to nearest. Both must
// be positive.
func Ln(num, den int64) PPM {
	if num <= 0 || den <= 0 {
		panic("bug: logarithm of what is not positive")
	}
	a, ka := lnMantissa(uint64(num))
	b, kb := lnMantissa(uint64(den))
	// With 56 fractional bits the whole sum fits: |ka-kb| <= 63.
	return PPM(toPPM((int64(a)-int64(b))>>4 + int64(ka-kb)*int64(fixLn2>>4)))
}

// lnMantissa writes x = m·2^k with 1 <= m < 2 and returns ln m with 60
// fractional bits, and k.
func lnMantissa(x uint64) (ln uint64, k int) {
	k = bits.Len64(x) - 1
	m := x << (63 - k) >> 3 // 60 fractional bits, top bit set at 2^60
	// ln m = 2·artanh(z), z = (m-1)/(m+1) <= 1/3.
	z, _ := bits.Div64((m-fixOne)>>4, (m-fixOne)<<60, m+fixOne)
	square := mulFix(z, z)
	for term, n := z, uint64(1); term > 0; n += 2 {
		ln += term / n
		term = mulFix(term, square)
	}
	return 2 * ln, k
}

// Exp is e^x for x in ppm, in ppm, rounded to nearest; saturates at 2^62 ppm
// for x above 29.
func Exp(x PPM) int64 {
	if x > 29*One {
		return 1 << 62
	}
	if x < -15*One {
		return 0
	}
	// x = k·ln2 + r with 0 <= r < ln2.
	k := int64(x) * 1_000_000 / 693_147_180_560
	if int64(x)*1_000_000-k*693_147_180_560 < 0 {
		k--
	}
	r := uint64(int64(x)*1_000_000 - k*693_147_180_560) // in 1e-12
	hi, lo := bits.Mul64(r, fixOne)
	rf, _ := bits.Div64(hi, lo, 1_000_000_000_000)
	sum, term := uint64(0), fixOne
	for n := uint64(1); term > 0; n++ {
		sum += term
		term = mulFix(term, rf) / n
	}
	// sum·2^k·10^6 / 2^60, to nearest. k is between -22 and 41, so shift between 19 and 82.
	hi, lo = bits.Mul64(sum, 1_000_000)
	shift := fracBits - int(k)
	if shift > 64 {
		return int64((hi + 1<<(shift-65)) >> (shift - 64))
	}
	lo, carry := bits.Add64(lo, 1<<(shift-1), 0)
	return int64((hi+carry)<<(64-shift) | lo>>shift)
}

// Logistic is 1/(1+e^-x), x and result in ppm.
func Logistic(x PPM) PPM {
	if x < 0 {
		return One - Logistic(-x)
	}
	e := Exp(-x)
	return PPM(roundDiv(int64(One)*int64(One), int64(One)+e))
}

// Pow is base^n with base in ppm, rounded down at each step.
func Pow(base PPM, n int) PPM {
	out := One
	for range n {
		out = out * base / One
	}
	return out
}

// Sqrt is the integer square root, rounded down.
func Sqrt(v int64) int64 {
	if v < 2 {
		return max(v, 0)
	}
	x := int64(1) << ((bits.Len64(uint64(v)) + 1) / 2)
	for {
		y := (x + v/x) / 2
		if y >= x {
			return x
		}
		x = y
	}
}

func mulFix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi<<(64-fracBits) | lo>>fracBits
}

// toPPM turns a signed number with 56 fractional bits into ppm, to nearest.
func toPPM(v int64) int64 {
	neg := v < 0
	if neg {
		v = -v
	}
	hi, lo := bits.Mul64(uint64(v), 1_000_000)
	lo, carry := bits.Add64(lo, 1<<55, 0)
	out := int64((hi+carry)<<8 | lo>>56)
	if neg {
		return -out
	}
	return out
}

// roundDiv is a/b to nearest, halves away from zero; b > 0.
func roundDiv(a, b int64) int64 {
	if a < 0 {
		return -((-a + b/2) / b)
	}
	return (a + b/2) / b
}
