package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

// DefaultHeartbeat is how long a stream is silent at most. A client that has left
// is noticed by the second write after it did, so within twice that.
const DefaultHeartbeat = 5 * time.Second

// streamWrite bounds one write to a client that does not read.
const streamWrite = 30 * time.Second

// maxEvents is more than a deliberation of the largest panel has to tell before
// its end, so that telling never waits for the client.
const maxEvents = 4*wire.MaxCompanions + 16

const contentEvents = "text/event-stream"

// errLeft is why the work of a stream ends whose client has left.
var errLeft = errors.New("the client left")

// How a stream ends, as metrics name it.
const (
	endTold = iota
	endFailed
	endLeft
)

var endNames = [...]string{"told", "failed", "left"}

// A stream is a response that is told piece by piece while it is worked on. The
// work is done in a goroutine of its own, which may outlive the client; what the
// client sees is read by the server, an event at a time, each of which it writes
// and flushes by itself.
type stream struct {
	conn      net.Conn
	heartbeat time.Duration
	native    bool // our own events; else comments until the answer is there

	begun  chan struct{} // closed with the first event
	events chan []byte   // closed at the end of the work
	last   [][]byte      // what comes after the events; fixed when they are closed
	failed error         // why there is no answer; likewise

	leave  context.CancelCauseFunc // ends the work
	ended  func(how int)           // called once
	ending sync.Once

	// What follows is the reader's alone.
	now   []byte // what is being read
	whole bool   // all has been read
}

// push tells the client an event. The pipeline never waits for it.
func (s *stream) push(event []byte) {
	select {
	case s.events <- event:
	default: // cannot be, and would lose no more than news
	}
	s.first()
}

func (s *stream) first() {
	select {
	case <-s.begun:
	default:
		close(s.begun)
	}
}

// Read gives one event, a comment where there is none for a while, and io.EOF
// after the last.
func (s *stream) Read(p []byte) (int, error) {
	for len(s.now) == 0 {
		select {
		case event, more := <-s.events:
			if more {
				s.now = event
				continue
			}
		default:
			beat := time.NewTimer(s.heartbeat)
			select {
			case event, more := <-s.events:
				beat.Stop()
				if more {
					s.now = event
					continue
				}
			case <-beat.C:
				s.now = []byte(wire.Ping)
				continue
			}
		}
		if len(s.last) == 0 {
			s.whole = true
			return 0, io.EOF
		}
		s.now, s.last = s.last[0], s.last[1:]
	}
	n := copy(p, s.now)
	s.now = s.now[n:]
	s.conn.SetWriteDeadline(time.Now().Add(streamWrite)) // if this fails, so does the write
	return n, nil
}

// Close is called by the server when all has been written, or nothing more can be.
func (s *stream) Close() error {
	s.ending.Do(func() {
		switch {
		case !s.whole:
			s.leave(errLeft)
			s.ended(endLeft)
		case s.failed != nil:
			s.ended(endFailed)
		default:
			s.ended(endTold)
		}
		s.leave(nil)
		s.conn.SetWriteDeadline(time.Time{}) // the connection may serve another request
	})
	return nil
}

// wantsEvents reports whether a client of our own form asks to be told as it goes.
func wantsEvents(ctx *fasthttp.RequestCtx) bool {
	return bytes.Contains(bytes.ToLower(ctx.Request.Header.Peek(fasthttp.HeaderAccept)), []byte(contentEvents))
}

// A streaming is what the routes differ in.
type streaming struct {
	native bool
	// told gives the last events of an outcome, and those of an error.
	told func(out *outcome, cached bool, err error) ([][]byte, error)
	id   string // the header for the deliberation's name besides our own, or ""
}

