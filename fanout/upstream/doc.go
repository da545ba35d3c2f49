// Package upstream speaks HTTP/1.1 to one companion's origin.
//
// A [Client] keeps a pool of connections to one origin; a [Route] is one method
// and path of it, with the unchanging part of the request head already written.
// [Route.Do] sends a body and returns a [Response], whose body lies in a reused
// buffer until [Response.Release]. Everything that can go wrong is an [*Error]
// with a class and a fixed phrase, or the ctx's own error.
//
// [Route.Stream] is the same for a reply that comes as server-sent events: it
// hands each to a [Sink] as it comes. The end of a call's ctx, or the sink's word,
// closes the connection in the middle, and the companion stops writing what
// nobody will read.
//
// It stands on fasthttp's response parser but not on its client: that one obeys
// a deadline and no cancel, so a call nobody needs any more would run on. Here
// the end of ctx ends the call and closes the connection.
//
// Redirects are never followed, compression is never asked for, and nothing
// that a companion sent, neither header nor body, is ever in an error.
package upstream
