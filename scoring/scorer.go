package scoring

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring/answer"
	"github.com/kaizen-os/deliberation/scoring/charter"
	"github.com/kaizen-os/deliberation/scoring/form"
)

// A Scorer reads replies. It is safe for concurrent use.
type Scorer struct {
	charter *charter.Scorer
	// sheets keeps the word lists of finished deliberations: they are half of
	// all that a deliberation of texts allocates (measured: 31 of 60 KB for a
	// panel of five). Each list is bounded, so what the pool keeps is too.
	sheets sync.Pool
}

// New returns a Scorer with the embedded rule table.
func New() *Scorer { return &Scorer{charter: charter.New()} }

// Charter is the scorer of single texts.
func (s *Scorer) Charter() *charter.Scorer { return s.charter }

// A Sheet is what is read of one deliberation's replies: one Reading a seat.
type Sheet struct {
	d        *quorum.Deliberation
	form     *form.Form   // what replies must look like; nil for any
	question answer.Words // what it asks, so that repeating it is no agreement
	readings []Reading

	compared []*answer.Words // scratch of Compare
	nothing  answer.Words    // in the place of a seat that does not count
}

// A Reading is what one reply says.
type Reading struct {
	Assessment quorum.Assessment
	plain      quorum.Kind // the closed kind it shows by itself, or Auto
	words      answer.Words
	answer     answer.Answer // of kind
	kind       quorum.Kind
	extracted  bool
	text       string        // an open reply's own words, to tell the same from the like
	calls      bool          // it calls tools, and text is the key of the calls
	held       bool          // to a form
	formed     answer.Answer // what it answers in JSON, as the form reads it
	unfit      string        // why it is not of the form asked for
	result     string        // of code that was run: its key
	unrun      string        // or why there is none
	judged     quorum.Judged // what external judges came to
}

// NewSheet returns an empty sheet for d and a panel of so many seats.
func (s *Scorer) NewSheet(d *quorum.Deliberation, seats int) *Sheet {
	sheet, _ := s.sheets.Get().(*Sheet)
	if sheet == nil {
		sheet = new(Sheet)
	}
	sheet.d, sheet.form = d, nil
	sheet.readings = slices.Grow(sheet.readings[:0], seats)[:seats]
	for i := range sheet.readings {
		sheet.readings[i].reset()
	}
	if !d.Kind.Closed() {
		sheet.question.Read(d.Prompt, nil)
	}
	return sheet
}

// Release gives sheet back. Nobody may use it or its readings any more: no seat
// is being read, and none will be.
func (s *Scorer) Release(sheet *Sheet) {
	sheet.d, sheet.form = nil, nil
	for i := range sheet.readings {
		sheet.readings[i].text = "" // what is kept is bounded
	}
	s.sheets.Put(sheet)
}

// reset empties rd and keeps its memory.
func (rd *Reading) reset() {
	rd.Assessment.Findings = rd.Assessment.Findings[:0]
	rd.plain, rd.kind, rd.extracted, rd.answer = quorum.Auto, quorum.Auto, false, answer.Answer{}
	rd.text, rd.result, rd.unrun, rd.judged = "", "", "", ""
	rd.calls, rd.unfit, rd.held = false, "", false
}

// Reading of one seat.
func (sh *Sheet) Reading(seat int) *Reading { return &sh.readings[seat] }

// Hold holds the replies to a form. It is for whoever has made the sheet, before
// anything is read.
func (sh *Sheet) Hold(f *form.Form) { sh.form = f }

// Ran says what running the code of a seat's reply gave: the key of its result, or
// the reason why there is none. It is for whoever has read the reply, before the
// seat arrives.
func (sh *Sheet) Ran(seat int, key, reason string) {
	sh.readings[seat].result, sh.readings[seat].unrun = key, reason
}

// Read scores and reads the reply of one seat. Different seats may be read at
// the same time.
func (s *Scorer) Read(sh *Sheet, seat int, r *quorum.Reply) {
	a := &sh.readings[seat].Assessment
	s.charter.AssessReply(a, r.Text, sh.d.Prompt)
	if r.Rationale != "" {
		s.reasons(a, r, sh.d.Prompt)
	}
	sh.read(seat, r)
}

// reasons merges into a what stands in the rationale of a reply, which is shown with
// it: by the minimum, so that what is said twice costs once. Like a judge's, findings
// there span the whole text.
func (s *Scorer) reasons(a *quorum.Assessment, r *quorum.Reply, prompt string) {
	var theirs quorum.Assessment
	s.charter.AssessReply(&theirs, r.Rationale, prompt)
	for i := range theirs.Findings {
		theirs.Findings[i].Start, theirs.Findings[i].End = 0, len(r.Text)
	}
	charter.Merge(a, theirs.Findings)
	a.Evidence = max(a.Evidence, theirs.Evidence)
}

// read reads what a reply answers.
func (sh *Sheet) read(seat int, r *quorum.Reply) {
	reading := &sh.readings[seat]
	if sh.form != nil {
		reading.hold(sh, r)
	}
	switch {
	case reading.unfit != "", reading.calls:
	case sh.d.Kind.Closed():
		reading.extract(sh.d, sh.d.Kind, r)
	default:
		if sh.d.Kind == quorum.Auto {
			if kind, ok := answer.Plain(r.Text, sh.d.Options); ok {
				reading.plain = kind
			}
		}
		reading.words.Read(r.Text, &sh.question)
		reading.text = strings.TrimSpace(r.Text)
	}
}

