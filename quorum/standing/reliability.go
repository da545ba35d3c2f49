// Package standing holds what companions have earned, as folds over records:
// here, how often each is right about each kind of question.
package standing

import (
	"slices"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/canon"
)

// A Cell is the evidence about one companion, kind and topic; no topic is the
// kind as a whole.
type Cell struct {
	Kind     quorum.Kind
	Topic    string
	Evidence quorum.Reliability
}

// Reliability is what one companion has earned. It is immutable: each outcome
// gives a new one, so that a deliberation keeps the state it was seated from.
type Reliability struct {
	cells []Cell // in order of kind, then topic
}

// Of returns the p of a companion of this tier weight for a kind and, if it is
// not "", a topic, whose parent is the kind.
func (r *Reliability) Of(p *quorum.Policy, tierWeight quorum.PPM, kind quorum.Kind, topic string) quorum.PPM {
	of := p.Reliable(p.ParentReliability(tierWeight), r.cell(kind, ""))
	if topic != "" {
		of = p.Reliable(of, r.cell(kind, topic))
	}
	return of
}

// Cells are in order of kind, then topic; not to be changed.
func (r *Reliability) Cells() []Cell {
	if r == nil {
		return nil
	}
	return r.cells
}

func (r *Reliability) cell(kind quorum.Kind, topic string) quorum.Reliability {
	if r != nil {
		if i, ok := r.find(kind, topic); ok {
			return r.cells[i].Evidence
		}
	}
	return quorum.Reliability{}
}

func (r *Reliability) find(kind quorum.Kind, topic string) (int, bool) {
	return slices.BinarySearchFunc(r.cells, Cell{Kind: kind, Topic: topic}, func(a, b Cell) int {
		switch {
		case a.Kind != b.Kind:
			return int(a.Kind) - int(b.Kind)
		case a.Topic < b.Topic:
			return -1
		case a.Topic > b.Topic:
			return 1
		}
		return 0
	})
}

// Agreed adds one soft outcome: whether the companion's answer was the one that
// the others, without it, led with.
func (r *Reliability) Agreed(p *quorum.Policy, kind quorum.Kind, agreed bool) *Reliability {
	return r.with(kind, "", func(c *quorum.Reliability) {
		c.SoftSeen += quorum.Milli
		if agreed {
			c.SoftRight += quorum.Milli
		}
		forget(&c.SoftRight, &c.SoftSeen, p.Reliability.SoftCap)
	})
}

// A Tally is outcomes against known truths: Right of Seen, of one kind and topic.
type Tally struct {
	Kind  quorum.Kind
	Topic string
	Right int64
	Seen  int64
}

// Labelled adds outcomes against known truths. Those of a topic count in its own
// cell and in its kind's. They are added up, cell by cell, before any cell is
// scaled: so the order in which outcomes were counted does not matter.
func (r *Reliability) Labelled(p *quorum.Policy, tallies ...Tally) *Reliability {
	sums := new(Reliability)
	for _, t := range tallies {
		add := func(c *quorum.Reliability) {
			c.Right += t.Right * quorum.Milli
			c.Seen += t.Seen * quorum.Milli
		}
		if t.Seen == 0 {
			continue
		}
		sums = sums.with(t.Kind, "", add)
		if t.Topic != "" {
			sums = sums.with(t.Kind, t.Topic, add)
		}
	}
	out := r
	for _, sum := range sums.cells {
		out = out.with(sum.Kind, sum.Topic, func(c *quorum.Reliability) { remember(c, &sum.Evidence, p.Reliability.CellCap) })
	}
	return out
}

// remember adds new outcomes to a cell that holds so many and no more. What was
// there is scaled down to make room for them: then a companion that has changed
// is soon known by what it does now.
func remember(c, add *quorum.Reliability, limit int64) {
	fresh := *add
	forget(&fresh.Right, &fresh.Seen, limit)
	if room := limit*quorum.Milli - fresh.Seen; c.Seen > room {
		c.Right = c.Right * room / c.Seen
		c.Seen = room
	}
	c.Right += fresh.Right
	c.Seen += fresh.Seen
}

// forget scales a cell down to what it may remember, so that what is new weighs.
func forget(right, seen *int64, limit int64) {
	if limit *= quorum.Milli; *seen > limit {
		*right = *right * limit / *seen
		*seen = limit
	}
}

func (r *Reliability) with(kind quorum.Kind, topic string, change func(*quorum.Reliability)) *Reliability {
	out := new(Reliability)
	if r != nil {
		out.cells = slices.Clone(r.cells)
	}
	i, ok := out.find(kind, topic)
	if !ok {
		out.cells = slices.Insert(out.cells, i, Cell{Kind: kind, Topic: topic})
	}
	change(&out.cells[i].Evidence)
	return out
}

// Append appends r as canonical JSON, an array of arrays
// [kind, topic, right, seen, softRight, softSeen].
func (r *Reliability) Append(dst []byte) []byte {
	dst = append(dst, '[')
	for i, c := range r.Cells() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[')
		dst = canon.AppendString(dst, c.Kind.String())
		dst = append(dst, ',')
		dst = canon.AppendString(dst, c.Topic)
		for _, v := range [...]int64{c.Evidence.Right, c.Evidence.Seen, c.Evidence.SoftRight, c.Evidence.SoftSeen} {
			dst = append(dst, ',')
			dst = canon.AppendInt(dst, v)
		}
		dst = append(dst, ']')
	}
	return append(dst, ']')
}

// Read reads what Append wrote; a fault is left in src.
func Read(src *canon.Reader) *Reliability {
	r := new(Reliability)
	src.Array(func() {
		var c Cell
		n := 0
		src.Array(func() {
			switch n++; n {
			case 1:
				kind, err := quorum.ParseKind(src.String())
				if err != nil {
					src.Fail("%v", err)
				}
				c.Kind = kind
			case 2:
				c.Topic = src.String()
			case 3:
				c.Evidence.Right = src.Int()
			case 4:
				c.Evidence.Seen = src.Int()
			case 5:
				c.Evidence.SoftRight = src.Int()
			case 6:
				c.Evidence.SoftSeen = src.Int()
			}
		})
		i, twice := r.find(c.Kind, c.Topic)
		if n != 6 || twice || i != len(r.cells) {
			src.Fail("reliability cells out of order or incomplete")
			return
		}
		r.cells = append(r.cells, c)
	})
	return r
}
