// Package data reads labelled texts that the charter scorer is measured on and its
// linear model is trained on: files of one JSON object a line, gzipped or not.
package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// What a text is labelled as.
const (
	Bad  = "bad"
	OK   = "ok"
	Pair = "pair" // Text is better than Worse
)

// An Item is one labelled text.
type Item struct {
	ID     string `json:"id"`
	Group  string `json:"g"` // items of one group are near copies of each other, and stay on one side of any cut
	Source string `json:"source"`
	Text   string `json:"text"`
	Label  string `json:"label"`
	Clause int    `json:"clause"` // 1 to 7, or 0 for none in particular
	Kind   string `json:"kind"`   // reply, text, statement, ui, claim, civic, pii, pair
	Prompt string `json:"prompt"`
	Detail string `json:"detail"` // finer label: functionality, pattern, attack, kind of trap
	Model  string `json:"model"`
	Spans  []Span `json:"spans"`
	Worse  string `json:"worse"` // pairs
}

// A Span is where in a text a piece of personal data stands. It is written
// [start, end, "TYPE"], in characters.
type Span struct {
	Start, End int
	Type       string
}

// UnmarshalJSON reads a span.
func (s *Span) UnmarshalJSON(b []byte) error {
	var parts []jsontext.Value
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	if len(parts) != 3 {
		return fmt.Errorf("span %s: want [start, end, \"TYPE\"]", b)
	}
	for i, to := range []any{&s.Start, &s.End, &s.Type} {
		if err := json.Unmarshal(parts[i], to); err != nil {
			return err
		}
	}
	if s.Start < 0 || s.End <= s.Start {
		return fmt.Errorf("span %s ends before it starts", b)
	}
	return nil
}

// maxLine bounds one line. Texts of 6,000 characters are the longest of the sets
// that this was made for.
const maxLine = 4 << 20

// ReadDir reads every .jsonl and .jsonl.gz file of a folder, in the order of their
// names.
func ReadDir(dir string) ([]Item, error) {
	var names []string
	for _, pattern := range []string{"*.jsonl", "*.jsonl.gz"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: no .jsonl or .jsonl.gz files", dir)
	}
	slices.Sort(names)
	var all []Item
	for _, name := range names {
		items, err := ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
	}
	return all, nil
}

// ReadFile reads one file. A line that is no item fails it, with its number.
func ReadFile(name string) ([]Item, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		r = z
	}
	items, err := Read(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return items, nil
}

// Read reads items, one a line; blank lines are none.
func Read(r io.Reader) ([]Item, error) {
	var items []Item
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 1
	for ; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var it Item
		if err := json.Unmarshal(line, &it); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if err := it.check(); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		items = append(items, it)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n, err)
	}
	return items, nil
}

func (it *Item) check() error {
	switch {
	case it.Source == "":
		return errors.New("no source")
	case it.Label != Bad && it.Label != OK && it.Label != Pair:
		return fmt.Errorf("label %q: want bad, ok or pair", it.Label)
	case it.Clause < 0 || it.Clause > 7:
		return fmt.Errorf("clause %d: want 0 to 7", it.Clause)
	case (it.Label == Pair) != (it.Worse != ""):
		return errors.New("worse goes with pairs, and only with them")
	}
	if len(it.Spans) > 0 {
		characters := utf8.RuneCountInString(it.Text)
		for _, s := range it.Spans {
			if s.End > characters {
				return fmt.Errorf("span %d to %d in a text of %d characters", s.Start, s.End, characters)
			}
		}
	}
	return nil
}
