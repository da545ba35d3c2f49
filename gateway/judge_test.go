package gateway

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

const judged = `{"prompt":"Six times seven?","kind":"number","judge":"ZENITH",` + inFull

func TestAJudgeChoosesWhatLeadsAContestedDeliberation(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("41"), turns(says("As ZENITH: 40"), takes("41")))})
	d := r.ask(judged + `}`)
	if d.Status != "contested" || d.Value != "41" || d.Answer != "41" || d.Consensus.Confidence != wire.None || d.Consensus.Votes != 1 {
		t.Errorf("%s with %s: %+v", d.Status, d.Value, d.Consensus)
	}
	j := d.Judge
	if j == nil || j.Companion != "ZENITH" || j.Outcome != "ok" || j.Reason != "" || j.Shown != 3 || j.Chosen != 0 || !j.Changed || j.Score != 10_000 || !strings.HasPrefix(j.Reply, "The best is") {
		t.Fatalf("judge %+v", j)
	}
	if len(d.Positions) != 3 || d.Positions[0].Answer != "41" || d.Positions[1].Answer != "42" || !slices.Equal(d.Positions[0].Companions, []string{"ATLAS"}) ||
		ballot(t, d, "ATLAS").Position != 0 || ballot(t, d, "AUREA").Position != 1 {
		t.Errorf("positions %+v", d.Positions)
	}
	if d.Usage != (wire.Usage{InputTokens: 4 * 31, OutputTokens: 4 * 120, CostMicroUSD: 4 * 271}) || j.Usage.CostMicroUSD != 271 {
		t.Errorf("usage %+v, of the judge %+v", d.Usage, j.Usage)
	}
	r.again(d)
	if opened := r.disclosure(r.get(d.Proof.Receipt + "?open=judge")).Opened; len(opened) != 1 || opened[0].Text != j.Reply {
		t.Errorf("the receipt opens %+v", opened)
	}

	// What it was shown is told by the record alone, and names nobody.
	r.panel[2].next(t)
	c := r.panel[2].next(t)
	for _, name := range []string{"AUREA", "ATLAS", "ZENITH", "model", "openai", "anthropic", "google", "%"} {
		if strings.Contains(string(c.body), name) {
			t.Errorf("the judge is told %s: %s", name, c.body)
		}
	}
	p := r.proof(d.ID)
	ballots := make([]quorum.Ballot, len(p.Ballots))
	for i := range ballots {
		ballots[i] = p.Ballots[i].Ballot
	}
	q := p.Question()
	rules := r.book.Policy(p.Policy)
	show, why := rules.Hear(p.ID, &q, ballots, rules.Decide(&q, ballots)).JudgeWanted()
	var values []string
	for _, line := range strings.Split(c.prompt(t), "\n") {
		if value, ok := strings.CutPrefix(line, quoteMark); ok {
			values = append(values, value[len(value)-2:])
		}
	}
	for i, want := range show {
		if said := []string{"42", "41", "40"}[want.Seat]; why != "" || len(values) != 3 || values[i] != said {
			t.Errorf("place %d of %q shows %v, the record says %s", i, values, want, said)
		}
	}
}

func TestAJudgeThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name            string
		judge           behaviour
		more            string
		outcome, reason string
	}{
		{"an error", fails(500), ``, "error", "http 500"},
		{"a refusal", fails(403), ``, "refused", "http 403"},
		{"too late", hangs, `,` + laterDeadline, "late", "no answer before the deadline"},
		{"nonsense", says("Purple monkeys dance on a table"), ``, "ok", quorum.ReasonNoAnswer},
		{"a letter that was not shown", says(`{"answer":"Q"}`), ``, "ok", quorum.ReasonNoAnswer},
		{"another answer than those", says(`{"answer":"43"}`), ``, "ok", quorum.ReasonNoAnswer},
		{"two letters", says(`{"answer":"A"} {"answer":"B"}`), ``, "ok", quorum.ReasonAmbiguous},
		{"below the charter's minimum", says(`{"answer":"B"} ` + breaksCharter), ``, "ok", quorum.ReasonCharter},
		{"an empty reply", says(""), ``, "ok", quorum.ReasonEmpty},
		{"no money", says(`{"answer":"B"}`), `,"maxCostMicroUsd":3100`, "busy", quorum.ReasonNoMoney},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			long := sends(`{"response":"41","usage":{"inputTokens":31,"outputTokens":2000}}`)
			r := start(t, setup{panel: panelOf(t, says("42"), long, turns(says("40"), tt.judge))})
			d := r.ask(judged + tt.more + `}`)
			j := d.Judge
			if j == nil || j.Outcome != tt.outcome || j.Reason != tt.reason || j.Chosen != -1 || j.Changed || (j.Shown == 3) != (tt.outcome == "ok") {
				t.Errorf("judge %+v", j)
			}
			if d.Status != "contested" || d.Value != "42" || d.Consensus.Confidence == wire.None {
				t.Errorf("%s with %s: %+v", d.Status, d.Value, d.Consensus)
			}
			r.again(d)
		})
	}
}

