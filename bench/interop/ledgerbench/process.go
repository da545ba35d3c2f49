package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// cpuTime is what this process has used so far, user and system.
func cpuTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("getrusage: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// A memory is what a process has resident, in bytes.
type memory struct{ Now, Peak int64 }

// ownMemory reads this process's. Not getrusage: what that calls the most
// resident may be the parent's, from before exec.
func ownMemory() (m memory, err error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return m, err
	}
	for line := range bytes.Lines(status) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		into := map[string]*int64{"VmRSS": &m.Now, "VmHWM": &m.Peak}[string(name)]
		if into == nil {
			continue
		}
		kb, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(" kB"))), 10, 64)
		if err != nil {
			return m, fmt.Errorf("/proc/self/status: %s: %w", name, err)
		}
		*into = kb << 10
	}
	if m.Now == 0 || m.Peak == 0 {
		return m, errors.New("/proc/self/status has no VmRSS or VmHWM")
	}
	return m, nil
}
