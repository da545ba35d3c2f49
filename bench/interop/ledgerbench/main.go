// Command ledgerbench measures the ledger in one run on one machine: against raw Pebble
// in synced batches (the floor), against Tessera's POSIX driver, and against
// itself as it grows.
//
//	go run ./ledgerbench [--short] [--only speed,growth] [--huge] [--writers 1,256] [--dir DIR] [--markdown FILE] [--profile DIR]
//
// Contenders take turns, each in a process of its own and an empty folder, and
// every ratio is taken within a round: on a shared machine the same binary
// differs by half from one minute to the next.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kaizen-os/deliberation/bench/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "ledgerbench:", err)
		os.Exit(1)
	}
}

// Parts of --only.
const (
	speedPart  = "speed"
	growthPart = "growth"
)

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 2 && args[0] == childCommand {
		return child(ctx, args[1], stdout)
	}
	flags := flag.NewFlagSet("ledgerbench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	short := flags.Bool("short", false, "half a minute in place of fifteen: to see that it works, not to quote")
	huge := flags.Bool("huge", false, "grow to ten million entries too")
	dir := flags.String("dir", "", "where the ledgers lie while they are measured (default: a temporary folder)")
	markdown := flags.String("markdown", "", "also write the report to this file, as markdown")
	writers := flags.String("writers", "", "of the comparison, with commas (default: 1,64,256,4096; short 1,256)")
	only := flags.String("only", speedPart+","+growthPart, "which parts to run")
	profiles := flags.String("profile", "", "also write profiles of our appends into this folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("no argument is taken, got %q", flags.Arg(0))
	}
	parts := strings.Split(*only, ",")
	for _, part := range parts {
		if part != speedPart && part != growthPart {
			return fmt.Errorf("--only %s: want %s, %s, or both with a comma", *only, speedPart, growthPart)
		}
	}
	p, grow := fullPlan, fullGrowth
	if *short {
		p, grow = shortPlan, shortGrowth
	}
	if *writers != "" {
		var err error
		if p.Writers, err = parseWriters(*writers); err != nil {
			return err
		}
	}
	if *huge {
		grow.Sizes = append(slices.Clone(grow.Sizes), hugeSize)
	}

	work, err := os.MkdirTemp(*dir, "ledgerbench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	r := &runner{dir: work, profile: *profiles, progress: stderr}
	out := report{Machine: load.ThisMachine(), Command: commandLine(*short, *huge, *only, *writers), Date: time.Now(), Short: *short}
	if slices.Contains(parts, speedPart) {
		if err := wantFree(work, 4<<30, "the comparison"); err != nil {
			return err
		}
		if out.Speed, err = r.speed(ctx, p); err != nil {
			return err
		}
	}
	if slices.Contains(parts, growthPart) {
		if out.Growth, err = r.growth(ctx, grow); err != nil {
			return err
		}
	}
	if *markdown != "" {
		if err := writeFile(*markdown, out.writeMarkdown); err != nil {
			return err
		}
	}
	return out.writeText(stdout)
}

func parseWriters(list string) (writers []int, err error) {
	for _, text := range strings.Split(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1<<16 {
			return nil, fmt.Errorf("--writers %s: want numbers from 1 to 65536", list)
		}
		writers = append(writers, n)
	}
	return writers, nil
}

// commandLine is what gives these figures again: where they were kept is this
// machine's affair.
func commandLine(short, huge bool, only, writers string) string {
	line := "go run ./ledgerbench"
	if short {
		line += " --short"
	}
	if huge {
		line += " --huge"
	}
	if only != speedPart+","+growthPart {
		line += " --only " + only
	}
	if writers != "" {
		line += " --writers " + writers
	}
	return line
}

func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
