package quorum

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum/commit"
)

// disclosed is a proof's entry with its prompt, answer and one reply opened.
func disclosed() *Disclosure {
	seed := commit.Seed{1, 2, 3}
	d := new(Disclosure)
	open := func(field, text string) [32]byte {
		o := Opening{field, seed.Salt(field), text}
		d.Opened = append(d.Opened, o)
		return commit.Of(commit.V1, o.Salt, text)
	}
	p := sampleProof(3)
	p.Prompt = open("prompt", "What is 6 * 7? \"In words,\"\nplease: é 日本 \x00")
	p.Answer = open("answer", "forty-two")
	p.Ballots[1].Reply = open("reply/1", "forty-two")
	d.Entry = leafOf(p)
	return d
}

func TestDisclosureReadsBackAndHolds(t *testing.T) {
	d := disclosed()
	data := d.AppendTo(nil)
	got, err := ParseDisclosure(data)
	if err != nil || !reflect.DeepEqual(got, d) {
		t.Fatalf("ParseDisclosure() = %+v, %v, want %+v", got, err, d)
	}
	rec, at, err := got.Check()
	if p, ok := rec.(*Proof); err != nil || !ok || at != someTime || p.ID != sampleProof(3).ID {
		t.Errorf("Check() = %+v, %d, %v", rec, at, err)
	}
	sealed := &Disclosure{Entry: d.Entry}
	if got, err := ParseDisclosure(sealed.AppendTo(nil)); err != nil || !reflect.DeepEqual(got, sealed) {
		t.Errorf("without texts: %+v, %v", got, err)
	}
}

func TestDisclosureThatDoesNotFit(t *testing.T) {
	for name, change := range map[string]func(*Disclosure){
		"another prompt":           func(d *Disclosure) { d.Opened[0].Text = "What is 6 * 8?" },
		"a prompt cut short":       func(d *Disclosure) { d.Opened[0].Text = d.Opened[0].Text[:4] },
		"another salt":             func(d *Disclosure) { d.Opened[1].Salt[31] ^= 1 },
		"one field as another":     func(d *Disclosure) { d.Opened[1].Field = "reply/1" },
		"a field there is not":     func(d *Disclosure) { d.Opened[1].Field = "reply/9" },
		"the policy, as if a text": func(d *Disclosure) { d.Opened[1].Field = "policy" },
		"a seat that said nothing": func(d *Disclosure) { d.Opened[2].Field = "rationale/7" },
	} {
		d := disclosed()
		change(d)
		if _, _, err := d.Check(); !errors.Is(err, ErrDisclosure) {
			t.Errorf("%s: Check() = %v, want ErrDisclosure", name, err)
		}
	}
	d := disclosed()
	d.Entry = bytes.Replace(d.Entry, []byte(`"tier":"high"`), []byte(`"tier":"none"`), 1)
	if _, _, err := d.Check(); !errors.Is(err, ErrRecord) {
		t.Errorf("an entry that is no record: Check() = %v, want ErrRecord", err)
	}
}

func TestDisclosureForms(t *testing.T) {
	good := string(disclosed().AppendTo(nil))
	for name, text := range map[string]string{
		"nothing":               "",
		"no entry":              `{"opened":[{"field":"prompt","salt":"` + strings.Repeat("00", 32) + `","text":"x"}]}`,
		"an empty list":         `{"entry":{},"opened":[]}`,
		"no salt":               `{"entry":{},"opened":[{"field":"prompt","text":"x"}]}`,
		"no text":               `{"entry":{},"opened":[{"field":"prompt","salt":"` + strings.Repeat("00", 32) + `"}]}`,
		"a short salt":          `{"entry":{},"opened":[{"field":"prompt","salt":"00","text":"x"}]}`,
		"an unknown member":     `{"entry":{},"more":1}`,
		"something behind it":   good + " ",
		"white space within it": strings.Replace(good, `,"opened"`, `, "opened"`, 1),
		"cut short":             good[:len(good)-1],
	} {
		if _, err := ParseDisclosure([]byte(text)); !errors.Is(err, ErrDisclosure) {
			t.Errorf("%s: %v, want ErrDisclosure", name, err)
		}
	}
	if _, err := ParseDisclosure(make([]byte, MaxDisclosure+1)); !errors.Is(err, ErrDisclosure) {
		t.Errorf("one that is too long: %v", err)
	}
}

func FuzzParseDisclosure(f *testing.F) {
	f.Add(disclosed().AppendTo(nil))
	f.Add((&Disclosure{Entry: []byte(`{}`)}).AppendTo(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDisclosure(data)
		if err != nil {
			return
		}
		if !bytes.Equal(d.AppendTo(nil), data) {
			t.Fatal("accepted bytes have another encoding")
		}
		d.Check()
	})
}
