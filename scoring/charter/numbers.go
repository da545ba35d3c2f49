package charter

// A number is a run of digit blocks with single separators, as cards, phones,
// SSNs and IP addresses are written; of more than maxBlocks the first.
type number struct {
	n      int // blocks
	blocks [maxBlocks]block
	digits int // in all
	word   int // where the last word before it ends
}

type block struct {
	start, end int32
	// before is the separator in front: a space, '-', '.', '/' or, for any with
	// a bracket, '('. Zero for the first block.
	before byte
}

const maxBlocks = 8

// after reports whether one of words stands in the few bytes of text before n.
func (n *number) after(text []byte, reach int, words ...string) bool {
	start := int(n.blocks[0].start)
	return n.word > start-reach && before(text, start, reach, words...)
}

func (b block) len() int { return int(b.end - b.start) }

// glued reports a byte before the digit at i, i > 0, that makes it part of
// something longer: a path, a fraction, a version, an identifier. A point behind
// a letter or a bracket is a sentence's, or a field's: "to[0].4532…".
func glued(text []byte, i int) bool {
	switch c := text[i-1]; c {
	case '.':
		return i == 1 || class[text[i-2]] != isLetter && text[i-2] != ']' && text[i-2] != ')'
	case '-', '/', '_', '=', '#', '$':
		return true
	default:
		return wordByte(c)
	}
}

// read reads the number at text[i:]. Where n is the one that began a block
// earlier, as in a table of digits, only the last block is read anew: else each
// would be read maxBlocks times.
func (n *number) read(text []byte, i int) {
	if n.n > 1 && int(n.blocks[1].start) == i {
		n.digits -= n.blocks[0].len()
		n.n--
		copy(n.blocks[:n.n], n.blocks[1:])
		n.blocks[0].before = 0
	} else {
		n.n, n.digits = 0, 0
		n.block(text, i, 0)
	}
	for n.n < maxBlocks {
		end := int(n.blocks[n.n-1].end)
		if end+1 < len(text) && class[text[end+1]] == isDigit && separates(text[end]) { // as it is mostly
			n.block(text, end+1, text[end])
			continue
		}
		next, sep, ok := separator(text, end)
		if !ok || next >= len(text) || class[text[next]] != isDigit {
			break
		}
		n.block(text, next, sep)
	}
}

// block adds the block of digits at text[i:].
func (n *number) block(text []byte, i int, sep byte) {
	start := i
	for i < len(text) && class[text[i]] == isDigit {
		i++
	}
	n.blocks[n.n] = block{int32(start), int32(i), sep}
	n.n++
	n.digits += i - start
}

// separates reports the signs that may stand alone between two blocks.
func separates(c byte) bool { return c == ' ' || c == '-' || c == '.' || c == '/' }

// separator reads what may stand between two blocks at text[i:]: one sign, or
// two of which one is a bracket, as in "(602) 272".
func separator(text []byte, i int) (next int, sep byte, ok bool) {
	for next = i; next < len(text) && next < i+2; next++ {
		switch c := text[next]; c {
		case '(', ')':
			sep = '('
		case ' ', '-', '.', '/':
			if sep == 0 {
				sep = c
			} else if sep != '(' {
				return next, 0, false
			}
		default:
			return next, sep, sep != 0
		}
	}
	return next, sep, true
}

// layout reports whether the first blocks have these lengths and every
// separator between them is sep; and no digit block joined by sep follows.
func (n *number) layout(sep byte, lengths ...int) bool {
	if n.n < len(lengths) {
		return false
	}
	for k, l := range lengths {
		if n.blocks[k].len() != l || k > 0 && n.blocks[k].before != sep {
			return false
		}
	}
	return n.n == len(lengths) || n.blocks[len(lengths)].before != sep
}

func (n *number) span(blocks int) span { return span{n.blocks[0].start, n.blocks[blocks-1].end} }

// plain appends the digits of the first blocks to dst.
func (n *number) plain(dst, text []byte, blocks int) []byte {
	for _, b := range n.blocks[:blocks] {
		dst = append(dst, text[b.start:b.end]...)
	}
	return dst
}

// card proves a payment card number: a known layout, an issuer's prefix or the
// word card before it, the Luhn digit, and no test number.
func (n *number) card(text []byte) span {
	if n.digits < 12 || n.n == 0 {
		return span{}
	}
	blocks, sep := 0, n.blocks[1].before
	switch first := n.blocks[0].len(); {
	case first >= 12:
		blocks = 1
	case first != 4 || n.n < 3 || sep != ' ' && sep != '-':
		return span{}
	case n.n > 5 && n.blocks[3].before == sep && n.blocks[4].before == sep && n.blocks[5].before == sep: // a table
		return span{}
	case n.layout(sep, 4, 4, 4, 4):
		blocks = 4
	case n.layout(sep, 4, 6, 5), n.layout(sep, 4, 6, 4):
		blocks = 3
	case n.layout(sep, 4, 4, 4, 4, 3):
		blocks = 5
	default:
		return span{}
	}
	var buf [longestCard]byte
	if int(n.span(blocks).end-n.span(blocks).start) > longestCard+blocks-1 {
		return span{}
	}
	d := n.plain(buf[:0], text, blocks)
	if !luhn(d) || testCard(d) {
		return span{}
	}
	if !issued(d) && !n.after(text, 24, "card", "visa", "mastercard", "maestro") {
		return span{}
	}
	return n.span(blocks)
}

