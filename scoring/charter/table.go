package charter

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/kaizen-os/deliberation/quorum"
)

//go:embed rules.txt
var rulesText string

// ErrTable is a rule table that does not parse.
var ErrTable = errors.New("charter: rule table")

// A scope says which texts a rule reads.
type scope uint8

const (
	inReply scope = 1 << iota
	inPrompt
	inRedaction // what code finds, in any text
)

// A rule is one entry of the table, compiled. A fact is a rule without
// severity: it costs nothing and other rules ask for it.
type rule struct {
	Rule
	fact     bool
	scope    scope
	most     int    // findings it may make in one text
	least    int    // different patterns that must match before it holds
	always   bool   // holds also when negated, or in a refusal
	needs    []int  // facts that must hold, as rule indices
	absent   []int  // facts that must not hold
	matches  uint   // how many patterns it has
	unless   []int  // patterns that, in the match's sentence, undo it
	detector string // the code that finds it, for what no word pattern can
}

// A pattern is a sequence of words within one sentence, or a few if it says so.
type pattern struct {
	rule    int
	bit     uint   // its place in the rule's count of different patterns
	parts   []part // at least one
	anchor  int    // the part that is looked for first: the rarest
	opening bool   // its first word opens the sentence
	across  int32  // sentences after the first that it may run into
}

// A part is one place of a pattern: any of some words, after a gap.
type part struct {
	words *wordSet
	gap   int // words that may stand between it and the part before
}

// An anchored is a pattern to try at a word, unless its sentence has nothing of
// what the pattern wants beside that word.
type anchored struct {
	wants   traits // of the rarest other part
	pattern int32
}

// Traits are of which sorts some words are: 64 sorts of no meaning, so that most
// sentences without a word are told so by one step. A sentence may have a trait
// of a word without the word, never the other way round.
type traits uint64

func (id wordID) trait() traits { return 1 << (id & 63) }

// A wordSet is a set of words; equal sets are shared.
type wordSet struct {
	bits   []uint64
	common int // 1 holds a word too frequent to be an anchor if there is another, 2 one of the few most frequent
	size   int
}

// traits are those of all words of the set.
func (w *wordSet) traits() (t traits) {
	for _, b := range w.bits {
		t |= traits(b)
	}
	return t
}

func (w *wordSet) has(id wordID) bool {
	k := int(id >> 6)
	return k < len(w.bits) && w.bits[k]>>(id&63)&1 != 0
}

// meets reports whether w and u have a word in common.
func (w *wordSet) meets(u *wordSet) bool {
	for k := range min(len(w.bits), len(u.bits)) {
		if w.bits[k]&u.bits[k] != 0 {
			return true
		}
	}
	return false
}

// table is the compiled rule table. It is immutable.
type table struct {
	version    string
	digest     [32]byte
	vocabulary *vocabulary
	rules      []rule
	patterns   []pattern
	anchored   [][]anchored // by wordID: the patterns to try at that word
	facts      map[string]int
	detected   [kinds]int // the rule of each kind of item, or -1
	negation   *wordSet   // before a match they undo it
	verdict    *wordSet   // anywhere in its sentence they undo it
	rhetoric   []int      // patterns in which a word of the two sets undoes nothing
	refusal    int        // the fact that a reply refuses
	complies   int        // the fact that it goes on to do it all the same
	grams      []gram     // by wordID: what the linear model calls it
}

// wants is the traits of the part, beside the anchor, that fewest sentences have;
// all traits where the anchor is all there is, or the part may stand in another
// sentence.
func (p *pattern) wants() traits {
	wants := ^traits(0)
	if p.across > 0 {
		return wants
	}
	for i := range p.parts {
		if t := p.parts[i].words.traits(); i != p.anchor && bits.OnesCount64(uint64(t)) < bits.OnesCount64(uint64(wants)) {
			wants = t
		}
	}
	return wants
}

// longestSpan bounds a pattern with all its gaps: reach is a 64-bit mask.
const longestSpan = 60

// parser holds what is needed only while the table is read.
type parser struct {
	*table
	ids    map[string]wordID
	named  map[string][]string // set name to its words, inflected
	shared map[string]*wordSet // by their bits
	// frequent is 1 for common words and 2 for the commonest: wordSet.common.
	frequent map[string]int
	wants    map[int][2][]string // rule index to names of facts: needs, absent
	rule     *rule
	// misspelt are the words that are also known by their misspellings.
	misspelt []string
}

