package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/fanout/anthropic"
	"github.com/kaizen-os/deliberation/fanout/gemini"
	"github.com/kaizen-os/deliberation/fanout/kaizen"
	"github.com/kaizen-os/deliberation/fanout/oauth"
	"github.com/kaizen-os/deliberation/fanout/openai"
	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/gateway"
	"github.com/kaizen-os/deliberation/quorum"
)

// An adapter speaks one provider's dialect and keeps connections to it.
type adapter interface {
	fanout.Asker
	Address() (host string, port int)
	Close()
}

// A reach is an adapter with what its keys come from.
type reach struct {
	adapter
	keySource
}

// Ask is the adapter's, and drops a token that the companion does not take: the
// next call gets another.
func (r *reach) Ask(ctx context.Context, d *quorum.Deliberation, reply *quorum.Reply) error {
	err := r.adapter.Ask(ctx, d, reply)
	r.heard(err)
	return err
}

func (r *reach) Close() {
	r.keySource.Close()
	r.adapter.Close()
}

// A keySource is what keys come from that change while the gateway runs.
type keySource struct {
	tokens *oauth.Source // nil for none
	files  []*keyFile
}

func (s *keySource) Close() {
	if s.tokens != nil {
		s.tokens.Close()
	}
}

// heard drops a token that whoever was called does not take, as err says.
func (s *keySource) heard(err error) {
	if s.tokens == nil {
		return
	}
	if e, ok := errors.AsType[*upstream.Error](err); ok && e.Status == http.StatusUnauthorized {
		s.tokens.Forget()
	}
}

// reread takes what the files hold now.
func (s *keySource) reread() {
	for _, file := range s.files {
		file.reread()
	}
}

// newReach makes the adapter of the provider that c names, and the source of its
// keys.
func newReach(c *CompanionConfig, log *slog.Logger) (*reach, error) {
	r := new(reach)
	key, err := r.keys(c.Key, c.KeyFile, &c.OAuth, log)
	if err != nil {
		return nil, err
	}
	if r.adapter, err = newAdapter(c, key); err != nil {
		r.keySource.Close()
		return nil, err
	}
	return r, nil
}

// keys gives a key, which file may hold, or a token at the time of a call.
func (s *keySource) keys(secret Secret, file string, o *OAuthConfig, log *slog.Logger) (func(context.Context) (string, error), error) {
	if o.TokenURL == "" {
		key := s.secret(secret, file, log)
		return func(context.Context) (string, error) { return key(), nil }, nil
	}
	tokens, err := oauth.New(oauth.Config{TokenURL: o.TokenURL, ClientID: o.ClientID,
		Secret: s.secret(o.Secret, o.SecretFile, log), Scopes: strings.Fields(o.Scopes)})
	if err != nil {
		return nil, err
	}
	s.tokens = tokens
	return tokens.Token, nil
}

// secret gives a secret as it is now, where it is kept in a file.
func (s *keySource) secret(secret Secret, file string, log *slog.Logger) func() string {
	if file == "" {
		return secret.Reveal
	}
	k := newKeyFile(file, secret.Reveal(), log)
	s.files = append(s.files, k)
	return k.Reveal
}

