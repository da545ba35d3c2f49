package main

import (
	"strings"
	"time"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/fanout/dialect"
	"github.com/kaizen-os/deliberation/quorum"
)

// simulatedModel begins the name of every simulated companion's model.
const simulatedModel = "simulated-"

// A realProvider is how one of the eight is reached when its key is in the
// environment. The model may be chosen there too.
type realProvider struct {
	companion quorum.CompanionID
	provider  string
	key       string // environment variable
	model     string // environment variable for another model than the next
	standard  string
	endpoint  string
	tokens    string // openai: the field for the limit of tokens
	without   dialect.Lacks
}

var realProviders = []realProvider{
	{"AUREA", "openai", "OPENAI_API_KEY", "OPENAI_MODEL", "gpt-4o", "https://api.openai.com/v1", "max_completion_tokens", 0},
	{"SOLARA", "openai", "DEEPSEEK_API_KEY", "DEEPSEEK_MODEL", "deepseek-chat", "https://api.deepseek.com/v1", "max_tokens", dialect.NoJSONSchema},
	{"ATLAS", "anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_MODEL", "claude-sonnet-4-5", ownEndpoints["anthropic"], "", 0},
	{"ZENITH", "gemini", "GEMINI_API_KEY", "GEMINI_MODEL", "gemini-2.5-flash", ownEndpoints["gemini"], "", 0},
}

// realDeadline is a real provider's own deadline: the guide asks for answers
// within 30 seconds.
const realDeadline = 30 * time.Second

// defaultCompanions are the eight of a gateway without configuration: simulated,
// but for those whose provider's key getenv knows.
func defaultCompanions(endpoints []sim.Endpoint, getenv func(string) string) ([]CompanionConfig, error) {
	out := make([]CompanionConfig, 0, len(endpoints))
	for _, e := range endpoints {
		c := CompanionConfig{
			Companion: quorum.Companion{ID: e.ID, Provider: "kaizen", Vendor: e.Vendor, Family: e.Family, Model: e.Model, Tier: e.Tier,
				Sentinel: e.Sentinel, Status: quorum.Active, Price: e.Price},
			Endpoint: e.URL,
		}
		if e.Weight != "" {
			w, err := quorum.ParseDecimal(e.Weight, 6)
			if err != nil {
				return nil, err
			}
			c.Weight = quorum.PPM(w)
		}
		for _, real := range realProviders {
			key := strings.TrimSpace(getenv(real.key))
			if real.companion != e.ID || key == "" {
				continue
			}
			c.Provider, c.Endpoint, c.MaxTokensField, c.Deadline, c.Stream = real.provider, real.endpoint, real.tokens, realDeadline, true
			c.Without = real.without
			c.Model = real.standard
			if m := getenv(real.model); m != "" {
				c.Model = m
			}
			c.Key = newSecret(key)
			c.Price = quorum.Price{} // not known here
		}
		out = append(out, c)
	}
	return out, nil
}
