package answer

import "strings"

// number brings a stated value to the number it gives. A value that is no number
// but an expression (3\sqrt{2}) is a key of its own, as it is written.
func number(value string) (key, shown string) {
	if len(value) > 512 {
		value = value[len(value)-512:]
	}
	v := strings.TrimSpace(value)
	if untidy(v) {
		v = strings.TrimSpace(tidy(v))
	}
	// What comes of a calculation stands behind its last equals sign.
	if i := strings.LastIndexByte(v, '='); i >= 0 && hasDigit(v[i:]) {
		v = strings.TrimSpace(v[i+1:])
	}
	v = strings.TrimRight(v, " .,;:!?*")
	v = strings.TrimLeft(v, " :*,;#")
	if v == "" {
		return "", ""
	}
	var buf [48]byte
	if out, end, ok := readFigure(buf[:0], v, 0); ok && unit(v[end:]) {
		key = string(out)
		return key, key
	}
	c := calculation{s: v}
	if r, ok := c.sum(0); ok && c.ops > 0 && unit(c.s[c.i:]) && !c.isRange() {
		key = string(r.append(buf[:0]))
		return key, key
	}
	if symbolic(v) {
		key = squeezed(v)
		return key, key
	}
	if hasDigit(v) {
		at := firstFigure(v)
		if at > 3 { // "After 3 years he has 45 dollars", but "8 per 2 hours"
			at = lastFigure(v)
		}
		if at < 0 {
			return "", ""
		}
		if out, _, ok := readFigure(buf[:0], v, at); ok {
			key = string(out)
			return key, key
		}
		return "", ""
	}
	if n, ok := spelled(v); ok {
		key = string(ratio{int64(n), 1}.append(buf[:0]))
		return key, key
	}
	return "", ""
}

// readsAsNumber reports whether v is a number and nothing but its unit.
func readsAsNumber(v string) bool {
	if len(v) > 200 {
		return false
	}
	if untidy(v) {
		v = tidy(v)
	}
	v = strings.TrimSpace(v)
	var buf [48]byte
	if _, end, ok := readFigure(buf[:0], v, 0); ok && unit(strings.TrimRight(v[end:], ".")) {
		return true
	}
	_, ok := spelled(v)
	return ok
}

// lastNumber is the last number near the end of a reply that does not say what
// its answer is.
func lastNumber(text string) (key, shown string) {
	const near = 300
	if whole := strings.TrimSpace(text); len(whole) <= plainLimit {
		return number(whole)
	}
	v := text[max(0, len(text)-near):]
	if untidy(v) {
		v = tidy(v)
	}
	at := lastFigure(v)
	if at < 0 {
		return "", ""
	}
	var buf [48]byte
	out, _, ok := readFigure(buf[:0], v, at)
	if !ok {
		return "", ""
	}
	key = string(out)
	return key, key
}

// readFigure reads the number at s[i:] as people write it, with sign, currency,
// separators, a fraction, a power of ten or a word for it, and appends its one
// spelling.
func readFigure(dst []byte, s string, i int) (out []byte, end int, ok bool) {
	d, i, ok := readSeparated(s, i)
	if !ok {
		return dst, i, false
	}
	if j := skip(s, i, " "); j < len(s) && (s[j] == '/' || j > i && isDigit(s[j])) {
		if r, end, ok := readFraction(d, s, i); ok {
			return r.append(dst), end, true
		}
	}
	// ×10^6 or a word for a power of ten.
	if j := skip(s, i, " "); j+3 < len(s) && (s[j] == '*' || s[j] == 'x') {
		k := skip(s, j+1, " ")
		if strings.HasPrefix(s[k:], "10^") {
			k = skip(s, k+3, "{(")
			neg := k < len(s) && s[k] == '-'
			if neg {
				k++
			}
			n, from := 0, k
			for k < len(s) && isDigit(s[k]) && n < 1000 {
				n = n*10 + int(s[k]-'0')
				k++
			}
			if k > from {
				if neg {
					n = -n
				}
				d.exp += n
				i = skip(s, k, "})")
			}
		}
	}
	if j := skip(s, i, " "); j < len(s) {
		for k, w := range [...]string{"hundred", "thousand", "million", "billion", "trillion"} {
			if hasFoldPrefix(s[j:], w) && (j+len(w) == len(s) || !isAlnum(s[j+len(w)])) {
				d.exp += [...]int{2, 3, 6, 9, 12}[k]
				i = j + len(w)
				break
			}
		}
	}
	return d.append(dst), i, true
}

