package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"
)

func newVerifyCommand() *cobra.Command {
	var key, entry, leaf, remember string
	cmd := &cobra.Command{
		Use:   "verify URL|DIR|RECEIPT",
		Short: "Check a ledger, or one receipt, without trusting who keeps it",
		Long: `Check a ledger from its first record to its last: every hash, the root, the
checkpoint's signature, and every verdict, decided again from its recorded ballots and
weights. It may be behind a URL, in a folder that kaizen ledger export has written, or
in a data folder that no gateway has open.

With --remember, the checkpoint is kept in a file when all is well, and the ledger
must go on from the one that was kept there before.

Or check one receipt offline: that its entry is in the log that its checkpoint is
signed for, and that the texts it opens are those that the entry commits to. The entry
is the one that the receipt carries, one in a file (--entry), or known by the leaf
hash that the gateway answered (--leaf).

Without --key, the ledger's own word for its key is taken: that shows that it is
whole, not whose it is.`,
		Example: `  kaizen verify http://127.0.0.1:8080/ledger --remember checkpoint.txt
  kaizen verify ./data --key kaizen-os.civic.ai/ledger+af2c…+Af…
  kaizen verify receipt.txt --key ledger.pub`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &exitError{exitUsage, errors.New("give one URL, folder or receipt: kaizen verify ./data")}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the log's public key in note form, or a file that holds it")
	cmd.Flags().StringVar(&remember, "remember", "", "with a ledger: the file that keeps its checkpoint from one time to the next")
	cmd.Flags().StringVar(&entry, "entry", "", "with a receipt: the file that holds the entry")
	cmd.Flags().StringVar(&leaf, "leaf", "", "with a receipt: proof.leafHash of the gateway's answer")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		verifier, err := verifierFrom(key)
		if err != nil {
			return err
		}
		if !strings.Contains(args[0], "://") {
			info, err := os.Stat(args[0])
			if err != nil {
				return fmt.Errorf("verify: %w", err)
			}
			if !info.IsDir() {
				return verifyReceipt(cmd, args[0], entry, leaf, verifier)
			}
		}
		return verifyLedger(cmd, args[0], remember, verifier)
	}
	return cmd
}

// verifierFrom reads a key given on the command line; nil if there is none.
func verifierFrom(key string) (note.Verifier, error) {
	if key == "" {
		return nil, nil
	}
	if text, err := os.ReadFile(key); err == nil {
		key = string(bytes.TrimSpace(text))
	} else if !strings.Contains(key, "+") {
		return nil, &exitError{exitUsage, fmt.Errorf("--key is neither a file nor a key in note form: %w", err)}
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("--key: %w", err)}
	}
	return v, nil
}
