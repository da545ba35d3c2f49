package gateway

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/quorum"
)

// inTurn has companions answer one after the other, in the order of turns.
type inTurn []chan struct{}

func newTurns(n int) inTurn {
	turns := make(inTurn, n+1)
	for i := range turns {
		turns[i] = make(chan struct{})
	}
	close(turns[0])
	return turns
}

// at has b behave when its turn has come, or not at all if nobody waits any more.
func (turns inTurn) at(turn int, b behaviour) behaviour {
	var once sync.Once
	return func(w http.ResponseWriter, c *call) {
		defer once.Do(func() { close(turns[turn+1]) })
		select {
		case <-turns[turn]:
			b(w, c)
			http.NewResponseController(w).Flush() // an error is a client that has left
		case <-c.ctx.Done():
		}
	}
}

// However the panel is made, whatever it says and in what order: who asks to be
// answered as soon as it is decided is told what who waits for all is told.
func TestDecidedNeverDiffersFromAll(t *testing.T) {
	t.Parallel()
	kinds := map[string][]string{
		// Agreement about these is counted for reliability, so that by earned
		// weight the same panel is not the same panel twice.
		"tier":   {"number", "choice", "short", "vote", "json"},
		"earned": {"vote", "json"},
	}
	said := map[string][]behaviour{
		"number": {says("42"), says("42"), says("The answer is 42."), says("41"), says("17"), says("I cannot say.")},
		"choice": {says("A"), says("A"), says("B"), says("(A)"), says("C")},
		"short":  {says("Paris"), says("Paris"), says("paris."), says("Lyon")},
		"vote":   {votes("approve"), votes("approve"), votes("approve"), votes("reject"), votes("abstain")},
		"json":   {says(`{"a":1,"b":2}`), says(`{"b":2,"a":1}`), says(`{"a":2}`), says("{")},
	}
	trouble := []behaviour{fails(500), fails(401), says(""), sends("garbage"), says("Her SSN is 563-21-3271 and her card 4532756279624064. The answer is 42.")}
	var mu sync.Mutex
	early, rounds := 0, 0
	t.Cleanup(func() {
		if early == 0 || early == rounds {
			t.Errorf("%d of %d rounds were decided early: this shows nothing", early, rounds)
		}
	})
	for seed := range uint64(6) {
		weights := []string{"tier", "earned"}[seed%2]
		t.Run(fmt.Sprintf("%s weights, seed %d", weights, seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 7))
			var panel []*companion
			for i := range 2 + rng.IntN(6) {
				c := newCompanion(t, quorum.Companion{ID: quorum.CompanionID(fmt.Sprint("C", i)), Vendor: fmt.Sprint("vendor", rng.IntN(4)), Tier: quorum.Tiers[rng.IntN(4)]}, nil)
				// A breaker that opens in between would make two panels of one.
				c.reach(t, c.url, fanout.LineConfig{Breaker: fanout.BreakerConfig{Failures: 1000}})
				panel = append(panel, c)
			}
			r := start(t, setup{panel: panel, unsampled: true, policy: func(p *quorum.Policy) { p.AnswerWeights = weights }})
			for round := range 10 {
				kind := kinds[weights][rng.IntN(len(kinds[weights]))]
				tier := quorum.Tiers[rng.IntN(4)]
				body := fmt.Sprintf(`{"prompt":"Question %d?","kind":%q,"context":{"tier":%q},"wait":`, round, kind, tier)
				says := make([]behaviour, len(panel))
				for i := range panel {
					if says[i] = said[kind][rng.IntN(len(said[kind]))]; rng.IntN(6) == 0 {
						says[i] = trouble[rng.IntN(len(trouble))]
					}
				}
				answer := func(wait string) (leader, outcome string) {
					// Only who is seated takes a turn.
					turns, order := newTurns(len(panel)), rng.Perm(len(panel))
					turn := 0
					for _, i := range order {
						if panel[i].Tier >= r.settings.Policy.Tier(tier).Rule.Floor {
							panel[i].does(turns.at(turn, says[i]))
							turn++
						}
					}
					d := r.ask(body + `"` + wait + `"}`)
					if wait == "decided" {
						mu.Lock()
						rounds++
						if d.Consensus.AgreementIsBound {
							early++
						}
						mu.Unlock()
					}
					if len(d.Positions) > 0 {
						leader = d.Positions[0].Answer
					}
					return leader, fmt.Sprintf("%s, decision %q, value %q", d.Status, d.Decision, d.Value)
				}
				allLeader, all := answer("all")
				decidedLeader, decided := answer("decided")
				if all != decided || allLeader != decidedLeader {
					t.Errorf("%s: all: %s, leader %q; decided: %s, leader %q", body, all, allLeader, decided, decidedLeader)
				}
			}
		})
	}
}
