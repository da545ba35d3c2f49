package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

// A Gateway takes HTTP requests. header holds who asks, as the request for the
// tool came with it; nil where the Gateway knows by itself.
type Gateway interface {
	Do(ctx context.Context, header http.Header, method, path string, body []byte) (answer []byte, err error)
}

// New makes a server with the three tools over g. It is safe for concurrent use.
func New(g Gateway) *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "kaizen", Title: "Kaizen deliberation gateway", Version: version()}, &sdk.ServerOptions{Instructions: instructions})
	t := tools{g}
	sdk.AddTool(s, &sdk.Tool{
		Name: "deliberate", Title: "Ask a panel of AI models",
		Description: "Puts a prompt to every eligible AI model at once, weighs their replies, and answers with what they agree on, how surely, who dissents, and a receipt of the ledger that proves it. " +
			"Say what kind of answer is wanted where you know it: replies are then compared exactly. Read status first: only \"carried\" has the support that the tier asks for.",
		Annotations: &sdk.ToolAnnotations{OpenWorldHint: yes(), DestructiveHint: no()},
	}, t.deliberate)
	sdk.AddTool(s, &sdk.Tool{
		Name: "validate", Title: "Score a text against the charter",
		Description: "Scores a text 0 to 100 against the seven clauses of the Custos Charter and says what was found and where, and what nobody assessed. A fast tripwire, not a judge.",
		Annotations: &sdk.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true, OpenWorldHint: no()},
	}, t.validate)
	sdk.AddTool(s, &sdk.Tool{
		Name: "verify_receipt", Title: "Check a receipt of the ledger",
		Description: "Checks that a deliberation is in the ledger: the signature of the checkpoint and the path of hashes from the entry to it. Give the receipt's text, or the id of a deliberation of your own.",
		Annotations: &sdk.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true, OpenWorldHint: no()},
	}, t.verifyReceipt)
	return s
}

const instructions = `Kaizen asks several AI models and says what they agree on. Use deliberate for questions where being wrong is costly or where you want to know how sure to be;
use validate before you send a text to people; use verify_receipt to check that a deliberation was recorded as told.`

// version is this build's, as go build or go install stamped it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func yes() *bool { v := true; return &v }
func no() *bool  { return new(bool) }

type tools struct{ gateway Gateway }

// headerOf is what the tool's caller was known by.
func headerOf(r *sdk.CallToolRequest) http.Header {
	if r.Extra == nil {
		return nil
	}
	return r.Extra.Header
}

// A question is the input of deliberate: the fields of POST /v1/deliberate that
// make sense to an agent.
type question struct {
	Prompt       string   `json:"prompt" jsonschema:"the question or task, with all that is needed to answer it"`
	Kind         string   `json:"kind,omitempty" jsonschema:"the kind of answer: auto (the default), choice, number, short, json, vote, text or code"`
	Options      []string `json:"options,omitempty" jsonschema:"of a choice: what to choose from, 2 to 26"`
	Tier         string   `json:"tier,omitempty" jsonschema:"how much support the answer needs: research, standard (the default), high or critical"`
	Chamber      string   `json:"chamber,omitempty" jsonschema:"the room, which limits who may sit"`
	Topic        string   `json:"topic,omitempty" jsonschema:"a label under which companions earn reliability"`
	Wait         string   `json:"wait,omitempty" jsonschema:"decided (the default: until the outcome can no longer change), likely, or all"`
	DeadlineMs   int64    `json:"deadlineMs,omitempty" jsonschema:"the most the answer may take, in milliseconds"`
	Rounds       int      `json:"rounds,omitempty" jsonschema:"2 lets companions see the others' answers and reconsider"`
	MaxCompanion int      `json:"maxCompanions,omitempty" jsonschema:"the most companions to ask"`
	MaxCost      int64    `json:"maxCostMicroUsd,omitempty" jsonschema:"the most the answer may cost, in millionths of a US dollar"`
	Ballots      bool     `json:"ballots,omitempty" jsonschema:"also tell how each companion voted"`
}

// body is q as the gateway's own request. Empty fields are left out, so that what
// they default to, and which values they may have, is the gateway's alone.
func (q *question) body() []byte {
	type context struct {
		Tier    string `json:"tier,omitempty"`
		Chamber string `json:"chamber,omitempty"`
		Topic   string `json:"topic,omitempty"`
	}
	out := struct {
		Prompt       string   `json:"prompt"`
		Kind         string   `json:"kind,omitempty"`
		Options      []string `json:"options,omitempty"`
		Context      *context `json:"context,omitempty"`
		Wait         string   `json:"wait,omitempty"`
		DeadlineMs   int64    `json:"deadlineMs,omitempty"`
		Rounds       int      `json:"rounds,omitempty"`
		MaxCompanion int      `json:"maxCompanions,omitempty"`
		MaxCost      int64    `json:"maxCostMicroUsd,omitempty"`
		Include      []string `json:"include,omitempty"`
	}{
		Prompt: q.Prompt, Kind: q.Kind, Options: q.Options, Wait: q.Wait, DeadlineMs: q.DeadlineMs, Rounds: q.Rounds, MaxCompanion: q.MaxCompanion, MaxCost: q.MaxCost,
	}
	if c := (context{q.Tier, q.Chamber, q.Topic}); c != (context{}) {
		out.Context = &c
	}
	if q.Ballots {
		out.Include = []string{"ballots"}
	}
	body, err := json.Marshal(out)
	if err != nil {
		panic("bug: " + err.Error()) // strings and numbers alone
	}
	return body
}

