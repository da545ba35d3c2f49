package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// briefGrace has the grace that follows a quorum be over at once.
func briefGrace(p *quorum.Policy) { p.Early.GraceMillis, p.Early.GraceShare = 1, 0 }

// waiting wants that the request has not been answered yet.
func waiting(t *testing.T, answered <-chan *response) {
	t.Helper()
	select {
	case resp := <-answered:
		t.Fatalf("answered already: %s", resp.body)
	default:
	}
}

func TestDecidedAnswersWhileASlowCompanionIsStillOut(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", held), member(t, "SOLARA", held)}})
	answered := r.posting(`{"prompt":"Six times seven?","kind":"number"}`) // decided is the default
	solara := r.panel[2].next(t)
	r.panel[1].next(t).says("42")
	d := within(t, "the answer", answered).deliberation(http.StatusOK)
	b := ballot(t, d, "SOLARA")
	if d.Status != "carried" || d.Value != "42" || b.Outcome != "unneeded" || b.Counted || b.Score != wire.None || b.Reason != "not waited for" {
		t.Errorf("%+v", d)
	}
	// What was not heard stays in the denominator: agreement is a lower bound.
	if c := d.Consensus; !c.AgreementIsBound || c.Agreement >= c.Share || c.Share != 1_000_000 || c.Degraded {
		t.Errorf("consensus %+v", c)
	}
	// Nobody pays for what is not waited for.
	within(t, "the end of SOLARA's call", solara.gone)
}

func TestDecidedWaitsWhileTheOutcomeIsOpen(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", held), member(t, "ZENITH", held)}})
	answered := r.posting(`{"prompt":"Six times seven?","kind":"number"}`)
	atlas, zenith := r.panel[1].next(t), r.panel[2].next(t)
	atlas.says("41") // now ZENITH decides between them
	r.ask(`{"prompt":"Six times seven?","kind":"number","maxCompanions":1,"context":{"tier":"research"}}`)
	waiting(t, answered)
	zenith.says("41")
	d := within(t, "the answer", answered).deliberation(http.StatusOK)
	if d.Value != "41" || outcomes(d) != "AUREA ok, ATLAS ok, ZENITH ok" {
		t.Errorf("%+v", d)
	}
}

func TestAllWaitsForEveryone(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", says("42")), member(t, "SOLARA", held)}})
	answered := r.posting(`{"prompt":"Six times seven?","kind":"number","wait":"all"}`)
	solara := r.panel[2].next(t)
	r.ask(`{"prompt":"Six times seven?","kind":"number"}`) // the same would be decided by now
	waiting(t, answered)
	solara.says("42")
	d := within(t, "the answer", answered).deliberation(http.StatusOK)
	if outcomes(d) != "AUREA ok, ATLAS ok, SOLARA ok" || d.Consensus.AgreementIsBound || d.Consensus.Agreement != 1_000_000 {
		t.Errorf("%+v", d)
	}
}

func TestLikelyAnswersBeforeDecidedWould(t *testing.T) {
	t.Parallel()
	panel := []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", says("42")), member(t, "ZENITH", says("42")), member(t, "JADE", says("42"))}
	var slow []*companion
	for _, id := range []quorum.CompanionID{"OMEGA", "SIGMA", "DELTA", "GAMMA"} {
		slow = append(slow, newCompanion(t, quorum.Companion{ID: id, Vendor: string(id), Tier: quorum.Critical}, held))
	}
	r := start(t, setup{panel: append(panel, slow...)})
	decided := r.posting(`{"prompt":"Six times seven?","kind":"number","wait":"decided"}`)
	var calls []*call
	for _, c := range slow {
		calls = append(calls, c.next(t))
	}
	d := r.ask(`{"prompt":"Six times seven?","kind":"number","wait":"likely"}`)
	// Whether the last of the quick ones was waited for is a matter of who came first.
	if d.Status != "carried" || d.Value != "42" || !strings.HasSuffix(outcomes(d), "OMEGA unneeded, SIGMA unneeded, DELTA unneeded, GAMMA unneeded") {
		t.Errorf("likely: %+v", d)
	}
	waiting(t, decided) // four critical companions could still turn it
	for _, c := range calls {
		c.says("41")
	}
	if d := within(t, "the answer", decided).deliberation(http.StatusOK); d.Value != "41" {
		t.Errorf("decided: %+v", d)
	}
}

