package observe

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what surely comes, on a slow machine.
const patience = 3 * time.Minute

const (
	root   = "../.."
	deploy = root + "/cmd/kaizen/deploy"
)

// A process is a program that a test has started, and ends.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	said  output // stdout and stderr
	ended chan struct{}
}

// begin starts a program with env beside PATH, to be killed by the test's end where
// stop has not ended it.
func begin(t *testing.T, env []string, program string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait() // how it ended is in ProcessState
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill() // an error where it has ended, as it should have
		<-p.ended
	})
	return p
}

// stop asks it to end, and wants that it does well.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("%s: %v\n%s", p.name(), err, &p.said)
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end\n%s", p.name(), &p.said)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("%s: exit code %d\n%s", p.name(), code, &p.said)
	}
}

func (p *process) name() string { return filepath.Base(p.cmd.Path) }

// says waits until it has said what matches pattern, and gives the groups.
func (p *process) says(pattern string) (groups []string) {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	p.eventually("says "+pattern, func() error {
		if groups = re.FindStringSubmatch(p.said.String()); groups == nil {
			return fmt.Errorf("it has not said that; it said\n%s", &p.said)
		}
		return nil
	})
	return groups
}

// eventually waits while the process lives until check is content.
func (p *process) eventually(what string, check func() error) {
	p.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); ; {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-p.ended:
			if err := check(); err != nil {
				p.t.Fatalf("%s has ended before it %s: %v\n%s", p.name(), what, err, &p.said)
			}
			return
		case <-late:
			p.t.Fatalf("%s: not in time: %s: %v", p.name(), what, err)
		}
	}
}

// output is what a process has written so far.
type output struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// run runs a program to its end and gives what it said, and its exit code.
func run(t *testing.T, dir string, env []string, program string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// freePort gives an address of this machine on which nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// fetch is the answer to one request; headers are pairs.
func fetch(ctx context.Context, method, url, body string, headers ...string) (string, int, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return "", 0, err
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), resp.StatusCode, err
}

// client keeps no connection, so that none outlives a test.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}

// builds makes each program once for all tests.
var builds struct {
	sync.Mutex
	dir string
}

// built gives the path of a program that it builds: kaizen, as the Dockerfile does,
// or the collector.
func built(t *testing.T, name string) string {
	t.Helper()
	builds.Lock()
	defer builds.Unlock()
	path := filepath.Join(builds.dir, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	dir, env, args := ".", []string(nil), []string{"build", "-o", path, "./otelcol"}
	if name == "kaizen" {
		dir, env, args = root, []string{"CGO_ENABLED=0"}, []string{"build", "-trimpath", "-ldflags=-s -w", "-o", path, "./cmd/kaizen"}
	}
	if out, code := run(t, dir, env, "go", args...); code != 0 {
		t.Fatalf("go %s: %s", strings.Join(args, " "), out)
	}
	return path
}

// tool finds a program that is to be installed.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not there: install Prometheus (.ci/prometheus does, from Debian's package)", name)
	}
	return path
}

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "observe-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		builds.dir = dir
		return m.Run()
	}())
}
