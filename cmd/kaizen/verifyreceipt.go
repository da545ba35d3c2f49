package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/merkle"
)

// maxReceipt bounds a receipt with the largest texts opened in it, in base64.
const maxReceipt = 16 << 20

// verifyReceipt checks one receipt: whose checkpoint, which entry, and what the
// texts in it are worth.
func verifyReceipt(cmd *cobra.Command, file, entry, leaf string, trust trust) error {
	verifier := trust.log
	if verifier == nil {
		return &exitError{exitUsage, errors.New("a receipt is checked against the log's public key: give --key (GET /ledger/key has it, as has ledger.pub)")}
	}
	text, err := readBounded(file, maxReceipt)
	if err != nil {
		return err
	}
	proof, err := ledger.ParseProof(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	out := cmd.OutOrStdout()
	var carried *quorum.Disclosure
	if len(proof.Extra) > 0 {
		if carried, err = quorum.ParseDisclosure(proof.Extra); err != nil {
			return fmt.Errorf("%s: extra (line 2): %w", file, err)
		}
	}
	var c ledger.Checkpoint
	switch {
	case leaf != "":
		raw, decodeErr := base64.StdEncoding.DecodeString(leaf)
		if decodeErr != nil || len(raw) != len(merkle.Hash{}) {
			return &exitError{exitUsage, errors.New("--leaf: want the base64 of a 32-byte hash, as in proof.leafHash")}
		}
		if carried != nil && quorum.LeafHash(carried.Entry) != [32]byte(raw) {
			return fmt.Errorf("%s: the entry in it (line 2) does not have the hash %s", file, leaf)
		}
		c, err = proof.VerifyHash(merkle.Hash(raw), verifier)
	case entry != "":
		data, readErr := readBounded(entry, quorum.MaxLeaf)
		if readErr != nil {
			return readErr
		}
		if carried != nil && string(carried.Entry) != string(data) {
			return fmt.Errorf("%s: the entry in it (line 2) is not the one in %s", file, entry)
		}
		c, err = proof.Verify(data, verifier)
	case carried != nil:
		c, err = proof.Verify(carried.Entry, verifier)
	default:
		if c, err = ledger.ParseCheckpoint(proof.Checkpoint, verifier); err == nil {
			fmt.Fprintf(out, "the checkpoint over %d entries is signed by %s; the receipt carries no entry: give --leaf HASH or --entry FILE to check that entry %d is yours\n", c.Size, verifier.Name(), proof.Index)
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var cosigned strings.Builder
	if err := trust.cosigned(&cosigned, proof.Checkpoint); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if carried != nil {
		rec, at, err := carried.Check()
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		writeDisclosed(out, carried, rec, at)
	}
	fmt.Fprint(out, &cosigned)
	fmt.Fprintf(out, "entry %d is in the log of %d entries signed by %s\nOK\n", proof.Index, c.Size, verifier.Name())
	return nil
}

// writeDisclosed says what the entry is, and shows the texts that were opened.
func writeDisclosed(out io.Writer, d *quorum.Disclosure, rec quorum.Record, at int64) {
	when := time.UnixMilli(at).UTC().Format(time.RFC3339)
	if p, ok := rec.(*quorum.Proof); ok {
		fmt.Fprintf(out, "deliberation %s of %s, tier %s: %s, agreement %s\n", p.ID, when, p.Tier, p.Verdict.Status, p.Verdict.Agreement)
	} else {
		fmt.Fprintf(out, "record %s of %s\n", rec.Type(), when)
	}
	for _, o := range d.Opened {
		fmt.Fprintf(out, "%s, as the entry commits to it:\n", o.Field)
		writeQuoted(out, o.Text)
	}
	if len(d.Opened) == 0 {
		fmt.Fprintln(out, "no text is opened in it")
	}
}

// writeQuoted writes text with a mark before each line, so that no line of it
// passes for one of ours.
func writeQuoted(out io.Writer, text string) {
	for line := range strings.Lines(printable(text)) {
		fmt.Fprintf(out, "  > %s\n", strings.TrimRight(line, "\n"))
	}
}
