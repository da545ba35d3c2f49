package gateway

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/quorum"
)

// voice is a simulated companion that always says the same.
type voice string

func (v voice) Reply(*sim.Ask) (sim.Reply, error) {
	return sim.Reply{Text: string(v), Confidence: -1, Usage: quorum.Usage{InputTokens: 31, OutputTokens: 120}}, nil
}

// simulated makes the companion of that name, which misbehaves as f says.
func simulated(t *testing.T, id string, f sim.Fault) *companion {
	t.Helper()
	s := must(sim.Start(sim.Config{Companions: []sim.Companion{{ID: quorum.CompanionID(id), Model: "simulated", Voice: voice("42")}}}))(t)
	s.SetFault(quorum.CompanionID(id), f)
	c := member(t, id, nil)
	line := fanout.LineConfig{}
	if f == sim.Hang {
		line.Deadline = time.Second // it is not listened to for long
	}
	c.reach(t, s.Endpoints()[0].URL, line)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// What one companion does wrong is its own outcome, with its own reason, and the
// others decide without it.
func TestAMisbehavingCompanionHarmsOnlyItself(t *testing.T) {
	t.Parallel()
	const harm = "The answer is 42. Her SSN is 563-21-3271 and her card 4532756279624064."
	for _, tt := range []struct {
		name            string
		fault           sim.Fault
		behave          behaviour // instead of a fault
		outcome, reason string
		scored          bool
	}{
		{"garbage", sim.Garbage, nil, "error", "reply is not the agreed json", false},
		{"an endless body", sim.Endless, nil, "error", "reply over the size limit", false},
		{"half a body", sim.HalfBody, nil, "error", "reply cut short", false},
		{"a wrong content type", sim.WrongType, nil, "error", "reply is not json", false},
		{"500", sim.ServerError, nil, "error", "http 500", false},
		{"429", sim.TooMany, nil, "error", "http 429", false},
		{"503", sim.Unavailable, nil, "error", "http 503", false},
		{"401", sim.NotAuthorised, nil, "refused", "http 401", false},
		{"a hang", sim.Hang, nil, "late", "no answer before the deadline", false},
		{"403", sim.NoFault, fails(http.StatusForbidden), "refused", "http 403", false},
		{"a redirect", sim.NoFault, func(w http.ResponseWriter, _ *call) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusFound)
		}, "error", "http 302", false},
		{"no response in it", sim.NoFault, sends(`{"answer":"42"}`), "error", `reply has no "response"`, false},
		{"a stance that is none", sim.NoFault, sends(saying("response", "42", "stance", "maybe")), "error", "unknown stance", false},
		{"an empty reply", sim.NoFault, says(""), "ok", quorum.ReasonEmpty, false},
		{"no answer", sim.NoFault, says("I would rather not say."), "ok", quorum.ReasonNoAnswer, true},
		{"a reply that breaks the charter", sim.NoFault, says(harm), "ok", quorum.ReasonCharter, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bad := member(t, "ZENITH", tt.behave)
			if tt.behave == nil {
				bad = simulated(t, "ZENITH", tt.fault)
			}
			r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", says("42")), bad, member(t, "JADE", says("41"))}})
			deadline := ""
			switch tt.fault {
			case sim.TooMany, sim.Unavailable, sim.Hang:
				deadline = `"deadlineMs":900,` // below the second that 429 and 503 ask to wait
			}
			d := r.ask(`{"prompt":"Six times seven?","kind":"number","wait":"all",` + deadline + `"context":{"tier":"high"},"include":["ballots","replies"]}`)
			if d.Status != "carried" || d.Value != "42" || d.Consensus.Votes != 2 || len(d.Dissent) != 1 {
				t.Errorf("the others' verdict: %+v", d)
			}
			b := ballot(t, d, "ZENITH")
			if b.Outcome != tt.outcome || b.Reason != tt.reason || b.Counted || b.Position != -1 || (b.Score >= 0) != tt.scored {
				t.Errorf("its ballot: %+v, want %s (%s)", b, tt.outcome, tt.reason)
			}
			if d.Consensus.Degraded != (tt.outcome != "ok") {
				t.Errorf("degraded is %v", d.Consensus.Degraded)
			}
			if tt.reason == quorum.ReasonCharter {
				if len(b.Violations) == 0 || !strings.Contains(harm[b.Violations[0].Start:b.Violations[0].End], "563-21-3271") || b.Score >= 7500 {
					t.Errorf("its violations: %+v", b)
				}
			}
			for _, id := range []string{"AUREA", "ATLAS", "JADE"} {
				if b := ballot(t, d, id); b.Outcome != "ok" || !b.Counted {
					t.Errorf("another's ballot: %+v", b)
				}
			}
			// An absentee never raises agreement: its weight stays in the denominator.
			if d.Consensus.Agreement >= d.Consensus.Share {
				t.Errorf("agreement %v, share %v", d.Consensus.Agreement, d.Consensus.Share)
			}
		})
	}
}

