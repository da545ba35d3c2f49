package gateway

import (
	"net/http"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/standing"
)

func TestALateReplyIsRecordedAfterwards(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", says("41")), member(t, "ZENITH", held), member(t, "JADE", held)}})
	d := r.ask(`{"prompt":"Six times seven?","kind":"number","wait":"all",` + shortDeadline + `}`)
	if outcomes(d) != "AUREA ok, ATLAS ok, ZENITH late, JADE late" {
		t.Fatalf("outcomes %s", outcomes(d))
	}
	r.panel[2].next(t).says("42")
	r.panel[3].next(t).says("17. Write to petra.haddad@northgatemail.com.")
	c := r.completion(d.ID)
	if c.Observed || c.Kind != quorum.Number || len(c.Ballots) != 4 {
		t.Fatalf("completion %+v", c)
	}
	zenith, jade := c.Ballots[2], c.Ballots[3]
	if zenith.Outcome != quorum.Late || zenith.Counted || !zenith.Scored || zenith.Score != quorum.MaxScore || zenith.Usage.OutputTokens != 120 || zenith.Reply == ([32]byte{}) {
		t.Errorf("ZENITH: %+v", zenith)
	}
	// It stands where it would have stood: with AUREA, who said the same.
	if zenith.Position != c.Ballots[0].Position || zenith.Tag != c.Ballots[0].Tag {
		t.Errorf("ZENITH stands in %d, AUREA in %d", zenith.Position, c.Ballots[0].Position)
	}
	if jade.Outcome != quorum.Late || jade.Score >= quorum.MaxScore || len(jade.Findings) != 1 || jade.Position != 2 {
		t.Errorf("JADE: %+v", jade)
	}
	// What was answered stands as it was.
	if again := r.get("/v1/deliberations/" + d.ID).deliberation(http.StatusOK); outcomes(again) != outcomes(d) || again.Consensus != d.Consensus {
		t.Errorf("read back: %+v", again)
	}
}

func TestALateFailureIsRecordedToo(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", says("42")), member(t, "ZENITH", held)}})
	d := r.ask(`{"prompt":"Six times seven?","kind":"text",` + shortDeadline + `}`)
	r.panel[2].next(t).answer <- "no JSON"
	if b := r.completion(d.ID).Ballots[2]; b.Outcome != quorum.Failed || b.Scored || b.Reason != "reply is not the agreed json" {
		t.Errorf("ZENITH: %+v", b)
	}
}

func evidence(r *rig, id quorum.CompanionID) []standing.Cell {
	return r.book.State().Roster.Find(id).Standing.Cells()
}

func TestAnObservedDeliberationIsCompletedWithTheWholePanel(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", says("42")), member(t, "ZENITH", says("42")), member(t, "SOLARA", held)},
		policy: func(p *quorum.Policy) { p.Early.ObserveOne = 1 }})
	d := r.ask(`{"prompt":"Six times seven?","kind":"number"}`)
	if ballot(t, d, "SOLARA").Outcome != "unneeded" {
		t.Fatalf("it waited: %s", outcomes(d))
	}
	if len(evidence(r, "AUREA")) != 0 {
		t.Error("a panel that is not whole has fed reliability")
	}
	call := r.panel[3].next(t)
	select {
	case <-call.gone:
		t.Error("an observed call was ended")
	default:
	}
	call.says("41")
	c := r.completion(d.ID)
	if !c.Observed || len(c.Ballots) != 4 {
		t.Fatalf("completion %+v", c)
	}
	for i, b := range c.Ballots {
		if b.Outcome != quorum.OK || !b.Counted || b.Score != quorum.MaxScore || b.Reply == ([32]byte{}) {
			t.Errorf("ballot %d: %+v", i, b)
		}
	}
	if at := c.Ballots[3].Position; at != 1 {
		t.Errorf("SOLARA stands in %d", at)
	}
	if got := evidence(r, "SOLARA"); len(got) != 1 || got[0].Kind != quorum.Number || got[0].Evidence.SoftSeen != quorum.Milli || got[0].Evidence.SoftRight != 0 {
		t.Errorf("SOLARA's evidence: %+v", got)
	}
	if got := evidence(r, "AUREA"); len(got) != 1 || got[0].Evidence.SoftRight != quorum.Milli {
		t.Errorf("AUREA's evidence: %+v", got)
	}
}