// parseTable reads and compiles a rule table; its form is described at the head
// of rules.txt. The digest is taken over the table without comments, blank
// lines and extra spaces. Error: ErrTable with the line.
func parseTable(text string) (*table, error) {
	p := parser{
		table: &table{vocabulary: newVocabulary(), facts: map[string]int{}},
		ids:   map[string]wordID{}, named: map[string][]string{}, shared: map[string]*wordSet{}, frequent: map[string]int{},
		wants: map[int][2][]string{},
	}
	for k := range p.detected {
		p.detected[k] = -1
	}
	canonical := sha256.New()
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "//")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		fmt.Fprintln(canonical, strings.Join(fields, " "))
		if err := p.line(fields[0], fields[1:]); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrTable, n+1, err)
		}
	}
	canonical.Sum(p.digest[:0])
	if err := p.finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTable, err)
	}
	return p.table, nil
}

func (p *parser) line(verb string, args []string) (err error) {
	if len(args) == 0 {
		return fmt.Errorf("%s without anything", verb)
	}
	switch verb {
	case "version":
		p.version = args[0]
		return nil
	case "set":
		if len(args) < 2 {
			return errors.New("set without words")
		}
		words, err := p.expand(args[1:])
		p.named[args[0]] = append(p.named[args[0]], words...)
		for level, name := range []string{"common", "commonest"} {
			if args[0] == name {
				for _, w := range words {
					p.frequent[w] = max(p.frequent[w], level+1)
				}
			}
		}
		return err
	case "fact":
		p.facts[args[0]] = len(p.rules)
		p.rules = append(p.rules, rule{Rule: Rule{ID: args[0]}, fact: true, scope: inReply | inPrompt, least: 1, most: 1, always: true})
		p.rule = &p.rules[len(p.rules)-1]
		return p.options(args[1:])
	case "rule":
		return p.head(args)
	case "rhetoric":
		return p.frame(args)
	case "misspelt":
		words, err := p.expand(args)
		p.misspelt = append(p.misspelt, words...)
		return err
	}
	if p.rule == nil {
		return fmt.Errorf("%s before any rule", verb)
	}
	switch verb {
	case "why":
		p.rule.Why = strings.Join(args, " ")
	case "detect":
		p.rule.detector = args[0]
		p.rule.scope |= inRedaction
		k := slices.Index(kindNames[:], args[0])
		if k < 0 {
			return fmt.Errorf("no detector %q", args[0])
		}
		p.detected[k] = len(p.rules) - 1
	case "match":
		err = p.pattern(args, len(p.rules)-1)
	case "each":
		var words []string
		if words, err = p.expandGroups(args); err == nil {
			for _, w := range words {
				if err = p.pattern([]string{w}, len(p.rules)-1); err != nil {
					break
				}
			}
		}
	case "unless":
		p.rule.unless = append(p.rule.unless, len(p.patterns))
		err = p.pattern(args, -1)
	case "needs", "absent":
		w := p.wants[len(p.rules)-1]
		k := 0
		if verb == "absent" {
			k = 1
		}
		w[k] = append(w[k], args...)
		p.wants[len(p.rules)-1] = w
	default:
		err = fmt.Errorf("unknown word %q", verb)
	}
	return err
}

// head reads "rule ID CLAUSE SEVERITY [prompt|both] [most N] [least N] [always]".
func (p *parser) head(args []string) error {
	if len(args) < 3 {
		return errors.New("rule wants an id, a clause and a severity")
	}
	clause, err := strconv.Atoi(args[1])
	if err != nil || clause < 1 || clause > quorum.Clauses {
		return fmt.Errorf("clause %q is not 1 to %d", args[1], quorum.Clauses)
	}
	severity, err := quorum.ParseDecimal(args[2], 6)
	if err != nil {
		return err
	}
	if step(quorum.PPM(severity)) < 0 {
		return fmt.Errorf("severity %s is not on the ladder", args[2])
	}
	for _, r := range p.rules {
		if r.ID == args[0] {
			return fmt.Errorf("second rule %q", args[0])
		}
	}
	p.rules = append(p.rules, rule{
		Rule:  Rule{ID: args[0], Clause: quorum.Clause(clause), Severity: quorum.PPM(severity)},
		scope: inReply, least: 1, most: 1,
	})
	p.rule = &p.rules[len(p.rules)-1]
	return p.options(args[3:])
}

