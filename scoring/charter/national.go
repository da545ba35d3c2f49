package charter

// National numbers are proved by the check of whoever issues them. Most of those
// made of digits alone look like any other number of their length, of which one
// in ten passes a check digit: they also want a word before them that says what
// they are.

// announcedNumbers want such a word.
var announcedNumbers = [...]struct {
	digits int
	check  func(d []byte) bool
	words  []string // in lower case; whole words
}{
	{9, socialInsurance, []string{"sin", "social insurance", "insurance number"}},      // Canada
	{9, bsn, []string{"bsn", "burgerservicenummer"}},                                   // Netherlands
	{9, taxFile, []string{"tfn", "tax file", "file number"}},                           // Australia
	{10, nhs, []string{"nhs", "nhs number", "nhs no"}},                                 // United Kingdom, health
	{10, luhn, []string{"personnummer", "personal identity number"}},                   // Sweden
	{11, steuerID, []string{"steuer", "identifikationsnummer", "idnr", "tax id"}},      // Germany
	{11, pesel, []string{"pesel"}},                                                     // Poland
	{11, cpf, []string{"cpf"}},                                                         // Brazil
	{12, verhoeff, []string{"aadhaar", "aadhar", "uidai"}},                             // India
	{15, nir, []string{"insee", "nir", "securite sociale", "social security", "secu"}}, // France
}

// announcedReach is how far before a number the word may end.
const announcedReach = 32

// national proves a national number that begins with a digit.
func (n *number) national(text []byte) span {
	first := n.blocks[0].len()
	if first == 3 && n.n >= 4 && n.blocks[1].before == '.' && n.blocks[2].before == '.' && n.blocks[3].before == '-' &&
		n.blocks[1].len() == 3 && n.blocks[2].len() == 3 && n.blocks[3].len() == 2 {
		var buf [18]byte
		if cpf(n.plain(buf[:0], text, 4)) { // 123.456.789-09: nothing else is written so
			return n.span(4)
		}
	}
	if first == 17 || first == 18 {
		return n.chinese(text)
	}
	if n.digits < 6 || n.word <= int(n.blocks[0].start)-announcedReach {
		return span{}
	}
	if sp := n.insurance(text); sp.end > 0 {
		return sp
	}
	if sp := n.spanish(text); sp.end > 0 {
		return sp
	}
	digits, blocks := 0, 0
	for blocks < n.n && digits < 15 {
		if b := n.blocks[blocks]; b.before == '/' || b.before == '(' {
			break
		}
		digits += n.blocks[blocks].len()
		blocks++
		for i := range announcedNumbers {
			a := &announcedNumbers[i]
			if a.digits != digits || blocks < n.n && n.blocks[blocks].before != ' ' || wordFollows(text, int(n.blocks[blocks-1].end)) {
				continue
			}
			var buf [18]byte
			if n.announcedBy(text, a.words) && a.check(n.plain(buf[:0], text, blocks)) {
				return n.span(blocks)
			}
		}
	}
	return span{}
}

// layoutOf reports whether the blocks from the second to the count-th are joined
// by sep.
func (n *number) layoutOf(sep byte, count int) bool {
	for k := 1; k < count; k++ {
		if n.blocks[k].before != sep {
			return false
		}
	}
	return true
}

func wordFollows(text []byte, i int) bool { return i < len(text) && wordByte(text[i]) }

// announcedBy reports one of words, whole, in the few bytes before n.
func (n *number) announcedBy(text []byte, words []string) bool {
	start := int(n.blocks[0].start)
	if n.word <= start-announcedReach {
		return false
	}
	near := text[max(0, start-announcedReach):start]
	for at := range near {
		if class[near[at]] != isLetter || at > 0 && wordByte(near[at-1]) {
			continue
		}
		for _, w := range words {
			if hasPrefixFold(near[at:], w) && !wordFollows(near, at+len(w)) {
				return true
			}
		}
	}
	return false
}

// insurance proves a British National Insurance number around its six digits:
// two letters that are issued, and one of A to D.
func (n *number) insurance(text []byte) span {
	blocks := 1
	if n.n >= 3 && n.layoutOf(' ', 3) && n.blocks[0].len() == 2 && n.blocks[1].len() == 2 && n.blocks[2].len() == 2 {
		blocks = 3
	} else if n.blocks[0].len() != 6 {
		return span{}
	}
	start, end := int(n.blocks[0].start), int(n.blocks[blocks-1].end)
	if start < 3 || text[start-1] != ' ' || start > 3 && wordByte(text[start-4]) || end >= len(text) {
		return span{}
	}
	if text[end] == ' ' {
		end++
	}
	if end >= len(text) || text[end] < 'A' || text[end] > 'D' || wordFollows(text, end+1) || !insurancePrefix(text[start-3], text[start-2]) {
		return span{}
	}
	if blocks == 1 && !n.announcedBy(text, insuranceWords) {
		return span{}
	}
	return span{int32(start - 3), int32(end + 1)}
}

