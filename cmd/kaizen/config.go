package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/token"

	"github.com/kaizen-os/deliberation/fanout/dialect"
	"github.com/kaizen-os/deliberation/quorum"
	coderun "github.com/kaizen-os/deliberation/scoring/run"
	"github.com/kaizen-os/deliberation/store/witness"
)

// What a key left out of the file is.
const (
	defaultListen   = "127.0.0.1:8080" // loopback: without clients nobody else may ask
	defaultAdmin    = "127.0.0.1:9090"
	defaultData     = "./data"
	defaultSample   = 0.01 // of traces: enough to see a day's shape, too few to cost anything
	defaultLogLevel = slog.LevelInfo

	defaultBodyBytes   = 1 << 20   // four prompts' worth: JSON escapes, messages
	defaultPromptBytes = 256 << 10 // about 60,000 tokens, what the usual model takes
	defaultMaxDeadline = 60 * time.Second
	defaultInFlight    = 256 // deliberations; what the memory goal is stated for

	defaultPerSecond         = 20 // the usual provider's first paid rate
	defaultCompanionInFlight = 64
	defaultCompanionDeadline = 20 * time.Second // as long as a request that does not say
)

// Bounds outside of which a value is surely a slip.
const (
	maxConfigBytes = 1 << 20
	maxBodyBytes   = 64 << 20
	maxDeadline    = 10 * time.Minute
	maxCount       = 1_000_000
	maxPrice       = 1_000 // USD a thousand tokens
	maxSecretBytes = 64 << 10

	minRunMemory = 1 << 20
	maxRunMemory = 1 << 40
	maxRunOutput = 16 << 20
	maxParallel  = 1024
	maxArguments = 64
)

// A Config is what the operator's file says, complete: defaults filled in,
// secrets read, everything checked. It is not changed once loaded.
type Config struct {
	Listen     string // host:port of the API
	Admin      string // host:port of metrics and profiles; "" is none
	Data       string // folder of ledger, vault and keys
	Ledger     LedgerConfig
	Telemetry  TelemetryConfig
	Companions []CompanionConfig // empty: simulated ones
	Clients    []ClientConfig    // empty: loopback only, anyone
	Judges     []JudgeConfig     // external charter judges; empty: none
	Policy     *quorum.Policy    // the file's, or the embedded one
	Limits     LimitsConfig
	Code       CodeConfig
	LogLevel   slog.Level
}

// CodeConfig says what becomes of the code that companions write.
type CodeConfig struct {
	Runner *RunnerConfig // nil: it is not run
}

// RunnerConfig is a command that runs code, and within what.
type RunnerConfig struct {
	Command  []string
	Timeout  time.Duration
	Memory   int64 // bytes
	Output   int   // bytes
	Parallel int   // at once
}

// LedgerConfig says what the ledger is called and who vouches for it.
type LedgerConfig struct {
	Origin    string // names a new ledger and its key
	Witnesses []WitnessConfig
}

// WitnessConfig is a witness that cosigns the ledger's checkpoints.
type WitnessConfig struct {
	Key string // public, in note form
	URL string // its submission prefix
}

// TelemetryConfig says where traces and metrics go.
type TelemetryConfig struct {
	OTLP   string  // URL of a collector; "" sends nothing
	Sample float64 // of traces, 0 to 1
}

// LimitsConfig bounds what one request and all together may take.
type LimitsConfig struct {
	BodyBytes   int
	PromptBytes int
	Deadline    time.Duration // the most a request may ask for
	InFlight    int           // deliberations at once
}

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

// ClientConfig is one caller's key and what it may do.
type ClientConfig struct {
	Name      string
	Role      string // client, citizen, companion, sentinel, steward or monitor
	KeySHA256 [32]byte
	Tier      quorum.Tier     // the highest it may ask at
	PerSecond float64         // 0 is no limit
	PerDay    quorum.MicroUSD // what its deliberations may cost; 0 is no limit
	Companion quorum.CompanionID
}

var (
	clientRoles   = []string{"client", "citizen", "companion", "sentinel", "steward", "monitor"}
	providers     = []string{"kaizen", "openai", "anthropic", "gemini"}
	tokenFields   = []string{"max_tokens", "max_completion_tokens"}
	entryStatuses = []string{string(quorum.Active), string(quorum.Shadow)}
)

