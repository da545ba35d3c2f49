package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/store/witness"
)

func newVerifyCommand() *cobra.Command {
	var key, entry, leaf, remember string
	var witnessKeys []string
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
	cmd.Flags().StringArrayVar(&witnessKeys, "witness", nil, "a witness's public key in note form, or a file that holds it: the checkpoint must carry its cosignature; give it once for each")
	cmd.Flags().StringVar(&remember, "remember", "", "with a ledger: the file that keeps its checkpoint from one time to the next")
	cmd.Flags().StringVar(&entry, "entry", "", "with a receipt: the file that holds the entry")
	cmd.Flags().StringVar(&leaf, "leaf", "", "with a receipt: proof.leafHash of the gateway's answer")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		trust, err := newTrust(key, witnessKeys)
		if err != nil {
			return err
		}
		if !strings.Contains(args[0], "://") {
			info, err := os.Stat(args[0])
			if err != nil {
				return fmt.Errorf("verify: %w", err)
			}
			if !info.IsDir() {
				return verifyReceipt(cmd, args[0], entry, leaf, trust)
			}
		}
		return verifyLedger(cmd, args[0], remember, trust)
	}
	return cmd
}

// A trust is whose signatures the user goes by.
type trust struct {
	log       note.Verifier // nil where none was given
	witnesses []witness.Verifier
}

func newTrust(key string, witnessKeys []string) (trust, error) {
	var t trust
	var err error
	if t.log, err = verifierFrom(key); err != nil {
		return t, err
	}
	for _, k := range witnessKeys {
		text, err := keyText("--witness", k)
		if err != nil {
			return t, err
		}
		v, err := witness.NewVerifier(text)
		if err != nil {
			return t, &exitError{exitUsage, fmt.Errorf("--witness: %w", err)}
		}
		t.witnesses = append(t.witnesses, v)
	}
	return t, nil
}

// cosigned wants every witness's cosignature under a checkpoint, and says since
// when it has them.
func (t trust) cosigned(out io.Writer, signed []byte) error {
	times, err := witness.Check(signed, t.witnesses...)
	if err != nil {
		return fmt.Errorf("the checkpoint: %w", err)
	}
	for i, at := range times {
		fmt.Fprintf(out, "cosigned by %s at %s\n", t.witnesses[i].Name(), at.UTC().Format(time.RFC3339))
	}
	return nil
}

// verifierFrom reads a key given on the command line; nil if there is none.
func verifierFrom(key string) (note.Verifier, error) {
	if key == "" {
		return nil, nil
	}
	text, err := keyText("--key", key)
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("--key: %w", err)}
	}
	return v, nil
}

// keyText is a public key that was given itself, or as the file that holds it.
func keyText(flag, key string) (string, error) {
	text, err := readBounded(key, maxSecretBytes)
	switch {
	case err == nil:
		return string(bytes.TrimSpace(text)), nil
	case !strings.Contains(key, "+"):
		return "", &exitError{exitUsage, fmt.Errorf("%s is neither a file nor a key in note form: %w", flag, err)}
	}
	return key, nil
}
