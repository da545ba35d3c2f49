package gateway

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// A purse is money for a day, by UTC. What something may cost is taken from it
// beforehand and what is left of that comes back.
type purse struct {
	mu     sync.Mutex // guards what follows
	perDay quorum.MicroUSD
	day    int64 // the one, counted from 1970, that spent is of
	spent  quorum.MicroUSD
	known  bool // what was spent before this process began is in spent
}

const secondsADay = int64(24 * time.Hour / time.Second)

// turn begins the day of now. The caller holds p.mu.
func (p *purse) turn(now time.Time) int64 {
	if day := now.UTC().Unix() / secondsADay; day != p.day {
		p.day, p.spent = day, 0
	}
	return p.day
}

// left is what can still be spent today.
func (p *purse) left(now time.Time) quorum.MicroUSD {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(now)
	return max(p.perDay-p.spent, 0)
}

// reserve takes cost if it is there. day is for settle.
func (p *purse) reserve(now time.Time, cost quorum.MicroUSD) (day int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	day = p.turn(now)
	if p.spent > math.MaxInt64-cost || p.perDay > 0 && p.spent+cost > p.perDay {
		return day, false
	}
	p.spent += cost
	return day, true
}

// settle puts what something did cost in the place of what was reserved for it,
// unless the day is over.
func (p *purse) settle(day int64, reserved, cost quorum.MicroUSD) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.day == day {
		p.spent += cost - reserved
	}
}

// A payment is what is reserved for one deliberation from its key's purse.
type payment struct {
	purse    *purse // nil: the key has none
	day      int64
	reserved quorum.MicroUSD
}

// settle pays what it cost.
func (p *payment) settle(cost quorum.MicroUSD) {
	if p.purse != nil {
		p.purse.settle(p.day, p.reserved, cost)
	}
}

// seatWithin seats the panel of a within its limits and what its key may still
// spend today, and reserves what all that a wants is reckoned to cost: which is then
// its limit.
func (g *Gateway) seatWithin(view *view, a *asking) (*panel, *payment, error) {
	st, money := g.book.State(), a.caller.purse
	if money == nil {
		return seat(st, view.lines, a.d, a.limits), &payment{}, nil
	}
	g.remember(a.caller)
	for {
		now := time.Now()
		limits, left := a.limits, money.left(now)
		if limits.cost == 0 || left < limits.cost {
			limits.cost = left
		}
		p := seat(st, view.lines, a.d, limits)
		if left == 0 || len(p.members) == 0 && p.eligible > 0 {
			f := refuse(wire.BudgetExhausted, fmt.Sprintf("this key may spend %s USD a day, and what is left of that asks nobody", money.perDay))
			f.retryAfter = time.Duration(secondsADay-now.UTC().Unix()%secondsADay) * time.Second
			return nil, nil, f
		}
		cost := min(a.further.times(p.cost(a.d)), limits.cost)
		if day, ok := money.reserve(now, cost); ok {
			a.limits.cost = cost
			return p, &payment{money, day, cost}, nil
		} // another request took it in between: look again at what is left
	}
}

// times is what the steps of f are reckoned to cost, one round costing so much: a
// judge or a synthesis reads what all said, and at most costs as much as all did.
func (f *further) times(round quorum.MicroUSD) quorum.MicroUSD {
	sum := round
	if f.rounds > 1 {
		sum += round
	}
	if f.judge != "" {
		sum += round
	}
	if f.synthesis != "" {
		sum += round
	}
	return sum
}

// mostRemembered bounds how many deliberations of today are looked up when a key
// first spends after a start.
const mostRemembered = 20_000

// remember counts, once, what k spent today before this process began. What cannot
// be read any more is taken for nothing.
func (g *Gateway) remember(k *caller) {
	money := k.purse
	money.mu.Lock()
	defer money.mu.Unlock()
	if money.known {
		return
	}
	money.known = true
	today := money.turn(time.Now())
	before := ""
	for range mostRemembered / 100 {
		ids, err := g.vault.List(k.Name, before, 100)
		if err != nil || len(ids) == 0 {
			return
		}
		for _, id := range ids {
			made, err := ulid.Parse(strings.TrimPrefix(id, "dlb_"))
			if err != nil {
				continue
			}
			if made.Timestamp().Unix()/secondsADay != today {
				return // the others are older
			}
			if p, _, err := g.readProof(id); err == nil {
				money.spent += costOf(p)
			}
		}
		before = ids[len(ids)-1]
	}
}

// costOf is what everybody in p cost, in every step.
func costOf(p *quorum.Proof) (sum quorum.MicroUSD) {
	for i := range p.Ballots {
		sum += p.Ballots[i].Usage.Cost
	}
	if p.Second != nil {
		for i := range p.Second.Ballots {
			sum += p.Second.Ballots[i].Usage.Cost
		}
	}
	if p.Judge != nil {
		sum += p.Judge.Usage.Cost
	}
	if p.Synthesis != nil {
		sum += p.Synthesis.Usage.Cost
	}
	return sum
}
