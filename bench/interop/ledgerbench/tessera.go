package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"golang.org/x/mod/sumdb/note"
)

// A tesseraSetting is how Tessera is run. Zeros leave its own defaults.
type tesseraSetting struct {
	BatchSize  uint
	BatchAge   time.Duration
	Checkpoint time.Duration // how often one is published at most
	Poll       time.Duration // how often a published checkpoint is looked for
	NoGC       bool          // partial tiles are left lying
}

func (s tesseraSetting) String() string {
	text := "defaults"
	if s.BatchSize > 0 {
		text = fmt.Sprintf("batches of %d or %v", s.BatchSize, s.BatchAge)
	}
	if s.Checkpoint > 0 {
		text += fmt.Sprintf(", a checkpoint every %v", s.Checkpoint)
	}
	return text
}

// tesseraLog is Tessera's POSIX driver. Its future resolves when an entry's
// bundle and tiles and the tree's state are synced: durable, and integrated as
// far as the log itself knows, but under no checkpoint that anybody may read.
// With published, Append waits for that checkpoint too, as Tessera's awaiter
// does it.
type tesseraLog struct {
	leaf     leaf
	appender *tessera.Appender
	awaiter  *tessera.PublicationAwaiter
	shutdown func(context.Context) error
	cancel   context.CancelFunc
	metrics  *metric.ManualReader
}

func openTessera(dir string, l leaf, s tesseraSetting, published bool) (*tesseraLog, error) {
	t := &tesseraLog{leaf: l, metrics: metric.NewManualReader()}
	// All but the count of file operations is dropped, so that Tessera is not
	// charged for measuring itself.
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(t.metrics),
		metric.WithView(func(i metric.Instrument) (metric.Stream, bool) {
			if i.Name == posixOps {
				return metric.Stream{}, false
			}
			return metric.Stream{Aggregation: metric.AggregationDrop{}}, true
		})))
	key, _, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(key)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return nil, err
	}
	o := tessera.NewAppendOptions().WithCheckpointSigner(signer)
	if s.BatchSize > 0 {
		o = o.WithBatching(s.BatchSize, s.BatchAge)
	}
	if s.Checkpoint > 0 {
		o = o.WithCheckpointInterval(s.Checkpoint)
	}
	if s.NoGC {
		o = o.WithGarbageCollectionInterval(0)
	}
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, o)
	if err != nil {
		cancel()
		return nil, err
	}
	t.appender, t.shutdown = appender, shutdown
	if published {
		t.awaiter = tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, s.Poll)
	}
	return t, nil
}

func (t *tesseraLog) Append(ctx context.Context, i uint64) error {
	data, _ := t.leaf.appendTo(make([]byte, 0, t.leaf.size()), i)
	future := t.appender.Add(ctx, tessera.NewEntry(data))
	if t.awaiter != nil {
		_, _, err := t.awaiter.Await(ctx, future)
		return err
	}
	_, err := future()
	return err
}

// What Tessera counts its writes by, and the one of them that each batch does
// once.
const (
	posixOps   = "tessera.appender.ops.duration"
	batchWrite = "writeTreeState"
)

func (t *tesseraLog) Batches() (uint64, error) {
	var all metricdata.ResourceMetrics
	if err := t.metrics.Collect(context.Background(), &all); err != nil {
		return 0, err
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			h, ok := m.Data.(metricdata.Histogram[int64])
			if !ok || m.Name != posixOps {
				continue
			}
			for _, point := range h.DataPoints {
				for _, attr := range point.Attributes.ToSlice() {
					if attr.Value.AsString() == batchWrite {
						return point.Count, nil
					}
				}
			}
		}
	}
	return 0, fmt.Errorf("tessera counts no %s in %s", batchWrite, posixOps)
}

// Close lets go of the log. What waits for a checkpoint is not waited for: its
// next one may be ten seconds off, and the folder is about to go.
func (t *tesseraLog) Close() error {
	t.cancel()
	return nil
}