// frame reads a pattern of rhetoric. It is looked for at the word it excuses.
func (p *parser) frame(args []string) error {
	if err := p.pattern(args, -1); err != nil {
		return err
	}
	k := len(p.patterns) - 1
	pt := &p.patterns[k]
	undoing := p.set(slices.Concat(p.named["negation"], p.named["verdict"]))
	for i := range pt.parts {
		if pt.parts[i].words.meets(undoing) {
			pt.anchor = i
			p.rhetoric = append(p.rhetoric, k)
			return nil
		}
	}
	return errors.New("rhetoric without a part of negation or verdict")
}

func (p *parser) options(args []string) error {
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "prompt":
			p.rule.scope = inPrompt
		case "both":
			p.rule.scope = inPrompt | inReply
		case "always":
			p.rule.always = true
		case "most", "least":
			if i+1 == len(args) {
				return fmt.Errorf("%s without a number", args[i])
			}
			n, err := strconv.Atoi(args[i+1])
			if err != nil || n < 1 || n > mostSpans {
				return fmt.Errorf("%s %q is not 1 to %d", args[i], args[i+1], mostSpans)
			}
			if args[i] == "most" {
				p.rule.most = n
			} else {
				p.rule.least = n
			}
			i++
		default:
			return fmt.Errorf("unknown option %q", args[i])
		}
	}
	return nil
}

// mostAcross bounds how many sentence ends a pattern may run over.
const mostAcross = 3

// pattern compiles "word a|b ~N @set # ^ /N": see rules.txt.
func (p *parser) pattern(args []string, of int) error {
	pt := pattern{rule: of}
	gap, span := 0, 0
	for i, a := range args {
		switch {
		case a == "^":
			if len(pt.parts) != 0 {
				return errors.New("^ is not at the front")
			}
			pt.opening = true
			continue
		case a[0] == '/':
			n, err := strconv.Atoi(a[1:])
			if err != nil || n < 1 || n > mostAcross || i != 0 {
				return fmt.Errorf("%q is not at the front, or not 1 to %d", a, mostAcross)
			}
			pt.across = int32(n)
			continue
		case a[0] == '~':
			n, err := strconv.Atoi(a[1:])
			if err != nil || n < 1 || len(pt.parts) == 0 || i+1 == len(args) {
				return fmt.Errorf("gap %q", a)
			}
			gap = n
			span += n
			continue
		}
		words, err := p.expand(strings.Split(a, "|"))
		if err != nil {
			return err
		}
		pt.parts = append(pt.parts, part{p.set(words), gap})
		gap = 0
		span++
	}
	if len(pt.parts) == 0 || span > longestSpan {
		return fmt.Errorf("pattern of %d parts over %d words", len(pt.parts), span)
	}
	for i := range pt.parts {
		a, b := pt.parts[i].words, pt.parts[pt.anchor].words
		if a.common < b.common || a.common == b.common && a.size < b.size {
			pt.anchor = i
		}
	}
	if of >= 0 {
		r := &p.rules[of]
		pt.bit = r.matches
		r.matches++
		if pt.bit >= bits.UintSize && r.least > 1 {
			return errors.New("more than 64 patterns to count")
		}
		pt.bit &= 63
	}
	p.patterns = append(p.patterns, pt)
	return nil
}

// expand turns words, inflected words and set names into plain words.
func (p *parser) expand(args []string) (words []string, err error) {
	for _, a := range args {
		switch {
		case a == "":
			return nil, errors.New("empty word")
		case a[0] == '@':
			set, ok := p.named[a[1:]]
			if !ok {
				return nil, fmt.Errorf("no set %q", a[1:])
			}
			words = append(words, set...)
		case a[len(a)-1] == '+':
			words = append(words, inflect(a[:len(a)-1])...)
		default:
			words = append(words, a)
		}
	}
	for _, w := range words {
		if err := checkWord(w); err != nil {
			return nil, err
		}
	}
	return words, nil
}

// expandGroups leaves each word with its inflections as one alternative "a|b".
func (p *parser) expandGroups(args []string) (groups []string, err error) {
	for _, a := range args {
		words, err := p.expand(strings.Split(a, "|"))
		if err != nil {
			return nil, err
		}
		groups = append(groups, strings.Join(words, "|"))
	}
	return groups, nil
}

