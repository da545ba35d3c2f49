package run

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// supervises says that Supervise is to be had here.
const supervises = true

// lifelineFD is the pipe whose end ends everything.
const lifelineFD = 3

// statusFD is where the supervisor says what process it has started, so that the
// gateway can end that group should the supervisor itself be ended, and then that
// it has ended it.
const statusFD = 4

// Supervise is the whole of a process between the gateway and a command: it
// starts the command that follows the limits in args, under them, gives it the
// candidate from its own standard input, and returns the exit code to end with.
// By then every process that came of the command has been ended.
//
// It must be the first that its process does: it becomes the parent of all that
// lose theirs. The working folder is the candidate's.
func Supervise(args []string) (code int) {
	s := supervisor{self: os.Getpid(), report: os.NewFile(statusFD, "status"), status: make(chan unix.WaitStatus, 1), gone: make(chan struct{})}
	command, err := s.limits.parse(args)
	if err == nil {
		// The command is to die with the thread that started it.
		runtime.LockOSThread()
		err = s.start(command)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kaizen run-limited:", err)
		return exitNotRun
	}
	code = s.watch()
	s.endAll()
	if code == 0 && overfull(".") {
		code = exitExceeded // it may have been too quick for a look
	}
	fmt.Fprintln(s.report, "ended") // the gateway may have gone
	return code
}

type supervisor struct {
	limits limits
	self   int
	child  int
	report *os.File             // statusFD
	status chan unix.WaitStatus // the child's, once it has ended
	gone   chan struct{}        // closed when no process that came of it is left
}

// start starts command. The candidate is held back until all limits are set, so
// that none of its code runs without.
func (s *supervisor) start(command []string) error {
	unix.CloseOnExec(lifelineFD)
	unix.CloseOnExec(statusFD)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the parent of orphans: %w", err)
	}
	in, candidate, err := os.Pipe()
	if err != nil {
		return err
	}
	silent, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	s.child, err = syscall.ForkExec(command[0], command, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{in.Fd(), 1, silent.Fd()},
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return err
	}
	in.Close()
	silent.Close()
	go s.reap()
	if _, err = fmt.Fprintln(s.report, s.child); err == nil {
		err = s.restrain()
	}
	if err != nil {
		s.endAll()
		return err
	}
	go func() {
		io.Copy(candidate, os.Stdin) // the command may end without reading all
		candidate.Close()
	}()
	return nil
}

// gentler is how much the command, and so all that comes of it, stands back
// behind the gateway and the supervisor.
const gentler = 10

// restrain sets the child's limits. A child that has ended meanwhile needs none.
func (s *supervisor) restrain() error {
	// Of the processor each process has what the clock gives, and a second since
	// that limit counts whole ones.
	seconds := uint64((s.limits.timeout+time.Second-1)/time.Second) + 1
	for _, l := range []struct {
		name  string
		what  int
		value uint64
	}{
		{"memory", unix.RLIMIT_AS, uint64(s.limits.memory)},
		{"processor time", unix.RLIMIT_CPU, seconds},
		{"file size", unix.RLIMIT_FSIZE, maxFileSize},
		{"open files", unix.RLIMIT_NOFILE, maxFiles},
		{"core dumps", unix.RLIMIT_CORE, 0},
	} {
		var now unix.Rlimit
		err := unix.Prlimit(s.child, l.what, nil, &now)
		if err == nil {
			value := min(l.value, now.Max)
			err = unix.Prlimit(s.child, l.what, &unix.Rlimit{Cur: value, Max: value}, nil)
		}
		if err != nil && err != unix.ESRCH {
			return fmt.Errorf("limit the %s: %w", l.name, err)
		}
	}
	own, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err == nil {
		// The system call gives 20 less what it means.
		err = unix.Setpriority(unix.PRIO_PROCESS, s.child, 20-own+gentler)
	}
	if err != nil && err != unix.ESRCH {
		return fmt.Errorf("lower its priority: %w", err)
	}
	return nil
}

// reap takes note of every end until there is no process left.
func (s *supervisor) reap() {
	defer close(s.gone)
	for {
		var status unix.WaitStatus
		switch pid, err := unix.Wait4(-1, &status, 0, nil); {
		case err == unix.EINTR:
		case err != nil:
			return // ECHILD: orphans are ours before their parent can be reaped
		case pid == s.child:
			s.status <- status
		}
	}
}

