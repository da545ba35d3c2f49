package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	write := func(text string, at int64) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Unix(at, 0)); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	now := time.Unix(1000, 0)
	write("first\n", 1)
	k := newKeyFile(path, "first", slog.New(slog.NewJSONHandler(&log, nil)))
	k.now = func() time.Time { return now }
	for _, step := range []struct {
		name   string
		change func()
		after  time.Duration
		want   string
	}{
		{"as it was read", func() {}, 0, "first"},
		{"a new one is not seen at once", func() { write("second", 2) }, 0, "first"},
		{"but a second later", func() {}, time.Second, "second"},
		{"one of another length that was changed at the same time", func() { write("fourth", 2); write("fourth-key", 2) }, time.Second, "fourth-key"},
		{"a file that is gone leaves the key", func() { os.Remove(path) }, time.Second, "fourth-key"},
		{"still", func() {}, time.Second, "fourth-key"},
		{"so does an empty one", func() { write("", 4) }, time.Second, "fourth-key"},
		{"and one that holds no key", func() { write("two words", 5) }, time.Second, "fourth-key"},
		{"and one that is too long", func() { write(strings.Repeat("x", maxSecretBytes+1), 6) }, time.Second, "fourth-key"},
		{"until there is one again", func() { write("fifth\r\n", 7) }, time.Second, "fifth"},
		{"that is told to be looked at is", func() { write("sixth", 8); k.soon() }, 0, "sixth"},
	} {
		step.change()
		now = now.Add(step.after)
		if got := k.Reveal(); got != step.want {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
	}
	if n := strings.Count(log.String(), "holds no key"); n != 1 {
		t.Errorf("said %d times that there is no key: %s", n, &log)
	}
	for _, secret := range []string{"first", "fourth", "two words", "xxxx"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in the log: %s", secret, &log)
		}
	}
	// Many at once: nobody gets half a key.
	var all sync.WaitGroup
	k.now = time.Now
	k.soon()
	for range 8 {
		all.Go(func() {
			for range 100 {
				if got := k.Reveal(); got != "sixth" {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	all.Wait()
}
