// Package cmd_test holds the rules of which package may import which.
package cmd_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/kaizen-os/deliberation/"

// A rule says what a package may import of ours and from outside; the standard
// library is free to all but the pure. A name ending in "/..." stands for the
// package and all below it.
type rule struct {
	pkg     string
	ours    string // separated by spaces
	outside string // modules or packages, and what is below them
}

const (
	fasthttp = "github.com/valyala/fasthttp"
	otel     = "go.opentelemetry.io/otel"
	tracing  = otel + "/trace"
	pebble   = "github.com/cockroachdb/pebble/v2"
	json     = "github.com/go-json-experiment/json" // wherever JSON is decoded
	text     = "golang.org/x/text"
	rate     = "golang.org/x/time/rate"
	sumdb    = "golang.org/x/mod/sumdb"
	mcp      = "github.com/modelcontextprotocol/go-sdk/mcp"
)

// rules is the tree: values travel from the top down, and nothing imports what
// stands above it. The first rule whose package matches is the one that holds.
// A package that matches none may not exist.
var rules = []rule{
	{"cmd/...", "any", "any"},

	{"gateway/wire", "", json},
	{"gateway/console", "gateway/wire", ""},
	{"gateway/mcp", "gateway/wire quorum store/ledger", mcp + " " + sumdb},
	{"gateway", "gateway/... fanout fanout/upstream scoring/... quorum/... store/...", "github.com/fasthttp/router github.com/dgraph-io/ristretto/v2 github.com/oklog/ulid/v2 golang.org/x/sync/singleflight " + fasthttp + " " + otel + " " + rate + " " + json + " " + mcp},

	{"fanout", "quorum", rate + " " + otel},
	{"fanout/upstream", "", fasthttp + " " + tracing},
	{"fanout/kaizen", "quorum fanout/upstream", json}, // adapters never import each other
	{"fanout/dialect", "quorum fanout/upstream", json},
	{"fanout/dialect/recorded", "quorum fanout/upstream", ""}, // for the adapters' tests
	{"fanout/openai", "quorum fanout/upstream fanout/dialect", json},
	{"fanout/anthropic", "quorum fanout/upstream fanout/dialect", json},
	{"fanout/gemini", "quorum fanout/upstream fanout/dialect", json},
	{"fanout/oauth", "fanout/upstream", "golang.org/x/oauth2"},
	{"fanout/judge", "quorum fanout/upstream", json},

	{"scoring", "quorum scoring/charter scoring/answer scoring/form", otel},
	{"scoring/charter", "quorum", text},
	{"scoring/answer", "quorum", text + " " + json},
	{"scoring/form", "quorum", json + " github.com/santhosh-tekuri/jsonschema/v6"},
	{"scoring/grade", "quorum scoring/answer", text},
	{"scoring/run", "", "golang.org/x/sys/unix"}, // the one of scoring that reaches outside the process

	{"quorum", "quorum/canon quorum/commit", ""},
	{"quorum/canon", "", ""},
	{"quorum/commit", "", ""},
	{"quorum/standing", "quorum quorum/canon quorum/commit", ""},
	{"quorum/roster", "quorum quorum/canon quorum/commit quorum/standing", ""},
	{"quorum/assembly", "quorum quorum/canon quorum/commit quorum/roster", ""},
	{"quorum/state", "quorum/...", ""},

	{"store", "", pebble},
	{"store/merkle", "", sumdb},
	{"store/ledger", "quorum store store/merkle", pebble + " " + sumdb + " " + otel}, // on the request path: telemetry.go
	{"store/mirror", "store store/ledger store/merkle", pebble + " " + sumdb},
	{"store/witness", "store store/ledger store/merkle", pebble + " " + sumdb + " " + otel},
	{"store/index", "quorum/... store store/ledger", pebble},
	{"store/vault", "store quorum/commit", pebble},
	{"store/stream", "quorum store store/ledger", "github.com/nats-io/nats.go"},

	{"bench/charter/...", "bench/charter/... bench/load bench/table quorum scoring/charter", json}, // the scorer is measured and trained in process
	{"bench/...", "bench/... gateway/wire quorum", fasthttp + " github.com/HdrHistogram/hdrhistogram-go " + json + " " + pebble},
}

