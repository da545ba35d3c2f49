package fanout_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/fanout/kaizen"
	"github.com/kaizen-os/deliberation/fanout/openai"
	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

// What the adapters' errors tell the fan, it must understand; they do not import
// each other, so this is where that is held.
var (
	_ fanout.Failure = (*upstream.Error)(nil)
	_ fanout.Asker   = (*kaizen.Adapter)(nil)
	_ fanout.Asker   = (*openai.Adapter)(nil)
)

// companion is a server on loopback whose nth connection's every request is
// answered by script; script closes by returning false.
func companion(t testing.TB, script func(n int, c net.Conn) bool) string {
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
				in := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					io.Copy(io.Discard, r.Body)
					if !script(n, c) {
						return
					}
				}
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

// replies is a script that always sends the same.
func replies(status, contentType, body string) func(int, net.Conn) bool {
	return func(_ int, c net.Conn) bool {
		_, err := io.WriteString(c, "HTTP/1.1 "+status+"\r\nContent-Type: "+contentType+"\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body)
		return err == nil
	}
}

// sends is a script that sends bytes as they are and closes.
func sends(bytes string) func(int, net.Conn) bool {
	return func(_ int, c net.Conn) bool {
		io.WriteString(c, bytes)
		return false
	}
}

func native(t testing.TB, origin string) *kaizen.Adapter {
	t.Helper()
	a, err := kaizen.New(kaizen.Config{Upstream: upstream.Config{Origin: origin, MaxBody: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func compatible(t testing.TB, origin string) *openai.Adapter {
	t.Helper()
	a, err := openai.New(openai.Config{Upstream: upstream.Config{Origin: origin}, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

const json = "application/json"

func TestEveryWayACompanionCanAnswerIsToldApart(t *testing.T) {
	endless := func(_ int, c net.Conn) bool {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"response\":\"")
		for {
			if _, err := io.WriteString(c, strings.Repeat("on and on ", 1000)); err != nil {
				return false
			}
		}
	}
	gone := make(chan struct{})
	hang := func(_ int, c net.Conn) bool {
		c.Read(make([]byte, 1)) // until the other side closes
		close(gone)
		return false
	}
	long := strings.Repeat("long ", 200_000)
	for _, tt := range []struct {
		name    string
		asker   fanout.Asker
		outcome quorum.Outcome
		reason  string
		text    string
	}{
		{"an answer", native(t, companion(t, replies("200 OK", json, `{"response":"yes"}`))), quorum.OK, "", "yes"},
		{"an answer of a megabyte", native(t, companion(t, replies("200 OK", json, `{"response":"`+long+`"}`))), quorum.OK, "", long},
		{"a completion", compatible(t, companion(t, replies("200 OK", json, `{"choices":[{"message":{"content":"yes"}}]}`))), quorum.OK, "", "yes"},
		{"401", native(t, companion(t, replies("401 Unauthorized", json, `{}`))), quorum.Refused, "http 401", ""},
		{"403", native(t, companion(t, replies("403 Forbidden", json, `{}`))), quorum.Refused, "http 403", ""},
		{"a refusal", compatible(t, companion(t, replies("200 OK", json, `{"choices":[{"message":{"refusal":"no"}}]}`))), quorum.Refused, "the model declined", ""},
		{"a content filter", compatible(t, companion(t, replies("200 OK", json, `{"choices":[{"message":{"content":"y"},"finish_reason":"content_filter"}]}`))), quorum.Refused, "stopped by the provider's content filter", ""},
		{"500", native(t, companion(t, replies("500 Oops", "text/plain", `secret`))), quorum.Failed, "http 500", ""},
		{"502", native(t, companion(t, replies("502 Bad Gateway", "text/html", `secret`))), quorum.Failed, "http 502", ""},
		{"429 again and again", native(t, companion(t, replies("429 Slow Down", json, `{}`))), quorum.Failed, "http 429", ""},
		{"a redirect", native(t, companion(t, replies("307 Elsewhere\r\nLocation: http://127.0.0.1:1/", json, ``))), quorum.Failed, "http 307", ""},
		{"garbage", native(t, companion(t, sends("\x15\x03secret\r\n\r\n"))), quorum.Failed, "reply is not valid http", ""},
		{"garbage in json's place", native(t, companion(t, replies("200 OK", json, `secret`))), quorum.Failed, "reply is not the agreed json", ""},
		{"a wrong content type", native(t, companion(t, replies("200 OK", "text/html", `<p>secret</p>`))), quorum.Failed, "reply is not json", ""},
		{"no response in it", native(t, companion(t, replies("200 OK", json, `{"answer":"secret"}`))), quorum.Failed, `reply has no "response"`, ""},
		{"half a body", native(t, companion(t, sends("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"response\":\"secret"))), quorum.Failed, "reply cut short", ""},
		{"an endless body", native(t, companion(t, endless)), quorum.Failed, "reply over the size limit", ""},
		{"nothing, twice", native(t, companion(t, sends(""))), quorum.Failed, "connection closed before a reply", ""},
		{"nobody there", native(t, "http://127.0.0.1:1"), quorum.Failed, "no connection", ""},
		{"a hang", native(t, companion(t, hang)), quorum.Late, "no answer before the deadline", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			deadline := 20 * time.Second
			if tt.outcome == quorum.Late {
				deadline = 500 * time.Millisecond
			}
			fan := newFan(t)
			line := newLine(t, fanout.LineConfig{Asker: tt.asker, Deadline: deadline})
			round := fan.Ask(within(t, time.Minute), question, []*fanout.Line{line}, nil)
			all(round)
			r := round.Reply(0)
			if r.Outcome != tt.outcome || r.Reason != tt.reason || r.Text != tt.text {
				t.Errorf("%v, %q, text of %d; want %v, %q", r.Outcome, r.Reason, len(r.Text), tt.outcome, tt.reason)
			}
			fan.Drain(t.Context())
		})
	}
	<-gone // the one that hung saw its connection closed
}

func TestOneFailureIsNotTheRounds(t *testing.T) {
	fan := newFan(t)
	panel := []*fanout.Line{
		newLine(t, fanout.LineConfig{Companion: "AUREA", Asker: native(t, companion(t, replies("500 Oops", json, "")))}),
		newLine(t, fanout.LineConfig{Companion: "ATLAS", Asker: native(t, companion(t, replies("200 OK", json, `{"response":"yes"}`)))}),
		newLine(t, fanout.LineConfig{Companion: "ZENITH", Asker: native(t, companion(t, sends("half")))}),
	}
	round := fan.Ask(within(t, time.Minute), question, panel, nil)
	all(round)
	for seat, want := range []quorum.Outcome{quorum.Failed, quorum.OK, quorum.Failed} {
		if r := round.Reply(seat); r.Outcome != want || r.Companion != panel[seat].Companion() {
			t.Errorf("seat %d: %+v, want %v", seat, r, want)
		}
	}
}

func TestCancelClosesTheConnection(t *testing.T) {
	asked, gone := make(chan struct{}), make(chan error)
	origin := companion(t, func(_ int, c net.Conn) bool {
		asked <- struct{}{}
		_, err := c.Read(make([]byte, 1))
		gone <- err
		return false
	})
	fan := newFan(t)
	for _, linger := range []bool{false, true} {
		line := newLine(t, fanout.LineConfig{Asker: native(t, origin)})
		round := fan.Ask(within(t, time.Minute), question, []*fanout.Line{line}, nil)
		<-asked
		if linger {
			round.Linger(10*time.Millisecond, func([]int) {})
		} else {
			round.Cancel()
		}
		if err := <-gone; err == nil {
			t.Error("the companion still has its connection")
		}
		fan.Drain(t.Context())
	}
}

func TestALateReplyOverTheNetwork(t *testing.T) {
	release := make(chan struct{})
	origin := companion(t, func(_ int, c net.Conn) bool {
		<-release
		return replies("200 OK", json, `{"response":"yes"}`)(0, c)
	})
	fan := newFan(t)
	line := newLine(t, fanout.LineConfig{Asker: native(t, origin)})
	ctx := within(t, 300*time.Millisecond)
	round := fan.Ask(ctx, question, []*fanout.Line{line}, nil)
	<-ctx.Done()
	late := make(chan *quorum.Reply, 1)
	round.Linger(time.Minute, func([]int) { late <- round.Final(0) })
	close(release)
	if r := <-late; r.Outcome != quorum.Late || r.Text != "yes" {
		t.Errorf("%+v, want a late yes", r)
	}
	if r := round.Reply(0); r.Outcome != quorum.Late || r.Text != "" {
		t.Errorf("at the cut: %+v", r)
	}
}

func TestAStaleConnectionIsTriedAgainAtOnce(t *testing.T) {
	closed := make(chan struct{}, 1)
	origin := companion(t, func(n int, c net.Conn) bool {
		replies("200 OK", json, fmt.Sprintf(`{"response":"%d"}`, n))(n, c)
		if n == 0 {
			c.Close()
			closed <- struct{}{}
		}
		return n > 0
	})
	fan := newFan(t)
	line := newLine(t, fanout.LineConfig{Asker: native(t, origin)})
	if r := one(within(t, time.Minute), fan, line); r.Text != "0" || r.Attempts != 1 {
		t.Fatalf("%+v", r)
	}
	<-closed
	if r := one(within(t, time.Minute), fan, line); r.Text != "1" || r.Attempts != 2 {
		t.Errorf("%+v, want the answer of a second connection at the second attempt", r)
	}
}

func TestRetryAfterOverTheNetwork(t *testing.T) {
	calls := 0
	origin := companion(t, func(_ int, c net.Conn) bool {
		calls++
		if calls == 1 {
			return replies("503 Busy\r\nRetry-After: 1", json, "{}")(0, c)
		}
		return replies("200 OK", json, `{"response":"yes"}`)(0, c)
	})
	line := newLine(t, fanout.LineConfig{Asker: native(t, origin)})
	r := one(within(t, time.Minute), newFan(t), line)
	if r.Outcome != quorum.OK || r.Attempts != 2 || r.Latency < time.Second {
		t.Errorf("%+v, want ok at the second attempt after 1s", r)
	}
}

// TestDeadlineReachesTheCompanion: it is told when the answer is due, which is
// the request's deadline, not how long we listen.
func TestDeadlineReachesTheCompanion(t *testing.T) {
	var due time.Time
	var given time.Time
	line := newLine(t, fanout.LineConfig{Deadline: time.Hour, Asker: asker(func(ctx context.Context, _ *quorum.Deliberation, r *quorum.Reply) error {
		due = ctx.(interface{ Due() time.Time }).Due()
		given, _ = ctx.Deadline()
		return nil
	})})
	ctx := within(t, time.Minute)
	round := newFan(t).Ask(ctx, question, []*fanout.Line{line}, nil)
	all(round)
	if want, _ := ctx.Deadline(); !due.Equal(want) || given.Sub(due) < 50*time.Minute {
		t.Errorf("due %v, given up %v; the request's deadline is %v", due, given, want)
	}
}
