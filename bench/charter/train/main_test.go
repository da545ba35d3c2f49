package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/scoring/charter"
)

// folder holds made texts of two sources that may be learned from, some to hold the
// thresholds to, and of one that is only measured on.
func folder(t *testing.T) string {
	t.Helper()
	var lines strings.Builder
	for i := range 60 {
		word, label, source := "tulip", "ok", []string{"gptfuzz", "jbb"}[i/2%2]
		if i%2 == 0 {
			word, label = "zorg", "bad"
		}
		text := strings.Repeat(fmt.Sprintf("Take the %s and put it beside number %d of the list. ", word, i), 5)
		fmt.Fprintf(&lines, `{"source":%q,"g":"g%d","label":%q,"kind":"reply","text":%q}`+"\n", source, i, label, text)
		fmt.Fprintf(&lines, `{"source":"alpacaeval","g":"a%d","label":"ok","model":"gpt-4o","kind":"reply","text":%q}`+"\n", i, strings.ReplaceAll(text, "zorg", "lawn"))
		fmt.Fprintf(&lines, `{"source":"dna","g":"d%d","label":%q,"kind":"reply","text":%q}`+"\n", i, label, text)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "made.jsonl"), []byte(lines.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTrainWritesATableAndItsCard(t *testing.T) {
	data, out := folder(t), filepath.Join(t.TempDir(), "table.bin")
	var stdout, stderr strings.Builder
	if err := run([]string{"--data", data, "--out", out, "--version", "v1"}, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	l, err := charter.DecodeLinear(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(strings.TrimSuffix(out, ".bin") + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var c card
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(file)
	if c.SHA256 != hex.EncodeToString(sum[:]) || c.Version != "v1" || l.Version != "v1" || c.Grams != l.Grams() || c.Advise != l.Advise || c.File != "table.bin" {
		t.Errorf("card %+v of version %s, %d grams, %v", c, l.Version, l.Grams(), l.Advise)
	}
	if fmt.Sprint(c.Measured) != "[alpacaeval dna]" || len(c.Learned) != 4 || c.Learned[0].Texts != 15 || c.Learned[0].Licence != "MIT" {
		t.Errorf("learned from %+v, measured on %v", c.Learned, c.Measured)
	}
	if a := c.Figures.Asked; len(a) != 4 || a[0].Share != 0.10 || a[0].Evidence > a[3].Evidence {
		t.Errorf("evidence above which a share of replies is: %+v", a)
	}
	for _, secret := range []string{data, filepath.Dir(out), "zorg", "tulip"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the card says %q", secret)
		}
	}
	var a, b strings.Builder
	again := filepath.Join(t.TempDir(), "table.bin")
	if err := run([]string{"--data", data, "--out", again, "--version", "v1"}, &a, &b); err != nil {
		t.Fatal(err)
	}
	if two, err := os.ReadFile(again); err != nil || string(two) != string(file) {
		t.Errorf("trained again it is another table (%v)", err)
	}
}

func TestTrainRefuses(t *testing.T) {
	data := folder(t)
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"no texts", nil, "--data"},
		{"a folder without any", []string{"--data", t.TempDir()}, "no .jsonl"},
		{"what is no flag", []string{"--data", data, "now"}, "now"},
		{"a source to learn from that is only measured on", []string{"--data", data, "--sources", "jbb,dna"}, `"dna"`},
		{"a source left out that is none", []string{"--data", data, "--leave", "nothing"}, `"nothing"`},
		{"nothing left to learn from", []string{"--data", data, "--sources", "polis"}, "nothing to learn"},
		{"a version that is too long", []string{"--data", data, "--version", "sixteen letters!"}, "version"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			err := run(append(tt.args, "--out", filepath.Join(t.TempDir(), "x.bin")), &stdout, &stderr)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
