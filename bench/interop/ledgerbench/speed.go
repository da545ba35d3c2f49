package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/kaizen-os/deliberation/bench/load"
)

// A plan is how long each part takes and how often it is done.
type plan struct {
	Writers []int
	Rounds  int
	Warm    time.Duration
	Measure time.Duration
	Try     time.Duration // of one of Tessera's settings
	Raw     time.Duration
	Slow    time.Duration // of what publishes every ten seconds; 0 leaves it out
}

var (
	// Four thousand is what Tessera is made for: as many as it lets wait. Two
	// seconds let one writer fill the first logs, after which Pebble uses them
	// again: a write into a log that was never filled takes half as long again.
	fullPlan = plan{Writers: []int{1, 64, 256, 4096}, Rounds: 5, Warm: 2 * time.Second, Measure: 3 * time.Second,
		Try: time.Second, Raw: 500 * time.Millisecond, Slow: 20 * time.Second}
	shortPlan = plan{Writers: []int{1, 256}, Rounds: 2, Warm: 100 * time.Millisecond, Measure: 400 * time.Millisecond,
		Try: 200 * time.Millisecond, Raw: 100 * time.Millisecond}
)

// A speed is the comparison of all contenders.
type speed struct {
	Leaf   int
	Rounds int
	Groups []group
}

// A group is the contenders with one number of writers.
type group struct {
	Writers int
	Rivals  []rival
	Raw     [][2]load.Quantiles // of one raw synced write, before and after our turn in each round
}

// A rival is one contender, and what came of each round.
type rival struct {
	Name, Setting string
	Outcomes      []outcome
}

func (g *group) rival(name string) *rival {
	i := slices.IndexFunc(g.Rivals, func(r rival) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	return &g.Rivals[i]
}

// The names under which Tessera stands in the tables.
const (
	addDefault       = tesseraAdds + ", defaults"
	addFastest       = tesseraAdds + ", fastest"
	publishedDefault = tesseraPublishing + ", defaults"
	publishedFastest = tesseraPublishing + ", fastest"
)

// shortestCheckpoint is the least that Tessera's POSIX driver takes.
const shortestCheckpoint = 100 * time.Millisecond

// A runner starts children in folders of their own.
type runner struct {
	dir      string
	profile  string
	progress io.Writer
	folders  int
}

// run does t in a fresh folder, which is gone afterwards, once the disk has
// nothing left to write of what was before.
func (r *runner) run(ctx context.Context, t task) (outcome, error) {
	r.folders++
	t.Dir = filepath.Join(r.dir, fmt.Sprintf("run-%d", r.folders))
	if err := os.Mkdir(t.Dir, 0o700); err != nil {
		return outcome{}, err
	}
	defer os.RemoveAll(t.Dir)
	syscall.Sync()
	return start(ctx, t)
}

// speed measures all contenders, in turn and so many rounds, each with as many
// writers as the plan says.
func (r *runner) speed(ctx context.Context, p plan) (*speed, error) {
	s := &speed{Leaf: newLeaf(usualLeaf).size(), Rounds: p.Rounds}
	for _, n := range p.Writers {
		g, err := r.group(ctx, p, n)
		if err != nil {
			return nil, err
		}
		s.Groups = append(s.Groups, g)
	}
	return s, nil
}

func (r *runner) group(ctx context.Context, p plan, writers int) (group, error) {
	g := group{Writers: writers}
	base := task{Leaf: usualLeaf, Writers: writers, Warm: p.Warm, Measure: p.Measure}
	fastest, err := r.fastest(ctx, p, base)
	if err != nil {
		return g, err
	}
	published := fastest
	published.Checkpoint, published.Poll = shortestCheckpoint, 5*time.Millisecond
	tasks := []struct {
		name string
		task task
	}{
		{floorName, base.of(floorName, tesseraSetting{})},
		{oursName, base.of(oursName, tesseraSetting{})},
		{addFastest, base.of(tesseraAdds, fastest)},
		{publishedFastest, base.of(tesseraPublishing, published)},
		{addDefault, base.of(tesseraAdds, tesseraSetting{})},
	}
	for _, t := range tasks {
		g.Rivals = append(g.Rivals, rival{Name: t.name, Setting: t.task.setting()})
	}
	for round := range p.Rounds {
		fmt.Fprintf(r.progress, "%d writers: round %d of %d\n", writers, round+1, p.Rounds)
		var raw [2]load.Quantiles
		for i, t := range tasks {
			if t.name == oursName {
				if raw[0], err = rawSyncs(ctx, r.dir, usualLeaf, p.Raw); err != nil {
					return g, err
				}
			}
			out, err := r.run(ctx, t.task)
			if err != nil {
				return g, err
			}
			if t.name == oursName {
				if raw[1], err = rawSyncs(ctx, r.dir, usualLeaf, p.Raw); err != nil {
					return g, err
				}
			}
			g.Rivals[i].Outcomes = append(g.Rivals[i].Outcomes, out)
		}
		g.Raw = append(g.Raw, raw)
	}
	if p.Slow > 0 {
		fmt.Fprintf(r.progress, "%d writers: Tessera's defaults, until published\n", writers)
		t := base.of(tesseraPublishing, tesseraSetting{Poll: 100 * time.Millisecond})
		// Checkpoints come every ten seconds, so the window begins between two.
		t.Warm, t.Measure = 5*time.Second, p.Slow
		out, err := r.run(ctx, t)
		if err != nil {
			return g, err
		}
		g.Rivals = append(g.Rivals, rival{Name: publishedDefault, Setting: t.setting(), Outcomes: []outcome{out}})
	}
	if r.profile != "" {
		t := base.of(oursName, tesseraSetting{})
		t.Profile = r.profile
		if _, err := r.run(ctx, t); err != nil {
			return g, err
		}
	}
	return g, nil
}

func (t task) of(contender string, s tesseraSetting) task {
	t.Contender, t.Tessera = contender, s
	return t
}

func (t task) setting() string {
	if t.Contender == floorName || t.Contender == oursName {
		return ""
	}
	return t.Tessera.String()
}

// fastest tries Tessera's batching and gives what kept most entries a second.
// A batch is flushed when full or old: with as many writers as fit into it all
// wait for one another, with half as many one batch fills while one is written.
func (r *runner) fastest(ctx context.Context, p plan, base task) (tesseraSetting, error) {
	var best tesseraSetting
	var rate float64
	tried := map[uint]bool{}
	for _, size := range []int{base.Writers, base.Writers / 2, base.Writers / 4, 256} {
		size = max(size, 1)
		if tried[uint(size)] {
			continue
		}
		tried[uint(size)] = true
		for _, age := range []time.Duration{time.Millisecond, 50 * time.Millisecond} {
			if age > time.Millisecond && (size == 1 || size > base.Writers) {
				continue // always full, or always old
			}
			s := tesseraSetting{BatchSize: uint(size), BatchAge: age, NoGC: true}
			t := base.of(tesseraAdds, s)
			t.Measure = p.Try
			out, err := r.run(ctx, t)
			if err != nil {
				return s, err
			}
			fmt.Fprintf(r.progress, "%d writers: tessera, %v: %.0f entries a second\n", base.Writers, s, out.Window.perSecond())
			if got := out.Window.perSecond(); got > rate {
				best, rate = s, got
			}
		}
	}
	if rate == 0 {
		return best, fmt.Errorf("tessera kept nothing with %d writers", base.Writers)
	}
	return best, nil
}