func TestAnUnobservedCallIsReallyEnded(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", held), member(t, "ZENITH", says("41")), member(t, "SOLARA", held)}}) // open until ATLAS speaks
	answered := r.posting(`{"prompt":"Six times seven?","kind":"number"}`)
	solara := r.panel[3].next(t)
	r.panel[1].next(t).says("42")
	within(t, "the answer", answered).deliberation(http.StatusOK)
	within(t, "the end of SOLARA's call", solara.gone)
	r.drain()
	if n := len(of[*quorum.Completion](r.journal)); n != 0 {
		t.Errorf("%d completions", n)
	}
	if len(evidence(r, "AUREA")) != 0 {
		t.Error("a panel that is not whole has fed reliability")
	}
}

func TestAWholePanelNeedsNoCompletion(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"), says("42")), policy: func(p *quorum.Policy) { p.Early.ObserveOne = 1 }})
	r.ask(`{"prompt":"Six times seven?","kind":"number","wait":"all"}`)
	r.drain()
	if n := len(of[*quorum.Completion](r.journal)); n != 0 {
		t.Errorf("%d completions", n)
	}
	if got := evidence(r, "AUREA"); len(got) != 1 || got[0].Evidence.SoftSeen != quorum.Milli {
		t.Errorf("evidence %+v", got)
	}
}

// shadows are companions on probation.
func shadows(t *testing.T, behaviours ...behaviour) []*companion {
	var list []*companion
	for i, b := range behaviours {
		id := []quorum.CompanionID{"NOVA", "LUMEN"}[i]
		list = append(list, newCompanion(t, quorum.Companion{ID: id, Vendor: string(id), Tier: quorum.Standard, Status: quorum.Shadow}, b))
	}
	return list
}

func TestShadowsAreAskedAndNeverCountedNorWaitedFor(t *testing.T) {
	t.Parallel()
	for _, wait := range []string{"all", "decided"} {
		r := start(t, setup{panel: append(panelOf(t, says("42"), says("42")), shadows(t, held, fails(500))...)})
		d := r.ask(`{"prompt":"Six times seven?","kind":"number","wait":"` + wait + `"}`) // NOVA is still out
		if outcomes(d) != "AUREA ok, ATLAS ok" || d.Consensus.Agreement != 1_000_000 || d.Consensus.AgreementIsBound || d.Usage.OutputTokens != 240 {
			t.Errorf("%s: %+v", wait, d)
		}
		r.panel[2].next(t).says("41")
		c := r.completion(d.ID)
		if c.Observed || len(c.Ballots) != 4 {
			t.Fatalf("%s: completion %+v", wait, c)
		}
		nova, lumen := c.Ballots[2], c.Ballots[3]
		if nova.Companion != "NOVA" || !nova.Shadow || nova.Counted || nova.Outcome != quorum.OK || nova.Score != quorum.MaxScore || nova.Position != 1 || nova.Reply == ([32]byte{}) {
			t.Errorf("%s: NOVA: %+v", wait, nova)
		}
		if lumen.Companion != "LUMEN" || !lumen.Shadow || lumen.Outcome != quorum.Failed || lumen.Scored || lumen.Position != -1 {
			t.Errorf("%s: LUMEN: %+v", wait, lumen)
		}
		if len(evidence(r, "NOVA")) != 0 {
			t.Errorf("%s: a shadow has earned something", wait)
		}
	}
}

// A panel that was cut short and not observed stays so, whatever its shadows say.
func TestShadowsDoNotMakeAPanelWhole(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: append([]*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", says("42")), member(t, "SOLARA", held)}, shadows(t, says("42"))...)})
	d := r.ask(`{"prompt":"Six times seven?","kind":"number"}`)
	c := r.completion(d.ID)
	if b := c.Ballots[2]; b.Outcome != quorum.Unneeded || b.Scored {
		t.Errorf("SOLARA: %+v", b)
	}
	if c.Observed {
		t.Error("the record says that the panel is whole")
	}
}

func TestADeadlineEndsNoShadow(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: append(panelOf(t, says("42"), says("42"), held), shadows(t, held)...)})
	d := r.ask(`{"prompt":"Six times seven?","kind":"number","wait":"all",` + shortDeadline + `}`)
	r.panel[3].next(t).says("42")
	r.panel[2].next(t).says("42")
	c := r.completion(d.ID)
	if zenith, nova := c.Ballots[2], c.Ballots[3]; zenith.Outcome != quorum.Late || !zenith.Scored || nova.Outcome != quorum.OK || !nova.Shadow || nova.Position != 0 {
		t.Errorf("ZENITH %+v, NOVA %+v", zenith, nova)
	}
}