// newAdapter makes the adapter of the provider that c names.
func newAdapter(c *CompanionConfig, key func(context.Context) (string, error)) (adapter, error) {
	up := upstream.Config{Origin: c.Endpoint, MaxIdle: c.InFlight, MaxBody: maxReplyBytes}
	bearer := c.OAuth.TokenURL != ""
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return nil, err
	}
	if strings.Trim(u.Path, "/") == "" {
		up.Origin = strings.TrimRight(up.Origin, "/") + ownPaths[c.Provider]
	}
	limit := c.MaxTokens
	switch c.Provider {
	case "kaizen":
		// The companion protocol's paths are relative to the origin (DESIGN §10).
		up.Origin = u.Scheme + "://" + u.Host
		return kaizen.New(kaizen.Config{Upstream: up, Key: key})
	case "openai":
		if limit == 0 && c.MaxTokensField != "" {
			limit = maxReplyTokens
		}
		cfg := openai.Config{Upstream: up, Key: key, Model: c.Model, MaxTokensField: c.MaxTokensField, MaxTokens: limit, Stream: c.Stream, Lacks: c.Without}
		if c.Azure.APIVersion != "" {
			cfg.Azure = openai.Azure{APIVersion: c.Azure.APIVersion, Deployment: c.Azure.Deployment, Bearer: bearer}
		}
		return openai.New(cfg)
	case "anthropic":
		return anthropic.New(anthropic.Config{Upstream: up, Key: key, Bearer: bearer, Model: c.Model, MaxTokens: limit, Stream: c.Stream, Lacks: c.Without})
	case "gemini":
		if limit == 0 {
			limit = maxReplyTokens
		}
		return gemini.New(gemini.Config{Upstream: up, Key: key, Bearer: bearer, Model: c.Model, MaxTokens: limit, Stream: c.Stream, Lacks: c.Without})
	}
	return nil, fmt.Errorf("provider %q has no adapter", c.Provider)
}

// ownPaths are of the providers whose clients are told a host alone: its API
// stands below these.
var ownPaths = map[string]string{"anthropic": "/v1", "gemini": "/v1beta"}

// maxReplyBytes bounds a companion's whole response. Every reply of a panel must
// fit one record of the vault.
const maxReplyBytes = 1 << 20

// maxReplyTokens bounds a reply where the configuration does not, and names the
// field for it if the provider has more than one: a long answer with its reasoning,
// and no run-away.
const maxReplyTokens = 8192

// A crew is the configured companions with their lines and connections.
type crew struct {
	seats    []gateway.Seat
	adapters []*reach
	configs  []CompanionConfig
}

// newCrew makes the lines of companions. A companion whose settings are those of
// before keeps its line, and so its limits, its breaker and its connections.
func newCrew(companions []CompanionConfig, before *crew, log *slog.Logger) (*crew, error) {
	c := &crew{configs: companions}
	for i := range companions {
		cfg := &companions[i]
		if at := before.find(cfg); at >= 0 {
			c.seats = append(c.seats, before.seats[at])
			c.adapters = append(c.adapters, before.adapters[at])
			before.adapters[at].reread()
			continue
		}
		a, err := newReach(cfg, log)
		if err != nil {
			c.close(before)
			return nil, fmt.Errorf("companion %s: %w", cfg.ID, err)
		}
		host, port := a.Address()
		line, err := fanout.NewLine(fanout.LineConfig{
			Companion: cfg.ID, Asker: a, Provider: cfg.Provider, Model: cfg.Model, Host: host, Port: port,
			PerSecond: cfg.PerSecond, Burst: cfg.Burst, InFlight: cfg.InFlight, Deadline: cfg.Deadline, Price: cfg.Price,
		})
		if err != nil {
			a.Close()
			c.close(before)
			return nil, err
		}
		c.seats = append(c.seats, gateway.Seat{Companion: cfg.Companion, Line: line})
		c.adapters = append(c.adapters, a)
	}
	return c, nil
}

func (c *crew) find(cfg *CompanionConfig) int {
	if c != nil {
		for i := range c.configs {
			if sameReach(c.configs[i], *cfg) {
				return i
			}
		}
	}
	return -1
}

// sameReach reports whether two settings are served by the same line. What a
// key's file holds is not among them: the line reads it by itself, and a rotated
// key closes no connection and no breaker.
func sameReach(a, b CompanionConfig) bool {
	for _, c := range []*CompanionConfig{&a, &b} {
		if c.KeyFile != "" {
			c.Key = Secret{}
		}
		if c.OAuth.SecretFile != "" {
			c.OAuth.Secret = Secret{}
		}
	}
	return a == b
}

// close closes the idle connections of those that are not in next.
func (c *crew) close(next *crew) {
	if c == nil {
		return
	}
	kept := make(map[*reach]bool)
	if next != nil {
		for _, a := range next.adapters {
			kept[a] = true
		}
	}
	for _, a := range c.adapters {
		if !kept[a] {
			a.Close()
		}
	}
}
