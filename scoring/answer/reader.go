package answer

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode"
)

// A reader takes one text apart into a Words, in one pass.
type reader struct {
	w        *Words
	question *Words
	text     string

	sentence uint16
	opening  bool // the next word is a sentence's first
	from     int  // where the sentence's words begin in w.list
	flip     bool // the sentence is said to be false

	predicate bool // is or was stands before
	ordinal   bool // what stands before is numbered: Henry I
	deny      bool // within a negation
	denied    int  // content words since it began
	quoting   bool // so far it denies what the question denies too, which ends with that
	pending   bool // a negation that denied nothing
	negative  bool // the clause has a negation
	denial    bool // the text has one
	cues      cue
	clause    int // core words in the clause
	facts     int // of them names, figures and dates

	bound   uint16 // higher or lower, of what comes next
	figured bool   // of a figure only
	bounded int    // where a word stands that is no figure and has a bound, or -1

	prev     uint64 // the stem before, for pairs; 0 at a break
	prevAt   int    // where it stands in w.list, or -1
	prevOld  bool   // it was there already
	last     uint32 // the word before, whatever it is
	context  uint32 // that word, or that and the one before where it is a stop word
	number   int    // where the figure just before stands, or -1
	mantissa uint64 // of that figure
	exp      int

	initials  [8]byte // of the run of capitalised words
	ninitials int
}

// reach is how many content words a negation denies at most.
const reach = 8

func (r *reader) read() {
	s := r.text
	r.start()
	var low foldedWord
	for i := 0; i < len(s); {
		c := s[i]
		if low0 := foldTable[c]; low0 == 0 && c < 0x80 {
			i = r.mark(i)
			continue
		}
		if isDigit(c) {
			i = r.figure(i)
			continue
		}
		n, upper, from := 0, 0, i
		single := false
		// Most words are ASCII, and read eight letters at a time.
		for i+8 <= len(s) && n+8 <= longest {
			eight := eightAt(s[i:])
			alnum, letters := sorts(eight)
			k := bits.TrailingZeros64(^alnum&tops) / 8
			taken := uint64(1)<<(8*k) - 1
			binary.LittleEndian.PutUint64(low[n:], (eight|lowered)&taken)
			if capitals := letters &^ (eight << 2) & taken; capitals != 0 {
				upper += bits.OnesCount64(capitals)
			}
			n += k
			i += k
			if k < 8 {
				break
			}
		}
		for i < len(s) {
			c := s[i]
			if f := foldTable[c]; f != 0 {
				if c != f {
					upper++
				}
				if n < longest {
					low[n] = f
					n++
				}
				i++
				continue
			}
			if c == ' ' {
				break
			}
			if c == '\'' && i+1 < len(s) && foldTable[s[i+1]] != 0 {
				if s[i+1] == 's' && (i+2 == len(s) || foldTable[s[i+2]] == 0) {
					i += 2 // France's
					break
				}
				i++
				continue
			}
			if c == '.' && i+1 < len(s) && isAlpha(s[i+1]) && i > from && (i == from+1 || s[i-2] == '.') {
				i++ // U.S.A.
				continue
			}
			if c < 0x80 {
				break
			}
			ru, k, ok := letter(s[i:])
			if ru == '’' && i+k < len(s) && foldTable[s[i+k]] != 0 {
				i += k
				if s[i] == 's' && (i+1 == len(s) || foldTable[s[i+1]] == 0) {
					i++
					break
				}
				continue
			}
			if !ok {
				break
			}
			if ideograph(ru) {
				if n > 0 {
					break
				}
				single = true
			}
			if unicode.IsUpper(ru) {
				upper++
			}
			if n+8 <= longest {
				n = len(appendFolded(low[:n], s[i:i+k], ru))
			}
			i += k
			if single {
				break
			}
		}
		if n == 0 {
			if i == from {
				ru, k, _ := letter(s[i:])
				i += k
				switch ru {
				case '°', '\u00a0', '\u202f', '‘', '’', '\u200b':
					// Spaces and quotes, as in ASCII.
				case '“', '”', '«', '»':
					r.quote()
				default:
					r.gap()
				}
			}
			continue
		}
		// A footnote's mark is no part of the word: Derby1, Derby12.
		if n > 3 && low[n-1] <= '9' && n == i-from && (i == len(s) || !isAlnum(s[i])) {
			k := n - 1
			if low[k-1] <= '9' {
				k--
			}
			if k > 2 && low[k-1] >= 'a' && s[from+k-1] >= 'a' {
				n = k
			}
		}
		capital := s[from] >= 'A' && s[from] <= 'Z' || s[from] >= 0x80 && upper > 0
		r.word(&low, n, capital, upper > 1 && upper == n, i)
		if i < len(s) && s[i] == ' ' {
			i++
		}
	}
	r.endSentence()
	// "It is not so." has no word to keep, and yet answers.
	if len(r.w.list) == 0 && r.w.count > 0 && r.w.lead == 0 {
		r.w.lead = 1
		if r.denial {
			r.w.lead = -1
		}
	}
}