func TestWhenNoJudgeIsAsked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		panel  []behaviour
		body   string
		reason string
	}{
		{"the panel is sure", []behaviour{says("42"), says("42"), says("42")}, judged + `,"wait":"all"`, quorum.ReasonSettled},
		{"no answer has authority", []behaviour{says("42"), fails(500), fails(500)}, judged + `,"wait":"all"`, quorum.ReasonNoAuthority},
		{"an operation", []behaviour{votes("approve"), votes("reject"), votes("reject")}, `{"prompt":"Mint?","operation":"domain.seal","judge":"AUREA","wait":"all",` + inFull, quorum.ReasonByPanel},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{panel: panelOf(t, tt.panel...)})
			d := r.ask(tt.body + `}`)
			if j := d.Judge; j == nil || j.Outcome != "unneeded" || j.Reason != tt.reason || j.Shown != 0 || j.Attempts != 0 || j.Usage != (wire.Usage{}) {
				t.Errorf("judge %+v", j)
			}
			for _, c := range r.panel {
				if n := c.count.Load(); n != 1 {
					t.Errorf("%s was asked %d times", c.ID, n)
				}
			}
			r.again(d)
		})
	}
}

// What is carried stays carried; a judge's other view of it is on record.
func TestAJudgeOverturnsNothingThatWasCarried(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"), turns(says("40"), takes("40"))),
		policy: func(p *quorum.Policy) { p.Deliberation = quorum.FurtherPolicy{Judge: "ZENITH", JudgeUnder: quorum.One} }})
	d := r.ask(`{"prompt":"Six times seven?","kind":"number","wait":"all",` + inFull + `}`)
	if d.Status != "carried" || d.Value != "42" || d.Consensus.Confidence == wire.None || d.Judge == nil || d.Judge.Chosen != 1 || d.Judge.Changed {
		t.Errorf("%s with %s, judge %+v", d.Status, d.Value, d.Judge)
	}
	r.again(d)
}

// What a second round cost is not there for the judge.
func TestASecondRoundMayUseUpTheMoney(t *testing.T) {
	t.Parallel()
	long := func(answer string) behaviour {
		return sends(`{"response":"` + answer + `","usage":{"inputTokens":31,"outputTokens":1500}}`)
	}
	r := start(t, setup{panel: panelOf(t, turns(says("42"), long("42")), turns(says("41"), long("41")), turns(says("40"), long("40")))})
	d := r.ask(judged + `,"rounds":2,"maxCostMicroUsd":9000}`)
	if d.Rounds.Held != 2 || d.Judge.Outcome != "busy" || d.Judge.Reason != quorum.ReasonNoMoney || d.Usage.CostMicroUSD > 3*271+3*3031 {
		t.Errorf("rounds %+v, judge %+v", d.Rounds, d.Judge)
	}
	r.again(d)
}