func (t tools) deliberate(ctx context.Context, r *sdk.CallToolRequest, q question) (*sdk.CallToolResult, any, error) {
	answer, err := t.gateway.Do(ctx, headerOf(r), http.MethodPost, "/v1/deliberate", q.body())
	if err != nil {
		return nil, nil, err
	}
	var v wire.Deliberation
	if err := v.Decode(answer); err != nil || v.ID == "" {
		return nil, nil, errors.New("the gateway's answer is no deliberation")
	}
	return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: summary(&v)}}, StructuredContent: json.RawMessage(answer)}, nil, nil
}

// summary says what came of a deliberation, to a reader who sees no structure.
func summary(v *wire.Deliberation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "status: %s\n", v.Status)
	if v.Value != "" {
		fmt.Fprintf(&b, "value: %s\n", v.Value)
	}
	if v.Decision != "" {
		fmt.Fprintf(&b, "decision: %s\n", v.Decision)
	}
	fmt.Fprintf(&b, "agreement: %s, confidence: %s, votes: %d of %d required\n", v.Consensus.Agreement, v.Consensus.Confidence, v.Consensus.Votes, v.Consensus.Required)
	for _, d := range v.Dissent {
		fmt.Fprintf(&b, "dissent: %s, share %s\n", strings.Join(d.Companions, ", "), d.Share)
	}
	fmt.Fprintf(&b, "id: %s, ledger entry %d\n", v.ID, v.Proof.Index)
	if v.Answer != "" {
		fmt.Fprintf(&b, "\n%s\n", v.Answer)
	}
	return b.String()
}

// A textToScore is the input of validate.
type textToScore struct {
	Text string `json:"text" jsonschema:"the text to score"`
	Tier string `json:"tier,omitempty" jsonschema:"whose minimum to hold it to: research, standard (the default), high or critical"`
}

func (t tools) validate(ctx context.Context, r *sdk.CallToolRequest, in textToScore) (*sdk.CallToolResult, any, error) {
	body := (&wire.ValidateRequest{Response: in.Text, Tier: in.Tier}).AppendTo(nil)
	answer, err := t.gateway.Do(ctx, headerOf(r), http.MethodPost, "/constitutional/validate", body)
	if err != nil {
		return nil, nil, err
	}
	if !json.Valid(answer) {
		return nil, nil, errors.New("the gateway's answer is no score")
	}
	return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: string(answer)}}, StructuredContent: json.RawMessage(answer)}, nil, nil
}

// A receiptToCheck is the input of verify_receipt.
type receiptToCheck struct {
	Receipt string `json:"receipt,omitempty" jsonschema:"the receipt's text, as GET /v1/deliberations/{id}/receipt gives it"`
	ID      string `json:"id,omitempty" jsonschema:"instead of a receipt: the deliberation to fetch it of, dlb_..."`
	Key     string `json:"key,omitempty" jsonschema:"the ledger's public key that you trust; without it the gateway's own word for its key is taken, and the answer says so"`
}

func (t tools) verifyReceipt(ctx context.Context, r *sdk.CallToolRequest, in receiptToCheck) (*sdk.CallToolResult, *Checked, error) {
	text := []byte(in.Receipt)
	switch {
	case (in.Receipt == "") == (in.ID == ""):
		return nil, nil, errors.New("give a receipt, or the id of a deliberation, and not both")
	case in.ID != "":
		var err error
		if text, err = t.gateway.Do(ctx, headerOf(r), http.MethodGet, "/v1/deliberations/"+url.PathEscape(in.ID)+"/receipt", nil); err != nil {
			return nil, nil, err
		}
	}
	key, attested := in.Key, false
	if key == "" {
		said, err := t.gateway.Do(ctx, headerOf(r), http.MethodGet, "/ledger/key", nil)
		if err != nil {
			return nil, nil, err
		}
		key, attested = string(bytes.TrimSpace(said)), true
	}
	c, err := Check(text, key)
	if err != nil {
		return nil, nil, err
	}
	c.SelfAttested = attested
	return nil, c, nil
}
