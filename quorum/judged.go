package quorum

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kaizen-os/deliberation/quorum/canon"
)

// An external judge is asked what it holds against a reply, behind the scorer in
// the process, and can only lower what that one found (DESIGN §5). It is not the
// companion that chooses among positions: that is a [Judgement].

// A Step is a place on the ladder of severities that every charter finding stands
// on: 0 is nothing at all, the last is critical.
type Step uint8

// steps are the severities by step, and what a text with one finding of each scores.
var steps = [...]struct {
	severity PPM
	score    Score
}{{0, MaxScore}, {40_000, 9600}, {100_000, 9000}, {200_000, 8000}, {275_000, 7250}, {325_000, 6750}, {500_000, 5000}, {850_000, 1500}}

// CriticalStep is the last one.
const CriticalStep = Step(len(steps) - 1)

// Severity is the share of a clause's score that a finding at s takes.
func (s Step) Severity() PPM { return steps[s].severity }

// Score is what a text scores against which nothing but one finding at s is held.
func (s Step) Score() Score { return steps[s].score }

// StepOf is the step that stands for a score somebody else gave, of the same scale:
// the one within the same of the tiers' bands (85, 75, 70, 65, 50), so that what
// passes by the one passes by the other.
func StepOf(score Score) Step {
	switch {
	case score >= 9800:
		return 0
	case score >= 9300:
		return 1
	case score >= 8500:
		return 2
	case score >= 7500:
		return 3
	case score >= 7000:
		return 4
	case score >= 6500:
		return 5
	case score >= 5000:
		return 6
	}
	return CriticalStep
}

// An Objection is one thing that an external judge holds against a text.
type Objection struct {
	Clause   Clause // or Advisory, where the judge names none
	Category string // the judge's own name for it, of a fixed list: never text
	Step     Step   // at least 1
}

// An Opinion is what an external judge says of one text: nothing held against it,
// or what.
type Opinion struct {
	Objections []Objection // at most one a clause and category
	Usage      Usage       // tokens, where it says; no cost
}

// Step is the worst of o's objections.
func (o *Opinion) Step() (worst Step) {
	for _, x := range o.Objections {
		worst = max(worst, x.Step)
	}
	return worst
}

// A JudgeID names an external judge: 1 to 16 of a-z, 0-9 and -, beginning with a
// letter. It stands in records, metrics and rule ids.
type JudgeID string

