package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"

	"github.com/kaizen-os/deliberation/gateway/mcp"
)

func newMCPCommand() *cobra.Command {
	var url, key string
	cmd := &cobra.Command{
		Use:   "mcp",
		Short: "Offer a gateway's tools to an agent, over standard input and output",
		Long: `Speaks the Model Context Protocol on standard input and output, as an agent starts it,
and hands what its tools are asked to a running gateway: deliberate (put a prompt to
the panel), validate (score a text against the charter), verify_receipt. Agents that
speak it over HTTP need no such process: they use the gateway's own /mcp.`,
		Example: `  claude mcp add kaizen -- kaizen mcp --url http://127.0.0.1:8080
  kaizen mcp --url https://gateway.example --key env:KAIZEN_KEY`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &exitError{exitUsage, errors.New("kaizen mcp takes no arguments")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			secret, err := keyFrom(key, os.LookupEnv)
			if err != nil {
				return err
			}
			c, err := newClient(url, secret)
			if err != nil {
				return err
			}
			defer c.close()
			return serveMCP(cmd.Context(), c, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&url, "url", defaultURL, "the gateway")
	cmd.Flags().StringVar(&key, "key", "", "where your key is: env:NAME or file:PATH (default env:KAIZEN_KEY, if set)")
	return cmd
}

// serveMCP answers an agent until it closes in, or ctx ends.
func serveMCP(ctx context.Context, c *apiClient, in io.Reader, out io.Writer) error {
	err := mcp.New(remote{c}).Run(ctx, &sdk.IOTransport{Reader: io.NopCloser(in), Writer: unclosed{out}})
	if err == nil || ctx.Err() != nil || errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("what comes in is not the Model Context Protocol: %w", err)
}

// unclosed is a writer that the protocol's end does not close: it is the process's.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// remote is a gateway elsewhere, as the tools reach it: with the key of whoever
// started the process.
type remote struct{ client *apiClient }

func (r remote) Do(ctx context.Context, _ http.Header, method, path string, body []byte) ([]byte, error) {
	return r.client.do(ctx, method, path, body)
}
