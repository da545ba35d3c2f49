package quorum

import (
	"fmt"
	"strings"

	"github.com/kaizen-os/deliberation/quorum/canon"
)

// Bounds of one calibration, so that its record fits a ledger entry however
// long the names are.
const (
	MaxCalibrationItems = 4096 // items, and so no count has more than four digits
	MaxCalibrationCells = 64   // pairs of kind and topic
	MaxCalibrationPanel = 64   // companions
	MaxTopic            = 64   // bytes of a topic
)

// A Calibration says how often each companion was right about a set of labelled
// items. It holds counts alone: what was asked and what is true stand in it as
// one salted commitment to the whole set.
//
// One request is one record, so it counts as a whole or not at all, and the
// order of its items is nowhere in it.
type Calibration struct {
	ID         string // "cal_" and a ULID
	Actor      string // [Steward]
	AsOf       uint64 // size of the ledger when all had been asked
	Policy     [32]byte
	Items      int64
	Cells      []CalibrationCell   // in order of kind, then topic
	Companions []CalibrationCounts // each once
	Confidence []FittedConfidence  // of kinds, in order, that had items enough; or none
	Set        [32]byte            // commitment to the items
}

// A CalibrationCell is the items of one kind and topic; no topic are those that
// have none. Every item is in exactly one.
type CalibrationCell struct {
	Kind  Kind
	Topic string
	Items int64
}

// CalibrationCounts are one companion's outcomes: Right[i] of Seen[i] in cell i.
// What it did not answer, late or failed, was not seen.
type CalibrationCounts struct {
	Companion CompanionID
	Right     []int64
	Seen      []int64
}

// Type of the record.
func (c *Calibration) Type() RecordType { return TypeCalibration }

// Validate says what is wrong with c, or nil.
func (c *Calibration) Validate() error {
	fault := func(format string, args ...any) error {
		return fmt.Errorf("%w: calibration: %s", ErrRecord, fmt.Sprintf(format, args...))
	}
	switch {
	case !strings.HasPrefix(c.ID, "cal_") || len(c.ID) > 64:
		return fault("id %.70q", c.ID)
	case c.Actor != Steward:
		return fault("by %.70q", c.Actor)
	case c.Items < 1 || c.Items > MaxCalibrationItems:
		return fault("%d items, want 1 to %d", c.Items, MaxCalibrationItems)
	case len(c.Cells) > MaxCalibrationCells:
		return fault("%d cells, at most %d", len(c.Cells), MaxCalibrationCells)
	case len(c.Companions) < 1 || len(c.Companions) > MaxCalibrationPanel:
		return fault("%d companions, want 1 to %d", len(c.Companions), MaxCalibrationPanel)
	case c.Set == [32]byte{}:
		return fault("no commitment to its items")
	}
	var items int64
	for i, cell := range c.Cells {
		items += cell.Items
		switch {
		case cell.Kind == Auto:
			return fault("a cell without a kind")
		case len(cell.Topic) > MaxTopic:
			return fault("a topic of %d bytes, at most %d", len(cell.Topic), MaxTopic)
		case cell.Items < 1:
			return fault("a cell without items")
		case i > 0 && !c.Cells[i-1].before(cell):
			return fault("cells out of order")
		}
	}
	if items != c.Items {
		return fault("%d items in its cells, %d together", items, c.Items)
	}
	if err := validFits(c.Confidence); err != nil {
		return fault("%v", err)
	}
	for _, f := range c.Confidence {
		var items int64
		for _, cell := range c.Cells {
			if cell.Kind == f.Kind {
				items += cell.Items
			}
		}
		if f.Items > items {
			return fault("a confidence of kind %s fitted to %d of %d items", f.Kind, f.Items, items)
		}
	}
	for i, counts := range c.Companions {
		if counts.Companion == "" || len(counts.Right) != len(c.Cells) || len(counts.Seen) != len(c.Cells) {
			return fault("companion %d has not one count a cell", i)
		}
		for _, other := range c.Companions[:i] {
			if other.Companion == counts.Companion {
				return fault("%s twice", counts.Companion)
			}
		}
		for k, seen := range counts.Seen {
			if right := counts.Right[k]; right < 0 || right > seen || seen > c.Cells[k].Items {
				return fault("%s: %d right of %d seen of %d", counts.Companion, right, seen, c.Cells[k].Items)
			}
		}
	}
	return nil
}