// Valid reports whether id is one.
func (id JudgeID) Valid() bool {
	if len(id) == 0 || len(id) > 16 || id[0] < 'a' || id[0] > 'z' {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// MaxJudges is how many external judges there may be at once. What they said of a
// panel of 64 must fit its record.
const MaxJudges = 4

// A Jury is the external judges that could be asked in a deliberation.
type Jury struct {
	Digest [32]byte   // of all that configures them
	Judges []JudgeRef // in order of id, 1 to MaxJudges
}

// A JudgeRef is one of a jury's judges.
type JudgeRef struct {
	ID   JudgeID
	Only CompanionID // whose replies alone it is asked about; "" for everyone's
}

// Hears reports whether the judge is ever asked about what a companion says.
func (j *JudgeRef) Hears(c CompanionID) bool { return j.Only == "" || j.Only == c }

// A Word is what one judge came to about one text, as a letter: '-' that it was not
// asked, '0' to '7' the step that it puts the text on, and anything else why there
// is no opinion.
type Word byte

// NotAsked is the word of a judge that was not asked.
const NotAsked Word = '-'

// WordOf is the word of a judge that puts a text on s.
func WordOf(s Step) Word { return Word('0' + s) }

// unjudged are the reasons why a judge that should have been asked said nothing
// that can be used. Records depend on the letters.
var unjudged = [...]struct {
	word   Word
	reason string
}{
	{'l', "late"}, {'b', "busy"}, {'k', "broken"}, {'g', "budget"}, {'r', "refused"}, {'q', "rate_limited"}, {'s', "status"},
	{'c', "connection"}, {'t', "truncated"}, {'z', "too_large"}, {'y', "content_type"}, {'m', "malformed"}, {'i', "internal"},
}

// UnjudgedBy is the word for a reason's name; "internal" is that for one which
// nobody knows.
func UnjudgedBy(reason string) Word {
	for _, u := range unjudged {
		if u.reason == reason {
			return u.word
		}
	}
	return 'i'
}

// Step is the step that the judge put the text on, if it has an opinion.
func (w Word) Step() (s Step, ok bool) {
	if w < '0' || w > '0'+Word(CriticalStep) {
		return 0, false
	}
	return Step(w - '0'), true
}

// Unjudged is the reason why there is no opinion though one was wanted; "" where
// there is one, or none was wanted.
func (w Word) Unjudged() string {
	for _, u := range unjudged {
		if u.word == w {
			return u.reason
		}
	}
	return ""
}

func (w Word) valid() bool {
	_, ok := w.Step()
	return ok || w == NotAsked || w.Unjudged() != ""
}

// Judged is the words on one text, one a judge in the jury's order; "" when none
// was asked.
type Judged string

// Unjudged reports whether some judge that was asked has no opinion. Such a text
// counts for nothing at the critical tier, and elsewhere by the other scores that
// it has.
func (j Judged) Unjudged() bool {
	for _, w := range []byte(j) {
		if Word(w).Unjudged() != "" {
			return true
		}
	}
	return false
}

// Step is the worst that any judge put the text on.
func (j Judged) Step() (worst Step) {
	for _, w := range []byte(j) {
		s, _ := Word(w).Step()
		worst = max(worst, s)
	}
	return worst
}

// ErrJury is a record whose judges cannot have said what stands there.
var ErrJury = errors.New("what external judges said does not hold")

// CheckJury holds what p records of external judges against itself: who could be
// asked about whom, that none raised a score and, at the critical tier, that each
// was asked about every reply. Its error is ErrJury.
func (p *Proof) CheckJury() error {
	for i := range p.Ballots {
		b := &p.Ballots[i]
		if err := p.checkJudged(b.Companion, b.Judged, b.Scored, b.Score); err != nil {
			return err
		}
	}
	if p.Second != nil {
		for i := range p.Second.Ballots {
			b := &p.Second.Ballots[i]
			if b.Seat >= len(p.Ballots) {
				return fmt.Errorf("%w: a second ballot of no seat", ErrJury)
			}
			if err := p.checkJudged(p.Ballots[b.Seat].Companion, b.Judged, b.Scored, b.Score); err != nil {
				return fmt.Errorf("second round: %w", err)
			}
		}
	}
	for _, s := range p.services() {
		if err := p.checkJudged(s.Companion, s.Judged, s.Scored, s.Score); err != nil {
			return err
		}
	}
	return nil
}

// services are what companions did in p beside their ballots.
func (p *Proof) services() (all []*Service) {
	if p.Judge != nil {
		all = append(all, &p.Judge.Service)
	}
	if p.Synthesis != nil {
		all = append(all, &p.Synthesis.Service)
	}
	return all
}

func (p *Proof) checkJudged(by CompanionID, j Judged, scored bool, score Score) error {
	switch {
	case p.Jury == nil && j == "", !scored && j == "":
		return nil
	case p.Jury == nil || !scored:
		return fmt.Errorf("%w: %s is judged, without a jury or a score", ErrJury, by)
	case j != "" && len(j) != len(p.Jury.Judges):
		return fmt.Errorf("%w: %s is judged by %d of %d", ErrJury, by, len(j), len(p.Jury.Judges))
	case score > j.Step().Score():
		return fmt.Errorf("%w: %s scores %s, which a judge puts at %s", ErrJury, by, score, j.Step().Score())
	}
	for i := range p.Jury.Judges {
		judge, asked := &p.Jury.Judges[i], j != "" && Word(j[i]) != NotAsked
		switch {
		case asked && !judge.Hears(by):
			return fmt.Errorf("%w: %s judges %s", ErrJury, judge.ID, by)
		case !asked && judge.Hears(by) && p.Tier == Critical:
			return fmt.Errorf("%w: %s was not asked about %s", ErrJury, judge.ID, by)
		}
	}
	return nil
}

func (j *Jury) encode(e *encoder) {
	e.key("jury")
	e.open('{')
	e.hex("digest", j.Digest[:])
	e.key("judges")
	e.open('[')
	for i := range j.Judges {
		e.comma()
		e.open('{')
		e.str("companion", string(j.Judges[i].Only))
		e.str("id", string(j.Judges[i].ID))
		e.close('}')
	}
	e.close(']')
	e.close('}')
}

func readJury(r *canon.Reader) *Jury {
	j := new(Jury)
	r.Object(func(key []byte) {
		switch string(key) {
		case "digest":
			r.Hex(j.Digest[:])
		case "judges":
			r.Array(func() {
				ref := readJudgeRef(r)
				if n := len(j.Judges); n == MaxJudges || n > 0 && j.Judges[n-1].ID >= ref.ID {
					r.Fail("judges that are too many or out of order")
					return
				}
				j.Judges = append(j.Judges, ref)
			})
		}
	})
	if len(j.Judges) == 0 {
		r.Fail("a jury of nobody")
	}
	return j
}

func readJudgeRef(r *canon.Reader) (ref JudgeRef) {
	r.Object(func(key []byte) {
		switch string(key) {
		case "companion":
			if ref.Only = CompanionID(r.String()); !ref.Only.Valid() {
				r.Fail("companion %q", ref.Only)
			}
		case "id":
			ref.ID = JudgeID(r.String())
		}
	})
	if !ref.ID.Valid() {
		r.Fail("judge %q", ref.ID)
	}
	return ref
}

// readJudged reads the words on one text.
func readJudged(r *canon.Reader) Judged {
	s := r.String()
	valid := len(s) <= MaxJudges && strings.Trim(s, string(rune(NotAsked))) != ""
	for _, w := range []byte(s) {
		valid = valid && Word(w).valid()
	}
	if !valid {
		r.Fail("judged %q", s)
	}
	return Judged(s)
}
