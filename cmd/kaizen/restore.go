package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/gateway"
	"github.com/kaizen-os/deliberation/quorum/state"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/ledger"
)

// stageDir is where the files lie, in the data folder, until they are verified.
const stageDir = "restore.part"

func newRestoreCommand() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "restore BACKUP DATA",
		Short: "Put a backup into a data folder, after verifying it",
		Long: `Put the ledger and the vault of a backup into the data folder DATA, which must have
neither. Every file is held against the SHA-256 in backup.json, and the ledger is read
from its first record to its last, as kaizen verify does, before anything is put there.

No key is in a backup: put ledger.key and vault.key (and steward.key, if it is to stay
the same) into DATA, too. If DATA has the rollback guard of a ledger that had gone on
after the backup, the gateway serves reads and refuses to sign, and says the way out.

A text that was erased after the backup was taken is back with it, for whoever has
vault.key: erase it again, and delete backups that are older than the retention of texts
(30 days).`,
		Example: `  kaizen restore /backups/monday ./data
  kaizen restore /backups/monday ./data --key kaizen-os.civic.ai/ledger+af2c…+Af…`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 || args[0] == "" || args[1] == "" {
				return &exitError{exitUsage, errors.New("give a backup and a data folder: kaizen restore BACKUP DATA")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			verifier, err := verifierFrom(key)
			if err != nil {
				return err
			}
			return restore(cmd.OutOrStdout(), filepath.Clean(args[0]), filepath.Clean(args[1]), verifier)
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the log's public key in note form, or a file that holds it (default the backup's own)")
	return cmd
}

func restore(out io.Writer, from, data string, verifier note.Verifier) (err error) {
	text, err := readBounded(filepath.Join(from, gateway.BackupManifest), maxManifestBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is no backup, or not a whole one: it has no %s", from, gateway.BackupManifest)
	}
	if err != nil {
		return err
	}
	manifest, err := gateway.ParseBackup(text)
	if err != nil {
		return err
	}
	if err := isFree(data); err != nil {
		return err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	stage := filepath.Join(data, stageDir)
	if err := os.RemoveAll(stage); err != nil { // of a restore that was interrupted
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(stage)) }()
	if err := stageBackup(from, stage, manifest); err != nil {
		return err
	}
	c, err := verifyStage(stage, manifest, verifier)
	if err != nil {
		return err
	}
	ahead, err := guardAhead(data, stage, c.Size)
	if err != nil {
		return err
	}
	if err := putInPlace(stage, data); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s holds the ledger of %d entries, root %s, and its vault, as of %s\nevery file, the ledger and its verdicts are verified\n", data, c.Size, c.Root, printable(manifest.Created))
	for _, name := range []string{ledger.KeyFile, "vault.key"} {
		if _, err := os.Lstat(filepath.Join(data, name)); errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(out, "still needed: %s, which no backup has; put it there before you start the gateway\n", filepath.Join(data, name))
		}
	}
	if ahead > 0 {
		fmt.Fprintf(out, "warning: %s says that %d entries were signed, and this backup has %d: the gateway will serve reads and refuse to sign.\n"+
			"Restore a backup that has them all; if there is none, start a new ledger in another folder, with a new key. "+
			"(Removing %s makes this one sign again, and it will then contradict the receipts given for entries %d to %d.)\n",
			filepath.Join(data, ledger.GuardFile), ahead, c.Size, filepath.Join(data, ledger.GuardFile), c.Size, ahead-1)
	}
	return nil
}

