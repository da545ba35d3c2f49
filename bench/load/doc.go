// Package load measures a server under load, and the gateway against its floor.
//
// [Run] is the generator. In a closed loop a number of clients each send the
// next request when the last is answered: that finds throughput. In an open
// loop requests are due at a rate whatever the server does, and each is timed
// from when it was due, so a server that stalls is charged for everyone who
// waited: that finds latencies. What is measured runs in processes of its own,
// so that processor time and memory are the server's alone.
//
// [Bench] is the whole comparison: for panels and companion latencies it starts
// companions, the floor and the gateway through the caller's [Starters], runs
// floor, gateway and floor again, and gives a [Report] with the goals that the
// design sets. [SyncedSets] and [SyncedBatches] measure what the disk asks for
// by itself.
//
// Latencies are recorded in tenths of a microsecond with three significant
// digits. Processor time and memory come from /proc and are missing elsewhere.
package load
