package gateway

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/state"
)

func TestAnUnknownOperationIsCriticalAndWaitsForASteward(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, votes("approve"), votes("approve"), votes("approve"), votes("reject"))})
	body := `{"prompt":"Shall we?","operation":"unheard.of","context":{"tier":"research"},"wait":"all","include":["ballots","positions","replies"]}`
	resp := r.post(body)
	d := resp.deliberation(http.StatusAccepted)
	if d.Status != "pending" || d.Decision != "approve" || d.Consensus.Kind != "vote" || d.Consensus.Votes != 3 || d.Consensus.Required != 3 {
		t.Errorf("%+v", d)
	}
	if p := r.proof(d.ID); p.Tier != quorum.Critical || p.Operation != "unheard.of" {
		t.Errorf("recorded at tier %s, operation %q", p.Tier, p.Operation)
	}
	// Ballots and decision are shown; answer, value and texts are not, to anybody.
	for _, resp := range []*response{resp, r.get("/v1/deliberations/" + d.ID), r.get("/v1/deliberations/"+d.ID, "Authorization", "Bearer "+stewardKey)} {
		got := new(wire.Deliberation)
		if err := got.Decode(resp.body); err != nil {
			t.Fatal(err)
		}
		if got.Answer != "" || got.Value != "" || got.Positions[0].Answer != "" || got.Dissent[0].Answer != "" || strings.Contains(string(resp.body), "weighed the motion") {
			t.Errorf("unsigned, it says %s", resp.body)
		}
		if len(got.Ballots) != 4 || got.Ballots[3].Stance != "reject" || got.Decision != "approve" {
			t.Errorf("ballots %+v", got.Ballots)
		}
	}
}

func TestWhatACriticalOperationNeeds(t *testing.T) {
	t.Parallel()
	yes, no, abstain, out := votes("approve"), votes("reject"), votes("abstain"), fails(500)
	for _, tt := range []struct {
		name   string
		votes  []behaviour // AUREA and ATLAS are critical, ZENITH and JADE high
		status string
		code   int
	}{
		{"all approve", []behaviour{yes, yes, yes, yes}, "pending", http.StatusAccepted},
		{"three, one of them critical", []behaviour{yes, out, yes, yes}, "pending", http.StatusAccepted},
		{"three, one of them critical, and an abstention", []behaviour{yes, abstain, yes, yes}, "pending", http.StatusAccepted},
		{"no critical approval", []behaviour{out, out, yes, yes}, "inquorate", http.StatusOK},
		{"both critical abstain", []behaviour{abstain, abstain, yes, yes}, "contested", http.StatusOK},
		{"three approve, by less than the share", []behaviour{no, yes, yes, yes}, "contested", http.StatusOK},
		{"most reject", []behaviour{no, no, no, yes}, "lost", http.StatusOK},
		{"all abstain", []behaviour{abstain, abstain, abstain, abstain}, "inquorate", http.StatusOK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{panel: panelOf(t, tt.votes...)})
			for _, wait := range []string{"decided", "all"} {
				if d := r.post(`{"prompt":"Shall we?","operation":"wallet.transfer","wait":"` + wait + `"}`).deliberation(tt.code); d.Status != tt.status {
					t.Errorf("%s: %+v, want %s", wait, d, tt.status)
				}
			}
		})
	}
}

func TestALostVoteSaysSo(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, votes("reject"), votes("reject"), votes("approve"), votes("abstain"))})
	d := r.ask(`{"prompt":"Shall we?","kind":"vote","wait":"all"}`)
	if d.Status != "lost" || d.Decision != "reject" || d.Value != "reject" || len(d.Dissent) != 1 || !slices.Equal(d.Dissent[0].Companions, []string{"ZENITH"}) {
		t.Errorf("%+v", d)
	}
	if b := ballot(t, d, "JADE"); !b.Counted || b.Position != -1 || b.Stance != "abstain" {
		t.Errorf("an abstention: %+v", b)
	}
}

