package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/state"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/merkle"
)

func newVerifyCommand() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "verify DIR|RECEIPT",
		Short: "Check a ledger, or one receipt, without trusting who keeps it",
		Long: `Check a ledger's data folder from its first record to its last: every hash, the
root, the checkpoint's signature, and every verdict, decided again from its recorded
ballots and weights. No gateway may have the folder open.

Or check one receipt offline: that the entry with the leaf hash that the gateway
answered (--leaf), or the entry in a file (--entry), is in the log that the receipt's
checkpoint is signed for.

Without --key, the folder's own ledger.pub is used: that shows that the ledger is
whole, not whose it is.`,
		Example: `  kaizen verify ./data
  kaizen verify ./data --key kaizen-os.civic.ai/ledger+af2c…+Af…
  kaizen verify receipt.txt --key ledger.pub --leaf 4UOEeyX7x3t6aW84…=`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &exitError{exitUsage, errors.New("give one data folder or receipt: kaizen verify ./data")}
			}
			return nil
		},
	}
	var entry, leaf string
	cmd.Flags().StringVar(&key, "key", "", "the log's public key in note form, or a file that holds it")
	cmd.Flags().StringVar(&entry, "entry", "", "with a receipt: the file that holds the entry")
	cmd.Flags().StringVar(&leaf, "leaf", "", "with a receipt: proof.leafHash of the gateway's answer")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		info, err := os.Stat(args[0])
		if err != nil {
			return fmt.Errorf("verify: %w", err)
		}
		verifier, err := verifierFrom(key)
		if err != nil {
			return err
		}
		if info.IsDir() {
			return verifyFolder(cmd, args[0], verifier)
		}
		return verifyReceipt(cmd, args[0], entry, leaf, verifier)
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

func verifyFolder(cmd *cobra.Command, dir string, verifier note.Verifier) error {
	attested := "by the key you gave"
	if verifier == nil {
		v, err := ledger.ReadVerifier(dir, nil)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is no data folder of a gateway: %s is missing", dir, ledger.PubFile)
		}
		if err != nil {
			return err
		}
		verifier, attested = v, "by the folder's own key: self-attested, give --key to check whose it is"
	}
	signed, err := readGuard(dir, verifier)
	if err != nil {
		return err
	}
	var audit state.Auditor
	var tree merkle.Tree
	var root merkle.Hash // of as many entries as the guard says were signed
	drop := func(int, uint64, *[merkle.TileWidth]merkle.Hash) {}
	c, err := ledger.Verify(dir, nil, verifier, func(index uint64, _ int64, leaf []byte) error {
		if index < signed.Size {
			tree.Append(quorum.LeafHash(leaf), drop)
		}
		if index+1 == signed.Size {
			root = tree.Root()
		}
		return audit.Visit(index, leaf)
	})
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%s is in use by a running gateway: stop it first", dir)
	}
	if err != nil {
		return errors.New("the ledger does not verify: " + oneLine(err.Error())) // Pebble's errors run over several lines
	}
	switch {
	case signed.Size > c.Size:
		return fmt.Errorf("the ledger does not verify: it has %d entries, and %s holds a signature over %d: the last ones were lost, restore it from a backup", c.Size, ledger.GuardFile, signed.Size)
	case signed.Size > 0 && signed.Root != root:
		return fmt.Errorf("the ledger does not verify: its first %d entries are not those that %s holds a signature over", signed.Size, ledger.GuardFile)
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "ledger %s: %d entries, root %s\n", filepath.Join(dir, ledger.StoreDir), c.Size, c.Root)
	fmt.Fprintf(out, "signed %s (%s)\n", attested, verifier.Name())
	fmt.Fprintf(out, "%d verdicts decided again: each follows from its recorded ballots and weights\n", audit.Proofs)
	for _, t := range slices.Sorted(maps.Keys(audit.Records)) {
		fmt.Fprintf(out, "  %6d %s\n", audit.Records[t], t)
	}
	fmt.Fprintln(out, "OK")
	return nil
}

// readGuard reads the checkpoint in the folder's rollback guard, which is never
// ahead of what was durable: what a store with a damaged log has lost at its end
// shows here only. Its size is 0 when there is none.
func readGuard(dir string, verifier note.Verifier) (ledger.Checkpoint, error) {
	path := filepath.Join(dir, ledger.GuardFile)
	text, err := readBounded(path, 4096)
	if errors.Is(err, fs.ErrNotExist) {
		return ledger.Checkpoint{}, nil
	}
	if err != nil {
		return ledger.Checkpoint{}, err
	}
	c, err := ledger.ParseCheckpoint(text, verifier)
	if err != nil {
		return ledger.Checkpoint{}, fmt.Errorf("the ledger does not verify: %s: %w", path, err)
	}
	return c, nil
}

func verifyReceipt(cmd *cobra.Command, file, entry, leaf string, verifier note.Verifier) error {
	if verifier == nil {
		return &exitError{exitUsage, errors.New("a receipt is checked against the log's public key: give --key (GET /ledger/key has it, as has ledger.pub)")}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	proof, err := ledger.ParseProof(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var c ledger.Checkpoint
	out := cmd.OutOrStdout()
	switch {
	case entry != "":
		data, err := os.ReadFile(entry)
		if err != nil {
			return err
		}
		if c, err = proof.Verify(data, verifier); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	case leaf != "":
		raw, err := base64.StdEncoding.DecodeString(leaf)
		if err != nil || len(raw) != len(merkle.Hash{}) {
			return &exitError{exitUsage, errors.New("--leaf: want the base64 of a 32-byte hash, as in proof.leafHash")}
		}
		if c, err = proof.VerifyHash(merkle.Hash(raw), verifier); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	default:
		if c, err = ledger.ParseCheckpoint(proof.Checkpoint, verifier); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		fmt.Fprintf(out, "the checkpoint over %d entries is signed by %s; give --leaf HASH or --entry FILE to check that entry %d is yours\n", c.Size, verifier.Name(), proof.Index)
		return nil
	}
	fmt.Fprintf(out, "entry %d is in the log of %d entries signed by %s\nOK\n", proof.Index, c.Size, verifier.Name())
	return nil
}
