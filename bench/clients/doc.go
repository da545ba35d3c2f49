// Package clients holds the provider-shaped APIs, and the adapters of providers,
// against other people's code: the official clients of OpenAI and Anthropic for
// Go and for Node, the Vercel AI SDK and curl ask a "kaizen serve"; and the
// companions that it asks in its turn are servers that read requests into, and
// write replies from, the types of openai-go, anthropic-sdk-go and genai. There is
// nothing to import here; the tests are the package.
//
// It is a module of its own so that what it needs stays out of the product, and
// uses nothing of ours but the program.
package clients