// readSeparated reads sign, currency and digits, with commas, spaces or points
// between groups of three.
func readSeparated(s string, i int) (d decimal, end int, ok bool) {
	for i < len(s) {
		switch c := s[i]; {
		case c == '-':
			d.neg = true
			i++
		case c == '+' || c == '~' || c == ' ' || c == '$' || c == '(' && i+1 < len(s) && s[i+1] == '$':
			i++
		case strings.HasPrefix(s[i:], "€") || strings.HasPrefix(s[i:], "₹") || strings.HasPrefix(s[i:], "₱"):
			i += len("€")
		case strings.HasPrefix(s[i:], "£") || strings.HasPrefix(s[i:], "¥"):
			i += len("£")
		case hasFoldPrefix(s[i:], "usd ") || hasFoldPrefix(s[i:], "eur ") || hasFoldPrefix(s[i:], "rs. "):
			i += 4
		case hasFoldPrefix(s[i:], "us$"):
			i += 3
		case hasFoldPrefix(s[i:], "minus ") || hasFoldPrefix(s[i:], "negative "):
			d.neg = true
			i = strings.IndexByte(s[i:], ' ') + i + 1
		case hasFoldPrefix(s[i:], "about ") || hasFoldPrefix(s[i:], "approximately ") || hasFoldPrefix(s[i:], "exactly ") || hasFoldPrefix(s[i:], "roughly "):
			i = strings.IndexByte(s[i:], ' ') + i + 1
		case isDigit(c) || c == '.' && i+1 < len(s) && isDigit(s[i+1]):
			end = d.readGroups(s, i)
			return d, end, true
		default:
			return d, i, false
		}
	}
	return d, i, false
}

// readGroups reads the digits at s[i:]. A comma, point or space between groups of
// three separates thousands; else a comma before one or two digits is a decimal
// comma, and a point a decimal point.
func (d *decimal) readGroups(s string, i int) (end int) {
	from := i
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	first := i - from
	groups := i
	for groups < len(s) && (s[groups] == ',' || s[groups] == '\'' || s[groups] == '_') && first <= 3 && digits(s, groups+1) == 3 {
		groups += 4
	}
	if groups > i {
		i = groups
	} else if first <= 3 && i+2 < len(s) && s[i] == ' ' && digits(s, i+1) == 3 && s[from] != '0' {
		// 12 000: only where the group ends the number.
		if j := i + 4; j == len(s) || s[j] == ' ' && digits(s, j+1) == 0 || s[j] == '.' {
			i = j
		}
	}
	d.whole = s[from:i]
	switch {
	case i < len(s) && s[i] == '.' && digits(s, i+1) > 0:
		n := digits(s, i+1)
		if end := i + 1 + n; n == 3 && end < len(s) && (s[end] == ',' && digits(s, end+1) == 2 || s[end] == '.' && digits(s, end+1) == 3) && groups == from+first {
			return d.continental(s, from)
		}
		d.frac = s[i+1 : i+1+n]
		i += 1 + n
	case i < len(s) && s[i] == ',' && first == i-from:
		if n := digits(s, i+1); n == 1 || n == 2 {
			d.frac = s[i+1 : i+1+n]
			i += 1 + n
		}
	case i < len(s) && s[i] == '.' && (i+1 == len(s) || s[i+1] == ' '):
		return i // a full stop
	}
	d.exp, i = readExponent(s, i)
	return i
}

