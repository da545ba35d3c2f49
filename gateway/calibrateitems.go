package gateway

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring/grade"
)

// labelled turns a decoded request into what is to be asked, and whom. What is
// wrong with an item is found here, before anybody is asked, and told by the
// item's index.
func (g *Gateway) labelled(req *wire.CalibrationRequest, view *view, k *caller) (*calibration, error) {
	c := &calibration{state: g.book.State(), deadline: time.Duration(req.DeadlineMs) * time.Millisecond}
	policy := c.state.Policy
	var bad problems
	tier, err := quorum.ParseTier(view.limits.Tier)
	if err != nil {
		return nil, err
	}
	truths, err := CheckLabels(req.Items)
	if err != nil {
		return nil, err
	}
	var set strings.Builder
	for i := range req.Items {
		it := &req.Items[i]
		var a quorum.Assessment
		if g.scorer.Charter().AssessPrompt(&a, it.Prompt); a.Score < policy.RefuseUnder {
			bad.add(wire.PromptRefused, i, "prompt", fmt.Sprintf("scores %s against the charter, under %s: companions are not asked it", a.Score, policy.RefuseUnder))
			continue
		}
		if g.impersonal("topic", it.Topic) != nil {
			bad.add(wire.InvalidValue, i, "topic", "looks like personal data or a secret, and would be kept for good")
			continue
		}
		kind, err := quorum.ParseKind(it.Kind)
		if err != nil {
			return nil, err
		}
		d := &quorum.Deliberation{ID: newID(), Client: k.Name, Prompt: it.Prompt, Tier: tier, Chamber: view.limits.Chamber, Cycle: policy.Cycle,
			Topic: it.Topic, Kind: kind, Options: it.Options, Wait: quorum.WaitAll}
		c.items = append(c.items, labelled{d: d, truth: truths[i]})
		if i > 0 {
			set.WriteByte('\n')
		}
		set.Write(it.AppendTo(nil))
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	c.set = set.String()
	if err := c.sort(); err != nil {
		return nil, err
	}
	members := c.state.Roster.Members()
	for i := range members {
		m := &members[i]
		if line := view.lines[m.ID]; line != nil && m.Status == quorum.Active && len(c.lines) < min(policy.MaxPanel, quorum.MaxCalibrationPanel) {
			c.lines = append(c.lines, line)
			c.members = append(c.members, &m.Companion)
			c.results = append(c.results, result{seat: len(c.results), right: make([]int64, len(c.cells)), seen: make([]int64, len(c.cells)), unseen: make(map[string]int)})
		}
	}
	if len(c.lines) == 0 {
		return nil, refuse(wire.Overloaded, "there is no active companion to ask")
	}
	return c, nil
}

// CheckLabels reads the accepted answers of labelled items, and finds those that
// are no answer of their item's kind, cannot be graded, or contradict another
// item's. The error is a *wire.Error that tells each by its index.
func CheckLabels(items []wire.CalibrationItem) ([]*grade.Truth, error) {
	var bad problems
	said := make(labels)
	truths := make([]*grade.Truth, len(items))
	for i := range items {
		it := &items[i]
		kind, err := quorum.ParseKind(it.Kind)
		if err == nil {
			truths[i], err = grade.New(kind, it.Options, it.Prompt, it.Truth)
		}
		if err != nil {
			field := "truth"
			if truths[i] == nil && (kind == quorum.Code || kind == quorum.Auto) {
				field = "kind"
			}
			bad.add(wire.InvalidValue, i, field, err.Error())
			continue
		}
		if other, contradicts := said.add(i, it, truths[i]); contradicts {
			bad.add(wire.InvalidValue, i, "truth", fmt.Sprintf("contradicts items[%d]: the same prompt with another truth", other))
		}
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	return truths, nil
}

// sort lays out the cells, in their order, and each item's place among them.
func (c *calibration) sort() error {
	at := func(it *labelled) (int, bool) {
		return slices.BinarySearchFunc(c.cells, it.d, func(cell quorum.CalibrationCell, d *quorum.Deliberation) int {
			if cell.Kind != d.Kind {
				return int(cell.Kind) - int(d.Kind)
			}
			return strings.Compare(cell.Topic, d.Topic)
		})
	}
	for i := range c.items {
		it := &c.items[i]
		k, ok := at(it)
		if !ok {
			c.cells = slices.Insert(c.cells, k, quorum.CalibrationCell{Kind: it.d.Kind, Topic: it.d.Topic})
		}
		c.cells[k].Items++
	}
	if n := len(c.cells); n > quorum.MaxCalibrationCells {
		return &wire.Error{Code: wire.InvalidValue, Message: "too many pairs of kind and topic for one calibration",
			Details: []wire.Detail{{Field: "items", Problem: fmt.Sprintf("have %d pairs of kind and topic; at most %d at once", n, quorum.MaxCalibrationCells)}}}
	}
	for i := range c.items {
		c.items[i].cell, _ = at(&c.items[i])
	}
	return nil
}

// labels finds items that contradict each other: the same question, and no answer
// that is right for both.
type labels map[string][]label

type label struct {
	index int
	truth *grade.Truth
}

// maxLabels is how many different truths one question may be given with. They
// are compared with each other, so their number is bounded.
const maxLabels = 16

// add takes an item in, and reports the one before it that it contradicts.
func (l labels) add(index int, it *wire.CalibrationItem, truth *grade.Truth) (other int, contradicts bool) {
	options := slices.Clone(it.Options)
	for i := range options {
		options[i] = strings.ToLower(strings.TrimSpace(options[i]))
	}
	slices.Sort(options)
	question := fmt.Sprintf("%s %q %q", it.Kind, it.Prompt, options)
	for _, before := range l[question] {
		if truth.Contradicts(before.truth) {
			return before.index, true
		}
	}
	if n := len(l[question]); n == maxLabels {
		return l[question][n-1].index, true
	}
	same := slices.ContainsFunc(l[question], func(b label) bool { return b.truth.Equal(truth) })
	if !same {
		l[question] = append(l[question], label{index, truth})
	}
	return 0, false
}

// problems gathers what is wrong with items: as many as an answer lists.
type problems struct {
	code  wire.Code
	found []wire.Detail
	all   int
}

const maxProblems = 20

func (p *problems) add(code wire.Code, item int, field, problem string) {
	if p.all++; p.all == 1 {
		p.code = code
	}
	if len(p.found) < maxProblems {
		p.found = append(p.found, wire.Detail{Field: fmt.Sprintf("items[%d].%s", item, field), Problem: problem})
	}
}

func (p *problems) err() error {
	if p.all == 0 {
		return nil
	}
	message := p.found[0].Field + ": " + p.found[0].Problem
	if p.all > 1 {
		message += fmt.Sprintf(" (the first of %d problems)", p.all)
	}
	return &wire.Error{Code: p.code, Message: message + "; nobody was asked", Details: p.found}
}
