//go:build linux

package run

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestLimitsThatOnlyASupervisorHolds(t *testing.T) {
	for _, tt := range []struct {
		name, code string
		want       []Outcome // either may come first
	}{
		{"a process that takes all memory", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done", []Outcome{Crashed, Exceeded}},
		{"processes that do so together", "for i in 1 2 3 4 5 6 7 8; do (x=aaaaaaaa; while [ ${#x} -lt 16000000 ]; do x=$x$x; done; sleep 1000) & done; wait", []Outcome{Exceeded}},
		// It doubles, and would end at 1,024, so that a limit that fails harms nobody.
		{"a fork bomb", "bomb() { [ $1 = 10 ] && exec sleep 1000; bomb $(($1+1)) & bomb $(($1+1)) & wait; }; bomb 0", []Outcome{Exceeded}},
		{"many processes that only wait", "i=0; while [ $i -lt 100 ]; do sleep 1000 & i=$((i+1)); done; wait", []Outcome{Exceeded}},
		{"a file without end", "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done > file", []Outcome{Crashed}},
		{"open files without end", "ulimit -n 65", []Outcome{Crashed}},
		{"a limit taken back", "ulimit -v unlimited && [ \"$(id -u)\" != 0 ]", []Outcome{Crashed}},
	} {
		r := shell(t, Config{Launcher: launcher(t), Memory: 96 << 20})
		got := r.Run(t.Context(), tt.code)
		ok := false
		for _, want := range tt.want {
			ok = ok || got.Outcome == want
		}
		if !ok || got.Key != "" {
			t.Errorf("%s: %+v, want %v", tt.name, got, tt.want)
		}
	}
}

// Time on the processor is limited for each process, so that one that escaped
// even the supervisor would not go on for ever.
func TestAProcessHasOnlySoMuchTime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "limits")
	r := shell(t, Config{Launcher: launcher(t), Memory: 96 << 20})
	if got := r.Run(t.Context(), "{ ulimit -t; ulimit -n; ulimit -c; ulimit -v; } > "+file); got.Outcome != Ran {
		t.Fatalf("%+v", got)
	}
	if text, err := os.ReadFile(file); err != nil || strings.Join(strings.Fields(string(text)), " ") != "61 64 0 98304" {
		t.Errorf("limits %q, %v", text, err)
	}
}

// What leaves the group and the session is ended too.
func TestWhoLeavesTheGroupIsEnded(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pid")
	// A Go program, and more so one with the race detector, wants room.
	r := shell(t, Config{Command: []string{exe, "leaver", file}, Launcher: launcher(t), Memory: 1 << 50})
	if got := r.Run(t.Context(), ""); got.Outcome != Ran {
		t.Fatalf("%+v", got)
	}
	ended(t, pids(t, file, 1)[0])
}

// Whoever kills the gateway ends its candidates with it.
func TestTheEndOfTheLifelineEndsAll(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	limits := limits{timeout: patience, memory: 96 << 20}
	line := launcher(t)
	cmd := exec.Command(line[0], append(limits.args(line[1:]), sh)...)
	cmd.Stdin = strings.NewReader("echo $$ > " + file + "; sleep 1000 & wait")
	silent, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	theirs, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{theirs, silent}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	pid := pids(t, file, 1)[0]
	ours.Close()
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the supervisor lives on")
	}
	if code := cmd.ProcessState.ExitCode(); code != exitNotRun {
		t.Errorf("exit code %d", code)
	}
	ended(t, -pid)
}

// A supervisor that somebody ends leaves its command's group to the gateway.
func TestAnEndedSupervisorLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	r := shell(t, Config{Launcher: launcher(t)})
	result := make(chan Result, 1)
	go func() {
		result <- r.Run(t.Context(), "sleep 1000 & echo $PPID > "+dir+"/parent; echo $$ $! > "+dir+"/pids; wait")
	}()
	list := pids(t, filepath.Join(dir, "pids"), 2)
	if err := syscall.Kill(pids(t, filepath.Join(dir, "parent"), 1)[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-result:
		if got.Outcome != NotRun || got.Err == nil {
			t.Errorf("%+v", got)
		}
	case <-time.After(patience):
		t.Fatal("Run does not return")
	}
	for _, pid := range append(list, -list[0]) {
		ended(t, pid)
	}
}

func TestASupervisorThatIsToldNothing(t *testing.T) {
	for _, args := range [][]string{nil, {"-timeout", "1s"}, {"-timeout", "1s", "-memory", "1", "--"}, {"-timeout", "soon", "-memory", "1", "--", "sh"}, {"-timeout", "1s", "-memory", "1", "-x", "--", "sh"}} {
		if command, err := new(limits).parse(args); err == nil {
			t.Errorf("%q: %q", args, command)
		}
	}
}
