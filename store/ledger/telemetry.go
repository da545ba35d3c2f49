package ledger

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// telemetry is what the sequencer measures.
type telemetry struct {
	batch metric.Int64Histogram
	sync  metric.Float64Histogram
	queue metric.Registration
}

func newTelemetry(meter metric.Meter, l *Ledger) (*telemetry, error) {
	if meter == nil {
		meter = noop.NewMeterProvider().Meter("")
	}
	var t telemetry
	var errBatch, errSync, errQueue, errSize, errRegister error
	t.batch, errBatch = meter.Int64Histogram("kaizen.ledger.batch.size", metric.WithUnit("{entry}"),
		metric.WithDescription("Entries in one committed batch"),
		metric.WithExplicitBucketBoundaries(1, 2, 4, 8, 16, 32, 64, 128, 256, 512))
	t.sync, errSync = meter.Float64Histogram("kaizen.ledger.sync.duration", metric.WithUnit("s"),
		metric.WithDescription("Commit of one batch, sync included"),
		metric.WithExplicitBucketBoundaries(.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5))
	queue, errQueue := meter.Int64ObservableGauge("kaizen.ledger.queue", metric.WithUnit("{entry}"),
		metric.WithDescription("Entries that wait for the sequencer"))
	size, errSize := meter.Int64ObservableGauge("kaizen.ledger.size", metric.WithUnit("{entry}"),
		metric.WithDescription("Entries in the ledger"))
	if err := errors.Join(errBatch, errSync, errQueue, errSize); err != nil {
		return nil, err
	}
	t.queue, errRegister = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(queue, int64(len(l.queue)))
		o.ObserveInt64(size, int64(l.Size()))
		return nil
	}, queue, size)
	return &t, errRegister
}

func (t *telemetry) committed(entries int, took time.Duration) {
	ctx := context.Background()
	t.batch.Record(ctx, int64(entries))
	t.sync.Record(ctx, took.Seconds())
}

func (t *telemetry) close() error { return t.queue.Unregister() }
