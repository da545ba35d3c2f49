// Package vault keeps what the ledger must not hold: the texts of deliberations
// and the seeds of their commitments, sealed, erasable, for as long as retention
// allows.
//
// Each record is sealed with a random key of its own (AES-256-GCM), and that key
// is wrapped by the master key, which lies in a file elsewhere: a stolen disk or
// backup without it holds no text. Owners' names are not on the disk either,
// only a keyed hash of them to list by.
//
// [Vault.Put] returns before the record is durable and [Waiter.Wait] when it is,
// so that its sync runs beside the ledger's; many puts share one sync. An answer
// waits for both.
//
// A record whose entry never reached the ledger is an orphan, which
// [Vault.SweepOrphans] finds. Erasing deletes the record and its wrapped key, and
// compacts the files they were in.
package vault
