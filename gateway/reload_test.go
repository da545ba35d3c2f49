package gateway

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

func TestUnchangedSettingsMakeNoRecord(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	if size := r.ledger.Size(); size != 3 { // the policy and two companions
		t.Errorf("%d records at the start", size)
	}
	r.unrecorded(t, func() {
		for range 3 {
			r.reapply(func(s *Settings) { s.Policy = policy(t, nil) })
		}
	})
}

func TestAChangedPolicyIsActivatedAndInForce(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	before := r.ask(guideRequest)
	r.reapply(func(s *Settings) {
		s.Policy = policy(t, func(p *quorum.Policy) {
			p.Tiers[1].Rule.Approvals = 3
			p.Chambers = append(p.Chambers, quorum.ChamberPolicy{Name: "reading-room", Floor: quorum.Research})
		})
	})
	activations := of[*quorum.Activation](r.journal)
	if len(activations) != 2 || activations[1].Policy.Digest() != r.settings.Policy.Digest() || activations[1].Actor != quorum.Operator {
		t.Errorf("activations %+v", activations)
	}
	after := r.ask(`{"prompt":"...","context":{"chamber":"reading-room"}}`)
	if before.Status != "carried" || after.Status != "inquorate" || after.Consensus.Required != 3 {
		t.Errorf("before %s, after %s of %d", before.Status, after.Status, after.Consensus.Required)
	}
	// What was decided by the old policy is still read by it.
	if again := r.get("/v1/deliberations/" + before.ID).deliberation(http.StatusOK); again.Status != "carried" || again.Consensus != before.Consensus {
		t.Errorf("read back: %+v", again)
	}
}

func TestARemovedCompanionIsWithdrawnByARecordAndMayComeBack(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"), says("42"))})
	r.reapply(func(s *Settings) { s.Seats = s.Seats[:2] })
	gone := of[*quorum.Withdrawal](r.journal)
	if len(gone) != 1 || gone[0].Companion != "ZENITH" || gone[0].Actor != quorum.Operator || gone[0].Reason == "" {
		t.Errorf("withdrawals %+v", gone)
	}
	if d := r.ask(guideRequest); outcomes(d) != "AUREA ok, ATLAS ok" {
		t.Errorf("asked %s", outcomes(d))
	}
	r.unrecorded(t, func() { r.reapply(func(*Settings) {}) }) // once withdrawn, no second record

	r.reapply(func(s *Settings) { s.Seats = append(s.Seats, r.panel[2].seat()) })
	if d := r.ask(guideRequest); outcomes(d) != "AUREA ok, ATLAS ok, ZENITH ok" {
		t.Errorf("back again, asked %s", outcomes(d))
	}
}

func TestAChangedCompanionIsRecordedAnew(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	r.reapply(func(s *Settings) { s.Seats[1].Companion.Vendor = "another" })
	founded := of[*quorum.Founding](r.journal)
	if len(founded) != 3 || founded[2].Companion.ID != "ATLAS" || founded[2].Companion.Vendor != "another" {
		t.Errorf("founded %+v", founded)
	}
	d := r.ask(guideRequest)
	if p := r.proof(d.ID); p.Ballots[1].Vendor != "another" {
		t.Errorf("seated as %+v", p.Ballots[1])
	}
}

func TestAnAddedCompanionIsSeatedFromTheNextRequestOn(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), held, says("42"))})
	r.reapply(func(s *Settings) { s.Seats = s.Seats[:2] })
	answered := r.posting(`{"prompt":"Six times seven?","wait":"all"}`)
	atlas := r.panel[1].next(t)
	r.reapply(func(s *Settings) { s.Seats = append(s.Seats, r.panel[2].seat()) })
	r.panel[1].does(says("42"))
	if d := r.ask(guideRequest); outcomes(d) != "AUREA ok, ATLAS ok, ZENITH ok" {
		t.Errorf("the next request: %s", outcomes(d))
	}
	atlas.says("42")
	if d := within(t, "the answer", answered).deliberation(http.StatusOK); outcomes(d) != "AUREA ok, ATLAS ok" {
		t.Errorf("the one under way: %s", outcomes(d))
	}
}

func TestAReloadDropsNoRequestInFlight(t *testing.T) {
	t.Parallel()
	const n = 16
	r := start(t, setup{panel: panelOf(t, says("42"), held, says("42"))})
	var answers []<-chan *response
	var calls []*call
	for i := range n {
		answers = append(answers, r.posting(fmt.Sprintf(`{"prompt":"Question %d?","kind":"number","wait":"all"}`, i)))
	}
	for range n {
		calls = append(calls, r.panel[1].next(t))
	}
	// Everything changes: the policy, the companions, who may ask.
	r.reapply(func(s *Settings) {
		s.Policy = policy(t, func(p *quorum.Policy) { p.Consensus.DissentShare++ })
		s.Clients = []Client{client("ann", "key-of-ann")}
		s.Seats = s.Seats[:2]
	})
	for _, c := range calls {
		c.says("42")
	}
	for _, answered := range answers {
		d := within(t, "an answer", answered).deliberation(http.StatusOK)
		if d.Status != "carried" || outcomes(d) != "AUREA ok, ATLAS ok, ZENITH ok" || !ballot(t, d, "ZENITH").Counted {
			t.Errorf("%+v", d)
		}
		if p := r.proof(d.ID); p.Policy == r.settings.Policy.Digest() {
			t.Error("it was judged by a policy that came later than its panel")
		}
	}
	r.post(guideRequest).failure(http.StatusUnauthorized, wire.Unauthorized)
}

// Requests and reloads at the same time, for the race detector and the auditor.
func TestReloadsUnderLoad(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"), says("42"), says("41"))})
	ctx, done := context.WithCancel(t.Context())
	reloaded := make(chan int)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			s := r.settings
			s.Seats = s.Seats[:3+n%2]
			if err := r.Apply(t.Context(), s); err != nil {
				t.Error(err)
			}
		}
		reloaded <- n
	}()
	var answers []<-chan *response
	for range 40 {
		answers = append(answers, r.posting(`{"prompt":"Six times seven?","kind":"number"}`))
	}
	for _, answered := range answers {
		if d := within(t, "an answer", answered).deliberation(http.StatusOK); d.Value != "42" || d.Status != "carried" {
			t.Errorf("%+v", d)
		}
	}
	done()
	if n := <-reloaded; n == 0 {
		t.Error("no reload came between")
	}
}

func TestBadSettingsChangeNothing(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	s := r.settings
	s.Seats = append([]Seat(nil), s.Seats...)
	s.Seats[1].Companion.Vendor = ""
	if err := r.Apply(t.Context(), s); err == nil {
		t.Error("a companion without a vendor is taken")
	}
	if d := r.ask(guideRequest); outcomes(d) != "AUREA ok, ATLAS ok" {
		t.Errorf("%s", outcomes(d))
	}
}
