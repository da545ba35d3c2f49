package answer

import (
	"strings"

	"github.com/kaizen-os/deliberation/quorum"
)

// vote finds the position a reply takes on a motion. A stance that the companion
// stated as such wins over its text. Where the motion is that (a) is better than
// (b), as in comparisons, to prefer (a) is to approve.
func vote(text string, stated quorum.Stance) (a Answer) {
	a.Stance = stated
	if stated == quorum.NoStance {
		var b booth
		b.read(text)
		a.Stance, a.Ambiguous = b.stance, b.ambiguous
	}
	a.Key, a.Shown = stanceKey(a.Stance), a.Stance.String()
	return a
}

// A booth reads a vote's text word by word and keeps the clearest position, of
// equally clear ones the last.
type booth struct {
	stance    quorum.Stance
	strength  uint8
	ambiguous bool
	declared  quorum.Stance // of a sentence that is "I approve" or begins so

	// The sentence at hand.
	words    int // how many so far; what follows are such counts
	label    quorum.Stance
	labels   int // at the label
	denied   int // at the last negation, long ago when there was none
	nor      int // at the last "nor", which is one too
	asked    int // at a key such as "vote" or "verdict"
	compared int // at "than" or "over"
	wanted   int // at "prefer" or "choose"
	self     int // at "I" or "we"
	either   bool
	mute     bool // the sentence declines to choose: its labels are no hint
	first    bool // the reply's first sentence

	takenBack bool // what comes takes the place of what was said
	taken     int  // where the last position was taken, for a value behind it: "approve": false
}

const (
	hinted  uint8 = 1 + iota // named, and nothing more
	decided                  // "I approve", "(a) is better"
	formal                   // vote: approve
)

const longAgo = -1 << 20

// voteNear is how much of each end of a long reply is read.
const voteNear = 4 << 10

func (b *booth) read(text string) {
	b.first = true
	if inFavor(text) {
		b.take(quorum.Approve, decided)
	}
	if len(text) > 2*voteNear {
		b.pass(head(text, voteNear))
		b.sentence()
		text = tail(text, voteNear)
	}
	b.pass(text)
	b.sentence()
}

// inFavor reports whether a text begins by saying no more than that.
func inFavor(text string) bool {
	const in = "in favo"
	i := skip(text, 0, " \n\t*\"'_")
	if !hasFoldPrefix(text[i:], in) {
		return false
	}
	end := wordEnd(text, i+len(in))
	rest := text[end:]
	return (equalFold(text[i+len(in):end], "r") || equalFold(text[i+len(in):end], "ur")) &&
		(rest == "" || rest[0] != ' ' && rest[0] != '-' || hasFoldPrefix(rest, " of the motion") || hasFoldPrefix(rest, " of the proposal"))
}

func (b *booth) take(s quorum.Stance, strength uint8) {
	if s == quorum.NoStance || strength < b.strength {
		return
	}
	differs := strength == b.strength && (b.ambiguous || strength == formal && s != b.stance)
	if strength == decided && b.words == 2 && b.since(b.self) == 1 {
		differs = differs || b.declared != quorum.NoStance && b.declared != s // "I approve. I reject."
		b.declared = s
	}
	b.ambiguous = differs && !b.takenBack
	b.stance, b.strength, b.takenBack = s, strength, false
	b.taken = b.words
}

// sentence ends the sentence at hand. A label that nothing was said about is a
// hint.
func (b *booth) sentence() {
	if b.label != quorum.NoStance && !b.mute && b.compared <= b.labels {
		b.take(b.label, hinted)
	}
	if b.words > 0 {
		b.first = false
	}
	b.words, b.label, b.either, b.mute = 0, quorum.NoStance, false, false
	b.self, b.denied, b.nor, b.asked, b.labels, b.compared, b.wanted, b.taken = longAgo, longAgo, longAgo, longAgo, longAgo, longAgo, longAgo, longAgo
}

