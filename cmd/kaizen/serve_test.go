package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/fanout/dialect"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/ledger"
)

// What a new user does: start it, run the curl line it prints, ask in the
// terminal, look at the receipt.
func TestServeAsANewUserMeetsIt(t *testing.T) {
	s := startServer(t, t.TempDir(), anyPort)
	greeting := s.says(&s.out, regexp.MustCompile(`(?s)Try it.*?(  curl .*?\n)\n  \./kaizen ask "(.*?)"`))
	for _, name := range []string{"AUREA", "ATLAS", "ZENITH", "JADE", "EVE", "SOLARA", "ZEUS", "HERMES"} {
		if !regexp.MustCompile(name + ` .*simulated`).MatchString(s.out.String()) {
			t.Errorf("the greeting does not show %s as simulated:\n%s", name, &s.out)
		}
	}

	body := curl(t, s, greeting[1])
	var v wire.Deliberation
	if err := v.Decode(body); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if v.Status != "carried" || !strings.Contains(v.Answer, "391") || len(v.Ballots) != 8 || v.Proof.LeafHash == "" {
		t.Errorf("the curl line gives %s", body)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields["dissent"] == nil {
		t.Errorf("the answer has no dissent: %v, %s", err, body)
	}
	if receipt := s.get(v.Proof.Receipt, "", http.StatusOK); !strings.HasPrefix(string(receipt), "c2sp.org/tlog-proof@v1\n") {
		t.Errorf("receipt: %s", receipt)
	}
	var again wire.Deliberation
	if err := again.Decode(s.get("/v1/deliberations/"+v.ID, "", http.StatusOK)); err != nil || again.Answer != v.Answer || again.Proof != v.Proof {
		t.Errorf("read back it is %+v, %v, want %+v", again, err, v)
	}

	saved := filepath.Join(s.dir, "receipt.txt")
	out, errOut, code := runProgram(t, "", nil, "ask", "--url", s.url, "--kind", "number", "--receipt", saved, greeting[2])
	if code != exitCarried || !strings.Contains(out, "carried") || !strings.Contains(out, "AUREA") || !strings.Contains(out, "receipt  index ") || strings.Contains(out, "\x1b") {
		t.Errorf("kaizen ask: exit code %d, %s%s", code, errOut, out)
	}
	out, errOut, code = runProgram(t, greeting[2], nil, "ask", "--url", s.url, "--json", "--kind", "number", "--wait", "all", "-")
	if err := v.Decode([]byte(out)); err != nil || code != exitCarried || errOut != "" || v.Answer == "" || v.Consensus.AgreementIsBound {
		t.Errorf("kaizen ask --json --wait all: exit code %d, %v, %s%s", code, err, errOut, out)
	}

	key := filepath.Join(s.dir, "log.pub")
	putFile(t, key, string(s.get("/ledger/key", "", http.StatusOK)))
	if out, errOut, code := runProgram(t, "", nil, "verify", saved, "--key", key); code != 0 || !strings.HasSuffix(out, "OK\n") || !strings.Contains(out, "  > "+greeting[2]+"\n") {
		t.Errorf("kaizen verify of the saved receipt: exit code %d, %s%s", code, errOut, out)
	}
	s.stop()
	if out, errOut, code := runProgram(t, "", nil, "verify", s.data(), "--key", key); code != 0 || !strings.HasSuffix(out, "OK\n") || !strings.Contains(out, "verdicts decided again") {
		t.Errorf("kaizen verify of the data folder: exit code %d, %s%s", code, errOut, out)
	}
	if lines := complaints(s.errOut.String()); len(lines) > 0 {
		t.Errorf("stderr holds more than the log: %q", lines)
	}
}

// curl runs a curl line that the gateway has printed: by this program, and by
// the shell where there is a curl.
func curl(t *testing.T, s *server, line string) (body []byte) {
	t.Helper()
	words := shellWords(t, line)
	var url, header, data string
	for i := 1; i < len(words); i++ {
		switch w := words[i]; {
		case w == "-s":
		case w == "-H" || w == "-d":
			i++
			if w == "-d" {
				data = words[i]
			} else {
				header += words[i] + "\n"
			}
		default:
			url += w
		}
	}
	if url != s.url+"/v1/deliberate" || header != "Content-Type: application/json\n" {
		t.Fatalf("the curl line asks %q with %q", url, header)
	}
	status, body, err := s.do(t.Context(), http.MethodPost, "/v1/deliberate", "", data)
	if err != nil || status != http.StatusOK {
		t.Fatalf("the curl line's request: %d %s, %v", status, body, err)
	}
	if _, err := exec.LookPath("curl"); err != nil {
		return body
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", line).Output()
	if err != nil {
		t.Fatalf("sh -c %q: %v", line, err)
	}
	return out
}

// shellWords splits a command line as a shell does: spaces, single quotes, and a
// backslash before a line's end.
func shellWords(t *testing.T, line string) (words []string) {
	t.Helper()
	line = strings.ReplaceAll(line, "\\\n", " ")
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " \n") {
		var word string
		if rest, quoted := strings.CutPrefix(line, "'"); quoted {
			var closed bool
			if word, line, closed = strings.Cut(rest, "'"); !closed {
				t.Fatalf("an open quote in %q", line)
			}
		} else {
			end := strings.IndexAny(line+" ", " \n")
			word, line = line[:end], line[end:]
		}
		words = append(words, word)
	}
	return words
}

// Keys decide who may do what; steward.key is a steward's, and nobody else's to read.
func TestKeysAndTheSteward(t *testing.T) {
	s := startServer(t, t.TempDir(), anyPort+clientsNamed("ann", "bob"))
	var refused wire.Error
	for _, key := range []string{"", "mallory"} {
		status, answer, err := s.do(t.Context(), http.MethodPost, "/v1/deliberate", key, anyRequest)
		if e, derr := wire.DecodeError(answer); derr == nil {
			refused = *e
		}
		if err != nil || status != http.StatusUnauthorized || refused.Code != wire.Unauthorized {
			t.Errorf("with the key %q: %d %s, %v", key, status, answer, err)
		}
	}
	s.says(&s.out, regexp.MustCompile(`-H 'Authorization: Bearer '\$KAIZEN_KEY`)) // in the curl line
	v := s.mustAsk("ann", anyRequest)
	path := "/v1/deliberations/" + v.ID

	info, err := os.Stat(filepath.Join(s.data(), "steward.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("steward.key: %v, %v, want mode 0600", info, err)
	}
	text, err := os.ReadFile(filepath.Join(s.data(), "steward.key"))
	if err != nil || strings.Count(string(text), "\n") != 1 {
		t.Fatalf("steward.key holds %d bytes, %v, want one line", len(text), err)
	}
	steward := strings.TrimSpace(string(text))
	for _, tt := range []struct {
		key     string
		texts   bool
		receipt int
	}{{"ann", true, http.StatusOK}, {"bob", false, http.StatusNotFound}, {steward, true, http.StatusOK}} {
		var read wire.Deliberation
		if err := read.Decode(s.get(path, tt.key, http.StatusOK)); err != nil {
			t.Fatal(err)
		}
		if len(read.Ballots) != len(v.Ballots) || (read.Answer != "") != tt.texts {
			t.Errorf("%.3s sees %d ballots and the answer %q, want %d and texts %t", tt.key, len(read.Ballots), read.Answer, len(v.Ballots), tt.texts)
		}
		for _, b := range read.Ballots {
			if (b.Reply != "") != (tt.texts && b.Outcome == "ok") {
				t.Errorf("%.3s sees %s's reply as %q", tt.key, b.Companion, b.Reply)
			}
		}
		s.get(v.Proof.Receipt, tt.key, tt.receipt)
	}
	out, errOut, code := runProgram(t, "", []string{"KAIZEN_KEY=bob"}, "ask", "--url", s.url, "--kind", "number", "What is 2 + 2?")
	if code != exitCarried {
		t.Errorf("kaizen ask with KAIZEN_KEY: exit code %d, %s%s", code, errOut, out)
	}
	out, errOut, code = runProgram(t, "", nil, "ask", "--url", s.url, "--kind", "number", "What is 2 + 2?")
	if code != exitFailed || strings.Count(errOut, "\n") != 1 || !strings.Contains(errOut, "--key") {
		t.Errorf("kaizen ask without a key: exit code %d, %s%s", code, errOut, out)
	}
	s.stop()
	if all := s.errOut.String() + s.out.String(); strings.Contains(all, steward) || strings.Contains(all, "17 * 23?\",\"kind") {
		t.Error("a key or a prompt is in what the gateway prints")
	}
	// The same key at the next start.
	s = startServer(t, s.dir, anyPort+clientsNamed("bob"))
	s.get(v.Proof.Receipt, steward, http.StatusOK)
	s.stop()
}

// clientsNamed is a clients section of clients whose key is their name.
func clientsNamed(names ...string) string {
	text := "clients:\n"
	for _, n := range names {
		text += fmt.Sprintf("  - {name: %s, keySHA256: %q, tier: high}\n", n, sha256Hex(n))
	}
	return text
}

// A start that cannot be leaves one line that says what to do, and nothing running.
func TestServeRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	inUse := taken.Addr().String()

	used := startServer(t, t.TempDir(), anyPort) // a data folder with a history
	used.mustAsk("", anyRequest)
	damaged := func(spoil func(t *testing.T, data string)) func(t *testing.T, dir string) string {
		return func(t *testing.T, dir string) string {
			copyFolder(t, used.data(), filepath.Join(dir, "data"))
			spoil(t, filepath.Join(dir, "data"))
			return anyPort
		}
	}
	config := func(text string) func(*testing.T, string) string {
		return func(*testing.T, string) string { return text }
	}
	locked := startServer(t, t.TempDir(), anyPort)
	used.stop() // before its folder is copied

	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, dir string) string // gives the configuration
		want    []string                              // in the line
	}{
		{"the port is in use", config("listen: " + inUse + "\nadmin: \"\"\n"), []string{inUse, "port is in use", "listen:"}},
		{"the admin port is in use", config("listen: 127.0.0.1:0\nadmin: " + inUse + "\n"), []string{inUse, "port is in use", "admin:"}},
		{"another process has the data folder", func(t *testing.T, dir string) string {
			if err := os.Symlink(locked.data(), filepath.Join(dir, "data")); err != nil {
				t.Fatal(err)
			}
			return anyPort
		}, []string{"in use by another process", "data:"}},
		{"the data folder is a file", func(t *testing.T, dir string) string {
			putFile(t, filepath.Join(dir, "data"), "")
			return anyPort
		}, []string{"data folder", "not a directory"}},
		{"a key that others may read", damaged(func(t *testing.T, data string) {
			if err := os.Chmod(filepath.Join(data, "steward.key"), 0o644); err != nil {
				t.Fatal(err)
			}
		}), []string{"steward.key", "chmod 600"}},
		{"the ledger's key is gone", damaged(func(t *testing.T, data string) {
			if err := os.Remove(filepath.Join(data, ledger.KeyFile)); err != nil {
				t.Fatal(err)
			}
		}), []string{ledger.KeyFile, "put it back"}},
		{"the vault's key is gone", damaged(func(t *testing.T, data string) {
			if err := os.Remove(filepath.Join(data, "vault.key")); err != nil {
				t.Fatal(err)
			}
		}), []string{"vault.key"}},
		{"a byte of the ledger's log has changed", damaged(func(t *testing.T, data string) {
			flipByte(t, oneFile(t, data, ledger.StoreDir, "*.log"), 0.5)
		}), []string{"restore"}}, // it is shorter than what was signed, or damaged
		{"a byte of a ledger's table has changed", damaged(func(t *testing.T, data string) {
			flush(t, data)
			flipByte(t, oneFile(t, data, ledger.StoreDir, "*.sst"), 0.3)
		}), []string{"data folder", "damaged"}},
		{"the ledger's manifest is cut short", damaged(func(t *testing.T, data string) {
			flush(t, data)
			name := oneFile(t, data, ledger.StoreDir, "MANIFEST-*")
			if err := os.Truncate(name, 20); err != nil {
				t.Fatal(err)
			}
		}), []string{"data folder"}},
		{"a key that no one knows", config(anyPort + "compnions: []\n"), []string{`kaizen.yaml:3:1: `, "compnions"}},
		{"no YAML", config(anyPort + "clients: [\n"), []string{"kaizen.yaml:"}},
		{"a secret that is not there", config(anyPort + companionsSection("kaizen", "http://127.0.0.1:1", ", key: {env: KAIZEN_TEST_NOT_SET}")), []string{"KAIZEN_TEST_NOT_SET is not set", "companions[0].key.env"}},
		{"open to others without clients", config("listen: 0.0.0.0:0\nadmin: \"\"\n"), []string{"0.0.0.0:0", "clients"}},
		{"a policy that is broken", func(t *testing.T, dir string) string {
			putFile(t, filepath.Join(dir, "policy.json"), `{"version":"x"}`)
			return anyPort + "policy: " + filepath.Join(dir, "policy.json") + "\n"
		}, []string{"kaizen.yaml:3:9: policy:"}},
		{"a policy that is not there", config(anyPort + "policy: /nowhere/policy.json\n"), []string{"policy:", "/nowhere/policy.json"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			file := writeConfig(t, dir, tt.prepare(t, dir))
			out, errOut, code := runProgram(t, "", nil, "serve", "--config", file)
			lines := complaints(errOut)
			if code != exitFailed || out != "" || len(lines) != 1 || !strings.HasPrefix(lines[0], "kaizen: ") {
				t.Fatalf("exit code %d, stdout %q, stderr:\n%s\nwant %d and one line", code, out, errOut, exitFailed)
			}
			for _, w := range tt.want {
				if !strings.Contains(lines[0], w) {
					t.Errorf("%q does not say %q", lines[0], w)
				}
			}
		})
	}
	out, errOut, code := runProgram(t, "", nil, "serve", "--config", filepath.Join(t.TempDir(), "none.yaml"))
	if code != exitFailed || out != "" || strings.Count(errOut, "\n") != 1 || !strings.Contains(errOut, "none.yaml") {
		t.Errorf("without its configuration: exit code %d, %q", code, errOut)
	}
	// The one that has the folder did not mind.
	locked.mustAsk("", anyRequest)
	locked.stop()
}

