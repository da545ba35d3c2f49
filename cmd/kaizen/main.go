// Command kaizen is the deliberation gateway and everything around it: it serves,
// asks, verifies ledgers, and simulates companions.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		// A second interrupt, from a person who will not wait, ends the process at
		// once, from before anybody can see that the first has come. A second SIGTERM
		// does not: supervisors send it more than once.
		signal.Reset(os.Interrupt)
		stop()
	}()
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(endWith(os.Stderr, err))
}

// run is the program without its process: it returns what it would exit with.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) error {
	root := &cobra.Command{
		Use:   "kaizen",
		Short: "One URL in front of many AI models, and a ledger of what they decided",
		Long: `Kaizen puts a prompt to a panel of AI models (companions) at once, scores each reply
against the seven clauses of the Custos Charter, weighs the replies, works out what
they agree on and how surely, and keeps a proof in a ledger that anyone can verify.

Start with:  kaizen serve      and in another terminal:  kaizen ask "What is 17 * 23?"`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exitError{exitUsage, err} })
	root.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return &exitError{exitUsage, errors.New("unknown command " + args[0] + "; see kaizen --help")}
		}
		return nil
	}
	root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	root.AddCommand(newServeCommand(), newAskCommand(), newVerifyCommand(), newLedgerCommand(), newWitnessCommand(),
		newEraseCommand(), newBackupCommand(), newRestoreCommand(), newScoreCommand(), newCalibrateCommand(), newKeygenCommand(), newMCPCommand(), newSimCommand(), newBenchCommand(), newEvalCommand(),
		newRunLimitedCommand())
	return root.ExecuteContext(ctx)
}

// noArgs is cobra.NoArgs as an error of the command line.
func noArgs(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return &exitError{exitUsage, err}
	}
	return nil
}
