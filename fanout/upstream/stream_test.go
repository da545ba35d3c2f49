package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"

// inChunks frames each text as a chunk of its own, without the last.
func inChunks(texts ...string) string {
	var b strings.Builder
	b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	for _, text := range texts {
		b.WriteString(chunk(text))
	}
	return b.String()
}

func chunk(text string) string {
	const digits = "0123456789abcdef"
	n := len(text)
	return string([]byte{digits[n>>12&15], digits[n>>8&15], digits[n>>4&15], digits[n&15]}) + "\r\n" + text + "\r\n"
}

func TestWhatACompanionCanStream(t *testing.T) {
	const done = "data: [DONE]\n\n"
	for _, tt := range []struct {
		name   string
		sends  string // and closes
		events int
		class  string // "" for a good reply
		reason string
	}{
		{"a stream", streamHead + inChunks("data: a\n\n", "data: b\n\n", done) + "0\r\n\r\n", 3, "", ""},
		{"events across chunks", streamHead + inChunks("data: a\n\nda", "ta: b\n", "\n"+done) + "0\r\n\r\n", 3, "", ""},
		{"a stream of known length", streamHead + "Content-Length: 23\r\n\r\ndata: a\n\n" + done, 2, "", ""},
		{"a stream that ends with the connection", streamHead + "\r\ndata: a\n\n" + done, 2, "", ""},
		{"a last event without its empty line", streamHead + inChunks("data: a\n\ndata: [DONE]\n") + "0\r\n\r\n", 2, "", ""},
		{"done, and nothing after it", streamHead + inChunks("data: a\n\n"+done), 2, "", ""},
		{"a whole stream without its end", streamHead + inChunks("data: a\n\n") + "0\r\n\r\n", 1, Truncated, "no end"},
		{"a stream of nothing", streamHead + inChunks() + "0\r\n\r\n", 0, Truncated, "no end"},
		{"a stream that ends with the connection, without its end", streamHead + "\r\ndata: a\n\n", 1, Truncated, "no end"},
		{"one that breaks off between events", streamHead + inChunks("data: a\n\n"), 1, Truncated, "reply cut short"},
		{"one that breaks off in an event", streamHead + inChunks("data: a\n\n", "data: b"), 1, Truncated, "reply cut short"},
		{"one that breaks off in a chunk", streamHead + inChunks("data: a\n\n") + "ff\r\ndata: [DO", 1, Truncated, "reply cut short"},
		{"one shorter than its length", streamHead + "Content-Length: 100\r\n\r\ndata: a\n\n", 1, Truncated, "reply cut short"},
		{"bad chunks", streamHead + inChunks("data: a\n\n") + "zz\r\n", 1, Malformed, "reply is not valid http"},
		{"an event over the limit", streamHead + inChunks("data: "+strings.Repeat("x", 5000)+"\n\n"), 0, TooLarge, "reply over the size limit"},
		{"events without end", streamHead + inChunks() + strings.Repeat(chunk(strings.Repeat(": keep alive\n\n", 64)), 600), 0, TooLarge, "reply over the size limit"},
		{"compressed", streamHead + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 0, ContentType, "reply is compressed"},
		{"another type", "HTTP/1.1 200 OK\r\nContent-Type: text/event-streams\r\nContent-Length: 2\r\n\r\n{}", 0, ContentType, "reply is not json"},
		{"overloaded", "HTTP/1.1 529 Site Is Overloaded\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\nstack ...", 0, Status, "http 529"},
		{"a bad request", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", 0, BadRequest, "http 400"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			origin := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
				if _, _, err := request(in); err == nil {
					io.WriteString(c, tt.sends)
					c.(*net.TCPConn).CloseWrite()
					io.Copy(io.Discard, in)
				}
			})
			c := client(t, Config{Origin: origin, MaxBody: 4096})
			var sink taken
			resp, err := c.PostWith("/", Headers{Streamed: true}).Stream(within(t, 20*time.Second), "", []byte("{}"), &sink)
			if resp != nil {
				defer resp.Release()
				err = resp.JSON()
			}
			if len(sink.events) != tt.events {
				t.Errorf("events %q, want %d", sink.events, tt.events)
			}
			if tt.class == "" {
				if err != nil || resp != nil {
					t.Errorf("%v, %v", resp, err)
				}
				return
			}
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Class != tt.class || e.Reason != tt.reason {
				t.Fatalf("error %v, want class %s, %q", err, tt.class, tt.reason)
			}
			if e.Retryable != (e.Status == 529) {
				t.Errorf("retryable %v", e.Retryable)
			}
		})
	}
}