func TestServeCheck(t *testing.T) {
	dir := t.TempDir()
	out, errOut, code := runProgram(t, "", nil, "serve", "--check", "--config", writeConfig(t, dir, anyPort+clientsNamed("ann")))
	if code != 0 || errOut != "" || !strings.Contains(out, "configuration is good") {
		t.Errorf("a good one: exit code %d, %q, %q", code, errOut, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("--check has made the data folder: %v", err)
	}
	out, errOut, code = runProgram(t, "", nil, "serve", "--check", "--config", writeConfig(t, dir, anyPort+"tier: high\n"))
	if code != exitFailed || out != "" || !strings.Contains(errOut, "kaizen.yaml:3:1") {
		t.Errorf("a bad one: exit code %d, %q, %q", code, errOut, out)
	}
}

// A companion may speak OpenAI's chat completions: any compatible server.
func TestOpenAICompanionEndToEnd(t *testing.T) {
	members := sim.Default()[:3]
	members[0].Key = "sk-of-aurea"
	s, companions := startSim(t, members...)
	config := anyPort + "companions:\n"
	for i, e := range companions {
		provider := "kaizen"
		if i == 0 {
			provider = "openai"
		}
		config += companionLine(e, provider, ", key: {env: AUREA_KEY}")
	}
	g := startServer(t, t.TempDir(), config, "AUREA_KEY=sk-of-aurea")
	v := g.mustAsk("", `{"prompt":"What is 17 * 23?","kind":"number","wait":"all","include":["ballots","replies"]}`)
	b := v.Ballots[0]
	if v.Value != "391" || b.Companion != "AUREA" || b.Provider != "openai" || b.Outcome != "ok" || !b.Counted || b.Reply == "" || b.Usage.OutputTokens == 0 || b.Usage.CostMicroUSD == 0 {
		t.Errorf("value %q, AUREA's ballot %+v", v.Value, b)
	}
	if asked := s.Asked("AUREA"); asked != 1 {
		t.Errorf("AUREA was asked %d times", asked)
	}
	g.stop()

	// With a wrong key it is refused, and nobody else is.
	g = startServer(t, t.TempDir(), config, "AUREA_KEY=sk-of-another")
	v = g.mustAsk("", `{"prompt":"What is 17 * 23?","kind":"number","wait":"all"}`)
	if v.Ballots[0].Outcome != "refused" || v.Ballots[1].Outcome != "ok" || v.Ballots[2].Outcome != "ok" || v.Value != "391" {
		t.Errorf("with a wrong key: %+v", v.Ballots)
	}
	g.stop()
	if all := g.errOut.String() + g.out.String(); strings.Contains(all, "sk-of-") {
		t.Error("a companion's key is in what the gateway prints")
	}
}

// With a provider's key in the environment, its companion is the real one.
func TestProviderKeysMakeCompanionsReal(t *testing.T) {
	_, simulated := startSim(t, sim.Default()...)
	env := map[string]string{"OPENAI_API_KEY": " sk-openai\n", "DEEPSEEK_API_KEY": "sk-deepseek", "DEEPSEEK_MODEL": "deepseek-other", "ANTHROPIC_API_KEY": "sk-ant", "GEMINI_API_KEY": "  "}
	companions, err := defaultCompanions(simulated, func(name string) string { return env[name] })
	if err != nil || len(companions) != 8 {
		t.Fatalf("%d companions, %v", len(companions), err)
	}
	for i, c := range companions {
		e := simulated[i]
		if c.ID != e.ID || c.Tier != e.Tier || c.Vendor != e.Vendor || c.Status != quorum.Active {
			t.Errorf("companion %d is %+v, want as %+v", i, c, e)
		}
		switch c.ID {
		case "AUREA":
			if c.Provider != "openai" || c.Endpoint != "https://api.openai.com/v1" || c.Key.Reveal() != "sk-openai" || c.Model == "" || c.Price != (quorum.Price{}) {
				t.Errorf("AUREA is %+v", c)
			}
		case "SOLARA":
			if c.Provider != "openai" || c.Endpoint != "https://api.deepseek.com/v1" || c.Key.Reveal() != "sk-deepseek" || c.Without != dialect.NoJSONSchema || c.Model != "deepseek-other" {
				t.Errorf("SOLARA is %+v", c)
			}
		case "ATLAS":
			if c.Provider != "anthropic" || c.Endpoint != "https://api.anthropic.com/v1" || c.Key.Reveal() != "sk-ant" || c.Model == "" || !c.Stream {
				t.Errorf("ATLAS is %+v", c)
			}
		default: // ZENITH too: its key is blank
			if c.Provider != "kaizen" || c.Endpoint != e.URL || !c.Key.Empty() || !strings.HasPrefix(c.Model, simulatedModel) {
				t.Errorf("%s is %+v, want simulated", c.ID, c)
			}
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", c.ID, err)
		}
	}
	env["GEMINI_API_KEY"] = "sk-goog"
	companions, err = defaultCompanions(simulated, func(name string) string { return env[name] })
	if zenith := companions[2]; err != nil || zenith.ID != "ZENITH" || zenith.Provider != "gemini" || zenith.Endpoint != "https://generativelanguage.googleapis.com/v1beta" || zenith.Key.Reveal() != "sk-goog" || !zenith.Stream {
		t.Errorf("with its key: %+v, %v", zenith, err)
	}
	if crew, err := newCrew(companions, nil, slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("a crew of them: %v", err)
	} else {
		crew.close(nil)
	}
}

// startSim starts companions in this process, that outlive the gateway under test.
func startSim(t *testing.T, companions ...sim.Companion) (*sim.Sim, []sim.Endpoint) {
	t.Helper()
	s, err := sim.Start(sim.Config{Companions: companions})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, s.Endpoints()
}

// instant is n of the eight, answering at once.
func instant(n int) []sim.Companion {
	companions := sim.Default()[:n]
	for i := range companions {
		companions[i].Latency = sim.Latency{}
	}
	return companions
}

// companionLine is e in a configuration's companions section; more is added to it.
func companionLine(e sim.Endpoint, provider, more string) string {
	endpoint := e.URL
	if provider == "openai" {
		endpoint += "/v1"
	}
	return fmt.Sprintf("  - {id: %s, provider: %s, endpoint: %q, model: %q, tier: %s, vendor: %s, price: {input: %q, output: %q}, limits: {perSecond: 100000, burst: 100000, inFlight: 1000}%s}\n",
		e.ID, provider, endpoint, e.Model, e.Tier, e.Vendor, e.Price.Input, e.Price.Output, more)
}

// companionsSection is a section of one companion.
func companionsSection(provider, endpoint, more string) string {
	return fmt.Sprintf("companions:\n  - {id: AUREA, provider: %s, endpoint: %q, tier: critical%s}\n", provider, endpoint, more)
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	// CopyFS makes files 0666 less the umask, whatever they were.
	for _, key := range []string{"steward.key", "vault.key", ledger.KeyFile} {
		if err := os.Chmod(filepath.Join(to, key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// oneFile is the largest file of that pattern: the one with something in it.
func oneFile(t *testing.T, path ...string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(path...))
	if err != nil || len(names) == 0 {
		t.Fatalf("no file %s, %v", filepath.Join(path...), err)
	}
	size := func(name string) int64 {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	return slices.MaxFunc(names, func(a, b string) int { return int(size(a) - size(b)) })
}

// flipByte changes one byte of a file, so far into it.
func flipByte(t *testing.T, name string, at float64) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text[int(at*float64(len(text)))] ^= 0x40
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// flush moves what the ledger's log holds into tables.
func flush(t *testing.T, data string) {
	t.Helper()
	db, err := store.Open(filepath.Join(data, ledger.StoreDir), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Flush(), db.Close()); err != nil {
		t.Fatal(err)
	}
}
