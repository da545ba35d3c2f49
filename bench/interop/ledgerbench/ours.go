package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/kaizen-os/deliberation/store/ledger"
)

const origin = "kaizen.bench/ledger"

// ours is the product's ledger through its public face, with what it always
// does: named, hashed, in the tree, signed, synced, guarded.
type ours struct {
	*ledger.Ledger
	leaf    leaf
	batches atomic.Uint64
}

func openOurs(dir string, l leaf) (*ours, error) {
	led, err := ledger.Open(ledger.Config{Dir: dir, Origin: origin})
	if err != nil {
		return nil, err
	}
	return &ours{Ledger: led, leaf: l}, nil
}

func (o *ours) Append(ctx context.Context, i uint64) error {
	r, err := o.Ledger.Append(ctx, name(i), record{o.leaf, i})
	if err != nil {
		return fmt.Errorf("entry %d: %w", i, err)
	}
	if r.Index+1 == r.Size { // the last of its batch
		o.batches.Add(1)
	}
	return nil
}

func (o *ours) Batches() (uint64, error) { return o.batches.Load(), nil }
