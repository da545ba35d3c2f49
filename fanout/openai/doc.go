// Package openai speaks OpenAI chat completions, to OpenAI and to every server
// that is compatible with it.
//
// An [Adapter] is package fanout's Asker for one model at one server. Such a
// model does not know the native protocol, so for kinds of answer other than
// text it gets a short fixed instruction (instruct.go) after which the answer
// stands in an "answer" field. Finding it there is not this package's work: the
// reply's text is handed on as it is.
package openai
