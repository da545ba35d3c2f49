// Package kaizen speaks the native companion protocol: POST /v1/deliberate and
// GET /health at a companion's origin.
//
// An [Adapter] is package fanout's Asker for one companion. Encoding and
// decoding are pure; what a companion sends is read strictly as to types and
// tolerantly as to fields that are not known, and only "response" is required.
package kaizen
