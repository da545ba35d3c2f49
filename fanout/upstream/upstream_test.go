package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs script with each connection that is made to a listener of its own,
// and returns the origin.
func serve(t testing.TB, script func(n int, c net.Conn, in *bufio.Reader)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	all.Go(func() {
		for n := 0; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			all.Go(func() {
				defer c.Close()
				script(n, c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return "http://" + ln.Addr().String()
}

// request reads one request and returns its head.
func request(in *bufio.Reader) (head []string, body string, err error) {
	length := 0
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return head, "", err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		head = append(head, line)
		if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, _ = strconv.Atoi(v)
		}
	}
	b := make([]byte, length)
	_, err = io.ReadFull(in, b)
	return head, string(b), err
}

func respond(c net.Conn, status, headers, body string) {
	io.WriteString(c, "HTTP/1.1 "+status+"\r\nContent-Type: application/json\r\n"+headers+
		"Content-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body)
}

func client(t testing.TB, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestDo(t *testing.T) {
	heads := make(chan []string, 2)
	origin := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
		for {
			head, body, err := request(in)
			if err != nil {
				return
			}
			heads <- head
			respond(c, "200 OK", "", "["+body+"]")
		}
	})
	c := client(t, Config{Origin: origin + "/base/"})
	route := c.Post("/v1/ask")
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{0xab, 15: 1}, SpanID: trace.SpanID{0xcd, 7: 2}})
	for i, body := range []string{`"hi"`, strings.Repeat("x", inlineBody+1)} {
		ctx := trace.ContextWithSpanContext(within(t, 10*time.Second), span)
		resp, err := route.Do(ctx, "secret", []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.JSON(); err != nil || string(resp.Body) != "["+body+"]" {
			t.Errorf("response %d: %v, %d bytes", i, err, len(resp.Body))
		}
		resp.Release()
		want := []string{"POST /base/v1/ask HTTP/1.1", "Host: " + strings.TrimPrefix(origin, "http://"), "User-Agent: kaizen",
			"Accept: application/json", "Content-Type: application/json", "Authorization: Bearer secret",
			"traceparent: 00-ab000000000000000000000000000001-cd00000000000002-00", "Content-Length: " + strconv.Itoa(len(body))}
		if head := <-heads; !slices.Equal(head, want) {
			t.Errorf("head %q\nwant %q", head, want)
		}
	}
	if len(c.idle) != 1 {
		t.Errorf("%d idle connections, want the one used twice", len(c.idle))
	}
	sampled := trace.ContextWithSpanContext(t.Context(), span.WithTraceFlags(trace.FlagsSampled))
	state, _ := trace.ParseTraceState("vendor=1")
	got := string(appendTrace(nil, trace.ContextWithSpanContext(sampled, span.WithTraceFlags(trace.FlagsSampled).WithTraceState(state))))
	if got != "traceparent: 00-ab000000000000000000000000000001-cd00000000000002-01\r\ntracestate: vendor=1\r\n" {
		t.Errorf("sampled: %q", got)
	}
	if got := appendTrace(nil, t.Context()); len(got) != 0 {
		t.Errorf("without a trace: %q", got)
	}
}

func TestWhatACompanionCanSend(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	for _, tt := range []struct {
		name   string
		sends  string // and closes
		class  string // "" for a good reply
		reason string
	}{
		{"a reply", ok + "Content-Length: 2\r\n\r\n{}", "", ""},
		{"a reply in chunks", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", "", ""},
		{"a reply that ends with the connection", ok + "\r\n{}", "", ""},
		{"a reply of http 1.0", "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{}", "", ""},
		{"a reply without a type", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "", ""},
		{"a reply of a json type", "HTTP/1.1 200 OK\r\nContent-Type: Application/Problem+JSON; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}", "", ""},
		{"interim responses first", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 2\r\n\r\n{}", "", ""},
		{"a long head", ok + "X-Policy: " + strings.Repeat("p", 20_000) + "\r\nContent-Length: 2\r\n\r\n{}", "", ""},
		{"an over-long head", ok + "X-Policy: " + strings.Repeat("p", maxHead) + "\r\n\r\n{}", TooLarge, "reply head over the size limit"},
		{"interim responses without end", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100), Malformed, "reply is not valid http"},
		{"nothing", "", Connection, "connection closed before a reply"},
		{"garbage", "\x16\x03\x01 gibberish", Malformed, "reply is not valid http"},
		{"lines of garbage", "hello\r\nworld\r\n\r\n", Malformed, "reply is not valid http"},
		{"a bad status line", "HTTP/1.1 abc\r\n\r\n", Malformed, "reply is not valid http"},
		{"half a head", "HTTP/1.1 200 OK\r\nContent-", Truncated, "reply cut short"},
		{"half a body", ok + "Content-Length: 100\r\n\r\n{\"response\":\"ab", Truncated, "reply cut short"},
		{"half a chunk", ok + "Transfer-Encoding: chunked\r\n\r\nff\r\n{\"respo", Truncated, "reply cut short"},
		{"chunks without an end", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", Truncated, "reply cut short"},
		{"a bad chunk", ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", Malformed, "reply is not valid http"},
		{"a large length", ok + "Content-Length: 5000\r\n\r\n", TooLarge, "reply over the size limit"},
		{"a large body", ok + "\r\n" + strings.Repeat("x", 5000), TooLarge, "reply over the size limit"},
		{"a large chunk", ok + "Transfer-Encoding: chunked\r\n\r\n1388\r\n" + strings.Repeat("x", 5000), TooLarge, "reply over the size limit"},
		{"a wrong type", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\n{}", ContentType, "reply is not json"},
		{"compressed", ok + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", ContentType, "reply is compressed"},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", Status, "http 204"},
		{"a redirect", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", Status, "http 302"},
		{"another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", Status, "http 101"},
		{"unauthorized", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", Refused, "http 401"},
		{"forbidden", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", Refused, "http 403"},
		{"too many requests", "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", RateLimited, "http 429"},
		{"an error", "HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nstack ...", Status, "http 500"},
		{"unavailable", "HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n", Status, "http 503"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			origin := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
				if _, _, err := request(in); err == nil {
					io.WriteString(c, tt.sends)
					c.(*net.TCPConn).CloseWrite()
					io.Copy(io.Discard, in) // or unread bytes would reset the connection
				}
			})
			resp, err := client(t, Config{Origin: origin, MaxBody: 4096}).Post("/").Do(within(t, 10*time.Second), "", []byte("{}"))
			if err == nil {
				defer resp.Release()
				err = resp.JSON()
			}
			if tt.class == "" {
				if err != nil || string(resp.Body) != "{}" {
					t.Errorf("error %v", err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Class != tt.class || e.Reason != tt.reason {
				t.Fatalf("error %v, want class %s, %q", err, tt.class, tt.reason)
			}
			if again := tt.class == Connection || tt.class == RateLimited || e.Status == 503; e.Retryable != again {
				t.Errorf("retryable %v, want %v", e.Retryable, again)
			}
			for _, said := range []string{"gibberish", "hello", "respo", "stack", "pppp"} {
				if strings.Contains(err.Error(), said) {
					t.Errorf("the error quotes the companion: %v", err)
				}
			}
		})
	}
}

func TestAnEndlessBodyEndsAtTheLimit(t *testing.T) {
	for _, head := range []string{"\r\n", "Transfer-Encoding: chunked\r\n\r\n"} {
		gone := make(chan struct{})
		origin := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
			defer close(gone)
			if _, _, err := request(in); err != nil {
				return
			}
			part := strings.Repeat("x", 0x1000)
			if strings.HasPrefix(head, "T") {
				part = "1000\r\n" + part + "\r\n"
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"+head)
			for {
				if _, err := io.WriteString(c, part); err != nil {
					return
				}
			}
		})
		_, err := client(t, Config{Origin: origin, MaxBody: 1 << 20}).Post("/").Do(within(t, 10*time.Second), "", nil)
		var e *Error
		if !errors.As(err, &e) || e.Class != TooLarge {
			t.Errorf("error %v", err)
		}
		<-gone // the connection was closed under it
	}
}

func TestAReplyOfAMegabyte(t *testing.T) {
	long := `"` + strings.Repeat("long ", 200_000) + `"`
	origin := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
		for {
			if _, _, err := request(in); err != nil {
				return
			}
			respond(c, "200 OK", "", long)
		}
	})
	route := client(t, Config{Origin: origin}).Post("/")
	for range 2 {
		resp, err := route.Do(within(t, 10*time.Second), "", nil)
		if err != nil || string(resp.Body) != long {
			t.Fatal(err)
		}
		resp.Release()
	}
}

// plainGuard is a ctx such as package fanout's.
type plainGuard struct {
	context.Context
	mu    sync.Mutex
	conn  interface{ SetDeadline(time.Time) error }
	ended bool
}

func (g *plainGuard) Guard(c interface{ SetDeadline(time.Time) error }) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conn = c
	return !g.ended
}

func (g *plainGuard) Unguard() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conn = nil
	return !g.ended
}

func (g *plainGuard) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	if g.conn != nil {
		g.conn.SetDeadline(past)
	}
}

func (g *plainGuard) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return context.Canceled
	}
	return nil
}

func TestTheEndOfCtxClosesTheConnection(t *testing.T) {
	for _, sent := range []string{"", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"} {
		asked, gone := make(chan struct{}), make(chan error)
		origin := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
			if _, _, err := request(in); err != nil {
				return
			}
			io.WriteString(c, sent)
			asked <- struct{}{}
			_, err := in.ReadByte()
			gone <- err
		})
		route := client(t, Config{Origin: origin}).Post("/")
		cancelled, cancel := context.WithCancel(t.Context())
		guarded := &plainGuard{Context: t.Context()}
		timed, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
		for _, tt := range []struct {
			ctx  context.Context
			end  func()
			want error
		}{
			{cancelled, cancel, context.Canceled},
			{guarded, guarded.end, context.Canceled},
			{timed, func() {}, context.DeadlineExceeded},
		} {
			go func() {
				<-asked
				tt.end()
			}()
			if _, err := route.Do(tt.ctx, "", nil); err != tt.want {
				t.Errorf("after %d bytes: error %v, want %v", len(sent), err, tt.want)
			}
			if err := <-gone; err == nil {
				t.Error("the server still has its connection")
			}
			if _, err := route.Do(tt.ctx, "", nil); err != tt.want {
				t.Errorf("with an ended ctx: error %v, want %v", err, tt.want)
			}
		}
		stop()
		cancel()
	}
}

