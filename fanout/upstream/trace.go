package upstream

import (
	"context"
	"encoding/hex"

	"go.opentelemetry.io/otel/trace"
)

// appendTrace appends the W3C trace headers of ctx's span, sampled or not, so
// that the companion can join its own trace to ours.
func appendTrace(dst []byte, ctx context.Context) []byte {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return dst
	}
	traceID, spanID := span.TraceID(), span.SpanID()
	dst = append(dst, "traceparent: 00-"...)
	dst = hex.AppendEncode(dst, traceID[:])
	dst = append(dst, '-')
	dst = hex.AppendEncode(dst, spanID[:])
	if span.IsSampled() {
		dst = append(dst, "-01\r\n"...)
	} else {
		dst = append(dst, "-00\r\n"...)
	}
	if state := span.TraceState(); state.Len() > 0 {
		dst = append(dst, "tracestate: "...)
		dst = append(dst, state.String()...)
		dst = append(dst, '\r', '\n')
	}
	return dst
}
