package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

func TestEraseFromATerminal(t *testing.T) {
	s := startServer(t, t.TempDir(), anyPort+clientsNamed("ann", "bob"))
	mine, other := s.mustAsk("ann", anyRequest), s.mustAsk("ann", anyRequest)
	erase := func(key string, args ...string) (string, string, int) {
		return runProgram(t, "", []string{"KAIZEN_KEY=" + key}, append([]string{"erase", "--url", s.url}, args...)...)
	}
	steward := "file:" + filepath.Join(s.data(), "steward.key")

	for _, tt := range []struct {
		name string
		key  string
		args []string
		code int
		want string
	}{
		{"nothing", "ann", nil, exitUsage, "give one deliberation"},
		{"two", "ann", []string{mine.ID, other.ID}, exitUsage, "give one deliberation"},
		{"another's", "bob", []string{mine.ID}, exitFailed, "not yours"},
		{"one that is not there", "ann", []string{"dlb_none"}, exitFailed, "not yours"},
		{"what is no id", "ann", []string{"../../ledger/checkpoint"}, exitFailed, "kaizen: "},
		{"with an unknown key", "mallory", []string{mine.ID}, exitFailed, "--key"},
		{"from nobody", "ann", []string{mine.ID, "--url", nobody(t)}, exitFailed, "kaizen serve"},
	} {
		if out, errOut, code := erase(tt.key, tt.args...); code != tt.code || out != "" || !strings.Contains(errOut, tt.want) || strings.Count(errOut, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q, %q", tt.name, code, out, errOut)
		}
	}

	out, errOut, code := erase("ann", mine.ID)
	if code != 0 || errOut != "" || !strings.Contains(out, mine.ID+" is erased; entry ") {
		t.Errorf("one's own: exit code %d, %s%s", code, out, errOut)
	}
	if again, _, code := erase("ann", mine.ID); code != 0 || again != out {
		t.Errorf("again: exit code %d, %q, at first %q", code, again, out)
	}
	out, errOut, code = erase("", other.ID, "--key", steward, "--json")
	if code != 0 || errOut != "" || !strings.HasPrefix(out, `{"id":"`+other.ID+`","erased":true,"proof":{"index":`) {
		t.Errorf("by a steward: exit code %d, %s%s", code, out, errOut)
	}
	for _, v := range []*wire.Deliberation{mine, other} {
		var read wire.Deliberation
		if err := read.Decode(s.get("/v1/deliberations/"+v.ID, "ann", http.StatusOK)); err != nil || read.Answer != "" || read.Proof != v.Proof {
			t.Errorf("%s is read back as %+v, %v", v.ID, read, err)
		}
	}
	s.stop()
	out, errOut, code = runProgram(t, "", nil, "verify", s.data())
	if code != 0 || !strings.Contains(out, "2 text.erased") {
		t.Errorf("kaizen verify: exit code %d, %s%s", code, out, errOut)
	}
	if strings.Contains(s.errOut.String(), "17 * 23") {
		t.Error("the log tells the prompt")
	}
}

// A copy that a killed process left in the data folder, with texts that may be
// erased later, goes at the next start.
func TestAStartRemovesWhatIsLeftOfABackup(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, "data", "backup.tmp", "vault")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, dir, anyPort)
	if _, err := os.Stat(filepath.Dir(left)); !os.IsNotExist(err) {
		t.Errorf("it is there: %v", err)
	}
	s.stop()
}
