package eval

import (
	"strings"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// A KeyFunc reads the answer of a closed kind out of a reply's text and brings
// it to the form in which equal answers are equal; "" if there is none. Models
// and truth are read by the same one as the gateway reads its replies, so that
// no side gains by reading better.
type KeyFunc func(kind quorum.Kind, options []string, text string) string

// grader judges answers to the items of one recording.
type grader struct {
	key KeyFunc
}

// truth is the key of an item's truth.
func (g grader) truth(it *sim.Item) string {
	kind, _ := it.Kind.Kind() // checked when it was read
	return g.key(kind, it.Options(), it.Truth)
}

// closed reports whether kind is graded by key.
func closed(kind sim.RecordedKind) bool {
	return kind == sim.ChoiceItem || kind == sim.NumberItem || kind == sim.ShortItem
}

// reply grades what a model said: 1 or 0, or the judge's score for open text.
func (g grader) reply(it *sim.Item, column int) float64 {
	reply := &it.Replies[column]
	switch {
	case closed(it.Kind):
		kind, _ := it.Kind.Kind()
		key := g.key(kind, it.Options(), reply.Text)
		return point(key != "" && key == g.truth(it))
	case it.Kind == sim.VoteItem:
		return point(reply.Vote == it.Truth)
	case it.Kind == sim.OpenItem:
		if reply.Score == nil {
			return 0
		}
		return *reply.Score
	default:
		return point(reply.OK != nil && *reply.OK)
	}
}

// answer grades what the gateway answered for panel p. chosen is the column of
// the reply that it chose, -1 for kinds where that does not matter or when its
// answer is no recorded reply, which grades 0.
func (g grader) answer(it *sim.Item, p *panel, d *wire.Deliberation) (grade float64, chosen int) {
	switch {
	case closed(it.Kind):
		kind, _ := it.Kind.Kind()
		truth := g.truth(it)
		right := d.Value != "" && (d.Value == truth || g.key(kind, it.Options(), d.Value) == truth)
		return point(right && truth != ""), -1
	case it.Kind == sim.VoteItem:
		return point(d.Decision == it.Truth), -1
	}
	answer := strings.TrimSpace(d.Answer)
	if answer == "" {
		return 0, -1
	}
	for _, column := range p.columns {
		if strings.TrimSpace(it.Replies[column].Text) == answer {
			return g.reply(it, column), column
		}
	}
	return 0, -1
}

// labels reports whether a gateway can be told the truth of it.
func (g grader) labels(it *sim.Item) bool {
	switch it.Kind {
	case sim.OpenItem, sim.CodeItem:
		return false
	case sim.FreetextItem:
		return len(truths(it)) > 0
	case sim.VoteItem:
		return it.Truth != ""
	}
	return g.truth(it) != ""
}

// majority grades what a plain majority of the counted ballots of d would have
// answered: the position with the most supporters, of equally many the one with
// the earliest seat. false where positions are not answers, as in open text.
func (g grader) majority(it *sim.Item, p *panel, d *wire.Deliberation) (grade float64, ok bool) {
	if it.Kind == sim.OpenItem || it.Kind == sim.CodeItem {
		return 0, false
	}
	supporters := make([]int, len(d.Positions))
	took := func(b *wire.Ballot) bool { return b.Counted && b.Position >= 0 && b.Position < len(supporters) }
	for i := range d.Ballots {
		if b := &d.Ballots[i]; took(b) {
			supporters[b.Position]++
		}
	}
	var leader *wire.Ballot // the first that supports the largest
	for i := range d.Ballots {
		if b := &d.Ballots[i]; took(b) && (leader == nil || supporters[b.Position] > supporters[leader.Position]) {
			leader = b
		}
	}
	if leader == nil {
		return 0, true
	}
	said := wire.Deliberation{Answer: d.Positions[leader.Position].Answer, Decision: leader.Stance}
	said.Value = said.Answer
	grade, _ = g.answer(it, p, &said)
	return grade, true
}

func point(right bool) float64 {
	if right {
		return 1
	}
	return 0
}
