package floor

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"github.com/kaizen-os/deliberation/bench/sim"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp: the time of Date headers, and cleaners that sleep out their
		// ten seconds after a server is stopped or a client has no connections.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"))
}

func start(t testing.TB, n, size int) (*Server, *sim.Sim) {
	t.Helper()
	companions := sim.Default()[:n]
	for i := range companions {
		companions[i].Fixed, companions[i].Latency = size, sim.Latency{}
	}
	asked, err := sim.Start(sim.Config{Companions: companions})
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, e := range asked.Endpoints() {
		urls = append(urls, e.URL)
	}
	s, err := Start(Config{Companions: urls, ReplyBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Errorf("close floor: %v", err)
		}
		if err := asked.Close(); err != nil {
			t.Errorf("close companions: %v", err)
		}
	})
	return s, asked
}

func TestEveryCompanionIsAskedEachTime(t *testing.T) {
	s, asked := start(t, 3, 600)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				res, err := http.Post(s.URL()+"/v1/deliberate", "application/json", strings.NewReader(`{"prompt":"x"}`))
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != 200 || len(body) != 1000 || !bytes.HasPrefix(body, []byte(`{"answer":"`)) {
					t.Errorf("status %d, %d bytes, %v", res.StatusCode, len(body), err)
				}
			}
		})
	}
	group.Wait()
	for _, e := range asked.Endpoints() {
		if n := asked.Asked(e.ID); n != 160 {
			t.Errorf("%s was asked %d times, want 160", e.ID, n)
		}
	}
}

func TestOneFailingCompanionFailsTheRequest(t *testing.T) {
	s, asked := start(t, 3, 600)
	asked.SetFault("ATLAS", sim.ServerError)
	for _, want := range []int{502, 200} {
		res, err := http.Post(s.URL()+"/v1/deliberate", "application/json", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("status %d, want %d", res.StatusCode, want)
		}
		asked.SetFault("ATLAS", sim.NoFault)
	}
}

func TestTheBodyArrivesUnchanged(t *testing.T) {
	got := make(chan string, 2)
	s := &companionDouble{got: got}
	url := s.start(t)
	f, err := Start(Config{Companions: []string{url, url}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	res, err := http.Post(f.URL()+"/v1/deliberate", "application/json", strings.NewReader("exactly this"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	for range 2 {
		if body := <-got; body != "POST /v1/deliberate application/json exactly this" {
			t.Errorf("a companion got %q", body)
		}
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// companionDouble tells what it was sent.
type companionDouble struct {
	got chan string
}

func (c *companionDouble) start(t *testing.T) string {
	server := &http.Server{Handler: c}
	listener := listen(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // always an error: it was closed
	}()
	t.Cleanup(func() {
		server.Close()
		<-ended
	})
	return "http://" + listener.Addr().String()
}

func (c *companionDouble) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.got <- r.Method + " " + r.URL.Path + " " + r.Header.Get("Content-Type") + " " + string(body)
	_, _ = w.Write([]byte("{}"))
}

func TestStartRefuses(t *testing.T) {
	for _, cfg := range []Config{
		{},
		{Companions: []string{"https://127.0.0.1:1"}},
		{Companions: []string{"127.0.0.1:1"}},
		{Companions: []string{"http://127.0.0.1:1"}, Listen: "127.0.0.1:99999"},
	} {
		if s, err := Start(cfg); err == nil {
			s.Close()
			t.Errorf("Start(%+v) did not fail", cfg)
		}
	}
}

// BenchmarkFloor has the companions in the same process: it is to watch
// allocations. What a fan-out costs is measured by bench/load.
func BenchmarkFloor(b *testing.B) {
	s, _ := start(b, 5, 600)
	client := &fasthttp.HostClient{Addr: s.URL()[len("http://"):]}
	defer client.CloseIdleConnections()
	var request fasthttp.Request
	var response fasthttp.Response
	request.SetRequestURI(s.URL() + "/v1/deliberate")
	request.Header.SetMethod("POST")
	request.SetBodyString(`{"prompt":"x"}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := client.Do(&request, &response); err != nil || response.StatusCode() != 200 {
			b.Fatal(err, response.StatusCode())
		}
	}
}