func (b *booth) pass(text string) {
	b.words = 0
	b.sentence()
	b.first = b.strength == 0
	var low [16]byte
	for i := 0; i < len(text); {
		c := text[i]
		if !isAlpha(c) {
			if c == '\n' || (c == '.' || c == '!' || c == '?') && (i+1 == len(text) || isSpace(text[i+1]) || text[i+1] == '"') {
				b.sentence()
			}
			i++
			continue
		}
		from := i
		for i < len(text) && (isAlpha(text[i]) || text[i] == '\'' && i+1 < len(text) && isAlpha(text[i+1])) {
			i++
		}
		b.words++
		n := i - from
		if i < len(text) && text[i] == '_' && counted(text[i+1:]) {
			b.either = false
			continue // "approve_count": 3
		}
		if n > 1 && (n >= len(low) || polls.endings[c|0x20-'a'][n]>>(text[i-1]&31)&1 == 0) {
			b.either = false
			continue // says nothing
		}
		for k := range n {
			low[k] = text[from+k] | 0x20 // a quote stays one
		}
		before, after := byte('\n'), byte('\n')
		if from > 0 {
			before = text[from-1]
		}
		if i < len(text) {
			after = text[i]
		}
		b.word(low[:n], before, after, text[from])
	}
}

// counted reports whether a name goes on to say that it is a number of something.
func counted(s string) bool {
	for _, w := range [...]string{"count", "votes", "total", "score", "rate", "reasons", "threshold", "percent", "probability", "weight", "share"} {
		if hasFoldPrefix(s, w) {
			return true
		}
	}
	return false
}

// since is how many words ago something was.
func (b *booth) since(at int) int { return b.words - at }

// word reads one word, in lower case, with the bytes around it and the first as
// it was written.
func (b *booth) word(w []byte, before, after, initial byte) {
	strength := decided
	if b.since(b.asked) <= 3 {
		strength = formal
	}
	if len(w) == 1 {
		if w[0] == 'i' {
			b.self = b.words
		}
		if w[0] != 'a' && w[0] != 'b' {
			return
		}
		// (a), Output (a), Response A, "a": but not the article.
		bracket := before == '(' && after == ')' || before == '"' && after == '"' || before == '[' && after == ']'
		if !bracket && !b.either && !(initial < 'a' && b.since(b.asked) <= 3 && !isSpace(after)) {
			return
		}
		s := quorum.Approve
		if w[0] == 'b' {
			s = quorum.Reject
		}
		if b.since(b.compared) <= 4 && b.label != quorum.NoStance {
			return // better than (b)
		}
		b.label, b.labels = s, b.words
		b.either = false
		switch {
		case b.since(b.asked) <= 4:
			b.take(s, formal)
		case b.since(b.wanted) <= 4:
			b.take(s, decided)
		}
		return
	}
	was := b.either
	b.either = false
	if isChoice(before) || isChoice(after) {
		return // approve/reject: what there is to choose from
	}
	switch classOf(w) {
	case aSide:
		b.either = true
		if after == ':' || after == '"' {
			b.asked = b.words // "answer:"
		}
	case aKey:
		b.asked = b.words
	case aNegation:
		b.denied = b.words
		if string(w) == "nor" {
			b.nor = b.words
			if b.since(b.taken) <= 4 {
				b.self = b.words // whose the position was, is who goes on
			}
		}
		if string(w) == "against" && b.own() {
			b.take(quorum.Reject, strength)
		}
	case aSelf:
		b.self = b.words
	case anApproval:
		b.take(b.turned(quorum.Approve), strength)
	case aRejection:
		b.take(b.turned(quorum.Reject), strength)
	case aLiking:
		if b.own() {
			b.take(b.turned(quorum.Approve), strength)
		}
	case aDislike:
		if b.own() {
			b.take(b.turned(quorum.Reject), strength)
		}
	case aFor:
		if (b.since(b.asked) <= 1 || b.first && b.words == 1) && after != ' ' {
			b.take(quorum.Approve, strength)
		}
	case anAbstention:
		b.take(quorum.Abstain, strength)
	case aCorrection:
		b.takenBack = true
	case aTruth:
		if b.since(b.taken) == 1 && (before == ' ' || before == ':') { // "approve": true
			b.take(b.stance, formal)
		}
	case aFalsity:
		if b.since(b.taken) == 1 && (before == ' ' || before == ':') {
			b.take(opposite(b.stance), formal)
		}
	case aDraw:
		b.take(quorum.Abstain, hinted)
	case aYes:
		if b.since(b.asked) <= 3 || b.first && b.words == 1 {
			b.take(quorum.Approve, strength)
		}
	case aNo:
		if b.since(b.asked) <= 3 || b.first && b.words == 1 && after != ' ' {
			b.take(quorum.Reject, strength)
		} else {
			b.denied = b.words
		}
	case aPraise:
		if b.label != quorum.NoStance && b.since(b.labels) <= 8 {
			b.take(b.turned(b.label), decided)
		}
	case aBlame:
		if b.label != quorum.NoStance && b.since(b.labels) <= 8 {
			b.take(opposite(b.turned(b.label)), decided)
		}
	case aComparison:
		b.compared = b.words
	case aChoosing:
		if b.since(b.denied) > 3 {
			b.wanted = b.words
			break
		}
		b.take(quorum.Abstain, hinted)
		b.mute = true
	case anArticle:
		b.either = was // the option "a"
	}
}

