package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"time"
)

// Each contender runs in a process of its own, this program started again, so
// that processor time and memory are its own. What it is to do goes in as an
// argument, what came of it comes out on its standard output.

// childCommand is the first argument of such a process.
const childCommand = "child"

// Names of the contenders.
const (
	floorName         = "floor"
	oursName          = "ours"
	tesseraAdds       = "tessera add"
	tesseraPublishing = "tessera published"
)

// A task is what a child does. Without Contender it is a growth's.
type task struct {
	Contender string
	Dir       string
	Leaf      int // bytes
	Writers   int
	Warm      time.Duration
	Measure   time.Duration
	Tessera   tesseraSetting
	Profile   string // where profiles go; "" for none
	Growth    growthTask
}

// An outcome is what came of a task.
type outcome struct {
	Window window
	Memory memory
	Growth growthOutcome
}

// child does the task and writes the outcome.
func child(ctx context.Context, argument string, stdout io.Writer) error {
	var t task
	if err := json.Unmarshal([]byte(argument), &t); err != nil {
		return fmt.Errorf("task: %w", err)
	}
	var out outcome
	var err error
	if t.Contender == "" {
		out.Growth, err = t.Growth.do(ctx, t.Dir, t.Leaf)
	} else {
		out.Window, err = contend(ctx, t)
	}
	if err != nil {
		return err
	}
	if out.Memory, err = ownMemory(); err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(out)
}

func open(t task) (contender, error) {
	l := newLeaf(t.Leaf)
	switch t.Contender {
	case floorName:
		// Our entry is the leaf behind its head and name, and so is the floor's.
		return openFloor(t.Dir, l.size()+len(name(0))+4)
	case oursName:
		return openOurs(t.Dir, l)
	case tesseraAdds:
		return openTessera(t.Dir, l, t.Tessera, false)
	case tesseraPublishing:
		return openTessera(t.Dir, l, t.Tessera, true)
	}
	return nil, fmt.Errorf("no contender %q", t.Contender)
}

func contend(ctx context.Context, t task) (w window, err error) {
	c, err := open(t)
	if err != nil {
		return w, fmt.Errorf("open %s: %w", t.Contender, err)
	}
	defer func() {
		if closed := c.Close(); err == nil {
			err = closed
		}
	}()
	if t.Profile != "" {
		stop, err := profile(t.Profile, fmt.Sprintf("%s-%d", t.Contender, t.Writers))
		if err != nil {
			return w, err
		}
		defer stop()
	}
	return drive(ctx, c, 0, t.Writers, t.Warm, t.Measure)
}

// profile writes what processor time and allocations go to, until stop.
func profile(dir, name string) (stop func(), err error) {
	cpu, err := os.Create(filepath.Join(dir, name+".cpu.prof"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		cpu.Close()
		if allocs, err := os.Create(filepath.Join(dir, name+".allocs.prof")); err == nil {
			runtime.GC()
			pprof.Lookup("allocs").WriteTo(allocs, 0)
			allocs.Close()
		}
	}, nil
}

// start runs t in a child and gives its outcome.
func start(ctx context.Context, t task) (out outcome, err error) {
	self, err := os.Executable()
	if err != nil {
		return out, err
	}
	argument, err := json.Marshal(t)
	if err != nil {
		return out, err
	}
	cmd := exec.CommandContext(ctx, self, childCommand, string(argument))
	var stderr bytes.Buffer // Tessera logs there what nobody asked
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		said := bytes.TrimSpace(stderr.Bytes())
		return out, fmt.Errorf("%s with %d writers: %w: %s", t.Contender, t.Writers, err, said[bytes.LastIndexByte(said, '\n')+1:])
	}
	if err := json.Unmarshal(stdout, &out); err != nil {
		return out, fmt.Errorf("%s with %d writers: outcome: %w", t.Contender, t.Writers, err)
	}
	return out, nil
}
