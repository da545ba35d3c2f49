package gateway

import (
	"crypto/rand"
	"maps"
	"strconv"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/commit"
	"github.com/kaizen-os/deliberation/store/vault"
)

// texts is what was said in one deliberation: everything that the ledger holds
// commitments to and the vault keeps sealed. The seed makes the salts.
type texts struct {
	seed       commit.Seed
	owner      string
	prompt     string
	answer     string // the winner's reply
	replies    []string
	rationales []string
	values     []string // what each answers, for closed kinds

	again, againValues []string // the second round's, by seat; nil where there was none
	judged             string   // the judge's reply
	synthesis          string
}

// Field names in the vault; a reply's has its seat's number after it.
const (
	fieldPrompt    = "prompt"
	fieldAnswer    = "answer"
	fieldClient    = "client"
	fieldReply     = "reply/"
	fieldRationale = "rationale/"
	fieldValue     = "value/"

	fieldSecond      = quorum.SecondReply // and the seat's number
	fieldSecondValue = "secondValue/"
	fieldJudge       = "judge"
	fieldSynthesis   = "synthesis"
)

func newTexts(a *asking, seats int) *texts {
	t := &texts{owner: a.caller.Name, prompt: a.d.Prompt}
	if _, err := rand.Read(t.seed[:]); err != nil {
		panic("bug: crypto/rand does not fail") // since Go 1.24 it ends the process itself
	}
	if seats > 0 {
		room := make([]string, 3*seats)
		t.replies, t.rationales, t.values = room[:seats:seats], room[seats:2*seats:2*seats], room[2*seats:]
	}
	return t
}

// commit is the commitment to one field; zero where there is no text.
func (t *texts) commit(field, text string) [32]byte {
	if text == "" {
		return [32]byte{}
	}
	return commit.Of(commit.V1, t.seed.Salt(field), text)
}

// committed are the texts that the ledger holds commitments to, by field.
func (t *texts) committed() map[string]string {
	all := map[string]string{fieldPrompt: t.prompt, fieldAnswer: t.answer, fieldClient: t.owner}
	for i := range t.replies {
		all[numbered(fieldReply, i)], all[numbered(fieldRationale, i)] = t.replies[i], t.rationales[i]
	}
	for i := range t.again {
		all[numbered(fieldSecond, i)] = t.again[i]
	}
	all[fieldJudge], all[fieldSynthesis] = t.judged, t.synthesis
	maps.DeleteFunc(all, func(_, text string) bool { return text == "" })
	return all
}

// tag stands for a canonical answer or a matched span: equal for equal texts
// within this record only.
func (t *texts) tag(salt *commit.Salt, text string) (k quorum.KeyTag) {
	if text != "" {
		d := commit.Of(tagDomain, *salt, text)
		copy(k[:], d[:])
	}
	return k
}

const (
	tagDomain = "kaizenTagV1\x00"
	tagField  = "tag" // the field whose salt tags are made with
)

// numbered is a seat's field. The names are made once: every proof needs a dozen.
func numbered(field string, seat int) string {
	if names := seatFields[field]; seat < len(names) {
		return names[seat]
	}
	return field + strconv.Itoa(seat)
}

var seatFields = func() map[string][]string {
	names := make(map[string][]string)
	for _, field := range []string{fieldReply, fieldRationale, fieldValue} {
		for seat := range 64 {
			names[field] = append(names[field], field+strconv.Itoa(seat))
		}
	}
	return names
}()

// contents is t as the vault seals it.
func (t *texts) contents() *vault.Contents {
	c := &vault.Contents{Owner: t.owner, Seed: t.seed, Fields: make([]vault.Field, 0, 4+3*len(t.replies))}
	add := func(name, text string) {
		if text != "" {
			c.Fields = append(c.Fields, vault.Field{Name: name, Data: []byte(text)})
		}
	}
	add(fieldPrompt, t.prompt)
	for i := range t.replies {
		add(numbered(fieldReply, i), t.replies[i])
		add(numbered(fieldRationale, i), t.rationales[i])
		add(numbered(fieldValue, i), t.values[i])
	}
	for i := range t.again {
		add(numbered(fieldSecond, i), t.again[i])
		add(numbered(fieldSecondValue, i), t.againValues[i])
	}
	add(fieldJudge, t.judged)
	add(fieldSynthesis, t.synthesis)
	return c
}

// textsOf reads what contents sealed for p; the answer is the winner's reply.
func textsOf(c *vault.Contents, p *quorum.Proof) *texts {
	seats := len(p.Ballots)
	t := &texts{owner: c.Owner, seed: c.Seed, replies: make([]string, seats), rationales: make([]string, seats), values: make([]string, seats)}
	byName := make(map[string][]byte, len(c.Fields))
	for _, f := range c.Fields {
		byName[f.Name] = f.Data
	}
	t.prompt = string(byName[fieldPrompt])
	for i := range seats {
		t.replies[i] = string(byName[numbered(fieldReply, i)])
		t.rationales[i] = string(byName[numbered(fieldRationale, i)])
		t.values[i] = string(byName[numbered(fieldValue, i)])
	}
	if p.Second != nil {
		t.again, t.againValues = make([]string, seats), make([]string, seats)
		for i := range seats {
			t.again[i] = string(byName[numbered(fieldSecond, i)])
			t.againValues[i] = string(byName[numbered(fieldSecondValue, i)])
		}
	}
	t.judged, t.synthesis = string(byName[fieldJudge]), string(byName[fieldSynthesis])
	if p.Verdict.Winner >= 0 {
		t.answer = t.spoken(p, p.Verdict.Winner)
	}
	return t
}

// spoken is the reply by which a seat's position is given.
func (t *texts) spoken(p *quorum.Proof, seat int) string {
	if p.SpokeAgain(seat) {
		return t.again[seat]
	}
	return t.replies[seat]
}

// value is what that reply answers, for closed kinds.
func (t *texts) value(p *quorum.Proof, seat int) string {
	if p.SpokeAgain(seat) {
		return t.againValues[seat]
	}
	return t.values[seat]
}

// of is the answer that a position is shown by: what a closed kind's reply says,
// a text's whole reply. "" for readers who may not see it, who have no texts.
func (t *texts) of(p *quorum.Proof, seat int) string {
	switch {
	case t == nil:
		return ""
	case p.Kind.Closed():
		return t.value(p, seat)
	}
	return t.spoken(p, seat)
}

// first is the same in the first round.
func (t *texts) first(p *quorum.Proof, seat int) string {
	switch {
	case t == nil:
		return ""
	case p.Kind.Closed():
		return t.values[seat]
	}
	return t.replies[seat]
}
