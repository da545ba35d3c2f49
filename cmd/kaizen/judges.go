package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"log/slog"

	"github.com/kaizen-os/deliberation/fanout/judge"
	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/gateway"
	"github.com/kaizen-os/deliberation/store"
)

// A court is the configured external judges with their connections.
type court struct {
	judges   []*gateway.Judge
	adapters []*judge.Judge
	configs  []JudgeConfig
}

// newCourt makes judges. One whose settings are those of before is kept, and so its
// limits, its breaker, its connections and what it has left of its budget.
func newCourt(configs []JudgeConfig, before *court, log *slog.Logger) (*court, error) {
	c := &court{configs: configs}
	for i := range configs {
		cfg := &configs[i]
		if at := before.find(cfg); at >= 0 {
			c.judges = append(c.judges, before.judges[at])
			c.adapters = append(c.adapters, before.adapters[at])
			continue
		}
		a, err := newJudgeAdapter(cfg, log)
		if err != nil {
			return nil, fmt.Errorf("judge %s: %w", cfg.ID, err)
		}
		j, err := gateway.NewJudge(gateway.JudgeConfig{
			ID: cfg.ID, Kind: cfg.Kind, Model: cfg.Model, Endpoint: cfg.Endpoint, Table: judge.Tables(), Only: cfg.Companion, Judge: a,
			Evidence: cfg.Evidence, From: cfg.From, Under: cfg.Under, Sample: cfg.Sample,
			Timeout: cfg.Timeout, PerMinute: cfg.PerMinute, PerDay: cfg.PerDay, Price: cfg.Price, InFlight: cfg.InFlight, Logger: log,
		})
		if err != nil {
			return nil, err
		}
		c.judges = append(c.judges, j)
		c.adapters = append(c.adapters, a)
	}
	return c, nil
}

func newJudgeAdapter(c *JudgeConfig, log *slog.Logger) (*judge.Judge, error) {
	cfg := judge.Config{Upstream: upstream.Config{Origin: c.Endpoint, MaxIdle: c.InFlight}, Key: c.Key.Reveal, Model: c.Model}
	if c.KeyFile != "" {
		cfg.Key = newKeyFile(c.KeyFile, c.Key.Reveal(), log).Reveal
	}
	switch c.Kind {
	case "moderation":
		return judge.NewModeration(cfg)
	case "guard":
		return judge.NewGuard(cfg)
	case "validate":
		var err error
		if cfg.Upstream.Origin, err = originOf(c.Endpoint); err != nil {
			return nil, err
		}
		return judge.NewValidate(cfg)
	}
	return nil, fmt.Errorf("kind %q has no adapter", c.Kind)
}

func (c *court) find(cfg *JudgeConfig) int {
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
func (c *court) close(next *court) {
	if c == nil {
		return
	}
	kept := make(map[*judge.Judge]bool)
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

// sampleKey is what replies are drawn with that judges are asked about by chance:
// made of the vault's key, so that it is secret, lasts as long, and needs no file.
func sampleKey(vaultKey string) ([32]byte, error) {
	secret, err := store.ReadSecret(vaultKey)
	if err != nil {
		return [32]byte{}, fmt.Errorf("vault key: %w", err)
	}
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("kaizen judges' sample v1"))
	return [32]byte(h.Sum(nil)), nil
}

// judgesCounted is what kaizen serve --check says of judges, if there are any.
func judgesCounted(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d judges", n)
}
