// Package merkle is the RFC 6962 tree over the ledger's entries, kept as the
// C2SP tlog-tiles specification lays it out: tiles of 256 hashes, where a hash
// of level l+1 is the root of a full tile of level l.
//
// [Tree] is the writer's side. It keeps only the right edge (one unfinished
// tile a level) and the root of each perfect subtree on it, so that an append
// costs one node hash on average and no read, at any size.
//
// Proofs are the readers' side. Whatever is made of stored tiles is checked
// against the root before it is returned: a damaged tile gives an error, never a
// wrong proof. Verification is golang.org/x/mod/sumdb/tlog's.
//
// The package is pure: no disk, no clock, no goroutine.
package merkle