func (a CalibrationCell) before(b CalibrationCell) bool {
	return a.Kind < b.Kind || a.Kind == b.Kind && a.Topic < b.Topic
}

// AppendLeaf encodes the record; see [Record].
func (c *Calibration) AppendLeaf(dst []byte) ([]byte, int) {
	e := encoder{b: dst}
	e.begin()
	e.str("actor", c.Actor)
	e.always("asOf", int64(c.AsOf))
	stamp := e.stamp()
	e.str("calibration", c.ID)
	e.key("cells")
	e.open('[')
	for _, cell := range c.Cells {
		e.comma()
		e.open('{')
		e.num("items", cell.Items)
		e.str("kind", cell.Kind.String())
		e.str("topic", cell.Topic)
		e.close('}')
	}
	e.close(']')
	e.key("companions")
	e.open('[')
	for i := range c.Companions {
		counts := &c.Companions[i]
		e.comma()
		e.open('{')
		e.str("companion", string(counts.Companion))
		e.counts("right", counts.Right)
		e.counts("seen", counts.Seen)
		e.close('}')
	}
	e.close(']')
	if len(c.Confidence) > 0 {
		e.key("confidence")
		e.fits(c.Confidence)
	}
	e.num("items", c.Items)
	e.hex("policy", c.Policy[:])
	e.end(TypeCalibration)
	e.commitment("items", &c.Set)
	return e.done(), stamp
}

func (e *encoder) counts(k string, list []int64) {
	e.key(k)
	e.open('[')
	for _, v := range list {
		e.comma()
		e.b = canon.AppendInt(e.b, v)
	}
	e.close(']')
}

func readCalibration(r *canon.Reader, subjects []Subject) (*Calibration, int64) {
	c := &Calibration{}
	var at int64
	r.Object(func(key []byte) {
		switch string(key) {
		case "actor":
			c.Actor = r.String()
		case "asOf":
			c.AsOf = uint64(r.Int())
		case "at":
			at = r.Int()
		case "calibration":
			c.ID = r.String()
		case "cells":
			r.Array(func() { c.Cells = append(c.Cells, readCalibrationCell(r)) })
		case "companions":
			r.Array(func() { c.Companions = append(c.Companions, readCalibrationCounts(r)) })
		case "confidence":
			c.Confidence = ReadFitted(r)
		case "items":
			c.Items = r.Int()
		case "policy":
			r.Hex(c.Policy[:])
		}
	})
	if len(subjects) == 1 && subjects[0].Name == "items" {
		c.Set = subjects[0].Digest
	}
	if err := c.Validate(); err != nil {
		r.Fail("%v", err)
	}
	return c, at
}

func readCalibrationCell(r *canon.Reader) (cell CalibrationCell) {
	r.Object(func(key []byte) {
		switch string(key) {
		case "items":
			cell.Items = r.Int()
		case "kind":
			kind, err := ParseKind(r.String())
			if err != nil {
				r.Fail("%v", err)
			}
			cell.Kind = kind
		case "topic":
			cell.Topic = r.String()
		}
	})
	return cell
}

func readCalibrationCounts(r *canon.Reader) (counts CalibrationCounts) {
	r.Object(func(key []byte) {
		switch string(key) {
		case "companion":
			counts.Companion = CompanionID(r.String())
		case "right":
			r.Array(func() { counts.Right = append(counts.Right, r.Int()) })
		case "seen":
			r.Array(func() { counts.Seen = append(counts.Seen, r.Int()) })
		}
	})
	return counts
}
