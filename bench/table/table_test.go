package table

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTable(t *testing.T) {
	v := Table{Title: "Weights", Note: "of each", Group: "set", Header: []string{"what", "g"}}
	if v.Text() != "" || v.Markdown() != "" {
		t.Errorf("without rows: %q, %q", v.Text(), v.Markdown())
	}
	v.Add("birds", "crow", "500")
	v.Add("birds", "märlin", "")
	v.Add("fish", "cod", "≥ 9")
	if got, want := v.Text(), "\n== Weights\nof each\n\nwhat    g\n\nbirds\ncrow    500\nmärlin\n\nfish\ncod     ≥ 9\n"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if got, want := v.Markdown(), "\n### Weights\n\nOf each.\n\n| set | what | g |\n| --- | --- | --- |\n| birds | crow | 500 |\n|  | märlin |  |\n| fish | cod | ≥ 9 |\n"; got != want {
		t.Errorf("markdown %q, want %q", got, want)
	}
	v.Aside = true
	if got := v.Markdown(); !strings.HasPrefix(got, "\n<details><summary>Weights</summary>\n\n") || !strings.HasSuffix(got, "\n\n</details>\n") {
		t.Errorf("aside %q", got)
	}
}

func TestNotesAreWrapped(t *testing.T) {
	v := Table{Note: strings.Repeat("wörd ", 60), Header: []string{"a"}}
	v.Add("", "1")
	for line := range strings.Lines(v.Text()) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > Columns {
			t.Errorf("wider than a terminal: %q", line)
		}
	}
	if n := strings.Count(v.Text(), "wörd"); n != 60 {
		t.Errorf("%d words of 60", n)
	}
}

func TestARowWithoutItsCellsIsABug(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a short row is taken")
		}
	}()
	v := Table{Header: []string{"a", "b"}}
	v.Add("", "1")
}
