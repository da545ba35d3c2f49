package observe

import (
	_ "github.com/grafana/grafana-foundation-sdk/go/dashboard"
	_ "k8s.io/api/apps/v1"
	_ "go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	_ "github.com/moby/buildkit/frontend/dockerfile/instructions"
	_ "github.com/moby/buildkit/frontend/dockerfile/parser"
	_ "sigs.k8s.io/yaml"
	_ "github.com/prometheus/prometheus/promql/parser"
	_ "k8s.io/api/policy/v1"
	_ "k8s.io/apimachinery/pkg/api/resource"
)
