package run

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

// What a limit is where the configuration does not say.
const (
	DefaultTimeout  = 2 * time.Second // what a judge of small programs usually allows
	DefaultMemory   = 256 << 20
	DefaultOutput   = 64 << 10
	DefaultParallel = 2 // it competes with the gateway for the processor
)

// Limits that are not configured: nothing that a small program does comes near.
const (
	maxProcesses = 64
	maxFiles     = 64       // open ones, a process
	maxFileSize  = 16 << 20 // bytes of one it writes
	maxFolder    = 64 << 20 // bytes in its folder, all files together
	maxEntries   = 1024     // files and folders in it
)

// Config says what to run and within what.
type Config struct {
	Command  []string      // the program and its arguments; it is looked up now, and not again
	Timeout  time.Duration // from the start of the command to its end; zero is DefaultTimeout
	Memory   int64         // bytes; zero is DefaultMemory
	Output   int           // bytes of standard output; zero is DefaultOutput
	Parallel int           // candidates at once, the others wait; zero is DefaultParallel
	// Launcher is a program that calls Supervise with the arguments that follow
	// these. Without one, and where Supervise is not to be had, Memory and the
	// limits that are not configured do not hold.
	Launcher []string
	TempDir  string // where working folders are made; "" is the system's
}

// A Runner runs candidates. It is safe for concurrent use.
type Runner struct {
	cfg     Config
	program string // Command[0], found
	turns   chan struct{}
}

// New checks cfg. It starts nothing.
func New(cfg Config) (*Runner, error) {
	program, err := Find(cfg.Command)
	if err != nil {
		return nil, err
	}
	if cfg.Timeout < 0 || cfg.Memory < 0 || cfg.Output < 0 || cfg.Parallel < 0 {
		return nil, errors.New("run: a limit is below 0")
	}
	orDefault(&cfg.Timeout, DefaultTimeout)
	orDefault(&cfg.Memory, DefaultMemory)
	orDefault(&cfg.Output, DefaultOutput)
	orDefault(&cfg.Parallel, DefaultParallel)
	if !supervises {
		cfg.Launcher = nil
	}
	return &Runner{cfg: cfg, program: program, turns: make(chan struct{}, cfg.Parallel)}, nil
}

func orDefault[T int | int64 | time.Duration](v *T, otherwise T) {
	if *v == 0 {
		*v = otherwise
	}
}

// Find is the file that command starts, as an absolute path: each candidate has a
// working folder of its own.
func Find(command []string) (string, error) {
	if len(command) == 0 || command[0] == "" {
		return "", errors.New("no command")
	}
	program, err := exec.LookPath(command[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return "", err
	}
	return filepath.Abs(program)
}

// An Outcome is what came of one candidate.
type Outcome uint8

const (
	Ran      Outcome = iota
	Crashed          // the command ended with another exit code than 0, or by a signal
	TimedOut         // it was still running
	TooLong          // it printed more than it may
	Exceeded         // it took more memory, processes or room in its folder than it may
	NotRun           // ctx ended first, or the command did not start: nothing is known of the candidate
)

// Outcomes is how many there are.
const Outcomes = int(NotRun) + 1

var outcomeNames = [Outcomes]string{"ran", "crashed", "timed out", "too long", "exceeded", "not run"}

func (o Outcome) String() string { return outcomeNames[o] }

// A Result is what running a candidate gave.
type Result struct {
	Outcome Outcome
	Key     string // of what ran: equal for equal output, white space at its end aside
	Err     error  // why it did not run; never the candidate's words
}

// keyDomain keeps keys apart from every other digest of the same bytes.
const keyDomain = "kaizenRunV1\x00"

func keyOf(output []byte) string {
	h := sha256.New()
	h.Write([]byte(keyDomain))
	h.Write(bytes.TrimRightFunc(output, unicode.IsSpace))
	return hex.EncodeToString(h.Sum(nil))
}

// Run runs code, once there is room. It returns when the command and what came
// of it have ended, soon after ctx is done at the latest.
func (r *Runner) Run(ctx context.Context, code string) Result {
	if ctx.Err() != nil {
		return Result{Outcome: NotRun, Err: context.Cause(ctx)}
	}
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-ctx.Done():
		return Result{Outcome: NotRun, Err: context.Cause(ctx)}
	}
	dir, err := os.MkdirTemp(r.cfg.TempDir, "kaizen-run-")
	if err != nil {
		return Result{Outcome: NotRun, Err: err}
	}
	defer removeAll(dir)
	return r.in(ctx, dir, code)
}