func (r *reader) start() {
	r.opening = true
	r.prevAt, r.number, r.bounded = -1, -1, -1
}

// mark takes what stands between words and returns where to go on.
func (r *reader) mark(i int) int {
	s := r.text
	switch c := s[i]; c {
	case ' ', '\t', '*', '_', '`', '\'':
		return i + 1
	case '"':
		r.quote()
		return i + 1
	case '.':
		// A sentence ends where the next begins, not in 3.5 or "J. Smith".
		if i+1 == len(s) || isSpace(s[i+1]) {
			initial := i >= 1 && s[i-1] >= 'A' && s[i-1] <= 'Z' && (i < 2 || !isAlpha(s[i-2]))
			if !initial && !abbreviated(s[:i]) {
				r.endSentence()
			}
		}
	case '!', '?', '\n':
		if c == '?' {
			r.cues |= asks
		}
		r.endSentence()
	case ',':
		// "It is not, however, so": a negation reaches over the comma until it
		// has denied something.
		deny := r.deny && r.denied == 0
		r.gap()
		r.deny = deny
	case ';', ':', '(', ')', '[', ']', '/', '|', '=':
		r.gap()
	case '%':
		r.measure(hashStemPercent)
	case '-':
		if i > 0 && i+1 < len(s) && isAlnum(s[i-1]) && isAlnum(s[i+1]) {
			break // a hyphen
		}
		r.gap()
	}
	return i + 1
}

// abbreviated reports whether s ends in a title or another word that is written
// with a full stop and goes on.
func abbreviated(s string) bool {
	from := len(s)
	for from > 0 && len(s)-from < 5 && isAlpha(s[from-1]) {
		from--
	}
	switch s[from:] {
	case "Dr", "Mr", "Mrs", "Ms", "Prof", "St", "Mt", "Gen", "Sen", "Rep", "Gov", "Lt", "Col", "Capt", "Sgt", "No", "no", "vs", "approx", "ca", "Vol", "Fig":
		return true
	}
	return false
}

// articleA is how the word "a" is seen as the one before.
var articleA = uint32(hashWord("a"))

// wordAt is how the word "at" is seen as the one before.
var wordAt = uint32(hashWord("at"))

// gap ends what a negation reaches, and a run of capitalised words.
func (r *reader) gap() {
	r.endRun()
	r.deny = false
	r.denied = 0
	r.prev, r.prevAt = 0, -1
	r.last, r.context = 0, 0
	r.number, r.bounded = -1, -1
	r.bound = 0
}

// quote ends what a negation reaches, once it has denied something: of "Do not go
// gentle" by Thomas the author is not denied.
func (r *reader) quote() {
	if r.denied > 0 {
		r.deny = false
	}
}

