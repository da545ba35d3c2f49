// Command train learns the charter scorer's linear model from labelled texts and
// writes the table that the scorer embeds, with a card beside it that says from
// what it was learned and what it comes to: `make charter-train`.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/kaizen-os/deliberation/bench/charter/data"
	"github.com/kaizen-os/deliberation/bench/charter/linear"
	"github.com/kaizen-os/deliberation/scoring/charter"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "charter train:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	data    []string
	out     string
	version string
	sources string
	leave   string
	options linear.Options
}

// A card says what a table was made from. It holds no text of it.
type card struct {
	File     string          `json:"file"`
	SHA256   string          `json:"sha256"`
	Version  string          `json:"version"`
	Date     string          `json:"date"`
	Command  string          `json:"command"`
	Rules    string          `json:"rules"` // the rule table whose facts and words it was learned with
	Seed     uint64          `json:"seed"`
	Options  linear.Options  `json:"options"`
	Learned  []learned       `json:"learnedFrom"`
	Measured []string        `json:"onlyMeasuredOn"`
	Grams    int             `json:"grams"`
	Advise   [3]int32        `json:"advise"`
	Limits   []limit         `json:"limits"`
	Figures  *linear.Figures `json:"figures"`
	Remarks  string          `json:"remarks"`
}

// learned is what was learned from one label of a source.
type learned struct {
	Source  string `json:"source"`
	Label   string `json:"label"`
	Licence string `json:"licence"`
	Texts   int    `json:"texts"`
	Groups  int    `json:"groups"`
}

// limit is what harmless texts the thresholds were held to.
type limit struct {
	Of    string     `json:"of"`
	Under [3]float64 `json:"under85under75under70"`
}

const remarks = "Shares are of 1. Cross-validated figures are of models that did not see a text's group (five folds), left-out ones of models that saw nothing of its source, on replies without the wording of jailbreak templates. Rules were written with these texts in view, so their figures flatter. Thresholds are set on cross-validated evidence."

// run is the program.
func run(args []string, stdout, stderr io.Writer) error {
	s := settings{options: linear.Defaults()}
	f := flag.NewFlagSet("train", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Func("data", "a `folder` of labelled texts, .jsonl or .jsonl.gz; may be given again", func(v string) error {
		s.data = append(s.data, v)
		return nil
	})
	f.StringVar(&s.out, "out", "scoring/charter/linear.bin", "the table to write; its card goes beside it")
	f.StringVar(&s.version, "version", time.Now().UTC().Format("2006-01-02"), "the table's version, 1 to 15 bytes")
	f.StringVar(&s.sources, "sources", "", "learn from these sources only, of those it may learn from (`a,b`)")
	f.StringVar(&s.leave, "leave", "", "learn from nothing of these sources (`a,b`)")
	f.Uint64Var(&s.options.Seed, "seed", s.options.Seed, "of the order in which texts are learned from")
	f.IntVar(&s.options.Epochs, "epochs", s.options.Epochs, "how often each text is learned from")
	f.Float64Var(&s.options.Decay, "decay", s.options.Decay, "how fast weights fade (L2)")
	if err := f.Parse(args); err != nil {
		return err
	}
	switch {
	case f.NArg() > 0:
		return fmt.Errorf("%q is no flag", f.Arg(0))
	case len(s.data) == 0:
		return errors.New("say where the texts are: --data folder")
	}
	sources, err := choose(linear.Sources, s.sources, s.leave)
	if err != nil {
		return err
	}
	var items []data.Item
	for _, dir := range s.data {
		more, err := data.ReadDir(dir)
		if err != nil {
			return err
		}
		items = append(items, more...)
	}
	table, c, err := train(items, sources, &s)
	if err != nil {
		return err
	}
	file, err := table.Encode()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(file)
	c.SHA256 = hex.EncodeToString(sum[:])
	text, err := json.Marshal(c, json.Deterministic(true), jsontext.WithIndent("\t"))
	if err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(s.out, file, 0o644), os.WriteFile(cardOf(s.out), append(text, '\n'), 0o644)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s\n%s: %d bytes, %d grams\n", text, s.out, len(file), c.Grams)
	return err
}

// cardOf is the name of the card beside a table.
func cardOf(table string) string { return strings.TrimSuffix(table, ".bin") + ".json" }

// choose takes from all sources those that are named, without those left out.
func choose(all []linear.Source, only, leave string) ([]linear.Source, error) {
	named := func(list string) ([]string, error) {
		names := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
		for _, n := range names {
			if !slices.ContainsFunc(all, func(s linear.Source) bool { return s.Name == n }) {
				return nil, fmt.Errorf("%q is no source that may be learned from", n)
			}
		}
		return names, nil
	}
	some, err := named(only)
	if err != nil {
		return nil, err
	}
	not, err := named(leave)
	if err != nil {
		return nil, err
	}
	var chosen []linear.Source
	for _, s := range all {
		if (len(some) == 0 || slices.Contains(some, s.Name)) && !slices.Contains(not, s.Name) {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

// train learns a table and sets its thresholds.
func train(items []data.Item, sources []linear.Source, s *settings) (*charter.Linear, *card, error) {
	rules, err := charter.NewWith(nil)
	if err != nil {
		return nil, nil, err
	}
	texts := linear.Read(rules, sources, items)
	everything := func(*linear.Text) bool { return true }
	crossed, err := linear.Cross(rules, texts, s.options, everything)
	if err != nil {
		return nil, nil, err
	}
	fit, err := linear.Learn(texts, rules.Topics(), s.options, everything)
	if err != nil {
		return nil, nil, err
	}
	table := fit.Table(s.version)
	table.Advise = linear.Calibrate(texts, linear.Limits, crossed.Evidence)
	figures, err := linear.Measure(texts, crossed, table, s.options, []string{"jbb", "gptfuzz", "harmbench", "xstest", "dna"})
	if err != nil {
		return nil, nil, err
	}
	digest := rules.Digest()
	c := &card{
		File: s.out[strings.LastIndexByte(s.out, '/')+1:], Version: s.version, Date: time.Now().UTC().Format("2006-01-02"),
		Command: "make charter-train DATA=folder", Rules: rules.Version() + ", SHA-256 " + hex.EncodeToString(digest[:]),
		Seed: s.options.Seed, Options: s.options, Grams: table.Grams(), Advise: table.Advise, Figures: figures, Remarks: remarks,
	}
	c.Learned, c.Measured = counts(texts, sources)
	for _, l := range linear.Limits {
		c.Limits = append(c.Limits, limit{l.Name, l.Share})
	}
	return table, c, nil
}

// counts says how many texts of which source were learned from, and which sources
// were there to measure on.
func counts(texts []linear.Text, sources []linear.Source) (from []learned, measured []string) {
	for _, s := range sources {
		for _, label := range s.Labels {
			l := learned{Source: s.Name, Label: label, Licence: s.Licence}
			groups := map[string]bool{}
			for i := range texts {
				if t := &texts[i]; t.Learn && t.Item.Source == s.Name && t.Item.Label == label {
					l.Texts++
					groups[t.Item.Group] = true
				}
			}
			if l.Groups = len(groups); l.Texts > 0 {
				from = append(from, l)
			}
		}
	}
	for i := range texts {
		s := texts[i].Item.Source
		if !slices.ContainsFunc(from, func(l learned) bool { return l.Source == s }) && !slices.Contains(measured, s) {
			measured = append(measured, s)
		}
	}
	slices.Sort(measured)
	return from, measured
}