func TestAJudgeAfterASecondRound(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"number", "text"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			first, second, third := "42", "41", "40"
			panel := panelOf(t, turns(says(first), says("42 still")), turns(says(second), says("41 still")), turns(says(third), says("40 still"), takes("41 still")))
			if kind == "text" {
				first, second, third = inParis, inLisbon, inGeneva
				panel = panelOf(t, turns(says(first), takes(first)), turns(says(second), takes(second)), turns(says(third), takes(third), takes(second)))
			}
			r := start(t, setup{panel: panel})
			d := r.ask(`{"prompt":"Where or what?","kind":"` + kind + `","rounds":2,"judge":"ZENITH",` + inFull + `}`)
			want := second
			if kind == "number" {
				want = "41 still"
			}
			if d.Status != "contested" || d.Answer != want || !d.Judge.Changed || d.Judge.Chosen != 0 || d.Rounds.Held != 2 {
				t.Errorf("%s with %q: %+v %+v", d.Status, d.Answer, d.Judge, d.Rounds)
			}
			if b := d.Rounds.Ballots; len(b) != 3 || b[1].Position != 0 || b[0].Position == 0 || b[0].Moved || b[1].Moved || b[2].Moved {
				t.Errorf("second ballots %+v", b)
			}
			if !slices.Equal(d.Positions[0].Companions, []string{"ATLAS"}) {
				t.Errorf("positions %+v", d.Positions)
			}
			r.again(d)
		})
	}
}

func TestWhoIsAskedToServeMustBeThere(t *testing.T) {
	t.Parallel()
	panel := append(panelOf(t, says("42"), says("41"), says("40"), says("42"), says("42")), shadows(t, says("42"))...)
	r := start(t, setup{panel: panel})
	shadow := string(panel[5].ID)
	for _, tt := range []struct {
		name, more, field, problem string
	}{
		{"nobody of that name", `"judge":"GHOST"`, "judge", "GHOST is no active companion that may sit at tier standard in thought-broker"},
		{"a shadow", `"synthesis":"` + shadow + `"`, "synthesis", shadow + " is no active companion"},
		{"below the tier's floor", `"judge":"SOLARA","context":{"tier":"high"}`, "judge", "SOLARA is no active companion that may sit at tier high"},
		{"below the chamber's floor", `"synthesis":"SOLARA","context":{"chamber":"genesis-dome"}`, "synthesis", "in genesis-dome"},
		{"no companion's name", `"judge":"aurea"`, "judge", "want a companion's id"},
		{"three rounds", `"rounds":3`, "rounds", "want a number from 1 to 2"},
		{"no round", `"rounds":0`, "rounds", "want a number from 1 to 2"},
	} {
		e := r.post(`{"prompt":"Six times seven?",`+tt.more+`}`).failure(http.StatusBadRequest, wire.InvalidValue)
		if len(e.Details) != 1 || e.Details[0].Field != tt.field || !strings.Contains(e.Details[0].Problem, tt.problem) {
			t.Errorf("%s: %+v", tt.name, e)
		}
	}
	for _, c := range r.panel {
		if n := c.count.Load(); n != 0 {
			t.Errorf("%s was asked", c.ID)
		}
	}
}

func TestThePolicySwitchesStepsOnAndARequestOff(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("41"), says("40"), says("39")), policy: func(p *quorum.Policy) {
		p.Deliberation = quorum.FurtherPolicy{Rounds: 2, Judge: "GHOST", Synthesis: "GHOST", Tiers: []quorum.Tier{quorum.High}}
	}})
	d := r.ask(`{"prompt":"Six times seven?","kind":"number"}`)
	if d.Rounds != nil || d.Judge != nil || d.Synthesis != nil {
		t.Errorf("at another tier: %+v %+v %+v", d.Rounds, d.Judge, d.Synthesis)
	}
	d = r.ask(`{"prompt":"Six times seven?","kind":"number","context":{"tier":"high"},` + inFull + `}`)
	if d.Rounds == nil || d.Rounds.Held != 2 || d.Judge == nil || d.Judge.Reason != quorum.ReasonNoMember || d.Judge.Outcome != "error" || d.Synthesis == nil || d.Synthesis.Reason != quorum.ReasonNoMember {
		t.Errorf("at its tier: %+v %+v %+v", d.Rounds, d.Judge, d.Synthesis)
	}
	r.again(d)
	d = r.ask(`{"prompt":"Six times seven?","kind":"number","context":{"tier":"high"},"rounds":1,"judge":"none","synthesis":"none"}`)
	if d.Rounds != nil || d.Judge != nil || d.Synthesis != nil {
		t.Errorf("where the request says none: %+v %+v %+v", d.Rounds, d.Judge, d.Synthesis)
	}
}
