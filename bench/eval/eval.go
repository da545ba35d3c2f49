package eval

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/quorum"
)

// Config says what to evaluate on, and what.
type Config struct {
	Dir    string   // recordings and panels.json
	Sets   []string // names of recordings; empty is all
	Panels []string // names of panels; empty is all
	Limit  int      // prompts a set, spread over it; 0 is all

	// Labelled is how many prompts of each set are first given to the gateway
	// with their truth (POST /api/calibration) instead of being graded; 0 is
	// none. They count beyond Limit, and are graded in no run.
	Labelled int

	Waits   []quorum.Wait // ways of waiting, the first the one reported first; empty is all three
	Tier    quorum.Tier   // of the requests; NoTier is research, where every companion sits
	Workers int           // prompts at a time; 0 is 8

	Key     KeyFunc // required
	Gateway StartGateway

	Progress io.Writer // a line as each part starts; nil is none
}

// StartGateway starts a gateway with an empty ledger over a panel of just these
// companions, without limits on how often each may be asked, and returns when
// it accepts requests.
type StartGateway func(ctx context.Context, panel []sim.Endpoint) (Gateway, error)

// A Gateway is one that runs.
type Gateway struct {
	URL        string // origin
	Key        string // Authorization: Bearer of a client, if it wants one
	StewardKey string // likewise of a steward: for Labelled
	Stop       func() error
}

// replyLatency spreads replies over time, so that deciding early has something
// to save; a whole panel of twelve is heard after 19 ms at the median.
var replyLatency = sim.Uniform(time.Millisecond, 20*time.Millisecond)

// Run evaluates every set and panel.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.Key == nil || cfg.Gateway == nil {
		return nil, errors.New("eval: Key and Gateway are required")
	}
	if cfg.Limit < 0 || cfg.Labelled < 0 {
		return nil, errors.New("eval: Limit and Labelled are counts")
	}
	if len(cfg.Waits) == 0 {
		cfg.Waits = []quorum.Wait{quorum.WaitAll, quorum.WaitDecided, quorum.WaitLikely}
	}
	if cfg.Tier == quorum.NoTier {
		cfg.Tier = quorum.Research
	}
	if cfg.Workers < 1 {
		cfg.Workers = 8
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
	report := &Report{Labelled: cfg.Labelled, Limit: cfg.Limit, Tier: cfg.Tier}
	for _, name := range names {
		if len(cfg.Sets) > 0 && !slices.Contains(cfg.Sets, name) {
			continue
		}
		rec, err := sim.OpenRecording(paths[name])
		if err != nil {
			return nil, err
		}
		all, err := panelsOf(rec, panels[name])
		if err != nil {
			return nil, err
		}
		labelled, graded := split(rec, cfg.Labelled, cfg.Limit)
		if len(graded) == 0 {
			return nil, fmt.Errorf("eval: %s has no prompts beyond the %d labelled ones", name, cfg.Labelled)
		}
		for i := range all {
			if len(cfg.Panels) > 0 && !slices.Contains(cfg.Panels, all[i].name) {
				continue
			}
			s := &session{cfg: cfg, rec: rec, panel: &all[i], grader: grader{cfg.Key}, labelled: labelled, graded: graded}
			result, err := s.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("eval: %s, panel %s: %w", name, all[i].name, err)
			}
			report.Results = append(report.Results, result)
		}
	}
	if len(report.Results) == 0 {
		return nil, errors.New("eval: no such panel in any recording")
	}
	return report, nil
}

// split chooses which items are given with their truth and which are graded, by
// a hash of their ids: the same on every machine and whatever the file's order.
func split(rec *sim.Recording, labelled, limit int) (given, graded []*sim.Item) {
	items := make([]*sim.Item, len(rec.Items))
	for i := range rec.Items {
		items[i] = &rec.Items[i]
	}
	slices.SortStableFunc(items, func(a, b *sim.Item) int {
		ha, hb := idHash(a.ID), idHash(b.ID)
		switch {
		case ha < hb:
			return -1
		case ha > hb:
			return 1
		}
		return 0
	})
	labelled = min(labelled, len(items))
	given, graded = items[:labelled], items[labelled:]
	if limit > 0 && limit < len(graded) {
		graded = graded[:limit]
	}
	return given, graded
}

func idHash(id string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id)) // never fails
	return h.Sum64()
}