func (r *reader) endClause() {
	// "The experiment failed." denies all of it.
	r.pending = r.pending || r.deny && r.denied == 0
	r.gap()
	hedge := r.cues&vague != 0 || r.negative && (r.cues&(knows|self) == knows|self || r.cues&fact != 0)
	switch {
	case hedge && r.clause < 9:
		r.w.hedges++
	case r.cues&asks != 0 && r.clause < 7:
	default:
		r.w.said += r.clause + r.facts
	}
	r.cues, r.clause, r.facts, r.negative = 0, 0, 0, false
}

func (r *reader) endSentence() {
	r.endClause()
	if r.flip || r.pending {
		for k := r.from; k < len(r.w.list); k++ {
			b := r.w.list[k].bits
			r.w.list[k].bits = b&^(affirms|denies) | (b&affirms)<<1 | (b&denies)>>1
		}
	}
	r.flip, r.pending = false, false
	r.from = len(r.w.list)
	if r.sentence < 63 {
		r.sentence++
	}
	r.opening = true
}

// word takes one word, the first n of buf, which ends at text[end].
func (r *reader) word(buf *foldedWord, n int, capital, upper bool, end int) {
	low := buf[:n]
	r.w.count++
	opening := r.opening
	r.opening = false
	h := buf.hash(n)
	if capital && len(low) <= 3 && r.isInitial(low, end) {
		r.addInitial(low[0])
		r.pass(h)
		return
	}
	e := english.find(h)
	limit := unbound
	if e != nil && e.bound != unbound {
		if limit = e.bound; r.limits(limit, h, end) {
			return
		}
	}
	if upper && len(low) == 2 && low[0] == 'u' && low[1] == 's' {
		e = nil
		low = append(low, 'a')
		h = buf.hash(len(low))
	}
	full := h
	if e == nil || e.role == content {
		h = buf.hash(len(stem(low)))
		if s := english.find(h); s != nil && (s.role == content || s.role == unitWord) && (e == nil || e.hash == h) {
			if e != nil {
				r.cues |= e.cue
			}
			e = s
		}
	}
	root := h // before synonyms
	if capital && len(low) == 1 && r.number < 0 && low[0] != 'a' && low[0] != 'i' {
		e = nil // vitamin C is no unit
	}
	first := r.w.count == 1
	predicate := r.predicate
	r.predicate = false
	ordinal := r.ordinal
	r.ordinal = capital && e != nil && e.cue&counts != 0
	if ordinal && capital && len(low) == 1 && low[0] == 'i' && (end == len(r.text) || r.text[end] != '\'') {
		r.put(word{hash: h, bits: name}, full) // World War I
		return
	}
	dates := uint16(0)
	if e != nil {
		r.cues |= e.cue
		role := e.role
		if role == month && !capital {
			role = stopWord
			if len(low) > 5 {
				role = content
			}
		}
		switch role {
		case stopWord:
			if first && e.cue&agrees != 0 && r.alone(end) {
				r.w.lead = 1
			}
			switch {
			case e.cue&be != 0:
				r.predicate = true
				if r.deny && r.denied > 0 {
					r.deny = false // what comes is said, not denied
				}
			case len(low) == 3 && low[0] == 't' && low[1] == 'h': // the
			default:
				r.predicate = predicate
			}
			if r.bounded >= 0 && string(low) == "than" {
				// "A is more expensive than B" is also B, less expensive than A.
				r.w.list[r.bounded].bits &^= higher | lower
				r.bounded = -1
			}
			if r.deny && (string(low) == "until" || string(low) == "till") {
				r.deny = false // not until 2002
			}
			if r.deny && r.denied == 0 && len(low) == 4 && (string(low) == "only" || string(low) == "just") {
				r.deny = false // not only
			}
			r.pass(full)
			return
		case negator:
			if string(low) == "no" && (capital || end < len(r.text) && r.text[end] == '.') && numbers(r.text[end:]) {
				r.pass(full) // No. 1
				return
			}
			if r.last == articleA && string(low) == "few" {
				r.pass(full) // a few are some
				return
			}
			r.negative, r.denial = true, true
			if first && string(low) == "no" && r.alone(end) {
				r.w.lead = -1
				r.pass(full)
				return
			}
			// "Not never" affirms, "not wet and not dry" does not.
			r.deny = !r.deny || r.denied > 0
			r.denied, r.quoting = 0, false
			r.predicate = predicate
			r.pass(full)
			return
		case falsity:
			if first && r.alone(end) {
				r.w.lead = -1
				r.pass(full)
				return
			}
			// "Is fictional" denies, "is a fictional town" does not.
			if predicate && (low[0] != 'f' || low[1] == 'a' && low[2] == 'l' || r.alone(end)) {
				r.negative, r.denial = true, true
				r.flip = !r.flip
				r.pass(full)
				return
			}
		case breaker:
			r.endClause()
			r.pass(full)
			return
		case numeral:
			value, h := uint64(e.value), e.hash
			if v := r.mantissa + value; value < 10 && r.exp == 0 && r.mantissa >= 20 && r.mantissa < 100 && r.takeBack() {
				value, h = v, hashNumber(int(v)) // twenty-one
			}
			before := len(r.w.list)
			r.put(word{hash: h, bits: figure}, full)
			if len(r.w.list) > before {
				r.number = before
			}
			r.mantissa, r.exp = value, 0
			return
		case season:
			dates = dated
		case unitWord:
			if at := r.number; at >= 0 {
				r.measure(e.hash)
				r.pass(full)
				if e.hash == hashStemDegree {
					r.w.list[at].unit = 0
					r.number = at // of what, comes next
				}
				return
			}
			if len(low) <= 2 { // am, in: no unit, and nothing else either
				r.pass(full)
				return
			}
		}
		h = e.hash
	}
	if r.number >= 0 && r.scale(low) {
		r.pass(full)
		return
	}
	v := word{hash: h, bits: dates}
	if e == nil && (!capital || opening) {
		if n := prefixed(low); n > 0 {
			h = hashBytes(stem(low[n:]))
			v = word{hash: h, bits: denies}
		}
	}
	if e != nil && e.opposite {
		v.bits |= denies // taken for the denial of its opposite
	}
	if e != nil && e.role == month {
		v.bits |= dated
		r.measure(uint64(ofDay)) // 12 May
	}
	if capital {
		switch {
		case e != nil && e.role == month:
		case !opening || upper:
			v.bits |= name
		case e == nil || e.role == unitWord:
			v.bits |= opener
		}
		r.addInitial(low[0])
	} else {
		r.endRun()
	}
	// Two words that mean one thing together take the place of the first.
	if r.prev != 0 {
		if p := english.find(pairHash(r.prev, root)); p != nil && r.prevAt >= 0 {
			if !r.prevOld && r.prevAt == len(r.w.list)-1 {
				r.drop()
			}
			v.hash = p.hash
			if p.opposite {
				v.bits ^= denies // vote against
			}
		}
	}
	r.put(v, full)
	r.prev = root
	switch limit {
	case less:
		r.bound, r.figured = lower, false
	case upward:
		r.bound, r.figured = higher, true
	case downward:
		r.bound, r.figured = lower, true
	}
}

