// Package gateway is the pipeline: it admits a request, seats a panel, has it
// asked, scored and decided on, records the proof, and answers.
//
//	client ──▶ admit ──▶ seat ──▶ ask ──▶ score ──▶ decide ──▶ record ──▶ answer
//
// It owns the request's one deadline. [Gateway.deliberate] knows the order and
// nothing else does. What is read of the rules comes from one immutable state
// (the [Book], a fold over the ledger), what is read of the configuration from
// one immutable view, both behind atomic pointers.
//
// Where there are external judges (a [Judge] each), a reply is also judged as it
// arrives, within what the deadline leaves; a judge that fails leaves it unjudged.
//
// Clients of other APIs are served by a [dialect], which decodes what they ask to
// the same request and tells the same outcome in their form. A response that is
// told piece by piece is a [stream]: the pipeline passes on how it goes to a
// [watch], which is nil for everybody else.
//
// An answer is said only when its proof is durable. No text of a prompt or a
// reply reaches a log, a trace, a metric, an error or the ledger.
package gateway