func TestStreamKeepsTheConnection(t *testing.T) {
	replied, ended := make(chan struct{}), make(chan struct{})
	conns := make(chan int, 100)
	heads := make(chan []string, 100)
	origin := serve(t, func(n int, c net.Conn, in *bufio.Reader) {
		for i := 0; ; i++ {
			head, _, err := request(in)
			if err != nil {
				return
			}
			conns <- n
			heads <- head
			io.WriteString(c, streamHead+inChunks("data: a\n\n", "data: [DONE]\n\n"))
			<-replied // the caller has its reply before the body has ended
			switch {
			case i == 2: // never ends
				io.WriteString(c, strings.Repeat(chunk("data: more\n\n"), 4096))
			default:
				io.WriteString(c, "0\r\n\r\n")
			}
			ended <- struct{}{}
		}
	})
	c := client(t, Config{Origin: origin})
	route := c.PostWith("/v1/x?version=1", Headers{Key: "x-api-key", Others: []string{"x-version: 2"}, Streamed: true})
	for i, want := range []int{0, 0, 0, 1} {
		var sink taken
		if resp, err := route.Stream(within(t, 10*time.Second), "secret", nil, &sink); resp != nil || err != nil || len(sink.events) != 2 {
			t.Fatalf("call %d: %v, %v, %q", i, resp, err, sink.events)
		}
		if got := <-conns; got != want {
			t.Errorf("call %d went over connection %d, want %d", i, got, want)
		}
		head := strings.Join(<-heads, "\n")
		for _, line := range []string{"POST /v1/x?version=1 HTTP/1.1", "Accept: text/event-stream, application/json", "x-api-key: secret", "x-version: 2"} {
			if !strings.Contains(head, line) {
				t.Errorf("the head has no %q: %s", line, head)
			}
		}
		if strings.Contains(head, "Authorization") {
			t.Errorf("the key is sent twice: %s", head)
		}
		replied <- struct{}{}
		<-ended
	}
}

// Over TLS the end of the body may be a record of its own, and what is left of it
// is read by the next call, under a deadline.
func TestStreamsOverTLS(t *testing.T) {
	var conns atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, e := range []string{"data: a\n\n", "data: [DONE]\n\n"} {
			io.WriteString(w, e)
			w.(http.Flusher).Flush()
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	c := client(t, Config{Origin: server.URL, TLS: &tls.Config{RootCAs: roots}})
	route := c.PostWith("/", Headers{Streamed: true})
	const calls = 50
	for i := range calls {
		var sink taken
		if resp, err := route.Stream(within(t, time.Minute), "", nil, &sink); resp != nil || err != nil || len(sink.events) != 2 {
			t.Fatalf("call %d: %v, %v, %q", i, resp, err, sink.events)
		}
	}
	// A server that is slow to end its body, as on a machine that is busy, costs a
	// connection and no call.
	if n := conns.Load(); n == calls {
		t.Errorf("%d connections for as many calls, one after the other", n)
	}
}

// refusing fails at its first event.
type refusing struct{ taken }

var errNo = &Error{Class: Refused, Reason: "no"}

func (refusing) Event(_, _ []byte) (bool, error) { return false, errNo }

// However a stream is given up, the companion sees its connection closed while it
// still has more to say.
func TestAStreamThatNobodyNeedsIsClosed(t *testing.T) {
	gone := make(chan error)
	begun := make(chan struct{}, 1)
	origin := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
		if _, _, err := request(in); err != nil {
			return
		}
		io.WriteString(c, streamHead+inChunks("data: a\n\n"))
		begun <- struct{}{}
		// A token a millisecond, until it cannot be written: as a model goes on
		// until its server notices.
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := io.WriteString(c, chunk("data: b\n\n")); err != nil {
				gone <- err
				return
			}
			<-tick.C
		}
	})
	route := client(t, Config{Origin: origin}).PostWith("/", Headers{Streamed: true})
	cancelled, cancel := context.WithCancel(t.Context())
	guarded := &plainGuard{Context: t.Context()}
	timed, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		sink Sink
		end  func()
		want error
	}{
		{"cancelled", cancelled, new(taken), cancel, context.Canceled},
		{"ended by its guard", guarded, new(taken), guarded.end, context.Canceled},
		{"out of time", timed, new(taken), func() {}, context.DeadlineExceeded},
		{"refused by the sink", t.Context(), new(refusing), func() {}, errNo},
	} {
		go func() {
			<-begun
			tt.end()
		}()
		resp, err := route.Stream(tt.ctx, "", nil, tt.sink)
		returned := time.Now()
		if resp != nil || err != tt.want {
			t.Errorf("%s: %v, %v, want %v", tt.name, resp, err, tt.want)
		}
		<-gone // or the test's own time runs out
		if took := time.Since(returned); took > 10*time.Second {
			t.Errorf("%s: the companion wrote for %v more", tt.name, took)
		}
	}
}

