package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/kaizen-os/deliberation/bench/eval"
	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/quorum"
	extract "github.com/kaizen-os/deliberation/scoring/answer"
)

func newEvalCommand() *cobra.Command {
	var o struct {
		data, markdown, tier string
		sets, panels, waits  []string
		limit                int
	}
	cmd := &cobra.Command{
		Use:   "eval",
		Short: "Measure accuracy on recorded replies of real models, through the HTTP API",
		Long: `For every recording and panel of a folder, start companions that replay the recorded
replies and a gateway over them, send every prompt through POST /v1/deliberate, and
print how often the verdict is right against the best single model.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tier, err := quorum.ParseTier(o.tier)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			cfg := eval.Config{Dir: o.data, Sets: o.sets, Panels: o.panels, Limit: o.limit, Tier: tier, Key: answerKey,
				Gateway: startEvalGateway, Progress: cmd.ErrOrStderr()}
			for _, name := range o.waits {
				wait, err := quorum.ParseWait(name)
				if err != nil {
					return &exitError{exitUsage, err}
				}
				cfg.Waits = append(cfg.Waits, wait)
			}
			report, err := eval.Run(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			if o.markdown != "" {
				if err := writeFile(o.markdown, report.WriteMarkdown); err != nil {
					return err
				}
			}
			return report.WriteText(cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.data, "data", "", "the folder of recordings and panels.json")
	f.StringSliceVar(&o.sets, "set", nil, "only these recordings")
	f.StringSliceVar(&o.panels, "panel", nil, "only these panels")
	f.StringSliceVar(&o.waits, "wait", nil, "ways of waiting (default all three)")
	f.IntVar(&o.limit, "limit", 0, "prompts a recording (default all)")
	f.StringVar(&o.tier, "tier", "research", "of the requests: at research every companion sits")
	f.StringVar(&o.markdown, "markdown", "", "also write the report to this file, as markdown")
	if err := cmd.MarkFlagRequired("data"); err != nil {
		panic("bug: " + err.Error())
	}
	return cmd
}

// answerKey is how a truth and an answer are compared: as the gateway compares
// two replies.
func answerKey(kind quorum.Kind, options []string, text string) string {
	return extract.Extract(kind, options, &quorum.Reply{Text: text}).Key
}

// startEvalGateway runs a gateway in this process, as serve builds it, with a
// temporary data folder.
func startEvalGateway(ctx context.Context, panel []sim.Endpoint) (eval.Gateway, error) {
	dir, err := os.MkdirTemp("", "kaizen-eval-")
	if err != nil {
		return eval.Gateway{}, err
	}
	cfg, err := evalConfig(filepath.Join(dir, "data"), panel)
	if err != nil {
		return eval.Gateway{}, errors.Join(err, os.RemoveAll(dir))
	}
	p := &process{log: slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), level: new(slog.LevelVar), fatal: make(chan error, 2)}
	ln, err := net.Listen("tcp", cfg.Listen)
	if err == nil {
		err = p.build(ctx, cfg)
	}
	if err != nil {
		return eval.Gateway{}, errors.Join(err, p.close(), os.RemoveAll(dir))
	}
	ended := make(chan error, 1)
	go func() { ended <- p.gateway.Serve(ln) }()
	return eval.Gateway{URL: "http://" + ln.Addr().String(), Stop: func() error {
		drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return errors.Join(p.gateway.Shutdown(drain), <-ended, p.close(), os.RemoveAll(dir))
	}}, nil
}

// evalConfig is a configuration over panel, read as any file is.
func evalConfig(data string, panel []sim.Endpoint) (*Config, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	file := filepath.Join(data, "kaizen.yaml")
	err := writeFile(file, func(w io.Writer) error {
		if _, err := fmt.Fprintf(w, "listen: 127.0.0.1:0\nadmin: \"\"\ndata: %q\n", data); err != nil {
			return err
		}
		return writeCompanions(w, panel)
	})
	if err != nil {
		return nil, err
	}
	return LoadConfig(file)
}
