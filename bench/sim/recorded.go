package sim

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

	"github.com/go-json-experiment/json"

	"github.com/kaizen-os/deliberation/quorum"
)

// ErrRecording is a file that is no recording: bench/README.md describes the
// format.
var ErrRecording = errors.New("sim: not a recording")

// Bounds on what is read: the largest line in use is 27 KB, the largest file
// unpacks to 15 MB.
const (
	maxLine      = 4 << 20
	maxRecording = 1 << 30
)

// A Recording is replies of several models to the same prompts, with the truth
// or a verdict on each reply where there is one. It is immutable.
type Recording struct {
	Name   string   // the file's name without .jsonl and .gz
	Models []string // who replied, in the order of every item's replies
	Items  []Item
}

// An Item is one prompt of a recording.
type Item struct {
	ID       string          `json:"id"`
	Prompt   string          `json:"prompt"` // may be empty: see Ask
	Truth    string          `json:"truth"`  // empty where there is none
	Kind     RecordedKind    `json:"kind"`
	NOptions int             `json:"n_options"`
	Category string          `json:"category"`
	Replies  []RecordedReply `json:"replies"` // by model, as Recording.Models

	// Ask is what to send as the prompt to get this item's replies: the
	// prompt, or the id where the prompt is empty or an earlier item has it.
	Ask string `json:"-"`
}

// A RecordedReply is what one model said, with the verdict on it if any.
type RecordedReply struct {
	Model string   `json:"model"`
	Text  string   `json:"text"`
	OK    *bool    `json:"ok"`    // a person's or a test's verdict
	Score *float64 `json:"score"` // a judge's, 1 to 10
	Vote  string   `json:"vote"`  // approve, reject or abstain
}

// RecordedKind is a kind of prompt as recordings name them.
type RecordedKind string

const (
	ChoiceItem   RecordedKind = "choice"
	ShortItem    RecordedKind = "short"
	NumberItem   RecordedKind = "number"
	FreetextItem RecordedKind = "freetext"
	VoteItem     RecordedKind = "vote"
	OpenItem     RecordedKind = "open"
	CodeItem     RecordedKind = "code"
)

// Kind is what to state as the request's kind.
func (k RecordedKind) Kind() (quorum.Kind, error) {
	switch k {
	case ChoiceItem:
		return quorum.Choice, nil
	case ShortItem:
		return quorum.Short, nil
	case NumberItem:
		return quorum.Number, nil
	case FreetextItem, OpenItem:
		return quorum.Text, nil
	case VoteItem:
		return quorum.VoteKind, nil
	case CodeItem:
		return quorum.Code, nil
	default:
		return quorum.Auto, fmt.Errorf("%w: unknown kind %q", ErrRecording, string(k))
	}
}

// Options of a choice: as many letters from A as it has options.
func (it *Item) Options() []string {
	options := make([]string, it.NOptions)
	for i := range options {
		options[i] = string(rune('A' + i))
	}
	return options
}

// OpenRecording reads a recording, one JSON object a line, gzipped or plain.
// An error wraps ErrRecording and names file and line.
func OpenRecording(path string) (*Recording, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".gz"), ".jsonl")
	rec, err := ReadRecording(f, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return rec, nil
}

// ReadRecording is OpenRecording of what r holds.
func ReadRecording(r io.Reader, name string) (*Recording, error) {
	buffered := bufio.NewReader(r)
	var plain io.Reader = buffered
	if magic, err := buffered.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRecording, err)
		}
		defer unzipped.Close()
		plain = unzipped
	}
	limited := &io.LimitedReader{R: plain, N: maxRecording}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	rec := &Recording{Name: name}
	seen := recordingKeys{ids: map[string]bool{}, asks: map[string]bool{}}
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var it Item
		if err := json.Unmarshal(line, &it); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrRecording, n, err)
		}
		if err := rec.add(it, &seen); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	switch {
	case lines.Err() != nil:
		return nil, fmt.Errorf("%w: %w", ErrRecording, lines.Err())
	case limited.N == 0:
		return nil, fmt.Errorf("%w: over %d bytes", ErrRecording, int64(maxRecording))
	case len(rec.Items) == 0:
		return nil, fmt.Errorf("%w: no items", ErrRecording)
	}
	return rec, nil
}

type recordingKeys struct{ ids, asks map[string]bool }

// add checks it and appends it.
func (rec *Recording) add(it Item, seen *recordingKeys) error {
	if it.ID == "" || it.ID != strings.TrimSpace(it.ID) || seen.ids[it.ID] {
		return fmt.Errorf("%w: id %q is empty, padded or taken", ErrRecording, it.ID)
	}
	if _, err := it.Kind.Kind(); err != nil {
		return err
	}
	if it.NOptions < 0 || it.NOptions > 26 || it.Kind == ChoiceItem && it.NOptions < 2 {
		return fmt.Errorf("%w: n_options %d: want 2 to 26", ErrRecording, it.NOptions)
	}
	models := make([]string, len(it.Replies))
	for i, reply := range it.Replies {
		models[i] = reply.Model
		if _, err := quorum.ParseStance(reply.Vote); err != nil {
			return fmt.Errorf("%w: %w", ErrRecording, err)
		}
	}
	if len(models) == 0 || slices.Contains(models, "") {
		return fmt.Errorf("%w: no replies, or one without model", ErrRecording)
	}
	if rec.Models == nil {
		rec.Models = models
	} else if !slices.Equal(rec.Models, models) {
		return fmt.Errorf("%w: models differ from the first line's", ErrRecording)
	}
	it.Ask = strings.TrimSpace(it.Prompt)
	if it.Ask == "" || seen.asks[it.Ask] {
		it.Ask = it.ID
	}
	if seen.asks[it.Ask] {
		return fmt.Errorf("%w: id %q is an earlier item's prompt", ErrRecording, it.ID)
	}
	seen.ids[it.ID], seen.asks[it.Ask] = true, true
	rec.Items = append(rec.Items, it)
	return nil
}
