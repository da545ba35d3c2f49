// Package gemini speaks Google's generateContent.
//
// An [Adapter] is package fanout's Asker for one model. Encoding turns a
// conversation into that API's form: the system's words apart, turns as contents
// of parts, calls and their results as parts. A reply that was blocked, or whose
// prompt was, is refused.
//
// A stream of this API has no mark at its end: it is whole when the model has
// said why it stopped and the response has ended as HTTP says it must.
package gemini
