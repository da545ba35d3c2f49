package fanout_test

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/fanout/kaizen"
	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

var question = &quorum.Deliberation{
	ID: "dlb_01K0000000000000000000000", Prompt: "What is six times seven? Answer with the number and one sentence why.",
	Tier: quorum.Standard, Chamber: "thought-broker", Cycle: "C-114",
}

// cpu is this process's CPU time, of which the companions are no part.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func reportCPU(b *testing.B, before time.Duration, panel int) {
	calls := float64(b.N) * float64(panel)
	b.ReportMetric(float64((cpu()-before).Microseconds())/calls, "cpu-µs/call")
}

// BenchmarkFloor is a bare fan-out by fasthttp's client, which neither limits,
// decodes nor reports: what BenchmarkAsk is held against.
func BenchmarkFloor(b *testing.B) {
	for _, clients := range []int{1, 16} {
		for _, panel := range []int{1, 5} {
			b.Run(fmt.Sprintf("clients=%d/panel=%d", clients, panel), func(b *testing.B) {
				addrs := startCompanions(b)
				hosts := make([]*fasthttp.HostClient, panel)
				for i := range hosts {
					hosts[i] = &fasthttp.HostClient{Addr: addrs[i], MaxConns: 1024}
				}
				body := kaizen.AppendRequest(nil, question, 9500*time.Millisecond)
				ask := func() {
					var all sync.WaitGroup
					for _, host := range hosts {
						all.Go(func() {
							req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
							req.Header.SetMethod("POST")
							req.Header.SetContentType("application/json")
							req.SetRequestURI("/v1/deliberate")
							req.SetHost(host.Addr)
							req.SetBodyRaw(body)
							if err := host.DoTimeout(req, resp, 10*time.Second); err != nil || resp.StatusCode() != 200 {
								b.Error("no reply:", err)
							}
							fasthttp.ReleaseRequest(req)
							fasthttp.ReleaseResponse(resp)
						})
					}
					all.Wait()
				}
				run(b, clients, panel, ask)
				for _, host := range hosts {
					host.CloseIdleConnections()
				}
			})
		}
	}
}

func BenchmarkAsk(b *testing.B) {
	for _, clients := range []int{1, 16} {
		for _, panel := range []int{1, 5} {
			b.Run(fmt.Sprintf("clients=%d/panel=%d", clients, panel), func(b *testing.B) {
				addrs := startCompanions(b)
				meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
				fan, err := fanout.New(fanout.Config{
					Tracer: noop.NewTracerProvider().Tracer(""),
					Meter:  meters.Meter("fanout"),
				})
				if err != nil {
					b.Fatal(err)
				}
				lines := make([]*fanout.Line, panel)
				for i := range lines {
					adapter, err := kaizen.New(kaizen.Config{Upstream: upstream.Config{Origin: "http://" + addrs[i]}})
					if err != nil {
						b.Fatal(err)
					}
					defer adapter.Close()
					lines[i], err = fanout.NewLine(fanout.LineConfig{
						Companion: quorum.CompanionID(fmt.Sprintf("C%d", i)), Asker: adapter, Model: "sim-1", Provider: "kaizen",
						PerSecond: 1e6, Price: quorum.Price{Input: 2500, Output: 10_000},
					})
					if err != nil {
						b.Fatal(err)
					}
				}
				run(b, clients, panel, func() {
					ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
					defer cancel()
					round := fan.Ask(ctx, question, lines, nil)
					defer round.Cancel()
					for seat := range round.Arrivals() {
						if r := round.Reply(seat); r.Outcome != quorum.OK {
							b.Error("no reply:", r.Reason)
						}
					}
				})
			})
		}
	}
}

func run(b *testing.B, clients, panel int, ask func()) {
	ask() // connects
	b.ReportAllocs()
	before := cpu()
	if clients == 1 {
		for b.Loop() {
			ask()
		}
	} else {
		b.SetParallelism(clients / 2)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				ask()
			}
		})
	}
	reportCPU(b, before, panel)
}
