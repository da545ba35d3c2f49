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
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/token"

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