func isChoice(c byte) bool { return c == '/' || c == '|' }

// class is what a word does in a vote.
type class uint8

const (
	anything class = iota
	aSide          // output (a)
	aKey           // vote: approve
	aNegation
	aSelf
	anApproval
	aRejection
	aLiking  // what these are about is often something else than the motion
	aDislike // likewise
	anAbstention
	aDraw
	aYes
	aNo
	aPraise
	aBlame
	aComparison
	aChoosing
	anArticle
	aCorrection
	aTruth
	aFalsity
	aFor
)

var voteWords = [...]string{
	aSide:        "output response option answer assistant candidate",
	aKey:         "vote verdict stance decision position ballot conclusion",
	aNegation:    "not don't cannot can't doesn't isn't won't never shouldn't couldn't wouldn't neither nor unable against refuse without",
	aSelf:        "we i'm i'd i'll i've",
	anApproval:   "approve approved approves approving aye",
	aRejection:   "reject rejected rejects rejecting veto nay",
	aLiking:      "accept support supported endorse agree favor favour approval",
	aDislike:     "oppose opposed disapprove disagree decline rejection object",
	anAbstention: "abstain abstaining abstention abstained undecided",
	aDraw:        "tie equally neutral",
	aYes:         "yes yea oui ja",
	aNo:          "no non nein",
	aPraise:      "better preferred superior best preferable wins stronger",
	aBlame:       "worse inferior worst weaker",
	aComparison:  "than over compared unlike",
	aChoosing:    "prefer choose select pick favors",
	anArticle:    "the",
	aCorrection:  "wait correction reconsidering reconsidered mistake oops scratch",
	aTruth:       "true",
	aFalsity:     "false",
	aFor:         "for",
}

// A polling table finds a word's class. Most words have a first letter, a length
// and a last letter that none of its words has together: one bit each says so.
type polling struct {
	endings [26][16]uint32 // by first letter and length
	words   [26][]classed
}

type classed struct {
	word  string
	class class
}

var polls = func() (p polling) {
	for c, list := range voteWords {
		for _, w := range strings.Fields(list) {
			p.endings[w[0]-'a'][len(w)] |= 1 << (w[len(w)-1] & 31)
			p.words[w[0]-'a'] = append(p.words[w[0]-'a'], classed{w, class(c)})
		}
	}
	return p
}()

func classOf(w []byte) class {
	for _, c := range polls.words[w[0]-'a'] {
		if string(w) == c.word {
			return c.class
		}
	}
	return anything
}

// own reports whether a word that could be about anything is the voter's own
// position: "I support", "vote: support", or the reply's first word.
func (b *booth) own() bool {
	return b.since(b.self) <= 4 || b.since(b.asked) <= 3 || b.first && b.words == 1
}

// turned is s, or its opposite behind a negation. Who neither approves nor rejects
// abstains.
func (b *booth) turned(s quorum.Stance) quorum.Stance {
	if b.since(b.denied) > 3 {
		return s
	}
	if b.nor == b.denied && b.taken > 0 && b.stance == s {
		return quorum.Abstain
	}
	return opposite(s)
}

func opposite(s quorum.Stance) quorum.Stance {
	switch s {
	case quorum.Approve:
		return quorum.Reject
	case quorum.Reject:
		return quorum.Approve
	}
	return s
}