func TestAStaleConnectionIsToldApart(t *testing.T) {
	closed := make(chan struct{}, 1)
	origin := serve(t, func(n int, c net.Conn, in *bufio.Reader) {
		for i := 0; ; i++ {
			if _, _, err := request(in); err != nil {
				return
			}
			respond(c, "200 OK", "", "{}")
			if n < 2 { // the first two close after one reply, without saying so
				c.Close()
				closed <- struct{}{}
				return
			}
		}
	})
	c := client(t, Config{Origin: origin})
	route := c.Post("/")
	ask := func() error {
		resp, err := route.Do(within(t, 10*time.Second), "", nil)
		if err == nil {
			resp.Release()
		}
		return err
	}
	// Two connections at once, so that both are kept.
	first, err := route.Do(within(t, 10*time.Second), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	first.Release()
	<-closed
	<-closed
	var e *Error
	if err := ask(); !errors.As(err, &e) || !e.Stale || !e.Retryable || !e.StaleConnection() {
		t.Fatalf("error %v, want a stale connection", err)
	}
	if err := ask(); err != nil { // the other stale one has gone too
		t.Errorf("retry: %v", err)
	}
}

func TestNotReached(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	_, err = client(t, Config{Origin: "http://" + ln.Addr().String()}).Get("/").Do(within(t, 10*time.Second), "", nil)
	var e *Error
	if !errors.As(err, &e) || e.Class != Connection || !e.Retryable || e.Stale || e.Reason != "no connection" {
		t.Errorf("error %v", err)
	}
	_, err = client(t, Config{Origin: "http://a.invalid", Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}).Get("/").Do(within(t, 10*time.Millisecond), "", nil)
	if err != context.DeadlineExceeded {
		t.Errorf("dialling past the deadline: %v", err)
	}
}

func TestIdleConnectionsAreBoundedAndGrowOld(t *testing.T) {
	origin := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
		for {
			if _, _, err := request(in); err != nil {
				return
			}
			respond(c, "200 OK", "", "{}")
		}
	})
	gone := make(chan struct{}, 3)
	c := client(t, Config{Origin: origin, MaxIdle: 2, IdleTimeout: 20 * time.Millisecond,
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			raw, err := new(net.Dialer).DialContext(ctx, network, addr)
			return &told{raw, gone}, err
		}})
	var out []*Response
	for range 3 {
		resp, err := c.Get("/").Do(within(t, 10*time.Second), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, resp)
	}
	for _, resp := range out {
		resp.Release()
	}
	for range 3 { // one was over the limit, two grew old
		<-gone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) != 0 || c.reaper != nil {
		t.Errorf("%d idle, timer %v", len(c.idle), c.reaper)
	}
}

