package observe

import (
	_ "github.com/grafana/grafana-foundation-sdk/go/dashboard"
	_ "github.com/moby/buildkit/frontend/dockerfile/instructions"
	_ "github.com/moby/buildkit/frontend/dockerfile/parser"
	_ "github.com/prometheus/prometheus/promql/parser"
	_ "go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	_ "k8s.io/api/apps/v1"
	_ "k8s.io/api/policy/v1"
	_ "k8s.io/apimachinery/pkg/api/resource"
	_ "sigs.k8s.io/yaml"
)
