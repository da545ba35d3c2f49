package charter

import (
	"bytes"
	"slices"

	"github.com/kaizen-os/deliberation/quorum"
)

// A kind is a sort of personal data that a detector proves. Its name is what
// the rule table says after "detect".
type kind uint8

const (
	email kind = iota
	phone
	card
	iban
	ssn
	nationalID
	ipAddress
	street
	birthDate
	wallet
	secretToken
	webToken
	privateKey
	credentialURL
	password // after the secrets with a form: of equal spans the first kind wins
	keyValue
	document
	kinds
)

var kindNames = [kinds]string{
	"email", "phone", "card", "iban", "ssn", "national", "ip", "street", "birthdate", "wallet",
	"secret", "jwt", "pem", "url", "password", "keyvalue", "document",
}

// digitsOnly reports kinds whose spacing may differ between two mentions.
func (k kind) digitsOnly() bool { return k == phone || k == card || k == ssn }

// found is one proven item in the folded text.
type found struct {
	span
	kind kind
}

// detectSign proves what the sign at text[i], outside any word, may belong to.
func (s *scratch) detectSign(text []byte, i int) {
	switch rest := text[i:]; {
	case rest[0] == '@':
		if i > 0 && localByte(text[i-1]) && len(rest) > 1 && wordByte(rest[1]) {
			s.keep(email, findEmail(text, i))
		}
	case rest[0] == '-' && len(rest) > 5 && rest[1] == '-' && rest[5] == 'B':
		s.keep(privateKey, findPEM(text, i, s.inErrors))
	case rest[0] == ':' && len(rest) > 2 && rest[1] == '/' && rest[2] == '/':
		s.keep(credentialURL, findCredentialURL(text, i))
	case rest[0] == ':' && i > 3 && hexByte(text[i-1]):
		s.keep(ipAddress, findIP6(text, i))
	}
}

// announced proves what words announce ("the password is"), which end at after,
// and only they.
func (s *scratch) announced(detector string, after int) {
	text := s.folded.text
	switch detector {
	case kindNames[password]:
		s.keep(password, findPassword(text, after))
	case kindNames[keyValue]:
		s.keep(keyValue, findKeyValue(text, after))
	case kindNames[document]:
		s.keep(document, findDocument(text, after))
	case kindNames[birthDate]:
		// "Born on" tells the life of a public person in words, and copies
		// a record in digits.
		s.keep(birthDate, findDate(text, after, !hasPrefixFold(text[after-2:], "on")))
	}
}

func (s *scratch) detectNumber(text []byte, i int) {
	if class[text[i]] == isLetter {
		if !s.keep(iban, findIBAN(text, i)) {
			s.keep(nationalID, s.findLettered(text, i))
		}
		return
	}
	if i > 0 && glued(text, i) && !(s.inErrors && (text[i-1] == '=' || text[i-1] == '/')) {
		return
	}
	// "1 2 3 4" begins nothing: a single digit before another one, as hostile or
	// tabular texts have by the thousand.
	if i+3 < len(text) && text[i+1] == ' ' && class[text[i+2]] == isDigit && class[text[i+3]] != isDigit {
		return
	}
	n := &s.number
	n.read(text, i)
	switch {
	case n.n < 4 && n.digits < 6: // too short for all but a house
		s.keep(street, findStreet(text, i))
	case s.keep(ipAddress, n.ip(text)), s.keep(card, n.card(text)), s.keep(ssn, n.ssn(text)), s.keep(nationalID, n.national(text)), s.keep(phone, n.phone(text)):
	default:
		s.keep(street, findStreet(text, i))
	}
}

// keep notes sp unless it is empty, and reports whether it did.
func (s *scratch) keep(k kind, sp span) bool {
	if sp.end <= sp.start {
		return false
	}
	if len(s.spans) == cap(s.spans) { // twice as many: some texts are nothing else
		s.spans = slices.Grow(s.spans, len(s.spans)+4)
	}
	s.spans = append(s.spans, found{sp, k})
	return true
}

