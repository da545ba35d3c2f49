package answer

// Numbers in words, up to ninety-nine.
var spelledOnes = [...]string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
	"eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"}

var spelledTens = [...]string{"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"}

// spelled reads a whole number that v begins with in words, and says where it
// ends: "minus one hundred and five", "a dozen".
func spelled(v string) (n int64, end int, ok bool) {
	neg := false
	for _, w := range [...]string{"minus ", "negative ", "about ", "exactly ", "a ", "-"} {
		if hasFoldPrefix(v, w) {
			neg = neg || w[0] == 'm' || w[0] == 'n' || w == "-"
			end = len(w)
			ok = w == "a "
			break
		}
	}
	article := ok
	ok = false
	group := int64(0) // below a thousand
	for i := end; ; {
		from := i
		for i < len(v) && isAlpha(v[i]) {
			i++
		}
		w := v[from:i]
		value, scale := numeralOf(w)
		switch {
		case scale >= 0 && article && !ok:
			group, ok = 1, true
			fallthrough
		case scale >= 0 && ok && n < 1<<40:
			if scale == 100 || scale == 12 {
				group *= scale
			} else {
				n, group = n+group*scale, 0
			}
		case value >= 0 && !article:
			group, ok = group+value, true
		case ok && equalFold(w, "and") && i < len(v):
			i = skip(v, i, " -")
			continue
		default:
			if neg {
				n, group = -n, -group
			}
			return n + group, end, ok
		}
		end = i
		i = skip(v, i, " -")
	}
}

// numeralOf is the value of a numeral, or by how much a word as "hundred"
// multiplies what is before it; -1 where it is none.
func numeralOf(w string) (value, scale int64) {
	for i, t := range spelledTens {
		if equalFold(w, t) {
			return int64(20 + 10*i), -1
		}
	}
	for i, t := range spelledOnes {
		if equalFold(w, t) {
			return int64(i), -1
		}
	}
	switch {
	case equalFold(w, "hundred"):
		return -1, 100
	case equalFold(w, "dozen"):
		return -1, 12
	case equalFold(w, "thousand"):
		return -1, 1000
	case equalFold(w, "million"):
		return -1, 1_000_000
	case equalFold(w, "billion"):
		return -1, 1_000_000_000
	}
	return -1, -1
}
