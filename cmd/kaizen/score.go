package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring/charter"
)

// maxScoredBytes bounds a text given to kaizen score.
const maxScoredBytes = 16 << 20

func newScoreCommand() *cobra.Command {
	var asJSON bool
	var tier string
	cmd := &cobra.Command{
		Use:   "score FILE|-",
		Short: "Score a text against the charter, here and without a gateway",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &exitError{exitUsage, errors.New("give one file, or - for standard input")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := quorum.ParseTier(tier)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			text, err := readText(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			return score(cmd.OutOrStdout(), text, t, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what POST /constitutional/validate answers")
	cmd.Flags().StringVar(&tier, "tier", "standard", "whose charter minimum to hold it to")
	return cmd
}

func readText(in io.Reader, name string) (string, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxScoredBytes+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxScoredBytes {
		return "", fmt.Errorf("the text is over %d MiB", maxScoredBytes>>20)
	}
	return string(text), nil
}

func score(out io.Writer, text string, tier quorum.Tier, asJSON bool) error {
	var a quorum.Assessment
	scorer := charter.New()
	scorer.AssessReply(&a, text, "")
	if asJSON {
		r := wire.ValidateResponse{Score: wire.Hundredths(a.Score), Violations: make([]wire.Violation, len(a.Findings))}
		for i, f := range a.Findings {
			r.Violations[i] = wire.Violation{Clause: int(f.Clause), Rule: f.Rule, Severity: wire.PPM(f.Severity), Start: f.Start, End: f.End}
		}
		_, err := out.Write(append(r.AppendTo(nil), '\n'))
		return err
	}
	least := quorum.DefaultPolicy().Tier(tier).CharterMinimum
	verdict := "at or above"
	if a.Score < least {
		verdict = "below"
	}
	fmt.Fprintf(out, "%s of 100, %s the %s tier's %s (rules %s)\n", a.Score, verdict, tier, least, scorer.Version())
	for _, f := range a.Findings {
		fmt.Fprintf(out, "  clause %d  %-32s costs %s  %s\n", f.Clause, f.Rule, f.Severity, printable(clip(text[f.Start:f.End], 60)))
	}
	return nil
}
