package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kaizen-os/deliberation/fanout/dialect"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store/witness"
)

const (
	secretValue = "sk-XyzzyPlugh-0123"
	keyHash     = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
)

// The example of the design, as it stands there but for its model and hash.
const example = `listen: 127.0.0.1:8080
admin: 127.0.0.1:9090
data: ./data
telemetry: {otlp: "http://127.0.0.1:4318", sample: 0.01}
companions:
  - {id: AUREA, provider: openai, endpoint: "https://api.openai.com/v1", model: some-model, tier: critical, key: {env: OPENAI_API_KEY},
     vendor: openai, family: gpt, sentinel: false, weight: "", maxTokensField: max_completion_tokens,
     limits: {perSecond: 20, burst: 20, inFlight: 64}, deadline: 20s, price: {input: "0.0025", output: "0.0100"}}
clients:
  - {name: app, role: client, keySHA256: "` + keyHash + `", tier: high, perSecond: 100, budget: {perDay: "5.00"}}
`

// Keys of witnesses, public.
const (
	witnessKey1 = "witness.test/stock+ab765076+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
	witnessKey2 = "witness.test/stock+a8242aa5+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4" // the same, as plain Ed25519
)

func testEnv(name string) (string, bool) {
	v, ok := map[string]string{"OPENAI_API_KEY": secretValue, "EMPTY": "", "TWO_LINES": "a\nb"}[name]
	return v, ok
}

func parse(t *testing.T, doc string) *Config {
	t.Helper()
	c, err := parseConfig("kaizen.yaml", []byte(doc), testEnv)
	if err != nil {
		t.Fatalf("parseConfig() = %v", err)
	}
	return c
}

func TestConfigExample(t *testing.T) {
	c := parse(t, example)
	hash := [32]byte{0x2c, 0x26, 0xb4, 0x6b, 0x68, 0xff, 0xc6, 0x8f, 0xf9, 0x9b, 0x45, 0x3c, 0x1d, 0x30, 0x41, 0x34, 0x13, 0x42, 0x2d, 0x70, 0x64, 0x83, 0xbf, 0xa0, 0xf9, 0x8a, 0x5e, 0x88, 0x62, 0x66, 0xe7, 0xae}
	want := &Config{
		Listen: "127.0.0.1:8080", Admin: "127.0.0.1:9090", Data: "./data",
		Telemetry: TelemetryConfig{"http://127.0.0.1:4318", 0.01},
		Companions: []CompanionConfig{{
			Companion: quorum.Companion{
				ID: "AUREA", Provider: "openai", Vendor: "openai", Family: "gpt", Model: "some-model", Tier: quorum.Critical,
				Status: quorum.Active, Price: quorum.Price{Input: 2_500, Output: 10_000},
			},
			Endpoint: "https://api.openai.com/v1", Key: Secret{secretValue}, MaxTokensField: "max_completion_tokens", Stream: true,
			PerSecond: 20, Burst: 20, InFlight: 64, Deadline: 20 * time.Second,
		}},
		Ledger:   LedgerConfig{Origin: "kaizen-os.civic.ai/ledger"},
		Clients:  []ClientConfig{{Name: "app", Role: "client", KeySHA256: hash, Tier: quorum.High, PerSecond: 100, PerDay: 5_000_000}},
		Policy:   quorum.DefaultPolicy(),
		Limits:   LimitsConfig{1 << 20, 256 << 10, time.Minute, 256},
		LogLevel: slog.LevelInfo,
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got  %#v\nwant %#v", c, want)
	}
}

func TestConfigDefaults(t *testing.T) {
	want := parse(t, "")
	if want.Listen != "127.0.0.1:8080" || want.Data != "./data" || want.Policy == nil || want.Companions != nil || want.Clients != nil {
		t.Errorf("an empty file: %+v", want)
	}
	for name, doc := range map[string]string{
		"a comment":     "# nothing yet\n",
		"keys, no more": "listen:\ndata:\ncompanions:\nlimits:\nlogLevel: \"\"\n",
	} {
		if got := parse(t, doc); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	if got, err := LoadConfig(""); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("no file: %+v, %v", got, err)
	}
}

