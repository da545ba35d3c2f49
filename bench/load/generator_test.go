package load

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// serve runs handler until the test ends and gives its origin.
func serve(t testing.TB, handler fasthttp.RequestHandler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &fasthttp.Server{Handler: handler}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(); err != nil {
			t.Error(err)
		}
		l.Close()
		<-ended
	})
	return "http://" + l.Addr().String()
}

const reply = `{"id":"dlb_1","status":"carried","answer":"so it says: \"overheadMs\":99,\"status\":\"lost\"","timing":{"totalMs":2.5,"waitMs":2.0,"overheadMs":0.5},"cached":false}`

func TestClosedLoop(t *testing.T) {
	var most, now, asked atomic.Int64
	url := serve(t, func(ctx *fasthttp.RequestCtx) {
		asked.Add(1)
		n := now.Add(1)
		for {
			old := most.Load()
			if n <= old || most.CompareAndSwap(old, n) {
				break
			}
		}
		defer now.Add(-1)
		if string(ctx.PostBody()) == "b" {
			ctx.Error("no", 503)
			return
		}
		if string(ctx.Request.Header.Peek("Authorization")) != "Bearer k" || string(ctx.Request.Header.ContentType()) != "application/json" {
			ctx.Error("who?", 401)
			return
		}
		ctx.SetBodyString(reply)
	})
	var inspected atomic.Int64
	result, err := Run(t.Context(), Plan{
		URL: url + "/v1/deliberate", Key: "k", Bodies: [][]byte{[]byte("a"), []byte("b")}, Clients: 4,
		Warmup: 20 * time.Millisecond, Duration: 300 * time.Millisecond, Pids: []int{os.Getpid(), -1},
		Inspect: func(body []byte) {
			if string(body) == reply {
				inspected.Add(1)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if result.OK == 0 || result.Total.N != result.OK || inspected.Load() != result.OK || result.Overhead.N != result.OK {
		t.Errorf("%d replies, %d timed, %d inspected, %d overheads", result.OK, result.Total.N, inspected.Load(), result.Overhead.N)
	}
	if n := result.Errors["status 503"]; n == 0 || result.Failed() != n || !strings.HasSuffix(result.ErrorSummary(), " status 503") {
		t.Errorf("errors %v", result.Errors)
	}
	if result.Verdicts["carried"] != result.OK || len(result.Verdicts) != 1 {
		t.Errorf("verdicts %v of %d", result.Verdicts, result.OK)
	}
	if result.Overhead.P50 < 495*time.Microsecond || result.Overhead.Max > 505*time.Microsecond {
		t.Errorf("overhead %+v, want 500 µs", result.Overhead)
	}
	if m := most.Load(); m < 1 || m > 4 {
		t.Errorf("%d requests at once, want at most 4", m)
	}
	if result.Sent != asked.Load() || result.Sent <= result.OK {
		t.Errorf("%d sent, %d arrived, %d measured", result.Sent, asked.Load(), result.OK)
	}
	if result.PerSecond() <= 0 || result.Processes[0].CPU <= 0 || result.Processes[0].RSS == 0 || result.CPU(0) <= 0 {
		t.Errorf("%v a second, processes %+v", result.PerSecond(), result.Processes)
	}
	if result.Processes[1] != (Usage{}) || result.CPU(2) != 0 {
		t.Errorf("a process that is not there used %+v", result.Processes[1])
	}
}

// A server that stalls once is charged by an open loop for everyone who was due
// meanwhile; a closed loop sees one slow request.
func TestOpenLoopTimesFromWhenRequestsWereDue(t *testing.T) {
	var once sync.Once
	stall := 200 * time.Millisecond
	url := serve(t, func(ctx *fasthttp.RequestCtx) {
		once.Do(func() { <-time.After(stall) })
		ctx.SetBodyString("{}")
	})
	result, err := Run(t.Context(), Plan{
		URL: url, Bodies: [][]byte{[]byte("{}")}, Clients: 1, Rate: 100, Duration: 400 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if result.OK != 40 || result.Sent != 40 {
		t.Fatalf("%d of 40 answered, %d sent", result.OK, result.Sent)
	}
	// Due at 0, 10, 20 ... ms and all answered at 200 ms or later: ten of them
	// waited for over 100 ms.
	if result.Total.Max < stall || result.Total.P95 < stall/2 {
		t.Errorf("latencies %+v: the stall was charged to one request only", result.Total)
	}
	if result.Verdicts == nil || len(result.Verdicts) != 0 || result.Overhead.N != 0 {
		t.Errorf("verdicts %v, overhead %+v of replies that have none", result.Verdicts, result.Overhead)
	}
}

func TestFailuresAreCountedByKind(t *testing.T) {
	hang := make(chan struct{})
	url := serve(t, func(*fasthttp.RequestCtx) { <-hang })
	plan := Plan{URL: url, Bodies: [][]byte{nil}, Clients: 2, Duration: 100 * time.Millisecond, Timeout: 30 * time.Millisecond}
	result, err := Run(t.Context(), plan)
	close(hang)
	if err != nil || result.Errors["timeout"] == 0 || result.OK != 0 || result.PerSecond() != 0 || result.Total != (Quantiles{}) {
		t.Errorf("a server that hangs: %+v, %v", result, err)
	}
	plan.URL = "http://127.0.0.1:1" // nobody listens there
	if result, err = Run(t.Context(), plan); err != nil || result.Errors["connection"] == 0 {
		t.Errorf("no server: %+v, %v", result, err)
	}
}

func TestRunRefusesAndEnds(t *testing.T) {
	ok := Plan{URL: "http://127.0.0.1:1", Bodies: [][]byte{nil}, Clients: 1, Duration: time.Millisecond}
	for _, change := range []func(*Plan){
		func(p *Plan) { p.URL = "https://127.0.0.1" },
		func(p *Plan) { p.Bodies = nil },
		func(p *Plan) { p.Clients = 0 },
		func(p *Plan) { p.Duration = 0 },
		func(p *Plan) { p.Rate = -1 },
	} {
		plan := ok
		change(&plan)
		if _, err := Run(t.Context(), plan); err == nil {
			t.Errorf("%+v was accepted", plan)
		}
	}
	url := serve(t, func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString("{}") })
	for _, rate := range []float64{0, 50} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		ok.URL, ok.Duration, ok.Rate = url, time.Minute, rate
		if _, err := Run(ctx, ok); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("rate %v: %v", rate, err)
		}
		cancel()
	}
}

func TestClockDoesNotWakeEarly(t *testing.T) {
	c := newClock()
	defer c.close()
	for range 5 {
		at := time.Now().Add(3 * time.Millisecond)
		if c.sleepUntil(at); time.Now().Before(at) {
			t.Error("woke before it was time")
		}
	}
}

func TestLatencies(t *testing.T) {
	l := NewLatencies()
	if q := l.Quantiles(); q != (Quantiles{}) {
		t.Errorf("an empty histogram has %+v", q)
	}
	for i := range 1000 {
		l.Record(time.Duration(i+1) * time.Millisecond)
	}
	l.Record(-time.Second) // a clock that stepped back is no crash
	l.Record(time.Hour)
	q := l.Quantiles()
	near := func(what string, got, want time.Duration) {
		if got < want*99/100 || got > want*101/100 {
			t.Errorf("%s = %v, want %v", what, got, want)
		}
	}
	near("p50", q.P50, 500*time.Millisecond)
	near("p95", q.P95, 951*time.Millisecond)
	near("p99", q.P99, 991*time.Millisecond)
	near("max", q.Max, longestTime)
	if q.N != 1002 {
		t.Errorf("n = %d", q.N)
	}
}

func FuzzReplyFields(f *testing.F) {
	for _, s := range []string{reply, `"overheadMs":`, `"overheadMs":1e999}`, `"overheadMs":-1}`, `"status":"`, `"overheadMs":NaN}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if d, found := overheadOf(body); found && (d < 0 || d > longestTime) {
			t.Errorf("overhead %v", d)
		}
		if v := verdictOf(body); len(v) > 16 {
			t.Errorf("verdict of %d bytes", len(v))
		}
	})
}
