package gateway

import (
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

// canaries is a panel that says canaries in every step.
func canaries(t testing.TB) []*companion {
	t.Helper()
	written := strings.ReplaceAll(sound, "Six times seven", canaryReply)
	return panelOf(t, turns(says("42 "+canaryReply), says("42 again, "+canaryReply)), turns(says("41 "+canaryReply), says("41 "+canaryReply), takes("41 "+canaryReply)),
		turns(says("40 "+canaryReply), says("40 "+canaryReply), says(written)))
}

const everyStep = `{"prompt":"What is the ` + canaryPrompt + `?","kind":"number","rounds":2,"judge":"ATLAS","synthesis":"ZENITH",` + inFull + `}`

func TestWhatIsSaidInEveryStepIsItsOwners(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: canaries(t), clients: []Client{client("ann", "key-of-ann"), client("bob", "key-of-bob")}})
	ann := []string{"Authorization", "Bearer key-of-ann"}
	d := r.ask(everyStep, ann...)
	if d.Rounds == nil || d.Rounds.Held != 2 || !d.Judge.Changed || d.Synthesis.Reason != "" || d.Value != "41" {
		t.Fatalf("rounds %+v, judge %+v, synthesis %+v", d.Rounds, d.Judge, d.Synthesis)
	}
	own := r.get("/v1/deliberations/"+d.ID, ann...).deliberation(http.StatusOK)
	for what, text := range map[string]string{"answer": own.Answer, "second reply": own.Rounds.Ballots[0].Reply, "synthesis": own.Synthesis.Text} {
		if !strings.Contains(text, canaryReply) {
			t.Errorf("its owner does not see the %s: %q", what, text)
		}
	}
	if own.Judge.Reply == "" || len(own.Rounds.First.Positions) != 3 || own.Rounds.First.Positions[0].Answer != "42" {
		t.Errorf("its owner sees judge %+v, first round %+v", own.Judge, own.Rounds.First)
	}

	// Another key sees what came of each step, and no word.
	resp := r.get("/v1/deliberations/"+d.ID, "Authorization", "Bearer key-of-bob")
	other := resp.deliberation(http.StatusOK)
	if at := where(string(resp.body)); at != "" || other.Judge.Reply != "" || other.Synthesis.Text != "" || other.Rounds.Held != 2 || other.Judge.Chosen != 0 || !other.Judge.Changed {
		t.Errorf("another key is told %q: %s", at, resp.body)
	}
	r.get("/v1/deliberations/"+d.ID+"/receipt?open=synthesis", "Authorization", "Bearer key-of-bob").failure(http.StatusNotFound, wire.NotFound)
	opened := r.disclosure(r.get(d.Proof.Receipt+"?open=second/0,judge,synthesis", ann...)).Opened
	if len(opened) != 3 || opened[2].Text != own.Synthesis.Text {
		t.Errorf("the receipt opens %+v", opened)
	}

	c, _, err := r.vault.Get(d.ID)
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]string{}
	for _, f := range c.Fields {
		kept[f.Name] = string(f.Data)
	}
	if kept["second/0"] == "" || kept["secondValue/1"] != "41" || kept["judge"] != own.Judge.Reply || kept["synthesis"] != own.Synthesis.Text {
		t.Errorf("the vault keeps %v", kept)
	}
	if resp := r.send(http.MethodDelete, "/v1/deliberations/"+d.ID+"/text", "", ann...); resp.status != http.StatusOK {
		t.Errorf("erase: %d %s", resp.status, resp.body)
	}
	body := r.get("/v1/deliberations/"+d.ID, ann...)
	if at := where(string(body.body)); at != "" {
		t.Errorf("erased, and still told %q", at)
	}
	if again := body.deliberation(http.StatusOK); again.Status != "contested" || again.Rounds.Held != 2 || !again.Judge.Changed {
		t.Errorf("erased, it reads %s", body.body)
	}
	r.get(d.Proof.Receipt+"?open=second/0", ann...).failure(http.StatusBadRequest, wire.InvalidValue)

	r.drain()
	told := "logs: " + r.logs.String()
	for i := range r.ledger.Size() {
		told += string(must(r.ledger.Entry(i))(t))
	}
	for _, s := range tracetest.SpanStubsFromReadOnlySpans(r.spans.Ended()) {
		told += s.Name
		for _, a := range s.Attributes {
			told += a.Value.Emit()
		}
	}
	if at := where(told); at != "" {
		t.Errorf("logs, spans or ledger tell %q", at)
	}
}

func TestEveryStepHasItsSpanAndIsCounted(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: canaries(t), unsampled: true})
	r.post(everyStep, "traceparent", "00-"+callersTrace+"-"+callersSpan+"-01").deliberation(http.StatusOK)
	r.ask(`{"prompt":"Six times seven?","kind":"number"}`)
	r.drain()
	const want = `server POST /v1/deliberate
  internal invoke_workflow deliberation
    client chat model-atlas
    client chat model-aurea
    client chat model-zenith
    internal decide
    internal judge
      client chat model-atlas
    internal ledger.append
    internal score
    internal score
    internal score
    internal second round
      client chat model-atlas
      client chat model-aurea
      client chat model-zenith
      internal score
      internal score
      internal score
    internal synthesis
      client chat model-zenith
`
	if got := tree(r.spans.Ended(), must(trace.SpanIDFromHex(callersSpan))(t), ""); got != want {
		t.Errorf("trace\n%s\nwant\n%s", got, want)
	}
	for _, s := range r.spans.Ended() {
		if n := s.Name(); (n == "judge" || n == "second round" || n == "synthesis") && attributes(s) != "kaizen.outcome=ok" {
			t.Errorf("%s has %s", n, attributes(s))
		}
	}
	points := r.points()
	for _, step := range []string{"second round", "judge", "synthesis"} {
		if n := points["kaizen.steps{kaizen.outcome=ok,kaizen.step="+step+"}"]; n != 1 {
			t.Errorf("%d of %s are counted: %v", n, step, points)
		}
	}
}

// The wait for companions in every step is none of the gateway's own time.
func TestTheWaitOfEveryStepIsCounted(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: canaries(t)})
	d := r.ask(everyStep)
	if tm := d.Timing; tm.Wait <= d.Rounds.Wait || tm.Overhead <= 0 || tm.Total != tm.Wait+tm.Overhead {
		t.Errorf("timing %+v, of the second round %v", tm, d.Rounds.Wait)
	}
}