// continental reads 1.234.567,89.
func (d *decimal) continental(s string, from int) (end int) {
	i := from
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	for i < len(s) && s[i] == '.' && digits(s, i+1) == 3 {
		i += 4
	}
	d.whole = s[from:i]
	if i < len(s) && s[i] == ',' {
		if n := digits(s, i+1); n > 0 {
			d.frac = s[i+1 : i+1+n]
			i += 1 + n
		}
	}
	return i
}

// readFraction reads what makes d, which ends at s[i], a fraction: "/4" after the
// 3 of 3/4, " 1/2" after the 2 of 2 1/2.
func readFraction(d decimal, s string, i int) (r ratio, end int, ok bool) {
	r, ok = d.ratio()
	if !ok {
		return r, i, false
	}
	j := skip(s, i, " ")
	if s[j] != '/' { // a mixed number
		top, k, ok := readDecimal(s, j)
		if !ok || k >= len(s) || s[k] != '/' || top.frac != "" || d.frac != "" {
			return r, i, false
		}
		part, end, ok := readFraction(top, s, k)
		if !ok {
			return r, i, false
		}
		if d.neg {
			part = part.neg()
		}
		r, ok = r.add(part)
		return r, end, ok
	}
	var below decimal
	k := skip(s, j+1, " ")
	below, end, ok = readSeparated(s, k)
	if !ok || k < len(s) && (s[k] == '$' || s[k] == '(') || end+1 < len(s) && s[end] == '/' && isDigit(s[end+1]) {
		return r, i, false // a date
	}
	b, ok := below.ratio()
	if !ok {
		return r, i, false
	}
	if b, ok = b.inverse(); !ok {
		return r, i, false
	}
	r, ok = r.mul(b)
	return r, end, ok
}

func digits(s string, i int) (n int) {
	for i+n < len(s) && isDigit(s[i+n]) {
		n++
	}
	return n
}

func hasDigit(s string) bool {
	for i := range len(s) {
		if isDigit(s[i]) {
			return true
		}
	}
	return false
}

// unit reports whether s, what follows a number, is nothing but its unit: at most
// five words, no figure but an exponent's.
func unit(s string) bool {
	words := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isDigit(c):
			if i == 0 || s[i-1] != '^' && !(isAlpha(s[i-1]) && i+1 == len(s)) {
				return false
			}
		case c == '=' || c == '*' || c == '+' || c == '\\' || c == '<' || c == '>' || c == '(' && i == 0:
			return false
		case (c == '-' || c == '/' || c == ',') && i == 0:
			return false
		case c == '^' && i == 0:
			return false
		case c == ' ':
			words++
		}
	}
	if len(s) > 1 && isAlpha(s[0]) && !isAlpha(s[1]) && s[0] != 'm' && s[0] != 'g' && s[0] != 's' && s[0] != 'h' && s[0] != 'L' && s[0] != 'l' && s[0] != 'k' {
		return false // 3x + 1
	}
	if len(s) == 1 && (s[0] == 'x' || s[0] == 'y' || s[0] == 'i' || s[0] == 'n') {
		return false // 3x
	}
	return words <= 5
}

// firstFigure and lastFigure are where the first and the last number of s begin,
// their sign and currency included, or -1. A label (2. or Step 2:) is none.
func firstFigure(s string) int {
	for i := range len(s) {
		if isDigit(s[i]) && !label(s, i) {
			return signed(s, i)
		}
	}
	return -1
}

func lastFigure(s string) int {
	for end := len(s); end > 0; {
		i := end - 1
		for i >= 0 && !isDigit(s[i]) {
			i--
		}
		if i < 0 {
			return -1
		}
		for i > 0 && (isDigit(s[i-1]) || (s[i-1] == ',' || s[i-1] == '.' || s[i-1] == '/') && i > 1 && isDigit(s[i-2])) {
			i--
		}
		if i > 0 && s[i-1] == '.' && (i == 1 || !isAlnum(s[i-2])) {
			i-- // .5
		}
		if !label(s, i) {
			return signed(s, i)
		}
		end = i
	}
	return -1
}

