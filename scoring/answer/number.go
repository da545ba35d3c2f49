package answer

import "strings"

// number brings a stated value to the number it gives. A value that is no number
// but an expression (3\sqrt{2}) is a key of its own, as it is written.
func number(value string) (key, shown string) {
	v := unmath(strings.TrimSpace(tail(value, 512)))
	if exact := rounded(v); exact != "" {
		v = exact
	}
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
	if written(v) {
		return expression(v)
	}
	rooted := irrational(v)
	if out, end, ok := readFigure(buf[:0], v, 0); ok && !rooted && unit(v[end:]) {
		key = string(out)
		return key, key
	}
	c := calculation{s: strings.TrimPrefix(v, "$")}
	if r, ok := c.sum(0); ok && !rooted && c.ops > 0 && unit(c.s[c.i:]) && !c.isRange() {
		key = string(r.append(buf[:0]))
		return key, key
	}
	if symbolic(v) {
		return expression(v)
	}
	if hasDigit(v) {
		at := firstFigure(v)
		if at > 3 { // "After 3 years he has 45 dollars", but "8 per 2 hours"
			at = mainFigure(v)
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
	n, _, ok := spelled(v)
	if !ok && len(v) <= 2*plainLimit {
		n, ok = onlySpelled(v)
	}
	if ok {
		key = string(ratio{n, 1}.append(buf[:0]))
		return key, key
	}
	return "", ""
}

// rounded is the fraction that v only rounds behind it, as 1/6 ≈ 0.1667 does; ""
// where v is not so. Two places or fewer may be what was asked for: an amount.
func rounded(v string) string {
	left, right, ok := strings.Cut(v, "≈")
	if !ok {
		left, right, ok = strings.Cut(v, "\\approx")
	}
	if !ok {
		return ""
	}
	left = strings.TrimSpace(tidy(left[strings.LastIndexByte(left, '=')+1:]))
	right = strings.TrimRight(strings.TrimLeft(right, " $\\({"), " .$\\)}")
	point := strings.IndexByte(right, '.')
	if point < 0 || point != digits(right, 0) || len(right)-point <= 3 || point+1+digits(right, point+1) != len(right) {
		return ""
	}
	var buf [48]byte
	if key, end, ok := readFigure(buf[:0], left, 0); !ok || end != len(left) || strings.IndexByte(string(key), '/') < 0 {
		return ""
	}
	return left
}

func aNumeral(s string) bool {
	value, _ := numeralOf(s[:wordEnd(s, 0)])
	return value >= 0
}

// onlySpelled is the one number that v has in words, somewhere: "there are
// twenty-four of them". Neither "one", which is often no number, nor what
// a sentence denies is any, nor how many things are still to be reckoned.
func onlySpelled(v string) (n int64, ok bool) {
	for i := 0; i < len(v); {
		if !isAlpha(v[i]) {
			if strings.IndexByte("=+:_(\\", v[i]) >= 0 {
				return 0, false // a calculation
			}
			i++
			continue
		}
		end := wordEnd(v, i)
		if w := v[i:end]; isDenial(w) || equalFold(w, "no") || equalFold(w, "or") || equalFold(w, "half") || equalFold(w, "these") || equalFold(w, "the") && aNumeral(v[skip(v, end, " "):]) {
			return 0, false // "the sum of the four values"
		}
		if value, _ := numeralOf(v[i:end]); value >= 0 {
			x, stop, good := spelled(v[i:])
			switch {
			case !good || x == 1:
			case ok && x != n:
				return 0, false
			default:
				n, ok = x, true
			}
			end = max(end, i+stop)
		}
		i = end
	}
	return n, ok
}

// expression is the key of what is no number, as it is written. What reads as
// something else once it is squeezed has none: the E of "2E + 11" is no power of
// ten.
func expression(v string) (key, shown string) {
	key = squeezed(v)
	if key != v {
		if again, _ := number(key); again != key {
			return "", ""
		}
	}
	return key, key
}

// written reports whether v is of figures and yet no number: a pair in brackets,
// a ratio or a time of day. It is a key as it is written.
func written(v string) bool {
	if len(v) > 64 || !hasDigit(v) {
		return false
	}
	if k := len(v) - 1; v[0] == '(' && v[k] == ')' || v[0] == '[' && v[k] == ']' {
		return strings.IndexByte(v, ',') > 0
	}
	n := digits(v, 0)
	return n > 0 && n+1 < len(v) && v[n] == ':' && isDigit(v[n+1])
}

// between reports whether a stated value leaves open which of two numbers it is:
// "5 or 6", "5-6", "between 5 and 6".
func between(value string) bool {
	v := strings.Trim(value, " .*")
	if len(v) > plainLimit || !hasDigit(v) {
		return false
	}
	if hasFoldPrefix(v, "between ") {
		return true
	}
	i := digits(v, 0)
	if i > 0 && i+1 < len(v) && v[i] == '-' && digits(v, i+1) == len(v)-i-1 {
		return true
	}
	at := strings.Index(v, " or ")
	return at > 0 && hasDigit(v[:at]) && firstFigure(v[at+4:]) == 0
}

// unmath is v without the dollar signs of TeX around it. A dollar that is money
// has a figure behind it, and no other closes it.
func unmath(v string) string {
	for len(v) > 1 && v[0] == '$' {
		inner := strings.TrimPrefix(v[1:], "$")
		end := strings.IndexByte(inner, '$')
		if end <= 0 || inner[0] == ' ' || inner[end-1] == ' ' || end+1 < len(inner) && isDigit(inner[end+1]) {
			return v
		}
		v = inner[:end] + " " + strings.TrimLeft(inner[end:], "$")
	}
	return v
}

// mainFigure is where the figure begins that a sentence is about: the last before
// its first part that only says under which circumstances ("if", "when", "to
// save", "for 5 apples"); -1 if there is none.
func mainFigure(v string) int {
	// Of several sentences, the last that has a figure.
	for i := len(v) - 2; i > 0; i-- {
		if v[i] == '.' && v[i+1] == ' ' && lastFigure(v[i+1:]) >= 0 {
			if at := mainFigure(v[i+2:]); at >= 0 {
				return i + 2 + at
			}
			break
		}
	}
	from := 0
	for _, w := range [...]string{"after ", "in ", "for ", "if ", "when ", "with ", "at ", "by ", "since ", "because ", "as ", "of ", "from ", "over ", "within ", "during "} {
		if hasFoldPrefix(v, w) { // such a part comes first, and its figure with it
			if from = firstFigure(v); from < 0 {
				return -1
			}
			for from < len(v) && v[from] != ' ' {
				from++
			}
			if lastFigure(v[from:]) < 0 {
				from = 0
			}
			break
		}
	}
	for i := from; i+1 < len(v); i++ {
		if v[i] != ' ' || !isAlpha(v[i+1]) {
			continue
		}
		for _, w := range [...]string{"if ", "when ", "while ", "because ", "since ", "as ", "so that ", "to ", "for ", "per ", "than ", "out of ", "in ", "after ", "before ", "during ", "over "} {
			if !hasFoldPrefix(v[i+1:], w) || w == "to " && !isAlpha(v[i+4]) {
				continue
			}
			if at := lastFigure(v[from:i]); at >= 0 {
				return from + at
			}
			break
		}
	}
	if at := lastFigure(v[from:]); at >= 0 {
		return from + at
	}
	return -1
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
	_, end, ok := spelled(v)
	return ok && unit(v[end:])
}

// lastNumber is the last number near the end of a reply that does not say what
// its answer is.
func lastNumber(text string) (key, shown string) {
	const near = 300
	if whole := strings.TrimSpace(text); len(whole) <= plainLimit {
		return number(withoutRemark(whole))
	}
	v := tail(text, near)
	if untidy(v) {
		v = tidy(v)
	}
	v = withoutRemark(v)
	at := lastFigure(v)
	if at < 0 {
		if len(v) <= 2*plainLimit {
			return number(v)
		}
		return "", ""
	}
	if k := circumstance(v, at); k > 0 {
		if before := lastFigure(v[:k]); before >= 0 {
			at = before
		}
	}
	var buf [48]byte
	out, _, ok := readFigure(buf[:0], v, at)
	if !ok {
		return "", ""
	}
	key = string(out)
	return key, key
}

// withoutRemark is a text without the sentence in brackets that it ends with.
func withoutRemark(v string) string {
	t := strings.TrimRight(v, " .\n")
	if !strings.HasSuffix(t, ")") {
		return v
	}
	open := strings.LastIndexByte(t, '(')
	if open < 2 || strings.IndexByte(".!?\n", v[open-2]) < 0 || !isAlpha(v[open+1]) || lastFigure(v[:open]) < 0 {
		return v
	}
	return v[:open]
}

// circumstance is where a part of the last sentence begins that only says under
// which circumstances, and has its only figure at at: "after a 15% discount"; 0
// where there is none.
func circumstance(v string, at int) int {
	from := max(0, at-plainLimit)
	for i := at - 1; i > from; i-- {
		switch v[i] {
		case '=', '\n', ',', ';', ':', '.', '!', '?', '\\', '{', '(', '<':
			return 0
		}
		for _, w := range [...]string{" after ", " before ", " because ", " since ", " including "} {
			if !hasFoldPrefix(v[i:], w) || isStop(v[i-1]) {
				continue
			}
			for word := range strings.FieldsSeq(v[i:at]) {
				switch strings.ToLower(word) {
				case "is", "are", "was", "has", "have", "had", "leaves", "left", "gives", "makes", "we", "get", "gets", "there", "be", "equals":
					return 0 // what is so then
				}
			}
			return i
		}
	}
	return 0
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
	if irrational(v) || strings.Contains(v, "\\pi") || strings.Contains(v, "log") || strings.Contains(v, "^") {
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

// irrational reports whether v has a root or pi in it.
func irrational(v string) bool {
	if strings.Contains(v, "sqrt") || strings.Contains(v, "√") || strings.Contains(v, "π") {
		return true
	}
	i := strings.Index(v, "pi")
	return i >= 0 && (i == 0 || !isAlpha(v[i-1])) && (i+2 == len(v) || !isAlpha(v[i+2]))
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
