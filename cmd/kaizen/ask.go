package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

// What a command ends with.
const (
	exitCarried    = 0
	exitFailed     = 1 // no verdict: nobody there, refused key, no durable proof
	exitUsage      = 2 // the command line itself
	exitNotCarried = 3 // a verdict, but not a carried one
)

// An exitError ends a command with a code of its own. Without Err it is silent:
// what there was to say has been said.
type exitError struct {
	Code int
	Err  error
}

func (e *exitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit %d", e.Code)
	}
	return e.Err.Error()
}

func (e *exitError) Unwrap() error { return e.Err }

// endWith writes what err says to w, as one line, and gives the exit code: 0 for
// nil, an exitError's own, otherwise 1.
func endWith(w io.Writer, err error) int {
	if err == nil {
		return exitCarried
	}
	code := exitFailed
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.Code
		if exit.Err == nil {
			return code
		}
	}
	fmt.Fprintln(w, "kaizen:", err)
	return code
}

const (
	defaultURL = "http://" + defaultListen
	// askGrace is what the way to the gateway and back may take beyond the
	// deliberation's own deadline.
	askGrace = 10 * time.Second
)

// askOptions are the flags of kaizen ask.
type askOptions struct {
	url, key, tier, chamber, topic, kind, operation, wait, receipt string

	judge, synthesis string
	escalate         bool
	rounds           int

	options  []string
	deadline time.Duration
	json     bool
	sealed   bool // the receipt, without texts
}

// newAskCommand is "kaizen ask". Errors of its command line are exitErrors with
// exitUsage; a verdict that is not carried, a silent one with exitNotCarried.
func newAskCommand() *cobra.Command {
	var o askOptions
	cmd := &cobra.Command{
		Use:   "ask PROMPT",
		Short: "Put a prompt to the panel and show its verdict",
		Long: `Put a prompt to the panel and show what came of it: the answer, how sure it is,
each companion's part, who disagrees, and the receipt. PROMPT "-" is read from
standard input.

Exit codes: 0 carried; 1 no verdict; 2 wrong command line; 3 a verdict that is
not carried (contested, lost, inquorate, refused, pending or expired).`,
		Example: `  kaizen ask "Is 1009 a prime number?" --kind vote
  kaizen ask "Which city is Canada's capital?" --option Toronto --option Ottawa
  kaizen ask "Should the dam be rebuilt?" --rounds 2 --judge ATLAS --synthesis AUREA
  kaizen ask - --json < prompt.txt`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &exitError{exitUsage, errors.New(`give a prompt: kaizen ask "…"`)}
			}
			return nil
		},
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, args []string) error { return ask(cmd, args, &o) },
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &exitError{exitUsage, err} })
	f := cmd.Flags()
	f.StringVar(&o.url, "url", defaultURL, "the gateway")
	f.StringVar(&o.key, "key", "", "where your key is: env:NAME or file:PATH (default env:KAIZEN_KEY, if set)")
	f.StringVar(&o.tier, "tier", "", "research, standard, high or critical (default standard)")
	f.StringVar(&o.chamber, "chamber", "", "subject room (default thought-broker)")
	f.StringVar(&o.topic, "topic", "", "what it is about, where companions were calibrated by topic")
	f.StringVar(&o.kind, "kind", "", "of answer: auto, choice, number, short, json, vote, text or code (default auto, or choice with --option)")
	f.StringArrayVar(&o.options, "option", nil, "an option to choose from; give it once for each")
	f.StringVar(&o.operation, "operation", "", "what would happen, such as mic.mint, when it is more than a question")
	f.StringVar(&o.wait, "wait", "", "decided, likely or all (default decided)")
	f.IntVar(&o.rounds, "rounds", 0, "2 asks again, with the others' answers, when the first round is contested; 1 does not (default: the policy's)")
	f.StringVar(&o.judge, "judge", "", "a companion that chooses among the answers when the panel is not sure, or none (default: the policy's)")
	f.StringVar(&o.synthesis, "synthesis", "", "a companion that writes what all together came to, or none (default: the policy's)")
	f.BoolVar(&o.escalate, "escalate", false, "ask a few companions first, and the others where those leave it open")
	f.DurationVar(&o.deadline, "deadline", 0, "the most it may take, such as 5s (default 20s)")
	f.BoolVar(&o.json, "json", false, "print the gateway's JSON as it is")
	f.StringVar(&o.receipt, "receipt", "", "save the receipt to this file, with the prompt and the answer, so that you can prove both to others")
	f.BoolVar(&o.sealed, "sealed", false, "with --receipt: without prompt and answer")
	return cmd
}

