package clients

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// patience bounds whatever should take a moment, on a machine with much else to do.
const patience = 2 * time.Minute

// A gateway is a "kaizen serve", and the companions that it asks.
type gateway struct {
	url   string
	panel *panel
	http  *http.Client // for the SDKs: its connections end with the test
}

// start starts a gateway in an empty folder over p, with what else its
// configuration says, and ends it with the test.
func start(t *testing.T, p *panel, more string) *gateway {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf("listen: 127.0.0.1:0\nadmin: \"\"\ndata: %q\nlogLevel: warn\n%s%s", filepath.Join(dir, "data"), more, p.config())
	g := &gateway{panel: p, http: &http.Client{Transport: &http.Transport{}, Timeout: patience}}
	g.url = serve(t, dir, config)
	t.Cleanup(g.http.CloseIdleConnections)
	return g
}

// serve runs "kaizen serve", and gives its URL.
func serve(t *testing.T, dir, config string) string {
	t.Helper()
	file := filepath.Join(dir, "kaizen.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", "--config", file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "COMPANION_KEY=" + companionKey} // nobody's real keys
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(found)
		at := regexp.MustCompile(`kaizen gateway at (http://\S+)`)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if m := at.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		defer kill.Stop()
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("kaizen serve: %v", err)
		}
		if t.Failed() {
			t.Logf("kaizen serve said:\n%s", &stderr)
		}
	})
	select {
	case url := <-found:
		if url != "" {
			return url
		}
	case <-time.After(patience):
	}
	t.Fatalf("kaizen serve does not say where it is:\n%s", &stderr)
	return ""
}

// within waits for a value that should come in a moment.
func within[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("%s: nothing in %v", what, patience)
	}
	return v
}
