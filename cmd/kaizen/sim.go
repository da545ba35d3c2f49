package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/kaizen-os/deliberation/bench/sim"
)

func newSimCommand() *cobra.Command {
	var o struct {
		replay, latency, host string
		companions, bytes     int
		port                  int
		seed                  uint64
	}
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Run simulated companions, or ones that replay recorded replies",
		Long: `Run companions on loopback, one HTTP server each, in the companion protocol and as
OpenAI chat completions: eight simulated ones, or with --replay one a model of a file of
recorded replies. Prints the companions: section of a configuration for them, and runs
until it is stopped.`,
		Example: `  kaizen sim --port 7001
  kaizen sim --replay recorded.jsonl.gz > companions.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			companions := sim.Default()
			if o.replay != "" {
				var err error
				if companions, err = sim.Replay(o.replay); err != nil {
					return err
				}
			}
			if o.companions > 0 {
				if o.companions > len(companions) {
					return &exitError{exitUsage, fmt.Errorf("--companions: there are %d", len(companions))}
				}
				companions = companions[:o.companions]
			}
			for i := range companions {
				if o.latency != "" {
					l, err := sim.ParseLatency(o.latency)
					if err != nil {
						return &exitError{exitUsage, err}
					}
					companions[i].Latency = l
				}
				companions[i].Fixed = o.bytes
			}
			s, err := sim.Start(sim.Config{Companions: companions, Host: o.host, BasePort: o.port, Seed: o.seed})
			if err != nil {
				return err
			}
			if err := writeCompanions(cmd.OutOrStdout(), s.Endpoints()); err != nil {
				return errors.Join(err, s.Close())
			}
			<-cmd.Context().Done()
			return s.Close()
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.replay, "replay", "", "a file of recorded replies (JSON lines, gzip), one companion a model")
	f.StringVar(&o.latency, "latency", "", "how long each takes, such as "+sim.Fixed(20*time.Millisecond).String())
	f.StringVar(&o.host, "host", "127.0.0.1", "address to listen on")
	f.IntVar(&o.port, "port", 0, "the first companion's port; the next has the next (default: any free ones)")
	f.IntVar(&o.companions, "companions", 0, "only the first so many")
	f.IntVar(&o.bytes, "bytes", 0, "answer with a constant text of so many bytes")
	f.Uint64Var(&o.seed, "seed", 1, "of what they think and how long they take")
	return cmd
}

// writeCompanions writes running companions as the companions: section of a
// configuration, without limits that a load would meet.
func writeCompanions(w io.Writer, endpoints []sim.Endpoint) error {
	if _, err := fmt.Fprintln(w, "companions:"); err != nil {
		return err
	}
	for _, e := range endpoints {
		weight := ""
		if e.Weight != "" {
			weight = fmt.Sprintf(", weight: %q", e.Weight)
		}
		_, err := fmt.Fprintf(w, "  - {id: %s, provider: kaizen, endpoint: %q, model: %q, tier: %s, vendor: %s, family: %s%s, sentinel: %t,\n     limits: {perSecond: 100000, burst: 100000, inFlight: 4096}, price: {input: %q, output: %q}}\n",
			e.ID, e.URL, e.Model, e.Tier, e.Vendor, e.Family, weight, e.Sentinel, e.Price.Input, e.Price.Output)
		if err != nil {
			return err
		}
	}
	return nil
}
