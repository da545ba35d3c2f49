package gateway

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

func (r *rig) feedback(id, body string, headers ...string) *response {
	r.t.Helper()
	return r.send(http.MethodPost, "/v1/deliberations/"+id+"/feedback", body, headers...)
}

func (resp *response) feedback() (v feedbackView) {
	resp.t.Helper()
	if err := json.Unmarshal(resp.body, &v); err != nil || resp.status != http.StatusOK || v.Proof.LeafHash == "" {
		resp.t.Errorf("status %d, %v: %s", resp.status, err, resp.body)
	}
	return v
}

// What an owner says of an answer counts once a steward has confirmed it, and at
// once: for the companions' reliability, and for cached answers.
func TestConfirmedFeedbackMovesWeights(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body         string
		right, wrong []quorum.CompanionID
		want         [3]wire.PPM // of AUREA and ATLAS, who agree, and ZENITH; parents 0.8, 0.8, 0.74
	}{
		"right": {`{"rating":5,"correct":true}`, []quorum.CompanionID{"AUREA", "ATLAS"}, []quorum.CompanionID{"ZENITH"}, [3]wire.PPM{818_181, 818_181, 672_727}},
		"wrong": {`{"rating":1,"correct":false}`, nil, []quorum.CompanionID{"AUREA", "ATLAS"}, [3]wire.PPM{727_272, 727_272, 740_000}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Votes leave no soft counts, so that p is the labels' alone.
			r := start(t, setup{panel: panelOf(t, votes("approve"), votes("approve"), votes("reject"))})
			const motion = `{"prompt":"Shall we plant a tree?","kind":"vote","wait":"all","context":{"topic":"trees"},"cache":{"maxAgeSeconds":600}}`
			d := r.askCached(motion)
			given := r.feedback(d.ID, tt.body).feedback()
			if given.Confirmed || given.Correct == nil || *given.Correct != (name == "right") || given.Right != nil {
				t.Errorf("%+v", given)
			}
			if p := r.reliability("AUREA")["vote/"].P; p != 800_000 || !r.ask(motion).Cached {
				t.Errorf("it counts before it is confirmed: p %s", p)
			}
			r.feedback(d.ID, tt.body).failure(http.StatusConflict, wire.Conflict)
			done := r.feedback(d.ID, `{"confirm":true}`, asSteward...).feedback()
			if !done.Confirmed || !slices.Equal(done.Right, tt.right) || !slices.Equal(done.Wrong, tt.wrong) || done.Rating != given.Rating {
				t.Errorf("%+v", done)
			}
			for i, id := range []string{"AUREA", "ATLAS", "ZENITH"} {
				page := r.reliability(id)
				if page["vote/"].P != tt.want[i] {
					t.Errorf("%s: p %s, want %s", id, page["vote/"].P, tt.want[i])
				}
				if topic := page["vote/trees"]; (topic.Labelled.Seen == 1_000_000) != (tt.want[i] != 740_000) {
					t.Errorf("%s on the topic: %+v", id, topic)
				}
			}
			if r.ask(motion).Cached {
				t.Error("an answer outlived the weights that it was decided by")
			}
			r.feedback(d.ID, `{"confirm":true}`, asSteward...).failure(http.StatusConflict, wire.Conflict)
		})
	}
}

func TestFeedbackIsItsOwners(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42")), clients: []Client{client("ann", "key-of-ann"), client("bob", "key-of-bob")}})
	ann, bob := []string{"X-Api-Key", "key-of-ann"}, []string{"X-Api-Key", "key-of-bob"}
	d := r.ask(guideRequest, ann...)
	size := r.ledger.Size()
	r.feedback(d.ID, `{"rating":5}`, bob...).failure(http.StatusNotFound, wire.NotFound)
	r.feedback(d.ID, `{"rating":5}`, asSteward...).failure(http.StatusNotFound, wire.NotFound) // a steward does not rate for others
	r.feedback(d.ID, `{"confirm":true}`, bob...).failure(http.StatusNotFound, wire.NotFound)
	r.feedback(d.ID, `{"confirm":true}`, ann...).failure(http.StatusForbidden, wire.Forbidden)
	r.feedback(d.ID, `{"confirm":true}`, asSteward...).failure(http.StatusConflict, wire.Conflict) // nothing was said
	r.feedback("dlb_none", `{"rating":5}`, ann...).failure(http.StatusNotFound, wire.NotFound)
	r.feedback(d.ID, `{"rating":9}`, ann...).failure(http.StatusBadRequest, wire.InvalidValue)
	r.send(http.MethodPost, "/v1/deliberations/"+d.ID+"/feedback", `{"rating":5}`, append(ann, "Content-Type", "text/plain")...).failure(http.StatusUnsupportedMediaType, wire.UnsupportedMediaType)
	if r.ledger.Size() != size {
		t.Errorf("%d records of what was refused", r.ledger.Size()-size)
	}
	// Stars alone are recorded, and there is nothing to confirm in them.
	if v := r.feedback(d.ID, `{"rating":3}`, ann...).feedback(); v.Rating != 3 || v.Correct != nil {
		t.Errorf("%+v", v)
	}
	r.feedback(d.ID, `{"confirm":true}`, asSteward...).failure(http.StatusConflict, wire.Conflict)
	if got := of[*quorum.Feedback](r.journal); len(got) != 1 || *got[0] != (quorum.Feedback{ID: d.ID, Rating: 3}) {
		t.Errorf("%+v", got)
	}
}

// Where there was no answer none was right; it may be rated all the same.
func TestFeedbackWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, fails(http.StatusInternalServerError), fails(http.StatusInternalServerError))})
	d := r.ask(guideRequest)
	if d.Status != "inquorate" {
		t.Fatalf("%+v", d)
	}
	if e := r.feedback(d.ID, `{"rating":1,"correct":false}`).failure(http.StatusBadRequest, wire.InvalidValue); len(e.Details) != 1 || e.Details[0].Field != "correct" {
		t.Errorf("%+v", e)
	}
	r.feedback(d.ID, `{"rating":1}`).feedback()
}

// Of many who give feedback at the same time, one is heard.
func TestFeedbackIsGivenOnce(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	d := r.ask(guideRequest)
	var all sync.WaitGroup
	heard := make(chan int, 8)
	for range 8 {
		all.Go(func() { heard <- r.feedback(d.ID, `{"rating":4,"correct":true}`).status })
	}
	all.Wait()
	close(heard)
	said := map[int]int{}
	for status := range heard {
		said[status]++
	}
	if said[http.StatusOK] != 1 || said[http.StatusConflict] != 7 || len(of[*quorum.Feedback](r.journal)) != 1 {
		t.Errorf("%v", said)
	}
}

func TestFeedbackThatIsNotDurableIsNotSaid(t *testing.T) {
	t.Parallel()
	disk := new(failingSync)
	fatal := make(chan error, 2)
	r := start(t, setup{panel: panelOf(t, votes("approve"), votes("approve")), ledgerFS: errorfs.Wrap(vfs.NewMem(), disk), fatal: func(err error) { fatal <- err }})
	d := r.ask(`{"prompt":"Shall we?","kind":"vote"}`)
	r.feedback(d.ID, `{"rating":4,"correct":true}`).feedback()
	disk.armed.Store(true)
	r.feedback(d.ID, `{"confirm":true}`, asSteward...).failure(http.StatusServiceUnavailable, wire.LedgerUnavailable)
	within(t, "word of the failure", fatal)
	if p := r.reliability("AUREA")["vote/"].P; p != 800_000 {
		t.Errorf("p %s", p)
	}
}
