package answer

import (
	"math/bits"
	"strconv"
)

// A decimal is a number as it was written, of any length: the digits before and
// after its point, which may hold separators, and a power of ten.
type decimal struct {
	neg         bool
	whole, frac string
	exp         int
}

// maxExponent is the largest power of ten that is written out.
const maxExponent = 64

// readDecimal reads the number at s[i:] as JSON and Python write it.
func readDecimal(s string, i int) (d decimal, end int, ok bool) {
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		d.neg = s[i] == '-'
		i++
	}
	from := i
	for i < len(s) && (isDigit(s[i]) || s[i] == '_' && i > from) {
		i++
	}
	d.whole = s[from:i]
	if i < len(s) && s[i] == '.' {
		from = i + 1
		for i++; i < len(s) && isDigit(s[i]); i++ {
		}
		d.frac = s[from:i]
	}
	if d.whole == "" && d.frac == "" {
		return d, i, false
	}
	d.exp, i = readExponent(s, i)
	return d, i, true
}

func readExponent(s string, i int) (exp, end int) {
	if i+1 >= len(s) || s[i]|0x20 != 'e' {
		return 0, i
	}
	j := i + 1
	if j+1 < len(s) && (s[j] == '-' || s[j] == '+') {
		j++
	}
	from := j
	for j < len(s) && isDigit(s[j]) {
		j++
	}
	if j == from || j < len(s) && isAlpha(s[j]) {
		return 0, i
	}
	exp, err := strconv.Atoi(s[i+1 : j])
	if err != nil || exp > 1<<20 || exp < -1<<20 {
		return 0, i
	}
	return exp, j
}

// append appends d's one spelling: "1000", "-0.5", "0".
func (d decimal) append(dst []byte) []byte {
	start := len(dst)
	if d.neg {
		dst = append(dst, '-')
	}
	from := len(dst)
	for i := range len(d.whole) {
		if isDigit(d.whole[i]) {
			dst = append(dst, d.whole[i])
		}
	}
	point := len(dst) - from
	dst = append(dst, d.frac...)
	beyond := d.exp // what is not written out
	if d.exp >= -maxExponent && d.exp <= maxExponent {
		beyond = 0
		point += d.exp
		for ; point < 0; point++ {
			dst = append(dst, 0)
			copy(dst[from+1:], dst[from:])
			dst[from] = '0'
		}
		for point > len(dst)-from {
			dst = append(dst, '0')
		}
	}
	// Leading zeros, then trailing ones behind the point.
	zeros := 0
	for zeros < point && dst[from+zeros] == '0' {
		zeros++
	}
	dst = append(dst[:from], dst[from+zeros:]...)
	point -= zeros
	for len(dst)-from > point && dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	if len(dst) == from { // zero has no sign
		return append(dst[:start], '0')
	}
	if len(dst)-from > point {
		lead := 1
		if point == 0 {
			lead = 2
		}
		for range lead {
			dst = append(dst, 0)
		}
		copy(dst[from+point+lead:], dst[from+point:])
		if point == 0 {
			dst[from] = '0'
		}
		dst[from+point+lead-1] = '.'
	}
	if beyond != 0 {
		dst = append(dst, 'e')
		dst = strconv.AppendInt(dst, int64(beyond), 10)
	}
	return dst
}

// A ratio is an exact small fraction: den > 0, and no common divisor.
type ratio struct{ num, den int64 }

// maxRatio keeps products of two of them within 64 bits.
const maxRatio = 1 << 62

// ratio is d's value, where it is small enough.
func (d decimal) ratio() (r ratio, ok bool) {
	r.den = 1
	digits := 0
	exp := d.exp
	for _, part := range [2]string{d.whole, d.frac} {
		for i := range len(part) {
			if !isDigit(part[i]) {
				continue
			}
			if digits++; digits > 17 {
				return r, false
			}
			r.num = r.num*10 + int64(part[i]-'0')
		}
	}
	for exp -= len(d.frac); exp != 0; {
		switch {
		case exp > 0 && r.num < maxRatio/10:
			r.num *= 10
			exp--
		case exp < 0 && r.den < maxRatio/10:
			r.den *= 10
			exp++
		default:
			return r, false
		}
	}
	if d.neg {
		r.num = -r.num
	}
	return r.reduced(), true
}

func (r ratio) reduced() ratio {
	a, b := r.num, r.den
	for b != 0 {
		a, b = b, a%b
	}
	if a < 0 {
		a = -a
	}
	if a > 1 {
		r.num, r.den = r.num/a, r.den/a
	}
	if r.den < 0 {
		r.num, r.den = -r.num, -r.den
	}
	return r
}

func (r ratio) add(o ratio) (ratio, bool) {
	a, ok1 := times(r.num, o.den)
	b, ok2 := times(o.num, r.den)
	den, ok3 := times(r.den, o.den)
	if !ok1 || !ok2 || !ok3 {
		return r, false
	}
	return ratio{a + b, den}.reduced(), true
}

func (r ratio) mul(o ratio) (ratio, bool) {
	num, ok1 := times(r.num, o.num)
	den, ok2 := times(r.den, o.den)
	if !ok1 || !ok2 || den == 0 {
		return r, false
	}
	return ratio{num, den}.reduced(), true
}

func (r ratio) inverse() (ratio, bool) {
	return ratio{r.den, r.num}.reduced(), r.num != 0
}

func (r ratio) neg() ratio { return ratio{-r.num, r.den} }

// times multiplies within half of what int64 holds, so that two results may be
// added.
func times(a, b int64) (int64, bool) {
	neg := (a < 0) != (b < 0)
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	if hi != 0 || lo >= maxRatio {
		return 0, false
	}
	if neg {
		return -int64(lo), true
	}
	return int64(lo), true
}

func magnitude(a int64) uint64 {
	if a < 0 {
		return uint64(-a)
	}
	return uint64(a)
}

// append appends r as a decimal where it ends, else as a fraction: "0.5", "1/3".
func (r ratio) append(dst []byte) []byte {
	places, scale, den := 0, int64(1), r.den
	for den%10 == 0 {
		den /= 10
		places++
	}
	for den%2 == 0 || den%5 == 0 {
		if den%2 == 0 {
			den /= 2
			scale *= 5
		} else {
			den /= 5
			scale *= 2
		}
		places++
		if scale > 1<<40 {
			break
		}
	}
	num, ok := times(r.num, scale)
	if den != 1 || !ok {
		dst = strconv.AppendInt(dst, r.num, 10)
		dst = append(dst, '/')
		return strconv.AppendInt(dst, r.den, 10)
	}
	var buf [24]byte
	digits := string(strconv.AppendUint(buf[:0], magnitude(num), 10))
	return decimal{neg: num < 0, whole: digits, exp: -places}.append(dst)
}
