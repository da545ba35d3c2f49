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

// eraseTimeout is how long an erasure may take. It rewrites files of the vault,
// and waits for readers of the old ones.
const eraseTimeout = 30 * time.Second

// deleteText serves DELETE /v1/deliberations/{id}/text, to the owner and to
// stewards: what was asked and answered is erased, and a record says so. The
// answer is the same however often it is asked for.
func (g *Gateway) deleteText(ctx *fasthttp.RequestCtx, k *caller) error {
	p, _, err := g.readProof(pathID(ctx))
	if err != nil {
		return err
	}
	actor, err := g.mayErase(p.ID, k)
	if err != nil {
		return err
	}
	// Those who ask for the same at the same time share it: the record is one.
	done, err, _ := g.erasing.Do(p.ID, func() (any, error) { return g.eraseText(p.ID, actor) })
	if err != nil {
		return err
	}
	receipt := done.(ledger.Receipt)
	type proof struct {
		Index    uint64 `json:"index"`
		LeafHash string `json:"leafHash"`
	}
	return reply(ctx, struct {
		ID     string `json:"id"`
		Erased bool   `json:"erased"`
		Proof  proof  `json:"proof"`
	}{p.ID, true, proof{receipt.Index, base64.StdEncoding.EncodeToString(receipt.LeafHash[:])}})
}

// mayErase says as what k may have the texts of id erased; to all others there is
// no such deliberation.
//
// An owner is told by the vault. What is left there of an erased record tells it
// too, for as long as the record would have been kept, so that an owner can
// repeat what a crash cut short and hears the same again. The commitment to the
// client in the proof could not serve: the salt that opens it is erased.
func (g *Gateway) mayErase(id string, k *caller) (actor string, err error) {
	owns, err := g.vault.Owns(k.Name, id)
	switch {
	case err != nil && !errors.Is(err, vault.ErrNotFound):
		return "", fmt.Errorf("owner of %s: %w", id, err)
	case owns:
		return quorum.Owner, nil
	case k.Role == RoleSteward:
		return quorum.Steward, nil
	}
	return "", errNotFound
}

// eraseText erases the texts of id and records it.
//
// The record comes last: where it is, nothing is left to do. A crash or failure
// before it is made good by asking again, or at the next start by [Gateway.Reconcile].
// A completion that is still to come of the deliberation brings nothing back:
// texts never leave its memory, and its commitments are under the seed that was
// erased.
func (g *Gateway) eraseText(id, actor string) (ledger.Receipt, error) {
	ctx, cancel := context.WithTimeout(context.Background(), eraseTimeout)
	defer cancel()
	if receipt, ok, err := g.erasure(id); ok || err != nil {
		return receipt, err
	}
	// Memory first: it would go on giving answers that the vault, though Erase
	// fails in the middle, has no more.
	g.cache.erase(id)
	if err := g.vault.Erase(ctx, actor, id); err != nil && !errors.Is(err, vault.ErrNotFound) {
		return ledger.Receipt{}, unerased(id, "the text could not be erased for good", fmt.Errorf("vault: %w", err))
	}
	// Whoever had it erased first, though an attempt before this one came no further.
	if by, ok, err := g.vault.Erased(id); err != nil {
		return ledger.Receipt{}, unerased(id, "the text is erased, its record is not made", fmt.Errorf("vault: %w", err))
	} else if ok {
		actor = by
	}
	receipt, err := g.recordErasure(ctx, &quorum.Erasure{ID: id, Actor: actor, Cause: quorum.ErasureAsked})
	if err != nil {
		return ledger.Receipt{}, unerased(id, "the text is erased, but the record of it could not be made durable", fmt.Errorf("ledger: %w", err))
	}
	g.log.Info("text erased", "deliberation", id, "actor", actor, "index", receipt.Index)
	return receipt, nil
}

func unerased(id, message string, cause error) error {
	return &fault{told: wire.Error{Code: wire.LedgerUnavailable, DeliberationID: id, Message: message + "; ask again"}, retryAfter: time.Second, cause: cause}
}

// erasureName is the ledger's name of the record that id's text was erased.
func erasureName(id string) string { return id + "/erased" }

// recordErasure appends x, unless there is a record of it already.
func (g *Gateway) recordErasure(ctx context.Context, x *quorum.Erasure) (ledger.Receipt, error) {
	if err := x.Validate(); err != nil { // the ledger could not be read back
		return ledger.Receipt{}, err
	}
	receipt, err := g.ledger.Append(ctx, erasureName(x.ID), x)
	if !errors.Is(err, ledger.ErrExists) {
		return receipt, err
	}
	before, ok, err2 := g.erasure(x.ID)
	if err2 != nil || ok {
		return before, err2
	}
	return receipt, err // it is just being written, by an attempt that was given up
}

// erasure finds the record that id's text was erased.
func (g *Gateway) erasure(id string) (receipt ledger.Receipt, ok bool, err error) {
	index, ok, err := g.ledger.Lookup(erasureName(id))
	if err != nil || !ok {
		return ledger.Receipt{}, false, err
	}
	leaf, err := g.ledger.Entry(index)
	if err != nil {
		return ledger.Receipt{}, false, fmt.Errorf("read entry %d: %w", index, err)
	}
	return ledger.Receipt{Index: index, LeafHash: quorum.LeafHash(leaf)}, true, nil
}
