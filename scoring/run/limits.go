package run

import (
	"errors"
	"flag"
	"io"
	"strconv"
	"time"
)

// What a supervisor ends with. The command's own exit code is not passed on, so
// that no candidate can pass for a broken limit.
const (
	exitCrashed  = 1
	exitTimedOut = 3
	exitExceeded = 4
	exitNotRun   = 5
)

func outcomeOf(code int) Outcome {
	switch code {
	case 0:
		return Ran
	case exitCrashed:
		return Crashed
	case exitTimedOut:
		return TimedOut
	case exitExceeded:
		return Exceeded
	}
	return NotRun
}

// limits is what a supervisor is told.
type limits struct {
	timeout time.Duration
	memory  int64
}

// args appends l to a launcher's arguments; the command follows.
func (l *limits) args(launcher []string) []string {
	args := append([]string(nil), launcher...)
	return append(args, "-timeout", l.timeout.String(), "-memory", strconv.FormatInt(l.memory, 10), "--")
}

// parse reads what args wrote, and gives the command.
func (l *limits) parse(args []string) (command []string, err error) {
	flags := flag.NewFlagSet("run-limited", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.DurationVar(&l.timeout, "timeout", 0, "")
	flags.Int64Var(&l.memory, "memory", 0, "")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if l.timeout <= 0 || l.memory <= 0 || flags.NArg() == 0 {
		return nil, errors.New("want -timeout, -memory and a command")
	}
	return flags.Args(), nil
}