func TestOperationsAreDecidedByTierWeightsAndAnswersByEarned(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", votes("approve")), member(t, "ZENITH", votes("approve")), member(t, "SOLARA", votes("approve")), member(t, "ZEUS", votes("approve"))}})
	operation := r.ask(`{"prompt":"Shall we?","operation":"content.publish","wait":"all"}`)
	if p := r.proof(operation.ID); p.Tier != quorum.Standard || operation.Status != "carried" || operation.Answer == "" {
		t.Errorf("at tier %s: %+v", p.Tier, operation)
	}
	var weights []wire.PPM
	for _, b := range operation.Ballots {
		if b.Weight != b.TierWeight {
			t.Errorf("%s weighs %v by its tier %v", b.Companion, b.Weight, b.TierWeight)
		}
		weights = append(weights, b.Weight)
	}
	if !slices.Equal(weights, []wire.PPM{1_000_000, 900_000, 700_000, 800_000}) {
		t.Errorf("weights %v", weights)
	}
	answer := r.ask(`{"prompt":"Shall we?","kind":"vote","wait":"all"}`)
	for i, b := range answer.Ballots {
		if b.TierWeight != weights[i] || i > 0 && b.Weight >= b.TierWeight {
			t.Errorf("for an answer %s weighs %v beside %v by tier", b.Companion, b.Weight, b.TierWeight)
		}
	}
}

func TestTheTierOfAnOperationIsThePolicys(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, votes("approve"), votes("approve"), votes("approve"), votes("approve"))})
	for operation, want := range map[string]quorum.Tier{"ideate": quorum.Research, "monitor.uptime": quorum.Standard, "domain.seal": quorum.High, "mic.mint": quorum.Critical, "domainseal": quorum.Critical} {
		d := new(wire.Deliberation)
		if err := d.Decode(r.post(`{"prompt":"Shall we?","operation":"` + operation + `","context":{"tier":"standard"}}`).body); err != nil {
			t.Fatal(err)
		}
		if p := r.proof(d.ID); p.Tier != want {
			t.Errorf("%s is decided at %s, want %s", operation, p.Tier, want)
		}
	}
}

// suspend has the gateway go by a state in which id is suspended, as it will when
// there are records that suspend; restore brings back what the ledger says.
func (r *rig) suspend(id quorum.CompanionID) (restore func()) {
	r.t.Helper()
	active := `"id":"` + string(id) + `","inputPrice":1000,"model":"model-` + strings.ToLower(string(id)) + `","outputPrice":2000,"provider":"kaizen","status":"`
	before := string(r.book.State().Append(nil))
	after := strings.Replace(before, active+"active", active+"suspended", 1)
	if after == before {
		r.t.Fatalf("%s is not active in %s", id, before)
	}
	r.book.state.Store(must(state.Read([]byte(after)))(r.t))
	return func() { r.book.state.Store(r.fold(r.t).State()) }
}

// One that lands during a second round takes the first ballot away too, whatever
// becomes of the second.
func TestASuspensionDuringTheSecondRoundUncountsBothBallots(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]string{
		"the same again": saying("response", "40"), "no answer in it": saying("response", "I would rather not say."), "an empty one": saying("response", ""), "none": "{}"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{panel: panelOf(t, turns(says("42"), says("42")), turns(says("41"), says("41")), held)})
			answered := r.posting(`{"prompt":"Six times seven?","kind":"number","wait":"all","rounds":2,` + inFull + `}`)
			r.panel[2].next(t).says("40")
			second := r.panel[2].next(t)
			restore := r.suspend("ZENITH")
			second.answer <- again
			d := within(t, "the answer", answered).deliberation(http.StatusOK)
			restore()
			if d.Rounds == nil || d.Rounds.Held != 2 || len(d.Rounds.Ballots) != 3 {
				t.Fatalf("%+v", d.Rounds)
			}
			if b := d.Rounds.Ballots[2]; b.Counted || b.Reason != quorum.ReasonSuspended || b.Position != -1 {
				t.Errorf("its second ballot: %+v", b)
			}
			if len(d.Positions) != 2 || ballot(t, d, "ZENITH").Position != -1 {
				t.Errorf("its first ballot stands in %+v", d.Positions)
			}
			r.again(d)
		})
	}
}

// A record that takes a companion's vote away while the panel is out uncounts
// its ballot.
func TestASuspensionThatLandsMeanwhileUncountsTheBallot(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, votes("approve"), votes("approve"), votes("approve"), held)})
	answered := r.posting(`{"prompt":"Shall we?","operation":"mic.mint","wait":"all"}`)
	jade := r.panel[3].next(t)
	restore := r.suspend("ZENITH")
	jade.says("I abstain.")
	d := within(t, "the answer", answered).deliberation(http.StatusOK)
	restore()
	if b := ballot(t, d, "ZENITH"); b.Outcome != "ok" || b.Counted || b.Reason != quorum.ReasonSuspended || b.Position != -1 || b.Score != 10_000 {
		t.Errorf("ZENITH: %+v", b)
	}
	if d.Status == "pending" || d.Consensus.Votes != 2 {
		t.Errorf("%+v", d)
	}
}
