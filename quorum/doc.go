// Package quorum holds the words of the domain and the rules over them: what a
// companion, a deliberation, a ballot and a verdict are, and how ballots become
// a verdict.
//
// A companion's [Reply] that was scored, extracted and weighed is a [Ballot].
// [Policy] is every number of the rules in one document. [Policy.Weigh] fixes
// what each seat weighs, [Policy.Decide] counts the ballots and gives a
// [Verdict], and [Policy.Settled] tells when no reply still out can change it.
// Where more than one round was wanted, a [Hearing] takes it from there: a second
// round, a judge, a synthesis, each a pure function of what is recorded of it.
// What external judges, a [Jury], hold against replies comes in as an [Opinion] and
// stands in ballots as a letter a judge ([Judged]).
// A [Record] is one kept fact in the canonical bytes that the ledger holds.
//
// The package is pure: no clock, network, disk, logger, goroutine or float. The
// same ballots give the same verdict on every machine, so an auditor who replays
// the ledger agrees with the gateway that wrote it.
//
// Units: [PPM] (weights, shares, similarities, agreement, confidence, GI) in
// parts per million; [Score] in hundredths of a point; [MicroUSD] in millionths
// of a dollar; times in milliseconds since 1970, UTC.
package quorum