func TestACompanionThatIsNotThere(t *testing.T) {
	t.Parallel()
	ln := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	gone := member(t, "ZENITH", nil)
	gone.reach(t, "http://"+ln.Addr().String(), fanout.LineConfig{})
	ln.Close()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", says("42")), gone}})
	d := r.ask(`{"prompt":"Six times seven?","kind":"number","wait":"all"}`)
	if b := ballot(t, d, "ZENITH"); b.Outcome != "error" || b.Reason != "no connection" || b.Attempts != 2 || d.Status != "carried" || d.Value != "42" {
		t.Errorf("%+v", d)
	}
}

func TestABreakerOpensAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	bad := member(t, "ZENITH", fails(500))
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", says("42")), bad}})
	for range fanout.DefaultFailures {
		r.ask(`{"prompt":"Six times seven?","wait":"all"}`)
	}
	d := r.ask(`{"prompt":"Six times seven?","wait":"all"}`)
	if b := ballot(t, d, "ZENITH"); b.Outcome != "broken" || b.Reason != "its breaker is open" || d.Status != "carried" {
		t.Errorf("%+v", d)
	}
	if n := bad.count.Load(); n != fanout.DefaultFailures {
		t.Errorf("it was asked %d times", n)
	}
	if !strings.Contains(r.logs.String(), `"breaker moved"`) {
		t.Error("nobody was told")
	}
}

func TestABusyLineIsOurs(t *testing.T) {
	t.Parallel()
	slow := member(t, "ZENITH", nil)
	slow.line = must(fanout.NewLine(fanout.LineConfig{Companion: "ZENITH", Asker: echoes{}, PerSecond: 0.001, Burst: 1}))(t)
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", says("42")), slow}})
	r.ask(`{"prompt":"Six times seven?","wait":"all"}`)
	d := r.ask(`{"prompt":"Six times seven?","wait":"all"}`)
	if b := ballot(t, d, "ZENITH"); b.Outcome != "busy" || b.Attempts != 0 || d.Status != "carried" {
		t.Errorf("%+v", d)
	}
}

func TestWhenAllFailTheVerdictIsInquorateAndSaysWhy(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", fails(500)), simulated(t, "ATLAS", sim.Garbage), simulated(t, "ZENITH", sim.NotAuthorised), member(t, "JADE", says("Her SSN is 563-21-3271 and her card 4532756279624064."))}})
	for _, wait := range []string{"all", "decided", "likely"} {
		d := r.ask(`{"prompt":"Six times seven?","kind":"number","wait":"` + wait + `"}`)
		if d.Status != "inquorate" || d.Answer != "" || d.Value != "" || d.Decision != "" || d.Consensus.Votes != 0 {
			t.Errorf("%s: %+v", wait, d)
		}
		for id, reason := range map[string]string{"AUREA": "http 500", "ATLAS": "reply is not the agreed json", "ZENITH": "http 401", "JADE": quorum.ReasonCharter} {
			if b := ballot(t, d, id); b.Counted || b.Reason != reason {
				t.Errorf("%s: %+v, want %q", wait, b, reason)
			}
		}
		if again := r.get("/v1/deliberations/" + d.ID).deliberation(http.StatusOK); again.Status != "inquorate" {
			t.Errorf("read back as %s", again.Status)
		}
	}
}

func TestAnEmptyPanelIsInquorate(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "ECHO", says("42"))}})
	if d := r.ask(`{"prompt":"Six times seven?","context":{"tier":"high"}}`); d.Status != "inquorate" || len(d.Ballots) != 0 || d.Ballots == nil {
		t.Errorf("%+v", d)
	}
}
