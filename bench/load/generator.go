package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// A Plan says what load to put on which server.
type Plan struct {
	URL      string   // of the POST, http only
	Key      string   // Authorization: Bearer, if set
	Bodies   [][]byte // sent in turn
	Clients  int      // connections, and so the most requests at once
	Rate     float64  // requests a second that fall due; 0 is a closed loop
	Warmup   time.Duration
	Duration time.Duration // of what is measured
	Timeout  time.Duration // of one request; 0 is 30 s
	Pids     []int         // processes whose processor time and memory to measure

	// Inspect, if set, is given the body of every measured reply of status 200.
	// It must not keep it, and is called from many goroutines.
	Inspect func(body []byte)
}

// A Result is what came of a plan.
type Result struct {
	Elapsed   time.Duration    // what was measured took
	Sent      int64            // requests, warm-up included
	OK        int64            // measured replies of status 200
	Errors    map[string]int64 // others, by "status 503", "timeout" or "connection"
	Verdicts  map[string]int64 // the replies' own "status", where they have one
	Total     Quantiles        // of a request; open loop: from when it was due
	Overhead  Quantiles        // timing.overheadMs as the replies state it
	Processes []Usage          // by Plan.Pids
}

// PerSecond is the throughput.
func (r *Result) PerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.OK) / r.Elapsed.Seconds()
}

// CPU of process i of the plan for one request.
func (r *Result) CPU(i int) time.Duration {
	if i >= len(r.Processes) || r.OK == 0 {
		return 0
	}
	return r.Processes[i].CPU / time.Duration(r.OK)
}

// Failed is how many requests were not answered with 200.
func (r *Result) Failed() int64 {
	var n int64
	for _, count := range r.Errors {
		n += count
	}
	return n
}

// ErrorSummary lists what failed: "12 status 503, 1 timeout"; "" if nothing did.
func (r *Result) ErrorSummary() string { return summary(r.Errors) }

func summary(counts map[string]int64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], name))
	}
	return strings.Join(parts, ", ")
}

// Run puts plan's load on and returns when all requests are back. It fails for
// a plan that makes no sense and when ctx ends; requests that fail are counted.
func Run(ctx context.Context, plan Plan) (*Result, error) {
	u, err := url.Parse(plan.URL)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("load: %q: want an http address", plan.URL)
	}
	if len(plan.Bodies) == 0 || plan.Clients < 1 || plan.Duration <= 0 || plan.Rate < 0 || plan.Warmup < 0 {
		return nil, errors.New("load: a plan needs bodies, clients and a duration")
	}
	if plan.Timeout == 0 {
		plan.Timeout = 30 * time.Second
	}
	r := &run{
		plan: plan, total: NewLatencies(), overhead: NewLatencies(),
		errors: map[string]int64{}, verdicts: map[string]int64{},
		client: fasthttp.HostClient{
			Addr: u.Host, MaxConns: plan.Clients, Dial: dial,
			NoDefaultUserAgentHeader: true, DisableHeaderNamesNormalizing: true, DisablePathNormalizing: true,
			// A failed request is counted, not repeated.
			MaxIdemponentCallAttempts: 1,
		},
	}
	defer r.client.CloseIdleConnections()
	r.from = time.Now().Add(plan.Warmup)
	r.to = r.from.Add(plan.Duration)

	monitored := make(chan []Usage, 1)
	finished := make(chan struct{})
	until := r.to
	if plan.Rate > 0 {
		until = time.Time{} // what fell due at the end is still being worked at
	}
	go func() { monitored <- monitor(plan.Pids, r.from, until, finished) }()
	if plan.Rate > 0 {
		r.open(ctx)
	} else {
		r.closed(ctx)
	}
	close(finished)
	processes := <-monitored
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &Result{
		Elapsed: plan.Duration, Sent: r.next.Load(), OK: r.ok, Errors: r.errors, Verdicts: r.verdicts,
		Total: r.total.Quantiles(), Overhead: r.overhead.Quantiles(), Processes: processes,
	}, nil
}

// run is a plan under way.
type run struct {
	plan     Plan
	client   fasthttp.HostClient
	from, to time.Time // what is measured
	next     atomic.Int64
	total    *Latencies
	overhead *Latencies

	mu       sync.Mutex
	ok       int64            // guarded by mu, as the maps
	errors   map[string]int64 //
	verdicts map[string]int64 //
}

