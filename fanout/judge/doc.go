// Package judge asks external judges what they hold against a text: an endpoint of
// the shape of OpenAI's moderations, a Llama-Guard-style model over chat
// completions, and whoever answers POST /constitutional/validate.
//
// Each is a [Judge] for one server, which stands behind scoring's interface of that
// name. It says what it finds in the charter's words: a clause, and a step on the
// ladder of severities (quorum.Step); the tables by which a provider's categories
// become these are in moderation.go and guard.go, and are all of that mapping there
// is. A clause has at most one objection, the worst.
//
// What a server says is read strictly: an answer that is not exactly of its shape is
// no opinion, and never one without objections. Errors are *upstream.Error, ctx's or
// those of the key's source, and hold nothing of what was sent or said. Nothing here retries, caches or counts.
package judge
