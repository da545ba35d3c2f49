package main

import (
	"context"
	"time"

	"github.com/kaizen-os/deliberation/store/vault"
)

const (
	// sweepEvery is how often texts past their retention, and orphans, are removed.
	sweepEvery = time.Hour
	// orphanAge is how long texts may lie in the vault before their proof must be
	// in the ledger: far longer than recording one can take.
	orphanAge = 10 * time.Minute
	// saveEvery is how often the book is saved, if it has grown by saveAfter: what a
	// start after a crash then has to fold takes it under a second.
	saveEvery = time.Minute
	saveAfter = 10_000
)

// keepHouse does in the background what no request waits for, until the returned
// stop is called, which saves the book a last time.
func (p *process) keepHouse(book string) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		sweep, save := time.NewTicker(sweepEvery), time.NewTicker(saveEvery)
		defer sweep.Stop()
		defer save.Stop()
		saved := p.book.State().Size
		p.sweep(ctx) // what a process that never lived an hour left to do, and what one that was killed began
		for {
			select {
			case <-ctx.Done():
				return
			case <-sweep.C:
				p.sweep(ctx)
			case <-save.C:
				if size := p.book.State().Size; size >= saved+saveAfter {
					p.save(book)
					saved = size
				}
			}
		}
	}()
	return func() error {
		cancel()
		<-done
		p.save(book)
		return nil
	}
}

// sweep removes texts past their retention, and those whose proof was never
// recorded.
func (p *process) sweep(ctx context.Context) {
	now := time.Now()
	old, err := p.vault.Sweep(ctx, now.Add(-vault.Retention), nil)
	if err != nil && ctx.Err() == nil {
		p.log.Error("vault sweep failed", "error", err)
	}
	orphans, err := p.vault.SweepOrphans(ctx, now.Add(-3*sweepEvery), now.Add(-orphanAge), func(id string) (bool, error) {
		_, ok, err := p.ledger.Lookup(id)
		return ok, err
	})
	if err != nil && ctx.Err() == nil {
		p.log.Error("vault sweep of orphans failed", "error", err)
	}
	if old+orphans > 0 {
		p.log.Info("texts removed", "past_retention", old, "orphans", orphans)
	}
}

// reconcile records which texts are gone, where a crash kept that from being
// recorded. A ledger that takes nothing now is no reason not to serve reads.
func (p *process) reconcile(ctx context.Context) {
	made, err := p.gateway.Reconcile(ctx, time.Now(), vault.Retention)
	if err != nil && ctx.Err() == nil {
		p.log.Warn("not all erased or lost texts are recorded as such", "error", err)
	}
	if made > 0 {
		p.log.Warn("erased or lost texts recorded", "records", made)
	}
}

// save writes the book's snapshot. A start without one only takes longer.
func (p *process) save(file string) {
	if err := saveBook(p.ledger, p.book, file); err != nil {
		p.log.Warn("book not saved", "error", err)
	}
}
