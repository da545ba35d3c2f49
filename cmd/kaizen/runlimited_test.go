package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// sayingServer is a companion that always says the same.
func sayingServer(t *testing.T, text string) (url string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"response": text})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Write(body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// The whole way: a runner in the configuration, code from companions, a verdict by
// what it does, and a ledger that says so to whoever checks it.
func TestServeRunsCode(t *testing.T) {
	const secret = "XyzzyPlugh-0123"
	config := anyPort + "code: {runner: {command: [sh], timeout: 60s, memory: 128MiB}}\ncompanions:\n"
	for i, code := range []string{
		"echo 42",
		"if env | grep -q Xyzzy; then echo leak; else echo 42; fi",
		"[ -z \"$(ls -A)\" ] && echo 42",
		"exit 1",
	} {
		config += fmt.Sprintf("  - {id: C%d, provider: kaizen, endpoint: %q, tier: critical, vendor: v%d, key: {env: COMPANION_KEY}}\n", i, sayingServer(t, "```sh\n"+code+"\n```"), i)
	}
	s := startServer(t, t.TempDir(), config, "COMPANION_KEY="+secret, "LANG=C")
	v := s.mustAsk("", `{"prompt":"Write a shell script that prints six times seven.","kind":"code","wait":"all","include":["ballots","positions"]}`)
	if v.Status != "carried" || v.Consensus.Votes != 3 || len(v.Positions) != 1 || v.Ballots[3].Reason != quorum.ReasonRunFailed {
		t.Errorf("%+v", v)
	}
	s.says(&s.errOut, regexp.MustCompile("code that companions write is run"))
	s.stop()
	key := filepath.Join(s.data(), "ledger.pub")
	if out, errOut, code := runProgram(t, "", nil, "verify", s.data(), "--key", key); code != 0 || !strings.HasSuffix(out, "OK\n") {
		t.Errorf("kaizen verify: exit code %d, %s%s", code, errOut, out)
	}
}

func TestRunLimitedIsNotForPeople(t *testing.T) {
	out, _, code := runProgram(t, "", nil, "--help")
	if code != 0 || strings.Contains(out, runLimited) {
		t.Errorf("kaizen --help shows it: %s", out)
	}
	if _, errOut, code := runProgram(t, "", nil, runLimited, "--", "sh"); code == 0 || strings.Count(errOut, "\n") != 1 {
		t.Errorf("without limits: exit code %d, %q", code, errOut)
	}
}

func TestServeRefusesARunnerThatIsNotThere(t *testing.T) {
	dir := t.TempDir()
	gone := filepath.Join(dir, "gone")
	file := writeConfig(t, dir, anyPort+"code: {runner: {command: ["+gone+"]}}\n")
	for _, args := range [][]string{{"serve", "--config", file}, {"serve", "--check", "--config", file}} {
		if _, errOut, code := runProgram(t, "", nil, args...); code != exitFailed || !strings.Contains(errOut, "kaizen.yaml:3:27: code.runner.command: ") || strings.Count(errOut, "\n") != 1 {
			t.Errorf("%q: exit code %d, %q", args, code, errOut)
		}
	}
	if err := os.WriteFile(gone, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, errOut, code := runProgram(t, "", nil, "serve", "--check", "--config", file); code != 0 {
		t.Errorf("now it is there: exit code %d, %s", code, errOut)
	}
}