// Counting reads every process there is, and all of the candidate's folder, so it
// takes at most a tenth of the time.
const (
	countEvery = 5 * time.Millisecond
	countShare = 10
)

// watch waits for the command's end, or for a reason to end it.
func (s *supervisor) watch() int {
	let := make(chan struct{})
	go func() {
		// Nobody of ours writes to it; what a candidate might is no end.
		io.Copy(io.Discard, os.NewFile(lifelineFD, "lifeline"))
		close(let)
	}()
	late := time.After(s.limits.timeout)
	count := time.NewTimer(countEvery)
	for {
		select {
		case status := <-s.status:
			if status.Exited() && status.ExitStatus() == 0 {
				return 0
			}
			if status.Signaled() && status.Signal() == unix.SIGXCPU {
				return exitTimedOut
			}
			return exitCrashed
		case <-late:
			return exitTimedOut
		case <-let:
			return exitNotRun
		case <-count.C:
			begun := time.Now()
			of, memory := s.offspring(true)
			if len(of) > maxProcesses || memory > s.limits.memory || overfull(".") {
				return exitExceeded
			}
			count.Reset(max(countEvery, countShare*time.Since(begun)))
		}
	}
}

// endAll ends every process that came of the command: its group at once, which
// no fork within it outruns, then whoever has left it, until none is left.
func (s *supervisor) endAll() {
	unix.Kill(-s.child, unix.SIGKILL)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(stopped - time.Second)
	for {
		select {
		case <-s.gone:
			return
		case <-giveUp:
			return // what is left has its own limits
		case <-tick.C:
			of, _ := s.offspring(false)
			for _, pid := range of {
				unix.Kill(pid, unix.SIGSTOP) // so that none forks while others are ended
			}
			for _, pid := range of {
				unix.Kill(pid, unix.SIGKILL)
			}
		}
	}
}

// offspring lists the processes that came of this one and, if asked, what memory
// they hold together.
func (s *supervisor) offspring(measured bool) (of []int, memory int64) {
	type kin struct{ parent, group int }
	all := make(map[int]kin)
	for _, pid := range processes() {
		if parent, group, alive := kinOf(pid); alive {
			all[pid] = kin{parent, group}
		}
	}
	for pid, k := range all {
		// Of a group they are whatever became of their parents since; others are
		// found by those. A chain that changed while it was read ends somewhere.
		ours := k.group == s.child
		for at, steps := k.parent, 0; !ours && at > 1 && steps < len(all); at, steps = all[at].parent, steps+1 {
			ours = at == s.self
		}
		if ours {
			of = append(of, pid)
		}
	}
	if measured {
		for _, pid := range of {
			memory += residentOf(pid)
		}
	}
	return of, memory
}

// processes lists all that /proc has; none where it cannot be read.
func processes() (pids []int) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1) // as many as there are
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// kinOf is the parent and the group of a process that has not ended.
func kinOf(pid int) (parent, group int, alive bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	// "12 (name, which may hold anything) S 1 12 …"
	i := bytes.LastIndexByte(stat, ')')
	if err != nil || i < 0 {
		return 0, 0, false
	}
	fields := bytes.Fields(stat[i+1:])
	if len(fields) < 3 || fields[0][0] == 'Z' {
		return 0, 0, false
	}
	parent, err = strconv.Atoi(string(fields[1]))
	if err == nil {
		group, err = strconv.Atoi(string(fields[2]))
	}
	return parent, group, err == nil
}

// residentOf is how much memory a process has to itself, in bytes: what it shares
// with others, such as the code of a library, is nobody's fault.
func residentOf(pid int) int64 {
	statm, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	fields := bytes.Fields(statm) // size, resident, shared, …, in pages
	if err != nil || len(fields) < 3 {
		return 0
	}
	resident, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	shared, _ := strconv.ParseInt(string(fields[2]), 10, 64)
	return (resident - shared) * int64(os.Getpagesize())
}

// Conceal keeps the environment and the memory of this process from others of the
// same user, as long as that is not root.
func Conceal() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("keep other processes out of this one: %w", err)
	}
	return nil
}
