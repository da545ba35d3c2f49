//go:build !linux

package run

import (
	"fmt"
	"os"
)

// supervises says that Supervise is not to be had here.
const supervises = false

// Supervise is for Linux.
func Supervise([]string) int {
	fmt.Fprintln(os.Stderr, "kaizen run-limited: only on Linux")
	return exitNotRun
}

// Conceal is for Linux; elsewhere it does nothing.
func Conceal() error { return nil }
