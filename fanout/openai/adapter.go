package openai

import (
	"context"
	"errors"
	"net/url"
	"sync"

	"github.com/kaizen-os/deliberation/fanout/dialect"
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
	Key            func(context.Context) (string, error) // the API key or token at the time of a call; nil or "" sends none
	Model          string                                // required
	MaxTokensField string                                // MaxTokens (also if empty) or MaxCompletionTokens
	MaxTokens      int                                   // of an answer; zero leaves it to the server, or to the client
	Stream         bool                                  // ask for the reply in pieces, so that a call that is given up stops the model
	Lacks          dialect.Lacks                         // settings that the model does not take
	Azure          Azure
}

// Azure says how a model is reached at Azure's deployments, where APIVersion is
// not empty: under the resource's own origin, by the deployment's name.
type Azure struct {
	APIVersion string // such as 2024-10-21
	Deployment string // "" is the model's name
	Bearer     bool   // the key is a token of Entra ID, and no API key
}

// Adapter asks one model. It is safe for concurrent use.
type Adapter struct {
	client     *upstream.Client
	chat       *upstream.Route
	key        func(context.Context) (string, error)
	head       []byte // of every request body
	limitField []byte // what stands before a limit of tokens
	maxTokens  int
	stream     bool
	lacks      dialect.Lacks
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
	case cfg.Azure.APIVersion == "" && cfg.Azure != (Azure{}):
		return nil, errors.New("openai: azure without api version")
	}
	client, err := upstream.New(cfg.Upstream)
	if err != nil {
		return nil, err
	}
	if cfg.Key == nil {
		cfg.Key = func(context.Context) (string, error) { return "", nil }
	}
	if cfg.MaxTokensField == "" {
		cfg.MaxTokensField = MaxTokens
	}
	path, headers := "/chat/completions", upstream.Headers{Streamed: cfg.Stream}
	if az := cfg.Azure; az.APIVersion != "" {
		if az.Deployment == "" {
			az.Deployment = cfg.Model
		}
		path = "/openai/deployments/" + url.PathEscape(az.Deployment) + path + "?api-version=" + url.QueryEscape(az.APIVersion)
		if !az.Bearer {
			headers.Key = "api-key"
		}
	}
	return &Adapter{
		client:     client,
		chat:       client.PostWith(path, headers),
		key:        cfg.Key,
		head:       dialect.AppendString([]byte(`{"model":`), cfg.Model),
		limitField: append(dialect.AppendString([]byte(","), cfg.MaxTokensField), ':'),
		maxTokens:  cfg.MaxTokens,
		stream:     cfg.Stream,
		lacks:      cfg.Lacks,
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
		resp, err = a.chat.Stream(ctx, key, *body, parts)
	} else {
		resp, err = a.chat.Do(ctx, key, *body)
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
	return DecodeReply(resp.Body, d, r) // of a server that does not stream, too
}
