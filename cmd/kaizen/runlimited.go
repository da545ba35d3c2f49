package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	coderun "github.com/kaizen-os/deliberation/scoring/run"
)

// runLimited is the command by which the gateway starts this program again, as
// what stands between it and the code that it runs.
const runLimited = "run-limited"

// newRunner is the runner that the configuration asks for; nil for none.
func newRunner(cfg *RunnerConfig) (*coderun.Runner, error) {
	if cfg == nil {
		return nil, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("code.runner: find this program: %w", err)
	}
	// The code runs as the same user, who may read what a process was started
	// with and holds in memory: keys.
	if err := coderun.Conceal(); err != nil {
		return nil, fmt.Errorf("code.runner: %w", err)
	}
	r, err := coderun.New(coderun.Config{Command: cfg.Command, Timeout: cfg.Timeout, Memory: cfg.Memory, Output: cfg.Output, Parallel: cfg.Parallel,
		Launcher: []string{self, runLimited}})
	if err != nil {
		return nil, fmt.Errorf("code.runner.command: %w", err)
	}
	return r, nil
}

func newRunLimitedCommand() *cobra.Command {
	return &cobra.Command{
		Use:                runLimited + " LIMITS -- COMMAND",
		Short:              "Run a command under limits, for the gateway",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if code := coderun.Supervise(args); code != 0 {
				return &exitError{Code: code}
			}
			return nil
		},
	}
}