// reportPersonal turns the proven items into findings: of two that overlap the
// one that starts first, then the longer; none that stands in the prompt.
func (s *scratch) reportPersonal(t *table, a *quorum.Assessment, prompt string) {
	s.sortSpans()
	s.prompt.read(prompt)
	var made [kinds]int
	covered := int32(0)
	for _, f := range s.spans {
		if f.start < covered {
			continue
		}
		covered = f.end
		k := t.detected[f.kind]
		if k < 0 || made[f.kind] == t.rules[k].most || s.prompt.holds(t, s.folded.text[f.start:f.end], f.kind) {
			continue
		}
		made[f.kind]++
		s.finding(a, &t.rules[k], f.start, f.end)
	}
}

// sortSpans puts the items in order of start, the longer first, then of kind.
func (s *scratch) sortSpans() {
	slices.SortFunc(s.spans, func(x, y found) int {
		if x.start != y.start {
			return int(x.start - y.start)
		}
		if x.end != y.end {
			return int(y.end - x.end)
		}
		return int(x.kind) - int(y.kind)
	})
}

// promptFacts is the prompt as it is compared with what a reply tells.
type promptFacts struct {
	folded folded
	digits []byte // of its numbers, with a space between two of them

	text     string
	searches int             // through all of it, so far
	items    map[string]bool // see holds
}

func (p *promptFacts) read(prompt string) {
	p.text, p.searches, p.items = prompt, 0, nil
	p.folded.fold(prompt)
	p.digits = p.digits[:0]
	apart := false // the next digit begins another number
	for i, c := range p.folded.text {
		p.folded.text[i] = lower[c]
		switch {
		case class[c] != isDigit:
			apart = apart || partsNumbers(c)
		case apart:
			p.digits, apart = append(p.digits, ' ', c), false
		default:
			p.digits = append(p.digits, c)
		}
	}
}

// partsNumbers reports what stands between two numbers and within none, however it
// is spaced: else the digits of a table would hold every number there is.
func partsNumbers(c byte) bool {
	return class[c] == isLetter || c == ',' || c == ';' || c == '\n'
}

// longestItem is the longest item that is looked for in the prompt; of a longer
// one (a private key) its beginning.
const longestItem = 256

// mostSought is how many items are looked for in the whole prompt.
const mostSought = 32

// holds reports whether the prompt has item too, spaced otherwise perhaps.
//
// It looks through the prompt, which for thousands of items would be a square of
// the text: after the first mostSought, only what the prompt shows to be such an
// item by itself is known, from one look through it.
func (p *promptFacts) holds(t *table, item []byte, k kind) bool {
	if len(p.folded.text) == 0 {
		return false
	}
	var buf [longestItem]byte
	plain := comparable(buf[:0], item, k)
	if p.searches == mostSought {
		if p.items == nil {
			p.items = itemsOf(t, p.text)
		}
		return p.items[string(plain)]
	}
	p.searches++
	if k.digitsOnly() {
		return bytes.Contains(p.digits, plain)
	}
	return bytes.Contains(p.folded.text, plain)
}

// comparable appends the beginning of item to dst, which has room for it, as two
// mentions have it in common.
func comparable(dst, item []byte, k kind) []byte {
	for _, c := range item {
		if len(dst) == longestItem {
			break
		}
		if !k.digitsOnly() {
			dst = append(dst, lower[c])
		} else if class[c] == isDigit {
			dst = append(dst, c)
		}
	}
	return dst
}

// itemsOf is what is found in text, as comparable writes it.
func itemsOf(t *table, text string) map[string]bool {
	s := newScratch(t)
	s.detect(t, text)
	items := make(map[string]bool, len(s.spans))
	for _, f := range s.spans {
		var buf [longestItem]byte
		items[string(comparable(buf[:0], s.folded.text[f.start:f.end], f.kind))] = true
	}
	return items
}

// detect proves all personal data and secrets of text, into s.spans.
func (s *scratch) detect(t *table, text string) {
	s.folded.fold(text)
	s.tokenise(t, inRedaction)
	s.matchRules(t, inRedaction)
}

