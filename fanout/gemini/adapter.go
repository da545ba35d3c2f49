package gemini

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"

	"github.com/kaizen-os/deliberation/fanout/dialect"
	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

// Config describes one model. The origin of Upstream includes the base path, such
// as https://generativelanguage.googleapis.com/v1beta.
type Config struct {
	Upstream  upstream.Config
	Key       func(context.Context) (string, error) // the API key or token at the time of a call; nil or "" sends none
	Bearer    bool                                  // the key is an OAuth token, and no API key
	Model     string                                // required; with or without "models/" before it
	MaxTokens int                                   // of an answer, its reasoning included; zero leaves it to the model, or to the client
	Stream    bool                                  // ask for the reply in pieces, so that a call that is given up stops the model
	Lacks     dialect.Lacks                         // settings that the model does not take
}

// Adapter asks one model. It is safe for concurrent use.
type Adapter struct {
	client    *upstream.Client
	generate  *upstream.Route
	key       func(context.Context) (string, error)
	maxTokens int
	stream    bool
	lacks     dialect.Lacks
}

// New checks cfg. It does not connect.
func New(cfg Config) (*Adapter, error) {
	model := strings.TrimPrefix(cfg.Model, "models/")
	switch {
	case model == "":
		return nil, errors.New("gemini: no model")
	case cfg.MaxTokens < 0:
		return nil, errors.New("gemini: max tokens is below 0")
	}
	client, err := upstream.New(cfg.Upstream)
	if err != nil {
		return nil, err
	}
	if cfg.Key == nil {
		cfg.Key = func(context.Context) (string, error) { return "", nil }
	}
	path := "/models/" + url.PathEscape(model)
	if cfg.Stream {
		path += ":streamGenerateContent?alt=sse"
	} else {
		path += ":generateContent"
	}
	headers := upstream.Headers{Key: "x-goog-api-key", Streamed: cfg.Stream}
	if cfg.Bearer {
		headers.Key = ""
	}
	return &Adapter{
		client:    client,
		generate:  client.PostWith(path, headers),
		key:       cfg.Key,
		maxTokens: cfg.MaxTokens,
		stream:    cfg.Stream,
		lacks:     cfg.Lacks,
	}, nil
}

// Address is where the server is reached, for telemetry.
func (a *Adapter) Address() (host string, port int) { return a.client.Address() }

// Close closes idle connections.
func (a *Adapter) Close() { a.client.Close() }

// bodies holds buffers for request bodies; one is in use only until the call is
// back.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// maxPooledBody is the largest buffer kept: prompts may have a MiB, few do.
const maxPooledBody = 64 << 10

// Ask puts d to the model and fills r from its reply. Its error is an
// *upstream.Error or ctx's.
func (a *Adapter) Ask(ctx context.Context, d *quorum.Deliberation, r *quorum.Reply) error {
	key, err := a.key(ctx)
	if err != nil {
		return err
	}
	body := bodies.Get().(*[]byte)
	*body = a.appendRequest((*body)[:0], d)
	var parts *assembly
	var resp *upstream.Response
	if a.stream {
		parts = &assembly{Gather: dialect.Gather{Limit: a.client.MaxBody()}}
		resp, err = a.generate.Stream(ctx, key, *body, parts)
	} else {
		resp, err = a.generate.Do(ctx, key, *body)
	}
	if cap(*body) <= maxPooledBody {
		bodies.Put(body)
	}
	switch {
	case err != nil:
		return err
	case resp == nil:
		return parts.Fill(d, r)
	}
	defer resp.Release()
	if err := resp.Err(); err != nil {
		return explain(err, resp.Body)
	}
	if err := resp.JSON(); err != nil {
		return err
	}
	return DecodeReply(resp.Body, d, r)
}
