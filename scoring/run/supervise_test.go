//go:build linux

package run

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
		// It doubles, and would end at 127, so that a limit that fails harms nobody.
		{"a fork bomb", "bomb() { [ $1 = 6 ] && exec sleep 1000; bomb $(($1+1)) & bomb $(($1+1)) & wait; }; bomb 0", []Outcome{Exceeded}},
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

// Each file may be within its limit, and they together not; nobody waits for the
// end of one that stays, or looks away from one that does not.
func TestAFolderHoldsOnlySoMuch(t *testing.T) {
	const (
		fill = "n=0; while [ $n -lt COUNT ]; do head -c 15000000 /dev/zero > f$n; n=$((n+1)); done; "
		many = "n=0; while [ $n -lt COUNT ]; do : > f$n; n=$((n+1)); done; "
	)
	for _, tt := range []struct {
		name, code, count string
		want              Outcome
	}{
		{"five files of 15 MB", fill + "sleep 1000", "5", Exceeded},
		{"five that are there at the end", fill, "5", Exceeded},
		{"five, one after the other", strings.ReplaceAll(fill, "f$n", "f"), "5", Ran},
		{"four of them", fill, "4", Ran},
		{"five in folders", strings.ReplaceAll(fill, "head", "mkdir -p $n/a; cd $n; head") + "sleep 1000", "5", Exceeded},
		{"more files than it may", many + "sleep 1000", "1025", Exceeded},
		{"more at the end", many, "1025", Exceeded},
		{"as many as it may", many, "1024", Ran},
		{"a way into itself", "ln -s . self; ln -s / root; echo 42", "", Ran},
		{"files with names that are not text", "printf x > \"$(printf 'a\\377\\nb')\"; echo 42", "", Ran},
	} {
		r := shell(t, Config{Launcher: launcher(t)})
		if got := r.Run(t.Context(), strings.ReplaceAll(tt.code, "COUNT", tt.count)); got.Outcome != tt.want || got.Err != nil {
			t.Errorf("%s: %+v, want %v", tt.name, got, tt.want)
		}
	}
}

// What a candidate keeps from us may hold anything; root it can keep nothing from.
func TestAFolderThatIsShut(t *testing.T) {
	want := Exceeded
	if os.Getuid() == 0 {
		want = Ran
	}
	r := shell(t, Config{Launcher: launcher(t)})
	if got := r.Run(t.Context(), "mkdir -p a/b && touch a/b/c && chmod 0 a/b a"); got.Outcome != want {
		t.Errorf("%+v, want %v", got, want)
	}
}

// Paths have a longest; what lies beyond it is not seen and may be anything.
func TestAFolderTooDeepToSee(t *testing.T) {
	folder := t.TempDir()
	at, err := os.OpenRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	for depth := range 30 {
		if want := depth == 29; want != overfull(folder) && (want || depth < 20) {
			t.Errorf("%d folders deep: overfull is %t", depth, !want)
		}
		name := strings.Repeat("d", 150) // 29 of them are more than 4,096 bytes
		if err := at.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
		inner, err := at.OpenRoot(name)
		at.Close()
		if at = inner; err != nil {
			t.Fatal(err)
		}
	}
	at.Close()
}

// Time on the processor is limited for each process, so that one that escaped
// even the supervisor would not go on for ever.
func TestAProcessHasOnlySoMuchTime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "limits")
	r := shell(t, Config{Launcher: launcher(t), Memory: 96 << 20})
	if got := r.Run(t.Context(), "{ ulimit -t; ulimit -n; ulimit -c; ulimit -v; } > "+file); got.Outcome != Ran {
		t.Fatalf("%+v", got)
	}
	if text, err := os.ReadFile(file); err != nil || strings.Join(strings.Fields(string(text)), " ") != "121 64 0 98304" {
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

// A candidate that gets rid of its supervisor has failed, and leaves its group to
// the gateway.
func TestACandidateThatEndsItsSupervisorHasFailed(t *testing.T) {
	for _, signal := range []string{"KILL", "TERM", "QUIT", "ABRT"} {
		dir := t.TempDir()
		r := shell(t, Config{Launcher: launcher(t)})
		got := r.Run(t.Context(), "sleep 1000 & echo $$ $! > "+dir+"/pids; kill -"+signal+" $PPID; wait")
		if got.Outcome != Crashed || got.Err != nil || got.Key != "" {
			t.Errorf("%s: %+v", signal, got)
		}
		list := pids(t, filepath.Join(dir, "pids"), 2)
		for _, pid := range append(list, -list[0]) {
			ended(t, pid)
		}
	}
}

// One that stops it has the time that it was given, and little more.
func TestACandidateThatStopsItsSupervisorIsTimedOut(t *testing.T) {
	for _, tt := range []struct{ name, code string }{
		{"once", "kill -STOP $PPID; sleep 1000 & echo $$ $! $PPID > FILE; wait"},
		{"and ends", "echo $$ $$ $PPID > FILE; kill -STOP $PPID"},
	} {
		// On a slow machine the code may not have come to that in its time.
		for limit := time.Second; limit < patience; limit *= 4 {
			file := filepath.Join(t.TempDir(), "pids")
			begun := time.Now()
			got := shell(t, Config{Launcher: launcher(t), Timeout: limit}).Run(t.Context(), strings.ReplaceAll(tt.code, "FILE", file))
			t.Logf("%s: %v after %v of %v", tt.name, got.Outcome, time.Since(begun), limit)
			if got.Outcome != TimedOut || got.Err != nil {
				t.Errorf("%s: %+v", tt.name, got)
			}
			if _, err := os.Stat(file); err != nil {
				continue
			}
			list := pids(t, file, 3)
			for _, pid := range append(list, -list[0]) {
				ended(t, pid)
			}
			break
		}
	}
}

// A caller who cancels does not wait for a supervisor that is stopped.
func TestAStoppedSupervisorIsEndedWithItsRequest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	r := shell(t, Config{Launcher: launcher(t), Timeout: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan Result, 1)
	go func() { result <- r.Run(ctx, "kill -STOP $PPID; sleep 1000 & echo $$ $! $PPID > "+file+"; wait") }()
	list := pids(t, file, 3)
	cancel()
	select {
	case got := <-result:
		if got.Outcome != NotRun || !errors.Is(got.Err, context.Canceled) {
			t.Errorf("%+v", got)
		}
	case <-time.After(patience):
		t.Fatal("Run does not return")
	}
	for _, pid := range append(list, -list[0]) {
		ended(t, pid)
	}
}

// What a candidate writes to its supervisor's pipes changes nothing.
func TestTheLifelineOnlyEnds(t *testing.T) {
	r := shell(t, Config{Launcher: launcher(t)})
	if got := r.Run(t.Context(), "{ echo x > /proc/$PPID/fd/3; echo 1 > /proc/$PPID/fd/4; } 2>/dev/null; sleep 0.1; echo 42"); got.Outcome != Ran {
		t.Errorf("%+v", got)
	}
}

func TestASupervisorThatIsToldNothing(t *testing.T) {
	for _, args := range [][]string{nil, {"-timeout", "1s"}, {"-timeout", "1s", "-memory", "1", "--"}, {"-timeout", "soon", "-memory", "1", "--", "sh"}, {"-timeout", "1s", "-memory", "1", "-x", "--", "sh"}} {
		if command, err := new(limits).parse(args); err == nil {
			t.Errorf("%q: %q", args, command)
		}
	}
}