func TestAutoIsNeverDecidedEarly(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", says("42")), member(t, "SOLARA", held)}})
	answered := r.posting(`{"prompt":"Six times seven?"}`)
	solara := r.panel[2].next(t)
	r.ask(`{"prompt":"Six times seven?","kind":"number"}`)
	waiting(t, answered) // nobody has said that it is a number
	solara.says("42")
	if d := within(t, "the answer", answered).deliberation(http.StatusOK); outcomes(d) != "AUREA ok, ATLAS ok, SOLARA ok" || d.Consensus.Kind != "number" {
		t.Errorf("%+v", d)
	}
}

const (
	paris  = "Paris is the capital city of France."
	parisB = "The capital city of France is Paris."
)

func TestOnceTheQuorumIsMetTheOthersGetAGrace(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says(paris)), member(t, "ATLAS", held), member(t, "ZENITH", held)}, policy: briefGrace})
	answered := r.posting(`{"prompt":"What is the capital?","kind":"text"}`)
	atlas, zenith := r.panel[1].next(t), r.panel[2].next(t)

	// One approval is the quorum of research, and there the grace is over by now.
	d := r.ask(`{"prompt":"What is the capital?","kind":"text","context":{"tier":"research"}}`)
	if outcomes(d) != "AUREA ok, ATLAS unneeded, ZENITH unneeded" || !d.Consensus.AgreementIsBound {
		t.Errorf("research: %s", outcomes(d))
	}
	waiting(t, answered) // standard needs two, and has no grace before
	atlas.says(parisB)
	d = within(t, "the answer", answered).deliberation(http.StatusOK)
	if outcomes(d) != "AUREA ok, ATLAS ok, ZENITH unneeded" || d.Status != "carried" || d.Answer != paris && d.Answer != parisB {
		t.Errorf("standard: %+v", d)
	}
	within(t, "the end of ZENITH's call", zenith.gone)
}

func TestAFewUncountedRepliesAreNoQuorum(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", fails(500)), member(t, "ATLAS", says(paris)), member(t, "ZENITH", held)}, policy: briefGrace})
	answered := r.posting(`{"prompt":"What is the capital?","kind":"text"}`)
	zenith := r.panel[2].next(t)
	r.ask(`{"prompt":"What is the capital?","kind":"text","context":{"tier":"research"}}`)
	waiting(t, answered)
	zenith.says(parisB)
	if d := within(t, "the answer", answered).deliberation(http.StatusOK); outcomes(d) != "AUREA error, ATLAS ok, ZENITH ok" || d.Status != "carried" {
		t.Errorf("%+v", d)
	}
}

func TestCriticalIsPatient(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says(paris)), member(t, "ATLAS", says(paris)), member(t, "ZENITH", says(paris)), member(t, "JADE", held)}, policy: briefGrace})
	answered := r.posting(`{"prompt":"What is the capital?","kind":"text","context":{"tier":"critical"}}`)
	jade := r.panel[3].next(t)
	if d := r.ask(`{"prompt":"What is the capital?","kind":"text","context":{"tier":"high"}}`); ballot(t, d, "JADE").Outcome != "unneeded" {
		t.Errorf("high: %s", outcomes(d))
	}
	waiting(t, answered)
	jade.says(parisB)
	if d := within(t, "the answer", answered).deliberation(http.StatusOK); outcomes(d) != "AUREA ok, ATLAS ok, ZENITH ok, JADE ok" || d.Status != "carried" {
		t.Errorf("critical: %+v", d)
	}
}

// A second that is long enough on loopback for the companions that answer.
const shortDeadline = `"deadlineMs":600`

// laterDeadline is for tests in which others must have been heard, a whole round of
// them, by the time that it passes: also on a machine that is busy with other things.
const laterDeadline = `"deadlineMs":3000`

func TestTheRequestsDeadlineEndsTheWait(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", says("42")), member(t, "ZENITH", held)}})
	for _, wait := range []string{"all", "decided"} {
		d := r.ask(`{"prompt":"Six times seven?","kind":"text","wait":"` + wait + `",` + shortDeadline + `}`)
		b := ballot(t, d, "ZENITH")
		if d.Status != "carried" || b.Outcome != "late" || b.Reason != "no answer before the deadline" || b.Attempts != 1 || b.LatencyMs < 500 {
			t.Errorf("%s: %+v", wait, d)
		}
		if c := d.Consensus; c.AgreementIsBound || !c.Degraded || c.Agreement >= 1_000_000 {
			t.Errorf("%s: consensus %+v", wait, c)
		}
		if d.Timing.Wait < 500_000 || d.Timing.Overhead >= d.Timing.Wait {
			t.Errorf("%s: timing %+v", wait, d.Timing)
		}
	}
}
