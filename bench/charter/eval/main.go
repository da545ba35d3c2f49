// Command eval measures the charter scorer on labelled texts: `make charter-eval`.
package main

import (
	"bufio"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	bench "github.com/kaizen-os/deliberation/bench/charter"
	"github.com/kaizen-os/deliberation/bench/charter/data"
	"github.com/kaizen-os/deliberation/bench/charter/linear"
	"github.com/kaizen-os/deliberation/bench/load"
	"github.com/kaizen-os/deliberation/scoring/charter"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "charter eval:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	data, show, markdown, json string
	speed, unseen              bool
}

// run is the program. A goal that is missed is no error.
func run(args []string, stdout, stderr io.Writer) error {
	var o options
	f := flag.NewFlagSet("eval", flag.ContinueOnError)
	f.SetOutput(io.Discard) // the error says it, in one line
	f.StringVar(&o.data, "data", "", "the folder of labelled texts, .jsonl or .jsonl.gz")
	f.StringVar(&o.show, "show", "", "only list the items of `SOURCE[:LABEL]`, with score and rules")
	f.BoolVar(&o.speed, "speed", true, "measure speed too")
	f.BoolVar(&o.unseen, "unseen", true, "train anew without what is measured, and measure it by that: minutes")
	f.StringVar(&o.markdown, "markdown", "", "also write the report to this `file`, as markdown")
	f.StringVar(&o.json, "json", "", "also write the report to this `file`, as JSON")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			f.SetOutput(stderr)
			f.PrintDefaults()
		}
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%q is no flag", f.Arg(0))
	}
	if o.data == "" {
		return errors.New("say where the texts are: --data folder")
	}
	items, err := data.ReadDir(o.data)
	if err != nil {
		return err
	}
	scorer := charter.New()
	cfg := bench.Config{Items: items, Scorer: scorer, Rank: linear.ByEvidence, Ranked: "rules and evidence"}
	if o.show != "" {
		source, label, _ := strings.Cut(o.show, ":")
		return bench.Show(stdout, cfg, source, label)
	}
	if o.speed {
		cfg.Speed = bench.SpeedConfig{Texts: 400, Rounds: 9, Hostile: []int{32 << 10, 1 << 20}}
	}
	if o.unseen {
		if err := trainUnseen(&cfg); err != nil {
			return fmt.Errorf("%w (--unseen=false measures without)", err)
		}
	}
	report, err := bench.Run(cfg)
	if err != nil {
		return err
	}
	report.Heading = heading(scorer)
	if o.markdown != "" {
		err = errors.Join(err, writeFile(o.markdown, report.WriteMarkdown))
	}
	if o.json != "" {
		err = errors.Join(err, writeFile(o.json, report.WriteJSON))
	}
	return errors.Join(err, report.WriteText(stdout))
}

// heading says where and when, and with which rule table, it was measured.
func heading(s *charter.Scorer) []string {
	m := load.ThisMachine()
	digest := s.Digest()
	return []string{
		fmt.Sprintf("machine: %s, %d cores, kernel %s, %s, %s", m.CPU, m.Cores, m.Kernel, m.OS, m.Go),
		"date: " + time.Now().UTC().Format("2 January 2006, 15:04 UTC"),
		fmt.Sprintf("rule table %s, %s", s.Version(), hex.EncodeToString(digest[:6])),
	}
}

func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(write(w), w.Flush(), f.Close())
}
