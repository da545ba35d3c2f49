package grade

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring/answer"
)

// An Outcome is what one reply came to.
type Outcome uint8

const (
	Unseen Outcome = iota // there was nothing to judge
	Wrong
	Right
)

// A Truth is what answers of one labelled prompt are right. It is immutable and
// may be used by many goroutines.
type Truth struct {
	kind    quorum.Kind
	options []string
	keys    []string // closed kinds: what is right, canonical; the options' place does not matter
	bare    []string // short: the accepted answers without the quotes around them
	text    *aliases
	prompt  string
}

// New reads the accepted answers to a prompt. Options are those of a choice, in
// order; without any the letters A to J are. An error says what is wrong with
// which of the answers.
func New(kind quorum.Kind, options []string, prompt string, accepted []string) (*Truth, error) {
	t := &Truth{kind: kind, options: options, prompt: prompt}
	if len(accepted) == 0 {
		return nil, errors.New("no answer is accepted: the item is not labelled")
	}
	for i, a := range accepted {
		if strings.TrimSpace(a) == "" {
			return nil, fmt.Errorf("accepted answer %d is blank", i+1)
		}
	}
	read := map[quorum.Kind]func(string) (string, error){
		quorum.Choice: t.choice, quorum.Number: number, quorum.Short: t.short, quorum.JSON: document, quorum.VoteKind: vote,
	}[kind]
	switch {
	case kind == quorum.Text:
		var err error
		t.text, err = newAliases(prompt, accepted)
		return t, err
	case kind == quorum.Code:
		return nil, errors.New("code cannot be graded by a known answer")
	case read == nil:
		return nil, fmt.Errorf("answers of kind %s cannot be graded: state the kind", kind)
	}
	for i, a := range accepted {
		key, err := read(a)
		if err != nil {
			return nil, fmt.Errorf("accepted answer %d %w", i+1, err)
		}
		if !slices.Contains(t.keys, key) {
			t.keys = append(t.keys, key)
		}
	}
	switch {
	case kind == quorum.VoteKind && len(t.keys) > 1:
		return nil, errors.New("it accepts approve and reject alike")
	case kind == quorum.Choice && len(options) > 0 && len(t.keys) == len(options):
		return nil, errors.New("it accepts every option")
	}
	return t, nil
}

// choice is the key of an option: its text, its letter, or both.
func (t *Truth) choice(truth string) (string, error) {
	s := strings.TrimSpace(truth)
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		for i, o := range t.options {
			if same(s, strings.TrimSpace(o)) {
				return letter(i), nil
			}
		}
	}
	n := len(t.options)
	if n == 0 {
		n = 10
	}
	if l := strings.Trim(s, "()[]. :*"); len(l) == 1 {
		if i := int(l[0]|0x20) - 'a'; i >= 0 && i < n {
			return letter(i), nil
		}
		return "", fmt.Errorf("is the letter of no option: there are %d", n)
	}
	a := answer.Extract(quorum.Choice, t.options, &quorum.Reply{Text: s})
	if a.Key != "" && !a.Ambiguous && len(t.options) > 0 && len(s) <= len(a.Shown)+8 && strings.HasSuffix(strings.ToLower(s), strings.ToLower(strings.TrimSpace(a.Shown))) {
		return a.Key, nil // "(B) Paris"
	}
	return "", errors.New("is none of the options, nor the letter of one")
}

func letter(i int) string { return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i : i+1] }

// number is the key of a number that stands alone, with its unit at most.
func number(truth string) (string, error) {
	a := answer.Extract(quorum.Number, nil, &quorum.Reply{Text: truth})
	if kind, ok := answer.Plain(truth, nil); a.Key == "" || a.Ambiguous || kind != quorum.Number && (!ok || prose(truth)) {
		return "", errors.New("is no number")
	}
	return a.Key, nil
}

// prose reports whether s has words, beside the commands of TeX.
func prose(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isLetter(s[i]) {
			continue
		}
		from := i
		for i < len(s) && isLetter(s[i]) {
			i++
		}
		if i-from > 1 && (from == 0 || s[from-1] != '\\') {
			return true
		}
	}
	return false
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }

func (t *Truth) short(truth string) (string, error) {
	a := answer.Extract(quorum.Short, nil, &quorum.Reply{Text: truth})
	if a.Key == "" || a.Ambiguous {
		return "", errors.New("is no short answer")
	}
	t.bare = append(t.bare, unquoted(truth))
	return a.Key, nil
}

// unquoted is an answer as it is without quotes around it. Half of the models
// write a string with them and half without.
func unquoted(s string) string {
	s = strings.TrimSpace(s)
	if k := len(s) - 1; k > 0 && s[0] == s[k] && (s[0] == '\'' || s[0] == '"') {
		return s[1:k]
	}
	return s
}

func document(truth string) (string, error) {
	a := answer.Extract(quorum.JSON, nil, &quorum.Reply{Text: truth})
	if a.Key == "" || a.Ambiguous {
		return "", errors.New("is no JSON document")
	}
	return a.Key, nil
}

func vote(truth string) (string, error) {
	s, err := quorum.ParseStance(strings.ToLower(strings.TrimSpace(truth)))
	if err != nil || s != quorum.Approve && s != quorum.Reject {
		return "", errors.New("is neither approve nor reject")
	}
	return s.String(), nil
}

// Grade judges a reply.
func (t *Truth) Grade(r *quorum.Reply) Outcome {
	if r.Outcome != quorum.OK || strings.TrimSpace(r.Text) == "" {
		return Unseen
	}
	if t.kind == quorum.Text {
		if r.Stance == quorum.Abstain {
			return Unseen
		}
		return t.text.grade(r.Text)
	}
	a := answer.Extract(t.kind, t.options, r)
	switch {
	case a.Stance == quorum.Abstain:
		return Unseen
	case a.Ambiguous || a.Key == "":
		return Wrong
	case slices.Contains(t.keys, a.Key):
		return Right
	case t.kind == quorum.Short && t.shown(a.Shown):
		return Right
	}
	return Wrong
}

// shown compares what a short answer shows. Its key depends on the reply around
// it: only one that speaks of a program is read to the letter.
func (t *Truth) shown(s string) bool {
	if slices.Contains(t.bare, unquoted(s)) {
		return true
	}
	a := answer.Extract(quorum.Short, nil, &quorum.Reply{Text: s})
	return a.Key != "" && slices.Contains(t.keys, a.Key)
}

// Contradicts reports whether no answer could be right for t and for o, which
// are of one prompt, kind and set of options.
func (t *Truth) Contradicts(o *Truth) bool {
	if t.kind == quorum.Text {
		return !t.text.meets(o.text)
	}
	mine, other := t.answers(), o.answers()
	return !slices.ContainsFunc(mine, func(a string) bool { return slices.Contains(other, a) })
}

// answers are what t accepts, wherever the options stand.
func (t *Truth) answers() []string {
	if t.kind != quorum.Choice || len(t.options) == 0 {
		return t.keys
	}
	out := make([]string, len(t.keys))
	for i, key := range t.keys {
		out[i] = strings.ToLower(strings.TrimSpace(t.options[key[0]-'A']))
	}
	return out
}

// Equal reports whether the same answers are right for t and for o.
func (t *Truth) Equal(o *Truth) bool {
	if t.kind == quorum.Text {
		return len(t.text.list) == len(o.text.list) && !slices.ContainsFunc(t.text.list, func(a alias) bool { return !o.text.has(&a) })
	}
	mine, other := t.answers(), o.answers()
	return len(mine) == len(other) && !slices.ContainsFunc(mine, func(a string) bool { return !slices.Contains(other, a) })
}
