package gateway

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/commit"
	"github.com/kaizen-os/deliberation/quorum/state"
	"github.com/kaizen-os/deliberation/scoring"
	"github.com/kaizen-os/deliberation/scoring/grade"
)

const (
	calibrationPath = "/api/calibration"

	// CalibrationBytes is the largest body of a calibration, unless bodies may be
	// larger anyway: four thousand prompts of a page each.
	CalibrationBytes = 16 << 20

	// calibrationsAhead is how many items are out at the same time: a companion of
	// two seconds then takes two minutes for a thousand, and what users ask
	// meanwhile still finds room at its limits.
	calibrationsAhead = 16
)

var errDraining = errors.New("the gateway drains")

// A calibration is a set of labelled items and who is asked them. Nothing of it
// is decided: each companion is graded by itself.
type calibration struct {
	state    *state.State // that the panel is taken from; from settle on, that it is counted in
	lines    []*fanout.Line
	members  []*quorum.Companion
	deadline time.Duration // of each item
	items    []labelled
	cells    []quorum.CalibrationCell
	set      string // the items, as they are committed to

	mu      sync.Mutex // guards what follows
	results []result   // by seat
}

// A labelled item is one prompt and what is right.
type labelled struct {
	d     *quorum.Deliberation
	truth *grade.Truth
	cell  int
	said  []utterance // by seat, of a kind whose confidence is fitted; written by whoever has asked it
}

// A result is what came of one companion.
type result struct {
	seat        int     // among those who were asked
	right, seen []int64 // by cell
	unseen      map[string]int
	usage       quorum.Usage
}

// postCalibration serves POST /api/calibration, to stewards: it puts labelled
// prompts to every active companion, whatever the tier, and answers when the
// counts are durable and in force. Either all of them count, or none.
func (g *Gateway) postCalibration(ctx *fasthttp.RequestCtx, k *caller) error {
	received := time.Now()
	if k.Role != RoleSteward {
		return refuse(wire.Forbidden, "only a steward calibrates companions")
	}
	if err := wantJSON(ctx); err != nil {
		return err
	}
	if err := k.admit(received); err != nil {
		return err
	}
	view := g.view.Load()
	var req wire.CalibrationRequest
	if err := req.Decode(ctx.PostBody(), &view.limits); err != nil {
		return err
	}
	c, err := g.labelled(&req, view, k)
	if err != nil {
		return err
	}
	// From here on nothing refers to ctx, which is fasthttp's to use again.
	work := g.telemetry.context(ctx)
	select {
	case g.calibrating <- struct{}{}:
		defer func() { <-g.calibrating }()
	default:
		f := refuse(wire.Overloaded, "another calibration is at work; try again when it has answered")
		f.retryAfter = 10 * time.Second
		return f
	}
	out, err := g.calibrate(work, c)
	if err != nil {
		return err
	}
	out.Timing.Total = wire.Micros(time.Since(received).Microseconds())
	ctx.SetContentType(contentJSON)
	ctx.SetBody(out.AppendTo(nil))
	return nil
}

// calibrate asks, grades, records, and says what changed.
func (g *Gateway) calibrate(ctx context.Context, c *calibration) (*wire.Calibration, error) {
	// A ledger that takes nothing now refuses before anybody is asked and paid.
	if err := g.ledger.Err(); err != nil {
		return nil, uncounted(err)
	}
	if err := g.askAll(ctx, c); err != nil {
		return nil, err
	}
	if c.settle(g.book.State()); len(c.members) == 0 {
		return nil, refuse(wire.Overloaded, "nobody who was asked is an active companion any more; nothing was counted")
	}
	rec, salt := c.record()
	if err := rec.Validate(); err != nil { // the ledger could not be read back
		return nil, err
	}
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	receipt, err := g.ledger.Append(keep, rec.ID, rec)
	if err != nil {
		return nil, uncounted(err)
	}
	g.log.InfoContext(ctx, "companions calibrated", "calibration", rec.ID, "items", rec.Items, "companions", len(rec.Companions), "index", receipt.Index)
	out := c.report(g.book.State(), rec.Confidence)
	out.ID = rec.ID
	out.Commitment = wire.Commitment{Digest: hex.EncodeToString(rec.Set[:]), Salt: hex.EncodeToString(salt[:])}
	out.Proof = wire.Proof{Index: receipt.Index, LeafHash: base64.StdEncoding.EncodeToString(receipt.LeafHash[:]), Receipt: calibrationPath + "/" + rec.ID + "/receipt"}
	return out, nil
}

