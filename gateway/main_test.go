package gateway

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/kaizen-os/deliberation/scoring/run"
)

// The test binary is also what stands between the gateway and the code it runs.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "run-limited" {
		os.Exit(run.Supervise(os.Args[2:]))
	}
	goleak.VerifyTestMain(m,
		// fasthttp keeps the time of its Date headers in a goroutine without
		// end, and a stopped server's cleaner sleeps out its ten seconds.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		// It zips in one worker a core, started at the first use and kept.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp/stackless.funcWorker"))
}
