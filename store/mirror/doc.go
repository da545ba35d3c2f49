// Package mirror reads a ledger as a stranger does: from a URL or a static
// folder that serve it as C2SP tlog-tiles, trusting neither.
//
// [Verify] goes through the whole log once: every entry is hashed, every tile is
// compared with the hashes it should hold, and the root with the one that was
// signed. What it is given to keep has been checked, so a copy of a log
// ([Export]) is a verified one, which any web server can serve on.
//
// Memory does not grow with the log: a few entry bundles are held at a time.
package mirror
