// Package form holds replies to the form that their client asked for: a JSON
// object, JSON that a schema accepts, or calls of the tools that it offered.
//
// A [Form] is made once for a request, from its quorum.Generation, and reads each
// reply: what it answers, in a form in which equal answers are equal bytes, or why
// it does not count. It is safe for concurrent use.
//
// Schemas come from clients, so they are bounded in size, depth and number of
// parts, may refer to nothing but themselves, and all the validating that a
// request may cost is bounded too: a few hundred bytes of schema can ask for more
// steps than a machine ever takes.
package form
