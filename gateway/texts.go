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
}

// Field names in the vault; a reply's has its seat's number after it.
const (
	fieldPrompt    = "prompt"
	fieldAnswer    = "answer"
	fieldClient    = "client"
	fieldReply     = "reply/"
	fieldRationale = "rationale/"
	fieldValue     = "value/"
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
	return c
}

// textsOf reads what contents sealed, for a panel of so many seats; the answer is
// the winner's reply.
func textsOf(c *vault.Contents, seats, winner int) *texts {
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
	if winner >= 0 {
		t.answer = t.replies[winner]
	}
	return t
}
