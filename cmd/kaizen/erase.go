package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// eraseWithin is how long the gateway may take: it rewrites files, and waits for
// who reads them.
const eraseWithin = time.Minute

func newEraseCommand() *cobra.Command {
	var gateway, key string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "erase ID",
		Short: "Have the text of a deliberation erased",
		Long: `Have what was asked and answered in a deliberation erased: the prompt, the replies and
the salts of the proof's commitments, from the gateway's memory and from every file of
its vault. The proof stays in the ledger as it was, and a record says that the text was
erased, and whether its owner or a steward had it erased. It may be repeated.

Only who had asked may do this, and stewards (--key file:data/steward.key).

Backups that were taken before hold the text still, for whoever has one of them and
vault.key: delete the backups that are older than the retention.`,
		Example: `  kaizen erase dlb_01K0000000000000000000000
  kaizen erase dlb_01K0000000000000000000000 --key file:data/steward.key --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return &exitError{exitUsage, errors.New("give one deliberation: kaizen erase dlb_…")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			secret, err := keyFrom(key, os.LookupEnv)
			if err != nil {
				return err
			}
			c, err := newClient(gateway, secret)
			if err != nil {
				return err
			}
			defer c.close()
			ctx, cancel := context.WithTimeout(cmd.Context(), eraseWithin)
			defer cancel()
			body, err := c.delete(ctx, "/v1/deliberations/"+url.PathEscape(args[0])+"/text")
			if err != nil {
				return err
			}
			var said struct {
				ID     string `json:"id"`
				Erased bool   `json:"erased"`
				Proof  struct {
					Index    uint64 `json:"index"`
					LeafHash string `json:"leafHash"`
				} `json:"proof"`
			}
			if err := json.Unmarshal(body, &said); err != nil || !said.Erased || said.ID != args[0] {
				return fmt.Errorf("%s does not answer like a kaizen gateway; check --url", c.base)
			}
			if asJSON {
				_, err = cmd.OutOrStdout().Write(append(body, '\n'))
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "the text of %s is erased; entry %d of the ledger says so (leaf hash %s)\n", said.ID, said.Proof.Index, printable(said.Proof.LeafHash))
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&gateway, "url", defaultURL, "the gateway")
	f.StringVar(&key, "key", "", "where your key is: env:NAME or file:PATH (default env:KAIZEN_KEY, if set)")
	f.BoolVar(&asJSON, "json", false, "print the gateway's JSON as it is")
	return cmd
}