// limits reports whether a word that may be a bound, and ends at text[end], is
// nothing else: "more", "at least", "fewer than". What comes next has it then.
func (r *reader) limits(b bound, full uint64, end int) bool {
	than := hasFoldPrefix(r.text[end:], " than ")
	side := higher
	switch {
	case b == more:
	case b == less && than, b == atMost && r.last == wordAt:
		side = lower
	case b == atLeast && r.last == wordAt:
	default:
		return false
	}
	if than && r.deny && r.denied == 0 { // no more than
		side ^= higher | lower
		r.deny = false
	}
	r.pass(full)
	r.bound, r.figured = side, false
	return true
}

// numbers reports whether "no" before s is short for number: "No. 1", "No 1".
func numbers(s string) bool {
	s = strings.TrimPrefix(s, ".")
	for strings.HasPrefix(s, " ") || strings.HasPrefix(s, "\u00a0") {
		s = strings.TrimPrefix(strings.TrimPrefix(s, " "), "\u00a0")
	}
	return s != "" && isDigit(s[0])
}

func (r *reader) addInitial(c byte) {
	if r.ninitials < len(r.initials) {
		r.initials[r.ninitials] = c
		r.ninitials++
	}
}

// isInitial reports whether a capitalised word that ends at text[end] stands for
// a first name: the J. of R. J. Mitchell, but not the C of vitamin C.
func (r *reader) isInitial(low []byte, end int) bool {
	if len(low) == 1 && low[0] == 'i' {
		return false
	}
	s := r.text
	if len(low) > 1 && (end < 2 || s[end-2] != '.') {
		return false
	}
	if end < len(s) && s[end] == '.' {
		end++
	}
	return end+1 < len(s) && s[end] == ' ' && s[end+1] >= 'A' && s[end+1] <= 'Z' && low[0] != 'a'
}

