package ledger

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// What follows is done to real processes on the real file system: system calls of
// one that appends are failed, or the last thing it does, one after another
// (strace injects them). Where there is no strace, processes are killed only;
// `make crash` and CI see to it that there is.

// writerDir, set, makes of this test binary the process that appends.
const writerDir = "KAIZEN_TEST_WRITER_DIR"

// oneWriter, set, has it append from one goroutine instead of three: its next
// append is then made after it has printed the last.
const oneWriter = "KAIZEN_TEST_ONE_WRITER"

// What the writing process ends with.
const (
	writerDone   = 0
	writerFailed = 3 // an append, or Open, returned an error
)

// writerAppends is how many entries one process appends, if nothing keeps it: they
// fill a tile, after the ones that were there before.
const writerAppends = 24

// TestWriterProcess is the writing process: it prints each entry that was
// acknowledged, after it was.
func TestWriterProcess(t *testing.T) {
	dir := os.Getenv(writerDir)
	if dir == "" {
		return // an ordinary run of the tests
	}
	l, err := Open(Config{Dir: dir, Origin: origin, MinFreeDisk: 1})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(writerFailed)
	}
	var print sync.Mutex
	var writers sync.WaitGroup
	failed, goroutines := false, 3
	if os.Getenv(oneWriter) != "" {
		goroutines = 1
	}
	for w := range goroutines {
		writers.Go(func() {
			for i := range writerAppends / goroutines {
				r, err := l.Append(context.Background(), fmt.Sprintf("w%d.%d.%d", os.Getpid(), w, i), fact(strings.Repeat("y", 500*(i+1))))
				print.Lock()
				if err != nil {
					failed = true
					print.Unlock()
					return
				}
				fmt.Printf("kept %d %x\n", r.Index, r.LeafHash[:])
				print.Unlock()
			}
		})
	}
	writers.Wait()
	if failed {
		os.Exit(writerFailed)
	}
	if err := l.Close(); err != nil {
		os.Exit(writerFailed)
	}
	os.Exit(writerDone)
}

// runWriter runs the writing process, under the command before it if there is one,
// and returns what it acknowledged and how it ended; -1 is by a signal. A process
// that is to be killed is, once it has acknowledged that many entries.
func runWriter(t *testing.T, dir string, killAfter int, before ...string) (kept map[uint64]string, code int) {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	args := append(before, exe, "-test.run", "^TestWriterProcess$")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), writerDir+"="+dir)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	kept = make(map[uint64]string)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var index uint64
		var hash string
		if n, _ := fmt.Sscanf(lines.Text(), "kept %d %s", &index, &hash); n == 2 && len(hash) == 64 {
			kept[index] = hash
		}
		if killAfter > 0 && len(kept) == killAfter {
			must(t, cmd.Process.Kill())
		}
	}
	err = cmd.Wait()
	exit := (*exec.ExitError)(nil)
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return kept, cmd.ProcessState.ExitCode()
}

// checkKept opens what a process has left, and wants all that it acknowledged.
func checkKept(t *testing.T, dir string, kept map[uint64]string) {
	t.Helper()
	l, err := Open(Config{Dir: dir, Origin: origin, MinFreeDisk: 1})
	if err != nil {
		t.Errorf("it does not open again: %v", err)
		return
	}
	for index, want := range kept {
		leaf, err := l.Entry(index)
		hash := quorum.LeafHash(leaf)
		if err != nil || hex.EncodeToString(hash[:]) != want {
			t.Errorf("entry %d was acknowledged with the hash %s; there is %x, %v", index, want, hash, err)
		}
	}
	add(t, l, "", "life goes on")
	checkLedger(t, l, l.Size())
	v, size := l.Verifier(), l.Size()
	must(t, l.Close())
	if c, err := Verify(dir, nil, v, nil); err != nil || c.Size != size {
		t.Errorf("Verify() = %d, %v, want %d", c.Size, err, size)
	}
}

// newWriterDir is a ledger whose first tile is about to be full.
func newWriterDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	l, err := Open(Config{Dir: dir, Origin: origin, MinFreeDisk: 1})
	must(t, err)
	addMany(t, l, 245)
	must(t, l.Close())
	return dir
}

func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	dir := newWriterDir(t)
	for n := range crashTrials(t, 5) {
		after := 1 + n*7%(writerAppends-4)
		kept, code := runWriter(t, dir, after)
		if code != -1 || len(kept) < after {
			t.Errorf("killed after %d: %d acknowledged, exit code %d", after, len(kept), code)
		}
		checkKept(t, dir, kept)
	}
}

