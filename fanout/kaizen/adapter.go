package kaizen

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

// Config describes one companion that speaks the native protocol.
type Config struct {
	Upstream upstream.Config
	Key      func(context.Context) (string, error) // the bearer token at the time of a call; nil or "" sends none
}

// Adapter asks one companion. It is safe for concurrent use.
type Adapter struct {
	client     *upstream.Client
	deliberate *upstream.Route
	health     *upstream.Route
	key        func(context.Context) (string, error)
}

// New checks cfg. It does not connect.
func New(cfg Config) (*Adapter, error) {
	client, err := upstream.New(cfg.Upstream)
	if err != nil {
		return nil, err
	}
	if cfg.Key == nil {
		cfg.Key = func(context.Context) (string, error) { return "", nil }
	}
	return &Adapter{
		client:     client,
		deliberate: client.Post("/v1/deliberate"),
		health:     client.Get("/health"),
		key:        cfg.Key,
	}, nil
}

// Address is where the companion is reached, for telemetry.
func (a *Adapter) Address() (host string, port int) { return a.client.Address() }

// Close closes idle connections.
func (a *Adapter) Close() { a.client.Close() }

// bodies holds buffers for request bodies; one is in use only until the call is
// back.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// maxPooledBody is the largest buffer kept: prompts may have a MiB, few do.
const maxPooledBody = 64 << 10

// Ask puts d to the companion and fills r from its reply. Its error is an
// *upstream.Error or ctx's.
func (a *Adapter) Ask(ctx context.Context, d *quorum.Deliberation, r *quorum.Reply) error {
	key, err := a.key(ctx)
	if err != nil {
		return err
	}
	body := bodies.Get().(*[]byte)
	*body = AppendRequest((*body)[:0], d, due(ctx))
	resp, err := a.deliberate.Do(ctx, key, *body)
	if cap(*body) <= maxPooledBody {
		bodies.Put(body)
	}
	if err != nil {
		return err
	}
	defer resp.Release()
	if err := resp.JSON(); err != nil {
		return err
	}
	return DecodeReply(resp.Body, r)
}

// due is the time left until the answer is due; negative if there is no limit.
// A late answer is still listened for, so that can be before ctx's deadline.
func due(ctx context.Context) time.Duration {
	if d, ok := ctx.(interface{ Due() time.Time }); ok {
		return max(0, time.Until(d.Due()))
	}
	if at, ok := ctx.Deadline(); ok {
		return max(0, time.Until(at))
	}
	return -1
}

// ErrUnhealthy is a companion that answers and says that it is unhealthy.
var ErrUnhealthy = errors.New("kaizen: companion says it is unhealthy")

// Health asks the companion how it is. A 200 without a status is healthy. The
// error is ErrUnhealthy, an *upstream.Error, or ctx's.
func (a *Adapter) Health(ctx context.Context) (Health, error) {
	key, err := a.key(ctx)
	if err != nil {
		return Health{}, err
	}
	resp, err := a.health.Do(ctx, key, nil)
	if err != nil {
		return Health{}, err
	}
	defer resp.Release()
	if err := resp.Err(); err != nil {
		return Health{}, err
	}
	h, err := DecodeHealth(resp.Body)
	if err == nil && h.Status == Unhealthy {
		err = ErrUnhealthy
	}
	return h, err
}
