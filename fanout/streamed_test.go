package fanout_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/fanout/anthropic"
	"github.com/kaizen-os/deliberation/fanout/gemini"
	"github.com/kaizen-os/deliberation/fanout/openai"
	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

var (
	_ fanout.Asker = (*anthropic.Adapter)(nil)
	_ fanout.Asker = (*gemini.Adapter)(nil)
)

// streaming is the three adapters that can stream, with the pieces of a reply
// that says "yes" in their dialects.
var streaming = []struct {
	name   string
	new    func(origin string) (closer, error)
	begins string   // the first piece
	ends   []string // the others
}{
	{"openai", func(origin string) (closer, error) {
		return openai.New(openai.Config{Upstream: upstream.Config{Origin: origin}, Model: "m", Stream: true})
	}, `data: {"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"ye"}}]}`,
		[]string{`data: {"choices":[{"index":0,"delta":{"content":"s"},"finish_reason":"stop"}]}`, `data: [DONE]`}},
	{"anthropic", func(origin string) (closer, error) {
		return anthropic.New(anthropic.Config{Upstream: upstream.Config{Origin: origin}, Model: "m", Stream: true})
	}, `data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"ye"}}`,
		[]string{`data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"s"}}`, `data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}`, `data: {"type":"message_stop"}`}},
	{"gemini", func(origin string) (closer, error) {
		return gemini.New(gemini.Config{Upstream: upstream.Config{Origin: origin}, Model: "m", Stream: true})
	}, `data: {"candidates":[{"content":{"parts":[{"text":"ye"}]}}]}`,
		[]string{`data: {"candidates":[{"content":{"parts":[{"text":"s"}]},"finishReason":"STOP"}]}`}},
}

type closer interface {
	fanout.Asker
	Close()
}

const eventStream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

func inChunk(text string) string {
	const digits = "0123456789abcdef"
	n := len(text)
	return string([]byte{digits[n>>8&15], digits[n>>4&15], digits[n&15]}) + "\r\n" + text + "\r\n"
}

// When the verdict is fixed without a companion that is in the middle of its
// reply, its model is stopped: the server sees the connection close while it
// still writes, and not when it would have ended.
func TestAStreamIsStoppedWhenItIsNotNeeded(t *testing.T) {
	for _, tt := range streaming {
		t.Run(tt.name, func(t *testing.T) {
			writing, gone := make(chan struct{}), make(chan error)
			origin := companion(t, func(_ int, c net.Conn) bool {
				io.WriteString(c, eventStream+inChunk(tt.begins+"\n\n"))
				writing <- struct{}{}
				tick := time.NewTicker(time.Millisecond)
				defer tick.Stop()
				for {
					if _, err := io.WriteString(c, inChunk(": thinking\n\n")); err != nil {
						gone <- err
						return false
					}
					<-tick.C
				}
			})
			a, err := tt.new(origin)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(a.Close)
			fan := newFan(t)
			for _, how := range []string{"cancelled", "out of time to linger", "past its own deadline"} {
				deadline := time.Hour
				if how == "past its own deadline" {
					deadline = 200 * time.Millisecond
				}
				round := fan.Ask(within(t, time.Minute), question, []*fanout.Line{newLine(t, fanout.LineConfig{Asker: a, Deadline: deadline})}, nil)
				<-writing
				switch how {
				case "cancelled":
					round.Cancel()
				case "out of time to linger":
					round.Linger(10*time.Millisecond, func([]int) {})
				default:
					all(round)
				}
				<-gone
				want := quorum.Unneeded
				if deadline < time.Hour {
					want = quorum.Late
				}
				if r := round.Reply(0); r.Outcome != want || r.Text != "" {
					t.Errorf("%s: %+v, want %v", how, r, want)
				}
				fan.Drain(t.Context())
			}
		})
	}
}

// A stream that ends too early is a failure that is not tried again: the model
// has been paid for what it wrote.
func TestABrokenStreamIsAFailure(t *testing.T) {
	for _, tt := range streaming {
		calls := 0
		var sends string
		origin := companion(t, func(_ int, c net.Conn) bool {
			calls++
			io.WriteString(c, sends)
			return false
		})
		var whole string
		for _, piece := range append([]string{tt.begins}, tt.ends...) {
			whole += inChunk(piece + "\n\n")
		}
		for _, end := range []struct {
			name, sends string
			outcome     quorum.Outcome
			reason      string
		}{
			{"whole", eventStream + whole + "0\r\n\r\n", quorum.OK, ""},
			{"broken off", eventStream + inChunk(tt.begins+"\n\n"), quorum.Failed, "reply cut short"},
			{"without its end", eventStream + inChunk(tt.begins+"\n\n") + "0\r\n\r\n", quorum.Failed, "reply lacks its end"},
			{"garbage half-way", eventStream + inChunk(tt.begins+"\n\n") + inChunk("data: <secret>\n\n"), quorum.Failed, "reply is not the agreed json"},
		} {
			a, err := tt.new(origin) // another each time: none meets a connection that another left
			if err != nil {
				t.Fatal(err)
			}
			sends, calls = end.sends, 0
			r := one(within(t, time.Minute), newFan(t), newLine(t, fanout.LineConfig{Asker: a}))
			if r.Outcome != end.outcome || r.Reason != end.reason || r.Attempts != 1 || calls != 1 || (r.Text == "yes") != (end.outcome == quorum.OK) {
				t.Errorf("%s, %s: %+v after %d calls, want %v %q", tt.name, end.name, r, calls, end.outcome, end.reason)
			}
			a.Close()
		}
	}
}