func ask(cmd *cobra.Command, args []string, o *askOptions) error {
	out, errOut := cmd.OutOrStdout(), cmd.ErrOrStderr()
	req, err := o.request(args, cmd.InOrStdin())
	if err != nil {
		return err
	}
	key, err := keyFrom(o.key, os.LookupEnv)
	if err != nil {
		return err
	}
	c, err := newClient(o.url, key)
	if err != nil {
		return err
	}
	defer c.close()

	within := o.deadline
	if within == 0 {
		within = defaultMaxDeadline
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), within+askGrace)
	defer cancel()

	stop := func() {}
	if isTerminal(errOut) {
		stop = startProgress(errOut, "the companions are thinking")
	}
	body, v, err := c.deliberate(ctx, req)
	stop()
	if err != nil {
		return err
	}

	if o.json {
		_, err = out.Write(append(body, '\n'))
	} else {
		p := paintFor(out)
		_, err = out.Write(appendVerdict(nil, v, p))
	}
	if err != nil {
		return fmt.Errorf("write the verdict: %w", err)
	}
	if o.receipt != "" {
		opened, err := saveReceipt(ctx, c, v, o)
		if err != nil {
			return err
		}
		fmt.Fprintf(errOut, "receipt saved to %s%s\n", o.receipt, opened)
	}
	if v.Status != "carried" {
		return &exitError{Code: exitNotCarried}
	}
	return nil
}

// request is what the flags and arguments ask for. What they leave out is left
// to the gateway.
func (o *askOptions) request(args []string, stdin io.Reader) (*wire.Request, error) {
	prompt := strings.Join(args, " ")
	if prompt == "-" {
		data, err := io.ReadAll(io.LimitReader(stdin, maxBodyBytes))
		if err != nil {
			return nil, fmt.Errorf("read the prompt: %w", err)
		}
		prompt = string(data)
	}
	if strings.TrimSpace(prompt) == "" {
		return nil, &exitError{exitUsage, errors.New("the prompt is empty")}
	}
	if o.sealed && o.receipt == "" {
		return nil, &exitError{exitUsage, errors.New("--sealed is for --receipt")}
	}
	if o.deadline < 0 || o.deadline > 0 && o.deadline < time.Millisecond {
		return nil, &exitError{exitUsage, fmt.Errorf("--deadline %s: want at least 1ms", o.deadline)}
	}
	kind := o.kind
	if kind == "" && len(o.options) > 0 {
		kind = "choice"
	}
	return &wire.Request{
		Prompt:     prompt,
		Context:    wire.Context{Tier: o.tier, Chamber: o.chamber, Topic: o.topic},
		Kind:       kind,
		Options:    o.options,
		Operation:  o.operation,
		DeadlineMs: o.deadline.Milliseconds(),
		Wait:       o.wait,
		Rounds:     o.rounds,
		Judge:      o.judge,
		Synthesis:  o.synthesis,
		Escalate:   o.escalate,
		Include:    wire.IncludeBallots | wire.IncludePositions,
	}, nil
}

// saveReceipt writes the receipt where o says, and tells what texts are in it.
// The salts of prompt and answer can be had only while the gateway keeps the
// texts, so they are asked for now.
func saveReceipt(ctx context.Context, c *apiClient, v *wire.Deliberation, o *askOptions) (opened string, err error) {
	if v.Proof.Receipt == "" {
		return "", errors.New("the verdict names no receipt to save")
	}
	var fields []string
	if !o.sealed {
		fields = append(fields, "prompt")
		if v.Answer != "" {
			fields = append(fields, "answer")
		}
		opened = ", with " + strings.Join(fields, " and ") + " in it"
	}
	path := v.Proof.Receipt
	if len(fields) > 0 {
		path += "?open=" + strings.Join(fields, ",")
	}
	receipt, err := c.get(ctx, path)
	if err != nil {
		return "", fmt.Errorf("fetch the receipt: %w", err)
	}
	if err := os.WriteFile(o.receipt, receipt, 0o600); err != nil {
		return "", fmt.Errorf("save the receipt: %w", err)
	}
	return opened, nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// progressEvery is how often the progress line moves.
const progressEvery = 100 * time.Millisecond

// startProgress writes what and the time so far, over and over on one line of a
// terminal, until the function it gives is called; that clears the line and
// returns when nothing more will be written.
func startProgress(w io.Writer, what string) (stop func()) {
	began := time.Now()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(progressEvery)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				io.WriteString(w, "\r\x1b[K")
				return
			case now := <-ticker.C:
				fmt.Fprintf(w, "\r%s… %.1f s", what, now.Sub(began).Seconds())
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
