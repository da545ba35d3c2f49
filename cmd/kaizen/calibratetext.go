package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

// appendCalibrations appends what came of one or several requests for people: a
// row a companion, kind and topic.
func appendCalibrations(dst []byte, answers []wire.Calibration, p paint) []byte {
	all := together(answers)
	price := "free"
	if c := all.Usage.CostMicroUSD; c > 0 {
		price = fmt.Sprintf("%.4f USD", float64(c)/1e6)
	}
	took := (time.Duration(all.Timing.Total) * time.Microsecond).Round(time.Millisecond)
	dst = fmt.Appendf(dst, "%s prompts put to %s companions · %s · %s\n\n", p.as(bold, fmt.Sprint(all.Items)), p.as(bold, fmt.Sprint(len(all.Companions))), took, price)
	rows := []row{{[]string{"COMPANION", "KIND", "TOPIC", "RIGHT OF SEEN", "RELIABILITY", "WEIGHT"}, dim}}
	for _, c := range all.Companions {
		for _, cell := range c.Cells {
			topic := cell.Topic
			if topic == "" {
				topic = "-"
			}
			rows = append(rows, row{cells: []string{clip(oneLine(c.Companion), maxCell), cell.Kind, clip(oneLine(topic), maxCell),
				fmt.Sprintf("%d of %d", cell.Right, cell.Seen), change(cell.Reliability), change(cell.Weight)}})
		}
	}
	dst = appendTable(dst, rows, p)
	for _, c := range all.Companions {
		var why []string
		for _, reason := range slices.Sorted(maps.Keys(c.Unseen)) {
			why = append(why, fmt.Sprintf("%d %s", c.Unseen[reason], oneLine(reason)))
		}
		if len(why) > 0 {
			dst = fmt.Appendf(dst, "%s\n", p.as(yellow, oneLine(c.Companion)+" gave nothing to grade: "+strings.Join(why, ", ")))
		}
	}
	dst = append(dst, '\n')
	for _, a := range answers {
		for _, b := range a.Confidence {
			dst = fmt.Appendf(dst, "confidence of kind %s, fitted to %d prompts: bias %s, share %s, margin %s, turnout %s\n", oneLine(b.Kind), b.Items,
				coefficient(b.Before.Bias, b.After.Bias), coefficient(b.Before.ByShare, b.After.ByShare),
				coefficient(b.Before.ByMargin, b.After.ByMargin), coefficient(b.Before.ByTurnout, b.After.ByTurnout))
		}
	}
	for _, a := range answers {
		dst = fmt.Appendf(dst, "%s\n", p.as(dim, fmt.Sprintf("counted in %s, entry %d of the ledger", oneLine(a.ID), a.Proof.Index)))
	}
	return dst
}

func coefficient(before, after int64) string {
	return fmt.Sprintf("%.2f → %.2f", float64(before)/1e6, float64(after)/1e6)
}

func change(c wire.Change) string {
	return fmt.Sprintf("%.3f → %.3f", float64(c.Before)/1e6, float64(c.After)/1e6)
}

// together adds up what came of several requests.
func together(answers []wire.Calibration) *wire.Calibration {
	all := new(wire.Calibration)
	for _, a := range answers {
		all.Items += a.Items
		all.Usage.CostMicroUSD += a.Usage.CostMicroUSD
		all.Timing.Total += a.Timing.Total
		for _, c := range a.Companions {
			i := slices.IndexFunc(all.Companions, func(o wire.Calibrated) bool { return o.Companion == c.Companion })
			if i < 0 {
				i = len(all.Companions)
				all.Companions = append(all.Companions, wire.Calibrated{Companion: c.Companion, Unseen: make(map[string]int)})
			}
			sum := &all.Companions[i]
			for why, n := range c.Unseen {
				sum.Unseen[why] += n
			}
			for _, cell := range c.Cells {
				k := slices.IndexFunc(sum.Cells, func(o wire.CalibratedCell) bool { return o.Kind == cell.Kind && o.Topic == cell.Topic })
				if k < 0 {
					sum.Cells = append(sum.Cells, cell)
					continue
				}
				old := &sum.Cells[k]
				old.Items += cell.Items
				old.Right += cell.Right
				old.Seen += cell.Seen
				old.Reliability.After, old.Weight.After = cell.Reliability.After, cell.Weight.After
			}
		}
	}
	return all
}
