package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// A crowd is clients that ask without a pause until they are told to stop, or
// until an answer closes their connection: then the gateway is going.
type crowd struct {
	t       *testing.T
	stop    chan struct{}
	clients sync.WaitGroup
	answers chan struct{} // one an answer

	mu       sync.Mutex // guards the rest
	answered int
	failed   []error
}

// startCrowd lets n clients ask s, each over a connection of its own.
func startCrowd(t *testing.T, s *server, n int, key string) *crowd {
	c := &crowd{t: t, stop: make(chan struct{}), answers: make(chan struct{}, 1<<16)}
	for range n {
		c.clients.Go(func() {
			for {
				select {
				case <-c.stop:
					return
				default:
				}
				v, last, err := s.askOnce(context.Background(), key, anyRequest)
				if err == nil && v.Value != "391" {
					err = fmt.Errorf("%s answers %q, %s, from %+v", v.ID, v.Value, v.Status, v.Ballots)
				}
				c.note(err)
				if err != nil || last {
					return
				}
			}
		})
	}
	return c
}

func (c *crowd) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failed = append(c.failed, err)
		return
	}
	c.answered++
	select {
	case c.answers <- struct{}{}:
	default:
	}
}

// more waits for n more answers.
func (c *crowd) more(n int) {
	c.t.Helper()
	for len(c.answers) > 0 {
		<-c.answers
	}
	late := time.After(patience)
	for range n {
		select {
		case <-c.answers:
		case <-late:
			c.t.Fatal("the crowd gets no answers")
		}
	}
}

// end stops the clients and wants none to have failed.
func (c *crowd) end() {
	c.t.Helper()
	close(c.stop)
	c.join()
}

// join waits for clients that end by themselves.
func (c *crowd) join() {
	c.t.Helper()
	c.clients.Wait()
	for i, err := range c.failed {
		if i < 5 {
			c.t.Errorf("a request failed: %v", err)
		}
	}
	if c.answered == 0 || len(c.failed) > 0 {
		c.t.Fatalf("%d requests were answered, %d failed", c.answered, len(c.failed))
	}
}

// reload writes s's configuration anew and sends SIGHUP; it returns when the log
// says what came of it.
func (s *server) reload(config, want string) {
	s.t.Helper()
	before := s.errOut.count(want)
	writeConfig(s.t, s.dir, config)
	s.send(syscall.SIGHUP)
	if _, ok := s.errOut.await(func(b []byte) bool { return strings.Count(string(b), want) > before }); !ok {
		s.t.Fatalf("SIGHUP: the log does not say %q:\n%s", want, &s.errOut)
	}
}

const (
	reloaded  = `"msg":"reloaded"`
	keptAsWas = `"msg":"reload failed; the configuration before it stays in force"`
)

// While clients ask without a pause, companions, clients, limits and policy are
// replaced again and again: not one request fails, and each change is in force
// when the log says so.
func TestReloadUnderLoad(t *testing.T) {
	_, companions := startSim(t, instant(5)...)
	section := func(n int) string {
		text := "companions:\n"
		for _, e := range companions[:n] {
			text += companionLine(e, "kaizen", "")
		}
		return text
	}
	dir := t.TempDir()
	policy := filepath.Join(dir, "policy.json")
	putFile(t, policy, policyNamed(t, "another"))
	first := anyPort + section(5) + clientsNamed("load")
	s := startServer(t, dir, first)
	own := string(s.get("/policy", "", http.StatusOK))
	c := startCrowd(t, s, 4, "load")
	c.more(20)

	for range 3 {
		s.reload(anyPort+section(3)+clientsNamed("load", "guest")+"policy: "+policy+"\nlimits: {promptBytes: 100}\n", reloaded)
		if v := s.mustAsk("guest", anyRequest); len(v.Ballots) != 3 {
			t.Errorf("with three companions there are %d ballots", len(v.Ballots))
		}
		if got := string(s.get("/policy", "", http.StatusOK)); !strings.Contains(got, `"version":"another"`) {
			t.Errorf("the policy in force is %.80s", got)
		}
		if _, err := s.ask(t.Context(), "load", `{"prompt":"`+strings.Repeat("x", 101)+`"}`); err == nil {
			t.Error("a prompt over the new limit is taken")
		}
		c.more(20)

		s.reload(anyPort+"nonsense: true\n", keptAsWas)
		s.reload(anyPort+"policy: /nowhere\n", keptAsWas)
		if v := s.mustAsk("guest", anyRequest); len(v.Ballots) != 3 {
			t.Errorf("after a reload that failed there are %d ballots", len(v.Ballots))
		}

		s.reload(first, reloaded)
		if _, err := s.ask(t.Context(), "guest", anyRequest); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("a client that is no longer configured: %v, want 401", err)
		}
		if got := string(s.get("/policy", "", http.StatusOK)); got != own {
			t.Errorf("the policy in force is %.80s", got)
		}
		if v := s.mustAsk("load", anyRequest); len(v.Ballots) != 5 {
			t.Errorf("with five companions there are %d ballots", len(v.Ballots))
		}
		c.more(20)
	}
	c.end()
	s.stop()
	if out, errOut, code := runProgram(t, "", nil, "verify", s.data()); code != 0 {
		t.Errorf("kaizen verify: exit code %d, %s%s", code, out, errOut)
	}
}

