package fanout

import (
	"context"
	"fmt"
	"time"

	"github.com/kaizen-os/deliberation/quorum"
)

const (
	// DefaultDeadline is a companion's own, when none is configured: what the
	// onboarding guide allows a compatibility probe.
	DefaultDeadline = 30 * time.Second
	// retryPause is before a retry when the companion named no time: enough for
	// a listener to come back, little beside an answer.
	retryPause = 50 * time.Millisecond
	// maxHold is the longest a Retry-After keeps all calls from a companion; the
	// breaker covers what lasts longer.
	maxHold = time.Minute
)

// An Asker speaks one companion's dialect; the adapters are Askers.
//
// Ask puts d to the companion and fills *r: Text, Rationale, Stance, Confidence
// (left negative when it is not stated), Model, and the tokens of Usage. It
// returns soon after ctx ends, is safe for concurrent use, keeps neither d nor
// r, and does not retry. Its error is an *AskError, a [Failure], or ctx's.
//
// ctx.Deadline is when the call is given up. When the answer is due may be
// earlier: if ctx has a method Due() time.Time, that is the time to tell the
// companion.
type Asker interface {
	Ask(ctx context.Context, d *quorum.Deliberation, r *quorum.Reply) error
}

// LineConfig describes how one companion is asked. Companion and Asker are
// required.
type LineConfig struct {
	Companion quorum.CompanionID
	Asker     Asker
	Provider  string // dialect, for telemetry
	Model     string // asked for; stands in the reply if the companion names none
	Host      string // where it is reached, for telemetry
	Port      int

	PerSecond float64       // tokens a second; zero is no limit
	Burst     int           // size of the bucket; zero is one second's tokens, at least 1
	InFlight  int           // calls at once; zero is DefaultInFlight
	Deadline  time.Duration // of one asking, waits and retry included; zero is DefaultDeadline
	Price     quorum.Price
	Breaker   BreakerConfig
}

// Line is one companion with its limits and its breaker, which outlive rounds:
// keep a line across a reload that does not change its settings. It is safe for
// concurrent use.
type Line struct {
	gate
	cfg    LineConfig
	labels labels
}

// NewLine checks cfg.
func NewLine(cfg LineConfig) (*Line, error) {
	switch {
	case !cfg.Companion.Valid():
		return nil, fmt.Errorf("fanout: companion id %q is not valid", cfg.Companion)
	case cfg.Asker == nil:
		return nil, fmt.Errorf("fanout: companion %s: no asker", cfg.Companion)
	case cfg.Deadline < 0:
		return nil, fmt.Errorf("fanout: companion %s: a limit is below 0", cfg.Companion)
	}
	if cfg.Deadline == 0 {
		cfg.Deadline = DefaultDeadline
	}
	g, err := newGate(cfg.PerSecond, cfg.Burst, cfg.InFlight, cfg.Breaker)
	if err != nil {
		return nil, fmt.Errorf("fanout: companion %s: %w", cfg.Companion, err)
	}
	return &Line{gate: g, cfg: cfg, labels: newLabels(&cfg)}, nil
}

// Companion is whose line it is.
func (l *Line) Companion() quorum.CompanionID { return l.cfg.Companion }

// ask asks the companion for s, once or twice, and fills s.reply but for its
// outcome. It panics only if the Asker does.
func (l *Line) ask(s *seat) *AskError { return l.pass(s) }