func TestConfigValues(t *testing.T) {
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "key")
	if err := os.WriteFile(keyFile, []byte(secretValue+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := parse(t, `
admin: ""
logLevel: debug
limits: {bodyBytes: 2048, promptBytes: 1024, deadline: 5s, inFlight: 8}
telemetry: {sample: 1}
companions:
  - {id: SOLARA, provider: kaizen, endpoint: "http://127.0.0.1:9001", tier: standard, weight: "0.75", status: shadow, key: {file: `+keyFile+`}, limits: {perSecond: 0.5}}
  - {id: ZEUS, provider: kaizen, endpoint: "http://127.0.0.1:9002/base", tier: standard, weight: 0.8, sentinel: true, price: {input: 0.000001}}
clients:
  - {name: bot, role: companion, companion: ZEUS, keySHA256: "`+strings.ToUpper(keyHash)+`"}
`)
	if c.Admin != "" || c.LogLevel != slog.LevelDebug || c.Limits != (LimitsConfig{2048, 1024, 5 * time.Second, 8}) || c.Telemetry.Sample != 1 {
		t.Errorf("got %+v", c)
	}
	solara, zeus, bot := c.Companions[0], c.Companions[1], c.Clients[0]
	if solara.Weight != 750_000 || solara.Status != quorum.Shadow || solara.Key.Reveal() != secretValue || solara.PerSecond != 0.5 || solara.Burst != 1 {
		t.Errorf("SOLARA: %+v", solara)
	}
	if solara.Vendor != "kaizen/127.0.0.1:9001" || solara.Family != "SOLARA" || !zeus.Key.Empty() {
		t.Errorf("defaults: vendor %q, family %q, key %v", solara.Vendor, solara.Family, zeus.Key.Empty())
	}
	if zeus.Weight != 800_000 || !zeus.Sentinel || zeus.Price.Input != 1 || zeus.Burst != 20 || zeus.Deadline != 20*time.Second {
		t.Errorf("ZEUS: %+v", zeus)
	}
	if bot.Companion != "ZEUS" || bot.Tier != quorum.Standard || bot.PerSecond != 0 {
		t.Errorf("bot: %+v", bot)
	}
}

func TestConfigProviders(t *testing.T) {
	secretFile := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secretFile, []byte(secretValue+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := parse(t, `
companions:
  - {id: ATLAS, provider: anthropic, model: claude-sonnet-4-5, tier: critical, key: {file: `+secretFile+`}, maxTokens: 4096}
  - {id: ZENITH, provider: gemini, model: gemini-2.5-flash, tier: high, endpoint: "https://gemini.example.com", stream: false, without: [seed, jsonSchema],
     oauth: {tokenURL: "https://id.example.com/token", clientID: kaizen, clientSecret: {file: `+secretFile+`}, scopes: [models.read, models.ask]}}
  - {id: AUREA, provider: openai, model: gpt-4o, tier: high, endpoint: "https://us.openai.azure.com", azure: {apiVersion: "2024-10-21", deployment: prod}}
  - {id: MINE, provider: kaizen, tier: high, endpoint: "http://127.0.0.1:7001"}
`)
	atlas, zenith, aurea, mine := c.Companions[0], c.Companions[1], c.Companions[2], c.Companions[3]
	if atlas.Endpoint != "https://api.anthropic.com/v1" || atlas.Vendor != "anthropic/api.anthropic.com" || !atlas.Stream || atlas.MaxTokens != 4096 ||
		atlas.Key.Reveal() != secretValue || atlas.KeyFile != secretFile || atlas.OAuth != (OAuthConfig{}) {
		t.Errorf("ATLAS: %+v", atlas)
	}
	if want := (OAuthConfig{"https://id.example.com/token", "kaizen", Secret{secretValue}, secretFile, "models.read models.ask"}); zenith.OAuth != want || zenith.Stream ||
		zenith.Without != dialect.NoSeed|dialect.NoJSONSchema || zenith.Endpoint != "https://gemini.example.com" || !zenith.Key.Empty() {
		t.Errorf("ZENITH: %+v", zenith)
	}
	if want := (AzureConfig{"2024-10-21", "prod"}); aurea.Azure != want || !aurea.Stream || aurea.MaxTokens != 0 {
		t.Errorf("AUREA: %+v", aurea)
	}
	if mine.Stream {
		t.Errorf("MINE: %+v", mine)
	}
	crew, err := newCrew(c.Companions, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	crew.close(nil)
}

func TestConfigRunner(t *testing.T) {
	if c := parse(t, "code: {runner: }\n"); c.Code.Runner != nil {
		t.Errorf("an empty runner: %+v", c.Code.Runner)
	}
	for doc, want := range map[string]RunnerConfig{
		"code: {runner: {command: [sh]}}\n": {[]string{"sh"}, 2 * time.Second, 256 << 20, 64 << 10, 2},
		"code: {runner: {command: [sh, -e, 5], timeout: 500ms, memory: 1GiB, output: 100, parallel: 8}}\n": {[]string{"sh", "-e", "5"}, 500 * time.Millisecond, 1 << 30, 100, 8},
	} {
		if got := parse(t, doc).Code.Runner; got == nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, want %+v", doc, got, want)
		}
	}
}

func TestConfigLedger(t *testing.T) {
	for name, tt := range map[string]struct {
		doc  string
		want LedgerConfig
	}{
		"nothing":        {"", LedgerConfig{Origin: "kaizen-os.civic.ai/ledger"}},
		"an empty one":   {"ledger:\n", LedgerConfig{Origin: "kaizen-os.civic.ai/ledger"}},
		"another origin": {"ledger: {origin: kaizen.example.com/ledger2}\n", LedgerConfig{Origin: "kaizen.example.com/ledger2"}},
		"witnesses": {"ledger:\n  witnesses:\n    - {key: \"" + witnessKey1 + "\", url: \"https://witness.example.com/w/\"}\n",
			LedgerConfig{Origin: "kaizen-os.civic.ai/ledger", Witnesses: []WitnessConfig{{witnessKey1, "https://witness.example.com/w/"}}}},
		"a plain key, on this machine": {"ledger: {witnesses: [{key: \"" + witnessKey2 + "\", url: \"http://[::1]:8081\"}]}\n",
			LedgerConfig{Origin: "kaizen-os.civic.ai/ledger", Witnesses: []WitnessConfig{{witnessKey2, "http://[::1]:8081"}}}},
	} {
		if got := parse(t, tt.doc).Ledger; !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestConfigBoundsTheWitnesses(t *testing.T) {
	doc := "ledger:\n  witnesses:\n"
	for i := range witness.MaxWitnesses + 1 {
		key, err := witness.GenerateKey("witness.test")
		if err != nil {
			t.Fatal(err)
		}
		s, err := witness.NewSigner(key)
		if err != nil {
			t.Fatal(err)
		}
		if c := parse(t, doc); len(c.Ledger.Witnesses) != i {
			t.Errorf("%d witnesses, want %d", len(c.Ledger.Witnesses), i)
		}
		doc += fmt.Sprintf("  - {key: %q, url: https://w%d.example.com}\n", s, i)
	}
	if _, err := parseConfig("kaizen.yaml", []byte(doc), testEnv); err == nil || !strings.Contains(err.Error(), "kaizen.yaml:17:11: ledger.witnesses: there are 15, at most 14") {
		t.Errorf("one too many: %v", err)
	}
}

// witnessEntry puts one change into an otherwise right witness.
func witnessEntry(change string) string {
	lines := []string{"key: \"" + witnessKey1 + "\"", "url: http://127.0.0.1:8081"}
	return "ledger:\n  witnesses:\n  - " + entry(lines, change)
}

// companionEntry and clientEntry put one change into an otherwise right entry.
func companionEntry(change string) string {
	lines := []string{"id: AUREA", "provider: openai", "endpoint: http://127.0.0.1:1/v1", "model: m", "tier: critical"}
	return "companions:\n  - " + entry(lines, change)
}

func clientEntry(change string) string {
	lines := []string{"name: app", `keySHA256: "` + keyHash + `"`}
	return "clients:\n  - " + entry(lines, change)
}

// entry joins lines, each at the indentation of a list's element, and change in
// place of the line of the same key.
func entry(lines []string, change string) string {
	key, _, _ := strings.Cut(change, ":")
	kept := []string{change}
	for _, l := range lines {
		if !strings.HasPrefix(l, key+":") {
			kept = append(kept, l)
		}
	}
	return strings.Join(kept, "\n    ") + "\n"
}

func TestConfigRefuses(t *testing.T) {
	tests := []struct {
		name, doc string
		want      []string // one a problem, in order
	}{
		{"an unknown key", "lisen: x\n", []string{`kaizen.yaml:1:1: unknown field "lisen"`}},
		{"an unknown key of a companion", companionEntry("wieght: 1"), []string{`kaizen.yaml:2:5: unknown field "wieght"`}},
		{"a key twice", "data: a\ndata: b\n", []string{"kaizen.yaml:2:1: "}},
		{"not YAML", "listen: [\n", []string{"kaizen.yaml:1:"}},
		{"two documents", "data: a\n---\ndata: b\n", []string{"kaizen.yaml: more than one YAML document"}},
		{"a list for a mapping", "limits: [1]\n", []string{"kaizen.yaml:1:"}},
		{"a mapping for a list", "companions: {id: A}\n", []string{"kaizen.yaml:1:"}},
		{"a mapping for a string", "data: {a: b}\n", []string{"kaizen.yaml:1:", "data: want a string"}},
		{"a string for a number", "limits: {inFlight: many}\n", []string{"kaizen.yaml:1:20: limits.inFlight: want a whole number from 1 to 1000000"}},
		{"a fraction for a count", "limits: {inFlight: 1.9}\n", []string{"limits.inFlight: want a whole number"}},
		{"a number for a duration", "limits: {deadline: 5}\n", []string{"limits.deadline: want a duration with its unit, from 1ms to 10m0s, such as 20s"}},
		{"a negative duration", "limits: {deadline: -5s}\n", []string{"limits.deadline: want a duration"}},
		{"a string for a switch", companionEntry("sentinel: yes please"), []string{"companions[0].sentinel: want true or false"}},
		{"a sample above 1", "telemetry: {sample: 1.5}\n", []string{"telemetry.sample: want a number from 0 to 1"}},
		{"a sample that is no number", "telemetry: {sample: .nan}\n", []string{"telemetry.sample: want a number"}},
		{"a collector without scheme", "telemetry: {otlp: 'localhost:4318'}\n", []string{"telemetry.otlp: want a URL that starts with"}},
		{"a prompt larger than a body", "limits: {bodyBytes: 2048, promptBytes: 4096}\n", []string{"limits.promptBytes: is more than limits.bodyBytes (2048)"}},
		{"an unknown log level", "logLevel: loud\n", []string{`kaizen.yaml:1:11: logLevel: unknown "loud"; want one of debug, info, warn, error`}},
		{"an empty folder", "data: ''\n", []string{"data: is empty"}},
		{"a policy that is not there", "policy: /nonexistent/policy.json\n", []string{"policy: open /nonexistent/policy.json"}},

		{"a runner without command", "code: {runner: {timeout: 2s}}\n", []string{"code.runner.command: must be given"}},
		{"a runner of nothing", "code: {runner: {command: []}}\n", []string{"kaizen.yaml:1:26: code.runner.command: want a list of 1 to 64 strings"}},
		{"a runner in one string", "code: {runner: {command: python3 -I}}\n", []string{"kaizen.yaml:1:26: code.runner.command: want a list of 1 to 64 strings"}},
		{"a runner that is no mapping", "code: {runner: [sh]}\n", []string{"kaizen.yaml:1:"}},
		{"a runner that is not there", "code:\n  runner:\n    command: [no-such-program-anywhere, -I]\n", []string{`kaizen.yaml:3:15: code.runner.command: exec: "no-such-program-anywhere": executable file not found in $PATH`}},
		{"a runner that is a folder", "code: {runner: {command: [/]}}\n", []string{"kaizen.yaml:1:27: code.runner.command: "}},
		{"a runner with no name", "code: {runner: {command: ['', x]}}\n", []string{"kaizen.yaml:1:27: code.runner.command[0]: is empty"}},
		{"a runner with a list for an argument", "code: {runner: {command: [sh, [x]]}}\n", []string{"code.runner.command[1]: want a string"}},
		{"a runner with an unknown key", "code: {runner: {command: [sh], user: nobody}}\n", []string{`kaizen.yaml:1:32: unknown field "user"`}},
		{"no time to run", "code: {runner: {command: [sh], timeout: 0s}}\n", []string{"kaizen.yaml:1:41: code.runner.timeout: want a duration"}},
		{"memory without unit", "code: {runner: {command: [sh], memory: 256}}\n", []string{"code.runner.memory: want a size from 1MiB to 1024GiB, such as 256MiB"}},
		{"memory in an unknown unit", "code: {runner: {command: [sh], memory: 256MB}}\n", []string{"code.runner.memory: want a size"}},
		{"too much output", "code: {runner: {command: [sh], output: 17MiB}}\n", []string{"code.runner.output: want a size from 1 to 16MiB"}},
		{"none in parallel", "code: {runner: {command: [sh], parallel: 0}}\n", []string{"code.runner.parallel: want a whole number from 1 to 1024"}},

		{"an address without port", "listen: localhost\n", []string{"listen: want host:port"}},
		{"a port too high", "listen: 127.0.0.1:70000\n", []string{"listen: want host:port"}},
		{"all interfaces without clients", "listen: :8080\n", []string{`kaizen.yaml:1:9: listen: :8080 can be reached by others, and there are no clients: list who may ask under "clients" (name, role, keySHA256), or listen on 127.0.0.1`}},
		{"a public address without clients", "listen: 192.0.2.1:80\nclients: []\n", []string{"listen: 192.0.2.1:80 can be reached by others"}},
		{"a public admin address without clients", "admin: 0.0.0.0:9090\n", []string{"admin: 0.0.0.0:9090 can be reached by others"}},

		{"a companion of nothing", "companions:\n  - {}\n", []string{"companions[0].id: must be given", "companions[0].provider: must be given", "companions[0].endpoint: must be given", "companions[0].tier: must be given"}},
		{"an id in small letters", companionEntry("id: aurea"), []string{"companions[0].id: want 1 to 64 of A-Z"}},
		{"the same id twice", companionEntry("id: AUREA") + "  - {id: AUREA, provider: kaizen, endpoint: 'http://127.0.0.1:1', tier: high}\n", []string{"companions[1].id: AUREA is also companions[0]"}},
		{"an unknown provider", companionEntry("provider: acme"), []string{`companions[0].provider: unknown provider "acme"; available are kaizen, openai, anthropic, gemini`}},
		{"openai without model", companionEntry("model: ''"), []string{"companions[0].model: must be given for provider openai"}},
		{"anthropic without model", "companions:\n  - {id: ATLAS, provider: anthropic, tier: high}\n", []string{"companions[0].model: must be given for provider anthropic"}},
		{"openai without endpoint", "companions:\n  - {id: ATLAS, provider: openai, model: m, tier: high}\n", []string{"companions[0].endpoint: must be given"}},
		{"the field of tokens for anthropic", companionEntry("provider: anthropic\n    maxTokensField: max_tokens"), []string{"kaizen.yaml:3:21: companions[0].maxTokensField: only for provider openai"}},
		{"azure for gemini", companionEntry("provider: gemini\n    azure: {apiVersion: x}"), []string{"kaizen.yaml:3:25: companions[0].azure: only for provider openai"}},
		{"azure without version", companionEntry("azure: {deployment: d}"), []string{"companions[0].azure.apiVersion: must be given"}},
		{"a stream from a companion of ours", companionEntry("provider: kaizen\n    stream: true"), []string{"companions[0].stream: not for provider kaizen"}},
		{"settings that a companion of ours lacks", companionEntry("provider: kaizen\n    without: [seed]\n    maxTokens: 5"), []string{"companions[0].maxTokens: not for provider kaizen", "companions[0].without: not for provider kaizen"}},
		{"a stream in words", companionEntry("stream: often"), []string{"kaizen.yaml:2:13: companions[0].stream: want true or false"}},
		{"no tokens", companionEntry("maxTokens: 0"), []string{"companions[0].maxTokens: want a whole number from 1"}},
		{"an unknown setting", companionEntry("without: [temperature, colour]"), []string{`kaizen.yaml:2:14: companions[0].without: unknown "colour"; want some of temperature, topP,`}},
		{"one setting without list", companionEntry("without: temperature"), []string{"companions[0].without: want a list of at most 64 strings"}},
		{"oauth of nothing", companionEntry("oauth: {}"), []string{"companions[0].oauth.tokenURL: must be given", "companions[0].oauth.clientID: must be given", "companions[0].oauth.clientSecret: must be given"}},
		{"oauth beside a key", companionEntry("key: {env: OPENAI_API_KEY}\n    oauth: {tokenURL: 'https://id.example.com', clientID: me, clientSecret: {env: OPENAI_API_KEY}}"), []string{"kaizen.yaml:2:10: companions[0].key: there is oauth too; want one of the two"}},
		{"the secret itself", companionEntry("oauth: {tokenURL: 'https://id.example.com', clientID: me, clientSecret: " + secretValue + "}"), []string{"want {env: NAME} or {file: PATH}, never the key itself"}},
		{"a token URL with credentials", companionEntry("oauth: {tokenURL: 'https://me:" + secretValue + "@id.example.com', clientID: me, clientSecret: {env: OPENAI_API_KEY}}"), []string{"companions[0].oauth.tokenURL: holds credentials"}},
		{"two scopes in one", companionEntry("oauth: {tokenURL: 'https://id.example.com', clientID: me, clientSecret: {env: OPENAI_API_KEY}, scopes: [a b]}"), []string{"companions[0].oauth.scopes[0]: want a scope without white space"}},
		{"an unknown key of oauth", companionEntry("oauth: {tokenUrl: x}"), []string{`unknown field "tokenUrl"`}},
		{"an unknown tier", companionEntry("tier: gold"), []string{`companions[0].tier: unknown tier "gold"`}},
		{"an endpoint without scheme", companionEntry("endpoint: api.openai.com"), []string{"companions[0].endpoint: want a URL"}},
		{"a file for an endpoint", companionEntry("endpoint: file:///etc/passwd"), []string{"companions[0].endpoint: want a URL"}},
		{"credentials in an endpoint", companionEntry("endpoint: https://user:" + secretValue + "@x/"), []string{"companions[0].endpoint: holds credentials"}},
		{"a query in an endpoint", companionEntry("endpoint: https://x/?key=" + secretValue), []string{"companions[0].endpoint: want a URL without query"}},
		{"an unknown tokens field", companionEntry("maxTokensField: tokens"), []string{`companions[0].maxTokensField: unknown "tokens"`}},
		{"a tokens field of the native protocol", companionEntry("provider: kaizen\n    maxTokensField: max_tokens"), []string{"companions[0].maxTokensField: only for provider openai"}},
		{"an unknown status", companionEntry("status: removed"), []string{`companions[0].status: unknown "removed"; want one of active, shadow`}},
		{"a price in words", companionEntry("price: {input: cheap}"), []string{"companions[0].price.input: want USD per 1K tokens"}},
		{"a price of too many places", companionEntry(`price: {output: "0.0000001"}`), []string{"companions[0].price.output: want USD"}},
		{"a price with exponent", companionEntry(`price: {output: 1e-6}`), []string{"companions[0].price.output: want USD"}},
		{"a negative price", companionEntry(`price: {output: "-1"}`), []string{"companions[0].price.output: want USD"}},
		{"no calls at all", companionEntry("limits: {perSecond: 0}"), []string{"companions[0].limits.perSecond: want a number"}},
		{"too heavy for standard", companionEntry("tier: standard\n    weight: \"0.81\""), []string{"companions[0].weight: a standard companion weighs 0.7 to 0.8"}},
		{"too light for standard", companionEntry("tier: standard\n    weight: \"0.5\""), []string{"companions[0].weight: a standard companion weighs 0.7 to 0.8"}},
		{"a weight of its own for critical", companionEntry(`weight: "0.5"`), []string{"companions[0].weight: a critical companion weighs 1.0; leave it out"}},
		{"a weight in words", companionEntry("weight: heavy"), []string{"companions[0].weight: want a decimal"}},

		{"the key itself", companionEntry("key: " + secretValue), []string{"kaizen.yaml:2:10: key: want {env: NAME} or {file: PATH}, never the key itself"}},
		{"a variable that is not set", companionEntry("key: {env: NOT_SET}"), []string{"companions[0].key.env: environment variable NOT_SET is not set"}},
		{"a variable that is empty", companionEntry("key: {env: EMPTY}"), []string{"companions[0].key.env: environment variable EMPTY is not set"}},
		{"a variable of two lines", companionEntry("key: {env: TWO_LINES}"), []string{"companions[0].key.env: environment variable TWO_LINES holds no key alone"}},
		{"a file that is not there", companionEntry("key: {file: /nonexistent/key}"), []string{"companions[0].key.file: open /nonexistent/key"}},
		{"both", companionEntry("key: {env: OPENAI_API_KEY, file: x}"), []string{"companions[0].key: want one of env and file"}},
		{"neither", companionEntry("key: {}"), []string{"companions[0].key: want one of env and file"}},
		{"an unknown source", companionEntry("key: {value: " + secretValue + "}"), []string{`unknown field "value"`}},

		{"a client of nothing", "clients:\n  - {}\n", []string{"clients[0].name: must be given", "clients[0].keySHA256: want the key's SHA-256 as 64 hex digits"}},
		{"the key for its hash", clientEntry("keySHA256: " + secretValue), []string{"clients[0].keySHA256: want the key's SHA-256"}},
		{"half a hash", clientEntry("keySHA256: " + keyHash[:32]), []string{"clients[0].keySHA256: want the key's SHA-256"}},
		{"an unknown role", clientEntry("role: king"), []string{`clients[0].role: unknown "king"; want one of client, citizen,`}},
		{"a negative rate", clientEntry("perSecond: -1"), []string{"clients[0].perSecond: want a number"}},
		{"a budget of nothing", clientEntry(`budget: {perDay: "0"}`), []string{"clients[0].budget.perDay: want USD"}},
		{"a budget without a day", clientEntry(`budget: {perWeek: "5.00"}`), []string{"perWeek"}},
		{"the same name and key twice", clientEntry("name: app") + "  - {name: app, keySHA256: \"" + keyHash + "\"}\n", []string{"clients[1].name: app is also clients[0]", "clients[1].keySHA256: is also that of clients[0]"}},
		{"a companion's key without companion", clientEntry("role: companion"), []string{"clients[0].companion: must be given for role companion"}},
		{"a client's key with companion", clientEntry("companion: AUREA"), []string{"clients[0].companion: only for roles companion and sentinel"}},
		{"a companion that is not there", companionEntry("tier: high") + clientEntry("role: sentinel\n    companion: ZEUS"), []string{"clients[0].companion: ZEUS is not among companions"}},

		{"an origin with a space", "ledger: {origin: our ledger}\n", []string{`kaizen.yaml:1:18: ledger.origin: the name "our ledger": want one without white space`}},
		{"an origin with a plus", "ledger: {origin: a+b}\n", []string{"ledger.origin: the name"}},
		{"a witness of nothing", "ledger: {witnesses: [{}]}\n", []string{"ledger.witnesses[0].key: must be given", "ledger.witnesses[0].url: must be given"}},
		{"a witness's key that is none", witnessEntry("key: nonsense"), []string{"kaizen.yaml:3:10: ledger.witnesses[0].key: not a witness's key in note form: want name+id+base64"}},
		{"a witness's private key", witnessEntry("key: PRIVATE+KEY+w+00000000+" + secretValue), []string{"ledger.witnesses[0].key: not a witness's key"}},
		{"a witness's key with another id", witnessEntry("key: \"" + strings.Replace(witnessKey1, "ab76", "ab77", 1) + "\""), []string{"ledger.witnesses[0].key: not a witness's key in note form: its id"}},
		{"a witness twice", witnessEntry("url: https://x") + "  - {key: \"" + witnessKey2 + "\", url: \"https://y\"}\n", []string{"ledger.witnesses[1].key: is also that of ledger.witnesses[0]"}},
		{"a witness elsewhere without TLS", witnessEntry("url: http://witness.example.com"), []string{"kaizen.yaml:3:10: ledger.witnesses[0].url: want https://"}},
		{"a witness at a host that begins like this machine", witnessEntry("url: http://127.0.0.1.example.com"), []string{"ledger.witnesses[0].url: want https://"}},
		{"a witness's URL without scheme", witnessEntry("url: witness.example.com"), []string{"ledger.witnesses[0].url: want a URL"}},
		{"a witness's URL with credentials", witnessEntry("url: https://me:" + secretValue + "@w.example.com"), []string{"ledger.witnesses[0].url: holds credentials"}},
		{"a witness's URL with a query", witnessEntry("url: https://w.example.com/?x=" + secretValue), []string{"ledger.witnesses[0].url: want a URL without query"}},
		{"the whole of a witness's call", witnessEntry("url: https://w.example.com/add-checkpoint"), []string{"ledger.witnesses[0].url: want the witness's prefix, without /add-checkpoint"}},
		{"an unknown key of a witness", witnessEntry("name: w"), []string{`unknown field "name"`}},
		{"an unknown key of the ledger", "ledger: {name: w}\n", []string{`unknown field "name"`}},

		{"many at once", "logLevel: loud\nlimits: {inFlight: 0}\nlisten: x\n", []string{"limits.inFlight", "logLevel", "listen"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseConfig("kaizen.yaml", []byte(tt.doc), testEnv)
			if err == nil {
				t.Fatalf("accepted:\n%s", tt.doc)
			}
			said := err.Error()
			if strings.Contains(said, secretValue) {
				t.Errorf("a secret is in %q", said)
			}
			rest := said
			for _, want := range tt.want {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("got %q\nwant %q", said, tt.want)
				}
				rest = after
			}
			if n := strings.Count(said, "\n"); n >= len(tt.want) {
				t.Errorf("%d problems, want %d: %q", n+1, len(tt.want), said)
			}
		})
	}
}

func TestLoadConfig(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "kaizen.yaml")
	if _, err := LoadConfig(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(path, []byte("data: elsewhere\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := LoadConfig(path); err != nil || c.Data != "elsewhere" {
		t.Errorf("LoadConfig() = %+v, %v", c, err)
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte("# long\n"), maxConfigBytes/4), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadConfig(path); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a file without end: %v", err)
	}
}

func TestConfigPolicyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(path, []byte(`{"version":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := parseConfig("kaizen.yaml", []byte("policy: "+path+"\n"), testEnv); err == nil || !strings.Contains(err.Error(), "kaizen.yaml:1:9: policy: ") {
		t.Errorf("half a policy: %v", err)
	}
}

func TestSecretIsNeverShown(t *testing.T) {
	s := Secret{secretValue}
	c := CompanionConfig{Key: s}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", s, "companion", c)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", s, "companion", c)
	asJSON, err := json.Marshal(map[string]any{"key": s, "companion": c})
	if err != nil {
		t.Fatal(err)
	}
	said := log.String() + string(asJSON)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		said += fmt.Sprintf(verb+verb+verb, s, c, &s)
	}
	if hexed := fmt.Sprintf("%x", secretValue); strings.Contains(said, secretValue) || strings.Contains(said, hexed) {
		t.Errorf("the secret is in %s", said)
	}
	if !strings.Contains(said, redacted) {
		t.Errorf("nothing says that there is a secret: %s", said)
	}
	if s.Reveal() != secretValue {
		t.Error("Reveal does not give the value")
	}
}

func FuzzConfig(f *testing.F) {
	for _, s := range []string{"", example, companionEntry("weight: 1"), clientEntry("role: steward"), witnessEntry("url: https://w.example.com"), companionEntry("oauth: {tokenURL: 'https://id.example.com', clientID: me, clientSecret: {env: OPENAI_API_KEY}, scopes: [a]}"),
		companionEntry("provider: anthropic\n    without: [seed]\n    stream: false\n    maxTokens: 5"), companionEntry("azure: {apiVersion: '1', deployment: d}"), "a: &b [*b]", "key: {env: X}\n---\n", "limits: {deadline: 5s}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		// Nothing outside is read: a fuzzer would name any file there is.
		if bytes.Contains(doc, []byte("file")) || bytes.Contains(doc, []byte("policy")) {
			return
		}
		c, err := parseConfig("fuzz.yaml", doc, testEnv)
		if (c == nil) == (err == nil) {
			t.Fatalf("parseConfig(%q) = %v, %v", doc, c, err)
		}
		if err != nil && strings.Contains(err.Error(), secretValue) && !bytes.Contains(doc, []byte(secretValue)) {
			t.Fatalf("a secret of the environment is in %v", err)
		}
	})
}