func uncounted(cause error) error {
	return &fault{told: wire.Error{Code: wire.LedgerUnavailable, Message: "the counts could not be made durable, so nothing was counted; ask again"},
		retryAfter: time.Second, cause: fmt.Errorf("calibration: %w", cause)}
}

// askAll puts every item to the whole panel, so many at a time. It fails, and
// counts nothing, when the gateway drains or the ledger fails meanwhile.
func (g *Gateway) askAll(ctx context.Context, c *calibration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan *labelled)
	var workers sync.WaitGroup
	for range min(calibrationsAhead, len(c.items)) {
		workers.Go(func() {
			for it := range next {
				g.put(ctx, c, it)
			}
		})
	}
	for i := range c.items {
		if err := g.ledger.Err(); err != nil {
			cancel(err)
		}
		select {
		case next <- &c.items[i]:
			continue
		case <-g.leaving:
			cancel(errDraining)
		case <-ctx.Done():
		}
		break
	}
	close(next)
	idle := make(chan struct{})
	go func() {
		workers.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-g.leaving:
		cancel(errDraining)
		<-idle
	}
	switch err := context.Cause(ctx); {
	case err == nil:
		return nil
	case errors.Is(err, errDraining):
		return refuse(wire.ShuttingDown, "the gateway is shutting down; nothing was counted")
	default:
		return uncounted(err)
	}
}

