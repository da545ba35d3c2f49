package fanout

import (
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.41.0"

	"github.com/kaizen-os/deliberation/quorum"
)

// The names of the GenAI semantic conventions that this package reports under,
// at version 1.41. The conventions still change from version to version, so the
// version is pinned here and nowhere else; dashboards depend on it.
//
// SchemaURL goes to whoever makes the Tracer and the Meter.
const SchemaURL = semconv.SchemaURL

const (
	keyOperation     = semconv.GenAIOperationNameKey
	keyProvider      = semconv.GenAIProviderNameKey
	keyRequestModel  = semconv.GenAIRequestModelKey
	keyResponseModel = semconv.GenAIResponseModelKey
	keyInputTokens   = semconv.GenAIUsageInputTokensKey
	keyOutputTokens  = semconv.GenAIUsageOutputTokensKey
	keyTokenType     = semconv.GenAITokenTypeKey
	keyErrorType     = semconv.ErrorTypeKey
	keyServerAddress = semconv.ServerAddressKey
	keyServerPort    = semconv.ServerPortKey

	operationChat = "chat"
	tokensInput   = "input"
	tokensOutput  = "output"

	metricDuration = "gen_ai.client.operation.duration"
	metricTokens   = "gen_ai.client.token.usage"
)

// What the conventions have no word for is ours.
const (
	keyCompanion = attribute.Key("kaizen.companion")
	keyOutcome   = attribute.Key("kaizen.outcome")
	keyAttempts  = attribute.Key("kaizen.attempts")

	metricLimiterWait  = "kaizen.limiter.wait"
	metricInFlight     = "kaizen.in_flight"
	metricBreakerState = "kaizen.breaker.state"
)

// The bucket boundaries that the conventions advise.
var (
	durationBuckets = []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
	tokenBuckets    = []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
)

// providerName is the conventions' name for a dialect, or the dialect itself.
func providerName(dialect string) string {
	switch dialect {
	case "openai":
		return semconv.GenAIProviderNameOpenAI.Value.AsString()
	case "anthropic":
		return semconv.GenAIProviderNameAnthropic.Value.AsString()
	case "gemini":
		return semconv.GenAIProviderNameGCPGemini.Value.AsString()
	}
	return dialect
}

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
