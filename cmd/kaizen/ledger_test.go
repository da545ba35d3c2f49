package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/store/ledger"
)

// The signing key is replaced: a verifier of either key goes on meanwhile.
func TestRotateAndRetireTheSigningKey(t *testing.T) {
	s := startServer(t, t.TempDir(), anyPort)
	s.mustAsk("", anyRequest)
	old := strings.TrimSpace(string(s.get("/ledger/key", "", http.StatusOK)))
	run := func(code int, args ...string) string {
		t.Helper()
		out, errOut, got := runProgram(t, "", nil, append([]string{"ledger"}, append(args, "--data", s.data())...)...)
		if got != code || code != 0 && (out != "" || strings.Count(errOut, "\n") != 1) {
			t.Fatalf("kaizen ledger %q: exit code %d, %s%s", args, got, out, errOut)
		}
		return out + errOut
	}
	if said := run(exitFailed, "retire"); !strings.Contains(said, "holds no next key") {
		t.Errorf("retire without a next key: %s", said)
	}
	next := strings.Fields(run(0, "rotate"))[2] // also while the gateway runs
	if said := run(exitFailed, "rotate"); !strings.Contains(said, "holds a next key already") {
		t.Errorf("rotate twice: %s", said)
	}
	if said := run(exitFailed, "retire"); !strings.Contains(said, "in use by another process") {
		t.Errorf("retire while the gateway runs: %s", said)
	}
	s.stop()
	if said := run(exitFailed, "retire"); !strings.Contains(said, "has not signed yet") {
		t.Errorf("retire too early: %s", said)
	}

	s = startServer(t, s.dir, anyPort)
	s.mustAsk("", anyRequest)
	for _, key := range []string{old, next} {
		if out := verified(t, s.url, "--key", key); !strings.Contains(out, "1 ledger.rekeyed") {
			t.Errorf("the record is not there:\n%s", out)
		}
	}
	s.stop()
	if out := run(0, "retire"); !strings.Contains(out, next) {
		t.Errorf("retire prints %q", out)
	}
	s = startServer(t, s.dir, anyPort)
	s.mustAsk("", anyRequest)
	if key := strings.TrimSpace(string(s.get("/ledger/key", "", http.StatusOK))); key != next {
		t.Errorf("the key is now %s, want %s", key, next)
	}
	verified(t, s.url, "--key", next)
	wantRefusal(t, s.url, "no signature of the key", "--key", old)
	s.stop()
	verified(t, s.data(), "--key", next)
	if said, errOut, code := runProgram(t, "", nil, "ledger", "rotate", "--data", filepath.Join(s.dir, "none")); code != exitFailed || !strings.Contains(errOut, ledger.KeyFile+" is missing") {
		t.Errorf("rotate of no ledger: exit code %d, %s%s", code, said, errOut)
	}
}
