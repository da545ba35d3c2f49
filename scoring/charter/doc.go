// Package charter scores a text against the seven clauses of the Custos
// Charter: a fast tripwire, and a good detector of personal data and secrets.
// It is no judge; what it cannot tell it names in [Scorer.NotAssessed].
//
// A text is folded to plain letters (look-alikes, full-width, zero-width and
// the like), with a map back to where each came from; cut into words in one
// pass; and the words are matched against a table of patterns, rules.txt, that
// is embedded and compiled once. Personal data and secrets are found at the
// bytes that may start one ('@', a digit, a known prefix) and then proved by
// their own checks. Findings carry byte spans in the text as it was given.
//
// A [Stream] scores a reply that comes in parts; a [Redactor] puts marks in the
// place of personal data and secrets, in logs and errors.
//
// A linear model over the same words then says how much the reply as a whole looks
// like those that broke the charter: its evidence, by which replies are ranked, and
// which may cost a finding that names no clause and alone never takes a text under
// 65. It is learned elsewhere (bench/charter/train) and embedded as a table of
// hashes and weights; linear.json says from what.
//
// A clause scores 100 times the product of (1 - severity) over its findings,
// the text the worst of its clauses. All of it is integer, depends on nothing
// but the text (and, for a reply, the prompt, whose personal data is no news)
// and the tables, whose digest names the version that scored.
//
// Units: severities in parts per million, scores in hundredths of a point.
// Cost: linear in the text; no allocation unless there are findings and
// Assessment.Findings has no room for them.
package charter