// pure are the packages that must come to the same on every machine: no clock
// but as a value, no network, disk, log or chance.
const pure = "quorum/... store/merkle"

// impure is what they may not import of the standard library. "time" they may,
// for durations and dates that are handed in.
var impure = []string{"net", "os", "io/ioutil", "log", "math/rand", "crypto/rand", "syscall", "unsafe", "context", "sync", "plugin", "runtime"}

func TestImports(t *testing.T) {
	list := exec.Command("go", "list", "-e", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) > 1 {
			packages++
		}
		for _, wrong := range violations(fields[0], fields[1:]) {
			t.Error(wrong)
		}
	}
	if packages == 0 {
		t.Fatal("go list names no package that imports anything")
	}
}

// The rules must be able to refuse.
func TestViolations(t *testing.T) {
	for _, tt := range []struct {
		name, pkg, imports string
		want               int
	}{
		{"what is said", "scoring", module + "quorum " + module + "scoring/charter fmt net/http " + otel + "/metric", 0},
		{"a sibling", "fanout", module + "scoring", 1},
		{"the package above", "store/ledger", module + "gateway", 1},
		{"another adapter", "fanout/openai", module + "fanout/kaizen", 1},
		{"an adapter in the gateway", "gateway", module + "fanout/kaizen", 1},
		{"bench in the gateway", "gateway", module + "bench/sim", 1},
		{"below what is said, without dots", "scoring", module + "quorum/state", 1},
		{"below what is said, with dots", "quorum/state", module + "quorum/roster", 0},
		{"a module that is not said", "quorum", otel, 1},
		{"a name that only begins like a module", "fanout", otel + "x/y", 1},
		{"the network, in quorum", "quorum/standing", "net/http time sort", 1},
		{"the disk and a log, in quorum", "quorum", "os log/slog", 2},
		{"a package nobody knows", "util", "fmt", 1},
		{"a command", "cmd/kaizen", module + "bench/sim " + module + "fanout/kaizen github.com/spf13/cobra", 0},
	} {
		if got := violations(module+tt.pkg, strings.Fields(tt.imports)); len(got) != tt.want {
			t.Errorf("%s: %q, want %d", tt.name, got, tt.want)
		}
	}
}

// violations says which imports of a package the rules do not allow.
func violations(path string, imports []string) (wrong []string) {
	pkg := strings.TrimPrefix(path, module)
	i := slices.IndexFunc(rules, func(r rule) bool { return matches(pkg, r.pkg) })
	if i < 0 {
		return []string{pkg + " is a package that no rule in imports_test.go knows"}
	}
	r := rules[i]
	for _, imp := range imports {
		name, ours := strings.CutPrefix(imp, module)
		first, _, _ := strings.Cut(imp, "/")
		switch {
		case ours:
			if !matches(name, r.ours) {
				wrong = append(wrong, pkg+" imports "+name+"; of ours it may import: "+orNothing(r.ours))
			}
		case strings.Contains(first, "."):
			if !below(imp, strings.Fields(r.outside)) {
				wrong = append(wrong, pkg+" imports "+imp+"; from outside it may import: "+orNothing(r.outside))
			}
		case matches(pkg, pure) && below(imp, impure):
			wrong = append(wrong, pkg+" imports "+imp+", which a pure package may not")
		}
	}
	return wrong
}

// matches reports whether pkg is one of names.
func matches(pkg, names string) bool {
	for _, n := range strings.Fields(names) {
		root, tree := strings.CutSuffix(n, "/...")
		if n == "any" || pkg == root || tree && strings.HasPrefix(pkg, root+"/") {
			return true
		}
	}
	return false
}

// below reports whether path is one of roots or a package below it.
func below(path string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return root == "any" || path == root || strings.HasPrefix(path, root+"/")
	})
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
