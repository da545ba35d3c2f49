package store

import (
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// A plainError is an error of Pebble's in one line, that begins with the damaged
// file's name where that is known.
type plainError struct {
	text string
	err  error
}

func (e *plainError) Error() string { return e.text }
func (e *plainError) Unwrap() error { return e.err }

// Plain makes err, which Pebble returned, fit for a line: Pebble tells of one
// damage on several, each time it passes one on, and names the file by number.
func Plain(err error) error {
	if err == nil {
		return nil
	}
	var lines []string
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "<") && !strings.Contains(strings.Join(lines, "; "), line) {
			lines = append(lines, line)
		}
	}
	text := strings.Join(lines, "; ")
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
		if name := filepath.Base(info.Path); !strings.Contains(text, name) {
			text = name + ": " + text
		}
	}
	return &plainError{text, err}
}
