package gateway

import (
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/roster"
	"github.com/kaizen-os/deliberation/quorum/standing"
)

// getPolicy serves GET /policy: the document in force.
func (g *Gateway) getPolicy(ctx *fasthttp.RequestCtx) error {
	p := g.book.State().Policy
	digest := p.Digest()
	ctx.Response.Header.Set(fasthttp.HeaderETag, `"`+hex.EncodeToString(digest[:])+`"`)
	ctx.SetContentType(contentJSON)
	ctx.SetBody(p.Canonical())
	return nil
}

// getConfidence serves GET /policy/confidence: the coefficients that each closed
// kind's confidence comes from, which are the document's unless labelled items
// have been fitted since; items tells how many.
func (g *Gateway) getConfidence(ctx *fasthttp.RequestCtx) error {
	type kind struct {
		Kind  string `json:"kind"`
		Items int64  `json:"items"` // 0: as in the policy
		wire.Confidence
	}
	p := g.book.State().Policy
	var out struct {
		Kinds []kind `json:"kinds"`
	}
	fitted := p.Fitted()
	for _, k := range quorum.Kinds[1:] {
		if !k.Closed() {
			continue
		}
		line := kind{Kind: k.String(), Confidence: confidenceOf(p.Kind(k))}
		if len(fitted) > 0 && fitted[0].Kind == k {
			line.Items, fitted = fitted[0].Items, fitted[1:]
		}
		out.Kinds = append(out.Kinds, line)
	}
	return reply(ctx, out)
}

// getCharter serves GET /charter: the clauses and the rules that a text is
// scored by.
func (g *Gateway) getCharter(ctx *fasthttp.RequestCtx) error {
	type rule struct {
		ID       string   `json:"id"`
		Clause   int      `json:"clause"`
		Severity wire.PPM `json:"severity"`
		Why      string   `json:"why"`
	}
	type clause struct {
		Number int    `json:"number"`
		Name   string `json:"name"`
	}
	doc := struct {
		Version     string      `json:"version"`
		Digest      string      `json:"digest"`
		Clauses     []clause    `json:"clauses"`
		Rules       []rule      `json:"rules"`
		NotAssessed []string    `json:"notAssessed"`
		Judges      []judgeView `json:"judges,omitempty"` // external ones: a proof's jury digest is this list's
		Jury        string      `json:"jury,omitempty"`
	}{Version: g.scorer.Charter().Version(), Digest: hex.EncodeToString(g.charterDigest[:]), NotAssessed: g.scorer.Charter().NotAssessed()}
	if jury := g.view.Load().jury; jury != nil {
		doc.Judges, doc.Jury = jury.told, hex.EncodeToString(jury.ref.Digest[:])
	}
	for i, name := range clauseNames {
		doc.Clauses = append(doc.Clauses, clause{i + 1, name})
	}
	for _, r := range g.scorer.Charter().Rules() {
		doc.Rules = append(doc.Rules, rule{r.ID, int(r.Clause), wire.PPM(r.Severity), r.Why})
	}
	return reply(ctx, doc)
}

// A companionView is a companion as GET /api/companions tells of it.
type companionView struct {
	ID          string   `json:"id"`
	Status      string   `json:"status"`
	VoteCounted bool     `json:"voteCounted"`
	Provider    string   `json:"provider"`
	Vendor      string   `json:"vendor"`
	Model       string   `json:"model"`
	Tier        string   `json:"tier"`
	Weight      wire.PPM `json:"weight"`
	Sentinel    bool     `json:"sentinel"`
	Chambers    []string `json:"chambers"`
}

func viewOf(p *quorum.Policy, m *roster.Member) companionView {
	c := companionView{ID: string(m.ID), Status: string(m.Status), VoteCounted: m.Status == quorum.Active, Provider: m.Provider, Vendor: m.Vendor, Model: m.Model,
		Tier: m.Tier.String(), Weight: wire.PPM(p.VoteWeight(&m.Companion)), Sentinel: m.Sentinel, Chambers: []string{}}
	for _, room := range p.Chambers {
		if m.Tier >= room.Floor {
			c.Chambers = append(c.Chambers, room.Name)
		}
	}
	return c
}

// getCompanions serves GET /api/companions: the roster.
func (g *Gateway) getCompanions(ctx *fasthttp.RequestCtx, _ *caller) error {
	st := g.book.State()
	out := struct {
		Companions []companionView `json:"companions"`
	}{Companions: []companionView{}}
	for i := range st.Roster.Members() {
		out.Companions = append(out.Companions, viewOf(st.Policy, &st.Roster.Members()[i]))
	}
	return reply(ctx, out)
}

