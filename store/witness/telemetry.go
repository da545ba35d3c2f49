package witness

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// telemetry is what the Gatherer measures, by witness.
type telemetry struct {
	failures metric.Int64Counter
	gauges   metric.Registration
}

func newTelemetry(meter metric.Meter, g *Gatherer) (*telemetry, error) {
	if meter == nil {
		meter = noop.NewMeterProvider().Meter("")
	}
	var t telemetry
	failures, errFailures := meter.Int64Counter("kaizen.witness.failures", metric.WithUnit("{submission}"),
		metric.WithDescription("Submissions that brought no cosignature"))
	lag, errLag := meter.Int64ObservableGauge("kaizen.witness.lag", metric.WithUnit("{entry}"),
		metric.WithDescription("Entries that the witness has not cosigned"))
	age, errAge := meter.Int64ObservableGauge("kaizen.witness.cosigned.age", metric.WithUnit("s"),
		metric.WithDescription("Since the witness's last cosignature; there is none before the first"))
	if err := errors.Join(errFailures, errLag, errAge); err != nil {
		return nil, err
	}
	t.failures = failures
	var err error
	t.gauges, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		head, now := g.cfg.Ledger.Size(), g.cfg.Clock().Unix()
		for _, s := range g.seats {
			name := metric.WithAttributes(attribute.String("witness", s.name))
			o.ObserveInt64(lag, int64(head-min(head, s.size.Load())), name)
			if at := s.at.Load(); at > 0 {
				o.ObserveInt64(age, max(0, now-at), name)
			}
		}
		return nil
	}, lag, age)
	return &t, err
}

func (t *telemetry) failed(witness string, class Class) {
	t.failures.Add(context.Background(), 1, metric.WithAttributes(attribute.String("witness", witness), attribute.String("class", string(class))))
}

func (t *telemetry) close() error { return t.gauges.Unregister() }
