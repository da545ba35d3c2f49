package eval

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/quorum"
)

// Config says what to evaluate on, and what.
type Config struct {
	Dir    string   // recordings and panels.json
	Sets   []string // names of recordings; empty is all
	Panels []string // names of panels; empty is all
	Limit  int      // most prompts a set that are graded; 0 is all

	// Labels are how many labelled prompts a kind the gateways with earned
	// weights are given beforehand: one contender for each number, 0 among them
	// where it is wanted. Open text and code know 0 only.
	Labels []int
	Folds  int    // of the cross-validation; 0 is 5
	Seed   uint64 // of folds and of the draw of labelled prompts

	// Waits are the ways of waiting that are held against [quorum.WaitAll],
	// which is what everything else is measured with; none is fine.
	Waits []quorum.Wait

	Tier     quorum.Tier // of the requests; NoTier is research, where every companion sits
	Workers  int         // prompts at a time to one gateway; 0 is 8
	Parallel int         // gateways at a time; 0 is 2: on two cores 1 takes half as long again or more, 4 and 8 no less

	Key     KeyFunc      // required
	Gateway StartGateway // required

	Progress io.Writer // a line as each part starts; nil is none
}

// StartGateway starts a gateway with an empty ledger, and returns when it
// accepts requests. It is called from several goroutines.
type StartGateway func(ctx context.Context, want GatewayConfig) (Gateway, error)

// A GatewayConfig is what a gateway is to be like.
type GatewayConfig struct {
	Panel       []sim.Endpoint // who sits, and nobody else; no limit on how often each may be asked
	TierWeights bool           // answers are decided by tier weights in place of earned ones

	// NoAgreement makes companions earn nothing by agreeing with one another,
	// so that no weight depends on what was asked before.
	NoAgreement bool
}

// A Gateway is one that runs.
type Gateway struct {
	URL        string // origin
	Key        string // Authorization: Bearer of a client, if it wants one
	StewardKey string // likewise of a steward: for labelled prompts
	Stop       func() error
}

// Run evaluates every set and panel. When something fails, the report holds what
// was finished before, beside the error.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if err := cfg.settle(); err != nil {
		return nil, err
	}
	names, paths, err := recordings(cfg.Dir)
	if err != nil {
		return nil, err
	}
	panels, err := readPanels(filepath.Join(cfg.Dir, "panels.json"))
	if err != nil {
		return nil, err
	}
	for _, name := range cfg.Sets {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("eval: no recording %q in %s", name, cfg.Dir)
		}
	}
	report := &Report{Labels: cfg.Labels, Limit: cfg.Limit, Tier: cfg.Tier.String(), Folds: cfg.Folds, Seed: cfg.Seed}
	for _, name := range names {
		if len(cfg.Sets) > 0 && !slices.Contains(cfg.Sets, name) {
			continue
		}
		rec, err := sim.OpenRecording(paths[name])
		if err != nil {
			return report, err
		}
		all, err := panelsOf(rec, panels[name])
		if err != nil {
			return report, err
		}
		for i := range all {
			if len(cfg.Panels) > 0 && !slices.Contains(cfg.Panels, all[i].name) {
				continue
			}
			s := &session{cfg: &cfg, rec: rec, panel: &all[i], grader: grader{cfg.Key}, split: newSplit(rec, &cfg)}
			result, err := s.run(ctx)
			if err != nil {
				return report, fmt.Errorf("eval: %s, panel %s: %w", name, all[i].name, err)
			}
			report.Results = append(report.Results, result)
		}
	}
	if len(report.Results) == 0 {
		return nil, errors.New("eval: no such panel in any recording")
	}
	return report, nil
}

// settle checks cfg and fills in what was left out.
func (cfg *Config) settle() error {
	if cfg.Key == nil || cfg.Gateway == nil {
		return errors.New("eval: Key and Gateway are required")
	}
	if cfg.Limit < 0 || cfg.Folds < 0 || cfg.Folds == 1 {
		return errors.New("eval: the limit is a count, and there are at least 2 folds")
	}
	if slices.ContainsFunc(cfg.Labels, func(n int) bool { return n < 0 }) {
		return errors.New("eval: numbers of labels are counts, from 0 on")
	}
	cfg.Labels = slices.Compact(slices.Sorted(slices.Values(cfg.Labels)))
	var waits []quorum.Wait
	for _, wait := range cfg.Waits {
		if wait != quorum.WaitAll && !slices.Contains(waits, wait) {
			waits = append(waits, wait)
		}
	}
	cfg.Waits = waits
	if cfg.Tier == quorum.NoTier {
		cfg.Tier = quorum.Research
	}
	if cfg.Folds == 0 {
		cfg.Folds = 5
	}
	if cfg.Workers < 1 {
		cfg.Workers = 8
	}
	if cfg.Parallel < 1 {
		cfg.Parallel = 2
	}
	return nil
}
