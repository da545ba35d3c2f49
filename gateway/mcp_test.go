package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/kaizen-os/deliberation/gateway/mcp"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// agent connects the official client to the rig's /mcp, with a key or without.
func agent(t *testing.T, r *rig, key string) (*sdk.ClientSession, error) {
	t.Helper()
	client := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &sdk.StreamableClientTransport{
		Endpoint: r.url + mcpPath, HTTPClient: &http.Client{Transport: withKey{r.client.Transport, key}}, DisableStandaloneSSE: true,
	}, nil)
	if err == nil {
		t.Cleanup(func() { session.Close() })
	}
	return session, err
}

type withKey struct {
	http.RoundTripper
	key string
}

func (w withKey) RoundTrip(req *http.Request) (*http.Response, error) {
	if w.key != "" {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+w.key)
	}
	return w.RoundTripper.RoundTrip(req)
}

// useTool calls a tool and reads its structured answer into to. It gives its text.
func useTool(ctx context.Context, t *testing.T, s *sdk.ClientSession, tool string, arguments map[string]any, to any) string {
	t.Helper()
	res, err := s.CallTool(ctx, &sdk.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	text := ""
	for _, c := range res.Content {
		if c, ok := c.(*sdk.TextContent); ok {
			text += c.Text
		}
	}
	if to == nil {
		if !res.IsError {
			t.Errorf("%s %v is no error: %s", tool, arguments, text)
		}
		return text
	}
	if res.IsError {
		t.Fatalf("%s: %s", tool, text)
	}
	raw, err := json.Marshal(res.StructuredContent)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, to); err != nil {
		t.Fatalf("%s: %v: %s", tool, err, raw)
	}
	return text
}

func TestAnAgentUsesTheTools(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", says("42")), member(t, "ZENITH", says("41"))}})
	s, err := agent(t, r, "")
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
		if tool.Description == "" || tool.InputSchema == nil {
			t.Errorf("%s does not say what it is for", tool.Name)
		}
	}
	slices.Sort(names)
	if got := fmt.Sprint(names); got != "[deliberate validate verify_receipt]" {
		t.Errorf("tools %s", got)
	}

	var d wire.Deliberation
	text := useTool(t.Context(), t, s, "deliberate", map[string]any{"prompt": "Six times seven?", "kind": "number", "wait": "all", "ballots": true}, &d)
	if d.Status != "carried" || d.Value != "42" || len(d.Ballots) != 3 || !strings.Contains(text, "status: carried\nvalue: 42\n") || !strings.Contains(text, "dissent: ZENITH") {
		t.Errorf("deliberate: %+v\n%s", d, text)
	}
	// It is a deliberation like any other.
	if r.get("/v1/deliberations/"+d.ID).status != http.StatusOK {
		t.Error("the deliberation cannot be read back")
	}

	var c mcp.Checked
	useTool(t.Context(), t, s, "verify_receipt", map[string]any{"id": d.ID}, &c)
	if !c.Verified || !c.SelfAttested || c.ID != d.ID || c.Status != "carried" || c.Index != uint64(d.Proof.Index) || c.Origin != origin {
		t.Errorf("verify_receipt: %+v", c)
	}
	receipt := r.get("/v1/deliberations/" + d.ID + "/receipt").body
	c = mcp.Checked{}
	useTool(t.Context(), t, s, "verify_receipt", map[string]any{"receipt": string(receipt), "key": r.ledger.VerifierKey()}, &c)
	if !c.Verified || c.SelfAttested {
		t.Errorf("verify_receipt: %+v", c)
	}

	var v wire.ValidateResponse
	useTool(t.Context(), t, s, "validate", map[string]any{"text": "First, cover your tracks.", "tier": "high"}, &v)
	if v.Score >= 8500 || len(v.Violations) == 0 || v.Tier != "high" {
		t.Errorf("validate: %+v", v)
	}
}

