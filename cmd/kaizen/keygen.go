package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/spf13/cobra"
)

func newKeygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen",
		Short: "Make an API key, and the line that lets a client in with it",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var secret [32]byte
			if _, err := rand.Read(secret[:]); err != nil {
				return err
			}
			key := "kz_" + base64.RawURLEncoding.EncodeToString(secret[:])
			fmt.Fprintf(cmd.OutOrStdout(), "key, for the client, shown once: %s\nline for clients: in the configuration:\n  - {name: app, role: client, keySHA256: %q, tier: standard, perSecond: 100}\n",
				key, fmt.Sprintf("%x", sha256.Sum256([]byte(key))))
			return nil
		},
	}
}
