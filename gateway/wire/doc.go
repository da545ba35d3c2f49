// Package wire is the JSON that callers of the gateway send and receive, one
// file a group of routes: [Request] and [Deliberation] for /v1/deliberate,
// [ValidateRequest] and [ValidateResponse] for /constitutional/validate,
// [Health] and [Ready] for the probes, and [Error] for whatever goes wrong.
//
// The routes that are shaped like a provider's decode to one [Ask], which is a
// [Request] and how the client wants to be told of it, and are told of one [Told]:
// chat.go, responses.go and messages.go have a form of each, stream.go the same
// in server-sent events, and events.go our own.
//
// A body is decoded strictly. Unknown fields, duplicates, null, wrong types,
// data after the end and invalid UTF-8 are refused, each with the path of the
// field ("messages[3].role"); what can be found in one reading is reported
// together. A decoder returns an [*Error] or nothing, and never panics. What is
// allowed beyond the grammar (which tiers, which chambers, how long a prompt)
// is the caller's to say, in [Limits]: this package knows no policy.
//
// A response is appended to a buffer without allocating when there is room.
// Clients decode it into the same struct, and tolerate fields they do not know,
// so that a newer gateway may add some.
//
// Units: [PPM] holds shares, weights, severities and confidences in parts per
// million and stands in JSON as a decimal ("0.81"); [Hundredths] holds charter
// scores; [Micros] holds times in microseconds and stands as milliseconds. All
// are integers, converted digit by digit: no float touches them.
package wire