// LoadConfig reads the YAML file at path, and the secrets it names; "" is the
// defaults. The error, if any, has one line a problem, each with the file's
// line and column and the key's path, and never a secret.
func LoadConfig(path string) (*Config, error) {
	if path == "" {
		return parseConfig("", nil, os.LookupEnv)
	}
	data, err := readBounded(path, maxConfigBytes)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return parseConfig(path, data, os.LookupEnv)
}

func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", path, most)
	}
	return data, err
}

// parseConfig is LoadConfig on bytes, with the environment as a function. It
// still reads the files that the configuration names.
func parseConfig(name string, data []byte, env func(string) (string, bool)) (*Config, error) {
	var doc file
	decoder := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	err := decoder.Decode(&doc)
	if err == nil {
		var second any
		if err = decoder.Decode(&second); err == nil {
			return nil, fmt.Errorf("%s: more than one YAML document", name)
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, yamlError(name, err)
	}
	r := resolver{name: name, env: env}
	cfg := r.config(&doc)
	if len(r.problems) > 0 {
		return nil, errors.Join(r.problems...)
	}
	return cfg, nil
}

// yamlError gives err with file, line and column, without the lines around it,
// which may hold what nobody should read in a log.
func yamlError(name string, err error) error {
	var at yaml.Error
	if !errors.As(err, &at) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return errors.New(position(name, at.GetToken()) + at.GetMessage())
}

func position(name string, t *token.Token) string {
	if t == nil || t.Position == nil {
		return name + ": "
	}
	return fmt.Sprintf("%s:%d:%d: ", name, t.Position.Line, t.Position.Column)
}

// file is the YAML as it stands. Every value is kept with its place, and turned
// into what it means by a resolver, so that all problems are found at once and
// each says where it is.
type file struct {
	Listen leaf `yaml:"listen"`
	Admin  leaf `yaml:"admin"`
	Data   leaf `yaml:"data"`
	Ledger struct {
		Origin    leaf          `yaml:"origin"`
		Witnesses []fileWitness `yaml:"witnesses"`
	} `yaml:"ledger"`
	Telemetry struct {
		OTLP   leaf `yaml:"otlp"`
		Sample leaf `yaml:"sample"`
	} `yaml:"telemetry"`
	Companions []fileCompanion `yaml:"companions"`
	Clients    []fileClient    `yaml:"clients"`
	Judges     []fileJudge     `yaml:"judges"`
	Policy     leaf            `yaml:"policy"`
	Limits     struct {
		BodyBytes   leaf `yaml:"bodyBytes"`
		PromptBytes leaf `yaml:"promptBytes"`
		Deadline    leaf `yaml:"deadline"`
		InFlight    leaf `yaml:"inFlight"`
	} `yaml:"limits"`
	Code struct {
		Runner *fileRunner `yaml:"runner"`
	} `yaml:"code"`
	LogLevel leaf `yaml:"logLevel"`
}

type fileRunner struct {
	Command  leaves `yaml:"command"`
	Timeout  leaf   `yaml:"timeout"`
	Memory   leaf   `yaml:"memory"`
	Output   leaf   `yaml:"output"`
	Parallel leaf   `yaml:"parallel"`
}

type fileWitness struct {
	Key leaf `yaml:"key"`
	URL leaf `yaml:"url"`
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

type fileClient struct {
	Name      leaf `yaml:"name"`
	Role      leaf `yaml:"role"`
	KeySHA256 leaf `yaml:"keySHA256"`
	Tier      leaf `yaml:"tier"`
	PerSecond leaf `yaml:"perSecond"`
	Budget    struct {
		PerDay leaf `yaml:"perDay"`
	} `yaml:"budget"`
	Companion leaf `yaml:"companion"`
}

// A resolver turns a file into a Config and gathers what is wrong with it.
type resolver struct {
	name     string
	env      func(string) (string, bool)
	problems []error
}

func (r *resolver) problem(l leaf, path, format string, args ...any) {
	var at *token.Token
	if l.node != nil {
		at = l.node.GetToken()
	}
	r.problemAt(at, path, format, args...)
}

func (r *resolver) problemAt(at *token.Token, path, format string, args ...any) {
	r.problems = append(r.problems, errors.New(position(r.name, at)+path+": "+fmt.Sprintf(format, args...)))
}

func (r *resolver) config(doc *file) *Config {
	c := &Config{
		Listen: r.text(doc.Listen, "listen", defaultListen),
		Admin:  r.text(doc.Admin, "admin", defaultAdmin),
		Data:   r.text(doc.Data, "data", defaultData),
		Telemetry: TelemetryConfig{
			OTLP:   r.text(doc.Telemetry.OTLP, "telemetry.otlp", ""),
			Sample: r.decimal(doc.Telemetry.Sample, "telemetry.sample", 0, 1, defaultSample),
		},
		Limits: LimitsConfig{
			BodyBytes:   r.count(doc.Limits.BodyBytes, "limits.bodyBytes", 1<<10, maxBodyBytes, defaultBodyBytes),
			PromptBytes: r.count(doc.Limits.PromptBytes, "limits.promptBytes", 1, maxBodyBytes, defaultPromptBytes),
			Deadline:    r.duration(doc.Limits.Deadline, "limits.deadline", defaultMaxDeadline),
			InFlight:    r.count(doc.Limits.InFlight, "limits.inFlight", 1, maxCount, defaultInFlight),
		},
		LogLevel: defaultLogLevel,
	}
	switch level := r.oneOf(doc.LogLevel, "logLevel", []string{"debug", "info", "warn", "error"}, ""); level {
	case "":
	default:
		_ = c.LogLevel.UnmarshalText([]byte(level)) // one of the four it knows
	}
	if c.Data == "" {
		r.problem(doc.Data, "data", "is empty; name a folder")
	}
	if c.Telemetry.OTLP != "" {
		r.httpURL(doc.Telemetry.OTLP, "telemetry.otlp", c.Telemetry.OTLP)
	}
	if c.Limits.PromptBytes > c.Limits.BodyBytes {
		r.problem(doc.Limits.PromptBytes, "limits.promptBytes", "is more than limits.bodyBytes (%d): such a prompt could never arrive", c.Limits.BodyBytes)
	}
	c.Ledger = LedgerConfig{
		Origin:    r.origin(doc.Ledger.Origin, "ledger.origin"),
		Witnesses: r.witnesses(doc.Ledger.Witnesses),
	}
	if doc.Code.Runner != nil {
		c.Code.Runner = r.runner(doc.Code.Runner, "code.runner")
	}
	c.Policy = r.policy(doc.Policy)
	r.companions(c, doc.Companions)
	r.clients(c, doc.Clients)
	r.judges(c, doc.Judges)
	r.listener(doc.Listen, "listen", c.Listen, len(doc.Clients) > 0)
	if c.Admin != "" {
		r.listener(doc.Admin, "admin", c.Admin, len(doc.Clients) > 0)
	}
	return c
}

// runner reads the command that runs code, and finds its program: one that is not
// there would fail at every deliberation, far from its cause.
func (r *resolver) runner(doc *fileRunner, path string) *RunnerConfig {
	c := &RunnerConfig{
		Command:  r.words(doc.Command, path+".command"),
		Timeout:  r.duration(doc.Timeout, path+".timeout", coderun.DefaultTimeout),
		Memory:   r.bytes(doc.Memory, path+".memory", minRunMemory, maxRunMemory, coderun.DefaultMemory),
		Output:   int(r.bytes(doc.Output, path+".output", 1, maxRunOutput, coderun.DefaultOutput)),
		Parallel: r.count(doc.Parallel, path+".parallel", 1, maxParallel, coderun.DefaultParallel),
	}
	if len(c.Command) > 0 {
		if _, err := coderun.Find(c.Command); err != nil {
			r.problem(leaf{doc.Command.list[0]}, path+".command", "%v", err)
		}
	}
	return c
}

// policy reads the operator's policy document, or gives the embedded one.
func (r *resolver) policy(l leaf) *quorum.Policy {
	path := r.text(l, "policy", "")
	if path == "" {
		return quorum.DefaultPolicy()
	}
	doc, err := readBounded(path, maxConfigBytes)
	if err == nil {
		var p *quorum.Policy
		if p, err = quorum.ParsePolicy(doc); err == nil {
			return p
		}
	}
	r.problem(l, "policy", "%v", err)
	return quorum.DefaultPolicy()
}

// origin reads the name of a new ledger.
func (r *resolver) origin(l leaf, path string) string {
	name := r.text(l, path, "")
	if name == "" {
		return ledgerOrigin
	}
	if err := witness.CheckName(name); err != nil { // a log's key has the same names as a witness's
		r.problem(l, path, "%v", err)
	}
	return name
}

func (r *resolver) witnesses(list []fileWitness) (all []WitnessConfig) {
	seen := map[string]int{}
	for i := range list {
		doc, path := &list[i], fmt.Sprintf("ledger.witnesses[%d]", i)
		w := WitnessConfig{Key: r.required(doc.Key, path+".key"), URL: r.required(doc.URL, path+".url")}
		if w.Key != "" {
			v, err := witness.NewVerifier(w.Key)
			if err != nil {
				r.problem(doc.Key, path+".key", "%v (kaizen witness prints it)", err)
			} else if first, twice := seen[v.String()]; twice {
				r.problem(doc.Key, path+".key", "is also that of ledger.witnesses[%d]: a witness vouches once", first)
			} else {
				seen[v.String()] = i
			}
		}
		if w.URL != "" {
			r.witnessURL(doc.URL, path+".url", w.URL)
		}
		all = append(all, w)
	}
	if len(list) > witness.MaxWitnesses {
		r.problem(list[witness.MaxWitnesses].Key, "ledger.witnesses", "there are %d, at most %d", len(list), witness.MaxWitnesses)
	}
	return all
}

// witnessURL checks a witness's URL: what is told there is public, but whoever can
// change it on the way can keep cosignatures back, so beyond this machine it is TLS.
func (r *resolver) witnessURL(l leaf, path, text string) {
	u, err := url.Parse(text)
	if err == nil && u.User != nil {
		r.problem(l, path, "holds credentials; a witness asks for none")
		return
	}
	if r.httpURL(l, path, text) == "" {
		return
	}
	ip := net.ParseIP(u.Hostname())
	switch {
	case strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/add-checkpoint"):
		r.problem(l, path, "want the witness's prefix, without /add-checkpoint")
	case u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()):
		r.problem(l, path, "want https:// for a witness that is not on this machine")
	}
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

func (r *resolver) clients(c *Config, list []fileClient) {
	names, keys := map[string]int{}, map[[32]byte]int{}
	for i := range list {
		doc, path := &list[i], fmt.Sprintf("clients[%d]", i)
		client := ClientConfig{
			Name:      r.required(doc.Name, path+".name"),
			Role:      r.oneOf(doc.Role, path+".role", clientRoles, "client"),
			KeySHA256: r.keyHash(doc.KeySHA256, path+".keySHA256"),
			Tier:      r.tier(doc.Tier, path+".tier", quorum.Standard),
			PerSecond: r.decimal(doc.PerSecond, path+".perSecond", 0, maxCount, 0),
			PerDay:    r.dollars(doc.Budget.PerDay, path+".budget.perDay"),
			Companion: quorum.CompanionID(r.text(doc.Companion, path+".companion", "")),
		}
		if first, twice := names[client.Name]; twice && client.Name != "" {
			r.problem(doc.Name, path+".name", "%s is also clients[%d]", client.Name, first)
		}
		if first, twice := keys[client.KeySHA256]; twice && client.KeySHA256 != ([32]byte{}) {
			r.problem(doc.KeySHA256, path+".keySHA256", "is also that of clients[%d]: a key has one owner", first)
		}
		names[client.Name], keys[client.KeySHA256] = i, i
		r.clientCompanion(c, doc, path, client)
		c.Clients = append(c.Clients, client)
	}
}

// clientCompanion checks that a key that speaks for a companion says for which,
// and that no other does.
func (r *resolver) clientCompanion(c *Config, doc *fileClient, path string, client ClientConfig) {
	speaks := client.Role == "companion" || client.Role == "sentinel"
	known := func(cc CompanionConfig) bool { return cc.ID == client.Companion }
	switch {
	case speaks && client.Companion == "":
		r.problem(doc.Role, path+".companion", "must be given for role %s: whose key it is", client.Role)
	case !speaks && client.Companion != "":
		r.problem(doc.Companion, path+".companion", "only for roles companion and sentinel")
	case client.Companion == "":
	case !client.Companion.Valid():
		r.problem(doc.Companion, path+".companion", "want 1 to 64 of A-Z, 0-9, _ and -, starting with a letter or digit")
	case len(c.Companions) > 0 && !slices.ContainsFunc(c.Companions, known):
		r.problem(doc.Companion, path+".companion", "%s is not among companions", client.Companion)
	}
}

// listener checks an address to listen on. One that others can reach needs
// clients: without them anyone who connects is served.
func (r *resolver) listener(l leaf, path, address string, clients bool) {
	host, port, err := net.SplitHostPort(address)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		r.problem(l, path, "want host:port, such as %s", defaultListen)
		return
	}
	ip := net.ParseIP(host)
	if clients || host == "localhost" || ip != nil && ip.IsLoopback() {
		return
	}
	r.problem(l, path, `%s can be reached by others, and there are no clients: list who may ask under "clients" (name, role, keySHA256), or listen on 127.0.0.1`, address)
}
