package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

// asProgram makes the test binary be kaizen itself: the tests of the process
// start it again with this in the environment. It is what is tested, built with
// -race when the tests are, without another build.
const asProgram = "KAIZEN_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == runLimited {
		main() // started by another, which keeps the environment from it
	}
	if os.Getenv(asProgram) != "" {
		go endWithParent()
		main() // exits
	}
	// fasthttp's worker pools look for their end every ten seconds.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// endWithParent ends this process when the one that started it is gone, however
// it went: the tests' timeout, say, kills without a chance to clean up.
func endWithParent() {
	io.Copy(io.Discard, os.NewFile(3, "parent"))
	os.Exit(99)
}

// patience is how long a test waits for what surely comes, on a slow machine and
// with the race detector.
const patience = 90 * time.Second

// A program is a kaizen process that a test has started.
type program struct {
	t           *testing.T
	cmd         *exec.Cmd
	out, errOut output
	ended       chan struct{} // closed when it has, and code is set
	code        int           // -1: by a signal
}

// start runs kaizen with args, beside the test. What env says is all of its
// environment that may matter to it. The test's end ends it.
func start(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	return startWith(t, nil, env, args...)
}

func startWith(t *testing.T, stdin io.Reader, env []string, args ...string) *program {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	alive, parent, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, cmd: exec.Command(exe, args...), ended: make(chan struct{})}
	p.cmd.Env = append([]string{asProgram + "=1", "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "GORACE=halt_on_error=1 atexit_sleep_ms=0"}, env...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, &p.out, &p.errOut
	p.cmd.ExtraFiles = []*os.File{alive}
	err = p.cmd.Start()
	alive.Close()
	if err != nil {
		parent.Close()
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait() // what it ended with is in ProcessState
		p.code = p.cmd.ProcessState.ExitCode()
		close(p.ended)
		p.out.end()
		p.errOut.end()
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill() // an error if it has ended, as it should have
		<-p.ended
		parent.Close()
		if text := p.errOut.String(); strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic:") {
			t.Errorf("kaizen %s:\n%s", strings.Join(args, " "), text)
		}
	})
	return p
}

// run runs kaizen to its end.
func runProgram(t *testing.T, stdin string, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	p := startWith(t, strings.NewReader(stdin), env, args...)
	code = p.wait()
	return p.out.String(), p.errOut.String(), code
}

// wait gives the exit code.
func (p *program) wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.code
	case <-time.After(patience):
		p.t.Fatalf("it does not end; stderr:\n%s", &p.errOut)
		return 0
	}
}

// send sends a signal.
func (p *program) send(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("send %v: %v; stderr:\n%s", s, err, &p.errOut)
	}
}

// saysOn waits until what p writes to o holds a match of pattern, and gives its
// groups.
func (p *program) says(o *output, pattern *regexp.Regexp) []string {
	p.t.Helper()
	text, ok := o.await(func(text []byte) bool { return pattern.Match(text) })
	if !ok {
		p.t.Fatalf("it does not say %s; it said:\n%s\nand on stderr:\n%s", pattern, text, &p.errOut)
	}
	return pattern.FindStringSubmatch(string(text))
}

