package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kaizen-os/deliberation/fanout/dialect"
	"github.com/kaizen-os/deliberation/quorum"
)

// CompanionConfig is a companion and how to reach it.
type CompanionConfig struct {
	quorum.Companion
	Endpoint       string // URL of its API
	Key            Secret // empty when it needs none
	KeyFile        string // where the key was read, and is read again when that changes; "" if it was elsewhere
	OAuth          OAuthConfig
	MaxTokensField string        // openai: which of the two names its server knows; "" leaves the bound out
	MaxTokens      int           // of a reply; 0 is as much as is usual
	Stream         bool          // replies are asked for in pieces
	Without        dialect.Lacks // settings that the model does not take
	Azure          AzureConfig
	PerSecond      float64
	Burst          int
	InFlight       int
	Deadline       time.Duration
}

// OAuthConfig says where a companion's access tokens come from; without a TokenURL
// it has a key, or none.
type OAuthConfig struct {
	TokenURL   string
	ClientID   string
	Secret     Secret
	SecretFile string // as KeyFile
	Scopes     string // separated by spaces, as they are sent
}

// AzureConfig is what reaching a model by its deployment at Azure takes; without
// an APIVersion it is reached as everywhere else.
type AzureConfig struct {
	APIVersion string
	Deployment string
}

type fileCompanion struct {
	ID             leaf       `yaml:"id"`
	Provider       leaf       `yaml:"provider"`
	Endpoint       leaf       `yaml:"endpoint"`
	Model          leaf       `yaml:"model"`
	Tier           leaf       `yaml:"tier"`
	Key            secretRef  `yaml:"key"`
	Vendor         leaf       `yaml:"vendor"`
	Family         leaf       `yaml:"family"`
	Sentinel       leaf       `yaml:"sentinel"`
	Weight         leaf       `yaml:"weight"`
	OAuth          *fileOAuth `yaml:"oauth"`
	MaxTokensField leaf       `yaml:"maxTokensField"`
	MaxTokens      leaf       `yaml:"maxTokens"`
	Stream         leaf       `yaml:"stream"`
	Without        leaves     `yaml:"without"`
	Azure          *fileAzure `yaml:"azure"`
	Limits         struct {
		PerSecond leaf `yaml:"perSecond"`
		Burst     leaf `yaml:"burst"`
		InFlight  leaf `yaml:"inFlight"`
	} `yaml:"limits"`
	Deadline leaf `yaml:"deadline"`
	Price    struct {
		Input  leaf `yaml:"input"`
		Output leaf `yaml:"output"`
	} `yaml:"price"`
	Status leaf `yaml:"status"`
}

type fileOAuth struct {
	TokenURL     leaf      `yaml:"tokenURL"`
	ClientID     leaf      `yaml:"clientID"`
	ClientSecret secretRef `yaml:"clientSecret"`
	Scopes       leaves    `yaml:"scopes"`
}

type fileAzure struct {
	APIVersion leaf `yaml:"apiVersion"`
	Deployment leaf `yaml:"deployment"`
}

// at is a place in a, for telling of it.
func (a *fileAzure) at() leaf {
	if a == nil {
		return leaf{}
	}
	return a.APIVersion
}

func (r *resolver) companions(c *Config, list []fileCompanion) {
	seen := map[quorum.CompanionID]int{}
	for i := range list {
		doc, path := &list[i], fmt.Sprintf("companions[%d]", i)
		comp := r.companion(doc, path, c.Policy)
		if first, twice := seen[comp.ID]; twice && comp.ID != "" {
			r.problem(doc.ID, path+".id", "%s is also companions[%d]", comp.ID, first)
		}
		seen[comp.ID] = i
		c.Companions = append(c.Companions, comp)
	}
}

