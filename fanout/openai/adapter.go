package openai

import (
	"context"
	"errors"
	"sync"

	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

// The names that servers give the limit of output tokens. OpenAI's own newer
// models take only the second, most others only the first.
const (
	MaxTokens           = "max_tokens"
	MaxCompletionTokens = "max_completion_tokens"
)

// Config describes one model at one server. The origin of Upstream includes the
// base path, such as https://api.openai.com/v1.
type Config struct {
	Upstream       upstream.Config
	Key            func() string // the API key at the time of a call, so that it can be rotated; nil or "" sends none
	Model          string        // required
	MaxTokensField string        // MaxTokens (also if empty) or MaxCompletionTokens
	MaxTokens      int           // of an answer; zero leaves it to the server
}

// Adapter asks one model. It is safe for concurrent use.
type Adapter struct {
	client *upstream.Client
	chat   *upstream.Route
	key    func() string
	head   []byte // of every request body
}

// New checks cfg. It does not connect.
func New(cfg Config) (*Adapter, error) {
	switch {
	case cfg.Model == "":
		return nil, errors.New("openai: no model")
	case cfg.MaxTokens < 0:
		return nil, errors.New("openai: max tokens is below 0")
	case cfg.MaxTokensField != "" && cfg.MaxTokensField != MaxTokens && cfg.MaxTokensField != MaxCompletionTokens:
		return nil, errors.New("openai: max tokens field: want " + MaxTokens + " or " + MaxCompletionTokens)
	}
	client, err := upstream.New(cfg.Upstream)
	if err != nil {
		return nil, err
	}
	if cfg.Key == nil {
		cfg.Key = func() string { return "" }
	}
	if cfg.MaxTokensField == "" {
		cfg.MaxTokensField = MaxTokens
	}
	return &Adapter{
		client: client,
		chat:   client.Post("/chat/completions"),
		key:    cfg.Key,
		head:   appendHead(nil, &cfg),
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
	body := bodies.Get().(*[]byte)
	*body = appendRequest((*body)[:0], a.head, d)
	resp, err := a.chat.Do(ctx, a.key(), *body)
	if cap(*body) <= maxPooledBody {
		bodies.Put(body)
	}
	if err != nil {
		return err
	}
	defer resp.Release()
	if err := resp.Err(); err != nil {
		return explain(err, resp.Body)
	}
	if err := resp.JSON(); err != nil {
		return err
	}
	return DecodeReply(resp.Body, r)
}
