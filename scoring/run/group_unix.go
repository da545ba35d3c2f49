//go:build unix

package run

import (
	"os"
	"os/exec"
	"syscall"
)

// inGroup makes the command the first of a process group of its own.
func inGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills all that are in the group that process leads or led; there may
// be none left.
func killGroup(process int) { syscall.Kill(-process, syscall.SIGKILL) }

// resume lets a process go on that somebody has stopped.
func resume(p *os.Process) { p.Signal(syscall.SIGCONT) }