// findEmail proves the address around the '@' at i.
func findEmail(text []byte, i int) span {
	start := i
	for start > 0 && i-start < 64 && localByte(text[start-1]) {
		start--
	}
	for start < i && !wordByte(text[start]) {
		start++
	}
	end, dot, first := i+1, -1, -1 // the last dot, and the first
	for end < len(text) && end-i < 120 && (wordByte(text[end]) || text[end] == '-' || text[end] == '.') {
		if text[end] == '.' {
			if dot = end; first < 0 {
				first = dot
			}
		}
		end++
	}
	for end > i+1 && !wordByte(text[end-1]) { // the full stop of the sentence
		end--
		if dot >= end {
			dot = i + 1 + bytes.LastIndexByte(text[i+1:end], '.')
		}
	}
	if start == i || dot <= i+1 || end-dot < 3 || end-dot > 13 {
		return span{}
	}
	for _, c := range text[dot+1 : end] {
		if class[c] != isLetter {
			return span{}
		}
	}
	if madeUpAddress(text[start:i], text[i+1:first], text[i+1:dot], text[dot+1:end]) {
		return span{}
	}
	return span{int32(start), int32(end)}
}

func localByte(c byte) bool {
	return wordByte(c) || c == '.' || c == '_' || c == '%' || c == '+' || c == '-'
}

// madeUpAddress reports addresses that name nobody: reserved or stock domains,
// stock names, and the mailbox of a role. Of the domain it takes the part before
// its first dot, that before its last, and that behind.
func madeUpAddress(local, first, rest, last []byte) bool {
	var buf [64]byte
	switch string(lowerIn(&buf, first)) {
	case "example", "yourdomain", "yourcompany", "domain", "company", "email", "test", "website", "mail", "acme", "abc", "xyz",
		"samplemail", "companyname", "yourwebsite", "placeholder":
		return true
	}
	switch string(lowerIn(&buf, last)) {
	case "example", "test", "invalid", "localhost":
		return true
	case "com", "org", "net":
		if at := bytes.LastIndexByte(rest, '.'); at >= 0 && string(lowerIn(&buf, rest[at+1:])) == "example" {
			return true
		}
	}
	switch string(lowerIn(&buf, local)) {
	case "user", "username", "you", "your", "yourname", "name", "info", "support", "contact", "hello", "noreply", "no-reply", "admin",
		"sales", "help", "press", "media", "feedback", "office", "team", "jobs", "careers", "privacy", "security", "webmaster",
		"enquiries", "inquiries", "service", "customerservice", "customer.service", "customercare", "postmaster", "abuse", "billing",
		"newsletter", "reservations", "bookings", "orders", "helpdesk", "donotreply", "do-not-reply",
		"example", "test", "someone", "john.doe", "johndoe", "jane.doe", "janedoe", "git",
		"your.name", "your.email", "youremail", "email", "me", "foo", "bar", "abc":
		return true
	}
	return false
}

// lowerIn is b in lower case, in *buf; nothing where it is longer.
func lowerIn(buf *[64]byte, b []byte) []byte {
	if len(b) > len(buf) {
		return nil
	}
	for i, c := range b {
		buf[i] = lower[c]
	}
	return buf[:len(b)]
}

// hasPrefixFold is bytes.HasPrefix for a lower case ASCII prefix, case ignored.
func hasPrefixFold(b []byte, prefix string) bool {
	if len(b) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower[b[i]] != prefix[i] {
			return false
		}
	}
	return true
}

// before reports whether one of words, of letters, stands in the few bytes of text that end
// at i, back to the end of the line but one: "Phone:\n".
func before(text []byte, i, reach int, words ...string) bool {
	near := text[max(0, i-reach):i]
	for at := range near {
		if class[near[at]] != isLetter || at > 0 && wordByte(near[at-1]) {
			continue
		}
		for _, w := range words {
			if hasPrefixFold(near[at:], w) {
				return true
			}
		}
	}
	return false
}
