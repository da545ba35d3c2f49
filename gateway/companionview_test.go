package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

// reliability of a companion as its page tells it: "kind/topic" to that entry.
func (r *rig) reliability(id string) map[string]reliabilityView {
	r.t.Helper()
	var page struct {
		ID, Status, Tier string
		VoteCounted      bool
		Weight           wire.PPM
		Chambers         []string
		Reliability      []reliabilityView
	}
	if resp := r.get("/api/companions/" + id); resp.status != http.StatusOK || json.Unmarshal(resp.body, &page) != nil || page.ID != id {
		r.t.Fatalf("%s: %d %s", id, resp.status, resp.body)
	}
	if page.Status != "active" || !page.VoteCounted || page.Tier == "" || page.Weight == 0 || len(page.Chambers) == 0 {
		r.t.Errorf("%+v", page)
	}
	out := make(map[string]reliabilityView)
	for _, e := range page.Reliability {
		out[e.Kind+"/"+e.Topic] = e
	}
	if len(out) != len(page.Reliability) {
		r.t.Errorf("a cell twice: %+v", page.Reliability)
	}
	return out
}

func TestACompanionsPageShowsItsReliability(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, adds(0), adds(6), adds(0))})
	fresh := r.reliability("ATLAS")
	if len(fresh) != 7 || fresh["number/"] != (reliabilityView{Kind: "number", P: 800_000}) || fresh["code/"].P != 800_000 {
		t.Errorf("without evidence: %+v", fresh)
	}
	// One whole panel that agrees is one soft outcome, and weighs half of one.
	r.ask(`{"prompt":"What is 40 + 2?","kind":"number","wait":"all"}`)
	if got, want := r.reliability("ATLAS")["number/"], (reliabilityView{Kind: "number", P: 809_523, Soft: counts{1_000_000, 1_000_000}}); got != want { // (8 + ½) / (10 + ½)
		t.Errorf("after an agreement: %+v, want %+v", got, want)
	}
	r.calibrated(append(sums(0, 20, ""), sums(20, 10, `,"topic":"sums"`)...)...)
	got := r.reliability("ATLAS")
	for name, want := range map[string]reliabilityView{
		"number/":     {"number", "", 800_000, counts{24_000_000, 30_000_000}, counts{1_000_000, 1_000_000}}, // (8 + 24) / 40
		"number/sums": {"number", "sums", 900_000, counts{10_000_000, 10_000_000}, counts{}},                 // (8 + 10) / 20
		"vote/":       {Kind: "vote", P: 800_000},
	} {
		if got[name] != want {
			t.Errorf("%s: %+v, want %+v", name, got[name], want)
		}
	}
	if body := string(r.get("/api/companions/ATLAS").body); !strings.Contains(body, `{"kind":"number","topic":"sums","p":0.9,"labelled":{"right":10.0,"seen":10.0},"soft":{"right":0.0,"seen":0.0}}`) {
		t.Errorf("%s", body)
	}
	r.get("/api/companions/NOBODY").failure(http.StatusNotFound, wire.NotFound)
}