// label reports whether the number at s[i:] numbers a step or a list entry, or is
// part of a name (x2).
func label(s string, i int) bool {
	if i > 0 && (isAlpha(s[i-1]) || s[i-1] == '_' || s[i-1] == '^') {
		return true
	}
	end := i + digits(s, i)
	lineStart := i == 0 || s[i-1] == '\n' || i > 1 && s[i-1] == ' ' && s[i-2] == '\n'
	if lineStart && i > 0 && end+1 < len(s) && (s[end] == '.' || s[end] == ')') && s[end+1] == ' ' {
		return true
	}
	return i >= 5 && hasFoldPrefix(s[i-5:], "step ")
}

// signed moves i back over the currency and the sign of the number there. A minus
// behind something to subtract from is not a sign.
func signed(s string, i int) int {
	if i > 0 && s[i-1] == '$' {
		i--
	}
	if i > 0 && s[i-1] == '-' && (i == 1 || !isAlnum(s[i-2]) && s[i-2] != ')' && !(s[i-2] == ' ' && i > 2 && (isDigit(s[i-3]) || s[i-3] == ')'))) {
		i--
	}
	return i
}

// symbolic reports whether v is an expression that no number equals exactly: with
// a root, a power, pi, or a variable beside an operator.
func symbolic(v string) bool {
	if len(v) > 64 {
		return false
	}
	if strings.Contains(v, "sqrt") || strings.Contains(v, "√") || strings.Contains(v, "\\pi") ||
		strings.Contains(v, "π") || strings.Contains(v, "log") || strings.Contains(v, "^") {
		return true
	}
	for i := range len(v) {
		if isAlpha(v[i]) && (i == 0 || !isAlpha(v[i-1])) && (i+1 == len(v) || !isAlpha(v[i+1])) && v[i]|0x20 != 'x' {
			if operator(strings.TrimRight(v[:i], " ("), true) || operator(strings.TrimLeft(v[i+1:], " )"), false) {
				return true
			}
		}
	}
	return false
}

// operator reports whether s ends, or begins, with plus, minus or times.
func operator(s string, ends bool) bool {
	if s == "" {
		return false
	}
	c := s[0]
	if ends {
		c = s[len(s)-1]
	}
	return c == '+' || c == '-' || c == '*'
}

// squeezed is an expression without what TeX adds to its looks.
func squeezed(v string) string {
	b := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		switch {
		case isSpace(v[i]) || v[i] == '\\' || v[i] == '{' || v[i] == '}' || v[i] == '*':
		case strings.HasPrefix(v[i:], "√"):
			b = append(b, "sqrt"...)
			i += len("√") - 1
		case strings.HasPrefix(v[i:], "π"):
			b = append(b, "pi"...)
			i += len("π") - 1
		case strings.HasPrefix(v[i:], "sqrt("):
			b = append(b, "sqrt"...)
			i += len("sqrt(") - 1
		case v[i] == ')' && strings.Contains(v, "sqrt("):
		default:
			b = append(b, v[i])
		}
	}
	return string(b)
}

var spelledOnes = [...]string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
	"eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"}

var spelledTens = [...]string{"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"}

// spelled reads a number below a hundred that v begins with in words.
func spelled(v string) (n int, ok bool) {
	word := func() string {
		i := 0
		for i < len(v) && isAlpha(v[i]) {
			i++
		}
		w := v[:i]
		v = strings.TrimLeft(v[i:], " -")
		return w
	}
	w := word()
	for i, t := range spelledTens {
		if equalFold(w, t) {
			n, ok = 20+10*i, true
			w = word()
		}
	}
	for i, t := range spelledOnes {
		if equalFold(w, t) && (!ok || i > 0 && i < 10) {
			return n + i, true
		}
	}
	return n, ok
}
