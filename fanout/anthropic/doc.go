// Package anthropic speaks Anthropic's messages API.
//
// An [Adapter] is package fanout's Asker for one model. Encoding turns a
// conversation into that API's form: the system's words apart, calls and their
// results as blocks, results of one turn in one message. Decoding is strict as to
// types and tolerant as to blocks that are not known, such as thinking.
//
// The API takes no JSON format but on some models and with some schemas, so forms
// are asked for in words (package dialect), and whoever wants one checks it. It
// has no seed, and of temperature and top_p takes one: the former.
package anthropic
