// Package observe runs the gateway under other people's eyes: a real OpenTelemetry
// Collector and a real Prometheus, with the files of cmd/kaizen/deploy, and looks at
// the spans and series that arrive. There is nothing to import here; the tests are
// the package, and otelcol, beside it, is the collector.
//
// It is a module of its own so that what it needs stays out of the product, which it
// does not import either: it builds kaizen as the image does and talks to that.
package observe
