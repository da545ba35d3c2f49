package eval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// session evaluates one recording and panel.
type session struct {
	cfg    *Config
	rec    *sim.Recording
	panel  *panel
	grader grader
	split  *split
}

// replyLatency spreads replies over time where ways of waiting are compared, so
// that deciding early has something to save; a whole panel of twelve is heard
// after 19 ms at the median. Everywhere else companions answer at once, since who
// answers first changes nothing of what all say.
var replyLatency = sim.Uniform(time.Millisecond, 20*time.Millisecond)

// A pass is one gateway's part: it is started, given labelled prompts, asked some
// of the graded ones, and stopped.
type pass struct {
	announce string // for Progress; "" when it goes without saying
	want     GatewayConfig
	labelled []*sim.Item
	indices  []int         // of the prompts to ask
	waits    []quorum.Wait // each prompt in each of these ways, in turn
	into     [][]outcome   // by way of waiting, then by prompt
	few      []outcome     // by prompt: put to a few first; nil for not
}

// outcome is what one prompt came to.
type outcome struct {
	grade      float64
	majority   float64 // grade of a plain majority of the ballots; negative where there is none
	status     string
	decision   string
	leaders    uint64     // which ballots support the leading position, by seat: a panel has at most 64
	confidence float64    // negative when none is stated
	weights    []wire.PPM // of the ballots, as used
	heard      int        // ballots that were waited for
	flips      bool
	unmatched  bool
}

func (s *session) run(ctx context.Context) (*Result, error) {
	graded := s.split.graded
	result := &Result{Set: s.rec.Name, Panel: s.panel.name, Kind: graded[0].Kind, Prompts: len(graded)}
	best := s.models(result)

	instant, err := s.companions(sim.Fixed(0))
	if err != nil {
		return nil, err
	}
	defer instant.Close()
	spread := instant
	early := len(s.cfg.Waits) > 0 && s.canBeEarly()
	if early {
		if spread, err = s.companions(replyLatency); err != nil {
			return nil, err
		}
		defer spread.Close()
	}

	labels := s.labels()
	tier := s.sheet(1)
	passes := []pass{{announce: tierWeights, want: GatewayConfig{Panel: instant.Endpoints(), TierWeights: true},
		indices: s.split.all(), waits: []quorum.Wait{quorum.WaitAll}, into: tier}}
	ways := append([]quorum.Wait{quorum.WaitAll}, s.cfg.Waits...)
	var waited [][]outcome // all and then cfg.Waits, from the same gateways
	earned := make([][][]outcome, len(labels))
	given := make([]int, len(labels))
	var few []outcome
	for i, n := range labels {
		waits, companions := ways[:1], instant
		if early && n > 0 && i == len(labels)-1 {
			waits, companions = ways, spread
		}
		earned[i] = s.sheet(len(waits))
		like := pass{want: GatewayConfig{Panel: companions.Endpoints()}, waits: waits, into: earned[i]}
		if i == len(labels)-1 {
			few = s.sheet(1)[0]
			like.few = few
		}
		more := s.earning(n, like)
		for _, p := range more {
			if given[i] == 0 || len(p.labelled) < given[i] {
				given[i] = len(p.labelled)
			}
		}
		if len(waits) > 1 {
			waited = earned[i]
		}
		passes = append(passes, more...)
	}
	earlyLabels := 0
	if early {
		if waited != nil {
			earlyLabels = labels[len(labels)-1]
		} else {
			waited = s.sheet(len(ways))
			passes = append(passes, pass{announce: "ways of waiting", want: GatewayConfig{Panel: spread.Endpoints(), NoAgreement: true},
				indices: s.split.all(), waits: ways, into: waited})
		}
	}
	err = each(ctx, s.cfg.Parallel, len(passes), func(ctx context.Context, i int) error { return s.deliberate(ctx, &passes[i]) })
	if err != nil {
		return nil, err
	}

	result.Majority = majorityOf(tier[0], best)
	result.Tier = contend(tierWeights, tier[0], best, result.Kind)
	result.Tier.Verdicts.Flips = nan // earned weights would lead elsewhere, which is not what is asked
	for i, n := range labels {
		c := contend(earnedName(n), earned[i][0], best, result.Kind)
		c.Verdicts.Labels, c.Verdicts.Given = n, given[i]
		result.Earned = append(result.Earned, c)
	}
	if early {
		result.Early = &Early{Labels: earlyLabels}
		for i, wait := range s.cfg.Waits {
			result.Early.Ways = append(result.Early.Ways, compare(wait, waited[i+1], waited[0]))
		}
	}
	if few != nil {
		n := len(labels) - 1
		result.Escalated = escalation(labels[n], few, earned[n][0], len(s.panel.columns))
	}
	result.Cost, err = s.cost(ctx, GatewayConfig{Panel: instant.Endpoints()})
	return result, err
}

