package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store/ledger"
)

// disclosure reads a receipt and follows its path from the entry that it carries.
func (r *rig) disclosure(resp *response) *quorum.Disclosure {
	r.t.Helper()
	if resp.status != http.StatusOK {
		r.t.Fatalf("status %d: %s", resp.status, resp.body)
	}
	p, err := ledger.ParseProof(resp.body)
	if err != nil {
		r.t.Fatal(err)
	}
	d, err := quorum.ParseDisclosure(p.Extra)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := p.Verify(d.Entry, r.ledger.Verifier()); err != nil {
		r.t.Error(err)
	}
	if _, _, err := d.Check(); err != nil {
		r.t.Error(err)
	}
	return d
}

func TestReceiptCarriesItsEntryAndTextsOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("fortytwo"), says("fortytwo"), says("fortyone")), clients: []Client{client("ann", "key-of-ann"), client("bob", "key-of-bob")}})
	ann := []string{"Authorization", "Bearer key-of-ann"}
	d := r.ask(`{"prompt":"What is six times seven?","kind":"short","wait":"all"}`, ann...)

	sealed := r.get(d.Proof.Receipt, ann...)
	if got := r.disclosure(sealed); len(got.Opened) > 0 || strings.Contains(string(got.Entry), "fortytwo") || strings.Contains(string(got.Entry), "six times seven") {
		t.Errorf("without being asked it opens %+v", got)
	}
	got := r.disclosure(r.get(d.Proof.Receipt+"?open=prompt,answer,reply/2,client", ann...))
	want := map[string]string{"prompt": "What is six times seven?", "answer": "fortytwo", "reply/2": "fortyone", "client": "ann"}
	if len(got.Opened) != len(want) {
		t.Errorf("it opens %+v", got.Opened)
	}
	for _, o := range got.Opened {
		if o.Text != want[o.Field] {
			t.Errorf("%s is %q, want %q", o.Field, o.Text, want[o.Field])
		}
	}
	if steward := r.disclosure(r.get(d.Proof.Receipt+"?open=prompt", "Authorization", "Bearer "+stewardKey)); len(steward.Opened) != 1 {
		t.Errorf("a steward sees %+v", steward.Opened)
	}
	r.get(d.Proof.Receipt+"?open=prompt", "Authorization", "Bearer key-of-bob").failure(http.StatusNotFound, wire.NotFound)
}

func TestReceiptOpensOnlyWhatThereIs(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	d := r.ask(`{"prompt":"What is 6 * 7?","kind":"number"}`)
	for open, says := range map[string]string{
		"reply/7":                `"reply/7" is none of its texts: answer, client, prompt, reply/0, reply/1`,
		"prompt,":                `"" is none of its texts`,
		"prompt,prompt":          `"prompt" is there twice`,
		"rationale/0":            "none of its texts",
		"value/0":                "none of its texts", // kept, and not committed to
		"seed":                   "none of its texts",
		"Prompt":                 "none of its texts",
		"prompt%2C%20all":        "none of its texts",
		strings.Repeat("x", 200): "none of its texts",
	} {
		e := r.get(d.Proof.Receipt+"?open="+open).failure(http.StatusBadRequest, wire.InvalidValue)
		if len(e.Details) != 1 || e.Details[0].Field != "open" || !strings.Contains(e.Details[0].Problem, says) || len(e.Details[0].Problem) > 200 {
			t.Errorf("open=%s: %+v, want %q", open, e.Details, says)
		}
	}
}
