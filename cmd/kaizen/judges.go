package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"log/slog"

	"github.com/kaizen-os/deliberation/fanout/judge"
	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/gateway"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store"
)

// A court is the configured external judges with their connections.
type court struct {
	judges   []*gateway.Judge
	adapters []*judgeReach
	configs  []JudgeConfig
}

// A judgeReach is one judge's adapter with what its keys come from.
type judgeReach struct {
	adapter *judge.Judge
	keySource
}

// Judge is the adapter's, and drops a token that the judge does not take.
func (r *judgeReach) Judge(ctx context.Context, text string, tier quorum.Tier) (quorum.Opinion, error) {
	o, err := r.adapter.Judge(ctx, text, tier)
	r.heard(err)
	return o, err
}

func (r *judgeReach) Close() {
	r.keySource.Close()
	r.adapter.Close()
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
			before.adapters[at].reread()
			continue
		}
		a, err := newJudgeReach(cfg, log)
		if err != nil {
			c.close(before)
			return nil, fmt.Errorf("judge %s: %w", cfg.ID, err)
		}
		j, err := gateway.NewJudge(gateway.JudgeConfig{
			ID: cfg.ID, Kind: cfg.Kind, Model: cfg.Model, Endpoint: cfg.Endpoint, Table: judge.Tables(), Only: cfg.Companion, Judge: a,
			Evidence: cfg.Evidence, From: cfg.From, Under: cfg.Under, Sample: cfg.Sample,
			Timeout: cfg.Timeout, PerMinute: cfg.PerMinute, PerDay: cfg.PerDay, Price: cfg.Price, InFlight: cfg.InFlight, Logger: log,
		})
		if err != nil {
			a.Close()
			c.close(before)
			return nil, err
		}
		c.judges = append(c.judges, j)
		c.adapters = append(c.adapters, a)
	}
	return c, nil
}

func newJudgeReach(c *JudgeConfig, log *slog.Logger) (*judgeReach, error) {
	r := new(judgeReach)
	key, err := r.keys(c.Key, c.KeyFile, &c.OAuth, log)
	if err != nil {
		return nil, err
	}
	if r.adapter, err = newJudgeAdapter(c, key); err != nil {
		r.keySource.Close()
		return nil, err
	}
	return r, nil
}

func newJudgeAdapter(c *JudgeConfig, key func(context.Context) (string, error)) (*judge.Judge, error) {
	cfg := judge.Config{Upstream: upstream.Config{Origin: c.Endpoint, MaxIdle: c.InFlight}, Key: key, Model: c.Model}
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
			if sameJudge(c.configs[i], *cfg) {
				return i
			}
		}
	}
	return -1
}

// sameJudge is sameReach of judges: a rotated key gives nobody a new budget.
func sameJudge(a, b JudgeConfig) bool {
	for _, c := range []*JudgeConfig{&a, &b} {
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
func (c *court) close(next *court) {
	if c == nil {
		return
	}
	kept := make(map[*judgeReach]bool)
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
