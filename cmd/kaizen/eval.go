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
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kaizen-os/deliberation/bench/eval"
	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/quorum"
	extract "github.com/kaizen-os/deliberation/scoring/answer"
	"github.com/kaizen-os/deliberation/store"
)

func newEvalCommand() *cobra.Command {
	var o struct {
		data, markdown, json, tier string
		policy                     string
		sets, panels, waits        []string
		labels                     []int
		limit, folds, parallel     int
		seed                       uint64
		progress                   bool
	}
	cmd := &cobra.Command{
		Use:   "eval",
		Short: "Measure accuracy on recorded replies of real models, through the HTTP API",
		Long: `For every recording and panel of a folder, start companions that replay the recorded
replies and gateways over them, send every prompt through POST /v1/deliberate, and
print how often the verdict is right: beside each single model, a plain majority and
tier weights, with earned weights before and after labelled prompts were given, and
with each way of waiting. A gateway is never graded on what it was given.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tier, err := quorum.ParseTier(o.tier)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			policy := quorum.DefaultPolicy()
			if o.policy != "" {
				doc, err := readBounded(o.policy, maxConfigBytes)
				if err == nil {
					policy, err = quorum.ParsePolicy(doc)
				}
				if err != nil {
					return &exitError{exitUsage, err}
				}
			}
			cfg := eval.Config{Dir: o.data, Sets: o.sets, Panels: o.panels, Limit: o.limit, Labels: o.labels, Folds: o.folds, Seed: o.seed,
				Tier: tier, Parallel: o.parallel, Key: answerKey, Gateway: func(ctx context.Context, want eval.GatewayConfig) (eval.Gateway, error) {
					return startEvalGateway(ctx, want, *policy)
				}}
			for _, name := range o.waits {
				wait, err := quorum.ParseWait(name)
				if err != nil {
					return &exitError{exitUsage, err}
				}
				cfg.Waits = append(cfg.Waits, wait)
			}
			if o.progress || isTerminal(cmd.ErrOrStderr()) {
				cfg.Progress = cmd.ErrOrStderr()
			}
			report, err := eval.Run(cmd.Context(), cfg)
			if report == nil || len(report.Results) == 0 {
				return err
			}
			// What was measured before something failed is worth its minutes.
			if o.markdown != "" {
				err = errors.Join(err, writeFile(o.markdown, report.WriteMarkdown))
			}
			if o.json != "" {
				err = errors.Join(err, writeFile(o.json, report.WriteJSON))
			}
			return errors.Join(err, report.WriteText(cmd.OutOrStdout()))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.data, "data", "", "the folder of recordings and panels.json")
	f.StringSliceVar(&o.sets, "set", nil, "only these recordings")
	f.StringSliceVar(&o.panels, "panel", nil, "only these panels")
	f.IntSliceVar(&o.labels, "labels", []int{0, 30, 100}, "labelled prompts a kind given beforehand; a contender each")
	f.StringSliceVar(&o.waits, "wait", []string{"decided", "likely"}, "ways of waiting to hold against all")
	f.IntVar(&o.limit, "limit", 0, "most prompts a recording that are graded (default all)")
	f.IntVar(&o.folds, "folds", 5, "of the cross-validation")
	f.Uint64Var(&o.seed, "seed", 1, "of the folds and the draw of labelled prompts")
	f.StringVar(&o.tier, "tier", "research", "of the requests: at research every companion sits")
	f.IntVar(&o.parallel, "parallel", 2, "gateways at a time")
	f.BoolVar(&o.progress, "progress", false, "say what is being measured, also where stderr is no terminal")
	f.StringVar(&o.policy, "policy", "", "a policy document in place of the embedded one")
	f.StringVar(&o.markdown, "markdown", "", "also write the report to this file, as markdown")
	f.StringVar(&o.json, "json", "", "also write the report to this file, as JSON")
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
// temporary data folder, under the policy and what is wanted other of it.
func startEvalGateway(ctx context.Context, want eval.GatewayConfig, policy quorum.Policy) (eval.Gateway, error) {
	dir, err := os.MkdirTemp("", "kaizen-eval-")
	if err != nil {
		return eval.Gateway{}, err
	}
	p := newProcess(os.Stderr)
	p.level.Set(slog.LevelWarn)
	fail := func(err error) (eval.Gateway, error) {
		return eval.Gateway{}, errors.Join(err, p.close(), os.RemoveAll(dir))
	}
	if want.TierWeights {
		policy.AnswerWeights = "tier"
	}
	if want.NoAgreement {
		policy.Reliability.SoftWeight = 0
	}
	cfg, err := evalConfig(filepath.Join(dir, "data"), want.Panel, policy.Canonical())
	if err != nil {
		return fail(err)
	}
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fail(err)
	}
	p.onClose(func() error { ln.Close(); return nil }) // the server may have closed it
	if err := p.build(ctx, cfg); err != nil {
		return fail(err)
	}
	steward, err := store.ReadSecret(filepath.Join(cfg.Data, "steward.key"))
	if err != nil {
		return fail(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.gateway.Serve(ln) }()
	return eval.Gateway{URL: "http://" + ln.Addr().String(), StewardKey: strings.TrimSpace(string(steward)), Stop: func() error {
		drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return errors.Join(p.gateway.Shutdown(drain), <-ended, p.close(), os.RemoveAll(dir))
	}}, nil
}

// evalConfig is a configuration over panel under a policy document, read as any
// file is.
func evalConfig(data string, panel []sim.Endpoint, policy []byte) (*Config, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	rules := filepath.Join(data, "policy.json")
	if err := os.WriteFile(rules, policy, 0o600); err != nil {
		return nil, err
	}
	file := filepath.Join(data, "kaizen.yaml")
	err := writeFile(file, func(w io.Writer) error {
		if _, err := fmt.Fprintf(w, "listen: 127.0.0.1:0\nadmin: \"\"\ndata: %q\npolicy: %q\n", data, rules); err != nil {
			return err
		}
		return writeCompanions(w, panel)
	})
	if err != nil {
		return nil, err
	}
	return LoadConfig(file)
}