// complains gives what p wrote to stderr beside its log: lines for people.
func complaints(stderr string) []string {
	var lines []string
	for line := range strings.Lines(stderr) {
		if !json.Valid([]byte(line)) {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

// output is what a process has written so far.
type output struct {
	mu    sync.Mutex // guards the rest
	text  []byte
	done  bool
	moved chan struct{} // closed when there is more, or the end
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, b...)
	o.wake()
	return len(b), nil
}

func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done = true
	o.wake()
}

func (o *output) wake() {
	if o.moved != nil {
		close(o.moved)
		o.moved = nil
	}
}

// await waits until enough is satisfied with the text, and reports whether it is.
func (o *output) await(enough func([]byte) bool) (text []byte, ok bool) {
	late := time.After(patience)
	for {
		o.mu.Lock()
		text, ok = bytes.Clone(o.text), enough(o.text)
		if o.moved == nil {
			o.moved = make(chan struct{})
		}
		moved, done := o.moved, o.done
		o.mu.Unlock()
		if ok || done {
			return text, ok
		}
		select {
		case <-moved:
		case <-late:
			return text, false
		}
	}
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}

// count is how often s has been written.
func (o *output) count(s string) int { return strings.Count(o.String(), s) }

// A server is a "kaizen serve" that has said where it is.
type server struct {
	*program
	url    string
	dir    string // of its configuration and data
	config string // its file
	client *http.Client
}

// anyPort is the start of a configuration that can run beside any other.
const anyPort = "listen: 127.0.0.1:0\nadmin: \"\"\n"

// writeConfig writes dir's configuration, with the data folder in dir.
func writeConfig(t *testing.T, dir, config string) (file string) {
	t.Helper()
	file = filepath.Join(dir, "kaizen.yaml")
	putFile(t, file, config+"data: "+filepath.Join(dir, "data")+"\n")
	return file
}

// startServer starts a gateway in dir, and returns when it serves.
func startServer(t *testing.T, dir, config string, env ...string) *server {
	t.Helper()
	s := &server{dir: dir, config: writeConfig(t, dir, config)}
	s.program = start(t, env, "serve", "--config", s.config)
	s.url = s.says(&s.out, regexp.MustCompile(`kaizen gateway at (http://\S+)`))[1]
	s.client = newHTTPClient(t)
	return s
}

func newHTTPClient(t *testing.T) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// data is the server's data folder.
func (s *server) data() string { return filepath.Join(s.dir, "data") }

// stop drains the server and wants a clean end.
func (s *server) stop() {
	s.t.Helper()
	s.client.CloseIdleConnections()
	s.send(os.Interrupt)
	if code := s.wait(); code != 0 {
		s.t.Fatalf("exit code %d after an interrupt; stderr:\n%s", code, &s.errOut)
	}
}

// do sends a request, with a key unless it is "", and gives the answer.
func (s *server) do(ctx context.Context, method, path, key, body string) (status int, answer []byte, err error) {
	resp, answer, err := s.exchange(ctx, method, path, key, body)
	if err != nil {
		return 0, nil, err
	}
	return resp.StatusCode, answer, nil
}

// exchange is do, with all that was answered.
func (s *server) exchange(ctx context.Context, method, path, key, body string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp, answer, err
}

// get wants an answer of that status.
func (s *server) get(path, key string, want int) []byte {
	s.t.Helper()
	status, answer, err := s.do(s.t.Context(), http.MethodGet, path, key, "")
	if err != nil || status != want {
		s.t.Fatalf("GET %s: %d %s, %v, want %d; stderr:\n%s", path, status, answer, err, want, &s.errOut)
	}
	return answer
}

// anyRequest is one that every tier's panel answers.
const anyRequest = `{"prompt":"What is 17 * 23?","kind":"number"}`

// ask puts a request to the gateway, and wants a verdict.
func (s *server) ask(ctx context.Context, key, request string) (*wire.Deliberation, error) {
	v, _, err := s.askOnce(ctx, key, request)
	return v, err
}

// askOnce is ask; last tells that the answer closes its connection.
func (s *server) askOnce(ctx context.Context, key, request string) (v *wire.Deliberation, last bool, err error) {
	resp, answer, err := s.exchange(ctx, http.MethodPost, "/v1/deliberate", key, request)
	if err != nil {
		return nil, false, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, false, fmt.Errorf("%d: %s", resp.StatusCode, answer)
	}
	v = new(wire.Deliberation)
	if err := v.Decode(answer); err != nil {
		return nil, false, err
	}
	if v.ID == "" || v.Proof.LeafHash == "" {
		return nil, false, errors.New("an answer without a proof: " + string(answer))
	}
	return v, resp.Close, nil
}

func (s *server) mustAsk(key, request string) *wire.Deliberation {
	s.t.Helper()
	v, err := s.ask(s.t.Context(), key, request)
	if err != nil {
		s.t.Fatalf("ask: %v; stderr:\n%s", err, &s.errOut)
	}
	return v
}

func TestHelpListsTheCommands(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"help"}, {}} {
		out, errOut, code := runProgram(t, "", nil, args...)
		if code != 0 || errOut != "" {
			t.Errorf("kaizen %q: exit code %d, %q", args, code, errOut)
		}
		for _, command := range []string{"serve", "ask", "verify", "witness", "score", "calibrate", "sim", "keygen", "bench"} {
			if !regexp.MustCompile(`(?m)^  ` + command + ` +\S`).MatchString(out) {
				t.Errorf("kaizen %q does not list %s:\n%s", args, command, out)
			}
		}
	}
}