// A reliabilityView is what a companion has earned for a kind, and for a topic of
// it where there is one: p, and the evidence that it comes from.
type reliabilityView struct {
	Kind     string   `json:"kind"`
	Topic    string   `json:"topic"`
	P        wire.PPM `json:"p"`
	Labelled counts   `json:"labelled"`
	Soft     counts   `json:"soft"`
}

// counts are outcomes; parts of one, where a full cell was scaled down.
type counts struct {
	Right wire.PPM `json:"right"`
	Seen  wire.PPM `json:"seen"`
}

func evidenceOf(right, seen int64) counts {
	const milli = wire.PPM(quorum.One / quorum.Milli)
	return counts{wire.PPM(right) * milli, wire.PPM(seen) * milli}
}

// getCompanion serves GET /api/companions/{id}: what the list has of it, and how
// reliable it is, for every kind and for the topics that there is evidence of.
func (g *Gateway) getCompanion(ctx *fasthttp.RequestCtx, _ *caller) error {
	st := g.book.State()
	m := st.Roster.Find(quorum.CompanionID(pathID(ctx)))
	if m == nil {
		return refuse(wire.NotFound, "no such companion")
	}
	out := struct {
		companionView
		Reliability []reliabilityView `json:"reliability"`
	}{companionView: viewOf(st.Policy, m)}
	add := func(cell standing.Cell) {
		e := cell.Evidence
		out.Reliability = append(out.Reliability, reliabilityView{Kind: cell.Kind.String(), Topic: cell.Topic,
			P:        wire.PPM(m.Standing.Of(st.Policy, st.Policy.VoteWeight(&m.Companion), cell.Kind, cell.Topic)),
			Labelled: evidenceOf(e.Right, e.Seen), Soft: evidenceOf(e.SoftRight, e.SoftSeen)})
	}
	cells := m.Standing.Cells()
	for _, kind := range quorum.Kinds[1:] {
		if len(cells) == 0 || cells[0].Kind != kind || cells[0].Topic != "" {
			add(standing.Cell{Kind: kind})
		}
		for ; len(cells) > 0 && cells[0].Kind == kind; cells = cells[1:] {
			add(cells[0])
		}
	}
	return reply(ctx, out)
}

// getHealth serves GET /health: the process is there and answers.
func (g *Gateway) getHealth(ctx *fasthttp.RequestCtx) error {
	h := wire.Health{Status: "healthy"}
	if g.ledger.Err() != nil {
		h.Status = "degraded"
	}
	ctx.SetContentType(contentJSON)
	ctx.SetBody(h.AppendTo(nil))
	return nil
}

// getReady serves GET /ready: whether deliberations can be carried here now.
func (g *Gateway) getReady(ctx *fasthttp.RequestCtx) error {
	r := g.ready()
	if !r.Ready {
		ctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
	}
	ctx.SetContentType(contentJSON)
	ctx.SetBody(r.AppendTo(nil))
	return nil
}

func (g *Gateway) ready() *wire.Ready {
	out := &wire.Ready{Store: g.ledger.Err() == nil, Sequencer: g.ledger.Err() == nil}
	if g.draining.Load() {
		return out
	}
	st, view := g.book.State(), g.view.Load()
	if st.Policy == nil || view == nil {
		return out
	}
	for _, tier := range quorum.Tiers {
		p := seat(st, view.lines, &quorum.Deliberation{Tier: tier, Chamber: view.limits.Chamber}, panelLimits{})
		out.Companions = max(out.Companions, len(p.lines))
		t := wire.TierReady{Tier: tier.String(), Quorum: slack(st.Policy, tier, p, "") >= 0, WithoutAnyVendor: true}
		for _, m := range p.members {
			t.WithoutAnyVendor = t.WithoutAnyVendor && slack(st.Policy, tier, p, m.Vendor) >= 0
		}
		t.WithoutAnyVendor = t.WithoutAnyVendor && t.Quorum
		out.Tiers = append(out.Tiers, t)
	}
	out.Ready = out.Store && out.Companions > 0
	return out
}

// slack is how many companions more than the tier's quorum needs are to be
// reached, if all agree and the vendor named is gone; negative when it cannot be
// had.
func slack(policy *quorum.Policy, tier quorum.Tier, p *panel, without string) int {
	ballots := make([]quorum.Ballot, 0, len(p.ballots))
	for i, b := range p.ballots {
		if b.Vendor != without && p.lines[i].Breaker() != fanout.Open {
			b.Counted, b.Weight = true, b.TierWeight
			ballots = append(ballots, b)
		}
	}
	q := quorum.Question{Tier: tier, Kind: quorum.VoteKind}
	if !policy.QuorumMet(&q, ballots) {
		return -1
	}
	return len(ballots) - policy.Tier(tier).Rule.Approvals
}

func reply(ctx *fasthttp.RequestCtx, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode response: %w", err)
	}
	ctx.SetContentType(contentJSON)
	ctx.SetBody(body)
	return nil
}
