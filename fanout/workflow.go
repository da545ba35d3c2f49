package fanout

import (
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"

	"github.com/kaizen-os/deliberation/quorum"
)

// WorkflowSpan is the name of the span that a panel's calls are siblings under;
// its names stand beside theirs, at one version of the conventions.
const WorkflowSpan = "invoke_workflow deliberation"

// WorkflowAttributes are that span's. Nothing in them is text of the prompt.
func WorkflowAttributes(d *quorum.Deliberation) []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.GenAIOperationNameKey.String("invoke_workflow"),
		semconv.GenAIWorkflowNameKey.String("deliberation"),
		attribute.String("kaizen.deliberation", d.ID),
		attribute.String("kaizen.tier", d.Tier.String()),
		attribute.String("kaizen.chamber", d.Chamber),
		attribute.String("kaizen.kind", d.Kind.String()),
	}
}
