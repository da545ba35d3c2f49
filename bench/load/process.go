package load

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// A Usage is what a process took while it was measured. Zero is unknown.
type Usage struct {
	CPU  time.Duration // user and system, all threads; in steps of 10 ms
	RSS  int64         // most resident bytes seen while measured
	Peak int64         // most resident bytes since the process began
}

var errProc = errors.New("load: cannot read /proc")

// cpuTime is what process pid has used so far. The kernel counts in ticks of
// 1/100 s for user space, whatever its own clock.
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errProc, err)
	}
	return parseStat(stat)
}

// parseStat adds utime and stime: the 14th and 15th field, of which the second,
// the program's name in parentheses, may hold anything.
func parseStat(stat []byte) (time.Duration, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("%w: stat has %d fields", errProc, len(fields))
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%w: stat time %q", errProc, field)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// memory is what process pid has resident, now and at most so far, in bytes.
func memory(pid int) (rss, peak int64, err error) {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %w", errProc, err)
	}
	return parseStatus(status)
}

func parseStatus(status []byte) (rss, peak int64, err error) {
	for line := range bytes.Lines(status) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		var into *int64
		switch string(name) {
		case "VmRSS":
			into = &rss
		case "VmHWM":
			into = &peak
		default:
			continue
		}
		number, isKB := bytes.CutSuffix(bytes.TrimSpace(value), []byte(" kB"))
		n, err := strconv.ParseInt(string(bytes.TrimSpace(number)), 10, 64)
		if err != nil || !isKB || n < 0 || n > 1<<40 {
			return 0, 0, fmt.Errorf("%w: %s", errProc, name)
		}
		*into = n << 10
	}
	if rss == 0 || peak == 0 {
		return 0, 0, fmt.Errorf("%w: no VmRSS or VmHWM", errProc)
	}
	return rss, peak, nil
}

// monitor measures processes between two times, or from then until finished
// closes if to is zero. A process that cannot be read has zeros: the load
// counts, with or without it.
func monitor(pids []int, from, to time.Time, finished <-chan struct{}) []Usage {
	usages := make([]Usage, len(pids))
	before := make([]time.Duration, len(pids))
	begin := time.NewTimer(time.Until(from))
	defer begin.Stop()
	select {
	case <-begin.C:
	case <-finished:
		return usages
	}
	for i, pid := range pids {
		before[i], _ = cpuTime(pid)
	}
	look := func() {
		for i, pid := range pids {
			if rss, peak, err := memory(pid); err == nil {
				usages[i].RSS, usages[i].Peak = max(usages[i].RSS, rss), peak
			}
		}
	}
	var over <-chan time.Time
	if !to.IsZero() {
		end := time.NewTimer(time.Until(to))
		defer end.Stop()
		over = end.C
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for watching := true; watching; {
		look()
		select {
		case <-ticker.C:
		case <-over:
			watching = false
		case <-finished:
			watching = false
		}
	}
	for i, pid := range pids {
		if after, err := cpuTime(pid); err == nil && before[i] > 0 {
			usages[i].CPU = after - before[i]
		}
	}
	look()
	return usages
}
