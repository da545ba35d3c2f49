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

	"github.com/kaizen-os/deliberation/quorum"
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
		{"what a reload finds is in use at once", func() { write("sixth", 7); k.reread() }, 0, "sixth"},
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
	k.reread()
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

// A reload keeps the line of a companion whose key was rotated in its file, with its
// breaker and connections, and has the file looked at; a key from elsewhere makes
// another line.
func TestACrewKeepsWhatIsUnchanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("second\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	filed := CompanionConfig{Companion: quorum.Companion{ID: "ATLAS", Provider: "anthropic", Model: "m"}, Endpoint: "http://127.0.0.1:1", Key: Secret{"first"}, KeyFile: path}
	named := filed
	named.ID, named.KeyFile = "AUREA", ""
	token := filed
	token.ID, token.Key, token.KeyFile = "ZENITH", Secret{}, ""
	token.OAuth = OAuthConfig{TokenURL: "http://127.0.0.1:1/token", ClientID: "me", Secret: Secret{"first"}, SecretFile: path}
	before, err := newCrew([]CompanionConfig{filed, named, token}, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	far := time.Now().Add(time.Hour).UnixNano()
	before.adapters[0].files[0].next.Store(far)
	filed.Key, named.Key, token.OAuth.Secret = Secret{"second"}, Secret{"second"}, Secret{"second"}
	after, err := newCrew([]CompanionConfig{named, token, filed}, before, log)
	if err != nil {
		t.Fatal(err)
	}
	if after.seats[2].Line != before.seats[0].Line || after.adapters[2] != before.adapters[0] || after.adapters[1] != before.adapters[2] {
		t.Error("a rotated key has made another line")
	}
	if after.seats[0].Line == before.seats[1].Line {
		t.Error("a key from elsewhere has made none")
	}
	if got := after.adapters[2].files[0].Reveal(); got != "second" {
		t.Errorf("after the reload the key is %q", got)
	}
	moved := filed
	moved.Endpoint = "http://127.0.0.1:2"
	last, err := newCrew([]CompanionConfig{moved, {Companion: quorum.Companion{ID: "JADE", Provider: "acme"}, Endpoint: "http://127.0.0.1:1"}}, after, log)
	if last != nil || err == nil || !strings.Contains(err.Error(), `companion JADE: provider "acme" has no adapter`) {
		t.Errorf("an unknown provider: %v", err)
	}
	before.close(after)
	after.close(nil)
}
