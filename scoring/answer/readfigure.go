package answer

import "strings"

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
	} else if first <= 3 && first > 0 && s[from] != '0' {
		// 12 000 000: only where the groups end the number.
		j := i
		for j < len(s) && s[j] == ' ' && digits(s, j+1) == 3 {
			j += 4
		}
		if j > i && (j == len(s) || s[j] != ' ' && !isDigit(s[j]) || s[j] == ' ' && digits(s, j+1) == 0) {
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
