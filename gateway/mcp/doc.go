// Package mcp offers a gateway to agents over the Model Context Protocol: three
// tools, deliberate, validate and verify_receipt.
//
// [New] makes a server over anything that takes the gateway's own HTTP requests, a
// [Gateway]: the process itself for its /mcp route, or a client of one elsewhere
// for kaizen mcp. So a tool can do what its caller's key may do, is limited, traced
// and recorded like any other request, and there is one pipeline.
//
// What a tool cannot do is told as the tool's error, in the gateway's words, so that
// an agent reads it and can do better; only a broken request is the protocol's.
package mcp
