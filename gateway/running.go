package gateway

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring/run"
)

// running is read and then, for a question of code where there is a runner, what
// becomes of the code in the reply: it is run, in its companion's goroutine and
// until ctx is done, so that the seat arrives with its result. What would not
// count by its charter score is not run, nor is what shadows say, nor what comes
// after the answer.
func (g *Gateway) running(ctx context.Context, s *sitting, read func(seat int, r *quorum.Reply)) func(seat int, r *quorum.Reply) {
	if g.runner == nil || s.d.Kind != quorum.Code {
		return read
	}
	minimum := s.policy.Tier(s.d.Tier).CharterMinimum
	return func(seat int, r *quorum.Reply) {
		read(seat, r)
		if s.sheet.Reading(seat).Assessment.Score < minimum {
			return
		}
		if code := run.Candidate(r.Text); code != "" {
			key, reason := g.run(ctx, r.Companion, code)
			s.sheet.Ran(seat, key, reason)
		}
	}
}

// run runs one candidate: the key of its result, or why there is none.
func (g *Gateway) run(ctx context.Context, from quorum.CompanionID, code string) (key, reason string) {
	ctx, span := g.telemetry.start(ctx, "run", attribute.String("kaizen.companion", string(from)))
	defer span.End()
	begun := time.Now()
	result := g.runner.Run(ctx, code)
	g.telemetry.runs.Record(ctx, time.Since(begun).Seconds(), g.telemetry.byRun[result.Outcome]...)
	switch {
	case result.Outcome == run.Ran:
		return result.Key, ""
	case result.Outcome != run.NotRun:
		return "", quorum.ReasonRunFailed
	case !errors.Is(result.Err, context.Canceled) && !errors.Is(result.Err, context.DeadlineExceeded):
		g.runnerFails(result.Err)
	}
	return "", quorum.ReasonNotRun
}

// runnerFails tells whoever runs the gateway, once a minute at most.
func (g *Gateway) runnerFails(err error) {
	now := time.Now().Unix()
	if last := g.runnerFailed.Load(); now-last >= 60 && g.runnerFailed.CompareAndSwap(last, now) {
		g.log.Warn("the code runner does not work", "error", err)
	}
}
