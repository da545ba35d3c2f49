package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/kaizen-os/deliberation/gateway"
	"github.com/kaizen-os/deliberation/gateway/wire"
)

// maxLabelBytes bounds a file of labelled prompts.
const maxLabelBytes = 256 << 20

// A labelLine is one item of the file, as it stands there.
type labelLine struct {
	place string // "line 3", "item 3"
	raw   []byte
}

// readLabels reads a file of labelled prompts, or standard input for "-", and
// checks all of it. Its errors say where and what, and hold none of the text.
func readLabels(in io.Reader, name string) ([]wire.CalibrationItem, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxLabelBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxLabelBytes:
		return nil, fmt.Errorf("%s is over %d MiB", name, maxLabelBytes>>20)
	}
	entries, err := splitLabels(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%s: there is no prompt in it", name)
	}
	var bad []string
	items := make([]wire.CalibrationItem, 0, len(entries))
	limits := wire.DefaultLimits()
	for _, e := range entries {
		var r wire.CalibrationRequest
		err := r.Decode(fmt.Appendf(nil, `{"items":[%s]}`, e.raw), limits)
		var told *wire.Error
		switch {
		case err == nil && len(r.Items) == 1:
			items = append(items, r.Items[0])
		case errors.As(err, &told) && told.Code != wire.InvalidJSON:
			for _, d := range told.Details {
				bad = append(bad, placed(d, func(int) string { return e.place }))
			}
		default:
			bad = append(bad, e.place+": is not one JSON object")
		}
	}
	if len(bad) == 0 {
		var told *wire.Error
		if _, err := gateway.CheckLabels(items); errors.As(err, &told) {
			for _, d := range told.Details {
				bad = append(bad, placed(d, func(i int) string { return entries[i].place }))
			}
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(bad) > 0 {
		return nil, fmt.Errorf("%s: %s; nobody was asked", name, firstFew(bad))
	}
	return items, nil
}

// splitLabels takes a file apart: a line an item, an array of them, or the body
// of a request.
func splitLabels(text []byte) (entries []labelLine, err error) {
	number := func(list []json.RawMessage) []labelLine {
		for i, raw := range list {
			entries = append(entries, labelLine{"item " + strconv.Itoa(i+1), raw})
		}
		return entries
	}
	start := bytes.TrimSpace(text)
	if bytes.HasPrefix(start, []byte("[")) {
		var list []json.RawMessage
		if json.Unmarshal(start, &list) != nil {
			return nil, errors.New("begins as a JSON array and is none")
		}
		return number(list), nil
	}
	var body map[string]json.RawMessage
	if json.Unmarshal(start, &body) == nil && body["items"] != nil {
		var list []json.RawMessage
		for name := range body {
			if name != "items" {
				return nil, fmt.Errorf("has %.40q beside items; give the deadline with --deadline", name)
			}
		}
		if json.Unmarshal(body["items"], &list) != nil {
			return nil, errors.New("its items are no array")
		}
		return number(list), nil
	}
	n := 0
	for line := range bytes.Lines(text) {
		if n++; len(bytes.TrimSpace(line)) > 0 {
			entries = append(entries, labelLine{"line " + strconv.Itoa(n), bytes.TrimSpace(line)})
		}
	}
	return entries, nil
}

var itemPath = regexp.MustCompile(`items\[(\d+)\]\.?`)

// placed is a problem with an item, told by where it stands in the file.
func placed(d wire.Detail, place func(i int) string) string {
	at := func(match string) string {
		i, err := strconv.Atoi(itemPath.FindStringSubmatch(match)[1])
		if err != nil {
			return match
		}
		return place(i) + ": "
	}
	field := itemPath.ReplaceAllStringFunc(d.Field, at)
	problem := itemPath.ReplaceAllStringFunc(d.Problem, func(match string) string { return strings.TrimSuffix(at(match), ": ") })
	return strings.TrimSuffix(field, ": ") + ": " + problem
}

// firstFew joins problems into one line.
func firstFew(list []string) string {
	const few = 5
	said := strings.Join(list[:min(few, len(list))], "; ")
	if more := len(list) - few; more > 0 {
		said += fmt.Sprintf("; and %d more", more)
	}
	return oneLine(said)
}
