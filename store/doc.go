// Package store opens the two Pebble databases the gateway keeps: the ledger's
// and the vault's. It holds what both must agree on: how Pebble is set up, what
// "durable" means, what a failed sync does, and every key.
//
// A write is kept when [DB.Commit] (or the wait that [DB.Start] returns) has
// come back without an error, and not before: Pebble shows a write to readers
// before its sync is through, so whoever publishes must wait for the commit.
//
// After the first failed write or sync nothing more is written: what the disk
// holds is then unknown, and only reading it back at the next Open settles it.
package store