// stream works on a, and tells the client as it goes on: a slot of the admission is
// held, and given back at the end. What fails before there is anything to tell is
// an ordinary error.
func (g *Gateway) stream(ctx *fasthttp.RequestCtx, a *asking, req *wire.Request, how streaming) error {
	work, leave := context.WithCancelCause(g.telemetry.context(ctx))
	s := &stream{conn: ctx.Conn(), heartbeat: g.heartbeat, native: how.native, begun: make(chan struct{}), events: make(chan []byte, maxEvents), leave: leave}
	shared := req.CacheMaxAgeSeconds > 0
	if shared {
		// Others may be given what is made here: it goes on without this client.
		work = context.WithoutCancel(work)
	}
	a.watch = &watch{stream: s}
	finished := make(chan struct{})
	g.background.Go(func() {
		defer g.admission.leave()
		defer close(finished)
		defer close(s.events)
		defer func() {
			if thrown := recover(); thrown != nil {
				g.telemetry.panicked(g.log, thrown)
				s.last, s.failed = how.told(nil, false, refuse(wire.InternalError, "something went wrong on our side; nothing was decided"))
			}
		}()
		out, cached, err := g.answer(work, a, req)
		s.last, s.failed = how.told(out, cached, err)
	})
	soon := time.NewTimer(s.heartbeat)
	defer soon.Stop()
	select {
	case <-s.begun:
	case <-soon.C:
	case <-finished:
		select {
		case <-s.begun: // all at once: it is told as it would have been more slowly
		default:
			if s.failed != nil {
				leave(nil)
				return s.failed
			}
		}
	}
	h := &ctx.Response.Header
	h.SetContentType(contentEvents)
	h.Set(fasthttp.HeaderCacheControl, "no-cache")
	h.Set("X-Accel-Buffering", "no") // proxies are asked not to hold it back
	if !shared {
		h.Set(headerDeliberation, a.d.ID)
		if how.id != "" {
			h.Set(how.id, a.d.ID)
		}
	}
	s.ended = func(int) {}
	ctx.SetUserValue(streamKey, streamValue{s})
	ctx.Response.SetBodyStream(s, -1)
	return nil
}

// A streamValue hides from the server that a stream can be closed: it closes what
// its user values are.
type streamValue struct{ s *stream }

// A watch passes on how a deliberation goes. A nil one passes on nothing.
type watch struct {
	stream *stream
	heard  int
}

// asked tells that the panel of s has been asked.
func (w *watch) asked(s *sitting, deadline time.Duration) {
	if w == nil {
		return
	}
	e := wire.Asked{ID: s.d.ID, Tier: s.d.Tier.String(), Kind: s.d.Kind.String(), Companions: make([]string, len(s.panel.members)), DeadlineMs: deadline.Milliseconds()}
	for i, m := range s.panel.members {
		e.Companions[i] = string(m.ID)
	}
	w.tell(&e)
}

// ballot tells of the seat that has come in and, where equal answers are equal
// keys, how much of the weight the leading one has so far.
func (w *watch) ballot(s *sitting, seat int) {
	if w == nil {
		return
	}
	w.heard++
	b, r := &s.panel.ballots[seat], s.round.Reply(seat)
	e := wire.Heard{Companion: string(b.Companion), Outcome: b.Outcome.String(), Reason: b.Reason, Score: wire.None,
		LatencyMs: r.Latency.Milliseconds(), Heard: w.heard, Seated: len(s.panel.ballots)}
	if b.Scored {
		e.Score = wire.Hundredths(b.Score)
	}
	w.tell(&e)
	if s.q.Kind.Closed() {
		v := s.policy.Decide(&s.q, s.panel.ballots)
		w.tell(&wire.Progress{Agreement: wire.PPM(v.Agreement)})
	}
}

// step tells that a further step has begun.
func (w *watch) step(name string) {
	if w != nil {
		w.tell(&wire.Progress{Step: name, Agreement: wire.None})
	}
}

// An event can be told in our own form, and as a comment in any other.
type event interface {
	AppendEvent(dst []byte) []byte
	AppendComment(dst []byte) []byte
}

func (w *watch) tell(e event) {
	if w.stream.native {
		w.stream.push(e.AppendEvent(nil))
	} else {
		w.stream.push(e.AppendComment(nil))
	}
}