// told says when it is closed.
type told struct {
	net.Conn
	gone chan struct{}
}

func (c *told) Close() error {
	c.gone <- struct{}{}
	return c.Conn.Close()
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `"`+r.Proto+`"`)
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it is refused once, below
	server.StartTLS()
	defer server.Close()
	roots := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	c := client(t, Config{Origin: server.URL, TLS: &tls.Config{RootCAs: roots}})
	for range 2 {
		resp, err := c.Get("/").Do(within(t, 10*time.Second), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		if string(resp.Body) != `"HTTP/1.1"` {
			t.Errorf("spoke %s", resp.Body)
		}
		resp.Release()
	}
	c.Close()
	_, err := client(t, Config{Origin: server.URL}).Get("/").Do(within(t, 10*time.Second), "", nil)
	var e *Error
	if !errors.As(err, &e) || e.Class != Connection || e.Reason != "no secure connection" {
		t.Errorf("with an unknown root: %v", err)
	}
}

func TestOrigins(t *testing.T) {
	for origin, address := range map[string]string{
		"http://127.0.0.1:8081":            "127.0.0.1:8081",
		"https://api.example.com/v1/":      "api.example.com:443",
		"http://[::1]":                     "[::1]:80",
		"https://user:pw@example.com":      "",
		"https://":                         "",
		"ftp://example.com":                "",
		"example.com":                      "",
		"https://example.com?key=1":        "",
		"https://example.com/#a":           "",
		"https://exa mple.com":             "",
		"http://example.com/\r\nX-Evil: 1": "",
	} {
		c, err := New(Config{Origin: origin})
		if (err == nil) != (address != "") || err == nil && c.address != address || err != nil && !errors.Is(err, ErrOrigin) {
			t.Errorf("%q: %v, %v; want %q", origin, c, err, address)
		}
		if err != nil && strings.Contains(err.Error(), "pw") {
			t.Errorf("%q: the error tells the password", origin)
		}
	}
	if _, err := New(Config{Origin: "http://a", MaxBody: -1}); err == nil {
		t.Error("a negative limit was taken")
	}
	c := client(t, Config{Origin: "http://127.0.0.1:8081"})
	if host, port := c.Address(); host != "127.0.0.1" || port != 8081 {
		t.Errorf("address %s %d", host, port)
	}
	if _, err := c.Get("/").Do(t.Context(), "a\r\nX-Evil: 1", nil); !errors.Is(err, ErrKey) {
		t.Errorf("a key with a line break: %v", err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              0,
		"3":                             3 * time.Second,
		"-3":                            0,
		"soon":                          0,
		"1.5":                           0,
		"99999999999999999999":          0,
		"4000000000":                    MaxRetryAfter,
		"Sun, 01 Mar 2026 12:00:07 GMT": 7 * time.Second,
		"Sun, 01 Mar 2026 11:00:00 GMT": 0,
	} {
		if got := parseRetryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
	origin := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
		if _, _, err := request(in); err == nil {
			respond(c, "429 Slow Down", "retry-AFTER: 7\r\n", "{}")
		}
	})
	resp, err := client(t, Config{Origin: origin}).Post("/").Do(within(t, 10*time.Second), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Release()
	var e *Error
	if !errors.As(resp.Err(), &e) || e.RetryAfter != 7*time.Second {
		t.Errorf("error %+v", e)
	}
	if class, reason, again, after := e.AskFailure(); class != RateLimited || reason != "http 429" || !again || after != 7*time.Second {
		t.Errorf("told the fan: %s %q %v %v", class, reason, again, after)
	}
}

// FuzzResponse feeds the transport whatever a companion may send.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\nRetry-After: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
		"HTTP/1.0 200\n\n", "garbage", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		c, err := New(Config{Origin: "http://companion", MaxBody: 1 << 10, Dial: func(context.Context, string, string) (net.Conn, error) {
			return &recorded{sent: sent}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		resp, err := c.Post("/").Do(t.Context(), "", []byte("{}"))
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Class == "" || e.Reason == "" {
				t.Fatalf("unexplained error %v", err)
			}
			return
		}
		if len(resp.Body) > 1<<10 {
			t.Fatalf("a body of %d bytes", len(resp.Body))
		}
		_ = resp.JSON()
		resp.Release()
	})
}

// recorded is a connection to a companion whose words are known.
type recorded struct {
	net.Conn
	sent []byte
}

func (c *recorded) Read(p []byte) (int, error) {
	if len(c.sent) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.sent)
	c.sent = c.sent[n:]
	return n, nil
}

func (c *recorded) Write(p []byte) (int, error)     { return len(p), nil }
func (c *recorded) Close() error                    { return nil }
func (c *recorded) SetDeadline(time.Time) error     { return nil }
func (c *recorded) SetReadDeadline(time.Time) error { return nil }
