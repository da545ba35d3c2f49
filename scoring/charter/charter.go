package charter

import (
	"cmp"
	"crypto/sha256"
	"math/bits"
	"slices"

	"github.com/kaizen-os/deliberation/quorum"
)

// A Rule is one entry of the rule table, as it is shown to people.
type Rule struct {
	ID       string
	Clause   quorum.Clause
	Severity quorum.PPM
	Why      string // a sentence saying why it costs
}

// A Scorer scores texts by one rule table. It is safe for concurrent use.
type Scorer struct {
	table  *table
	linear *Linear // or nil
	digest [32]byte
	pool   pool
}

// New compiles the embedded rule table and takes the embedded linear model.
func New() *Scorer {
	s, err := NewWith(linearFile)
	if err != nil {
		panic("bug: " + err.Error())
	}
	return s
}

// NewWith compiles the embedded rule table and takes another linear model, by its
// file; nil is none, so that rules alone score. Error: ErrLinear.
func NewWith(linear []byte) (*Scorer, error) {
	t, err := parseTable(rulesText)
	if err != nil {
		panic("bug: " + err.Error())
	}
	s := newScorer(t)
	if linear == nil {
		return s, nil
	}
	if s.linear, err = DecodeLinear(linear); err != nil {
		return nil, err
	}
	both := sha256.New()
	both.Write(t.digest[:])
	both.Write(linear)
	both.Sum(s.digest[:0])
	return s, nil
}

// newScorer scores by rules alone.
func newScorer(t *table) *Scorer {
	s := &Scorer{table: t, digest: t.digest}
	s.pool.table = t
	return s
}

// Version is the rule table's, and the linear model's behind a plus.
func (s *Scorer) Version() string {
	if s.linear == nil {
		return s.table.version
	}
	return s.table.version + "+" + s.linear.Version
}

// Digest is of the tables that score: the SHA-256 of the rule table in canonical
// form (its lines without comments, blank lines and extra spaces) or, with a linear
// model, the SHA-256 of that digest and the model's file. It does not know of a
// change to the code that finds personal data: that wants another version in
// rules.txt.
func (s *Scorer) Digest() [32]byte { return s.digest }

// Rules lists the rules in table order, and what the linear model advises behind
// them. The caller owns the slice.
func (s *Scorer) Rules() []Rule {
	var rules []Rule
	for _, r := range s.table.rules {
		if !r.fact {
			rules = append(rules, r.Rule)
		}
	}
	if s.linear != nil {
		rules = append(rules, advisory)
	}
	return rules
}

// NotAssessed names what no rule here can tell, so that 100 is not read as
// saying it. The caller owns the slice.
func (s *Scorer) NotAssessed() []string {
	return []string{
		"truth", "flattery", "subtle_manipulation", "implied_bias", "harm_without_known_wording",
		"images_and_attachments", "languages_other_than_english",
	}
}

// AssessReply scores a companion's reply to prompt into *a, all of whose fields
// it sets; a.Findings keeps its capacity. Personal data that stands in the
// prompt too is no finding.
func (s *Scorer) AssessReply(a *quorum.Assessment, reply, prompt string) {
	s.assess(a, reply, prompt, inReply)
}

// AssessPrompt scores what a client asks, into *a as AssessReply does. It is
// milder: only an explicit request for serious harm scores under 50, and what
// people say about themselves costs nothing.
func (s *Scorer) AssessPrompt(a *quorum.Assessment, prompt string) {
	s.assess(a, prompt, "", inPrompt)
}

func (s *Scorer) assess(a *quorum.Assessment, text, prompt string, in scope) {
	w := s.pool.take(len(text))
	w.assess(s.table, s.linear, a, text, prompt, in)
	s.pool.give(w, len(text))
}

// assess scores a text. The linear model, where there is one, reads replies only.
func (s *scratch) assess(t *table, l *Linear, a *quorum.Assessment, text, prompt string, in scope) {
	s.folded.fold(text)
	s.assessFolded(t, l, a, prompt, in)
	s.reset()
}

// assessFolded assesses what s.folded holds.
func (s *scratch) assessFolded(t *table, l *Linear, a *quorum.Assessment, prompt string, in scope) {
	s.read(t, a, prompt, in)
	a.Evidence = 0
	if in == inReply && l != nil {
		s.advise(t, l, a)
	}
	score(a)
}

// read finds what the rules say of what s.folded holds.
func (s *scratch) read(t *table, a *quorum.Assessment, prompt string, in scope) {
	a.Findings = a.Findings[:0]
	s.tokenise(t, in)
	s.matchRules(t, in)
	s.report(t, a, prompt)
}

// scratch is the state of scoring one text.
type scratch struct {
	folded    folded
	tokens    []token
	sentences []traits // by sentence: of all its words
	held      []held   // by rule
	touched   []int    // rules with anything held
	spans     []found
	number    number // the last one read
	prompt    promptFacts
	// inErrors says that the text is a line of a log or an error, where items stand
	// behind signs ("id=…", "/users/…") and may be cut short.
	inErrors bool
	grams    [2 * blockWords]gram // of one block of words
	had      gramSet              // grams of the block so far
}

func newScratch(t *table) *scratch { return &scratch{held: make([]held, len(t.rules))} }

// reset makes s ready for another text, and keeps its room.
func (s *scratch) reset() {
	for _, r := range s.touched {
		s.held[r] = held{}
	}
	s.touched = s.touched[:0]
	s.spans = s.spans[:0]
	s.prompt.text, s.prompt.items = "", nil
}

// report turns what is held and found into a's findings, in order.
func (s *scratch) report(t *table, a *quorum.Assessment, prompt string) {
	refused := s.refuses(t)
	for _, k := range s.touched {
		r, h := &t.rules[k], &s.held[k]
		if r.fact || r.detector != "" || !s.holds(t, k) || refused && !r.always {
			continue
		}
		for _, sp := range h.spans[:h.n] {
			s.finding(a, r, s.tokens[sp.start].start, s.tokens[sp.end].end)
		}
	}
	if len(s.spans) > 0 {
		s.reportPersonal(t, a, prompt)
	}
	if len(a.Findings) > 1 {
		slices.SortFunc(a.Findings, func(x, y quorum.Finding) int {
			return cmp.Or(cmp.Compare(x.Start, y.Start), cmp.Compare(x.Rule, y.Rule), cmp.Compare(x.End, y.End))
		})
	}
}

// finding appends the finding of r over folded bytes start to end.
func (s *scratch) finding(a *quorum.Assessment, r *rule, start, end int32) {
	from, until := s.folded.origin(int(start), int(end))
	a.Findings = append(a.Findings, quorum.Finding{
		Clause: r.Clause, Rule: r.ID, Severity: r.Severity, Start: from, End: until,
	})
}

// holds reports whether rule k has matched enough and its facts are as it asks.
func (s *scratch) holds(t *table, k int) bool {
	r, h := &t.rules[k], &s.held[k]
	if h.n == 0 || bits.OnesCount64(h.different) < r.least {
		return false
	}
	for _, f := range r.needs {
		if !s.holds(t, f) {
			return false
		}
	}
	for _, f := range r.absent {
		if s.holds(t, f) {
			return false
		}
	}
	return true
}

// openingWords is how far into a reply a refusal still speaks for all of it.
const openingWords = 60

// refuses reports whether the text, as a whole, declines: it says so near its
// beginning, and does not go on to do what it declined.
func (s *scratch) refuses(t *table) bool {
	h := &s.held[t.refusal]
	return h.n > 0 && h.spans[0].start < openingWords && !s.holds(t, t.complies)
}
