package load

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/kaizen-os/deliberation/bench/sim"
)

// childEnv makes the test binary play the process that a test starts.
const childEnv = "LOAD_TEST_CHILD"

func TestMain(m *testing.M) {
	if play := os.Getenv(childEnv); play != "" {
		if err := child(play); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m,
		// fasthttp: the time of Date headers, and cleaners that sleep out their
		// ten seconds after a server is stopped or a client has no connections.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*Client).mCleaner"))
}

func child(play string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	switch play {
	case "companions":
		s, err := sim.Start(sim.Config{Companions: FleetSpec{Count: 2, Fixed: 100}.Companions()})
		if err != nil {
			return err
		}
		if err := WriteReady(os.Stdout, ReadyFleet(s.Endpoints())); err != nil {
			return err
		}
		<-ctx.Done()
		return s.Close()
	case "unsaid": // gets ready without a word, at an address that its parent knows
		s, err := sim.Start(sim.Config{Companions: FleetSpec{Count: 1, Fixed: 100}.Companions(), BasePort: atoi(os.Getenv("LOAD_TEST_PORT"))})
		if err != nil {
			return err
		}
		<-ctx.Done()
		return s.Close()
	case "orphan": // ends with its parent
		if err := WriteReady(os.Stdout, Ready{URL: "http://127.0.0.1:1"}); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	case "babbles":
		fmt.Println("hello")
		<-ctx.Done()
		return nil
	case "dies":
		return fmt.Errorf("dying as told")
	case "silent":
		<-ctx.Done()
		return nil
	}
	return fmt.Errorf("unknown part %q", play)
}

func atoi(s string) (n int) {
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}
