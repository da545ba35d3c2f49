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
// [Vault.SweepOrphans] finds.
//
// What [Vault.Erase] and the sweeps delete is gone from the vault's files, tables
// and write-ahead logs, when they return: the sealed text and the wrapped key,
// without which even the master key opens nothing. The blocks that the files had
// are the file system's to use again, and a backup taken before keeps its copy.
package vault
