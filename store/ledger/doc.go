// Package ledger keeps the append-only sequence of records as a transparency
// log that anyone can verify (C2SP tlog-tiles, RFC 6962 hashing).
//
// The life of a record: [Ledger.Append] encodes its leaf in the caller's
// goroutine and queues it. The one sequencer gathers what waits, stamps each
// leaf with the time, hashes it into the tree, signs a checkpoint over the new
// root, and commits entries, full tiles, names and checkpoint as one batch with
// one sync. When the sync is back it publishes the new head, folds the records
// into the state, and wakes the callers with their [Receipt]s. What arrives
// meanwhile is the next batch.
//
// Invariants:
//
//   - Nothing is readable, signed away or folded before it is on the disk.
//   - Indexes have no gaps; times never go back.
//   - A failed sync ends the sequencer: no caller is told "kept", and what the
//     disk holds is settled by the next Open.
//   - Open refuses a store whose entries and tiles do not give the root that was
//     signed, and does not sign for one that is behind what was signed before.
//   - A damaged file is refused at Open, by name and, where it can be known, by
//     offset, or fails the read that meets it: no proof is made of it. One thing
//     nobody can tell from a write that was torn: a log cut off at its end. The
//     rollback guard tells it, but for the last second that it may be behind.
//
// Units: times are UTC milliseconds, sizes and indexes are entries.
package ledger
