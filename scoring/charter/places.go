package charter

import "bytes"

// ibanLengths is ibanLength by a country's two letters.
var ibanLengths = func() (t [26][26]uint8) {
	for a := range t {
		for b := range t[a] {
			t[a][b] = uint8(ibanLength(string([]byte{'A' + byte(a), 'A' + byte(b)})))
		}
	}
	return t
}()

// ibanLength is how long a country's IBANs are (SWIFT registry).
func ibanLength(country string) int {
	switch country {
	case "NO":
		return 15
	case "BE":
		return 16
	case "DK", "FI", "FO", "GL", "NL":
		return 18
	case "MK", "SI":
		return 19
	case "AT", "BA", "EE", "KZ", "LT", "LU", "XK":
		return 20
	case "CH", "CR", "HR", "LI", "LV":
		return 21
	case "BG", "BH", "DE", "GB", "GE", "IE", "ME", "RS", "VA":
		return 22
	case "AE", "GI", "IL", "IQ", "TL":
		return 23
	case "AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG":
		return 24
	case "PT", "ST":
		return 25
	case "IS", "TR":
		return 26
	case "FR", "GR", "IT", "MC", "SM":
		return 27
	case "AL", "AZ", "BY", "CY", "DO", "GT", "HU", "LB", "PL", "SV":
		return 28
	case "BR", "EG", "PS", "QA", "UA":
		return 29
	case "JO", "KW", "MU":
		return 30
	case "MT", "SC":
		return 31
	case "LC":
		return 32
	}
	return 0
}

// accountByte is what an account number is made of: digits and capitals.
var accountByte = func() (t [256]bool) {
	for c := range t {
		t[c] = class[c] == isDigit || upper(byte(c))
	}
	return t
}()

// findIBAN proves an account number at i: its country's length, in one piece or
// in groups of four, and the check digits (ISO 13616, mod 97). The account of
// every manual is none.
func findIBAN(text []byte, i int) span {
	if i+4 > len(text) || i > 0 && wordByte(text[i-1]) || class[text[i+2]] != isDigit || class[text[i+3]] != isDigit {
		return span{}
	}
	want := 0
	if upper(text[i]) && upper(text[i+1]) {
		want = int(ibanLengths[text[i]-'A'][text[i+1]-'A'])
	}
	if want == 0 {
		return span{}
	}
	var b [34]byte
	n, end := 0, i
	for ; end < len(text) && n < want; end++ {
		c := text[end]
		if !accountByte[c] {
			if c == ' ' && n%4 == 0 && n > 0 {
				continue
			}
			return span{}
		}
		b[n] = c
		n++
	}
	if n < want || end < len(text) && wordByte(text[end]) {
		return span{}
	}
	rest := 0
	for k := range n {
		c := b[(k+4)%n]
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
		} else {
			rest = (rest*10 + int(c-'0')) % 97
		}
	}
	switch string(b[:n]) {
	case "GB82WEST12345698765432", "GB29NWBK60161331926819", "DE89370400440532013000", "NL91ABNA0417164300",
		"FR1420041010050500013M02606", "CH9300762011623852957", "BE68539007547034", "ES9121000418450200051332":
		return span{}
	}
	if rest != 1 {
		return span{}
	}
	return span{int32(i), int32(end)}
}

// findStreet proves a US postal address at its house number: a street of one to
// four capitalised words and a kind of street, a town, a state and a ZIP code.
// Less than all that is in half of all stories.
func findStreet(text []byte, i int) span {
	const reach = 96
	at := i
	for at < len(text) && at-i < 6 && class[text[at]] == isDigit {
		at++
	}
	if at == i || at-i > 5 || at+1 >= len(text) || text[at] != ' ' || !upper(text[at+1]) {
		return span{}
	}
	street := false
	limit := min(len(text), i+reach)
	for words := 0; at < limit && words < 6 && text[at] == ' '; words++ {
		start := at + 1
		for at = start; at < limit && (wordByte(text[at]) || text[at] == '.'); at++ {
		}
		if at == start {
			return span{}
		}
		street = street || words > 0 && streetWord(text[start:at])
	}
	if !street {
		return span{}
	}
	for from := at; ; at++ { // ", WI 53703"
		comma := bytes.IndexByte(text[at:max(at, limit-9)], ',')
		if comma < 0 {
			return span{}
		}
		at += comma
		c := text[at : at+10]
		if c[1] == ' ' && upper(c[2]) && upper(c[3]) && c[4] == ' ' && digits(c[5:]) {
			if bytes.ContainsAny(text[from:at], ".!?") {
				return span{}
			}
			return span{int32(i), int32(at + 10)}
		}
	}
}

func upper(c byte) bool { return c >= 'A' && c <= 'Z' }

func digits(b []byte) bool {
	for _, c := range b {
		if class[c] != isDigit {
			return false
		}
	}
	return true
}

func streetWord(w []byte) bool {
	for len(w) > 0 && w[len(w)-1] == '.' {
		w = w[:len(w)-1]
	}
	var buf [64]byte
	switch string(lowerIn(&buf, w)) {
	case "street", "st", "avenue", "ave", "road", "rd", "lane", "ln", "drive", "dr", "court", "ct", "boulevard", "blvd", "way",
		"place", "pl", "terrace", "circle", "cir", "parkway", "pkwy", "highway", "hwy":
		return true
	}
	return false
}

// findDate proves a date of birth after the words that announce one:
// 1967-02-05, 5/2/1967 and, where words may be, 5 February 1967 and February 5,
// 1967.
func findDate(text []byte, i int, words bool) span {
	start, _ := value(text, i)
	if start >= len(text) || start-i > 12 {
		return span{}
	}
	end := start
	years, others := 0, 0
	for end < len(text) && end-start < 24 {
		switch c := text[end]; {
		case class[c] == isDigit:
			k := end
			for k < len(text) && class[text[k]] == isDigit {
				k++
			}
			switch k - end {
			case 4:
				if c != '1' && c != '2' {
					return span{}
				}
				years++
			case 1, 2:
				others++
			default:
				return span{}
			}
			end = k
		case class[c] == isLetter:
			k := end
			for k < len(text) && class[text[k]] == isLetter {
				k++
			}
			if !words || !month(text[end:k]) {
				return span{}
			}
			others++
			end = k
		case c == '-' || c == '/' || c == '.' || c == ' ' || c == ',':
			end++
		default:
			return span{}
		}
		if years == 1 && others == 2 {
			return span{int32(start), int32(end)}
		}
	}
	return span{}
}

func month(w []byte) bool {
	if len(w) < 3 {
		return false
	}
	for _, m := range [...]string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"} {
		if len(w) <= len(m) && hasPrefixFold(w, m[:len(w)]) {
			return true
		}
	}
	return false
}
