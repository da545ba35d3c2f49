package interop

import (
	"testing"

	"go.uber.org/goleak"
)

// Tessera's logger keeps a goroutine of its own from the start, and its fsck
// leaves its workers behind when it ends early. fasthttp has its clock and its
// zippers for good, and a stopped server's cleaner sleeps out its ten seconds.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/transparency-dev/tessera/fsck.(*fsckTree).resourceCheckWorker.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp/stackless.funcWorker"))
}
