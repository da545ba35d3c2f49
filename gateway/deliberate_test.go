package gateway

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store/ledger"
)

// guideRequest is the onboarding guide's, as it stands there.
const guideRequest = `{
"prompt": "...",
"context": {
"tier": "standard",
"chamber": "thought-broker",
"cycle": "C-114"
}
}`

func TestTheGuidesRequestHasEveryFieldOfTheAnswer(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"), says("42"), says("41"),
		sends(saying("response", "42", "confidence", "0.75", "rationale", "six times seven")))})
	resp := r.post(guideRequest)
	d := resp.deliberation(http.StatusOK)

	// The members that DESIGN §9 shows, at every level.
	var members map[string]any
	if err := json.Unmarshal(resp.body, &members); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                "answer ballots cached consensus decision dissent id positions proof status timing usage value",
		"consensus":       "agreement agreementIsBound confidence degraded flipsByTier kind required share votes",
		"positions[]":     "answer companions share",
		"dissent[]":       "answer companions share winsBy",
		"ballots[]":       "attempts companion confidence counted latencyMs model outcome position provider reason score stance tier tierWeight usage violations weight",
		"ballots[].usage": "costMicroUsd inputTokens outputTokens",
		"usage":           "costMicroUsd inputTokens outputTokens",
		"timing":          "overheadMs totalMs waitMs",
		"proof":           "index leafHash receipt",
	} {
		if got := strings.Join(membersAt(members, path), " "); got != want {
			t.Errorf("%q has members %s\nwant %s", path, got, want)
		}
	}
	if !strings.HasPrefix(d.ID, "dlb_") || d.Status != "carried" || d.Answer != "42" || d.Value != "42" || d.Cached {
		t.Errorf("%s is %s, answer %q, value %q, cached %v", d.ID, d.Status, d.Answer, d.Value, d.Cached)
	}
	c := d.Consensus
	if c.Kind != "number" || c.Votes != 4 || c.Required != 2 || c.AgreementIsBound || c.Degraded || c.FlipsByTier ||
		c.Agreement <= 500_000 || c.Agreement != c.Share || c.Confidence <= 500_000 {
		t.Errorf("consensus %+v", c)
	}
	if got := d.Positions; len(got) != 2 || got[0].Answer != "42" || !slices.Equal(got[0].Companions, []string{"AUREA", "ATLAS", "ZENITH", "SOLARA"}) ||
		got[1].Answer != "41" || got[0].Share+got[1].Share < 999_999 {
		t.Errorf("positions %+v", got)
	}
	if got := d.Dissent; len(got) != 1 || got[0].Answer != "41" || !slices.Equal(got[0].Companions, []string{"JADE"}) || got[0].WinsBy != "" {
		t.Errorf("dissent %+v", got)
	}
	if got := outcomes(d); got != "AUREA ok, ATLAS ok, ZENITH ok, JADE ok, SOLARA ok" {
		t.Errorf("outcomes %s", got)
	}
	solara := ballot(t, d, "SOLARA")
	want := wire.Ballot{Companion: "SOLARA", Provider: "kaizen", Model: "said-model", Tier: "standard", Weight: solara.Weight, TierWeight: 700_000,
		Outcome: "ok", Counted: true, Score: 10_000, Violations: []wire.Violation{}, Confidence: 750_000, LatencyMs: solara.LatencyMs, Attempts: 1,
		Usage: wire.Usage{InputTokens: 31, OutputTokens: 120, CostMicroUSD: 271}}
	if got, err := json.Marshal(solara); err != nil || string(got) != string(must(json.Marshal(want))(t)) {
		t.Errorf("ballot %s", got)
	}
	if aurea := ballot(t, d, "AUREA"); aurea.Weight != 1_000_000 || aurea.Confidence != wire.None || solara.Weight >= aurea.Weight {
		t.Errorf("AUREA weighs %v beside %v, states confidence %v", aurea.Weight, solara.Weight, aurea.Confidence)
	}
	if d.Usage != (wire.Usage{InputTokens: 155, OutputTokens: 600, CostMicroUSD: 1355}) {
		t.Errorf("usage %+v", d.Usage)
	}
	if tm := d.Timing; tm.Wait <= 0 || tm.Overhead <= 0 || tm.Total != tm.Wait+tm.Overhead {
		t.Errorf("timing %+v", tm)
	}
	if d.Proof.Index != r.ledger.Size()-1 || d.Proof.Receipt != "/v1/deliberations/"+d.ID+"/receipt" {
		t.Errorf("proof %+v of a ledger of %d", d.Proof, r.ledger.Size())
	}
}

