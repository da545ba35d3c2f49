package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kaizen-os/deliberation/bench/floor"
	"github.com/kaizen-os/deliberation/bench/load"
	"github.com/kaizen-os/deliberation/bench/sim"
)

func newBenchCommand() *cobra.Command {
	var o struct {
		short    bool
		markdown string
		dir      string
	}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the gateway against a bare fan-out, on this machine",
		Long: `Measure, in one run on this machine: the floor (a bare fan-out that neither parses,
scores nor stores) and the gateway with everything on, over the same companions; print
throughput, latencies, CPU and memory, the ratio to the floor, and the goals. Each part
runs as a process of its own on loopback. About eight minutes; --short about one.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := runBench(cmd.Context(), o.short, o.dir, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if o.markdown != "" {
				if err := writeFile(o.markdown, report.WriteMarkdown); err != nil {
					return err
				}
			}
			return report.WriteText(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&o.short, "short", false, "a minute in place of eight: to see that it works, not to quote")
	cmd.Flags().StringVar(&o.markdown, "markdown", "", "also write the report to this file, as markdown")
	cmd.Flags().StringVar(&o.dir, "dir", "", "where the gateway's data is kept while it is measured (default: a temporary folder)")
	cmd.AddCommand(newBenchFloorCommand(), newBenchFleetCommand())
	return cmd
}

func runBench(ctx context.Context, short bool, dir string, progress io.Writer) (*load.Report, error) {
	work, err := os.MkdirTemp(dir, "kaizen-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &runner{self: self, dir: work, errOut: progress}
	command := "kaizen bench"
	if short {
		command += " --short"
	}
	return load.Bench(ctx, load.Config{
		Starters: load.Starters{Companions: r.fleet, Floor: r.floor, Gateway: r.gateway},
		Short:    short, Dir: work, Command: command, Progress: progress,
	})
}

// A runner starts this very program as the processes that are measured.
type runner struct {
	self, dir string
	errOut    io.Writer
	gateways  int
}

func (r *runner) fleet(ctx context.Context, spec load.FleetSpec) (load.Fleet, error) {
	p, err := load.Start(ctx, load.Command{Stderr: r.errOut, Argv: []string{r.self, "bench", "fleet",
		fmt.Sprintf("--count=%d", spec.Count), fmt.Sprintf("--bytes=%d", spec.Fixed), "--latency=" + spec.Latency.String(), fmt.Sprintf("--seed=%d", spec.Seed)}})
	if err != nil {
		return load.Fleet{}, err
	}
	endpoints, err := p.Ready.Endpoints(spec)
	if err != nil {
		p.Stop()
		return load.Fleet{}, err
	}
	return load.Fleet{Companions: endpoints, Pid: p.Pid, Stop: p.Stop}, nil
}

func (r *runner) floor(ctx context.Context, companions []string) (load.Target, error) {
	p, err := load.Start(ctx, load.Command{Stderr: r.errOut, Argv: []string{r.self, "bench", "floor", "--companions=" + strings.Join(companions, ",")}})
	if err != nil {
		return load.Target{}, err
	}
	return load.Target{Name: "floor", URL: p.Ready.URL, Pid: p.Pid, Stop: p.Stop}, nil
}

// gateway starts kaizen serve as an operator would, with an empty data folder.
func (r *runner) gateway(ctx context.Context, panel []sim.Endpoint) (load.Target, error) {
	api, err := freeAddress()
	if err != nil {
		return load.Target{}, err
	}
	admin, err := freeAddress()
	if err != nil {
		return load.Target{}, err
	}
	r.gateways++
	home := filepath.Join(r.dir, fmt.Sprintf("gateway-%d", r.gateways))
	if err := os.MkdirAll(home, 0o700); err != nil {
		return load.Target{}, err
	}
	config := filepath.Join(home, "kaizen.yaml")
	err = writeFile(config, func(w io.Writer) error {
		fmt.Fprintf(w, "listen: %s\nadmin: %s\ndata: %q\nlogLevel: warn\nlimits: {inFlight: 1024}\n", api, admin, filepath.Join(home, "data"))
		return writeCompanions(w, panel)
	})
	if err != nil {
		return load.Target{}, err
	}
	p, err := load.Start(ctx, load.Command{Stderr: r.errOut, Argv: []string{r.self, "serve", "--config", config}, ReadyURL: "http://" + api + "/ready"})
	if err != nil {
		return load.Target{}, err
	}
	stop := func() error {
		err := p.Stop()
		os.RemoveAll(home)
		return err
	}
	return load.Target{Name: "gateway", URL: "http://" + api, Pid: p.Pid, Metrics: "http://" + admin + "/metrics", Stop: stop}, nil
}

// freeAddress is a loopback address that nobody listens on, a moment ago.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	if err := write(w); err != nil {
		f.Close()
		return err
	}
	if err := w.Flush(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// newBenchFloorCommand runs the floor, for bench.
func newBenchFloorCommand() *cobra.Command {
	var companions []string
	cmd := &cobra.Command{Use: "floor", Short: "The bare fan-out, as a process of its own", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := floor.Start(floor.Config{Companions: companions})
			if err != nil {
				return err
			}
			if err := load.WriteReady(cmd.OutOrStdout(), load.Ready{URL: s.URL()}); err != nil {
				return err
			}
			return untilAlone(cmd, s.Close)
		}}
	cmd.Flags().StringSliceVar(&companions, "companions", nil, "their origins")
	return cmd
}

// newBenchFleetCommand runs companions, for bench.
func newBenchFleetCommand() *cobra.Command {
	var spec load.FleetSpec
	var latency string
	cmd := &cobra.Command{Use: "fleet", Short: "Companions, as a process of their own", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if spec.Latency, err = sim.ParseLatency(latency); err != nil {
				return &exitError{exitUsage, err}
			}
			s, err := sim.Start(sim.Config{Companions: spec.Companions(), Seed: spec.Seed})
			if err != nil {
				return err
			}
			if err := load.WriteReady(cmd.OutOrStdout(), load.ReadyFleet(s.Endpoints())); err != nil {
				return err
			}
			return untilAlone(cmd, s.Close)
		}}
	cmd.Flags().IntVar(&spec.Count, "count", 5, "how many")
	cmd.Flags().IntVar(&spec.Fixed, "bytes", 0, "of a constant reply")
	cmd.Flags().StringVar(&latency, "latency", sim.Fixed(0).String(), "how long each takes")
	cmd.Flags().Uint64Var(&spec.Seed, "seed", 1, "of latencies and thoughts")
	return cmd
}

// untilAlone waits for a signal or for the end of standard input, which closes
// with the process that started this one, and then closes.
func untilAlone(cmd *cobra.Command, close func() error) error {
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	go func() {
		io.Copy(io.Discard, cmd.InOrStdin())
		cancel()
	}()
	<-ctx.Done()
	return close()
}