func checkWord(w string) error {
	if w == "#" {
		return nil
	}
	if w == "" || len(w) > longestWord {
		return fmt.Errorf("word %q", w)
	}
	for _, c := range []byte(w) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '\'') {
			return fmt.Errorf("word %q: want lower case letters", w)
		}
	}
	return nil
}

// inflect gives w with the endings of an English verb or noun. Forms that do
// not exist do no harm.
func inflect(w string) []string {
	if len(w) < 2 {
		return []string{w}
	}
	last, stem := w[len(w)-1], w[:len(w)-1]
	switch {
	case last == 'e':
		return []string{w, w + "s", w + "d", stem + "ing"}
	case last == 'y' && !strings.ContainsRune("aeiou", rune(w[len(w)-2])):
		return []string{w, stem + "ies", stem + "ied", w + "ing"}
	case last == 's' || last == 'x' || last == 'z' || strings.HasSuffix(w, "ch") || strings.HasSuffix(w, "sh"):
		return []string{w, w + "es", w + "ed", w + "ing"}
	}
	double := w + string(last)
	return []string{w, w + "s", w + "ed", w + "ing", double + "ed", double + "ing"}
}

// id is w's, added when new.
func (p *parser) id(w string) wordID {
	if w == "#" {
		return numberWord
	}
	id, ok := p.ids[w]
	if !ok {
		id = wordID(len(p.vocabulary.words))
		p.ids[w] = id
		p.vocabulary.words = append(p.vocabulary.words, w)
	}
	return id
}

// set is the shared set of words.
func (p *parser) set(words []string) *wordSet {
	var s wordSet
	for _, w := range words {
		id := p.id(w)
		for int(id>>6) >= len(s.bits) {
			s.bits = append(s.bits, 0)
		}
		if !s.has(id) {
			s.bits[id>>6] |= 1 << (id & 63)
			s.size++
		}
	}
	key := make([]byte, 0, 8*len(s.bits))
	for _, b := range s.bits {
		key = binary.LittleEndian.AppendUint64(key, b)
	}
	if known, ok := p.shared[string(key)]; ok {
		return known
	}
	for _, w := range words {
		s.common = max(s.common, p.frequent[w])
	}
	p.shared[string(key)] = &s
	return &s
}

// finish resolves names and indexes the patterns by their anchors.
func (p *parser) finish() error {
	if p.version == "" {
		return errors.New("no version")
	}
	for i := range p.rules {
		r, w := &p.rules[i], p.wants[i]
		for k, names := range w {
			for _, name := range names {
				f, ok := p.facts[name]
				if !ok {
					return fmt.Errorf("rule %s: no fact %q", r.ID, name)
				}
				if r.fact && f >= i {
					return fmt.Errorf("fact %s asks for %s, which is not before it", r.ID, name)
				}
				if k == 0 {
					r.needs = append(r.needs, f)
				} else {
					r.absent = append(r.absent, f)
				}
			}
		}
		if !r.fact && r.Why == "" {
			return fmt.Errorf("rule %s does not say why", r.ID)
		}
	}
	for _, name := range []string{"refusal", "complies"} {
		if _, ok := p.facts[name]; !ok {
			return fmt.Errorf("no fact %q", name)
		}
	}
	p.refusal, p.complies = p.facts["refusal"], p.facts["complies"]
	p.negation, p.verdict = p.set(p.named["negation"]), p.set(p.named["verdict"])
	for _, w := range p.misspelt {
		// A word that no pattern has is left alone.
		if id, ok := p.ids[w]; ok {
			for _, spelt := range slipsOf(w) {
				p.vocabulary.slips = append(p.vocabulary.slips, slip{spelt, id})
			}
		}
	}
	p.vocabulary.seal()
	p.indexGrams()
	p.anchored = make([][]anchored, len(p.vocabulary.words))
	for i := range p.patterns {
		pt := &p.patterns[i]
		if pt.rule < 0 {
			continue
		}
		words, wants := pt.parts[pt.anchor].words, pt.wants()
		for k, b := range words.bits {
			for ; b != 0; b &= b - 1 {
				id := k<<6 + bits.TrailingZeros64(b)
				p.anchored[id] = append(p.anchored[id], anchored{wants, int32(i)})
			}
		}
	}
	return nil
}
