package load

import (
	"errors"
	"net"
	"os"
	"strconv"
	"testing"
	"time"
)

func command(t *testing.T, play string, env ...string) Command {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Command{Argv: []string{exe}, Env: append(append(os.Environ(), childEnv+"="+play), env...)}
}

func TestStartedProcessSaysWhereItIs(t *testing.T) {
	p, err := Start(t.Context(), command(t, "companions"))
	if err != nil {
		t.Fatal(err)
	}
	endpoints, err := p.Ready.Endpoints(FleetSpec{Count: 2, Fixed: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range endpoints {
		if status, _, err := get(e.URL+"/health", 5*time.Second); status != 200 || err != nil {
			t.Errorf("%s: %d, %v", e.ID, status, err)
		}
	}
	for _, spec := range []FleetSpec{{Count: 1}, {Count: 3}} {
		if _, err := p.Ready.Endpoints(spec); err == nil {
			t.Errorf("%d companions were taken for %d", len(endpoints), spec.Count)
		}
	}
	if used, err := cpuTime(p.Pid); err != nil {
		t.Errorf("cpu: %v, %v", used, err)
	}
	if rss, peak, err := memory(p.Pid); err != nil || rss < 1<<20 || peak < rss {
		t.Errorf("memory: %d, %d, %v", rss, peak, err)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if _, err := cpuTime(p.Pid); !errors.Is(err, errProc) {
		t.Errorf("the process is still there: %v", err)
	}
}

func TestStartPollsAnAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	cmd := command(t, "unsaid", "LOAD_TEST_PORT="+port)
	cmd.ReadyURL = "http://127.0.0.1:" + port + "/health"
	p, err := Start(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestStartFails(t *testing.T) {
	for _, play := range []string{"babbles", "dies", "silent"} {
		cmd := command(t, play)
		cmd.Within = 5 * time.Second
		if play == "silent" {
			cmd.Within = 300 * time.Millisecond
		}
		if p, err := Start(t.Context(), cmd); !errors.Is(err, ErrNotReady) {
			t.Errorf("%s: %v, %v", play, p, err)
		}
	}
	if _, err := Start(t.Context(), Command{Argv: []string{"/no/such/program"}}); err == nil {
		t.Error("a missing program was started")
	}
}

func TestAChildThatReadsItsInputEndsWithItsParent(t *testing.T) {
	p, err := Start(t.Context(), command(t, "orphan"))
	if err != nil {
		t.Fatal(err)
	}
	// It ignores Stop's signal; the end of the pipe is what a parent's death
	// would be to it.
	if err := p.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}