// in runs code in dir.
func (r *Runner) in(ctx context.Context, dir, code string) Result {
	p, err := r.prepare(ctx, dir)
	if err != nil {
		return Result{Outcome: NotRun, Err: err}
	}
	defer p.release()
	out := &output{most: r.cfg.Output, full: p.stop}
	p.cmd.Dir = dir
	p.cmd.Env = environment(dir)
	p.cmd.Stdin = strings.NewReader(code)
	p.cmd.Stdout = out
	if err := p.cmd.Start(); err != nil {
		return Result{Outcome: NotRun, Err: fmt.Errorf("start the runner: %w", pathless(err))}
	}
	err = p.wait()
	switch outcome := p.outcome(err); {
	case out.over:
		return Result{Outcome: TooLong}
	case ctx.Err() != nil:
		return Result{Outcome: NotRun, Err: context.Cause(ctx)}
	case outcome == NotRun:
		return Result{Outcome: NotRun, Err: errors.New("the runner did not start its command")}
	case outcome != Ran:
		return Result{Outcome: outcome}
	}
	return Result{Key: keyOf(out.text)}
}

// pathless is err without the working folder that it may name.
func pathless(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}

// environment is all that a command sees: nothing of ours but where programs
// are and in what language they speak.
func environment(dir string) []string {
	env := []string{"HOME=" + dir, "TMPDIR=" + dir}
	for _, name := range []string{"PATH", "LANG"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// An output keeps what is written to it, until that is too much.
type output struct {
	most int
	full func() // called once there is more
	text []byte
	over bool
}

var errFull = errors.New("more output than is allowed")

func (o *output) Write(b []byte) (int, error) {
	if len(o.text)+len(b) > o.most {
		o.over = true
		o.full()
		return 0, errFull
	}
	o.text = append(o.text, b...)
	return len(b), nil
}

// removeAll removes dir, and what the code has made in it that will not be
// removed as it is.
func removeAll(dir string) {
	if os.RemoveAll(dir) == nil {
		return
	}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			os.Chmod(path, 0o700) // before it is read
		}
		return nil
	})
	os.RemoveAll(dir) // what is left now is for the system's own sweep
}

// A process is one start of the command.
type process struct {
	cmd     *exec.Cmd
	stop    func() // ends it and what came of it, from any goroutine
	wait    func() error
	outcome func(error) Outcome
	release func()
}

// stopped is how long a process that was told to end may take: a machine that is
// busy with it may be slow to.
const stopped = 3 * time.Second

func (r *Runner) prepare(ctx context.Context, dir string) (*process, error) {
	if len(r.cfg.Launcher) > 0 {
		return r.supervised(ctx)
	}
	return r.plain(ctx), nil
}

// plain starts the command itself, as the first of its process group.
func (r *Runner) plain(parent context.Context) *process {
	ctx, cancel := context.WithTimeout(parent, r.cfg.Timeout)
	cmd := exec.CommandContext(ctx, r.program, r.cfg.Command[1:]...)
	inGroup(cmd)
	end := func() {
		if cmd.Process != nil {
			killGroup(cmd.Process.Pid)
		}
	}
	cmd.Cancel = func() error { end(); return nil }
	// What still holds the output once the command has ended is not waited for.
	cmd.WaitDelay = 200 * time.Millisecond
	p := &process{cmd: cmd, stop: cancel, release: cancel}
	p.wait = func() error {
		err := cmd.Wait()
		end()
		return err
	}
	p.outcome = func(err error) Outcome {
		switch {
		case err == nil, errors.Is(err, exec.ErrWaitDelay):
			return Ran
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return TimedOut
		}
		return Crashed
	}
	return p
}
