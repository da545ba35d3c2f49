package charter

import (
	"bytes"
	"math/bits"
)

// secretPrefixes are prefixes that issuers put on their keys, with the fewest
// and the most bytes that follow one.
var secretPrefixes = [...]struct {
	prefix      string
	least, most int
}{
	{"sk-ant-", 24, 200}, {"sk-proj-", 24, 220}, {"sk-svcacct-", 24, 220}, {"sk-or-v1-", 32, 80}, {"sk-", 32, 64},
	{"sk_live_", 16, 120}, {"rk_live_", 16, 120}, {"sk_test_", 16, 120}, {"whsec_", 24, 80},
	{"ghp_", 36, 60}, {"gho_", 36, 60}, {"ghu_", 36, 60}, {"ghs_", 36, 60}, {"ghr_", 36, 80}, {"github_pat_", 40, 100},
	{"glpat-", 20, 40}, {"xoxb-", 24, 120}, {"xoxp-", 24, 120}, {"xoxa-", 24, 120}, {"xoxr-", 24, 120}, {"xoxs-", 24, 120}, {"xapp-", 24, 140},
	{"AKIA", 16, 16}, {"ASIA", 16, 16}, {"AIza", 35, 35}, {"GOCSPX-", 24, 40}, {"ya29.", 40, 240},
	{"npm_", 36, 36}, {"pypi-", 60, 240}, {"hf_", 30, 40}, {"gsk_", 40, 60}, {"xai-", 40, 100}, {"r8_", 36, 44},
	{"SG.", 60, 75}, {"shpat_", 32, 32}, {"lin_api_", 32, 48}, {"sq0atp-", 22, 22}, {"sq0csp-", 43, 43},
	{"hvs.", 24, 200}, {"dckr_pat_", 24, 40}, {"gldt-", 20, 40}, {"glrt-", 20, 40}, {"shpss_", 32, 32},
	{"xkeysib-", 64, 90}, {"ntn_", 40, 60}, {"figd_", 36, 60}, {"PMAK-", 50, 70}, {"rubygems_", 48, 48}, {"pul-", 40, 40}, {"NRAK-", 27, 27},
	{"dapi", 32, 34}, {"sbp_", 40, 40}, {"tskey-", 20, 80}, {"ATATT3", 100, 240}, {"pplx-", 40, 64}, {"nvapi-", 60, 80}, {"glsa_", 32, 48},
	{"EAAA", 56, 64}, {"dop_v1_", 64, 64}, {"CFPAT-", 40, 48}, {"sntrys_", 60, 240},
	{"AGE-SECRET-KEY-1", 50, 60}, {"eyJ", 30, 4000},
}

// secretOpenings says, for each of the first three bytes of a word, which of
// secretPrefixes have it there, a bit each: hardly a word of a text has all three.
var secretOpenings = func() (t [3][256]uint64) {
	var room [64]struct{}
	for i := range room[:len(secretPrefixes)] {
		for at := range t {
			t[at][secretPrefixes[i].prefix[at]] |= 1 << i
		}
	}
	return t
}()

// secretPrefixesAt is the prefixes, a bit each, of which text[i:] has the first
// three bytes.
func secretPrefixesAt(text []byte, i int) uint64 {
	if i+3 > len(text) {
		return 0
	}
	return secretOpenings[0][text[i]] & secretOpenings[1][text[i+1]] & secretOpenings[2][text[i+2]]
}

// secretPrefix is the index of the first of prefixes that text begins with, or -1.
func secretPrefix(text []byte, prefixes uint64) int {
	if len(text) < 8 {
		return -1
	}
	for ; prefixes != 0; prefixes &= prefixes - 1 {
		i := bits.TrailingZeros64(prefixes)
		p := secretPrefixes[i].prefix
		if len(text) > len(p) && string(text[:len(p)]) == p {
			return i
		}
	}
	return -1
}

func keyByte(c byte) bool {
	return class[c] == isDigit || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '-' || c == '_'
}

// detectSecret proves the secret at text[i:], which may have one of prefixes.
func (s *scratch) detectSecret(text []byte, i int, prefixes uint64) {
	if i > 0 && keyByte(text[i-1]) {
		return
	}
	k := secretPrefix(text[i:], prefixes)
	if k < 0 {
		return
	}
	p := &secretPrefixes[k]
	if p.prefix == "eyJ" {
		s.keep(webToken, findJWT(text, i, s.inErrors))
		return
	}
	end := i + len(p.prefix)
	for end < len(text) && end-i <= p.most+len(p.prefix) && (keyByte(text[end]) || text[end] == '.' && p.prefix == "SG.") {
		end++
	}
	for end > i+len(p.prefix) && text[end-1] == '-' {
		end--
	}
	body := text[i+len(p.prefix) : end]
	if len(body) < p.least || len(body) > p.most || !random(body, 8) {
		return
	}
	s.keep(secretToken, span{int32(i), int32(end)})
}

