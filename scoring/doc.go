// Package scoring turns replies into ballots. Each reply is read once, in the
// goroutine in which it arrived: its charter score (package charter), and what
// answer it gives (package answer). When enough are in, [Scorer.Resolve] settles
// what kind of question it was and which texts are alike, and the rules of
// package quorum do the rest.
//
//	reading := &sheet.Readings[i]
//	scorer.Read(sheet, i, reply)             // any goroutine, once a seat
//	q := scorer.Resolve(policy, sheet, ...)  // one goroutine, any number of times
//
// No network, no disk, no clock; deterministic.
package scoring
