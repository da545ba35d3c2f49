package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"
)

// The supervisor keeps the time, but the code may stop it or end it: they are the
// same user's. So we keep it too.
const (
	starting = 20 * time.Second // for the supervisor to start the command: nothing of the candidate runs yet
	grace    = time.Second      // beyond the timeout, counted from when the command was started
)

// supervised starts the command under Supervise, which is told to end everything
// by the end of a pipe: so it also hears of our own death.
func (r *Runner) supervised(parent context.Context) (*process, error) {
	lifeline, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	heard, status, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, lifeline.Close(), ours.Close())
	}
	let := sync.OnceFunc(func() { ours.Close() })
	ctx, cancel := context.WithCancel(parent)
	var group atomic.Int64 // of the command, once it has been started
	var overdue atomic.Bool
	late := time.AfterFunc(starting, func() { overdue.Store(true); cancel() })
	endGroup := func() {
		if g := group.Load(); g > 1 { // 0 and 1 would be other than a group
			killGroup(int(g))
		}
	}

	limits := limits{timeout: r.cfg.Timeout, memory: r.cfg.Memory}
	args := append(limits.args(r.cfg.Launcher[1:]), r.program)
	cmd := exec.CommandContext(ctx, r.cfg.Launcher[0], append(args, r.cfg.Command[1:]...)...)
	inGroup(cmd)
	cmd.ExtraFiles = []*os.File{lifeline, status}
	cmd.Cancel = func() error {
		let()
		if overdue.Load() {
			endGroup()
		}
		resume(cmd.Process) // it knows best what came of the command; now it can end that
		return nil
	}
	cmd.WaitDelay = stopped // then it is killed

	// listen waits for the supervisor to say which group it has started, and then
	// that it has ended it. If it does not come to that, the group is ours to end,
	// and at once: what is left of it may hold the output.
	told, deaf := make(chan struct{}), make(chan struct{})
	listen := func() {
		defer close(deaf)
		var g int64
		_, err := fmt.Fscanln(heard, &g)
		if err == nil {
			group.Store(g)
			late.Reset(r.cfg.Timeout + grace)
		}
		close(told)
		if err == nil {
			if _, err = heard.Read(make([]byte, 1)); err == io.EOF {
				endGroup()
			}
		}
	}
	p := &process{cmd: cmd, stop: cancel}
	p.wait = func() error {
		lifeline.Close()
		status.Close()
		go listen()
		err := cmd.Wait()
		heard.SetReadDeadline(time.Now().Add(stopped)) // of what it has said nothing is lost
		<-told
		late.Stop()
		heard.Close()
		<-deaf
		if err != nil && !ownEnd(err) {
			endGroup() // a candidate may have said that it was
		}
		return err
	}
	p.outcome = func(err error) Outcome {
		began := group.Load() > 1
		switch {
		case err == nil:
			return Ran
		case began && overdue.Load():
			return TimedOut
		case ownEnd(err):
			return outcomeOf(err.(*exec.ExitError).ExitCode())
		case began:
			return Crashed // who ended the supervisor, if not the candidate?
		}
		return NotRun
	}
	p.release = func() {
		let()
		late.Stop()
		cancel()
		for _, f := range []*os.File{lifeline, status, heard} {
			f.Close() // they may be closed already
		}
	}
	return p, nil
}

// ownEnd reports whether a supervisor that ended with err did so by itself.
func ownEnd(err error) bool {
	ended, ok := err.(*exec.ExitError)
	if !ok {
		return false
	}
	switch ended.ExitCode() {
	case exitCrashed, exitTimedOut, exitExceeded, exitNotRun:
		return true
	}
	return false // a signal, or what Go makes of some: exit code 2
}