// A command line that is wrong is answered by one line and exit code 2.
func TestWrongCommandLines(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"bogus", "unknown command bogus; see kaizen --help"},
		{"--bogus", "unknown flag: --bogus"},
		{"serve --bogus", "unknown flag: --bogus"},
		{"serve here", `unknown command "here" for "kaizen serve"`},
		{"serve --config", "flag needs an argument: --config"},
		{"ask", "give a prompt"},
		{"ask --deadline soon x", `invalid argument "soon" for "--deadline"`},
		{"ledger export", "give one folder"},
		{"ask hi --sealed", "--sealed is for --receipt"},
		{"verify ftp://localhost/", "no URL of a log"},
		{"verify", "give one URL, folder or receipt"},
		{"verify a b", "give one URL, folder or receipt"},
		{"verify . --key nonsense", "--key is neither a file nor a key in note form"},
		{"score", "give one file, or - for standard input"},
		{"score - --tier lofty", `unknown tier "lofty"`},
		{"sim here", `unknown command "here" for "kaizen sim"`},
		{"sim --companions 99", "--companions: there are 8"},
		{"sim --latency soon", "soon"},
		{"witness", "give --log with the public key of each log to vouch for"},
		{"witness here", `unknown command "here" for "kaizen witness"`},
		{"witness --log nowhere", "--log is neither a file nor a key in note form"},
		{"witness --log a+b+c", "--log: want a log's public key in note form"},
		{"keygen here", `unknown command "here" for "kaizen keygen"`},
	} {
		out, errOut, code := runProgram(t, "", nil, strings.Fields(tt.line)...)
		if code != exitUsage || out != "" || strings.Count(errOut, "\n") != 1 || !strings.HasPrefix(errOut, "kaizen: ") || !strings.Contains(errOut, tt.want) {
			t.Errorf("kaizen %s: exit code %d, stdout %q, stderr %q; want %d and one line with %q", tt.line, code, out, errOut, exitUsage, tt.want)
		}
	}
}

// What keygen prints lets its holder in.
func TestKeygen(t *testing.T) {
	out, errOut, code := runProgram(t, "", nil, "keygen")
	key := regexp.MustCompile(`kz_\S+`).FindString(out)
	_, client, found := strings.Cut(out, "configuration:\n")
	if code != 0 || errOut != "" || key == "" || !found {
		t.Fatalf("exit code %d, %q, %q", code, errOut, out)
	}
	s := startServer(t, t.TempDir(), anyPort+"clients:\n"+client)
	if v := s.mustAsk(key, anyRequest); v.Status != "carried" {
		t.Errorf("with the key: %s", v.Status)
	}
	if status, answer, err := s.do(t.Context(), http.MethodPost, "/v1/deliberate", key+"x", anyRequest); err != nil || status != http.StatusUnauthorized {
		t.Errorf("with another key: %d %s, %v", status, answer, err)
	}
	s.stop()
}

func putFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func sha256Hex(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