const longestCard = 19

// luhn checks the last digit of d (ISO/IEC 7812-1).
func luhn(d []byte) bool {
	sum, same := 0, true
	for i := range d {
		v := int(d[len(d)-1-i] - '0')
		same = same && d[i] == d[0]
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0 && !same
}

// issued reports whether d begins and is as long as an issuer's cards.
func issued(d []byte) bool {
	p := 0
	for _, c := range d[:4] {
		p = p*10 + int(c-'0')
	}
	switch n := len(d); {
	case p/1000 == 4:
		return n == 13 || n == 16 || n == 19
	case p/100 >= 51 && p/100 <= 55, p >= 2221 && p <= 2720, p == 6011, p/100 == 65, p/10 >= 644 && p/10 <= 649, p >= 3528 && p <= 3589:
		return n == 16
	case p/100 == 34, p/100 == 37:
		return n == 15
	case p/10 >= 300 && p/10 <= 305, p/100 == 36, p/100 == 38:
		return n == 14
	}
	return false
}

// testCard reports numbers that payment providers print in their manuals.
func testCard(d []byte) bool {
	switch string(d) {
	case "4242424242424242", "4111111111111111", "4012888888881881", "4000056655665556", "4000000000000002",
		"4222222222222", "4917610000000000", "5555555555554444", "5105105105105100", "5200828282828210",
		"2223003122003222", "378282246310005", "371449635398431", "378734493671000", "6011111111111117",
		"6011000990139424", "30569309025904", "38520000023237", "36227206271667", "3530111333300000",
		"3566002020360505", "4532015112830366", "4539578763621486":
		return true
	}
	return false
}

// ssn proves a US social security number: 3-2-4 digits, each in its range; with
// spaces or none between only where the text says what it is.
func (n *number) ssn(text []byte) span {
	if n.n == 0 || n.blocks[0].len() != 3 && n.blocks[0].len() != 9 {
		return span{}
	}
	blocks := 3
	switch {
	case n.layout('-', 3, 2, 4):
	case n.layout(' ', 3, 2, 4) && n.after(text, 32, "ssn", "social security"):
	case n.blocks[0].len() == 9 && n.after(text, 32, "ssn", "social security"):
		blocks = 1
	default:
		return span{}
	}
	var buf [9]byte
	d := string(n.plain(buf[:0], text, blocks))
	if d[:3] == "000" || d[:3] == "666" || d[0] == '9' || d[3:5] == "00" || d[5:] == "0000" {
		return span{}
	}
	switch d { // printed in advertisements, or in every manual
	case "078051120", "219099999", "123456789", "111111111", "222222222", "333333333", "444444444", "555555555", "777777777", "888888888":
		return span{}
	}
	return n.span(blocks)
}

// ip proves a public IPv4 address.
func (n *number) ip(text []byte) span {
	if n.n < 4 || n.blocks[1].before != '.' || n.n > 4 && n.blocks[4].before == '.' {
		return span{}
	}
	var o [4]int
	for k, b := range n.blocks[:4] {
		if k > 0 && b.before != '.' || b.len() > 3 || b.len() > 1 && text[b.start] == '0' {
			return span{}
		}
		for _, c := range text[b.start:b.end] {
			o[k] = o[k]*10 + int(c-'0')
		}
		if o[k] > 255 {
			return span{}
		}
	}
	if !publicIP(o) || n.after(text, 16, "version", "release", "build", "firmware", "section") {
		return span{}
	}
	return n.span(4)
}

func publicIP(o [4]int) bool {
	switch {
	case o[0] == 0, o[0] == 10, o[0] == 127, o[0] >= 224,
		o[0] == 100 && o[1]&0xc0 == 64, o[0] == 169 && o[1] == 254, o[0] == 172 && o[1]&0xf0 == 16,
		o[0] == 192 && o[1] == 168, o[0] == 192 && o[1] == 0, o[0] == 198 && o[1]&0xfe == 18,
		o[0] == 198 && o[1] == 51 && o[2] == 100, o[0] == 203 && o[1] == 0 && o[2] == 113:
		return false // private, loopback, reserved, documentation
	case o == [4]int{8, 8, 8, 8}, o == [4]int{8, 8, 4, 4}, o == [4]int{1, 1, 1, 1}, o == [4]int{1, 0, 0, 1},
		o == [4]int{9, 9, 9, 9}, o == [4]int{208, 67, 222, 222}, o == [4]int{1, 2, 3, 4}:
		return false // public resolvers, and everyone's example
	}
	return max(o[0], o[1], o[2], o[3]) > 9 // 3.5.1.2 is a version or a section
}

// phone proves a telephone number of a person or office: an international
// prefix, the North American layout, or a word before it that says so. Not the
// numbers kept for fiction, nor toll-free lines.
func (n *number) phone(text []byte) span {
	if n.n == 0 || n.digits < 7 {
		return span{}
	}
	start := n.blocks[0].start
	open := start > 0 && text[start-1] == '('
	plus := start > 0 && text[start-1] == '+' && (start == 1 || !wordByte(text[start-2]))
	skip := 0 // country code blocks
	if plus || n.blocks[0].len() == 1 && text[start] == '1' || n.blocks[0].len() == 3 && string(text[start:start+3]) == "001" {
		skip = 1
	}
	if n.american(text, skip) {
		b := n.blocks[skip:]
		spaced := b[1].before == ' ' && b[2].before == ' '
		if !plus && skip == 0 && spaced && !n.afterPhone(text) || fictional(text, b) {
			return span{}
		}
		return n.dialled(text, skip+3, plus || open)
	}
	if n.n >= skip+3 && n.blocks[skip].len() == 3 && n.blocks[skip+1].len() == 3 && n.blocks[skip+2].len() == 4 && fictional(text, n.blocks[skip:]) {
		return span{} // toll-free, though its exchange cannot be
	}
	if !plus && n.digits < 2*n.n { // 1 2 3 4 5 6 7
		return span{}
	}
	if plus || n.afterPhone(text) || phoneAfter(text, int(n.blocks[n.n-1].end)) {
		return n.international(text, plus, open)
	}
	return span{}
}

func (n *number) international(text []byte, plus, open bool) span {
	blocks, digits := 0, 0
	for blocks < n.n && digits+n.blocks[blocks].len() <= 15 && n.blocks[blocks].before != '/' {
		digits += n.blocks[blocks].len()
		blocks++
	}
	if digits < 7 || plus && digits < 9 {
		return span{}
	}
	if !plus && n.blocks[0].len() == 4 && blocks == 3 && n.blocks[1].len() == 2 { // a date
		return span{}
	}
	return n.dialled(text, blocks, plus || open)
}

// dialled is the span of the first blocks with the sign before them and the
// extension after them, as in "x459".
func (n *number) dialled(text []byte, blocks int, sign bool) span {
	sp := n.span(blocks)
	if sign {
		sp.start--
	}
	if end := int(sp.end); end+2 < len(text) && lower[text[end]] == 'x' && class[text[end+1]] == isDigit {
		for end++; end < len(text) && class[text[end]] == isDigit && end-int(sp.end) < 7; end++ {
		}
		sp.end = int32(end)
	}
	return sp
}

// american reports three, three and four digits after skip blocks, with an area
// code and an exchange that can be.
func (n *number) american(text []byte, skip int) bool {
	if n.n < skip+3 {
		return false
	}
	b := n.blocks[skip : skip+3]
	if b[0].len() != 3 || b[1].len() != 3 || b[2].len() != 4 || b[1].before == '/' || b[2].before == '/' {
		return false
	}
	return text[b[0].start] >= '2' && text[b[1].start] >= '2'
}

// fictional reports 555-01xx and other 555 exchanges, toll-free and premium lines.
func fictional(text []byte, b []block) bool {
	area, exchange := string(text[b[0].start:b[0].end]), string(text[b[1].start:b[1].end])
	switch area {
	case "800", "833", "844", "855", "866", "877", "888", "900", "555":
		return true
	}
	line := string(text[b[2].start:b[2].end])
	return exchange == "555" || area == "123" || line == "0000" || area == "234" && exchange == "567"
}

// phoneAfter reports a label behind the number: "063 966-Fax".
func phoneAfter(text []byte, i int) bool {
	if i+1 >= len(text) || text[i] != '-' && text[i] != ' ' || class[text[i+1]] != isLetter && text[i+1] != '(' {
		return false
	}
	for _, w := range [...]string{"office", "fax", "(fax)", "mobile", "(mobile)", "home", "cell"} {
		if hasPrefixFold(text[i+1:], w) {
			return true
		}
	}
	return false
}

// afterPhone reports a word before n that says it is a telephone's. Verbs say less:
// after them a short row of digits in one piece may be any count.
func (n *number) afterPhone(text []byte) bool {
	if n.word <= int(n.blocks[0].start)-20 { // none at all
		return false
	}
	return n.after(text, 20, phoneNouns...) || (n.n > 1 || n.digits > 8) && n.after(text, 20, phoneVerbs...)
}

var (
	phoneNouns = []string{"phone", "telephone", "tel", "mobile", "cell", "fax", "whatsapp"}
	phoneVerbs = []string{"call", "dial", "reach", "ring", "desk"}
)