// membersAt are the names of the members at path: "a[].b" is member b of the
// first element of a.
func membersAt(v any, path string) []string {
	if path != "" {
		for name := range strings.SplitSeq(path, ".") {
			name, element := strings.CutSuffix(name, "[]")
			object, _ := v.(map[string]any)
			v = object[name]
			if list, ok := v.([]any); element && ok && len(list) > 0 {
				v = list[0]
			}
		}
	}
	object, _ := v.(map[string]any)
	return slices.Sorted(maps.Keys(object))
}

func TestTheCompanionIsAskedAsTheProtocolSays(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	d := r.ask(`{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Six times seven?"}],
		"context":{"tier":"high","chamber":"citizen-shield","cycle":"C-115"},"kind":"choice","options":["41","42"],"deadlineMs":9000}`)
	c := r.panel[0].next(t)
	var got struct {
		DeliberationID, Prompt, Kind string
		Messages                     []struct{ Role, Content string }
		Context                      struct{ Tier, Chamber, Cycle string }
		Options                      []string
		DeadlineMs                   int64
	}
	if err := json.Unmarshal(c.body, &got); err != nil {
		t.Fatal(err)
	}
	if got.DeliberationID != d.ID || got.Prompt == "" || got.Kind != "choice" || len(got.Messages) != 2 || got.Messages[0].Role != "system" ||
		got.Messages[1].Content != "Six times seven?" || got.Context.Tier != "high" || got.Context.Chamber != "citizen-shield" || got.Context.Cycle != "C-115" ||
		!slices.Equal(got.Options, []string{"41", "42"}) || got.DeadlineMs < 1 || got.DeadlineMs > 9000 {
		t.Errorf("asked %s", c.body)
	}
}

func TestBallotsComeInRosterOrderWhateverOrderRepliesCameIn(t *testing.T) {
	t.Parallel()
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		r := start(t, setup{panel: panelOf(t, held, held, held)})
		answered := r.posting(`{"prompt":"Which?","kind":"number","wait":"all"}`)
		calls := []*call{r.panel[0].next(t), r.panel[1].next(t), r.panel[2].next(t)}
		for _, i := range order {
			calls[i].says([]string{"1", "2", "3"}[i])
		}
		d := within(t, "the answer", answered).deliberation(http.StatusOK)
		if got := outcomes(d); got != "AUREA ok, ATLAS ok, ZENITH ok" {
			t.Errorf("order %v: %s", order, got)
		}
		for i, want := range []string{"1", "2", "3"} {
			if at := d.Ballots[i].Position; at < 0 || d.Positions[at].Answer != want {
				t.Errorf("order %v: ballot %d is in position %d of %+v", order, i, at, d.Positions)
			}
		}
	}
}

