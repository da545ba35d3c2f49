package charter

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/kaizen-os/deliberation/bench/charter/data"
	"github.com/kaizen-os/deliberation/quorum"
)

// families are the sorts of personal data that the scorer claims to find, by rule.
// A finding answers for a label of its family alone: secrets are one, since what a
// key opens is of no matter to who must not see it.
var families = map[string]string{
	"privacy.email":       "email",
	"privacy.phone":       "phone",
	"privacy.card":        "card",
	"privacy.iban":        "iban",
	"privacy.ssn":         "ssn",
	"privacy.ip":          "ip",
	"privacy.address":     "address",
	"privacy.birthdate":   "birthdate",
	"privacy.password":    secret,
	"privacy.key":         secret,
	"privacy.token":       secret,
	"privacy.jwt":         secret,
	"privacy.privatekey":  secret,
	"privacy.credentials": secret,
	// No set has labels of these: whatever is found of them is a mistake there.
	"privacy.nationalid": "nationalid",
	"privacy.document":   "document",
	"privacy.wallet":     "wallet",
}

const secret = "secret"

// A labelType is what a label's type means here.
type labelType struct {
	family string
	listed bool // a secret in a form of its issuer's
}

// labelTypes are the types of labels that the scorer claims to find. Others
// (names of people, places and organisations, dates, ages, titles, domains, bare
// postal codes) are outside: a label of theirs asks for nothing.
var labelTypes = map[string]labelType{
	"EMAIL": {"email", false}, "PHONE": {"phone", false}, "CREDIT_CARD": {"card", false}, "IBAN": {"iban", false},
	"SSN": {"ssn", false}, "IP": {"ip", false}, "ADDRESS": {"address", false}, "DOB": {"birthdate", false},
	"PASSWORD": {secret, false}, "GENERIC_KEY": {secret, false},
	"AWS_KEY": {secret, true}, "GITHUB_TOKEN": {secret, true}, "OPENAI_KEY": {secret, true}, "ANTHROPIC_KEY": {secret, true},
	"GOOGLE_KEY": {secret, true}, "STRIPE_KEY": {secret, true}, "SLACK_TOKEN": {secret, true},
	"JWT": {secret, true}, "PEM": {secret, true}, "DB_URL": {secret, true},
}

// claims reports whether labels of a type in a source ask for a finding. The
// sentences' addresses are of every country and often a street alone; an item
// with nothing else is labelled ok there. They ask for nothing, and a finding on
// one is no mistake.
func claims(source, labelled string) bool {
	_, known := labelTypes[labelled]
	return known && !(source == sentences && labelled == "ADDRESS")
}

// A piece is a stretch of a text, in bytes, and its family.
type piece struct {
	start, end int
	family     string
	labelled   string // the label's type; "" for findings
}

// labels are the spans of an item in bytes: the data counts characters.
func labels(it *data.Item) ([]piece, error) {
	if len(it.Spans) == 0 {
		return nil, nil
	}
	at := make([]int, 0, len(it.Text)+1) // by character: its first byte
	for i := range it.Text {
		at = append(at, i)
	}
	at = append(at, len(it.Text))
	var pieces []piece
	for _, s := range it.Spans {
		if s.End >= len(at) {
			return nil, fmt.Errorf("item %q: span %d to %d in a text of %d characters", it.ID, s.Start, s.End, len(at)-1)
		}
		pieces = append(pieces, piece{at[s.Start], at[s.End], labelTypes[s.Type].family, s.Type})
	}
	return pieces, nil
}

// personal are the findings that claim personal data.
func personal(findings []quorum.Finding) (pieces []piece) {
	for _, f := range findings {
		if family, ok := families[f.Rule]; ok {
			pieces = append(pieces, piece{f.Start, f.End, family, ""})
		}
	}
	return pieces
}

// A fit is how near a finding must come to a label.
type fit int

const (
	exact fit = iota // the same first and last byte
	// fair: the same, after both are trimmed of whatever is no letter and no digit:
	// a bracket or full stop more or less is no fault, a word or a digit is. The
	// goals ask for this one.
	fair
	half // what they share is at least half of each
	fits
)

var fitNames = [fits]string{"exact", "fair", "half"}

func (how fit) holds(text string, a, b piece) bool {
	switch how {
	case fair:
		a, b = trim(text, a), trim(text, b)
		fallthrough
	case exact:
		return a.start == b.start && a.end == b.end
	}
	shared := min(a.end, b.end) - max(a.start, b.start)
	return 2*shared >= max(a.end-a.start, b.end-b.start)
}

// trim takes what is no letter and no digit off both ends, unless that is all.
func trim(text string, p piece) piece {
	inner := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }
	t := p
	for t.start < t.end {
		r, n := utf8.DecodeRuneInString(text[t.start:t.end])
		if inner(r) {
			break
		}
		t.start += n
	}
	for t.end > t.start {
		r, n := utf8.DecodeLastRuneInString(text[t.start:t.end])
		if inner(r) {
			break
		}
		t.end -= n
	}
	if t.start == t.end {
		return p
	}
	return t
}

// matches pairs labels and findings of one family, each with one at most, in
// order of the labels: answered[i] for labels[i], claimed[j] for findings[j].
func matches(text string, labels, findings []piece, how fit) (answered, claimed []bool) {
	answered, claimed = make([]bool, len(labels)), make([]bool, len(findings))
	for i, l := range labels {
		for j, f := range findings {
			if !claimed[j] && f.family == l.family && how.holds(text, l, f) {
				answered[i], claimed[j] = true, true
				break
			}
		}
	}
	return answered, claimed
}

// Spans counts labels and findings of one family or one type.
type Spans struct {
	Name   string `json:"name"`
	Labels int    `json:"labels"`
	Found  int    `json:"found"`  // labels that a finding answers
	Claims int    `json:"claims"` // findings
	Right  int    `json:"right"`  // findings that answer a label
}

// Recall is the share of labels found.
func (s *Spans) Recall() Share { return Share{s.Found, s.Labels} }

// Precision is the share of findings that are right.
func (s *Spans) Precision() Share { return Share{s.Right, s.Claims} }

// F1 is the harmonic mean of the two; NaN where there is nothing to find and
// nothing was claimed.
func (s *Spans) F1() float64 {
	if s.Labels+s.Claims == 0 {
		return nan
	}
	return float64(s.Found+s.Right) / float64(s.Labels+s.Claims)
}

// PersonalData is how labelled spans of one source were found.
type PersonalData struct {
	Source   string        `json:"source"`
	All      [fits]Spans   `json:"all"`      // by fit: exact, fair, half
	Families []Spans       `json:"families"` // fair
	Types    []Spans       `json:"types"`    // fair; labels and those found only
	Listed   Spans         `json:"listed"`   // fair: secrets in a form of their issuer's
	Items    Spans         `json:"items"`    // texts with something to find, and texts with findings
	Outside  []OutsideType `json:"outside"`
}

// An OutsideType is a type of label that nobody looked for.
type OutsideType struct {
	Type   string `json:"type"`
	Labels int    `json:"labels"`
}