// labels are the numbers of labelled prompts that mean something here: without
// anything to label only 0.
func (s *session) labels() []int {
	if slices.ContainsFunc(s.split.items, s.grader.labels) {
		return s.cfg.Labels
	}
	if len(s.cfg.Labels) > 0 {
		return []int{0}
	}
	return nil
}

// canBeEarly reports whether some prompt is of a kind whose outcome can be known
// before all have answered.
func (s *session) canBeEarly() bool {
	return slices.ContainsFunc(s.split.graded, func(it *sim.Item) bool { return closed(it.Kind) || it.Kind == sim.VoteItem })
}

// earning are the passes of a contender with earned weights: one gateway for all
// prompts when it is given no labels; else one a fold, which knows the truth of n
// prompts a kind of the other folds, and is asked those of its own.
func (s *session) earning(n int, like pass) (passes []pass) {
	if n == 0 {
		like.announce, like.indices = earnedName(0), s.split.all()
		return []pass{like}
	}
	for k := range s.split.folds {
		p := like
		p.indices = s.split.fold(k)
		if len(p.indices) == 0 {
			continue
		}
		p.labelled = s.split.labelled(k, n, s.grader)
		if len(passes) == 0 {
			p.announce = fmt.Sprintf("%s, %d folds", earnedName(n), s.split.folds)
		}
		passes = append(passes, p)
	}
	return passes
}

func (s *session) companions(latency sim.Latency) (*sim.Sim, error) {
	companions := slices.Clone(s.panel.companions)
	for i := range companions {
		companions[i].Latency = latency
	}
	return sim.Start(sim.Config{Companions: companions, Seed: 1})
}

// follows reports whether o and whole, of the same replies, are led by the same
// answer. The leader is told by its supporters, not by how it is written: equal
// answers may be spelled differently, and a companion has one only.
func (o *outcome) follows(whole *outcome) bool {
	return o.decision == whole.decision && (o.leaders&whole.leaders != 0 || o.leaders == 0 && whole.leaders == 0)
}

func (s *session) sheet(ways int) [][]outcome {
	out := make([][]outcome, ways)
	for i := range out {
		out[i] = make([]outcome, len(s.split.graded))
	}
	return out
}

// models grades each model, and gives the best one's grades by prompt.
func (s *session) models(result *Result) (best []float64) {
	at := -1
	for i, column := range s.panel.columns {
		grades := make([]float64, len(s.split.graded))
		for j, it := range s.split.graded {
			grades[j] = s.grader.reply(it, column)
		}
		c := Contender{Name: s.panel.companions[i].Model, Score: mean(grades), grades: grades}
		if at < 0 || c.Score > result.Models[at].Score {
			at = i
		}
		result.Models = append(result.Models, c)
	}
	best, result.Best = result.Models[at].grades, result.Models[at].Name
	for i := range result.Models {
		c := &result.Models[i]
		c.OverBest = paired(c.grades, best)
	}
	return best
}

// deliberate plays one pass.
func (s *session) deliberate(ctx context.Context, p *pass) error {
	s.progress(p.announce)
	return s.withGateway(ctx, p.want, func(c *caller) error {
		if err := c.calibrate(ctx, p.labelled); err != nil {
			return err
		}
		return each(ctx, s.cfg.Workers, len(p.indices), func(_ context.Context, n int) error {
			i := p.indices[n]
			for w, wait := range p.waits {
				o, err := s.ask(c, s.split.graded[i], wait, false)
				if err != nil {
					return err
				}
				p.into[w][i] = o
			}
			if p.few != nil {
				o, err := s.ask(c, s.split.graded[i], quorum.WaitAll, true)
				if err != nil {
					return err
				}
				p.few[i] = o
			}
			return nil
		})
	})
}