// isFree wants a data folder without stores.
func isFree(data string) error {
	for _, sub := range []string{ledger.StoreDir, gateway.VaultDir} {
		path := filepath.Join(data, sub)
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s is there already, and is not replaced: restore into another folder, or move %s and %s of this one away",
				path, ledger.StoreDir, gateway.VaultDir)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// stageBackup copies the backup's files, and holds what was written against the
// manifest.
func stageBackup(from, stage string, manifest *gateway.Backup) error {
	names, err := backupFiles(from)
	if err != nil {
		return err
	}
	if err := os.Mkdir(stage, 0o700); err != nil {
		return err
	}
	var got []gateway.BackupFile
	for _, name := range names {
		f, err := copyFile(from, stage, name)
		if err != nil {
			return err
		}
		got = append(got, f)
	}
	return sameFiles(manifest.Files, got)
}

func copyFile(from, to, name string) (gateway.BackupFile, error) {
	in, err := os.Open(filepath.Join(from, filepath.FromSlash(name)))
	if err != nil {
		return gateway.BackupFile{}, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return gateway.BackupFile{}, err
	}
	return writeBackupFile(in, to, name, info.Size())
}

// verifyStage reads the whole ledger, judging each verdict anew, and opens the
// vault.
func verifyStage(stage string, manifest *gateway.Backup, verifier note.Verifier) (ledger.Checkpoint, error) {
	own, err := ledger.ReadVerifier(stage, nil)
	if err != nil {
		return ledger.Checkpoint{}, fmt.Errorf("%w: %w", gateway.ErrBackup, err)
	}
	if verifier == nil {
		verifier = own
	}
	var audit state.Auditor
	c, err := ledger.Verify(stage, nil, verifier, func(index uint64, _ int64, leaf []byte) error { return audit.Visit(index, leaf) })
	if err != nil {
		return c, errors.New("the backup's ledger does not verify: " + oneLine(err.Error()))
	}
	if c.Size != manifest.Size || base64.StdEncoding.EncodeToString(c.Root[:]) != manifest.Root || own.Name() != manifest.Origin {
		return c, fmt.Errorf("%w: its ledger is of %d entries with the root %s, %s says otherwise", gateway.ErrBackup, c.Size, c.Root, gateway.BackupManifest)
	}
	db, err := store.Open(filepath.Join(stage, gateway.VaultDir), store.Options{ReadOnly: true})
	if err != nil {
		return c, errors.New("the backup's vault cannot be opened: " + oneLine(err.Error()))
	}
	return c, db.Close()
}

// guardAhead is how many entries data's rollback guard says were signed, if that
// is more than size; else 0.
func guardAhead(data, stage string, size uint64) (uint64, error) {
	verifier, err := ledger.ReadVerifier(stage, nil)
	if err != nil {
		return 0, err
	}
	path := filepath.Join(data, ledger.GuardFile)
	text, err := readBounded(path, 4096)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	guard, err := ledger.ParseCheckpoint(text, verifier)
	if err != nil {
		return 0, fmt.Errorf("%s is of another ledger than the backup: move it away, or restore into another folder (%w)", path, err)
	}
	if guard.Size <= size {
		return 0, nil
	}
	return guard.Size, nil
}

// putInPlace moves the verified files to where the gateway looks for them, the
// ledger last: without it there is no data folder.
func putInPlace(stage, data string) error {
	public := filepath.Join(data, ledger.PubFile)
	have, err := os.ReadFile(public)
	want, err2 := os.ReadFile(filepath.Join(stage, ledger.PubFile))
	switch {
	case err2 != nil:
		return err2
	case err == nil && !bytes.Equal(bytes.TrimSpace(have), bytes.TrimSpace(want)):
		return fmt.Errorf("%s is of another ledger than the backup: restore into another folder", public)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	moves := []string{gateway.VaultDir, ledger.PubFile, ledger.StoreDir}
	if err == nil {
		moves = []string{gateway.VaultDir, ledger.StoreDir}
	}
	for _, name := range moves {
		from := filepath.Join(stage, name)
		if !strings.HasSuffix(name, ".pub") {
			if err := syncFolder(from); err != nil {
				return err
			}
		}
		if err := os.Rename(from, filepath.Join(data, name)); err != nil {
			return err
		}
	}
	return errors.Join(syncFolder(data), syncFolder(filepath.Dir(data)))
}
