package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/store/ledger"
)

// verified runs kaizen verify and wants it to end well.
func verified(t *testing.T, args ...string) (out string) {
	t.Helper()
	out, errOut, code := runProgram(t, "", nil, append([]string{"verify"}, args...)...)
	if code != 0 || errOut != "" || !strings.HasSuffix(out, "OK\n") {
		t.Fatalf("kaizen verify %q: exit code %d, %s%s", args, code, errOut, out)
	}
	return out
}

// A stranger checks a running gateway's ledger, copies it, serves the copy, and
// comes back later.
func TestVerifyAndExportOverHTTP(t *testing.T) {
	s := startServer(t, t.TempDir(), anyPort)
	s.mustAsk("", anyRequest)
	dir := t.TempDir()
	kept, copied := filepath.Join(dir, "checkpoint.txt"), filepath.Join(dir, "log")
	key := strings.TrimSpace(string(s.get("/ledger/key", "", http.StatusOK)))

	if out := verified(t, s.url+"/ledger", "--remember", kept); !strings.Contains(out, "1 verdicts decided again") || !strings.Contains(out, "self-attested") || strings.Contains(out, "goes on from") {
		t.Errorf("the first time:\n%s", out)
	}
	first, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	export := func(from string, more ...string) string {
		t.Helper()
		out, errOut, code := runProgram(t, "", nil, append([]string{"ledger", "export", copied, "--from", from}, more...)...)
		if code != 0 || errOut != "" {
			t.Fatalf("kaizen ledger export: exit code %d, %s%s", code, errOut, out)
		}
		return out
	}
	export(s.url) // the gateway's own URL will do
	old, err := os.ReadFile(filepath.Join(copied, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	s.mustAsk("", anyRequest)
	if out := verified(t, s.url, "--remember", kept, "--key", key); !strings.Contains(out, "2 verdicts decided again") || !strings.Contains(out, "by the key you gave") || !strings.Contains(out, "goes on from the ") {
		t.Errorf("the second time:\n%s", out)
	}
	second, err := os.ReadFile(kept)
	if err != nil || string(second) == string(first) {
		t.Errorf("the checkpoint that is kept did not move on: %v", err)
	}
	if out := export(s.url+"/ledger", "--key", key); !strings.Contains(out, copied+": ") {
		t.Errorf("it prints %q", out)
	}
	s.stop()

	// The copy, as a folder and served by any web server; and the data folder.
	web := httptest.NewServer(http.FileServer(http.Dir(copied)))
	defer web.Close()
	for _, where := range []string{copied, web.URL, s.data()} {
		if out := verified(t, where, "--key", key, "--remember", kept); !strings.Contains(out, "2 verdicts decided again") {
			t.Errorf("%s:\n%s", where, out)
		}
	}
	// An export of the stopped gateway's folder goes on from the one over HTTP.
	export(s.data())
	export(copied + "/.") // of itself: nothing changes

	// One that is behind what was kept is told.
	last, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	head, err := os.ReadFile(filepath.Join(copied, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	putFile(t, filepath.Join(copied, "checkpoint"), string(old))
	wantRefusal(t, copied, "the last ones were lost, or this is an old copy", "--remember", kept)
	if again, err := os.ReadFile(kept); err != nil || string(again) != string(last) {
		t.Errorf("a ledger that did not verify changed what is kept: %v", err)
	}
	// One byte of the copy.
	putFile(t, filepath.Join(copied, "checkpoint"), string(head))
	flipByte(t, filepath.Join(copied, "tile", "0", "000.p", filepath.Base(oneFile(t, copied, filepath.Join("tile", "0", "000.p"), "*"))), 0.5)
	wantRefusal(t, copied, "does not have the hash that tile/0/000.p/")
}

func TestVerifyOfPlacesWithoutALedger(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	busy := startServer(t, t.TempDir(), anyPort)
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"a web server without a log": {[]string{"verify", web.URL}, exitFailed, "there is no ledger at " + web.URL},
		"nobody there":               {[]string{"verify", "http://127.0.0.1:1/ledger"}, exitFailed, "there is no ledger at"},
		"an empty folder":            {[]string{"verify", t.TempDir()}, exitFailed, "holds no ledger"},
		"an export of nothing":       {[]string{"ledger", "export", filepath.Join(t.TempDir(), "log"), "--from", t.TempDir()}, exitFailed, "holds no ledger"},
		"an export of what is open":  {[]string{"ledger", "export", filepath.Join(t.TempDir(), "log"), "--from", busy.data()}, exitFailed, "in use by a running gateway: stop it first, or export what it serves"},
		"a folder of something else": {[]string{"ledger", "export", busy.dir, "--from", busy.url}, exitFailed, "is not empty and holds no log"},
		"a kept note of another log": {[]string{"verify", busy.url, "--remember", filepath.Join(busy.data(), ledger.PubFile)}, exitFailed, ledger.PubFile},
	} {
		out, errOut, code := runProgram(t, "", nil, tt.args...)
		if code != tt.code || out != "" || strings.Count(errOut, "\n") != 1 || !strings.Contains(errOut, tt.want) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q, want %d and %q", name, code, out, errOut, tt.code, tt.want)
		}
	}
}