// closed keeps every client busy until the end. Measured is what ends within
// the window, whenever it began.
func (r *run) closed(ctx context.Context) {
	var group sync.WaitGroup
	for range r.plan.Clients {
		group.Go(func() {
			c := r.newClient()
			for ctx.Err() == nil {
				start := time.Now()
				if !start.Before(r.to) {
					return
				}
				err := c.send()
				if end := time.Now(); end.After(r.from) && !end.After(r.to) {
					r.record(c, end.Sub(start), err)
				}
			}
		})
	}
	group.Wait()
}

// open sends when requests are due. Measured is what falls due within the
// window, whenever it ends.
func (r *run) open(ctx context.Context) {
	interval := float64(time.Second) / r.plan.Rate
	start := r.from.Add(-r.plan.Warmup)
	count := int64(float64(r.plan.Warmup+r.plan.Duration) / interval)
	// Room for all, so that the clock never waits for the server.
	due := make(chan time.Time, count)
	var group sync.WaitGroup
	group.Go(func() {
		defer close(due)
		clock := newClock()
		defer clock.close()
		for i := range count {
			at := start.Add(time.Duration(float64(i) * interval))
			clock.sleepUntil(at)
			if ctx.Err() != nil {
				return
			}
			due <- at
		}
	})
	for range r.plan.Clients {
		group.Go(func() {
			c := r.newClient()
			for at := range due {
				if ctx.Err() != nil {
					return
				}
				err := c.send()
				if !at.Before(r.from) {
					r.record(c, time.Since(at), err)
				}
			}
		})
	}
	group.Wait()
}

// client is one connection's worth of requests, one at a time.
type client struct {
	run      *run
	request  fasthttp.Request
	response fasthttp.Response
}

func (r *run) newClient() *client {
	c := &client{run: r}
	c.request.SetRequestURI(r.plan.URL)
	c.request.Header.SetMethod(fasthttp.MethodPost)
	c.request.Header.SetContentType("application/json")
	if r.plan.Key != "" {
		c.request.Header.Set("Authorization", "Bearer "+r.plan.Key)
	}
	return c
}

func (c *client) send() error {
	n := c.run.next.Add(1) - 1
	c.request.SetBodyRaw(c.run.plan.Bodies[n%int64(len(c.run.plan.Bodies))])
	return c.run.client.DoTimeout(&c.request, &c.response, c.run.plan.Timeout)
}

// record counts one request that took d.
func (r *run) record(c *client, d time.Duration, err error) {
	failed := ""
	switch {
	case errors.Is(err, fasthttp.ErrTimeout):
		failed = "timeout"
	case err != nil:
		failed = "connection"
	case c.response.StatusCode() != fasthttp.StatusOK:
		failed = "status " + strconv.Itoa(c.response.StatusCode())
	}
	if failed != "" {
		// Not timed: a server that fails fast is not a fast server.
		r.mu.Lock()
		r.errors[failed]++
		r.mu.Unlock()
		return
	}
	body := c.response.Body()
	r.total.Record(d)
	if overhead, found := overheadOf(body); found {
		r.overhead.Record(overhead)
	}
	verdict := verdictOf(body)
	r.mu.Lock()
	r.ok++
	if verdict != nil {
		r.verdicts[string(verdict)]++
	}
	r.mu.Unlock()
	if r.plan.Inspect != nil {
		r.plan.Inspect(body)
	}
}

// overheadOf finds timing.overheadMs. Decoding every reply would take from the
// processor that the server under test needs too; a quote inside a string is
// always escaped, so text cannot be taken for the field.
func overheadOf(body []byte) (time.Duration, bool) {
	const field = `"overheadMs":`
	i := bytes.LastIndex(body, []byte(field))
	if i < 0 {
		return 0, false
	}
	number := body[i+len(field):]
	end := bytes.IndexAny(number, ",} \n")
	if end < 0 {
		return 0, false
	}
	ms, err := strconv.ParseFloat(string(number[:end]), 64)
	if err != nil || !(ms >= 0 && ms < float64(longestTime/time.Millisecond)) {
		return 0, false
	}
	return time.Duration(ms * float64(time.Millisecond)), true
}

// verdictOf finds the reply's "status", which comes before any text in it.
func verdictOf(body []byte) []byte {
	const field = `"status":"`
	i := bytes.Index(body, []byte(field))
	if i < 0 {
		return nil
	}
	status := body[i+len(field):]
	end := bytes.IndexByte(status, '"')
	if end < 0 || end > 16 {
		return nil
	}
	return status[:end]
}
