package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/fanout/kaizen"
	"github.com/kaizen-os/deliberation/fanout/openai"
	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/gateway"
)

// An adapter speaks one provider's dialect and keeps connections to it.
type adapter interface {
	fanout.Asker
	Address() (host string, port int)
	Close()
}

// newAdapter makes the adapter of the provider that c names.
func newAdapter(c *CompanionConfig) (adapter, error) {
	key := func(context.Context) (string, error) { return c.Key.Reveal(), nil }
	up := upstream.Config{Origin: c.Endpoint, MaxIdle: c.InFlight, MaxBody: maxReplyBytes}
	switch c.Provider {
	case "kaizen":
		// The companion protocol's paths are relative to the origin (DESIGN §10).
		u, err := url.Parse(c.Endpoint)
		if err != nil {
			return nil, err
		}
		up.Origin = u.Scheme + "://" + u.Host
		return kaizen.New(kaizen.Config{Upstream: up, Key: key})
	case "openai":
		cfg := openai.Config{Upstream: up, Key: key, Model: c.Model, MaxTokensField: c.MaxTokensField}
		if c.MaxTokensField != "" {
			cfg.MaxTokens = maxReplyTokens
		}
		return openai.New(cfg)
	}
	return nil, fmt.Errorf("provider %q has no adapter", c.Provider)
}

// maxReplyBytes bounds a companion's whole response. Every reply of a panel must
// fit one record of the vault.
const maxReplyBytes = 1 << 20

// maxReplyTokens bounds a reply where the configuration names the field for it:
// a long answer with its reasoning, and no run-away.
const maxReplyTokens = 8192

// A crew is the configured companions with their lines and connections.
type crew struct {
	seats    []gateway.Seat
	adapters []adapter
	configs  []CompanionConfig
}

// newCrew makes the lines of companions. A companion whose settings are those of
// before keeps its line, and so its limits, its breaker and its connections.
func newCrew(companions []CompanionConfig, before *crew) (*crew, error) {
	c := &crew{configs: companions}
	for i := range companions {
		cfg := &companions[i]
		if at := before.find(cfg); at >= 0 {
			c.seats = append(c.seats, before.seats[at])
			c.adapters = append(c.adapters, before.adapters[at])
			continue
		}
		a, err := newAdapter(cfg)
		if err != nil {
			return nil, fmt.Errorf("companion %s: %w", cfg.ID, err)
		}
		host, port := a.Address()
		line, err := fanout.NewLine(fanout.LineConfig{
			Companion: cfg.ID, Asker: a, Provider: cfg.Provider, Model: cfg.Model, Host: host, Port: port,
			PerSecond: cfg.PerSecond, Burst: cfg.Burst, InFlight: cfg.InFlight, Deadline: cfg.Deadline, Price: cfg.Price,
		})
		if err != nil {
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
			if c.configs[i] == *cfg {
				return i
			}
		}
	}
	return -1
}

// close closes the idle connections of those that are not in next.
func (c *crew) close(next *crew) {
	if c == nil {
		return
	}
	kept := make(map[adapter]bool)
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
