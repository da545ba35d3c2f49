// Package scoring turns replies into ballots. Each reply is read once, in the
// goroutine in which it arrived: its charter score (package charter), and what
// answer it gives (package answer). When enough are in, [Scorer.Kind] settles what
// kind of question it was, [Scorer.Cast] what each ballot says, [Scorer.Compare]
// which texts are alike, and the rules of package quorum do the rest.
//
//	sheet := scorer.NewSheet(d, seats)
//	scorer.Read(sheet, i, reply)                   // any goroutine, once a seat
//	sheet.Hear(i, judge, opinion, len)             // likewise, where external judges are asked
//	kind := scorer.Kind(policy, sheet, in)         // from here on one goroutine,
//	scorer.Cast(ballot, sheet, i, kind, reply)     // any number of times
//	scorer.Compare(policy, q, sheet, ballots)
//	scorer.Release(sheet)
//
// No network, no disk, no clock; deterministic.
package scoring
