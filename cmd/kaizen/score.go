package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/kaizen-os/deliberation/gateway"
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
	v := gateway.Explain(charter.New(), quorum.DefaultPolicy(), text, tier)
	if asJSON {
		_, err := out.Write(append(v.AppendTo(nil), '\n'))
		return err
	}
	_, err := out.Write(appendScore(nil, v, text, paintFor(out)))
	return err
}