func (r *resolver) companion(doc *fileCompanion, path string, policy *quorum.Policy) CompanionConfig {
	before := len(r.problems)
	id := quorum.CompanionID(r.required(doc.ID, path+".id"))
	if id != "" && !id.Valid() {
		r.problem(doc.ID, path+".id", "want 1 to 64 of A-Z, 0-9, _ and -, starting with a letter or digit")
	}
	c := CompanionConfig{
		Companion: quorum.Companion{
			ID:       id,
			Provider: r.provider(doc.Provider, path+".provider"),
			Vendor:   r.text(doc.Vendor, path+".vendor", ""),
			Family:   r.text(doc.Family, path+".family", ""),
			Model:    r.text(doc.Model, path+".model", ""),
			Tier:     r.tier(doc.Tier, path+".tier", quorum.NoTier),
			Sentinel: r.boolean(doc.Sentinel, path+".sentinel"),
			Status:   quorum.Status(r.oneOf(doc.Status, path+".status", entryStatuses, string(quorum.Active))),
			Price: quorum.Price{
				Input:  r.price(doc.Price.Input, path+".price.input"),
				Output: r.price(doc.Price.Output, path+".price.output"),
			},
		},
		Key:            r.secret(&doc.Key, path+".key"),
		KeyFile:        doc.Key.path(),
		MaxTokensField: r.oneOf(doc.MaxTokensField, path+".maxTokensField", tokenFields, ""),
		PerSecond:      r.decimal(doc.Limits.PerSecond, path+".limits.perSecond", 0.001, maxCount, defaultPerSecond),
		InFlight:       r.count(doc.Limits.InFlight, path+".limits.inFlight", 1, maxCount, defaultCompanionInFlight),
		Deadline:       r.duration(doc.Deadline, path+".deadline", defaultCompanionDeadline),
	}
	// A second's worth at once, unless the file says otherwise.
	c.Burst = r.count(doc.Limits.Burst, path+".limits.burst", 1, maxCount, max(int(c.PerSecond), 1))

	host := r.dialect(doc, path, &c)
	if c.Vendor == "" {
		c.Vendor = c.Provider + "/" + host
	}
	if c.Family == "" {
		c.Family = string(c.ID)
	}
	if doc.Tier.node == nil {
		r.problem(doc.Tier, path+".tier", "must be given: research, standard, high or critical")
	}
	c.Weight = r.weight(doc.Weight, path+".weight", c.Tier, policy)
	if len(r.problems) == before {
		// What quorum asks for beyond the above; the ledger takes no other.
		if err := c.Validate(); err != nil {
			r.problem(doc.ID, path, "%v", err)
		}
	}
	return c
}

// ownEndpoints are those of the providers that have one of their own.
var ownEndpoints = map[string]string{
	"anthropic": "https://api.anthropic.com/v1",
	"gemini":    "https://generativelanguage.googleapis.com/v1beta",
}

// dialect reads what depends on the provider, and gives the endpoint's host.
func (r *resolver) dialect(doc *fileCompanion, path string, c *CompanionConfig) (host string) {
	if own := ownEndpoints[c.Provider]; own != "" {
		c.Endpoint = r.text(doc.Endpoint, path+".endpoint", own)
	} else {
		c.Endpoint = r.required(doc.Endpoint, path+".endpoint")
	}
	if c.Endpoint != "" {
		host = r.httpURL(doc.Endpoint, path+".endpoint", c.Endpoint)
	}
	foreign := c.Provider != "kaizen" // a model that knows nothing of us
	c.Stream = r.booleanOr(doc.Stream, path+".stream", foreign)
	c.MaxTokens = r.count(doc.MaxTokens, path+".maxTokens", 1, maxCount, 0)
	c.Without = r.lacks(doc.Without, path+".without")
	if doc.OAuth != nil {
		c.OAuth = r.oauth(doc.OAuth, path+".oauth")
		if doc.Key.at != nil {
			r.problemAt(doc.Key.at, path+".key", "there is oauth too; want one of the two")
		}
	}
	if doc.Azure != nil {
		c.Azure = AzureConfig{
			APIVersion: r.required(doc.Azure.APIVersion, path+".azure.apiVersion"),
			Deployment: r.text(doc.Azure.Deployment, path+".azure.deployment", ""),
		}
	}
	if c.Provider == "" {
		return host // which has been said
	}
	if foreign && c.Model == "" {
		r.problem(doc.Model, path+".model", "must be given for provider %s", c.Provider)
	}
	for _, only := range []struct {
		l     leaf
		key   string
		given bool
	}{
		{doc.MaxTokensField, "maxTokensField", c.MaxTokensField != ""},
		{doc.Azure.at(), "azure", doc.Azure != nil},
	} {
		if only.given && c.Provider != "openai" {
			r.problem(only.l, path+"."+only.key, "only for provider openai")
		}
	}
	for _, only := range []struct {
		l   leaf
		key string
	}{{doc.MaxTokens, "maxTokens"}, {doc.Stream, "stream"}, {leaf{doc.Without.node}, "without"}} {
		if only.l.node != nil && !foreign {
			r.problem(only.l, path+"."+only.key, "not for provider kaizen")
		}
	}
	return host
}

