package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

const escalated = `{"prompt":"Six times seven?","kind":"number","escalate":true,"wait":"all",` + inFull

// times is how often each companion was asked.
func times(panel []*companion) string {
	var list []string
	for _, c := range panel {
		list = append(list, fmt.Sprintf("%s %d", c.ID, c.count.Load()))
	}
	return strings.Join(list, ", ")
}

func TestAQuestionIsPutToAFewFirst(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		panel  []behaviour
		more   string
		asked  string
		value  string
		status string
		told   wire.Panel
	}{
		{"two who agree are enough", []behaviour{says("42"), says("42"), says("41"), says("41"), says("41")}, "",
			"AUREA 1, ATLAS 1, ZENITH 0, JADE 0, SOLARA 0", "42", "carried", wire.Panel{Eligible: 5, Asked: 2}},
		{"where two differ, twice as many are asked", []behaviour{says("42"), says("41"), says("42"), says("42"), says("43")}, "",
			"AUREA 1, ATLAS 1, ZENITH 1, JADE 1, SOLARA 1", "42", "carried", wire.Panel{Eligible: 5, Asked: 5, Widened: true}},
		{"one who fails leaves it open, and is not asked again", []behaviour{says("42"), fails(http.StatusBadRequest), says("42"), says("42"), says("42")}, "",
			"AUREA 1, ATLAS 1, ZENITH 1, JADE 1, SOLARA 0", "42", "carried", wire.Panel{Eligible: 5, Asked: 4, Widened: true}},
		{"the limits hold for the widest panel", []behaviour{says("42"), says("41"), says("42"), says("42"), says("42")}, `,"maxCompanions":3`,
			"AUREA 1, ATLAS 1, ZENITH 1, JADE 0, SOLARA 0", "42", "carried", wire.Panel{Eligible: 5, Asked: 3, Widened: true}},
		{"without it, all are", []behaviour{says("42"), says("42"), says("42")}, ``,
			"AUREA 1, ATLAS 1, ZENITH 1", "42", "carried", wire.Panel{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{panel: panelOf(t, tt.panel...)})
			body := escalated + tt.more + `}`
			if tt.told == (wire.Panel{}) {
				body = strings.Replace(body, `"escalate":true,`, "", 1)
			}
			d := r.ask(body)
			if d.Status != tt.status || d.Value != tt.value || times(r.panel) != tt.asked {
				t.Errorf("%s with %q, asked %s, want %s", d.Status, d.Value, times(r.panel), tt.asked)
			}
			if tt.told.ExpectedCost = d.Panel.ExpectedCost; d.Panel != tt.told || (d.Panel != wire.Panel{}) != (d.Panel.ExpectedCost > 0) {
				t.Errorf("told of %+v, want %+v", d.Panel, tt.told)
			}
			if want := max(tt.told.Asked, 0); want > 0 && len(d.Ballots) != want {
				t.Errorf("%d ballots, want %d", len(d.Ballots), want)
			}
			for _, b := range d.Ballots {
				if b.Outcome == "ok" && b.Usage.OutputTokens != 120 {
					t.Errorf("%s: usage %+v", b.Companion, b.Usage)
				}
			}
			r.again(d) // and the audit of the ledger, when the test ends
		})
	}
}

// A part of the panel waits for all of itself unless it agrees: nobody is asked and
// paid twice because the others' words made an early end.
func TestNobodyIsAskedTwice(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("41"), says("43"), held, says("42"))})
	answer := r.posting(strings.Replace(escalated, `"wait":"all"`, `"wait":"decided"`, 1) + `}`)
	r.panel[3].next(t).says("44") // the last of the four that are asked in the second place
	d := within(t, "the answer", answer).deliberation(http.StatusOK)
	if d.Panel.Asked != 5 {
		t.Errorf("%+v", d.Panel)
	}
	for _, c := range r.panel {
		if n := c.count.Load(); n > 1 {
			t.Errorf("%s was asked %d times", c.ID, n)
		}
	}
}

// Open text is never carried; asking more than a few changes nothing.
func TestOpenTextIsPutToAFewOnly(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says(poem("the sea")), says(poem("a mountain")), says(poem("rain")), says(poem("salt")), says(poem("wind")))})
	d := r.ask(`{"prompt":"Write about something you love.","kind":"text","escalate":true,"include":["ballots"]}`)
	if d.Status != "contested" || len(d.Ballots) != 3 || d.Panel.Asked != 3 || d.Panel.Widened {
		t.Errorf("%s by %d ballots, %+v", d.Status, len(d.Ballots), d.Panel)
	}
}

func poem(about string) string {
	var b strings.Builder
	for i := range 60 {
		fmt.Fprintf(&b, "Sentence %d on %s says %s%d and little else. ", i, about, about, i*i)
	}
	return b.String()
}

// Who listens to a stream hears of each panel, and of each ballot once.
func TestAStreamTellsOfTheWiderPanel(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("41"), says("42"), says("42"))})
	events, _ := r.hear("/v1/deliberate", escalated+`}`).rest()
	var panels []string
	heard := map[string]int{}
	for _, e := range events {
		switch e.name {
		case "asked":
			panels = append(panels, strings.Join(into[wire.Asked](t, e.data).Companions, " "))
		case "ballot":
			heard[into[wire.Heard](t, e.data).Companion]++
		}
	}
	if got := strings.Join(panels, "; "); got != "AUREA ATLAS; AUREA ATLAS ZENITH JADE" {
		t.Errorf("asked %s", got)
	}
	if got := fmt.Sprint(heard); got != "map[ATLAS:1 AUREA:1 JADE:1 ZENITH:1]" {
		t.Errorf("ballots of %s", got)
	}
}

// The best panel for some money is not always that of the best.
func TestWhoIsAskedForLittleMoney(t *testing.T) {
	t.Parallel()
	panel := panelOf(t, says("42"), says("42"), says("42"), says("42"), says("42"))
	panel[0].Price = quorum.Price{Input: 1000, Output: 40_000} // 20 times what the others cost
	r := start(t, setup{panel: panel})
	ask := func(money int) wire.Panel {
		t.Helper()
		d := r.ask(fmt.Sprintf(`{"prompt":"Six times seven?","kind":"number","wait":"all","maxCostMicroUsd":%d}`, money))
		if d.Panel.ExpectedCost > int64(money) {
			t.Errorf("for %d, a panel of %d", money, d.Panel.ExpectedCost)
		}
		return d.Panel
	}
	// AUREA alone would cost 20,000: four others say more, and can carry it.
	if p := ask(20_500); p.Asked != 4 || times(r.panel) != "AUREA 0, ATLAS 1, ZENITH 1, JADE 1, SOLARA 1" {
		t.Errorf("%+v: %s", p, times(r.panel))
	}
	if p := ask(60_000); p.Asked != 5 || p.Eligible != 5 {
		t.Errorf("with enough: %+v", p)
	}
	if p := ask(2_100); p.Asked != 2 {
		t.Errorf("for two: %+v", p)
	}
}
