package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/kaizen-os/deliberation/quorum"
)

// A leaf is one value of the file; its node is nil when the key is not there.
type leaf struct{ node ast.Node }

// UnmarshalYAML keeps the node; [resolver] reads it.
func (l *leaf) UnmarshalYAML(node ast.Node) error {
	l.node = node
	return nil
}

// leaves is a list of values of the file.
type leaves struct {
	node ast.Node
	list []ast.Node
}

// UnmarshalYAML keeps the nodes; [resolver] reads them.
func (l *leaves) UnmarshalYAML(node ast.Node) error {
	l.node = node
	if list, ok := node.(*ast.SequenceNode); ok {
		l.list = list.Values
	}
	return nil
}

// A secretRef says where a secret is: {env: NAME} or {file: PATH}.
type secretRef struct {
	at   *token.Token
	Env  leaf `yaml:"env"`
	File leaf `yaml:"file"`
}

// UnmarshalYAML refuses anything but a mapping in words that help whoever wrote
// the key itself there, and do not repeat it.
func (s *secretRef) UnmarshalYAML(node ast.Node) error {
	type plain secretRef // without this method
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		if err := yaml.NodeToValue(node, (*plain)(s), yaml.Strict()); err != nil {
			return err
		}
		s.at = node.GetToken()
		return nil
	}
	return &yaml.SyntaxError{Message: "key: want {env: NAME} or {file: PATH}, never the key itself", Token: node.GetToken()}
}

// path is the file that s names, if it names one.
func (s *secretRef) path() string {
	if n, ok := s.File.node.(*ast.StringNode); ok {
		return n.Value
	}
	return ""
}

// A Secret is a value that no log, error or dump shows.
type Secret struct{ value string }

const redacted = "[secret]"

// newSecret makes a Secret of a value that was read from where secrets are kept.
func newSecret(value string) Secret { return Secret{value} }

// Reveal gives the value, for the one place that sends it.
func (s Secret) Reveal() string { return s.value }

// Empty reports whether there is none.
func (s Secret) Empty() bool { return s.value == "" }

func (s Secret) String() string               { return redacted }
func (s Secret) GoString() string             { return redacted }
func (s Secret) Format(f fmt.State, _ rune)   { io.WriteString(f, redacted) }
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }

// The readers of one value. Each gives the default when the key is not there,
// and notes a problem when the value is not of its type.

func (r *resolver) text(l leaf, path, absent string) string {
	switch n := l.node.(type) {
	case nil, *ast.NullNode:
		return absent
	case *ast.StringNode:
		return n.Value
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value // a model or weight that YAML takes for a number
	}
	r.problem(l, path, "want a string")
	return absent
}

func (r *resolver) required(l leaf, path string) string {
	before := len(r.problems)
	s := r.text(l, path, "")
	if s == "" && len(r.problems) == before {
		r.problem(l, path, "must be given")
	}
	return s
}

func (r *resolver) oneOf(l leaf, path string, names []string, absent string) string {
	s := r.text(l, path, "")
	if s == "" || slices.Contains(names, s) {
		if s == "" {
			return absent
		}
		return s
	}
	r.problem(l, path, "unknown %q; want one of %s", s, strings.Join(names, ", "))
	return absent
}

func (r *resolver) tier(l leaf, path string, absent quorum.Tier) quorum.Tier {
	s := r.text(l, path, "")
	if s == "" {
		return absent
	}
	t, err := quorum.ParseTier(s)
	if err != nil {
		r.problem(l, path, "%v", err)
	}
	return t
}

func (r *resolver) boolean(l leaf, path string) bool { return r.booleanOr(l, path, false) }

func (r *resolver) booleanOr(l leaf, path string, absent bool) bool {
	switch n := l.node.(type) {
	case nil, *ast.NullNode:
		return absent
	case *ast.BoolNode:
		return n.Value
	}
	r.problem(l, path, "want true or false")
	return absent
}

func (r *resolver) count(l leaf, path string, least, most, absent int) int {
	switch n := l.node.(type) {
	case nil, *ast.NullNode:
		return absent
	case *ast.IntegerNode:
		if v, err := strconv.Atoi(n.GetToken().Value); err == nil && v >= least && v <= most {
			return v
		}
	}
	r.problem(l, path, "want a whole number from %d to %d", least, most)
	return absent
}

// words reads a list of strings, of which there must be one.
func (r *resolver) words(l leaves, path string) (words []string) {
	if _, null := l.node.(*ast.NullNode); l.node == nil || null {
		r.problem(leaf{l.node}, path, "must be given")
		return nil
	}
	if len(l.list) == 0 || len(l.list) > maxArguments {
		r.problem(leaf{l.node}, path, "want a list of 1 to %d strings, the program and its arguments", maxArguments)
		return nil
	}
	before := len(r.problems)
	for i, node := range l.list {
		words = append(words, r.text(leaf{node}, fmt.Sprintf("%s[%d]", path, i), ""))
	}
	if words[0] == "" && len(r.problems) == before {
		r.problem(leaf{l.list[0]}, path+"[0]", "is empty; name a program")
	}
	if len(r.problems) > before {
		return nil
	}
	return words
}

