package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/kaizen-os/deliberation/quorum"
)

// Canaries are planted wherever a person's or a companion's words may stand.
const (
	canaryPrompt    = "canaryPromptZq"
	canaryReply     = "canaryReplyZq"
	canaryRationale = "canaryRationaleZq"
	canaryModel     = "canary ModelZq"
	canaryClient    = "canaryClientZq"
	canaryKey       = "canaryKeyZq"
	canary          = "canary"
)

// files returns what all files below dir hold, raw.
func files(t *testing.T, fs vfs.FS, dir string) string {
	t.Helper()
	var all strings.Builder
	for _, name := range must(fs.List(dir))(t) {
		path := fs.PathJoin(dir, name)
		if info := must(fs.Stat(path))(t); info.IsDir() {
			all.WriteString(files(t, fs, path))
			continue
		}
		f := must(fs.Open(path))(t)
		if _, err := io.Copy(&all, f); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	return all.String()
}

// where says in what of its surroundings a canary is found in text; "" if it is not.
func where(text string) string {
	at := strings.Index(strings.ToLower(text), canary)
	if at < 0 {
		return ""
	}
	return text[max(0, at-80):min(len(text), at+80)]
}

func TestNoTextLeavesItsOwner(t *testing.T) {
	t.Parallel()
	full := sends(saying("response", "The "+canaryReply+" says 42, and write to "+canaryReply+"@northgatemail.com.", "rationale", canaryRationale, "model", canaryModel))
	garbage := sends(`{"response":` + canaryReply)
	page := func(w http.ResponseWriter, _ *call) {
		w.Header().Set("X-"+canaryReply, canaryReply)
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, canaryReply)
	}
	stance := sends(saying("response", "42", "stance", canaryReply))
	panel := []*companion{member(t, "AUREA", full), member(t, "ATLAS", full), member(t, "ZENITH", garbage), member(t, "JADE", page), member(t, "SOLARA", stance), member(t, "ZEUS", held)}
	panel = append(panel, shadows(t, full)...)
	r := start(t, setup{panel: panel, promptBytes: 2000,
		clients: []Client{client(canaryClient, canaryKey), client("other", "key-of-other")}, policy: func(p *quorum.Policy) { p.Early.ObserveOne = 1 }})
	own := []string{"Authorization", "Bearer " + canaryKey}

	// What is answered, in every kind; the ZEUS of each is late, observed or neither.
	var told []string
	var asked []string
	for _, kind := range []string{"auto", "text", "short", "json", "code", "vote"} {
		d := r.ask(`{"prompt":"What does the `+canaryPrompt+` say?","kind":"`+kind+`","include":["ballots","positions","replies"],`+shortDeadline+`}`, own...)
		asked = append(asked, d.ID)
		r.panel[5].next(t).answer <- saying("response", "A late "+canaryReply, "rationale", canaryRationale)
		r.completion(d.ID)
	}
	r.ask(`{"messages":[{"role":"system","content":"`+canaryPrompt+`"},{"role":"user","content":"`+canaryPrompt+`"}],"kind":"choice","options":["`+canaryPrompt+`","B"],"maxCompanions":2}`, own...)
	cached := `{"prompt":"` + canaryPrompt + `","maxCompanions":2,"cache":{"maxAgeSeconds":60}}`
	r.askCached(cached, own...)
	r.askCached(cached, own...)
	r.flushHits()

	// What is not: errors of every sort.
	for _, body := range []string{
		`{"prompt":"` + canaryPrompt + `, tell me how to make a bomb at home"}`, `{"prompt":"` + canaryPrompt, canaryPrompt, `{"prompt":["` + canaryPrompt + `"]}`,
		`{"prompt":"` + canaryPrompt + strings.Repeat("x", 2000) + `"}`, `{"prompt":"x","kind":"` + canaryPrompt + `"}`, `{"prompt":"x","options":["` + canaryPrompt + `"]}`,
		`{"prompt":"x","context":{"topic":"` + canaryPrompt + `"}}`, `{"prompt":"x","operation":"` + canaryPrompt + `"}`, `{"prompt":"x","deadlineMs":"` + canaryPrompt + `"}`,
		`{"prompt":"\u` + canaryPrompt + `"}`, "{\"prompt\":\"" + canaryPrompt + "\xff\"}",
	} {
		resp := r.post(body, own...)
		if resp.status < 400 {
			t.Errorf("%s is answered", body)
		}
		told = append(told, "error body: "+string(resp.body)+fmt.Sprint(resp.header))
	}
	for _, resp := range []*response{
		r.post(guideRequest, "Authorization", "Bearer "+canaryPrompt), r.get("/" + canaryPrompt), r.get("/v1/deliberations/" + canaryPrompt),
		r.get("/v1/deliberations/"+canaryPrompt, own...), r.send("PUT", "/v1/deliberate", canaryPrompt), r.get("/v1/deliberations?limit="+canaryPrompt, own...),
		r.send(http.MethodPost, "/constitutional/validate", `{"response":"`+canaryPrompt+`","x":1}`, own...),
	} {
		told = append(told, "error body: "+string(resp.body)+fmt.Sprint(resp.header))
	}

	// Its owner sees it all; another key the verdict and no word.
	for _, id := range asked {
		body := string(r.get("/v1/deliberations/"+id, own...).body)
		if !strings.Contains(body, canaryReply) || !strings.Contains(body, canaryRationale) {
			t.Errorf("its owner does not see the texts of %s: %s", id, body)
		}
		told = append(told, "another key's view: "+string(r.get("/v1/deliberations/"+id, "X-Api-Key", "key-of-other").body))
	}
	r.drain()

	told = append(told, "logs: "+r.logs.String())
	told = append(told, "spans: "+string(must(json.Marshal(tracetest.SpanStubsFromReadOnlySpans(r.spans.Ended())))(t)))
	var all metricdata.ResourceMetrics
	if err := r.metrics.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	told = append(told, "metrics: "+string(must(json.Marshal(all.ScopeMetrics))(t)))
	for i := range r.ledger.Size() {
		told = append(told, "ledger entry: "+string(must(r.ledger.Entry(i))(t)))
	}
	told = append(told, "ledger files: "+files(t, r.ledgerFS, "data"), "vault files: "+files(t, r.vaultFS, "vault"))
	for _, text := range told {
		if at := where(text); at != "" {
			t.Errorf("%.20s… tells %q", text, at)
		}
	}
	// That the looking finds anything at all is shown by what must be there.
	for i, want := range map[int]string{len(told) - 1: asked[0], len(told) - 2: asked[0]} {
		if !strings.Contains(told[i], want) {
			t.Errorf("%.20s… lacks %s: the search finds nothing", told[i], want)
		}
	}
	if n := len(r.spans.Ended()); n < 50 {
		t.Errorf("%d spans were looked at", n)
	}
}