var progressLine sync.Mutex // gateways run side by side

func (s *session) progress(what string) {
	if s.cfg.Progress == nil || what == "" {
		return
	}
	progressLine.Lock()
	defer progressLine.Unlock()
	// Progress is a courtesy: nothing fails for it.
	_, _ = fmt.Fprintf(s.cfg.Progress, "%s, panel %s of %d, %d prompts: %s\n", s.rec.Name, s.panel.name, len(s.panel.columns), len(s.split.graded), what)
}

// withGateway starts a gateway, and stops it when do is over.
func (s *session) withGateway(ctx context.Context, want GatewayConfig, do func(*caller) error) (err error) {
	gateway, err := s.cfg.Gateway(ctx, want)
	if err != nil {
		return fmt.Errorf("start gateway: %w", err)
	}
	if gateway.Stop != nil {
		defer func() { err = errors.Join(err, gateway.Stop()) }()
	}
	c, err := newCaller(gateway, s.cfg.Tier, s.cfg.Workers)
	if err != nil {
		return err
	}
	defer c.close()
	return do(c)
}

// ask puts one prompt to the gateway and grades what comes back. An error is
// that the gateway could not be reached; what it answers, however bad, is an
// outcome.
func (s *session) ask(c *caller, it *sim.Item, wait quorum.Wait, escalate bool) (outcome, error) {
	status, d, err := c.deliberate(it, wait, escalate)
	if err != nil {
		return outcome{}, err
	}
	if d == nil {
		o := outcome{status: fmt.Sprintf("http %d", status), confidence: -1}
		if it.Kind == sim.OpenItem || it.Kind == sim.CodeItem {
			o.majority = -1
		}
		return o, nil
	}
	o := outcome{status: d.Status, decision: d.Decision, confidence: -1, majority: -1, flips: d.Consensus.FlipsByTier}
	if d.Consensus.Confidence >= 0 {
		o.confidence = float64(d.Consensus.Confidence) / float64(quorum.One)
	}
	for i := range d.Ballots {
		b := &d.Ballots[i]
		o.weights = append(o.weights, b.Weight)
		if b.Outcome != quorum.Unneeded.String() {
			o.heard++
		}
		if b.Counted && b.Position == 0 && i < 64 {
			o.leaders |= 1 << i
		}
	}
	var chosen int
	o.grade, chosen = s.grader.answer(it, s.panel, d)
	o.unmatched = chosen < 0 && d.Answer != "" && !closed(it.Kind) && it.Kind != sim.VoteItem
	if grade, ok := s.grader.majority(it, s.panel, d); ok {
		o.majority = grade
	}
	return o, nil
}

// How many prompts the cost of a decision is taken from, and how many are asked
// before, so that connections are open and pages are in memory.
const (
	costPrompts = 64
	costWarmUp  = 8
)

// cost asks a gateway prompts one at a time, on an otherwise idle machine, and
// has the ledger say how long each decision took.
func (s *session) cost(ctx context.Context, want GatewayConfig) (cost Cost, err error) {
	s.progress("cost of a decision")
	var decision, recorded []float64
	err = s.withGateway(ctx, want, func(c *caller) error {
		graded := s.split.graded[:min(costPrompts, len(s.split.graded))]
		for i := -min(costWarmUp, len(graded)); i < len(graded); i++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			it := graded[max(i, -i-1)]
			_, said, err := c.deliberate(it, quorum.WaitAll, false)
			if err != nil {
				return err
			}
			if i < 0 || said == nil || said.Status == quorum.RefusedPrompt.String() {
				continue
			}
			kept, err := c.again(said.ID)
			if err != nil {
				return err
			}
			if kept != nil {
				decision = append(decision, float64(kept.Timing.Overhead))
				recorded = append(recorded, float64(said.Timing.Overhead))
			}
		}
		return nil
	})
	return Cost{Prompts: len(decision), Decision: median(decision), Recorded: median(recorded)}, err
}

// each calls do for 0 to n-1, at most width at a time, until one fails or ctx is
// done; the error is the first.
func each(ctx context.Context, width, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(width, n) {
		group.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}