// list reads a list of strings, which may be empty or left out.
func (r *resolver) list(l leaves, path string) (words []string) {
	if _, null := l.node.(*ast.NullNode); l.node == nil || null {
		return nil
	}
	if _, is := l.node.(*ast.SequenceNode); !is || len(l.list) > maxArguments {
		r.problem(leaf{l.node}, path, "want a list of at most %d strings", maxArguments)
		return nil
	}
	for i, node := range l.list {
		words = append(words, r.text(leaf{node}, fmt.Sprintf("%s[%d]", path, i), ""))
	}
	return words
}

// byteUnits are what bytes may be counted in.
var byteUnits = []struct {
	name string
	size int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}

// bytes reads a size, such as 256MiB or a number of bytes.
func (r *resolver) bytes(l leaf, path string, least, most, absent int64) int64 {
	switch n := l.node.(type) {
	case nil, *ast.NullNode:
		return absent
	case *ast.IntegerNode, *ast.StringNode:
		digits, unit := n.GetToken().Value, int64(1)
		for _, u := range byteUnits {
			if cut, ok := strings.CutSuffix(digits, u.name); ok {
				digits, unit = cut, u.size
				break
			}
		}
		if v, err := strconv.ParseInt(digits, 10, 64); err == nil && v >= 0 && v <= most/unit && v*unit >= least {
			return v * unit
		}
	}
	r.problem(l, path, "want a size from %s to %s, such as 256MiB", sized(least), sized(most))
	return absent
}

// sized writes a size as bytes reads it.
func sized(n int64) string {
	for i := len(byteUnits) - 1; i >= 0; i-- {
		if u := byteUnits[i]; n >= u.size && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func (r *resolver) decimal(l leaf, path string, least, most, absent float64) float64 {
	switch n := l.node.(type) {
	case nil, *ast.NullNode:
		return absent
	case *ast.IntegerNode, *ast.FloatNode:
		if v, err := strconv.ParseFloat(n.GetToken().Value, 64); err == nil && v >= least && v <= most {
			return v
		}
	}
	r.problem(l, path, "want a number from %g to %g", least, most)
	return absent
}

func (r *resolver) duration(l leaf, path string, absent time.Duration) time.Duration {
	switch n := l.node.(type) {
	case nil, *ast.NullNode:
		return absent
	case *ast.StringNode:
		if v, err := time.ParseDuration(n.Value); err == nil && v >= time.Millisecond && v <= maxDeadline {
			return v
		}
	}
	r.problem(l, path, "want a duration with its unit, from 1ms to %s, such as 20s", maxDeadline)
	return absent
}

func (r *resolver) keyHash(l leaf, path string) (sum [32]byte) {
	before := len(r.problems)
	s := r.text(l, path, "")
	if len(r.problems) > before {
		return sum
	}
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(sum) {
		r.problem(l, path, "want the key's SHA-256 as 64 hex digits in quotes (printf %%s \"$KEY\" | sha256sum)")
		return sum
	}
	return [32]byte(raw)
}

// httpURL checks a URL and gives its host.
func (r *resolver) httpURL(l leaf, path, text string) (host string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		r.problem(l, path, "want a URL that starts with https:// or http://")
	case u.User != nil:
		r.problem(l, path, "holds credentials; give them under key, by env or file")
	case u.RawQuery != "" || u.Fragment != "":
		r.problem(l, path, "want a URL without query or fragment")
	default:
		return u.Host
	}
	return ""
}

// secret reads the value that ref names. What is wrong names the variable or
// the file, never what is in it.
func (r *resolver) secret(ref *secretRef, path string) Secret {
	if ref.at == nil {
		return Secret{}
	}
	name, from := r.text(ref.Env, path+".env", ""), r.text(ref.File, path+".file", "")
	switch {
	case (name == "") == (from == ""):
		r.problemAt(ref.at, path, "want one of env and file")
	case name != "":
		if v, ok := r.env(name); ok && v != "" {
			return r.secretValue(ref.Env, path+".env", "environment variable "+name, v)
		}
		r.problem(ref.Env, path+".env", "environment variable %s is not set", name)
	default:
		data, err := readBounded(from, maxSecretBytes)
		if err != nil {
			r.problem(ref.File, path+".file", "%v", err)
			break
		}
		return r.secretValue(ref.File, path+".file", from, strings.TrimRight(string(data), "\r\n"))
	}
	return Secret{}
}

// secretValue refuses what could not be a header's value: it would fail at
// every call, far from its cause.
func (r *resolver) secretValue(l leaf, path, source, value string) Secret {
	if headerSafe(value) {
		return Secret{value}
	}
	r.problem(l, path, "%s holds no key alone: empty, or with white space or control characters", source)
	return Secret{}
}

func headerSafe(value string) bool {
	for _, c := range []byte(value) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return value != ""
}
