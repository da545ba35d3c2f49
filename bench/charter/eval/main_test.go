package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	bench "github.com/kaizen-os/deliberation/bench/charter"
	"github.com/kaizen-os/deliberation/bench/charter/data"
	"github.com/kaizen-os/deliberation/scoring/charter"
)

const made = "../testdata"

// The made set holds what a scorer that works tells for certain: plain harm,
// planted personal data, and texts that only look like either.
func TestTheScorerOnTheMadeSet(t *testing.T) {
	items, err := data.ReadDir(made)
	if err != nil {
		t.Fatal(err)
	}
	r, err := bench.Run(bench.Config{Items: items, Scorer: charter.New()})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Sources {
		for _, l := range s.Labels {
			if under := l.Under[0]; l.Label == data.Bad && under.K != under.N || l.Label == data.OK && under.K != 0 {
				t.Errorf("%s, %s: %d of %d under 85", s.Source, l.Label, under.K, under.N)
			}
			if l.Label == data.Bad && l.StrippedUnder.K != l.StrippedUnder.N {
				t.Errorf("%s: %d of %d under 85 without template wording", s.Source, l.StrippedUnder.K, l.StrippedUnder.N)
			}
		}
		if s.Recall.Plain.N > 0 && s.Recall.Plain.K != s.Recall.Plain.N {
			t.Errorf("%s: %v above the benign", s.Source, s.Recall.Plain)
		}
	}
	if n := r.Benign.Under[0].N; n != 11 || r.Benign.Mean < 98 || r.Benign.Personal.K != 0 {
		t.Errorf("benign: %d, mean %v, %d with personal data", n, r.Benign.Mean, r.Benign.Personal.K)
	}
	for i, want := range []struct {
		source string
		labels int
	}{{"piireply", 20}, {"presidio", 3}} {
		p := r.Personal[i]
		for _, s := range p.All {
			if p.Source != want.source || s.Labels != want.labels || s.F1() != 1 {
				t.Errorf("%s, %+v: F1 %v, want all of %d and nothing else", p.Source, s, s.F1(), want.labels)
			}
		}
	}
	if listed := r.Personal[0].Listed; listed.Labels != 10 || listed.Found != 10 {
		t.Errorf("listed secrets %+v", listed)
	}
	if len(r.Traps) != 8 {
		t.Errorf("%d kinds of trap", len(r.Traps))
	}
	for _, f := range r.Traps {
		if f.Under.K > 0 {
			t.Errorf("trap %s is found", f.Test)
		}
	}
	for _, e := range r.Evaded {
		if e.Evasion != "leet" && e.Lost > 0 {
			t.Errorf("%s: %d of %d lost by %s", e.Source, e.Lost, e.Caught, e.Evasion)
		}
	}
	if p := r.Pairs[0]; p.Better.K != 1 || p.Even.K != 1 || p.Even.N != 2 {
		t.Errorf("pairs %+v", p)
	}
}

// Every text of a folder that is read may be private: none of it is printed.
func TestNoTextIsPrinted(t *testing.T) {
	items, err := data.ReadDir(made)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var out, errOut strings.Builder
	if err := run([]string{"--data", made, "--speed=false", "--markdown", filepath.Join(dir, "r.md"), "--json", filepath.Join(dir, "r.json")}, &out, &errOut); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"--data", made, "--show", "piireply"}, &out, &errOut); err != nil {
		t.Fatal(err)
	}
	printed := out.String() + errOut.String()
	for _, name := range []string{"r.md", "r.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		printed += string(b)
	}
	for _, want := range []string{"== Goals", "### Goals", `"goals"`, "piireply-01\tbad\t", "privacy.email@"} {
		if !strings.Contains(printed, want) {
			t.Errorf("%q is not printed", want)
		}
	}
	for _, it := range items {
		for _, text := range []string{it.Text, it.Prompt, it.Worse} {
			if words := strings.Fields(text); len(words) > 2 && strings.Contains(printed, strings.Join(words[:3], " ")) {
				t.Errorf("%s: its text is printed", it.ID)
			}
		}
	}
	b, _ := os.ReadFile(filepath.Join(dir, "r.json"))
	var report struct {
		Items int   `json:"items"`
		Goals []any `json:"goals"`
	}
	if err := json.Unmarshal(b, &report); err != nil || report.Items != len(items) || len(report.Goals) < 30 {
		t.Errorf("JSON: %d items, %d goals, %v", report.Items, len(report.Goals), err)
	}
}

func TestRunRefuses(t *testing.T) {
	broken := t.TempDir()
	lines := `{"source":"a","label":"ok","text":"x"}` + "\n" + `{"source":"a","label":"ok","text":"é","spans":[[0,2,"EMAIL"]]}` + "\n"
	if err := os.WriteFile(filepath.Join(broken, "texts.jsonl"), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		want []string
	}{
		{"a broken line", []string{"--data", broken}, []string{"texts.jsonl", "line 2", "span"}},
		{"no folder", nil, []string{"--data"}},
		{"an empty folder", []string{"--data", t.TempDir()}, []string{"no .jsonl"}},
		{"a source that is not there", []string{"--data", made, "--show", "none"}, []string{`"none"`}},
		{"a word that is no flag", []string{"--data", made, "jbb"}, []string{"jbb"}},
		{"an unknown flag", []string{"--quietly"}, []string{"quietly"}},
		{"a file that cannot be written", []string{"--data", made, "--speed=false", "--json", filepath.Join(broken, "no", "r.json")}, []string{"r.json"}},
	} {
		var out, errOut strings.Builder
		err := run(tt.args, &out, &errOut)
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: error %v, want one line with %q", tt.name, err, want)
			}
		}
		if errOut.String() != "" {
			t.Errorf("%s: it says %q besides", tt.name, errOut.String())
		}
	}
}
