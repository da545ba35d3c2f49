package answer

import (
	"strings"
	"unicode"
)

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
	v = strings.TrimRightFunc(v, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(".,;:!?*", r) })
	v = strings.TrimLeftFunc(v, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(":*,;#", r) })
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
