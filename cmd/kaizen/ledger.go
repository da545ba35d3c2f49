package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/mirror"
)

// newLedgerCommand is what is done with a ledger as a whole.
func newLedgerCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "ledger", Short: "Copy a ledger as a static log; replace its signing key", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newExportCommand(), newRotateCommand(), newRetireCommand())
	return cmd
}

func newExportCommand() *cobra.Command {
	var from, key string
	cmd := &cobra.Command{
		Use:   "export DIR",
		Short: "Write a ledger into a folder that any web server can serve",
		Long: `Write a ledger into a folder as static files (C2SP tlog-tiles): checkpoint, key, and
tiles. Any web server that serves the folder serves the log, and stock transparency-log
tools read it. Every hash and signature is checked on the way; verdicts are not
(kaizen verify DIR).

The ledger is one behind a URL, in another exported folder, or in a data folder that no
gateway has open. A folder that holds an earlier export is brought up to date: only
what is new is fetched, and the checkpoint is replaced last.`,
		Example: `  kaizen ledger export ./log --from http://127.0.0.1:8080/ledger
  kaizen ledger export ./log --from ./data`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &exitError{exitUsage, errors.New("give one folder: kaizen ledger export ./log")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return exportLedger(cmd, from, key, args[0]) },
	}
	cmd.Flags().StringVar(&from, "from", defaultData, "the ledger: a URL or a folder")
	cmd.Flags().StringVar(&key, "key", "", "the log's public key in note form, or a file that holds it (default: what the ledger names as its own)")
	return cmd
}

func exportLedger(cmd *cobra.Command, from, key, dir string) error {
	verifier, err := verifierFrom(key)
	if err != nil {
		return err
	}
	place, err := findLedger(cmd.Context(), from)
	if err != nil {
		return err
	}
	defer place.close()
	if verifier == nil {
		if verifier, err = place.ownKey(cmd.Context()); err != nil {
			return err
		}
	}
	source := place.source
	if source == nil {
		r, err := ledger.OpenReader(from, nil, verifier)
		if errors.Is(err, store.ErrLocked) {
			return fmt.Errorf("%s is in use by a running gateway: stop it first, or export what it serves: --from http://…/ledger", from)
		}
		if err != nil {
			return storeError(from, err)
		}
		defer r.Close()
		source = mirror.Store{Reader: r}
	}
	c, err := mirror.Export(cmd.Context(), source, dir, mirror.Options{Verifier: verifier})
	if err != nil {
		return fmt.Errorf("export: %s", oneLine(err.Error()))
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d entries, root %s\n", dir, c.Size, c.Root)
	return nil
}

func newRotateCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Make the signing key that will follow",
		Long: `Make the ledger's next signing key. At the gateway's next start it is recorded in the
ledger, under the old key, and both sign from then on: verifiers of either go on, and
those of the old one have the time they need to take the new one over. Then, with the
gateway stopped, kaizen ledger retire makes the next key the only one.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			vkey, err := ledger.Rotate(data)
			switch {
			case errors.Is(err, fs.ErrExist):
				return fmt.Errorf("%s holds a next key already: kaizen ledger retire makes it the only one", data)
			case errors.Is(err, fs.ErrNotExist):
				return fmt.Errorf("%s is no data folder of a gateway: %s is missing", data, ledger.KeyFile)
			case err != nil:
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "next key: %s\nit signs beside the old one from the gateway's next start on; then, when its verifiers know it: kaizen ledger retire\n", vkey)
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", defaultData, "the gateway's data folder")
	return cmd
}

func newRetireCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "retire",
		Short: "Make the next signing key the only one, and destroy the old one",
		Long: `Make the key that kaizen ledger rotate made, and that has signed since, the only one.
The old key is destroyed. The gateway must be stopped.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			vkey, err := ledger.Retire(data)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return fmt.Errorf("%s holds no next key: kaizen ledger rotate makes one", data)
			case errors.Is(err, ledger.ErrNotRecorded):
				return err
			case err != nil:
				return storeError(data, err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "the ledger's key is now %s\n", vkey)
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", defaultData, "the gateway's data folder")
	return cmd
}
