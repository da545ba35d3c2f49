package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
	"go.opentelemetry.io/otel/attribute"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring"
	"github.com/kaizen-os/deliberation/scoring/form"
	"github.com/kaizen-os/deliberation/store/ledger"
)

// An asking is one admitted request: what to deliberate on, for whom, within
// what limits.
type asking struct {
	d        *quorum.Deliberation
	caller   *caller
	limits   panelLimits
	further  further
	form     *form.Form // what replies must look like; nil for any
	deadline time.Duration
	received time.Time
	watch    *watch // who is told how it goes; nil for nobody
}

// An outcome is a deliberation whose proof is durable.
type outcome struct {
	proof   *quorum.Proof
	verdict *quorum.Verdict // with positions and dissent
	receipt ledger.Receipt
	texts   *texts
	course  *quorum.Hearing // nil where nothing followed the first round
	panel   wire.Panel      // of a request that limits whom to ask
}

// deliberate is the product's main job, from an admitted request to a durable
// proof: seat, ask, score, decide, record; between the last two, what the request
// wants beyond one round. Scoring happens in each companion's
// goroutine as its reply arrives.
func (g *Gateway) deliberate(ctx context.Context, a *asking) (*outcome, error) {
	view, now := g.view.Load(), g.book.State()
	if now.Policy == nil {
		return nil, errors.New("no policy in force")
	}
	// A ledger that takes nothing now refuses before anybody is asked and paid.
	if err := g.ledger.Err(); err != nil {
		return nil, unrecorded(a.d.ID, err)
	}
	ctx, cancel := context.WithDeadline(ctx, a.received.Add(a.deadline))
	defer cancel()

	var prompt quorum.Assessment
	g.scorer.Charter().AssessPrompt(&prompt, a.d.Prompt)
	if prompt.Score < now.Policy.RefuseUnder {
		return g.refusePrompt(ctx, a, &prompt)
	}

	p, payment, err := g.seatWithin(view, a)
	if err != nil {
		return nil, err
	}
	ctx, span := g.telemetry.workflow(ctx, a.d)
	defer span.End()
	s, end, after := g.hear(ctx, view, a, p)

	g.telemetry.timed(ctx, "decide", func() { s.decide(g.suspended) })
	var f *sequel
	if a.further.any() {
		f = g.follow(ctx, view, s, a)
	}
	payment.settle(s.cost(f))
	proof, said := g.testify(s, a, &prompt, f)
	if end == heardAll {
		g.scorer.Release(s.sheet) // no seat of a whole panel is still being read
	}
	receipt, err := g.record(ctx, proof, said)
	if err != nil {
		after.dropped()
		return nil, unrecorded(a.d.ID, err)
	}
	after.recorded(proof, said.seed)
	out := &outcome{proof: proof, verdict: &s.verdict, receipt: receipt, texts: said, panel: s.told(a)}
	if f != nil {
		out.verdict, out.course = &f.course.Verdict, f.course
	}
	g.telemetry.decided(ctx, proof, out.verdict)
	return out, nil
}

// reading is what becomes of each reply as it arrives: it is read onto sheet and
// judged, in its companion's goroutine, under a span where the request has spans.
func (g *Gateway) reading(ctx context.Context, sheet *scoring.Sheet, judging *judging) func(seat int, r *quorum.Reply) {
	if !g.telemetry.sampled(ctx) {
		return func(seat int, r *quorum.Reply) {
			g.scorer.Read(sheet, seat, r)
			judging.reply(ctx, sheet, seat, r)
		}
	}
	return func(seat int, r *quorum.Reply) {
		ctx, span := g.telemetry.start(ctx, "score", attribute.String("kaizen.companion", string(r.Companion)))
		defer span.End()
		g.scorer.Read(sheet, seat, r)
		judging.reply(ctx, sheet, seat, r)
	}
}

// unrecorded is what a caller hears when the ledger is not there: what is not
// durable is not said.
func unrecorded(id string, cause error) error {
	return &fault{told: wire.Error{Code: wire.LedgerUnavailable, DeliberationID: id,
		Message: "the proof could not be made durable, so nothing was decided; ask again"}, retryAfter: time.Second, cause: cause}
}

// sit begins the sitting of a panel and fixes what it weighs. Auto is weighed as
// text until the replies tell.
func (g *Gateway) sit(view *view, a *asking, p *panel) *sitting {
	s := &sitting{d: a.d, panel: p, policy: p.state.Policy, scorer: g.scorer, form: a.form, jury: view.jury, watch: a.watch, twice: a.further.rounds > 1}
	s.q = quorum.Question{Tier: a.d.Tier, Kind: a.d.Kind, Options: len(a.d.Options), Operation: a.d.Operation != ""}
	if s.q.Kind == quorum.Auto {
		s.q.Kind = quorum.Text
	}
	s.q.Open = s.q.Kind == quorum.Code && g.runner == nil
	s.panel.weigh(&s.q, a.d.Topic)
	s.sheet = g.scorer.NewSheet(a.d, len(s.panel.lines))
	s.sheet.Hold(a.form)
	s.in = make([]bool, len(s.panel.lines))
	s.begun = time.Now()
	return s
}

// suspended reports whether a record has taken away id's vote since its panel
// was seated. One that is no longer configured keeps it: requests under way go on
// as they began.
func (g *Gateway) suspended(id quorum.CompanionID) bool {
	m := g.book.State().Roster.Find(id)
	return m == nil || m.Status != quorum.Active && m.Status != quorum.Withdrawn
}

