// Package witness lets others vouch for a ledger, and a ledger be vouched for
// (C2SP tlog-witness, tlog-cosignature).
//
// A witness remembers, for each log it knows, the last checkpoint it has seen, and
// cosigns the next one only if the one is the start of the other. Whoever finds the
// cosignatures of witnesses they trust under a checkpoint need not trust the log
// not to show one history to them and another to someone else, nor to take back
// what it once showed.
//
// The life of a checkpoint: the [Gatherer], about once a second and off the request
// path, takes the ledger's head and has each [Client] put it to its witness, with
// the proof that leads there from what that witness cosigned last. The witness
// ([Handler] over [Witness]) checks signature and proof, writes the new checkpoint
// to its disk, and only then answers with its cosignature. The client checks that
// under the key it was given. What came in time is published with the checkpoint;
// what came late is added.
//
// Invariants:
//
//   - No cosignature leaves a witness before what it says is on the witness's disk.
//   - A witness never cosigns a checkpoint of a log that does not follow from the
//     one it cosigned before; of concurrent requests for one log it takes one at a
//     time. State that it cannot read is refused, never begun anew.
//   - No cosignature is published that does not verify, over that checkpoint, under
//     a configured key.
//   - A witness that is down, slow or wrong holds up nothing but itself.
//
// Units: times in cosignatures are seconds since 1970, sizes are entries.
package witness
