//go:build unix

package run

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain makes the test binary also the launcher, and the programs that a shell
// cannot be.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "run-limited" {
		os.Exit(Supervise(os.Args[2:]))
	}
	if len(os.Args) > 2 && os.Args[1] == "leaver" {
		os.Exit(leave(os.Args[2]))
	}
	goleak.VerifyTestMain(m)
}

// leave starts a process that leaves the group and the session, writes down who
// it is, and ends.
func leave(file string) int {
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return 1
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o600); err != nil {
		return 1
	}
	return 0
}

// patience is for what must come, on a slow machine. No test waits it out.
const patience = 120 * time.Second

// launcher is how most tests run: as the gateway does.
func launcher(t testing.TB) []string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{exe, "run-limited"}
}

// shell runs candidates as shell scripts. What cfg leaves out is the usual, but
// for time: only tests of it run out of it.
func shell(t testing.TB, cfg Config) *Runner {
	t.Helper()
	if cfg.Command == nil {
		cfg.Command = []string{"sh"}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = patience
	}
	if cfg.TempDir == "" {
		cfg.TempDir = t.TempDir()
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left, err := os.ReadDir(cfg.TempDir); err != nil || len(left) > 0 {
			t.Errorf("working folders are left: %v, %v", left, err)
		}
	})
	return r
}

// ways are the two in which a command is started.
func ways(t *testing.T, test func(t *testing.T, launcher []string)) {
	t.Run("supervised", func(t *testing.T) { test(t, launcher(t)) })
	t.Run("plain", func(t *testing.T) { test(t, nil) })
}

func TestEqualResultsHaveEqualKeys(t *testing.T) {
	ways(t, func(t *testing.T, launcher []string) {
		r := shell(t, Config{Launcher: launcher})
		for _, tt := range []struct {
			name, a, b string
			same       bool
		}{
			{"the same output of another program", "echo 42", "expr 6 '*' 7", true},
			{"white space at the end", "printf 42", "printf '42 \\n\\n'", true},
			{"nothing at all and white space", "true", "echo", true},
			{"white space at the start", "echo 42", "echo ' 42'", false},
			{"another output", "echo 42", "echo 41", false},
			{"what is said aside", "echo 42", "echo thinking >&2; echo 42", true},
			{"input that is not read", "echo 42", "exec 0<&-; echo 42", true},
			{"a process that stays behind", "echo 42", "sleep 1000 & echo 42", true},
		} {
			a, b := r.Run(t.Context(), tt.a), r.Run(t.Context(), tt.b)
			if a.Outcome != Ran || b.Outcome != Ran || a.Key == "" || (a.Key == b.Key) != tt.same {
				t.Errorf("%s: %+v and %+v", tt.name, a, b)
			}
		}
	})
}

func TestWhatBreaksALimitHasFailed(t *testing.T) {
	ways(t, func(t *testing.T, launcher []string) {
		for _, tt := range []struct {
			name, code string
			cfg        Config
			want       Outcome
		}{
			{"an exit code", "echo 42; exit 3", Config{}, Crashed},
			{"an exit code like a supervisor's", "exit 5", Config{}, Crashed},
			{"a signal", "echo 42; kill -9 $$", Config{}, Crashed},
			{"code that is none", "}{", Config{}, Crashed},
			{"a loop without end", "while :; do :; done", Config{Timeout: 300 * time.Millisecond}, TimedOut},
			{"a sleep", "echo 42; sleep 1000", Config{Timeout: 300 * time.Millisecond}, TimedOut},
			{"output without end", "while :; do echo aaaaaaaaaaaaaaaa; done", Config{}, TooLong},
			{"a byte too much", "printf 12345", Config{Output: 4}, TooLong},
			{"just as much as it may", "printf 1234", Config{Output: 4}, Ran},
		} {
			tt.cfg.Launcher = launcher
			got := shell(t, tt.cfg).Run(t.Context(), tt.code)
			if got.Outcome != tt.want || (got.Key != "") != (tt.want == Ran) || got.Err != nil {
				t.Errorf("%s: %+v, want %s", tt.name, got, tt.want)
			}
		}
	})
}

// A candidate sees no environment but these, an empty folder of its own, and no
// file but the three.
func TestACandidateSeesNothingOfOurs(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "sk-XyzzyPlugh-0123")
	t.Setenv("LANG", "C")
	ways(t, func(t *testing.T, launcher []string) {
		file := filepath.Join(t.TempDir(), "seen")
		r := shell(t, Config{Launcher: launcher})
		if got := r.Run(t.Context(), "{ env | sed 's/=.*//' | grep -v -x -e _ -e PWD -e SHLVL -e OLDPWD | sort; ls -A; [ \"$HOME\" = \"$PWD\" ] && echo home; [ -e /dev/fd/3 ] && echo fd3; } > "+file+"; touch left; mkdir -p a/b"); got.Outcome != Ran {
			t.Fatalf("%+v", got)
		}
		seen, err := os.ReadFile(file)
		if want := "HOME\nLANG\nPATH\nTMPDIR\nhome\n"; err != nil || string(seen) != want {
			t.Errorf("it sees %q, want %q (%v)", seen, want, err)
		}
	})
}