// put asks the panel one item, waits for all of it or the item's deadline, and
// takes down how each fared.
func (g *Gateway) put(ctx context.Context, c *calibration, it *labelled) {
	ctx, cancel := context.WithTimeout(ctx, c.deadline)
	defer cancel()
	outcomes := make([]grade.Outcome, len(c.lines)) // each written by its seat before it arrives
	fit := c.fitted(it.d.Kind)
	var sheet *scoring.Sheet
	if fit {
		sheet = g.scorer.NewSheet(it.d, len(c.lines))
	}
	round := g.fan.Ask(ctx, it.d, c.lines, func(seat int, r *quorum.Reply) {
		outcomes[seat] = it.truth.Grade(r)
		if fit {
			g.scorer.Read(sheet, seat, r)
		}
	})
	for more := true; more; {
		select {
		case _, more = <-round.Arrivals():
		case <-ctx.Done():
			more = false
		}
	}
	round.Cancel()
	// What comes later is not looked at: those seats may still be writing.
	graded := make([]grade.Outcome, len(c.lines))
	for seat := range c.lines {
		if round.Reply(seat).Outcome == quorum.OK {
			graded[seat] = outcomes[seat]
		}
	}
	if fit {
		it.said = g.takeDown(it, round, sheet, graded)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for seat := range c.lines {
		c.results[seat].take(it.cell, graded[seat], round.Reply(seat))
	}
}

func (s *result) take(cell int, outcome grade.Outcome, r *quorum.Reply) {
	s.usage.InputTokens += r.Usage.InputTokens
	s.usage.OutputTokens += r.Usage.OutputTokens
	s.usage.Cost += r.Usage.Cost
	switch outcome {
	case grade.Unseen:
		why := r.Outcome.String()
		if r.Outcome == quorum.OK {
			why = "abstained"
			if r.Text == "" {
				why = "empty"
			}
		}
		s.unseen[why]++
		return
	case grade.Right:
		s.right[cell]++
	}
	s.seen[cell]++
}

// settle takes the state that the counts are to change, which is a later one than
// the panel was taken from: a calibration may take many minutes, in which others
// deliberate. Who is no active companion any more is not counted.
func (c *calibration) settle(now *state.State) {
	members, results := c.members, c.results
	c.state, c.members, c.results = now, nil, nil
	for i, was := range members {
		if m := now.Roster.Find(was.ID); m != nil && m.Status == quorum.Active {
			c.members = append(c.members, &m.Companion)
			c.results = append(c.results, results[i])
		}
	}
}

// record is what the ledger keeps, and the salt that opens its commitment.
func (c *calibration) record() (*quorum.Calibration, commit.Salt) {
	var salt commit.Salt
	if _, err := rand.Read(salt[:]); err != nil {
		panic("bug: crypto/rand does not fail")
	}
	rec := &quorum.Calibration{ID: "cal_" + ulid.Make().String(), Actor: quorum.Steward, AsOf: c.state.Size, Policy: c.state.Policy.Digest(),
		Items: int64(len(c.items)), Cells: c.cells, Confidence: c.fit(), Set: commit.Of(commit.V1, salt, c.set)}
	for i, m := range c.members {
		rec.Companions = append(rec.Companions, quorum.CalibrationCounts{Companion: m.ID, Right: c.results[i].right, Seen: c.results[i].seen})
	}
	return rec, salt
}

// report says what the counts did to the weights: now is the state with them.
func (c *calibration) report(now *state.State, fits []quorum.FittedConfidence) *wire.Calibration {
	out := &wire.Calibration{Items: len(c.items), Companions: make([]wire.Calibrated, len(c.members))}
	for i, m := range c.members {
		r := &c.results[i]
		used := wire.Usage{InputTokens: r.usage.InputTokens, OutputTokens: r.usage.OutputTokens, CostMicroUSD: int64(r.usage.Cost)}
		out.Companions[i] = wire.Calibrated{Companion: string(m.ID), Cells: make([]wire.CalibratedCell, len(c.cells)), Unseen: r.unseen, Usage: used}
		out.Usage.InputTokens += used.InputTokens
		out.Usage.OutputTokens += used.OutputTokens
		out.Usage.CostMicroUSD += used.CostMicroUSD
	}
	for _, f := range fits {
		out.Confidence = append(out.Confidence, wire.Believed{Kind: f.Kind.String(), Items: f.Items,
			Before: confidenceOf(c.state.Policy.Kind(f.Kind)), After: confidenceOf(now.Policy.Kind(f.Kind))})
	}
	for k, cell := range c.cells {
		p, w := c.weigh(c.state, cell)
		q, v := c.weigh(now, cell)
		for i := range c.members {
			out.Companions[i].Cells[k] = wire.CalibratedCell{Kind: cell.Kind.String(), Topic: cell.Topic, Items: cell.Items, Right: c.results[i].right[k], Seen: c.results[i].seen[k],
				Reliability: wire.Change{Before: wire.PPM(p[i]), After: wire.PPM(q[i])}, Weight: wire.Change{Before: wire.PPM(w[i]), After: wire.PPM(v[i])}}
		}
	}
	return out
}

func confidenceOf(k *quorum.KindPolicy) wire.Confidence {
	return wire.Confidence{Bias: int64(k.Bias), ByShare: int64(k.ByShare), ByMargin: int64(k.ByMargin), ByTurnout: int64(k.ByTurnout)}
}

// weigh gives each companion's reliability by a state, and the weight it has
// earned among all that were asked.
func (c *calibration) weigh(s *state.State, cell quorum.CalibrationCell) (reliable, earned []quorum.PPM) {
	ballots := make([]quorum.Ballot, len(c.members))
	reliable, earned = make([]quorum.PPM, len(c.members)), make([]quorum.PPM, len(c.members))
	families := make([]string, len(c.members))
	for i, m := range c.members {
		ballots[i].TierWeight = s.Policy.VoteWeight(m)
		families[i] = m.Family
		reliable[i] = s.Roster.Find(m.ID).Standing.Of(s.Policy, ballots[i].TierWeight, cell.Kind, cell.Topic)
	}
	s.Policy.Weigh(&quorum.Question{Kind: cell.Kind}, ballots, reliable, families)
	for i := range ballots {
		earned[i] = ballots[i].Earned
	}
	return reliable, earned
}

// getCalibrationReceipt serves GET /api/calibration/{id}/receipt: the path from
// the record to a signed tree head, with the record itself. It holds counts only,
// as the ledger does for everybody.
func (g *Gateway) getCalibrationReceipt(ctx *fasthttp.RequestCtx, _ *caller) error {
	id := pathID(ctx)
	none := refuse(wire.NotFound, "no such calibration")
	if len(id) > 64 || !strings.HasPrefix(id, "cal_") {
		return none
	}
	index, ok, err := g.ledger.Lookup(id)
	if err != nil {
		return fmt.Errorf("look up %s: %w", id, err)
	}
	if !ok {
		return none
	}
	leaf, err := g.ledger.Entry(index)
	if err != nil {
		return fmt.Errorf("receipt of %s: %w", id, err)
	}
	d := quorum.Disclosure{Entry: leaf}
	text, err := g.ledger.ProofWith(index, d.AppendTo(nil))
	if err != nil {
		return fmt.Errorf("receipt of %s: %w", id, err)
	}
	ctx.SetContentType(contentText)
	ctx.SetBody(text)
	return nil
}

// bodyLimit lets a steward's calibration be larger than other bodies.
func (g *Gateway) bodyLimit(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	view := g.view.Load()
	if view == nil || !h.IsPost() || string(h.RequestURI()) != calibrationPath || g.server.MaxRequestBodySize > CalibrationBytes {
		return fasthttp.RequestConfig{}
	}
	if k := view.callers.byKeyOf(h); k == nil || k.Role != RoleSteward {
		return fasthttp.RequestConfig{}
	}
	return fasthttp.RequestConfig{MaxRequestBodySize: CalibrationBytes}
}