// One system call of each kind fails, as the first, the second and so on of its
// kind: with EIO or ENOSPC, or because the process is killed as it makes it.
func TestFailedSystemCallsLoseNothingAcknowledged(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Log("there is no strace: system calls are not failed here")
		return
	}
	for _, tt := range []struct {
		call, how string
		ends      bool // a failure of it must end the process
	}{
		{"fdatasync", "error=EIO", true},
		{"fdatasync", "signal=SIGKILL", true},
		{"fsync", "error=EIO", false}, // also of the guard, which may fail
		{"fsync", "signal=SIGKILL", true},
		{"write", "error=EIO", false}, // also of what is printed
		{"write", "error=ENOSPC", false},
		{"write", "signal=SIGKILL", true},
		{"openat", "error=EIO", false},
		{"openat", "signal=SIGKILL", true},
		{"renameat", "error=EIO", false},
		{"renameat", "signal=SIGKILL", true},
		{"unlinkat", "error=EIO", false},
		{"fallocate", "error=ENOSPC", false},
	} {
		t.Run(tt.call+"/"+tt.how, func(t *testing.T) {
			t.Parallel()
			injected := 0
			for n := range crashTrials(t, 3) {
				dir := newWriterDir(t)
				log := filepath.Join(t.TempDir(), "strace")
				which := 1 + n*3
				kept, code := runWriter(t, dir, 0, strace, "-f", "-qq", "-o", log, "-e", "trace="+tt.call,
					"-e", fmt.Sprintf("inject=%s:%s:when=%d", tt.call, tt.how, which))
				calls, err := os.ReadFile(log)
				must(t, err)
				hit := bytes.Contains(calls, []byte("(INJECTED)")) || bytes.Contains(calls, []byte("killed by SIGKILL"))
				if hit {
					injected++
				}
				if hit && tt.ends && code == writerDone {
					t.Errorf("call %d failed, and the process went on: %d acknowledged", which, len(kept))
				}
				checkKept(t, dir, kept)
			}
			if injected == 0 {
				t.Error("no such call was failed: the test shows nothing")
			}
		})
	}
}

// After a log's sync has failed nothing is acknowledged, though a later sync may
// succeed: what the disk then has of the first is not known. The kernel's cache has
// it all the same, so only the order of the calls shows it.
func TestFailedSyncIsFollowedByNoAcknowledgement(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Log("there is no strace: system calls are not failed here")
		return
	}
	t.Setenv(oneWriter, "1")
	before := 0 // acknowledgements that came before the failure: the test sees them
	for n := range crashTrials(t, 4) {
		log := filepath.Join(t.TempDir(), "strace")
		runWriter(t, newWriterDir(t), 0, strace, "-f", "-qq", "-s", "16", "-o", log, "-e", "trace=fdatasync,write",
			"-e", fmt.Sprintf("inject=fdatasync:error=EIO:when=%d", 2+n*3))
		calls, err := os.ReadFile(log)
		must(t, err)
		ok, after, failed := strings.Cut(string(calls), "(INJECTED)")
		before += strings.Count(ok, `"kept `)
		if late := strings.Count(after, `"kept `); failed && late > 0 {
			t.Errorf("sync %d failed, and %d entries were acknowledged after it", 2+n*3, late)
		}
	}
	if before == 0 {
		t.Error("nothing was acknowledged before a failure: the test shows nothing")
	}
}

// Each step by which a new ledger comes to be, its key files among them, fails or
// is the last: there is no key then, or a whole one, and the folder opens.
func TestFailedSystemCallsOfANewLedger(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Log("there is no strace: system calls are not failed here")
		return
	}
	for _, call := range []string{"mkdirat", "openat", "fchmod", "write", "fsync", "linkat", "fdatasync", "renameat", "unlinkat"} {
		for _, how := range []string{"error=EIO", "signal=SIGKILL"} {
			t.Run(call+"/"+how, func(t *testing.T) {
				t.Parallel()
				injected := 0
				for n := range crashTrials(t, 3) {
					dir, log := filepath.Join(t.TempDir(), "new"), filepath.Join(t.TempDir(), "strace")
					kept, _ := runWriter(t, dir, 0, strace, "-f", "-qq", "-o", log, "-e", "trace="+call,
						"-e", fmt.Sprintf("inject=%s:%s:when=%d", call, how, 1+n))
					calls, err := os.ReadFile(log)
					must(t, err)
					if bytes.Contains(calls, []byte("(INJECTED)")) || bytes.Contains(calls, []byte("killed by SIGKILL")) {
						injected++
					}
					checkKept(t, dir, kept)
				}
				if injected == 0 {
					t.Error("no such call was failed: the test shows nothing")
				}
			})
		}
	}
}