// policyNamed is the embedded policy under another version.
func policyNamed(t *testing.T, version string) string {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(quorum.DefaultPolicy().Canonical(), &doc); err != nil {
		t.Fatal(err)
	}
	doc["version"] = version
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A gateway that others can reach must not lose its clients by a reload that is
// only good for another listener.
func TestReloadKeepsTheListenerClosedToStrangers(t *testing.T) {
	s := startServer(t, t.TempDir(), "listen: 0.0.0.0:0\nadmin: \"\"\n"+clientsNamed("ann"))
	s.url = strings.Replace(s.url, "[::]", "127.0.0.1", 1)
	s.reload(anyPort, keptAsWas)
	if _, err := s.ask(t.Context(), "", anyRequest); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("without a key: %v, want 401", err)
	}
	s.mustAsk("ann", anyRequest)
	s.stop()
}

// SIGTERM under load: every request that was sent is answered, and the end is
// clean. Companions take a while, so that many requests are under way.
func TestDrainUnderLoad(t *testing.T) {
	for _, tt := range []struct {
		name    string
		latency sim.Latency
		clients int
	}{
		{"companions answer at once", sim.Latency{}, 8},
		{"companions take 300 ms", sim.Fixed(300 * time.Millisecond), 32},
	} {
		t.Run(tt.name, func(t *testing.T) {
			members := instant(3)
			config := anyPort + "companions:\n"
			for i := range members {
				members[i].Latency = tt.latency
			}
			_, companions := startSim(t, members...)
			for _, e := range companions {
				config += companionLine(e, "kaizen", "")
			}
			s := startServer(t, t.TempDir(), config)
			c := startCrowd(t, s, tt.clients, "")
			c.more(3 * tt.clients)
			s.send(syscall.SIGTERM)
			code := s.wait()
			c.join()
			if code != 0 || !strings.Contains(s.errOut.String(), `"msg":"draining"`) {
				t.Errorf("exit code %d; stderr:\n%s", code, &s.errOut)
			}
			out, errOut, code := runProgram(t, "", nil, "verify", s.data())
			proofs := regexp.MustCompile(`(\d+) verdicts decided again`).FindStringSubmatch(out)
			if code != 0 || proofs == nil || proofs[1] != fmt.Sprint(c.answered) {
				t.Errorf("kaizen verify: exit code %d, %s%s, want %d verdicts", code, out, errOut, c.answered)
			}
		})
	}
}

// A second interrupt does not wait for what is drained; a second SIGTERM, which
// supervisors send, changes nothing.
func TestSecondInterruptEndsAtOnce(t *testing.T) {
	members := instant(3)
	for i := range members {
		members[i].Latency = sim.Fixed(time.Minute)
	}
	asked, companions := startSim(t, members...)
	config := anyPort + "companions:\n"
	for _, e := range companions {
		config += companionLine(e, "kaizen", ", deadline: 60s")
	}
	s := startServer(t, t.TempDir(), config)
	ended := make(chan error, 1)
	go func() {
		_, err := s.ask(context.Background(), "", `{"prompt":"What is 17 * 23?","deadlineMs":60000}`)
		ended <- err
	}()
	for asked.Asked("ZENITH") == 0 {
		s.get("/health", "", http.StatusOK)
	}
	s.send(syscall.SIGTERM)
	s.says(&s.errOut, regexp.MustCompile(`"msg":"draining"`))
	s.send(syscall.SIGTERM)
	s.get("/health", "", http.StatusOK) // as long as it tells its clients to go
	s.send(os.Interrupt)
	if code := s.wait(); code == 0 {
		t.Error("exit code 0 with a request unanswered")
	}
	if err := <-ended; err == nil {
		t.Error("the request was answered")
	}
}

// Readiness follows what the panel can do.
func TestReadyTellsOfThePanel(t *testing.T) {
	s := startServer(t, t.TempDir(), anyPort)
	var r wire.Ready
	if err := r.Decode(s.get("/ready", "", http.StatusOK)); err != nil || !r.Ready || r.Companions != 8 || len(r.Tiers) != 4 {
		t.Errorf("ready: %+v, %v", r, err)
	}
	s.stop()
}