func TestADeliberationIsReadBackAsItWasAnswered(t *testing.T) {
	t.Parallel()
	for kind, said := range map[string][]behaviour{
		"number": {says("42"), says("42"), says("41"), fails(500)},
		"vote":   {votes("approve"), votes("approve"), votes("reject"), votes("abstain")},
		"choice": {says("B"), says("B"), says("A"), says("C")},
		"text":   {says("Paris is the capital city of France."), says("The capital city of France is Paris."), says("Bananas grow on tall plants."), says("Lyon lies on the river Rhone.")},
		"code":   {says("func f() int { return 1 }"), says("func f() int { return 2 }"), fails(500), says("x")},
		"auto":   {says("42"), says("42"), says("42"), says("17")},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{panel: panelOf(t, said...), clients: []Client{client("ann", "key-of-ann"), client("bob", "key-of-bob")}})
			body := `{"prompt":"What of it?","kind":"` + kind + `","wait":"all","include":["ballots","positions","replies"]}`
			d := r.ask(body, "Authorization", "Bearer key-of-ann")
			again := r.get("/v1/deliberations/"+d.ID, "Authorization", "Bearer key-of-ann").deliberation(http.StatusOK)

			// What was timed after the record was written cannot be in the record.
			again.Timing = d.Timing
			if got, want := string(again.AppendTo(nil)), string(d.AppendTo(nil)); got != want {
				t.Errorf("read back\n%s\nanswered\n%s", got, want)
			}
			for _, key := range []string{"key-of-bob", stewardKey} {
				other := r.get("/v1/deliberations/"+d.ID, "Authorization", "Bearer "+key).deliberation(http.StatusOK)
				if key == stewardKey {
					if other.Answer != d.Answer || other.Ballots[0].Reply != d.Ballots[0].Reply {
						t.Errorf("the steward does not see the texts: %+v", other)
					}
					continue
				}
				want := *d
				bare(&want)
				other.Timing = want.Timing
				if got, want := string(other.AppendTo(nil)), string(want.AppendTo(nil)); got != want {
					t.Errorf("another key reads\n%s\nwant\n%s", got, want)
				}
			}
		})
	}
}

// bare takes away from d what only its owner may see.
func bare(d *wire.Deliberation) {
	d.Answer, d.Value = "", ""
	d.Positions, d.Dissent, d.Ballots = slices.Clone(d.Positions), slices.Clone(d.Dissent), slices.Clone(d.Ballots)
	for i := range d.Positions {
		d.Positions[i].Answer = ""
	}
	for i := range d.Dissent {
		d.Dissent[i].Answer = ""
	}
	for i := range d.Ballots {
		d.Ballots[i].Reply, d.Ballots[i].Rationale = "", ""
	}
}

func TestRepliesAreGivenOnlyWhenAskedFor(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, sends(saying("response", "42", "rationale", "because")), says("42"))})
	for include, want := range map[string][3]bool{ // ballots, positions, replies
		`["replies"]`:             {true, false, true},
		`["ballots","positions"]`: {true, true, false},
		`["positions"]`:           {false, true, false},
		`["positions","replies"]`: {true, true, true},
		`[]`:                      {},
	} {
		resp := r.post(`{"prompt":"Six times seven?","include":` + include + `}`)
		d := resp.deliberation(http.StatusOK)
		got := [3]bool{d.Ballots != nil, d.Positions != nil, len(d.Ballots) > 0 && d.Ballots[0].Reply == "42" && d.Ballots[0].Rationale == "because"}
		if include == `[]` { // the same as left out
			want = [3]bool{true, true, false}
			if got != want && got != [3]bool{} {
				t.Errorf("include %s gives %v", include, got)
			}
			continue
		}
		if got != want || !want[2] && strings.Contains(string(resp.body), "because") {
			t.Errorf("include %s gives %v: %s", include, got, resp.body)
		}
	}
}

func TestTheReceiptVerifiesOffline(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42")), clients: []Client{client("ann", "key-of-ann"), client("bob", "key-of-bob")}})
	d := r.ask(guideRequest, "Authorization", "Bearer key-of-ann")
	for range 3 { // so that the path has something in it
		r.ask(guideRequest, "X-Api-Key", "key-of-bob")
	}
	verifier := must(note.NewVerifier(strings.TrimSpace(string(r.get("/ledger/key").body))))(t)
	leaf := must(r.ledger.Entry(d.Proof.Index))(t)
	hash := quorum.LeafHash(leaf)
	if d.Proof.LeafHash != base64.StdEncoding.EncodeToString(hash[:]) {
		t.Errorf("leaf hash %s is not the entry's", d.Proof.LeafHash)
	}
	for _, key := range []string{"key-of-ann", stewardKey} {
		resp := r.get(d.Proof.Receipt, "Authorization", "Bearer "+key)
		if resp.status != http.StatusOK || !strings.HasPrefix(resp.header.Get("Content-Type"), "text/plain") {
			t.Errorf("receipt: status %d, %s", resp.status, resp.header)
		}
		receipt := must(ledger.ParseProof(resp.body))(t)
		checkpoint, err := receipt.Verify(leaf, verifier)
		if err != nil || receipt.Index != d.Proof.Index || checkpoint.Size <= receipt.Index {
			t.Errorf("receipt of %d under %+v: %v", receipt.Index, checkpoint, err)
		}
		if _, err := receipt.Verify(append(leaf[:len(leaf):len(leaf)], ' '), verifier); err == nil {
			t.Error("the receipt verifies for other bytes too")
		}
	}
	r.get(d.Proof.Receipt, "Authorization", "Bearer key-of-bob").failure(http.StatusNotFound, wire.NotFound)
}

