package gateway

import (
	"cmp"
	"slices"

	"github.com/kaizen-os/deliberation/quorum"
)

// panelLimits is what a request allows to be spent. Zero is no limit.
type panelLimits struct {
	companions int
	cost       quorum.MicroUSD
	escalate   bool // ask a few first, and the others only where those leave it open
}

// A choice is some seats of a panel, and what is reckoned of them.
type choice struct {
	seats []int           // in roster order
	cost  quorum.MicroUSD // expected
	worth int64           // the sum of what each seat's vote says
	able  bool            // if all agree, the tier's rule is met
}

// better reports whether a is to be asked rather than b: one that can carry the
// question, then the one whose votes say more, then the cheaper.
func (a *choice) better(b *choice) bool {
	if a.able != b.able {
		return a.able
	}
	return cmp.Or(cmp.Compare(a.worth, b.worth), cmp.Compare(b.cost, a.cost)) > 0
}

// A chooser picks seats of a panel for one question.
type chooser struct {
	p     *panel
	rule  *quorum.Rule
	cost  []quorum.MicroUSD // by seat, expected
	worth []int64           // by seat: the log odds that it is right; at least 1, a vote is a vote
}

func newChooser(p *panel, d *quorum.Deliberation) *chooser {
	kind := d.Kind
	if kind == quorum.Auto {
		kind = quorum.Text
	}
	policy, n := p.state.Policy, len(p.members)
	alternatives := policy.Kind(kind).Alternatives
	if kind == quorum.Choice && len(d.Options) > 0 {
		alternatives = len(d.Options)
	}
	c := &chooser{p: p, rule: &policy.Tier(d.Tier).Rule, cost: make([]quorum.MicroUSD, n), worth: make([]int64, n)}
	usage := expected(d)
	for i, m := range p.members {
		reliable := p.state.Roster.Find(m.ID).Standing.Of(policy, policy.VoteWeight(m), kind, d.Topic)
		c.cost[i] = m.Price.Cost(usage)
		c.worth[i] = max(1, int64(policy.LogOdds(reliable, alternatives)))
	}
	return c
}

// byWorth is the seats whose votes say most first; byPrice those whose votes say
// most for their money.
func (c *chooser) byWorth() []int {
	return c.ordered(func(a, b int) int { return cmp.Compare(c.worth[b], c.worth[a]) })
}

func (c *chooser) byPrice() []int {
	return c.ordered(func(a, b int) int {
		// worth/cost, without dividing: costs may be 0.
		return cmp.Or(cmp.Compare(c.worth[b]*int64(c.cost[a]), c.worth[a]*int64(c.cost[b])), cmp.Compare(c.worth[b], c.worth[a]))
	})
}

func (c *chooser) ordered(compare func(a, b int) int) []int {
	order := make([]int, len(c.worth))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, compare)
	return order
}

// take goes through order and takes every seat that is still within the limits.
func (c *chooser) take(order []int, most int, money quorum.MicroUSD) *choice {
	var got choice
	for _, i := range order {
		if most > 0 && len(got.seats) == most || money > 0 && got.cost+c.cost[i] > money {
			continue
		}
		got.seats = append(got.seats, i)
		got.cost += c.cost[i]
		got.worth += c.worth[i]
	}
	slices.Sort(got.seats)
	got.able = c.able(got.seats)
	return &got
}

// able reports whether the rule is met if all of these seats agree.
func (c *chooser) able(seats []int) bool {
	members := make([]*quorum.Companion, len(seats))
	for to, from := range seats {
		members[to] = c.p.members[from]
	}
	return c.rule.MetBy(members)
}

// narrow is the best panel that is expected to stay within limits: taking the
// best first, and taking the best for their money first, each can be far off; the
// better of both is not.
func (p *panel) narrow(d *quorum.Deliberation, limits panelLimits) *panel {
	if limits.companions == 0 && limits.cost == 0 {
		return p
	}
	c := newChooser(p, d)
	best := c.take(c.byWorth(), limits.companions, limits.cost)
	if other := c.take(c.byPrice(), limits.companions, limits.cost); other.better(best) {
		best = other
	}
	return p.only(best.seats)
}

// Of open text as many are asked first as can be compared; of other questions two,
// if they can carry it: it is put to more where they differ.
const (
	fewFirst     = 2
	fewFirstOpen = 3
)

// waves are the parts of p that a question is put to, one after the other until
// one carries it: the best for their money, as many as can carry it, then twice as
// many, and at last all.
func (p *panel) waves(d *quorum.Deliberation) (waves []*panel) {
	c := newChooser(p, d)
	order := c.byPrice()
	n := fewFirst
	if d.Kind == quorum.Auto || d.Kind == quorum.Text || d.Kind == quorum.Code {
		n = fewFirstOpen
	}
	for n < len(order) && !c.able(order[:n]) {
		n++
	}
	for ; n < len(order); n *= 2 {
		waves = append(waves, p.only(slices.Sorted(slices.Values(order[:n]))))
	}
	return append(waves, p)
}

// cost is what asking all of p is reckoned to cost.
func (p *panel) cost(d *quorum.Deliberation) (sum quorum.MicroUSD) {
	usage := expected(d)
	for _, m := range p.members {
		sum += m.Price.Cost(usage)
	}
	return sum
}
