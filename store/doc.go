// Package store opens the two Pebble databases the gateway keeps: the ledger's
// and the vault's. It holds what both must agree on: how Pebble is set up, what
// "durable" means, what a failed sync does, and every key.
//
// A write is kept when [DB.Commit] (or the wait that [DB.Start] returns) has
// come back without an error, and not before: Pebble shows a write to readers
// before its sync is through, so whoever publishes must wait for the commit.
//
// After the first failed write or sync, of a log, a table or a manifest, nothing
// more is written, by Pebble's background work neither: what the disk holds is
// then unknown, and only reading it back at the next Open settles it. Commits and
// Close come back all the same, and what was read before can still be read.
package store
