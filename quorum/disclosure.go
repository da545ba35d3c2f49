package quorum

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/kaizen-os/deliberation/quorum/canon"
	"github.com/kaizen-os/deliberation/quorum/commit"
)

// A Disclosure is what a receipt carries beside the path to the root: the entry
// that the path starts from, and the texts that its holder chooses to show, each
// with the salt that opens its commitment. Nothing in it is to be believed before
// the path has been followed and [Disclosure.Check] has passed.
//
// Its form is canonical JSON, the entry standing in it as it is in the ledger:
//
//	{"entry":{…},"opened":[{"field":"prompt","salt":"…","text":"…"}]}
type Disclosure struct {
	Entry  []byte // a leaf
	Opened []Opening
}

// An Opening shows what one commitment of an entry was made of.
type Opening struct {
	Field string // the subject's name: "prompt", "answer", "reply/0"
	Salt  commit.Salt
	Text  string
}

// MaxDisclosure bounds a disclosure in bytes: an entry, a prompt and a few
// replies of the greatest length.
const MaxDisclosure = 8 << 20

// ErrDisclosure is a disclosure that is malformed, or opens what it does not fit.
var ErrDisclosure = errors.New("the disclosure does not hold")

// AppendTo appends d's encoding. Its texts must be valid UTF-8.
func (d *Disclosure) AppendTo(dst []byte) []byte {
	dst = append(dst, `{"entry":`...)
	dst = append(dst, d.Entry...)
	if len(d.Opened) > 0 {
		dst = append(dst, `,"opened":[`...)
		for i := range d.Opened {
			o := &d.Opened[i]
			if !utf8.ValidString(o.Text) {
				panic("bug: a text that was decoded from JSON is not UTF-8")
			}
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, `{"field":`...)
			dst = canon.AppendString(dst, o.Field)
			dst = append(dst, `,"salt":`...)
			dst = canon.AppendHex(dst, o.Salt[:])
			dst = append(dst, `,"text":`...)
			dst = canon.AppendString(dst, o.Text)
			dst = append(dst, '}')
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// ParseDisclosure reads an encoding. The entry aliases it. The error is
// ErrDisclosure.
func ParseDisclosure(data []byte) (*Disclosure, error) {
	if len(data) > MaxDisclosure {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrDisclosure, len(data), MaxDisclosure)
	}
	d := new(Disclosure)
	r := canon.NewReader(data)
	r.Object(func(key []byte) {
		switch string(key) {
		case "entry":
			d.Entry = r.Raw()
		case "opened":
			r.Array(func() { d.Opened = append(d.Opened, readOpening(r)) })
			if len(d.Opened) == 0 {
				r.Fail("nothing is opened")
			}
		}
	})
	if d.Entry == nil {
		r.Fail("there is no entry")
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDisclosure, err)
	}
	return d, nil
}

func readOpening(r *canon.Reader) Opening {
	var o Opening
	salted, told := false, false
	r.Object(func(key []byte) {
		switch string(key) {
		case "field":
			o.Field = r.String()
		case "salt":
			r.Hex(o.Salt[:])
			salted = true
		case "text":
			o.Text = r.String()
			told = true
		}
	})
	if o.Field == "" || !salted || !told {
		r.Fail("an opening wants field, salt and text")
	}
	return o
}

// Check holds every opened text against the entry's commitments, and returns the
// record that the entry is, with its time. Errors: ErrDisclosure, and
// ParseRecord's.
func (d *Disclosure) Check() (rec Record, at int64, err error) {
	rec, at, err = ParseRecord(d.Entry)
	if err != nil {
		return nil, 0, err
	}
	committed, err := commitments(d.Entry)
	if err != nil {
		return nil, 0, err
	}
	if p, ok := rec.(*Proof); ok && p.Second != nil {
		for i := range p.Second.Ballots {
			if b := &p.Second.Ballots[i]; b.Reply != ([32]byte{}) {
				committed[fmt.Sprint(SecondReply, b.Seat)] = b.Reply
			}
		}
	}
	for i := range d.Opened {
		o := &d.Opened[i]
		digest, ok := committed[o.Field]
		if !ok {
			return nil, 0, fmt.Errorf("%w: the entry commits to no %q", ErrDisclosure, o.Field)
		}
		if !digest.Opens(commit.V1, o.Salt, []byte(o.Text)) {
			return nil, 0, fmt.Errorf("%w: the entry commits to another %s than this text with this salt", ErrDisclosure, o.Field)
		}
	}
	return rec, at, nil
}

// commitments are the digests in a leaf, by the names of their subjects. One that
// is no commitment is opened by no salt.
func commitments(leaf []byte) (map[string]commit.Digest, error) {
	all := make(map[string]commit.Digest)
	r := canon.NewReader(leaf)
	r.Object(func(key []byte) {
		if string(key) != "subject" {
			r.Raw()
			return
		}
		for _, s := range readSubjects(r) {
			all[s.Name] = s.Digest
		}
	})
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return all, nil
}
