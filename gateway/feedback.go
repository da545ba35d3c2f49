package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/vault"
)

// The ledger's names of the two records that there may be once a deliberation.
func feedbackName(id string) string     { return id + "/feedback" }
func confirmationName(id string) string { return id + "/feedback/confirmed" }

// A feedbackView is what both who gives feedback and who confirms it are told.
type feedbackView struct {
	ID        string `json:"id"`
	Rating    int64  `json:"rating"`
	Correct   *bool  `json:"correct,omitempty"`
	Confirmed bool   `json:"confirmed"`
	// Right and Wrong are the companions that it counts for, once confirmed.
	Right []quorum.CompanionID `json:"right,omitempty"`
	Wrong []quorum.CompanionID `json:"wrong,omitempty"`
	Proof struct {
		Index    uint64 `json:"index"`
		LeafHash string `json:"leafHash"`
	} `json:"proof"`
}

func (v *feedbackView) proven(r ledger.Receipt) *feedbackView {
	v.Proof.Index, v.Proof.LeafHash = r.Index, base64.StdEncoding.EncodeToString(r.LeafHash[:])
	return v
}

// postFeedback serves POST /v1/deliberations/{id}/feedback. Its owner rates a
// deliberation, once, and may say whether the answer was right; that counts for
// the companions' reliability when a steward has confirmed it here.
func (g *Gateway) postFeedback(ctx *fasthttp.RequestCtx, k *caller) error {
	if err := wantJSON(ctx); err != nil {
		return err
	}
	var req wire.FeedbackRequest
	if err := req.Decode(ctx.PostBody()); err != nil {
		return err
	}
	p, at, err := g.readProof(pathID(ctx))
	if err != nil {
		return err
	}
	owns, err := g.vault.Owns(k.Name, p.ID)
	if err != nil && !errors.Is(err, vault.ErrNotFound) {
		return fmt.Errorf("owner of %s: %w", p.ID, err)
	}
	var out *feedbackView
	switch {
	case req.Confirm && k.Role == RoleSteward:
		out, err = g.confirmFeedback(p, at.Index)
	case req.Confirm && owns:
		return refuse(wire.Forbidden, "feedback is confirmed by a steward")
	case req.Confirm || !owns:
		return errNotFound
	default:
		out, err = g.giveFeedback(p, &req)
	}
	if err != nil {
		return err
	}
	return reply(ctx, out)
}

func (g *Gateway) giveFeedback(p *quorum.Proof, req *wire.FeedbackRequest) (*feedbackView, error) {
	f := &quorum.Feedback{ID: p.ID, Rating: req.Rating}
	if req.Correct != nil {
		if p.Confirmed(0, true) == nil {
			return nil, &wire.Error{Code: wire.InvalidValue, Message: "this deliberation has no answer that could be right or wrong", DeliberationID: p.ID,
				Details: []wire.Detail{{Field: "correct", Problem: "leave it out: there is no answer"}}}
		}
		f.Correct = quorum.WasWrong
		if *req.Correct {
			f.Correct = quorum.WasRight
		}
	}
	receipt, err := g.appendOnce(feedbackName(p.ID), p.ID, f, f.Validate(), "feedback on this deliberation was given already")
	if err != nil {
		return nil, err
	}
	return (&feedbackView{ID: p.ID, Rating: f.Rating, Correct: req.Correct}).proven(receipt), nil
}

func (g *Gateway) confirmFeedback(p *quorum.Proof, index uint64) (*feedbackView, error) {
	f, err := g.feedbackOn(p.ID)
	if err != nil {
		return nil, err
	}
	if f == nil || f.Correct == quorum.Unsaid {
		return nil, &wire.Error{Code: wire.Conflict, Message: "its owner has not said whether the answer was right", DeliberationID: p.ID}
	}
	correct := f.Correct == quorum.WasRight
	c := p.Confirmed(index, correct)
	if c == nil {
		return nil, fmt.Errorf("feedback on %s is about an answer that there is not", p.ID)
	}
	receipt, err := g.appendOnce(confirmationName(p.ID), p.ID, c, c.Validate(), "this feedback was confirmed already")
	if err != nil {
		return nil, err
	}
	out := &feedbackView{ID: p.ID, Rating: f.Rating, Correct: &correct, Confirmed: true}
	for i := range p.Ballots {
		switch id := p.Ballots[i].Companion; c.Of(id) {
		case quorum.WasRight:
			out.Right = append(out.Right, id)
		case quorum.WasWrong:
			out.Wrong = append(out.Wrong, id)
		}
	}
	g.log.Info("feedback confirmed", "deliberation", p.ID, "correct", correct, "right", len(out.Right), "wrong", len(out.Wrong), "index", receipt.Index)
	return out.proven(receipt), nil
}

// appendOnce records what may be said once of a deliberation.
func (g *Gateway) appendOnce(name, id string, rec quorum.Record, invalid error, again string) (ledger.Receipt, error) {
	if invalid != nil { // the ledger could not be read back
		return ledger.Receipt{}, invalid
	}
	ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
	defer cancel()
	receipt, err := g.ledger.Append(ctx, name, rec)
	switch {
	case errors.Is(err, ledger.ErrExists):
		return receipt, &wire.Error{Code: wire.Conflict, Message: again, DeliberationID: id}
	case err != nil:
		return receipt, &fault{told: wire.Error{Code: wire.LedgerUnavailable, DeliberationID: id, Message: "this could not be made durable; ask again"},
			retryAfter: time.Second, cause: fmt.Errorf("ledger: %w", err)}
	}
	return receipt, nil
}

// feedbackOn is what id's owner said; nil if nothing.
func (g *Gateway) feedbackOn(id string) (*quorum.Feedback, error) {
	index, ok, err := g.ledger.Lookup(feedbackName(id))
	if err != nil || !ok {
		return nil, err
	}
	leaf, err := g.ledger.Entry(index)
	if err != nil {
		return nil, fmt.Errorf("read entry %d: %w", index, err)
	}
	rec, _, err := quorum.ParseRecord(leaf)
	if err != nil {
		return nil, fmt.Errorf("read entry %d: %w", index, err)
	}
	f, ok := rec.(*quorum.Feedback)
	if !ok {
		return nil, fmt.Errorf("entry %d is a %s, not the feedback that its name says", index, rec.Type())
	}
	return f, nil
}
