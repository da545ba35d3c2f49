package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/time/rate"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring"
)

// JudgeConfig describes an external charter judge. ID, Kind, Judge and Timeout are
// required. At the critical tier it is asked about every reply; elsewhere about
// those that Evidence, From and Under, or Sample choose.
type JudgeConfig struct {
	ID       quorum.JudgeID
	Kind     string             // how it is spoken to; shown with Model in GET /charter
	Model    string             //
	Endpoint string             // where it is; shown nowhere
	Table    string             // which version of the tables its words are read by
	Only     quorum.CompanionID // the companion whose replies alone it is asked about; "" for everyone's
	Judge    scoring.Judge

	Evidence int32        // replies with more of it than this (Assessment.Evidence); NoEvidence for none
	From     quorum.Score // replies that the rules in the process score From and more,
	Under    quorum.Score // and less than this
	Sample   quorum.PPM   // of all others, by chance

	Timeout   time.Duration // of one asking, waits and retry included
	PerMinute int           // calls at most; 0 is no limit
	PerDay    quorum.MicroUSD
	Price     quorum.Price // of a thousand tokens, reserved against PerDay before a call
	InFlight  int          // calls at once; 0 is fanout's default
	Breaker   fanout.BreakerConfig
	Logger    *slog.Logger // nil discards
}

// NoEvidence is more than any reply has.
const NoEvidence int32 = math.MaxInt32

// A Judge is an external judge with its limits, its breaker and its budget, which
// outlive configurations: keep it across a reload that does not change its settings.
// It is safe for concurrent use.
type Judge struct {
	cfg    JudgeConfig
	gate   *fanout.Gate
	budget *budget
	digest [32]byte // of what its opinions depend on
	labels judgeLabels
}

// NewJudge checks cfg. It calls nobody.
func NewJudge(cfg JudgeConfig) (*Judge, error) {
	switch {
	case !cfg.ID.Valid():
		return nil, fmt.Errorf("judge id %q: want 1 to 16 of a-z, 0-9 and -, beginning with a letter", cfg.ID)
	case cfg.Judge == nil || cfg.Kind == "" || cfg.Timeout <= 0:
		return nil, fmt.Errorf("judge %s: judge, kind and timeout are required", cfg.ID)
	case cfg.Only != "" && !cfg.Only.Valid():
		return nil, fmt.Errorf("judge %s: %q is no companion's id", cfg.ID, cfg.Only)
	case cfg.From < 0 || cfg.Under < 0 || cfg.Under > quorum.MaxScore || cfg.Sample < 0 || cfg.Sample > quorum.One:
		return nil, fmt.Errorf("judge %s: which replies it is asked about is out of range", cfg.ID)
	case cfg.PerMinute < 0 || cfg.PerDay < 0:
		return nil, fmt.Errorf("judge %s: a budget is below 0", cfg.ID)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	gate, err := fanout.NewGate(fanout.GateConfig{InFlight: cfg.InFlight, Breaker: cfg.Breaker, Moved: func(to fanout.BreakerState) {
		cfg.Logger.Warn("breaker moved", "judge", cfg.ID, "state", to.String())
	}})
	if err != nil {
		return nil, fmt.Errorf("judge %s: %w", cfg.ID, err)
	}
	h := sha256.New()
	for _, s := range []string{string(cfg.ID), cfg.Kind, cfg.Model, cfg.Endpoint, cfg.Table} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return &Judge{cfg: cfg, gate: gate, budget: newBudget(cfg.PerMinute, cfg.PerDay), digest: [32]byte(h.Sum(nil)), labels: newJudgeLabels(cfg.ID)}, nil
}

// call asks the judge for an opinion of text by ctx's deadline, if its breaker and
// limits let it through and its budget allows it. Each attempt costs.
func (j *Judge) call(ctx context.Context, text string, tier quorum.Tier) (o quorum.Opinion, w quorum.Word) {
	spent := false
	failed := j.gate.Do(ctx, func(ctx context.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				j.cfg.Logger.Error("panic while judging", "judge", j.cfg.ID, "panic", fmt.Sprintf("%T", p))
				err = errors.New("panic")
			}
		}()
		cost := j.cfg.Price.Cost(judgeExpects(text))
		day, ok := j.budget.reserve(time.Now(), cost)
		if !ok {
			spent = true
			return errSpent
		}
		if o, err = j.cfg.Judge.Judge(ctx, text, tier); err == nil && o.Usage != (quorum.Usage{}) {
			j.budget.settle(day, cost, j.cfg.Price.Cost(o.Usage))
		}
		return err
	})
	switch {
	case spent:
		return quorum.Opinion{}, quorum.UnjudgedBy(reasonBudget)
	case failed != nil:
		return quorum.Opinion{}, quorum.UnjudgedBy(unjudgedReason(failed.Class))
	}
	return o, quorum.WordOf(o.Step())
}

