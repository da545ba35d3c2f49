package gateway

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring"
)

// A judging is what external judges are asked about the replies of one round, each
// in its companion's goroutine as it arrives, so that one is judged while others are
// still thinking. A nil judging asks nobody.
//
// It ends a little before the deliberation does, by its deadline or by a cut: what
// is not judged by then is unjudged.
type judging struct {
	g    *Gateway
	jury *jury
	d    *quorum.Deliberation

	mu    sync.Mutex      // guards what follows
	until time.Time       // after which nobody is asked; zero: each judge has its own time
	begun map[int]bool    // seats whose replies are in and have met a judge
	ended context.Context // done when nobody waits for judges any more
	end   context.CancelFunc
}

// judgeReserve is how long before a deliberation's deadline its judges are given up:
// time for the reply to arrive and be counted without them. Of a short deadline it
// is a tenth.
const judgeReserve = 200 * time.Millisecond

// newJudging begins a round's judging; nil where there are no judges. It ends with
// what ctx's deadline leaves, if bounded.
func (g *Gateway) newJudging(ctx context.Context, j *jury, d *quorum.Deliberation, bounded bool) *judging {
	if j == nil {
		return nil
	}
	r := &judging{g: g, jury: j, d: d, begun: make(map[int]bool)}
	if deadline, ok := ctx.Deadline(); ok && bounded {
		r.until = deadline.Add(-min(judgeReserve, time.Until(deadline)/10))
	}
	r.ended, r.end = context.WithCancel(context.Background())
	return r
}

// stop gives up whatever is being judged, now and from now on.
func (r *judging) stop() {
	if r != nil {
		r.mu.Lock()
		r.end()
		r.mu.Unlock()
	}
}

// linger lets what comes after the deliberation's answer be judged in its own time.
func (r *judging) linger() {
	if r == nil {
		return
	}
	r.mu.Lock()
	r.until = time.Time{}
	if r.ended.Err() != nil {
		r.ended, r.end = context.WithCancel(context.Background())
	}
	r.mu.Unlock()
}

// reply has the judges that are to be asked about a seat's reply asked, all at once,
// and puts what they came to on sheet, onto which the reply has been read.
func (r *judging) reply(ctx context.Context, sheet *scoring.Sheet, seat int, reply *quorum.Reply) {
	if r == nil || strings.TrimSpace(reply.Text) == "" {
		return
	}
	a := &sheet.Reading(seat).Assessment
	drawn := draw(&r.g.sampleKey, r.d.ID, reply.Companion)
	var words [quorum.MaxJudges]byte
	var asked []int
	for i, j := range r.jury.judges {
		words[i] = byte(quorum.NotAsked)
		if j.asks(r.d, reply.Companion, a, drawn) {
			asked = append(asked, i)
		}
	}
	if len(asked) == 0 {
		return
	}
	text := reply.Text
	if reply.Rationale != "" { // it is shown with it
		text += "\n\n" + reply.Rationale
	}
	ctx, done := r.enter(ctx, seat)
	defer done()
	var heard [quorum.MaxJudges]quorum.Opinion
	ask := func(i int) {
		var w quorum.Word
		heard[i], w = r.g.ask(ctx, r.jury.judges[i], text, r.d.Tier)
		words[i] = byte(w)
	}
	var others sync.WaitGroup
	for _, i := range asked[1:] {
		others.Go(func() { ask(i) })
	}
	ask(asked[0])
	others.Wait()
	for _, i := range asked {
		sheet.Hear(seat, r.jury.judges[i].cfg.ID, &heard[i], len(reply.Text))
	}
	sheet.Judged(seat, quorum.Judged(words[:len(r.jury.judges)]))
}

// enter is the context in which a seat's reply is judged: it outlives ctx, whose
// trace it is part of, and ends when judging does, or the gateway.
func (r *judging) enter(ctx context.Context, seat int) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.mu.Lock()
	stops := []func() bool{context.AfterFunc(r.ended, cancel), context.AfterFunc(r.g.judgesEnd, cancel)}
	r.begun[seat] = true
	if !r.until.IsZero() {
		if left := time.Until(r.until); left > 0 {
			stops = append(stops, time.AfterFunc(left, cancel).Stop)
		} else {
			cancel()
		}
	}
	r.mu.Unlock()
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}

// gatherTime bounds how long a cut waits for calls that it has just cancelled, which
// is until they notice.
const gatherTime = time.Second

// gather gives up what is still being judged in round, and takes the seats that
// have waited for nothing else: their replies have come, and count unjudged. in
// tells which have been taken before. It comes before a cut, which would lose them.
func (r *judging) gather(round *fanout.Round, in func(seat int) bool, take func(seat int)) {
	if r == nil {
		return
	}
	r.stop()
	r.mu.Lock()
	waiting := 0
	for seat := range r.begun {
		if !in(seat) {
			waiting++
		}
	}
	begun := r.begun
	r.begun = make(map[int]bool) // what begins from here on is too late
	r.mu.Unlock()
	if waiting == 0 {
		return
	}
	over := time.NewTimer(gatherTime)
	defer over.Stop()
	for waiting > 0 {
		select {
		case seat, more := <-round.Arrivals():
			if !more {
				return
			}
			if take(seat); begun[seat] {
				waiting--
			}
		case <-over.C:
			return
		}
	}
}
