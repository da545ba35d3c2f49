package gateway

import (
	"errors"
	"fmt"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/vault"
)

// errNotFound is also what a caller hears of what is not theirs to see.
var errNotFound = refuse(wire.NotFound, "no such deliberation, or it is not yours")

// getDeliberation serves GET /v1/deliberations/{id}: ballots, scores, dissent and
// proof to any key, texts to their owner and to stewards.
func (g *Gateway) getDeliberation(ctx *fasthttp.RequestCtx, k *caller) error {
	p, receipt, err := g.readProof(pathID(ctx))
	if err != nil {
		return err
	}
	said, err := g.textsFor(p, k)
	if err != nil {
		return err
	}
	v, err := g.verdictOf(p)
	if err != nil {
		return err
	}
	ctx.SetContentType(contentJSON)
	ctx.SetBody(g.respond(p, v, receipt, said, wire.DefaultInclude|wire.IncludeReplies).AppendTo(nil))
	return nil
}

// getReceipt serves GET /v1/deliberations/{id}/receipt, to the owner and to
// stewards.
func (g *Gateway) getReceipt(ctx *fasthttp.RequestCtx, k *caller) error {
	p, receipt, err := g.readProof(pathID(ctx))
	if err != nil {
		return err
	}
	if said, err := g.textsFor(p, k); err != nil {
		return err
	} else if said == nil && k.Role != RoleSteward {
		return errNotFound
	}
	text, err := g.ledger.Proof(receipt.Index)
	if err != nil {
		return fmt.Errorf("receipt of %s: %w", p.ID, err)
	}
	ctx.SetContentType("text/plain; charset=utf-8")
	ctx.SetBody(text)
	return nil
}

func pathID(ctx *fasthttp.RequestCtx) string {
	id, _ := ctx.UserValue("id").(string)
	return id
}

// readProof finds a deliberation's proof in the ledger.
func (g *Gateway) readProof(id string) (*quorum.Proof, ledger.Receipt, error) {
	if !strings.HasPrefix(id, "dlb_") || len(id) > 64 {
		return nil, ledger.Receipt{}, errNotFound
	}
	index, ok, err := g.ledger.Lookup(id)
	if err != nil {
		return nil, ledger.Receipt{}, fmt.Errorf("look up %s: %w", id, err)
	}
	if !ok {
		return nil, ledger.Receipt{}, errNotFound
	}
	leaf, err := g.ledger.Entry(index)
	if err != nil {
		return nil, ledger.Receipt{}, fmt.Errorf("read entry %d: %w", index, err)
	}
	rec, at, err := quorum.ParseRecord(leaf)
	if err != nil {
		return nil, ledger.Receipt{}, fmt.Errorf("read entry %d: %w", index, err)
	}
	p, ok := rec.(*quorum.Proof)
	if !ok {
		return nil, ledger.Receipt{}, errNotFound
	}
	return p, ledger.Receipt{Index: index, At: at, LeafHash: quorum.LeafHash(leaf)}, nil
}

// textsFor opens p's texts for k: nil when they are not k's to see, or erased.
func (g *Gateway) textsFor(p *quorum.Proof, k *caller) (*texts, error) {
	c, _, err := g.vault.Get(p.ID)
	switch {
	case errors.Is(err, vault.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("open texts of %s: %w", p.ID, err)
	case k.Role != RoleSteward && c.Owner != k.Name:
		return nil, nil
	}
	return textsOf(c, len(p.Ballots), p.Verdict.Winner), nil
}

// verdictOf decides again on what p records: positions and dissent are not in
// the record, since they follow from it.
func (g *Gateway) verdictOf(p *quorum.Proof) (*quorum.Verdict, error) {
	if p.Verdict.Status == quorum.RefusedPrompt {
		return &p.Verdict, nil
	}
	policy := g.book.Policy(p.Policy)
	if policy == nil {
		return nil, fmt.Errorf("proof of %s names a policy that was never in force here", p.ID)
	}
	ballots := make([]quorum.Ballot, len(p.Ballots))
	for i := range ballots {
		ballots[i] = p.Ballots[i].Ballot
	}
	q := p.Question()
	v := policy.Decide(&q, ballots)
	return &v, nil
}

// listDeliberations serves GET /v1/deliberations: the caller's own, newest first.
func (g *Gateway) listDeliberations(ctx *fasthttp.RequestCtx, k *caller) error {
	args := ctx.QueryArgs()
	limit, err := args.GetUint("limit")
	if err == fasthttp.ErrNoArgValue {
		limit = 20
	} else if err != nil || limit < 1 || limit > 100 {
		return &wire.Error{Code: wire.InvalidValue, Message: "limit is out of range", Details: []wire.Detail{{Field: "limit", Problem: "want 1 to 100"}}}
	}
	ids, err := g.vault.List(k.Name, string(args.Peek("before")), limit)
	if err != nil {
		return fmt.Errorf("list deliberations: %w", err)
	}
	if ids == nil {
		ids = []string{}
	}
	return reply(ctx, map[string][]string{"deliberations": ids})
}
