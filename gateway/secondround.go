package gateway

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring"
)

// holdSecond asks the panel again, each companion with the positions of the first
// round before it, where those left the question contested.
func (f *sequel) holdSecond(ctx context.Context) quorum.Outcome {
	show, why := f.course.SecondWanted()
	f.second = &quorum.SecondRound{Outcome: quorum.Unneeded, Reason: why}
	if why != "" {
		return quorum.Unneeded
	}
	var seats []int
	var lines []*fanout.Line
	var members []*quorum.Companion
	for i := range f.course.First {
		if f.course.AskedAgain(i) {
			seats, lines, members = append(seats, i), append(lines, f.s.panel.lines[i]), append(members, f.s.panel.members[i])
		}
	}
	asked, read := f.secondQuestion(show)
	if f.second.Outcome, f.second.Reason = f.hindered(ctx, asked, members...); f.second.Reason != "" {
		return f.second.Outcome
	}
	begun := time.Now()
	r := &again{f: f, seats: seats, read: read, sheet: f.g.scorer.NewSheet(read, len(seats)), ballots: make([]quorum.Ballot, len(seats))}
	if f.s.q.Kind.Closed() {
		r.sheet.Hold(f.s.form)
	}
	for i, seat := range seats {
		r.ballots[i] = f.course.First[seat]
		r.ballots[i].Outcome, r.ballots[i].Counted = quorum.Unneeded, false
	}
	r.judging = f.g.newJudging(ctx, f.s.jury, f.s.d, true)
	r.round = f.g.fan.Ask(ctx, asked, lines, f.g.reading(ctx, r.sheet, r.judging))
	r.listen(ctx, begun)
	r.round.Cancel()
	r.judging.stop()
	f.second.WaitMicros = time.Since(begun).Microseconds()
	for i, seat := range seats {
		reply := r.round.Reply(i)
		f.spent += spent(reply, members[i], asked)
		b, w := r.testimony(i, show)
		b.Seat = seat
		f.second.Ballots, f.again = append(f.second.Ballots, b), append(f.again, w)
	}
	f.course.Second(f.second)
	return quorum.OK
}

// secondQuestion is what companions are asked in the second round, and as what
// their replies are read. Of text and code they choose among the positions.
func (f *sequel) secondQuestion(show []quorum.Quote) (asked, read *quorum.Deliberation) {
	plain := *f.s.d
	plain.Kind = f.s.q.Kind
	how := replyAsBefore
	if !plain.Kind.Closed() {
		plain.Kind, plain.Options, plain.Generation = quorum.Choice, letterOptions(len(show)), nil
		how = fmt.Sprintf(replyByLetter, letters(len(show)))
	}
	shown := f.show(show, true)
	return about(&plain, func(question string) string { return fmt.Sprintf(secondRoundPrompt, question, shown, how) }), &plain
}

// show quotes the positions in the order given, each by the reply that stands
// for it, without names; with the share of the votes that each has, if shares.
func (f *sequel) show(list []quorum.Quote, shares bool) string {
	q := newQuoter(f.s.panel, len(list), true)
	for i, at := range list {
		if shares {
			fmt.Fprintf(q, answerOf, quoteLetter(i), percent(f.course.Verdict.Positions[at.Position].Share))
		} else {
			fmt.Fprintf(q, answerUnshared, quoteLetter(i))
		}
		w := f.shownBy(at.Seat)
		text := w.text
		// A long reply is cut at its end, where its answer most often is.
		if w.value != "" && !q.fits(text) {
			text = w.value + "\n" + text
		}
		q.quote(text)
	}
	return q.String()
}

// again is a second round while it is heard.
type again struct {
	f       *sequel
	seats   []int
	read    *quorum.Deliberation
	sheet   *scoring.Sheet
	round   *fanout.Round
	judging *judging
	ballots []quorum.Ballot // as they come in, to know when the quorum is met
}

// listen takes replies until all are in, ctx is done or, where the request would
// not wait for all, the grace is over that the others have once the quorum is met.
func (r *again) listen(ctx context.Context, begun time.Time) {
	s := r.f.s
	patient := s.d.Wait == quorum.WaitAll || s.policy.Tier(s.d.Tier).Rule.Patient
	var graceOver <-chan time.Time
	for {
		select {
		case i, more := <-r.round.Arrivals():
			if !more {
				return
			}
			r.cast(i)
			s.policy.Gate(&s.q, &r.ballots[i])
			if graceOver == nil && !patient && s.policy.QuorumMet(&s.q, r.ballots) {
				over := time.NewTimer(grace(s.policy, time.Since(begun)))
				defer over.Stop()
				graceOver = over.C
			}
		case <-graceOver:
			r.gather()
			return
		case <-ctx.Done():
			r.gather()
			return
		}
	}
}

// gather takes the replies that only external judges have kept from arriving.
func (r *again) gather() {
	r.judging.gather(r.round, func(i int) bool { return r.ballots[i].Outcome != quorum.Unneeded }, r.cast)
}

// cast fills in what one reply says.
func (r *again) cast(i int) {
	b, reply := &r.ballots[i], r.round.Reply(i)
	b.Outcome, b.Reason = reply.Outcome, reply.Reason
	b.Key, b.Stance, b.Abstained, b.Scored, b.Score, b.Judged = "", quorum.NoStance, false, false, 0, ""
	if reply.Outcome == quorum.OK {
		r.f.g.scorer.Cast(b, r.sheet, i, r.read.Kind, reply)
	}
	// Whatever came of its reply: its first ballot is not to stand for it.
	if r.f.g.suspended(b.Companion) {
		b.Reason = quorum.ReasonSuspended
	}
}

// testimony is what becomes of one seat's reply once the round is over.
func (r *again) testimony(i int, show []quorum.Quote) (s quorum.SecondBallot, w said) {
	r.cast(i)
	b, reply := &r.ballots[i], r.round.Reply(i)
	s = quorum.SecondBallot{Outcome: b.Outcome, Reason: b.Reason, Scored: b.Scored, Score: b.Score, Judged: b.Judged, Stance: b.Stance, Abstained: b.Abstained,
		Key: b.Key, Stands: -1, Position: -1, LatencyMicros: reply.Latency.Microseconds(), Attempts: int64(reply.Attempts), Usage: reply.Usage}
	if reply.Outcome != quorum.OK {
		return s, w
	}
	w = said{text: reply.Text, key: b.Key, value: r.sheet.Value(i), findings: r.sheet.Reading(i).Assessment.Findings}
	if !r.f.s.q.Kind.Closed() {
		// The key is the letter of a position, and no answer to the question.
		s.Key, w.key, w.value = "", "", ""
		if at := chosen(b.Key, len(show)); at >= 0 {
			s.Stands = show[at].Position
		}
	}
	return s, w
}

// chosen is the place that a choice's key stands for; -1 if it is none of n.
func chosen(key string, n int) int {
	if len(key) != 1 {
		return -1
	}
	return strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:n], key[0])
}
