package gateway

import (
	"errors"
	"fmt"
	"maps"
	"slices"
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
	v, course, err := g.verdictOf(p)
	if err != nil {
		return err
	}
	out := &outcome{proof: p, verdict: v, receipt: receipt, texts: said, course: course}
	ctx.SetContentType(contentJSON)
	ctx.SetBody(g.respond(out, wire.DefaultInclude|wire.IncludeReplies).AppendTo(nil))
	return nil
}

// getReceipt serves GET /v1/deliberations/{id}/receipt, to the owner and to
// stewards: the path from the proof to a signed tree head, with the proof itself
// beside it, so that it can be checked offline. Texts come with it only where
// open=prompt,answer,reply/0 asks for them, each with the salt of its commitment.
func (g *Gateway) getReceipt(ctx *fasthttp.RequestCtx, k *caller) error {
	p, receipt, err := g.readProof(pathID(ctx))
	if err != nil {
		return err
	}
	said, err := g.textsFor(p, k)
	if err != nil {
		return err
	}
	if said == nil && k.Role != RoleSteward {
		// Erased: the receipt is its owner's all the same.
		switch owns, err := g.vault.Owns(k.Name, p.ID); {
		case err != nil && !errors.Is(err, vault.ErrNotFound):
			return fmt.Errorf("owner of %s: %w", p.ID, err)
		case !owns:
			return errNotFound
		}
	}
	leaf, err := g.ledger.Entry(receipt.Index)
	if err != nil {
		return fmt.Errorf("receipt of %s: %w", p.ID, err)
	}
	d := quorum.Disclosure{Entry: leaf}
	if open := string(ctx.QueryArgs().Peek("open")); open != "" {
		if d.Opened, err = openings(said, open); err != nil {
			return err
		}
	}
	text, err := g.ledger.ProofWith(receipt.Index, d.AppendTo(nil))
	if err != nil {
		return fmt.Errorf("receipt of %s: %w", p.ID, err)
	}
	ctx.SetContentType(contentText)
	ctx.SetBody(text)
	return nil
}

// openings are the texts that a list of field names asks to show.
func openings(said *texts, list string) ([]quorum.Opening, error) {
	refused := func(problem string) error {
		return &wire.Error{Code: wire.InvalidValue, Message: "not all of this can be opened", Details: []wire.Detail{{Field: "open", Problem: problem}}}
	}
	if said == nil {
		return nil, refused("the texts of this deliberation are no longer kept")
	}
	committed := said.committed()
	var opened []quorum.Opening
	for name := range strings.SplitSeq(list, ",") {
		text, ok := committed[name]
		if !ok {
			return nil, refused(fmt.Sprintf("%.40q is none of its texts: %s", name, strings.Join(slices.Sorted(maps.Keys(committed)), ", ")))
		}
		if slices.ContainsFunc(opened, func(o quorum.Opening) bool { return o.Field == name }) {
			return nil, refused(fmt.Sprintf("%q is there twice", name))
		}
		opened = append(opened, quorum.Opening{Field: name, Salt: said.seed.Salt(name), Text: text})
	}
	return opened, nil
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
	return textsOf(c, p), nil
}

// verdictOf decides again on what p records: positions and dissent are not in
// the record, since they follow from it. The hearing is nil where nothing
// followed the first round.
func (g *Gateway) verdictOf(p *quorum.Proof) (*quorum.Verdict, *quorum.Hearing, error) {
	if p.Verdict.Status == quorum.RefusedPrompt {
		return &p.Verdict, nil, nil
	}
	policy := g.book.PolicyAt(p.Policy, p.AsOf)
	if policy == nil {
		return nil, nil, fmt.Errorf("proof of %s names a policy that was never in force here", p.ID)
	}
	ballots := make([]quorum.Ballot, len(p.Ballots))
	for i := range ballots {
		ballots[i] = p.Ballots[i].Ballot
	}
	q := p.Question()
	v := policy.Decide(&q, ballots)
	if p.OneRound() {
		return &v, nil, nil
	}
	course, err := policy.Follow(p, ballots, v)
	if err != nil {
		return nil, nil, fmt.Errorf("proof of %s: %w", p.ID, err)
	}
	return &course.Verdict, course, nil
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