// refusePrompt records that nobody was asked, and says so.
func (g *Gateway) refusePrompt(ctx context.Context, a *asking, prompt *quorum.Assessment) (*outcome, error) {
	st := g.book.State()
	said := newTexts(a, 0)
	p := g.newProof(a, prompt, said)
	p.AsOf, p.Policy = st.Size, st.Policy.Digest()
	p.Verdict = quorum.Verdict{Status: quorum.RefusedPrompt, Winner: -1, Confidence: quorum.NoConfidence}
	p.Rejection = recordFindings(prompt.Findings, a.d.Prompt, said)
	p.TotalMicros = time.Since(a.received).Microseconds()
	if _, err := g.record(ctx, p, said); err != nil {
		return nil, unrecorded(a.d.ID, err)
	}
	g.telemetry.decided(ctx, p, &p.Verdict)
	f := refuse(wire.PromptRefused, fmt.Sprintf("the prompt scores %s against the charter, under %s: nobody was asked", prompt.Score, st.Policy.RefuseUnder))
	f.told.DeliberationID = a.d.ID
	for _, finding := range prompt.Findings[:min(len(prompt.Findings), quorum.MaxFindings)] {
		f.told.Details = append(f.told.Details, wire.Detail{Field: "prompt", Problem: fmt.Sprintf("clause %d, %s", finding.Clause, finding.Rule)})
	}
	return nil, f
}

// cut ends the listening: what becomes of the calls still out.
func (g *Gateway) cut(s *sitting, end heard, shadows *shadowRound) *aftermath {
	if end == heardGone && shadows != nil {
		shadows.round.Cancel() // nobody is asked on behalf of a client that has left
		shadows.judging.stop()
		shadows = nil
	}
	m := newAftermath(g, s, shadows)
	switch {
	case end == heardDeadline, end == heardEnough && s.policy.Observed(s.d.ID):
		s.judging.linger()
		m.listenOn()
	default:
		s.round.Cancel()
		s.judging.stop()
	}
	m.begin()
	return m
}

// record makes the proof and its sealed texts durable, at the same time.
func (g *Gateway) record(ctx context.Context, p *quorum.Proof, said *texts) (ledger.Receipt, error) {
	ctx, span := g.telemetry.start(ctx, "ledger.append")
	defer span.End()
	// The client's deadline may be near; what has been asked and paid for is
	// recorded all the same, within a bound of our own.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	kept, err := g.vault.Put(p.ID, said.contents())
	if err != nil {
		return ledger.Receipt{}, fmt.Errorf("vault: %w", err)
	}
	receipt, err := g.ledger.Append(ctx, p.ID, p)
	// Both are waited for, whatever becomes of the other; texts whose proof was
	// not recorded are an orphan that the vault's sweep removes.
	if unkept := kept.Wait(); err == nil && unkept != nil {
		return receipt, fmt.Errorf("vault: %w", unkept)
	}
	if err != nil {
		return receipt, fmt.Errorf("ledger: %w", err)
	}
	return receipt, nil
}

// recordTimeout is how long a proof may take to become durable before the
// deliberation is given up as undecided.
const recordTimeout = 10 * time.Second

// newID is a deliberation's name: time-ordered and unguessable.
func newID() string { return "dlb_" + ulid.Make().String() }

// admitted turns a decoded request into what is to be deliberated on.
func (g *Gateway) admitted(req *wire.Request, k *caller, received time.Time) (*asking, error) {
	policy := g.book.State().Policy
	tier, err := quorum.ParseTier(req.Context.Tier)
	if err != nil {
		return nil, err
	}
	kind, err := quorum.ParseKind(req.Kind)
	if err != nil {
		return nil, err
	}
	wait, err := quorum.ParseWait(req.Wait)
	if err != nil {
		return nil, err
	}
	field := "context.tier"
	if req.Operation != "" {
		field = "operation"
		tier = policy.OperationTier(req.Operation)
		if kind == quorum.Auto {
			kind = quorum.VoteKind
		}
		if kind != quorum.VoteKind {
			return nil, &wire.Error{Code: wire.InvalidValue, Message: "an operation is decided by vote",
				Details: []wire.Detail{{Field: "kind", Problem: "want vote, or leave it out, with an operation"}}}
		}
	}
	if tier > k.Tier {
		return nil, &wire.Error{Code: wire.TierNotAllowed, Message: fmt.Sprintf("this key may ask at tier %s at most", k.Tier),
			Details: []wire.Detail{{Field: field, Problem: fmt.Sprintf("is decided at tier %s", tier)}}}
	}
	d := &quorum.Deliberation{
		ID: newID(), Client: k.Name, Prompt: req.Prompt, Tier: tier, Chamber: req.Context.Chamber, Cycle: req.Context.Cycle,
		Topic: req.Context.Topic, Kind: kind, Options: req.Options, Operation: req.Operation, Wait: wait,
	}
	if err := errors.Join(g.impersonal("context.topic", d.Topic), g.impersonal("operation", d.Operation), g.impersonal("context.cycle", d.Cycle)); err != nil {
		return nil, err
	}
	if d.Cycle == "" {
		d.Cycle = policy.Cycle
	}
	converse(d, req)
	held, err := shape(d, req)
	if err != nil {
		return nil, err
	}
	further, err := g.further(req, d, policy)
	if err != nil {
		return nil, err
	}
	return &asking{
		d: d, caller: k, further: further, form: held, received: received, deadline: time.Duration(req.DeadlineMs) * time.Millisecond,
		limits: panelLimits{companions: req.MaxCompanions, cost: quorum.MicroUSD(req.MaxCostMicroUSD), escalate: req.Escalate},
	}, nil
}