// random reports whether b looks drawn by chance rather than written as a
// stand-in: letters, digits too unless it is long, enough of them different.
func random(b []byte, different int) bool {
	letters, digits := 0, 0
	for _, c := range b {
		switch class[c] {
		case isLetter:
			letters++
		case isDigit:
			digits++
		}
	}
	return letters > 0 && (digits > 0 || len(b) >= 24) && distinct(b) >= different && !standIn(b)
}

// distinct counts the different bytes of b.
func distinct(b []byte) (n int) {
	var seen [256]bool
	for _, c := range b {
		if !seen[c] {
			seen[c] = true
			n++
		}
	}
	return n
}

// standIn reports words that manuals put where a secret belongs.
func standIn(b []byte) bool {
	for i := range b {
		switch lower[b[i]] {
		case 'e', 'y', 'p', 'x', 'a', '1', 'r', 't', 'k':
			for _, w := range [...]string{"example", "your", "placeholder", "xxxx", "abcdef", "12345678", "redacted", "token_here", "key_here"} {
				if hasPrefixFold(b[i:], w) {
					return true
				}
			}
		}
	}
	return false
}

// findJWT proves three dotted base64url parts of which the first two open a
// JSON object; where texts are cut short, the first and the beginning of the
// second.
func findJWT(text []byte, i int, short bool) span {
	end, parts := i, 0
	for parts < 3 {
		start := end
		for end < len(text) && end-i < 4096 && keyByte(text[end]) {
			end++
		}
		if end-start < 10 || parts == 1 && string(text[start:start+2]) != "ey" {
			return span{}
		}
		if parts++; parts < 3 {
			if end >= len(text) || text[end] != '.' {
				if short && parts == 2 {
					break
				}
				return span{}
			}
			end++
		}
	}
	return span{int32(i), int32(end)}
}

// findPEM proves a private key block with a body at the dashes at i; where texts
// are cut short, with the beginning of one.
func findPEM(text []byte, i int, short bool) span {
	const reach = 8 << 10
	near := text[i:min(len(text), i+reach)]
	if !bytes.HasPrefix(near, []byte("-----BEGIN ")) {
		return span{}
	}
	head := bytes.Index(near[:min(len(near), 64)], []byte("PRIVATE KEY"))
	if head < 0 {
		return span{}
	}
	body := near[head:]
	body = body[min(len(body), len("PRIVATE KEY-----")):]
	// The beginning of the body first: it is cheap, and rules out most.
	sample := bytes.TrimLeft(body[:min(len(body), 96)], " \n\r\tBLOCK-")
	if at := bytes.Index(sample, []byte("-----")); at >= 0 {
		sample = sample[:at]
	}
	least, different := 32, 16
	if short {
		least, different = 8, 6
	}
	if len(sample) < least || bytes.Contains(sample, []byte("...")) || !random(sample, different) {
		return span{}
	}
	end := bytes.Index(body, []byte("-----END"))
	if end < 0 {
		end = len(body)
	}
	at := len(near) - len(body) + end
	if tail := bytes.IndexByte(near[at:], '\n'); tail >= 0 {
		at += tail
	} else {
		at = len(near)
	}
	return span{int32(i), int32(i + at)}
}

// findCredentialURL proves user:password@host around the "://" at i.
func findCredentialURL(text []byte, i int) span {
	start := i
	for start > 0 && i-start < 16 && (wordByte(text[start-1]) || text[start-1] == '+') {
		start--
	}
	colon, at, end := -1, -1, i+3
	for ; end < len(text) && end-i < 256 && text[end] > ' ' && text[end] != '"' && text[end] != '\'' && text[end] != '`' && text[end] != '>' && text[end] != ')'; end++ {
		switch text[end] {
		case ':':
			if colon < 0 {
				colon = end
			}
		case '@':
			if at < 0 {
				at = end
			}
		case '/':
			if at < 0 {
				return span{}
			}
		}
	}
	if start == i || colon < 0 || at < colon {
		return span{}
	}
	for end > at && (text[end-1] == '.' || text[end-1] == ',' || text[end-1] == ':' || text[end-1] == ';') {
		end--
	}
	pass := text[colon+1 : at]
	if len(pass) < 6 || bytes.ContainsAny(pass, "[]<>{}") || distinct(pass) < 5 || standIn(pass) || dictionaryLike(pass) && distinct(pass) < 10 {
		return span{}
	}
	return span{int32(start), int32(end)}
}

// farthestValue bounds the signs between the words that announce a value and it.
const farthestValue = 48

