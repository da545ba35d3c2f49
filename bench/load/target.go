package load

import (
	"context"
	"fmt"

	"github.com/kaizen-os/deliberation/bench/sim"
)

// A Target is a server to measure, running in a process of its own.
type Target struct {
	Name    string
	URL     string // origin
	Key     string // Authorization: Bearer, if it wants one
	Pid     int
	Metrics string // address of its Prometheus metrics with go_memstats; "" if none
	Stop    func() error
}

// A Fleet is companions running in one process of their own.
type Fleet struct {
	Companions []sim.Endpoint
	Pid        int
	Stop       func() error
}

// A FleetSpec says which companions to start: with Fixed, constant replies;
// without, simulated minds. Text forms of the fields make a command line.
type FleetSpec struct {
	Count   int
	Fixed   int // bytes of a reply's text; 0 has it thought up
	Latency sim.Latency
	Seed    uint64
}

// Companions are the fleet's: the default eight, over and over under new names.
func (spec FleetSpec) Companions() []sim.Companion {
	base := sim.Default()
	companions := make([]sim.Companion, spec.Count)
	for i := range companions {
		c := base[i%len(base)]
		if round := i / len(base); round > 0 {
			c.ID += sim.IDFor(fmt.Sprint(round + 1))
			c.Family += fmt.Sprint(round + 1)
		}
		c.Fixed, c.Latency = spec.Fixed, spec.Latency
		companions[i] = c
	}
	return companions
}

// Starters start what Bench measures. Each returns when the process accepts
// requests.
type Starters struct {
	Companions func(ctx context.Context, spec FleetSpec) (Fleet, error)

	// Floor starts bench/floor over companions at those origins.
	Floor func(ctx context.Context, companions []string) (Target, error)

	// Gateway starts a gateway with an empty, durable store and a panel of just
	// these companions, without limits on how often each may be asked.
	Gateway func(ctx context.Context, panel []sim.Endpoint) (Target, error)
}