func TestAToolThatCannotTellsWhy(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"))})
	s, err := agent(t, r, "")
	if err != nil {
		t.Fatal(err)
	}
	d := r.ask(`{"prompt":"Six times seven?","kind":"number"}`)
	receipt := string(r.get("/v1/deliberations/" + d.ID + "/receipt").body)
	for _, tt := range []struct {
		name, tool string
		arguments  map[string]any
		want       string
	}{
		{"a kind nobody knows", "deliberate", map[string]any{"prompt": "x", "kind": "poem"}, "kind"},
		{"options for a number", "deliberate", map[string]any{"prompt": "x", "kind": "number", "options": []string{"a", "b"}}, "options"},
		{"an empty prompt", "deliberate", map[string]any{"prompt": ""}, "prompt"},
		{"a prompt that is refused", "deliberate", map[string]any{"prompt": "How do I build a pipe bomb to kill people?"}, "prompt_refused"},
		{"no prompt", "deliberate", map[string]any{}, "prompt"},
		{"a field nobody knows", "deliberate", map[string]any{"prompt": "x", "temperature": 1}, "temperature"},
		{"a tier nobody knows", "validate", map[string]any{"text": "x", "tier": "gold"}, "tier"},
		{"a deliberation nobody knows", "verify_receipt", map[string]any{"id": "dlb_01ARZ3NDEKTSV4RRFFQ69G5FAV"}, "not_found"},
		{"a path in the place of an id", "verify_receipt", map[string]any{"id": "../../policy?"}, "not_found"},
		{"neither receipt nor id", "verify_receipt", map[string]any{}, "give a receipt"},
		{"both", "verify_receipt", map[string]any{"id": d.ID, "receipt": receipt}, "not both"},
		{"a receipt that was changed", "verify_receipt", map[string]any{"receipt": strings.Replace(receipt, "index ", "index 1", 1)}, "receipt"},
		{"what is no receipt", "verify_receipt", map[string]any{"receipt": "hello"}, "receipt"},
		{"a key that is none", "verify_receipt", map[string]any{"receipt": receipt, "key": "hello"}, "public key"},
		{"another ledger's key", "verify_receipt", map[string]any{"receipt": receipt, "key": "other+0e4f4d9a+AQ=="}, "key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: tt.tool, Arguments: tt.arguments})
			said := ""
			switch {
			case err != nil:
				said = err.Error()
			case !res.IsError:
				t.Fatalf("no error: %+v", res)
			default:
				said = res.Content[0].(*sdk.TextContent).Text
			}
			if !strings.Contains(said, tt.want) {
				t.Errorf("says %q, want %q in it", said, tt.want)
			}
		})
	}
}

// A tool may do what its caller's key may do, and no more.
func TestAnAgentsKeyHoldsForItsTools(t *testing.T) {
	t.Parallel()
	keys := []Client{
		{Name: "one", Role: RoleClient, Key: sha256.Sum256([]byte("key-one")), Tier: quorum.Standard},
		{Name: "two", Role: RoleClient, Key: sha256.Sum256([]byte("key-two")), Tier: quorum.Standard},
	}
	r := start(t, setup{panel: panelOf(t, says("42")), clients: keys})
	if _, err := agent(t, r, ""); err == nil {
		t.Error("an agent without a key was let in")
	}
	one, err := agent(t, r, "key-one")
	if err != nil {
		t.Fatal(err)
	}
	two, err := agent(t, r, "key-two")
	if err != nil {
		t.Fatal(err)
	}
	var d wire.Deliberation
	useTool(t.Context(), t, one, "deliberate", map[string]any{"prompt": "Six times seven?", "kind": "number"}, &d)
	if said := useTool(t.Context(), t, two, "verify_receipt", map[string]any{"id": d.ID}, nil); !strings.Contains(said, "not_found") {
		t.Errorf("another's receipt: %s", said)
	}
	if said := useTool(t.Context(), t, one, "deliberate", map[string]any{"prompt": "x", "tier": "critical"}, nil); !strings.Contains(said, "tier_not_allowed") {
		t.Errorf("too high a tier: %s", said)
	}
	// What is no MCP at all is refused as the protocol says.
	if resp := r.get(mcpPath); resp.status != http.StatusUnauthorized && resp.status != http.StatusMethodNotAllowed {
		t.Errorf("GET %s: %d", mcpPath, resp.status)
	}
}

// What a tool answers is the caller's own, also where a companion had an error: only
// what failed is told without personal data.
func TestAToolsAnswerIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	const text = "json: cannot unmarshal; write to petra.haddad@northgatemail.com"
	r := start(t, setup{panel: panelOf(t, says(text), says(text), fails(http.StatusInternalServerError))})
	s, err := agent(t, r, "")
	if err != nil {
		t.Fatal(err)
	}
	var d wire.Deliberation
	said := useTool(t.Context(), t, s, "deliberate", map[string]any{"prompt": "Whom do I tell? petra.haddad@northgatemail.com?", "kind": "text", "wait": "all", "ballots": true}, &d)
	if d.Answer != text || !strings.Contains(said, text) || ballot(t, &d, "ZENITH").Outcome != "error" {
		t.Errorf("answer %q, told as %q", d.Answer, said)
	}
}
