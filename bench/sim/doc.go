// Package sim runs companions that are no models: real HTTP servers on
// loopback, one a companion, for demonstrations, benchmarks and evaluation.
//
// A [Companion] is a row of data: who it claims to be, how long it takes
// ([Latency]), and what it says. What it says comes from one of three sources:
//
//   - its simulated mind (the default): small arithmetic is really computed, a
//     table of facts is known, anything else gets a short paragraph whose
//     content the companions share. Each is right with its Skill, so now and
//     then one dissents. The same prompt, companion and seed always give the
//     same reply, and free text says that it is simulated;
//   - a [Voice], such as one model of a [Recording]: replies recorded earlier;
//   - Fixed: constant replies of one size, encoded once, as cheap as an HTTP
//     reply gets, because in a benchmark they share the machine with what is
//     measured.
//
// [Start] gives every companion an origin of its own, which speaks the native
// companion protocol (POST /v1/deliberate, GET /health, POST
// /constitutional/validate) and OpenAI chat completions (POST
// /v1/chat/completions, streamed too). A [Fault] makes a companion misbehave
// until it is lifted. [Sim.Close] ends every connection and goroutine.
package sim