// pids reads the process numbers that a candidate has written to file, waiting
// until there are n.
func pids(t *testing.T, file string, n int) (list []int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); ; {
		text, _ := os.ReadFile(file) // it may not be there yet
		list = list[:0]
		for _, word := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				list = append(list, pid)
			}
		}
		if len(list) >= n && strings.HasSuffix(string(text), "\n") {
			return list
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("no %d processes in %q", n, text)
		}
	}
}

// ended waits until nothing answers to pid: a group, if it is below 0. A plain
// runner's orphans are ended at once and reaped by others, who take their time.
func ended(t *testing.T, pid int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); ; {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Errorf("process %d lives on", pid)
			syscall.Kill(pid, syscall.SIGKILL)
			return
		}
	}
}

func zombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(max(pid, -pid)) + "/stat")
	return err == nil && strings.Contains(string(stat), ") Z ")
}

// A loop without end, its children and its grandchildren are gone when Run
// returns, also when it is the caller who ends it.
func TestNoProcessIsLeft(t *testing.T) {
	const code = "echo $$ >> FILE; (while :; do :; done) & echo $! >> FILE; sh -c 'echo $$ >> FILE; sleep 1000' & while :; do :; done"
	ways(t, func(t *testing.T, launcher []string) {
		t.Run("timed out", func(t *testing.T) {
			// On a slow machine all may not have started in a second.
			var file string
			for limit, begun := time.Second, false; !begun && limit < patience; limit *= 4 {
				file = filepath.Join(t.TempDir(), "pids")
				got := shell(t, Config{Launcher: launcher, Timeout: limit}).Run(t.Context(), strings.ReplaceAll(code, "FILE", file))
				if got.Outcome != TimedOut {
					t.Errorf("%+v", got)
				}
				text, _ := os.ReadFile(file) // it may not have been written
				begun = strings.Count(string(text), "\n") == 3
			}
			list := pids(t, file, 3)
			ended(t, -list[0])
			for _, pid := range list {
				ended(t, pid)
			}
		})
		t.Run("cancelled", func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pids")
			r := shell(t, Config{Launcher: launcher})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result := make(chan Result, 1)
			go func() { result <- r.Run(ctx, strings.ReplaceAll(code, "FILE", file)) }()
			list := pids(t, file, 3)
			cancel()
			select {
			case got := <-result:
				if got.Outcome != NotRun || !errors.Is(got.Err, context.Canceled) || got.Key != "" {
					t.Errorf("%+v", got)
				}
			case <-time.After(patience):
				t.Fatal("Run does not return")
			}
			ended(t, -list[0])
			for _, pid := range list {
				ended(t, pid)
			}
		})
	})
}

func TestACommandThatIsNotThere(t *testing.T) {
	for _, command := range [][]string{nil, {""}, {"no-such-program-anywhere"}, {filepath.Join(t.TempDir(), "none")}, {t.TempDir()}} {
		if r, err := New(Config{Command: command}); err == nil {
			t.Errorf("%q: %+v", command, r)
		}
	}
	// One that goes afterwards is our fault and not the candidate's.
	ways(t, func(t *testing.T, launcher []string) {
		program := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(program, []byte("#!/bin/sh\necho 42\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		r := shell(t, Config{Command: []string{program}, Launcher: launcher})
		if got := r.Run(t.Context(), ""); got.Outcome != Ran {
			t.Errorf("while it is there: %+v", got)
		}
		if err := os.Remove(program); err != nil {
			t.Fatal(err)
		}
		if got := r.Run(t.Context(), "secret code"); got.Outcome != NotRun || got.Err == nil || strings.Contains(got.Err.Error(), "secret") {
			t.Errorf("once it is gone: %+v", got)
		}
	})
}

func TestCandidatesWaitTheirTurn(t *testing.T) {
	dir := t.TempDir()
	r := shell(t, Config{Launcher: launcher(t), Parallel: 2})
	// Each says that it is there and counts who is there too.
	code := "cd " + dir + "; mkdir in.$$; ls -d in.* | wc -l >> most; while [ ! -e go ]; do sleep 0.01; done; rmdir in.$$"
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if got := r.Run(t.Context(), code); got.Outcome != Ran {
				t.Errorf("%+v", got)
			}
		})
	}
	pids(t, filepath.Join(dir, "most"), 2)
	// Both turns are taken: whoever has no time does not run.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if got := r.Run(ctx, "echo 42"); got.Outcome != NotRun || !errors.Is(got.Err, context.DeadlineExceeded) {
		t.Errorf("without a turn: %+v", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	for _, n := range pids(t, filepath.Join(dir, "most"), 6) {
		if n > 2 {
			t.Errorf("%d at once", n)
		}
	}
}