var insuranceWords = []string{"national insurance", "nino", "ni number", "insurance number"}

func insurancePrefix(a, b byte) bool {
	letter := func(c byte, not string) bool {
		if c < 'A' || c > 'Z' {
			return false
		}
		for i := range len(not) {
			if c == not[i] {
				return false
			}
		}
		return true
	}
	if !letter(a, "DFIQUV") || !letter(b, "DFIOQUV") {
		return false
	}
	switch string([]byte{a, b}) {
	case "BG", "GB", "KN", "NK", "NT", "TN", "ZZ", "AB": // never issued, and everybody's example
		return false
	}
	return true
}

// spanish proves a Spanish DNI: eight digits and the letter that they give.
func (n *number) spanish(text []byte) span {
	end := int(n.blocks[0].end)
	if n.blocks[0].len() != 8 || end >= len(text) {
		return span{}
	}
	if text[end] == '-' {
		end++
	}
	if end >= len(text) || wordFollows(text, end+1) || !n.announcedBy(text, spanishWords) {
		return span{}
	}
	d := text[n.blocks[0].start:n.blocks[0].end]
	if string(d) == "12345678" || text[end] != dniLetter(d) {
		return span{}
	}
	return span{n.blocks[0].start, int32(end + 1)}
}

var spanishWords = []string{"dni", "nif", "documento nacional"}

func dniLetter(d []byte) byte { return "TRWAGMYFPDXBNJZSQVHLCKE"[remainder(d, 23)] }

// chinese proves a resident's number of the People's Republic: region, date of
// birth, sequence and the check of ISO 7064, which may be an X.
func (n *number) chinese(text []byte) span {
	start, end := int(n.blocks[0].start), int(n.blocks[0].end)
	if l := end - start; l == 17 && end < len(text) && text[end] == 'X' {
		end++
	} else if l != 18 {
		return span{}
	}
	if wordFollows(text, end) {
		return span{}
	}
	d := text[start:end]
	month, day := value2(d[10:]), value2(d[12:])
	if d[0] == '0' || d[0] > '6' || string(d[6:8]) != "19" && string(d[6:8]) != "20" || month < 1 || month > 12 || day < 1 || day > 31 {
		return span{}
	}
	sum, weight := 0, 1
	for i := 16; i >= 0; i-- {
		weight = weight * 2 % 11
		sum += int(d[i]-'0') * weight
	}
	if "10X98765432"[sum%11] != d[17] {
		return span{}
	}
	return span{int32(start), int32(end)}
}

func value2(d []byte) int { return int(d[0]-'0')*10 + int(d[1]-'0') }

// remainder is the number that d spells, modulo m.
func remainder(d []byte, m int) (r int) {
	for _, c := range d {
		r = (r*10 + int(c-'0')) % m
	}
	return r
}

// weighted is the sum of d's digits by weights, of which there are as many.
func weighted(d []byte, weights string) (sum int) {
	for i := range len(weights) {
		sum += int(d[i]-'0') * int(weights[i]-'0')
	}
	return sum
}

func socialInsurance(d []byte) bool { return d[0] != '0' && d[0] != '8' && luhn(d) }

func bsn(d []byte) bool {
	return !uniform(d) && (weighted(d, "98765432")-int(d[8]-'0'))%11 == 0
}

func taxFile(d []byte) bool {
	return string(d) != "123456782" && (weighted(d, "14375869")+10*int(d[8]-'0'))%11 == 0
}

func nhs(d []byte) bool {
	sum := 0
	for i := range 9 {
		sum += int(d[i]-'0') * (10 - i)
	}
	check := (11 - sum%11) % 11
	return !uniform(d) && check != 10 && check == int(d[9]-'0')
}

// steuerID checks ISO 7064, mod 11, 10; one of the first ten digits is there twice
// or three times.
func steuerID(d []byte) bool {
	var seen [10]int
	twice := 0
	for _, c := range d[:10] {
		if seen[c-'0']++; seen[c-'0'] == 2 {
			twice++
		}
	}
	p := 10
	for _, c := range d[:10] {
		s := (int(c-'0') + p) % 10
		if s == 0 {
			s = 10
		}
		p = s * 2 % 11
	}
	return d[0] != '0' && twice == 1 && (11-p)%10 == int(d[10]-'0')
}