func TestTheListIsTheCallersOwnNewestFirst(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42")), clients: []Client{client("ann", "key-of-ann"), client("bob", "key-of-bob")}})
	var own []string
	for range 3 {
		own = append([]string{r.ask(guideRequest, "X-Api-Key", "key-of-ann").ID}, own...)
		r.ask(guideRequest, "X-Api-Key", "key-of-bob")
	}
	list := func(query string) []string {
		t.Helper()
		var out struct{ Deliberations []string }
		resp := r.get("/v1/deliberations"+query, "X-Api-Key", "key-of-ann")
		if err := json.Unmarshal(resp.body, &out); err != nil || resp.status != http.StatusOK {
			t.Errorf("list: %d %s", resp.status, resp.body)
		}
		return out.Deliberations
	}
	if got := list(""); !slices.Equal(got, own) {
		t.Errorf("list %q, want %q", got, own)
	}
	if got := list("?limit=1"); !slices.Equal(got, own[:1]) {
		t.Errorf("limit 1: %q", got)
	}
	if got := list("?limit=2&before=" + own[0]); !slices.Equal(got, own[1:]) {
		t.Errorf("before the newest: %q", got)
	}
	if got := list("?before=" + own[2]); got == nil || len(got) != 0 {
		t.Errorf("before the first: %q", got)
	}
	for _, limit := range []string{"0", "101", "-1", "x"} {
		e := r.get("/v1/deliberations?limit="+limit, "X-Api-Key", "key-of-ann").failure(http.StatusBadRequest, wire.InvalidValue)
		if len(e.Details) != 1 || e.Details[0].Field != "limit" {
			t.Errorf("limit %q: %+v", limit, e)
		}
	}
}

func TestWhatAnybodyMayRead(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"), says("42"), says("42")), clients: []Client{client("ann", "key-of-ann")}})

	resp := r.get("/policy")
	p, err := quorum.ParsePolicy(resp.body)
	if err != nil || p.Digest() != r.settings.Policy.Digest() {
		t.Errorf("policy: %v", err)
	} else if digest := p.Digest(); resp.header.Get("ETag") != `"`+hex.EncodeToString(digest[:])+`"` {
		t.Errorf("policy's ETag is %s", resp.header.Get("ETag"))
	}

	var charter struct {
		Version, Digest string
		Clauses         []struct {
			Number int
			Name   string
		}
		Rules []struct {
			ID       string
			Clause   int
			Severity float64
			Why      string
		}
		NotAssessed []string
	}
	if err := json.Unmarshal(r.get("/charter").body, &charter); err != nil {
		t.Fatal(err)
	}
	if len(charter.Clauses) != 7 || charter.Clauses[6].Number != 7 || charter.Clauses[6].Name == "" || len(charter.Rules) < 20 || charter.Rules[0].Why == "" ||
		charter.Rules[0].Severity <= 0 || charter.Rules[0].Severity >= 1 || charter.Version == "" || len(charter.Digest) != 64 || len(charter.NotAssessed) == 0 {
		t.Errorf("charter %+v", charter)
	}

	if got := string(r.get("/health").body); got != `{"status":"healthy","latency":0}` {
		t.Errorf("health %s", got)
	}

	resp = r.get("/ledger/checkpoint")
	verifier := must(note.NewVerifier(strings.TrimSpace(string(r.get("/ledger/key").body))))(t)
	checkpoint, err := ledger.ParseCheckpoint(resp.body, verifier)
	if err != nil || checkpoint.Size != 5 || checkpoint.Origin != origin { // the policy and four companions
		t.Errorf("checkpoint %+v: %v", checkpoint, err)
	}

	for _, path := range []string{"/policy", "/charter", "/health", "/ready"} {
		if resp := r.get(path); resp.status != http.StatusOK || resp.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: status %d, %s", path, resp.status, resp.header.Get("Content-Type"))
		}
	}
}