func (r *resolver) oauth(doc *fileOAuth, path string) OAuthConfig {
	c := OAuthConfig{
		TokenURL:   r.required(doc.TokenURL, path+".tokenURL"),
		ClientID:   r.required(doc.ClientID, path+".clientID"),
		Secret:     r.secret(&doc.ClientSecret, path+".clientSecret"),
		SecretFile: doc.ClientSecret.path(),
	}
	if c.TokenURL != "" {
		r.httpURL(doc.TokenURL, path+".tokenURL", c.TokenURL)
	}
	if doc.ClientSecret.at == nil {
		r.problem(doc.TokenURL, path+".clientSecret", "must be given: {env: NAME} or {file: PATH}")
	}
	for i, scope := range r.list(doc.Scopes, path+".scopes") {
		if scope == "" || strings.ContainsAny(scope, " \t\r\n") {
			r.problem(leaf{doc.Scopes.list[i]}, fmt.Sprintf("%s.scopes[%d]", path, i), "want a scope without white space")
		}
		if i > 0 {
			c.Scopes += " "
		}
		c.Scopes += scope
	}
	return c
}

// lacks reads the names of settings that a model does not take.
func (r *resolver) lacks(l leaves, path string) dialect.Lacks {
	lacks, err := dialect.ParseLacks(r.list(l, path))
	if err != nil {
		r.problem(leaf{l.node}, path, "%v", err)
	}
	return lacks
}

// weight reads a companion's own weight, which its tier's policy bounds; 0 takes
// the tier's default.
func (r *resolver) weight(l leaf, path string, tier quorum.Tier, policy *quorum.Policy) quorum.PPM {
	text := r.text(l, path, "")
	if text == "" || tier == quorum.NoTier {
		return 0
	}
	v, err := quorum.ParseDecimal(text, 6)
	if err != nil {
		r.problem(l, path, `want a decimal in quotes, such as "0.75"`)
		return 0
	}
	for _, t := range policy.Tiers {
		if w := quorum.PPM(v); t.Tier == tier && (w < t.WeightMin || w > t.WeightMax) {
			if t.WeightMin == t.WeightMax {
				r.problem(l, path, "a %s companion weighs %s; leave it out", tier, t.WeightMin)
			} else {
				r.problem(l, path, "a %s companion weighs %s to %s", tier, t.WeightMin, t.WeightMax)
			}
			return 0
		}
	}
	return quorum.PPM(v)
}

func (r *resolver) provider(l leaf, path string) string {
	name := r.required(l, path)
	switch {
	case name == "" || slices.Contains(providers, name):
		return name
	default:
		r.problem(l, path, "unknown provider %q; available are %s", name, strings.Join(providers, ", "))
	}
	return ""
}

// price reads US dollars a thousand tokens as micro-dollars, exactly.
func (r *resolver) price(l leaf, path string) quorum.MicroUSD {
	text := r.text(l, path, "")
	if text == "" {
		return 0
	}
	v, err := quorum.ParseDecimal(text, 6)
	if err != nil || v < 0 || v > maxPrice*1_000_000 {
		r.problem(l, path, `want USD per 1K tokens, a decimal of at most 6 places in quotes, such as "0.0025"`)
		return 0
	}
	return quorum.MicroUSD(v)
}