// hold reads a reply by the sheet's form.
func (rd *Reading) hold(sh *Sheet, r *quorum.Reply) {
	f := sh.form.Read(r.Text)
	rd.held, rd.unfit, rd.calls, rd.formed = true, f.Reason, f.Calls, answer.Answer{Key: f.Key, Shown: f.Shown}
	if f.Calls {
		rd.plain, rd.text = quorum.JSON, f.Key
		rd.words.Read("", nil) // its words are no prose
	}
}

func (rd *Reading) extract(d *quorum.Deliberation, kind quorum.Kind, r *quorum.Reply) {
	switch {
	case rd.extracted && rd.kind == kind:
	case rd.held && kind == quorum.JSON:
		rd.answer, rd.kind, rd.extracted = rd.formed, kind, true
	default:
		rd.answer, rd.kind, rd.extracted = answer.Extract(kind, d.Options, r), kind, true
	}
}

// Kind settles what kind of answer d's replies give: the one it states; for
// auto the closed kind that the policy's share of all seated replies shows by
// itself, else text. in[i] tells whether seat i's reply has been read.
func (s *Scorer) Kind(p *quorum.Policy, sh *Sheet, in func(seat int) bool) quorum.Kind {
	if sh.d.Kind != quorum.Auto {
		return sh.d.Kind
	}
	var shown [len(quorum.Kinds)]int
	for i := range sh.readings {
		if in(i) {
			shown[sh.readings[i].plain]++
		}
	}
	for kind := quorum.Choice; kind <= quorum.VoteKind; kind++ {
		if quorum.PPM(shown[kind])*quorum.One >= p.Consensus.PlainShare*quorum.PPM(len(sh.readings)) {
			return kind
		}
	}
	// Numbers among short answers are short answers.
	if n := shown[quorum.Short] + shown[quorum.Number]; quorum.PPM(n)*quorum.One >= p.Consensus.PlainShare*quorum.PPM(len(sh.readings)) {
		return quorum.Short
	}
	return quorum.Text
}

// Cast fills in what the ballot of a read reply says, as an answer of kind:
// score, key, stance, abstention, and why it might not count.
func (s *Scorer) Cast(b *quorum.Ballot, sh *Sheet, seat int, kind quorum.Kind, r *quorum.Reply) {
	rd := &sh.readings[seat]
	b.Scored, b.Score, b.Judged = true, rd.Assessment.Score, rd.judged
	if rd.unfit != "" && b.Reason == "" {
		b.Reason = rd.unfit
	}
	switch {
	case strings.TrimSpace(r.Text) == "":
		b.Scored, b.Judged, b.Reason = false, "", quorum.ReasonEmpty
	case rd.unfit != "":
	case kind.Closed():
		rd.extract(sh.d, kind, r)
		a := &rd.answer
		b.Key, b.Stance = a.Key, a.Stance
		b.Abstained = a.Stance == quorum.Abstain
		if a.Ambiguous {
			b.Reason = quorum.ReasonAmbiguous
		}
	case kind == quorum.Code:
		b.Stance, b.Key = r.Stance, rd.result
		if b.Reason == "" {
			b.Reason = rd.unrun
		}
	default:
		b.Stance = r.Stance
		b.Abstained = kind == quorum.Text && rd.words.Hedge()
	}
}

// Value is the answer that a seat's reply gives, as a person would read it; ""
// for text and code.
func (sh *Sheet) Value(seat int) string {
	if rd := &sh.readings[seat]; rd.extracted {
		return rd.answer.Shown
	}
	return ""
}

// Compare says how alike the texts of an open question are: q.Similarities, and
// whether they are too long to be positions (q.Open). Seats whose ballots hold no
// counted text are like nothing.
func (s *Scorer) Compare(p *quorum.Policy, q *quorum.Question, sh *Sheet, ballots []quorum.Ballot) {
	if q.Keyed() {
		return
	}
	sh.compared = slices.Grow(sh.compared[:0], len(ballots))[:len(ballots)]
	words := sh.compared
	texts, long := 0, 0
	for i := range ballots {
		words[i] = &sh.nothing
		if b := &ballots[i]; b.Outcome == quorum.OK && b.Scored && b.Reason == "" {
			words[i] = &sh.readings[i].words
			texts++
			if words[i].Count() > p.Consensus.OpenWords {
				long++
			}
		}
	}
	q.Open = q.Kind == quorum.Code || 2*long > texts
	if q.Kind != quorum.Code && texts > 1 {
		q.Similarities = answer.Similarities(make([]quorum.PPM, 0, len(words)*(len(words)-1)/2), words)
	}
	sh.equate(q, ballots, words, &sh.nothing)
}

// equate sees that replies that are the same, word for word, share a position: also
// those too long to be compared for that, and those in which there is no word to
// compare. An open question's have keys then; the others are as alike as can be.
func (sh *Sheet) equate(q *quorum.Question, ballots []quorum.Ballot, words []*answer.Words, none *answer.Words) {
	at := -1 // of the pair among q.Similarities
	for i := range ballots {
		for j := i + 1; j < len(ballots); j++ {
			at++
			a, b := &sh.readings[i], &sh.readings[j]
			both := words[i] != none && words[j] != none // else one may be being read at this moment
			same := both && a.calls == b.calls && a.text == b.text
			if q.Similarities != nil {
				switch {
				case same:
					q.Similarities[at] = quorum.One
				case both && (a.calls || b.calls):
					q.Similarities[at] = 0 // a call is like no text, and like no other call
				}
				if q.Open {
					// Where there are keys too, a digit less, or the record of a panel of
					// 64 would be over what it may have.
					q.Similarities[at] = min(q.Similarities[at], quorum.One-1)
				}
			}
			if same && q.Open && ballots[j].Key == "" {
				if ballots[i].Key == "" {
					ballots[i].Key = "reply " + strconv.Itoa(i)
				}
				ballots[j].Key = ballots[i].Key
			}
		}
	}
}
