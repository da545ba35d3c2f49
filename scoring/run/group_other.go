//go:build !unix

package run

import (
	"os"
	"os/exec"
)

// Without process groups the command itself is all that can be ended.
func inGroup(*exec.Cmd) {}

func resume(*os.Process) {}

func killGroup(process int) {
	if p, err := os.FindProcess(process); err == nil {
		p.Kill()
		p.Release()
	}
}
