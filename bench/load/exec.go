package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/bench/sim"
)

// Ready is what a started process says, as one line of JSON on its standard
// output, when it accepts requests.
type Ready struct {
	URL        string          `json:"url,omitempty"`
	Metrics    string          `json:"metrics,omitempty"`
	Companions []ReadyEndpoint `json:"companions,omitempty"`
}

// ReadyEndpoint is one companion of a started fleet.
type ReadyEndpoint struct {
	ID  string `json:"id"`
	URL string `json:"url"`
}

// ReadyFleet is the Ready of running companions.
func ReadyFleet(endpoints []sim.Endpoint) Ready {
	var r Ready
	for _, e := range endpoints {
		r.Companions = append(r.Companions, ReadyEndpoint{string(e.ID), e.URL})
	}
	return r
}

// Endpoints gives the companions of spec their addresses, as a process that was
// started with the same spec has said them.
func (r Ready) Endpoints(spec FleetSpec) ([]sim.Endpoint, error) {
	companions := spec.Companions()
	if len(companions) != len(r.Companions) {
		return nil, fmt.Errorf("load: %d companions are ready, not %d", len(r.Companions), len(companions))
	}
	endpoints := make([]sim.Endpoint, len(companions))
	for i, c := range companions {
		if r.Companions[i].ID != string(c.ID) {
			return nil, fmt.Errorf("load: companion %d is %q, not %s", i, r.Companions[i].ID, c.ID)
		}
		endpoints[i] = sim.Endpoint{Companion: c, URL: r.Companions[i].URL}
	}
	return endpoints, nil
}

// WriteReady writes r as Start expects it.
func WriteReady(w io.Writer, r Ready) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("load: ready: %w", err)
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// A Command is a program to start and how to know that it is up.
type Command struct {
	Argv   []string
	Env    []string  // of the whole environment; nil is this process's
	Stderr io.Writer // nil discards

	// ReadyURL, if set, is asked until it answers 200; else the process writes
	// Ready to its standard output.
	ReadyURL string
	Within   time.Duration // time to get ready; 0 is 20 s
}

// A Process is one that Start started.
type Process struct {
	Pid   int
	Ready Ready
	stop  func() error
}

// Stop asks the process to end, by SIGTERM and the end of its standard input,
// and kills it after ten seconds. An error is that
// it had to be killed or ended badly.
func (p *Process) Stop() error { return p.stop() }

// ErrNotReady is a process that ended or did nothing before it was up.
var ErrNotReady = errors.New("load: process did not get ready")

// Start starts cmd and returns when it is up. Its standard input is a pipe that
// closes when this process ends, however it ends: a child that reads it to the
// end can leave with its parent.
func Start(ctx context.Context, cmd Command) (*Process, error) {
	if cmd.Within == 0 {
		cmd.Within = 20 * time.Second
	}
	child := exec.Command(cmd.Argv[0], cmd.Argv[1:]...)
	child.Env, child.Stderr = cmd.Env, cmd.Stderr
	stdin, err := child.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("load: start: %w", err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("load: start: %w", err)
	}
	if err := child.Start(); err != nil {
		return nil, fmt.Errorf("load: start %s: %w", cmd.Argv[0], err)
	}
	ended := make(chan error, 1)
	first := make(chan []byte, 1)
	go func() {
		// Wait may only be called when all output is read.
		lines := bufio.NewReader(stdout)
		line, err := lines.ReadBytes('\n')
		if err == nil {
			first <- line
		}
		_, _ = io.Copy(io.Discard, lines)
		ended <- child.Wait()
	}()
	p := &Process{Pid: child.Process.Pid, stop: func() error {
		if err := child.Process.Signal(syscall.SIGTERM); err != nil {
			return <-ended // it has ended by itself
		}
		stdin.Close() // closed already if it has ended meanwhile
		patience := time.NewTimer(10 * time.Second)
		defer patience.Stop()
		select {
		case err := <-ended:
			return endedWell(err)
		case <-patience.C:
			return errors.Join(errors.New("load: killed a process that did not end"), child.Process.Kill(), ignoreExit(<-ended))
		}
	}}
	ctx, cancel := context.WithTimeout(ctx, cmd.Within)
	defer cancel()
	if err := p.await(ctx, cmd.ReadyURL, first, ended); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrNotReady, cmd.Argv[0], err)
	}
	return p, nil
}

// await returns when the process is up; on an error it has ended.
func (p *Process) await(ctx context.Context, url string, first <-chan []byte, ended chan error) error {
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	if url != "" {
		first = nil
	} else {
		poll.Stop()
	}
	for {
		select {
		case line := <-first:
			if err := json.Unmarshal(line, &p.Ready); err != nil {
				return errors.Join(errors.New("its first line is not Ready"), p.stop())
			}
			return nil
		case <-poll.C:
			status, _, err := get(url, time.Second)
			if err == nil && status == fasthttp.StatusOK {
				p.Ready.URL = url
				return nil
			}
		case err := <-ended:
			ended <- nil // for stop, if anyone calls it
			return fmt.Errorf("it ended: %w", err)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), p.stop())
		}
	}
}

// endedWell is nil for a process that ended by itself or by the signal that it
// was sent.
func endedWell(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGTERM {
			return nil
		}
	}
	return err
}

// ignoreExit drops how a killed process ended: by our hand.
func ignoreExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}
