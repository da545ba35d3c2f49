package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/quorum/state"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/mirror"
)

// verifyLedger goes through a whole ledger, wherever it is, and judges every
// verdict in it again.
func verifyLedger(cmd *cobra.Command, where, remember string, trust trust) error {
	place, err := findLedger(cmd.Context(), where)
	if err != nil {
		return err
	}
	defer place.close()
	verifier, attested := trust.log, "by the key you gave"
	if verifier == nil {
		if verifier, err = place.ownKey(cmd.Context()); err != nil {
			return err
		}
		attested = "by the ledger's own word for its key: self-attested, give --key to check whose it is"
	}
	earlier, err := place.earlier(verifier)
	if err != nil {
		return err
	}
	if remember != "" {
		c, ok, err := readNote(remember, verifier)
		if err != nil {
			return err
		}
		if ok {
			earlier = append(earlier, ledger.Earlier{Checkpoint: c, Where: remember})
		}
	}
	var audit state.Auditor
	c, signed, err := place.verify(cmd.Context(), verifier, earlier, audit.Visit)
	if err != nil {
		return notVerified(where, err)
	}
	var cosigned strings.Builder
	if err := trust.cosigned(&cosigned, place.published(signed)); err != nil {
		return notVerified(where, err)
	}
	if remember != "" {
		if err := store.ReplaceFile(vfs.Default, remember, signed); err != nil {
			return fmt.Errorf("the ledger verifies, and its checkpoint could not be kept: %w", err)
		}
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "ledger %s: %d entries, root %s\n", where, c.Size, c.Root)
	fmt.Fprintf(out, "signed %s (%s)\n", attested, verifier.Name())
	fmt.Fprint(out, &cosigned)
	for _, e := range earlier {
		fmt.Fprintf(out, "goes on from the %d entries in %s\n", e.Size, e.Where)
	}
	fmt.Fprintf(out, "%d verdicts decided again: each follows from its recorded ballots and weights\n", audit.Proofs)
	for _, t := range slices.Sorted(maps.Keys(audit.Records)) {
		fmt.Fprintf(out, "  %6d %s\n", audit.Records[t], t)
	}
	fmt.Fprintln(out, "OK")
	return nil
}

func notVerified(where string, err error) error {
	switch {
	case errors.Is(err, store.ErrLocked):
		return fmt.Errorf("%s is in use by a running gateway: stop it first, or verify what it serves: kaizen verify http://…/ledger", where)
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	}
	return errors.New("the ledger does not verify: " + oneLine(err.Error())) // Pebble's errors run over several lines
}

// A place is where a ledger is: behind a URL, in a static folder, or in a data
// folder, of which more is checked than a stranger sees.
type place struct {
	source mirror.Source // nil for a data folder
	data   string        // the data folder
	close  func()
}

// findLedger tells what kind of place where is.
func findLedger(ctx context.Context, where string) (*place, error) {
	if strings.Contains(where, "://") {
		web, err := findWeb(ctx, where)
		if err != nil {
			return nil, err
		}
		return &place{source: web, close: web.Close}, nil
	}
	nothing := func() {}
	if _, err := os.Stat(filepath.Join(where, ledger.StoreDir)); err == nil {
		return &place{data: where, close: nothing}, nil
	}
	folder := mirror.Folder(where)
	if _, err := folder.Checkpoint(ctx); err == nil {
		return &place{source: folder, close: nothing}, nil
	}
	return nil, fmt.Errorf("%s holds no ledger: neither a gateway's data folder nor an exported one", where)
}

// findWeb takes a log's URL, or that of the gateway which serves it under /ledger.
func findWeb(ctx context.Context, where string) (*mirror.Web, error) {
	web, err := mirror.NewWeb(where, nil)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	_, err = web.Checkpoint(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		under, badURL := mirror.NewWeb(strings.TrimRight(where, "/")+"/ledger", nil)
		if badURL == nil {
			if _, err := under.Checkpoint(ctx); err == nil {
				web.Close()
				return under, nil
			}
			under.Close()
		}
	}
	if err != nil {
		web.Close()
		return nil, fmt.Errorf("there is no ledger at %s: %w", where, err)
	}
	return web, nil
}

// ownKey is what the place itself names as the ledger's key.
func (p *place) ownKey(ctx context.Context) (note.Verifier, error) {
	if p.source == nil {
		v, err := ledger.ReadVerifier(p.data, nil)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s is no data folder of a gateway: %s is missing; give the ledger's key with --key", p.data, ledger.PubFile)
		}
		return v, err
	}
	text, err := p.source.Key(ctx)
	if err != nil {
		return nil, fmt.Errorf("the ledger does not say what its key is; give it with --key (%w)", err)
	}
	v, err := note.NewVerifier(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("what the ledger names as its key is none: %w", err)
	}
	return v, nil
}

// earlier are the checkpoints that lie beside the ledger: the one that was shown
// last, and the guard's. That is never ahead of what was durable: what a store with
// a damaged log has lost at its end shows there only.
func (p *place) earlier(verifier note.Verifier) (all []ledger.Earlier, err error) {
	if p.source != nil {
		return nil, nil
	}
	for _, name := range []string{ledger.GuardFile, ledger.CosignedFile} {
		c, ok, err := readNote(filepath.Join(p.data, name), verifier)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, ledger.Earlier{Checkpoint: c, Where: name})
		}
	}
	return all, nil
}

// published is the checkpoint that the ledger shows: the signed one, or the one
// that its witnesses have cosigned since.
func (p *place) published(signed []byte) []byte {
	if p.source == nil {
		if cosigned, err := readBounded(filepath.Join(p.data, ledger.CosignedFile), maxNote); err == nil {
			return cosigned
		}
	}
	return signed
}

// maxNote bounds a checkpoint with its cosignatures.
const maxNote = 64 << 10

// readNote reads a checkpoint that was kept in a file; ok is false if there is
// no file.
func readNote(path string, verifier note.Verifier) (c ledger.Checkpoint, ok bool, err error) {
	text, err := readBounded(path, maxNote)
	if errors.Is(err, fs.ErrNotExist) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	if c, err = ledger.ParseCheckpoint(text, verifier); err != nil {
		return c, false, fmt.Errorf("%s: %w", path, err)
	}
	return c, true, nil
}

// verify goes through the ledger; visit is given each entry.
func (p *place) verify(ctx context.Context, verifier note.Verifier, earlier []ledger.Earlier, visit func(uint64, []byte) error) (ledger.Checkpoint, []byte, error) {
	if p.source != nil {
		return mirror.Verify(ctx, p.source, mirror.Options{Verifier: verifier, Earlier: earlier, Visit: visit})
	}
	c, err := ledger.Verify(p.data, nil, verifier, func(index uint64, _ int64, leaf []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return visit(index, leaf)
	}, earlier...)
	if err != nil {
		return c, nil, err
	}
	r, err := ledger.OpenReader(p.data, nil, verifier)
	if err != nil {
		return c, nil, err
	}
	return c, slices.Clone(r.Checkpoint()), r.Close()
}