func pesel(d []byte) bool {
	month := value2(d[2:]) % 20
	return month >= 1 && month <= 12 && value2(d[4:]) >= 1 && value2(d[4:]) <= 31 && (weighted(d, "1379137913")+int(d[10]-'0'))%10 == 0
}

func cpf(d []byte) bool {
	for n := 9; n <= 10; n++ {
		sum := 0
		for i := range n {
			sum += int(d[i]-'0') * (n + 1 - i)
		}
		if sum*10%11%10 != int(d[n]-'0') {
			return false
		}
	}
	return !uniform(d) && string(d[:9]) != "123456789"
}

// verhoeff checks a number of India's, by Verhoeff's scheme over the dihedral
// group of the pentagon.
func verhoeff(d []byte) bool {
	c := 0
	for i := range d {
		v := int(d[len(d)-1-i] - '0')
		for range i % 8 {
			v = int("1576283094"[v] - '0')
		}
		c = dihedral(c, v)
	}
	return d[0] >= '2' && c == 0
}

func dihedral(a, b int) int {
	switch {
	case a < 5 && b < 5:
		return (a + b) % 5
	case a < 5:
		return 5 + (a+b)%5
	case b < 5:
		return 5 + (a-b)%5
	}
	return (a - b + 5) % 5
}

// nir checks a French number: sex, month and the key that 97 gives.
func nir(d []byte) bool {
	month := value2(d[3:])
	return (d[0] == '1' || d[0] == '2') && month >= 1 && month <= 12 && 97-remainder(d[:13], 97) == value2(d[13:])
}

func uniform(d []byte) bool {
	for _, c := range d {
		if c != d[0] {
			return false
		}
	}
	return true
}

// findLettered proves a national number that begins with a letter at i.
func (s *scratch) findLettered(text []byte, i int) span {
	if i > 0 && (wordByte(text[i-1]) || text[i-1] == '-' || text[i-1] == '_') {
		return span{}
	}
	end := i
	for end < len(text) && end-i < 17 && wordByte(text[end]) {
		end++
	}
	w := text[i:end]
	switch {
	case len(w) == 9 && insurancePrefix(w[0], w[1]) && digits(w[2:8]) && w[8] >= 'A' && w[8] <= 'D':
	case len(w) == 9 && w[0] >= 'X' && w[0] <= 'Z' && digits(w[1:8]): // Spain, foreigners
		var d [8]byte
		copy(d[:], w[:8])
		d[0] = w[0] - 'X' + '0'
		if w[8] != dniLetter(d[:]) || string(w[1:8]) == "1234567" {
			return span{}
		}
	case len(w) == 9 && digits(w[1:8]): // Singapore
		if w[8] != nricLetter(w) || string(w[1:8]) == "1234567" {
			return span{}
		}
	case len(w) == 16 && fiscalCode(w): // Italy
		return span{int32(i), int32(end)}
	default:
		return span{}
	}
	// The check letter of nine signs is too little to go by alone.
	n := number{n: 1, word: i}
	n.blocks[0].start = int32(i)
	if !n.announcedBy(text, letteredWords) {
		return span{}
	}
	return span{int32(i), int32(end)}
}

var letteredWords = []string{"national insurance", "nino", "ni number", "insurance number", "nie", "nif", "nric", "fin", "identity card"}

func nricLetter(w []byte) byte {
	sum := weighted(w[1:], "2765432")
	switch w[0] {
	case 'T':
		sum += 4
		fallthrough
	case 'S':
		return "JZIHGFEDCBA"[sum%11]
	case 'G':
		sum += 4
		fallthrough
	case 'F':
		return "XWUTRQPNMLK"[sum%11]
	}
	return 0
}

// fiscalCode checks an Italian codice fiscale: its layout and its last letter.
func fiscalCode(w []byte) bool {
	const layout = "AAAAAA00A00A000A"
	// By the value of each sign in an odd place: 0 to 9, then A to Z.
	odd := [26]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}
	sum := 0
	for i, c := range w {
		v := 0
		switch {
		case layout[i] == '0' && class[c] == isDigit:
			v = int(c - '0')
		case layout[i] == 'A' && c >= 'A' && c <= 'Z':
			v = int(c - 'A')
		default:
			return false
		}
		switch {
		case i == 15:
			return sum%26 == v && string(w) != "RSSMRA85T10A562S"
		case i%2 == 0:
			sum += odd[v]
		default:
			sum += v
		}
	}
	return false
}