func TestReadyTellsWhichTierStandsOnOneVendor(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ZENITH", says("42")), member(t, "JADE", says("42")), member(t, "SOLARA", says("42"))}})
	var ready wire.Ready
	if err := ready.Decode(r.get("/ready").body); err != nil {
		t.Fatal(err)
	}
	want := []wire.TierReady{{Tier: "research", Quorum: true, WithoutAnyVendor: true}, {Tier: "standard", Quorum: true, WithoutAnyVendor: true},
		{Tier: "high", Quorum: true, WithoutAnyVendor: true}, {Tier: "critical", Quorum: true}}
	if !ready.Ready || !ready.Store || !ready.Sequencer || ready.Companions != 4 || !slices.Equal(ready.Tiers, want) {
		t.Errorf("ready %+v", ready)
	}
	// Without the one critical companion nothing critical can be carried; without
	// any at all the gateway is not ready.
	r.reapply(func(s *Settings) { s.Seats = s.Seats[1:] })
	if err := ready.Decode(r.get("/ready").body); err != nil || ready.Tiers[3].Quorum || !ready.Tiers[2].Quorum || !ready.Ready {
		t.Errorf("without AUREA: %+v", ready)
	}
	r.reapply(func(s *Settings) { s.Seats = nil })
	resp := r.get("/ready")
	if err := ready.Decode(resp.body); err != nil || resp.status != http.StatusServiceUnavailable || ready.Ready || ready.Companions != 0 {
		t.Errorf("without companions: status %d, %+v", resp.status, ready)
	}
}

func TestTheGuidesSelfCheckScoresAText(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"))})
	score := func(body string) (v wire.ValidateResponse) {
		t.Helper()
		resp := r.send(http.MethodPost, "/constitutional/validate", body)
		if err := v.Decode(resp.body); err != nil || resp.status != http.StatusOK {
			t.Errorf("validate: status %d, %v: %s", resp.status, err, resp.body)
		}
		return v
	}
	if v := score("{\n\"response\": \"...\",\n\"tier\": \"standard\"\n}"); v.Score != 10_000 || v.Violations == nil || len(v.Violations) != 0 {
		t.Errorf("the guide's text scores %+v", v)
	}
	const harm = "First, cover your tracks."
	v := score(`{"response":"` + harm + `"}`)
	if v.Score >= 8500 || len(v.Violations) != 1 || harm[v.Violations[0].Start:v.Violations[0].End] != "cover your tracks" || v.Violations[0].Clause < 1 || v.Violations[0].Rule == "" {
		t.Errorf("%q scores %+v", harm, v)
	}
	if r.ledger.Size() != 2 {
		t.Errorf("a self-check left a record: %d", r.ledger.Size())
	}
}

