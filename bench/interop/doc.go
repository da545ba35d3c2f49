// Package interop holds our ledger against other people's code: Tessera's client
// and fsck, golang.org/x/mod/sumdb, and transparency-dev's merkle and formats
// read it as the gateway serves it and as it is exported. There is nothing to
// import here; the tests are the package, and ledgerbench, beside it, compares
// speeds.
//
// It is a module of its own so that what it needs stays out of the product.
// None of the checks may use our own packages to judge: those only build the
// ledger and serve it.
package interop