func TestRetryAfterMilliseconds(t *testing.T) {
	origin := serve(t, func(_ int, c net.Conn, in *bufio.Reader) {
		if _, _, err := request(in); err == nil {
			respond(c, "429 Slow Down", "retry-after: 2\r\nretry-after-ms: 1250\r\n", "{}")
		}
	})
	resp, err := client(t, Config{Origin: origin}).Post("/").Do(within(t, 10*time.Second), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Release()
	if e, ok := errors.AsType[*Error](resp.Err()); !ok || e.RetryAfter != 1250*time.Millisecond || resp.Header("RETRY-AFTER") != "2" {
		t.Errorf("%+v", e)
	}
}

func FuzzStream(f *testing.F) {
	for _, seed := range []string{
		streamHead + inChunks("data: a\n\n", "data: [DONE]\n\n") + "0\r\n\r\n",
		streamHead + "\r\ndata: [DONE]", streamHead + "Content-Length: 9\r\n\r\ndata: a\n\n", "garbage",
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
		route := c.PostWith("/", Headers{Streamed: true})
		for range 2 { // the second finds the first's connection, if that was kept
			var sink taken
			resp, err := route.Stream(t.Context(), "", []byte("{}"), &sink)
			switch {
			case err != nil:
				if e, ok := errors.AsType[*Error](err); !ok || e.Class == "" || e.Reason == "" {
					t.Fatalf("unexplained error %v", err)
				}
			case resp != nil:
				resp.Release()
			case len(sink.events) == 0 || !strings.HasSuffix(sink.events[len(sink.events)-1], "|[DONE]"):
				t.Fatalf("a reply without its end: %q", sink.events)
			}
		}
	})
}

func BenchmarkStream(b *testing.B) {
	reply := streamHead + inChunks(strings.Repeat("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"}}]}\n\n", 200), "data: [DONE]\n\n") + "0\r\n\r\n"
	sent := &endless{text: []byte(reply)}
	c, err := New(Config{Origin: "http://companion", Dial: func(context.Context, string, string) (net.Conn, error) { return sent, nil }})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	route := c.PostWith("/", Headers{Streamed: true})
	sink := new(counted)
	b.ReportAllocs()
	b.SetBytes(int64(len(reply)))
	for b.Loop() {
		if _, err := route.Stream(b.Context(), "", nil, sink); err != nil {
			b.Fatal(err)
		}
	}
}

type counted struct{ n int }

func (c *counted) Event(_, data []byte) (bool, error) {
	c.n++
	return string(data) == "[DONE]", nil
}
func (c *counted) End() error { return errUnfinished }

// endless sends the same text over and over, each time whole.
type endless struct {
	recorded
	text []byte
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.at:])
	if e.at += n; e.at == len(e.text) {
		e.at = 0
	}
	return n, nil
}
func (e *endless) SetReadDeadline(time.Time) error { return nil }
