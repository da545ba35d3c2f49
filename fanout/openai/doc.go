// Package openai speaks OpenAI chat completions, to OpenAI and to every server
// that is compatible with it: Azure's deployments, DeepSeek, vLLM, Ollama.
//
// An [Adapter] is package fanout's Asker for one model at one server. Such a
// model does not know the native protocol, so for kinds of answer other than
// text it gets a short fixed instruction (package dialect) after which the answer
// stands in an "answer" field. Finding it there is not this package's work: the
// reply's text is handed on as it is.
//
// Asked to stream, a reply is put together while it comes (stream.go). Only a
// whole one is a reply; a server that answers in one piece is as good.
package openai