// alone reports whether a punctuation mark or the end follows text[:end].
func (r *reader) alone(end int) bool {
	return end == len(r.text) || r.text[end] != ' ' && !isAlnum(r.text[end])
}

// drop takes the word added last out again.
func (r *reader) drop() {
	k := len(r.w.list) - 1
	if r.w.list[k].bits&(asked|alias) == 0 {
		r.clause--
	}
	mask := uint64(len(r.w.index) - 1)
	i := r.w.list[k].hash & mask
	for r.w.index[i] != uint16(k+1) {
		i = (i + 1) & mask
	}
	// The last word added ends every chain it is on: nothing lies behind it.
	r.w.index[i] = 0
	r.w.list = r.w.list[:k]
	r.from = min(r.from, k)
	r.prevAt, r.number, r.bounded = -1, -1, -1
}

// pass takes a word that is not kept but stands beside others.
func (r *reader) pass(full uint64) {
	r.context = 0
	if r.last != 0 {
		r.context = uint32(pairHash(uint64(r.last), full))
	}
	r.last = uint32(full)
	r.prev, r.prevAt = 0, -1
	r.number = -1
}

// put keeps a word.
func (r *reader) put(v word, full uint64) {
	if r.question != nil && r.question.find(v.hash) >= 0 {
		v.bits |= asked
	}
	v.sentence = r.sentence
	v.left = r.context
	opposite := v.bits&denies != 0
	if r.deny {
		quoted := v.bits&asked != 0 && r.question.list[r.question.find(v.hash)].bits&(affirms|denies) == denies
		if r.denied++; r.denied > reach || r.quoting && !quoted {
			r.deny = false
		}
		r.quoting = quoted
	}
	v.bits &^= denies
	if opposite != r.deny {
		v.bits |= denies
	} else {
		v.bits |= affirms
	}
	if v.bits&asked == 0 {
		r.clause++
		if v.bits&(name|figure|dated) != 0 {
			r.facts++
		}
	}
	if r.prevAt >= 0 && r.w.list[r.prevAt].right == 0 {
		r.w.list[r.prevAt].right = uint32(full)
	}
	number := v.bits&figure != 0
	if r.bound != 0 && !r.deny && (number || !r.figured) {
		v.bits |= r.bound
	}
	before := len(r.w.list)
	r.prevAt = r.w.add(v)
	if v.bits&(higher|lower) != 0 && !number {
		r.bounded = r.prevAt
	}
	r.bound = 0
	r.prevOld = len(r.w.list) == before
	r.last = uint32(full)
	r.context = r.last
	r.prev = 0
	r.number = -1
}

// endRun ends a run of capitalised words and keeps their initials, by which a
// short form of the name is known: NYC.
func (r *reader) endRun() {
	if r.ninitials >= 2 {
		r.w.add(word{hash: hashBytes(stem(r.initials[:r.ninitials])), sentence: r.sentence, bits: alias})
	}
	r.ninitials = 0
}