// value is what is assigned at text[i:]: after "is", ':' or '=', without quotes.
func value(text []byte, i int) (start, end int) {
	limit := min(len(text), i+farthestValue)
	for i < limit {
		switch text[i] {
		case ' ', ':', '=', '"', '\'', '`', '*', ']', '\n':
			i++
			continue
		}
		if hasPrefixFold(text[i:], "is ") {
			i += len("is ")
		} else if hasPrefixFold(text[i:], "was ") {
			i += len("was ")
		} else {
			break
		}
	}
	start = i
	for i < len(text) && i-start < 128 && text[i] > ' ' && text[i] != '"' && text[i] != '\'' && text[i] != '`' && text[i] != ',' && text[i] != '\\' {
		i++
	}
	for i > start && (text[i-1] == '.' || text[i-1] == ')' || text[i-1] == ';' || text[i-1] == '*' || text[i-1] == ':' || text[i-1] == ']' || text[i-1] == '}') {
		i--
	}
	return start, i
}

// findPassword proves a password after the words that announce one: eight bytes
// or more of three sorts of characters, and nobody's stock example.
func findPassword(text []byte, i int) span {
	start, end := value(text, i)
	v := text[start:end]
	if len(v) < 8 || len(v) > 64 || bytes.ContainsAny(v, "<>(){}[]/\\") {
		return span{}
	}
	var sorts [4]bool
	for _, c := range v {
		switch {
		case c >= 'a' && c <= 'z':
			sorts[0] = true
		case c >= 'A' && c <= 'Z':
			sorts[1] = true
		case c >= '0' && c <= '9':
			sorts[2] = true
		default:
			sorts[3] = true
		}
	}
	n := 0
	for _, s := range sorts {
		if s {
			n++
		}
	}
	if n < 3 || distinct(v) < 6 || standIn(v) || dictionaryLike(v) {
		return span{}
	}
	return span{int32(start), int32(end)}
}

// dictionaryLike reports passwords built around a word, as manuals print them:
// six letters in a row that can be said, of one case but for a capital, single
// digits and signs read as letters. Of passwords drawn by chance, 13 signs long,
// it takes 3 in 100 for such.
func dictionaryLike(v []byte) bool {
	row, vowels, open, shut, rare := 0, 0, 0, 0, 0
	small, was := byte(0), false // the case of the row, and whether a letter came before
	for _, c := range v {
		letter := class[c] == isLetter
		if was && (c < '6' || c > '9') && c != '!' && leet[c] != 0 {
			c = leet[c]
		}
		was = letter
		if class[c] != isLetter || row > 1 && c&0x20 != small {
			row, vowels, open, shut, rare = 0, 0, 0, 0, 0
		}
		if class[c] != isLetter {
			continue
		}
		row++
		small = c & 0x20
		switch lower[c] {
		case 'a', 'e', 'i', 'o', 'u', 'y':
			vowels++
			open++
			shut = 0
		case 'j', 'k', 'q', 'v', 'x', 'z':
			rare++
			fallthrough
		default:
			shut++
			open = 0
		}
		if open > 2 || shut > 3 || rare > 1 {
			row, vowels, open, shut, rare = 0, 0, 0, 0, 0
		}
		if row >= 6 && vowels >= 2 {
			return true
		}
	}
	return false
}

// findDocument proves the number of a passport, a licence or a patient's file
// after the words that announce one: six to fifteen signs, capitals and digits,
// most of them digits, and not such as count up.
func findDocument(text []byte, i int) span {
	limit := min(len(text), i+farthestValue)
	for i < limit && (text[i] == ' ' || text[i] == ':' || text[i] == '#' || text[i] == '=' || text[i] == '*' || text[i] == '"' || text[i] == '.') {
		i++
	}
	for _, w := range [...]string{"number", "no", "nr", "id"} {
		if hasPrefixFold(text[i:], w) && !wordFollows(text, i+len(w)) {
			i += len(w)
			for i < limit && (text[i] == ' ' || text[i] == ':' || text[i] == '#' || text[i] == '.') {
				i++
			}
			break
		}
	}
	start, end := value(text, i)
	for end > start && (text[end-1] == '!' || text[end-1] == '?') {
		end--
	}
	v := text[start:end]
	count, run := 0, 0
	for k, c := range v {
		switch {
		case class[c] == isDigit:
			count++
			if k > 0 && c == v[k-1]+1 {
				run++
			}
		case c >= 'A' && c <= 'Z' || c == '-':
		default:
			return span{}
		}
	}
	if len(v) < 6 || len(v) > 15 || count < 5 || count*2 < len(v) || run >= 4 || distinct(v) < 4 {
		return span{}
	}
	return span{int32(start), int32(end)}
}

// findKeyValue proves a long random value after the name of a key.
func findKeyValue(text []byte, i int) span {
	start, end := value(text, i)
	v := text[start:end]
	if len(v) < 20 || !random(v, 8) {
		return span{}
	}
	for _, c := range v {
		if !keyByte(c) && c != '+' && c != '/' && c != '=' {
			return span{}
		}
	}
	digits := 0
	for _, c := range v {
		if class[c] == isDigit {
			digits++
		}
	}
	if digits*8 < len(v) { // an identifier in words, not a key
		return span{}
	}
	return span{int32(start), int32(end)}
}