// errSpent ends a call for which the budget has nothing left; it says nothing of the
// judge.
var errSpent = &fanout.AskError{Class: fanout.ClassBusy, Reason: "the budget is used up"}

// Reasons of [quorum.UnjudgedBy] that are no class of package fanout's.
const (
	reasonBudget = "budget"
	reasonLate   = "late"
)

// unjudgedReason is what a failure is called in the record. What was not waited for
// was not there in time; of a status the record does not say which.
func unjudgedReason(c fanout.Class) string {
	switch c {
	case fanout.ClassUnneeded:
		return reasonLate
	case fanout.ClassBadRequest:
		return fanout.ClassStatus.String()
	}
	return c.String()
}

// judgeExpects is what asking about text is reckoned to consume, on the high side: a
// guard's own instructions are a few hundred tokens, its answer a few.
func judgeExpects(text string) quorum.Usage {
	return quorum.Usage{InputTokens: int64(len(text)/3 + 500), OutputTokens: 32}
}

// A budget is what a judge may be asked and may cost. What is over it is refused,
// not waited for.
type budget struct {
	calls *rate.Limiter // nil: no limit
	money purse
}

func newBudget(perMinute int, perDay quorum.MicroUSD) *budget {
	b := &budget{money: purse{perDay: perDay}}
	if perMinute > 0 {
		b.calls = rate.NewLimiter(rate.Limit(float64(perMinute)/60), perMinute)
	}
	return b
}

// reserve takes one call and what it may cost from the budget, if they are there.
func (b *budget) reserve(now time.Time, cost quorum.MicroUSD) (day int64, ok bool) {
	if day, ok = b.money.reserve(now, cost); ok && b.calls != nil && !b.calls.AllowN(now, 1) {
		b.money.settle(day, cost, 0)
		return day, false
	}
	return day, ok
}

// settle puts what a call did cost in the place of what was reserved for it.
func (b *budget) settle(day int64, reserved, cost quorum.MicroUSD) {
	b.money.settle(day, reserved, cost)
}

// judgeLabels are a judge's attribute sets, made once.
type judgeLabels struct {
	call     map[quorum.Word][]metric.RecordOption // by how it ended; opinions under '0'
	count    map[quorum.Word][]metric.AddOption
	cached   []metric.AddOption
	unjudged map[quorum.Word][]metric.AddOption
}

func newJudgeLabels(id quorum.JudgeID) judgeLabels {
	l := judgeLabels{call: map[quorum.Word][]metric.RecordOption{}, count: map[quorum.Word][]metric.AddOption{}, unjudged: map[quorum.Word][]metric.AddOption{}}
	judge := attribute.String("kaizen.judge", string(id))
	set := func(key, value string) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(judge, attribute.String(key, value)))
	}
	for w := range quorum.Word(128) {
		outcome := w.Unjudged()
		if w == quorum.WordOf(0) {
			outcome = "ok"
		}
		if outcome == "" {
			continue
		}
		l.call[w] = []metric.RecordOption{set("kaizen.outcome", outcome)}
		l.count[w] = []metric.AddOption{set("kaizen.outcome", outcome)}
		l.unjudged[w] = []metric.AddOption{set("kaizen.reason", outcome)}
	}
	l.cached = []metric.AddOption{set("kaizen.outcome", "cached")}
	return l
}
