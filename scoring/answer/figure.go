package answer

import "strings"

// Units that signs stand for, and the one that says nothing without its scale.
var (
	hashStemPercent = hashStem("percent")
	hashStemDollar  = hashStem("dollar")
	hashStemEuro    = hashStem("euro")
	hashStemPound   = hashStem("lb") // "pounds" may be either
	hashStemYen     = hashStem("yen")
	hashStemDegree  = hashStem("degree")
)

// The units of the figures of a date, so that another day or year is seen to stand
// in the same place.
const (
	ofDay uint32 = 1 + iota
	ofYear
)

// measure gives the figure just before its unit.
func (r *reader) measure(unit uint64) {
	if r.number >= 0 && r.w.list[r.number].unit == 0 {
		r.w.list[r.number].unit = uint32(unit)
	}
}

// takeBack takes the figure just before out again, where the text has it nowhere
// else.
func (r *reader) takeBack() bool {
	if r.number < 0 || r.number != len(r.w.list)-1 || r.prevOld {
		return false
	}
	bits := r.w.list[r.number].bits
	r.drop()
	r.bound, r.figured = bits&(higher|lower), true // it is that of what takes its place
	return true
}

// scale makes the figure just before a million of it, if that is what low says.
func (r *reader) scale(low []byte) bool {
	exp := 0
	switch string(low) {
	case "hundred":
		exp = 2
	case "thousand":
		exp = 3
	case "million":
		exp = 6
	case "billion":
		exp = 9
	case "trillion":
		exp = 12
	default:
		return false
	}
	old := r.w.list[r.number]
	if at := r.number; r.takeBack() {
		mantissa := r.mantissa
		exp += r.exp
		for mantissa != 0 && mantissa%10 == 0 {
			mantissa /= 10
			exp++
		}
		v := old
		if v.bits&asked == 0 {
			r.clause++
		}
		v.hash = hashFigure(mantissa, exp)
		v.bits &^= asked | year
		if r.question != nil && r.question.find(v.hash) >= 0 {
			v.bits |= asked
		}
		r.exp = exp
		r.mantissa = mantissa
		r.prevAt = r.w.add(v)
		r.prevOld = r.prevAt != at
		r.bound = 0
	}
	return true
}

// figure takes the number at text[i:] and returns where to go on.
func (r *reader) figure(i int) int {
	s := r.text
	r.w.count++
	r.opening = false
	from := i
	if y, m, d, end := isoDate(s, i); end > 0 {
		r.put(word{hash: hashNumber(y), bits: figure | year, unit: ofYear}, 1)
		r.put(word{hash: hashWord(monthNames[m-1]), bits: dated}, 1)
		r.put(word{hash: hashNumber(d), bits: figure, unit: ofDay}, 1)
		return end
	}
	mantissa, exp, point, n := uint64(0), 0, false, 0
	for i < len(s) {
		c := s[i]
		if isDigit(c) {
			if n < 18 {
				mantissa = mantissa*10 + uint64(c-'0')
				if point {
					exp--
				}
			} else if !point {
				exp++
			}
			n++
			i++
			continue
		}
		if c == ',' && !point && digits(s[:min(len(s), i+5)], i+1) == 3 && i-from <= 3+4*((i-from)/4) {
			i++
			continue
		}
		if c == '.' && !point && i+1 < len(s) && isDigit(s[i+1]) {
			point = true
			i++
			continue
		}
		break
	}
	bits := figure
	if !point && i == from+4 && mantissa >= 1000 && mantissa < 2100 {
		bits |= year
	}
	for mantissa != 0 && mantissa%10 == 0 {
		mantissa /= 10
		exp++
	}
	if from > 0 && s[from-1] == '-' && (from == 1 || s[from-2] == ' ' || s[from-2] == '(') {
		mantissa = -mantissa // below zero
	}
	v := word{hash: hashFigure(mantissa, exp), bits: bits}
	if unit := currencyBefore(s[:from]); unit != 0 {
		v.unit = uint32(unit)
		v.bits &^= year
	}
	switch afterMonth := r.prevAt >= 0 && r.w.list[r.prevAt].bits&dated != 0; {
	case v.unit != 0:
	case bits&year != 0 && (afterMonth || from > 2 && s[from-1] == ' ' && s[from-2] == ',' && isDigit(s[from-3])):
		v.unit = ofYear
	case afterMonth && exp >= 0 && i-from <= 2:
		v.unit = ofDay
	}
	r.endRun()
	r.put(v, v.hash)
	r.number = r.prevAt
	r.mantissa, r.exp = mantissa, exp
	// 14th, 1990s: the ending says nothing. 5km: a word of its own.
	if i+1 < len(s) && isAlpha(s[i]) {
		switch end := i + 2; {
		case (hasFoldPrefix(s[i:], "th") || hasFoldPrefix(s[i:], "st") || hasFoldPrefix(s[i:], "nd") || hasFoldPrefix(s[i:], "rd")) && (end == len(s) || !isAlnum(s[end])):
			return end
		case s[i] == 's' && !isAlnum(s[i+1]):
			return i + 1
		}
	}
	return i
}

// currencyBefore is the unit of the sign that s ends with, or 0.
func currencyBefore(s string) uint64 {
	if s == "" || s[len(s)-1] != '$' && s[len(s)-1] < 0x80 {
		return 0
	}
	switch {
	case strings.HasSuffix(s, "$"):
		return hashStemDollar
	case strings.HasSuffix(s, "€"):
		return hashStemEuro
	case strings.HasSuffix(s, "£"):
		return hashStemPound
	case strings.HasSuffix(s, "¥"):
		return hashStemYen
	}
	return 0
}

// isoDate reads 2017-07-14; end is 0 where there is none.
func isoDate(s string, i int) (y, m, d, end int) {
	if len(s) < i+10 || s[i+4] != '-' || s[i+7] != '-' || digits(s[:i+4], i) != 4 || digits(s[:i+7], i+5) != 2 || digits(s[:i+10], i+8) != 2 ||
		len(s) > i+10 && isAlnum(s[i+10]) {
		return 0, 0, 0, 0
	}
	y = int(s[i]-'0')*1000 + int(s[i+1]-'0')*100 + int(s[i+2]-'0')*10 + int(s[i+3]-'0')
	m = int(s[i+5]-'0')*10 + int(s[i+6]-'0')
	d = int(s[i+8]-'0')*10 + int(s[i+9]-'0')
	if m < 1 || m > 12 || d < 1 || d > 31 {
		return 0, 0, 0, 0
	}
	return y, m, d, i + 10
}
