package main

import (
	"slices"

	bench "github.com/kaizen-os/deliberation/bench/charter"
	"github.com/kaizen-os/deliberation/bench/charter/data"
	"github.com/kaizen-os/deliberation/bench/charter/linear"
	"github.com/kaizen-os/deliberation/scoring/charter"
)

// trainUnseen trains models, as the shipped one was, that did not see what they are
// measured on: by group, with thresholds of their own, for shares under a score; and
// without a whole source. Sources that no model learns from are left out by all of
// them alike.
func trainUnseen(cfg *bench.Config) error {
	rules, err := charter.NewWith(nil)
	if err != nil {
		return err
	}
	options := linear.Defaults()
	texts := linear.Read(rules, linear.Sources, cfg.Items)
	crossed, err := linear.Cross(rules, texts, options, func(*linear.Text) bool { return true })
	if err != nil {
		return err
	}
	scorers, err := crossed.Scorers(linear.Calibrate(texts, linear.Limits, crossed.Evidence))
	if err != nil {
		return err
	}
	cfg.Unseen = func(it *data.Item) bench.Scorer {
		if learnedFrom(it.Source) {
			return scorers(it)
		}
		return nil
	}
	without := linear.LeaveOut(linear.Sources, cfg.Items, options)
	cfg.LeaveOut = func(source string) (func(*data.Item) float64, error) {
		if learnedFrom(source) {
			return without(source)
		}
		return func(it *data.Item) float64 {
			t := linear.Read(rules, nil, []data.Item{*it})[0]
			return linear.Rank(t.Score, crossed.Evidence(&t))
		}, nil
	}
	return nil
}

func learnedFrom(source string) bool {
	return slices.ContainsFunc(linear.Sources, func(s linear.Source) bool { return s.Name == source })
}
