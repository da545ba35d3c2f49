// Package dialect holds what the adapters of providers' own dialects share, since
// they do not import each other: what a model that does not know the native
// protocol is told (instruct.go), how values are written into requests, what can
// be wrong with a reply (errors.go), and how a reply becomes one of ours.
//
// An [Answer] is a reply as any provider gives it, whole; a [Gather] makes one of
// a stream's pieces, within a bound. [Answer.Fill] checks it against what was
// asked: tools that were offered, stop sequences, room for an answer at all.
package dialect