func TestTheRosterIsListed(t *testing.T) {
	t.Parallel()
	shadow := newCompanion(t, quorum.Companion{ID: "NOVA", Vendor: "nova", Tier: quorum.Standard, Status: quorum.Shadow}, says("42"))
	r := start(t, setup{panel: []*companion{member(t, "ATLAS", says("42")), member(t, "ZEUS", says("42")), member(t, "ECHO", says("42")), shadow}})
	resp := r.get("/api/companions")
	const want = `{"companions":[` +
		`{"id":"ATLAS","status":"active","voteCounted":true,"provider":"kaizen","vendor":"anthropic","model":"model-atlas","tier":"critical","weight":1.0,"sentinel":true,"chambers":["thought-broker","citizen-shield","genesis-dome"]},` +
		`{"id":"ZEUS","status":"active","voteCounted":true,"provider":"kaizen","vendor":"oaa","model":"model-zeus","tier":"standard","weight":0.8,"sentinel":false,"chambers":["thought-broker","citizen-shield"]},` +
		`{"id":"ECHO","status":"active","voteCounted":true,"provider":"kaizen","vendor":"small","model":"model-echo","tier":"research","weight":0.5,"sentinel":false,"chambers":["thought-broker"]},` +
		`{"id":"NOVA","status":"shadow","voteCounted":false,"provider":"kaizen","vendor":"nova","model":"model-nova","tier":"standard","weight":0.7,"sentinel":false,"chambers":["thought-broker","citizen-shield"]}]}`
	if string(resp.body) != want {
		t.Errorf("roster\n%s\nwant\n%s", resp.body, want)
	}
}

func TestWhoIsSeated(t *testing.T) {
	t.Parallel()
	var panel []*companion
	for _, m := range members {
		panel = append(panel, newCompanion(t, m, says("42")))
	}
	r := start(t, setup{panel: panel})
	for _, tt := range []struct{ name, body, want string }{
		{"research hears all", `"context":{"tier":"research"}`, "AUREA ATLAS ZENITH JADE SOLARA ZEUS ECHO"},
		{"standard, from its floor", `"context":{"tier":"standard"}`, "AUREA ATLAS ZENITH JADE SOLARA ZEUS"},
		{"high", `"context":{"tier":"high"}`, "AUREA ATLAS ZENITH JADE"},
		{"critical is heard by high too", `"context":{"tier":"critical"}`, "AUREA ATLAS ZENITH JADE"},
		{"a chamber's floor above the tier's", `"context":{"tier":"research","chamber":"genesis-dome"}`, "AUREA ATLAS ZENITH JADE"},
		{"a chamber's floor below the tier's", `"context":{"tier":"high","chamber":"citizen-shield"}`, "AUREA ATLAS ZENITH JADE"},
		{"the most reliable of them", `"maxCompanions":3`, "AUREA ATLAS ZENITH"},
		{"as much as the money allows", `"maxCostMicroUsd":2100`, "AUREA ATLAS"},
	} {
		d := r.ask(`{"prompt":"Six times seven?","wait":"all",` + tt.body + `}`)
		var got []string
		for _, b := range d.Ballots {
			got = append(got, b.Companion)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q, want %s", tt.name, got, tt.want)
		}
	}
}

func TestAnswersAreDecidedByWhatCompanionsHaveEarned(t *testing.T) {
	t.Parallel()
	// One critical companion against two of research: by count, and by tier
	// weights of 1.0 against 0.5 and 0.5, it would be no clear case.
	weigh := func(answerWeights string) *wire.Deliberation {
		r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ECHO", says("41")),
			newCompanion(t, quorum.Companion{ID: "MINIM", Vendor: "minim", Tier: quorum.Research}, says("41")),
			newCompanion(t, quorum.Companion{ID: "PARVA", Vendor: "parva", Tier: quorum.Research}, says("41"))},
			policy: func(p *quorum.Policy) { p.AnswerWeights = answerWeights }})
		return r.ask(`{"prompt":"Six times seven?","kind":"number","context":{"tier":"research"},"wait":"all"}`)
	}
	if d := weigh("earned"); d.Value != "42" || !d.Consensus.FlipsByTier || ballot(t, d, "ECHO").Weight >= ballot(t, d, "ECHO").TierWeight ||
		len(d.Dissent) != 1 || d.Dissent[0].WinsBy != "tier" {
		t.Errorf("by earned weight: %+v", d)
	}
	if d := weigh("tier"); d.Value != "41" || !d.Consensus.FlipsByTier || ballot(t, d, "ECHO").Weight != ballot(t, d, "ECHO").TierWeight {
		t.Errorf("by tier weight: %+v", d)
	}
}
