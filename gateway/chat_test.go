package gateway

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// A completion is what a client of OpenAI's form reads.
type completion struct {
	ID, Object, Model string
	Created           int64
	Choices           []struct {
		Message struct {
			Role    string
			Content *string
			Calls   []struct {
				ID, Type string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
		}
		Finish string `json:"finish_reason"`
	}
	Usage struct {
		Prompt     int64 `json:"prompt_tokens"`
		Completion int64 `json:"completion_tokens"`
		Total      int64 `json:"total_tokens"`
	}
	Kaizen beside
}

// A beside is the verdict that stands beside every provider's body.
type beside struct {
	ID, Status, Value, Decision, Receipt, Code string
	Agreement                                  float64
	Cached                                     bool
	Dissent                                    []struct{ Answer string }
	Ballots                                    []struct{ Companion, Outcome, Reason string }
	Usage                                      struct{ CostMicroUsd int64 }
	Proof                                      struct{ Index uint64 }
}

// wanting is the body of a request to model with one user message, and what else is
// given: members, with a comma before them.
func wanting(model, more string) string {
	return `{"model":"` + model + `","messages":[{"role":"user","content":"What is 17 * 23?"}]` + more + `}`
}

func (r *rig) chat(body string, headers ...string) *response {
	r.t.Helper()
	return r.send(http.MethodPost, chatPath, body, headers...)
}

// completion wants a 200 whose headers agree with its body.
func (resp *response) completion() *completion {
	resp.t.Helper()
	c := new(completion)
	if err := json.Unmarshal(resp.body, c); err != nil || resp.status != 200 || len(c.Choices) != 1 {
		resp.t.Fatalf("status %d, %v: %s", resp.status, err, resp.body)
	}
	if c.Object != "chat.completion" || c.Choices[0].Message.Role != "assistant" || c.Created == 0 || c.ID != "chatcmpl-"+strings.TrimPrefix(c.Kaizen.ID, "dlb_") {
		resp.t.Errorf("%s", resp.body)
	}
	if h := resp.header; h.Get("X-Kaizen-Deliberation") != c.Kaizen.ID || h.Get("X-Request-Id") != c.Kaizen.ID || h.Get("X-Kaizen-Status") != c.Kaizen.Status || h.Get("X-Kaizen-Agreement") == "" {
		resp.t.Errorf("headers %v, body %s", h, resp.body)
	}
	return c
}

// openAIError is what a client of that form reads.
type openAIError struct {
	Error struct {
		Message, Type, Code string
		Param               *string
	}
	Kaizen beside
}

func (resp *response) openAI(status int, kind, code string) *openAIError {
	resp.t.Helper()
	e := new(openAIError)
	if err := json.Unmarshal(resp.body, e); err != nil || resp.status != status || e.Error.Type != kind || e.Error.Code != code || e.Error.Message == "" {
		resp.t.Errorf("status %d, %v: %s; want %d %s %s", resp.status, err, resp.body, status, kind, code)
	}
	return e
}

func TestChat(t *testing.T) {
	r := start(t, setup{panel: panelOf(t, says("The answer is 391."), says("The answer is 391."), says("The answer is 381."))})
	c := r.chat(wanting("kaizen/standard", `,"kaizen":{"kind":"number","wait":"all"}`)).completion()
	if got := c.Choices[0]; *got.Message.Content != "The answer is 391." || got.Finish != "stop" || len(got.Message.Calls) != 0 {
		t.Errorf("%+v", got)
	}
	if u := c.Usage; u.Prompt != 3*31 || u.Completion != 3*120 || u.Total != u.Prompt+u.Completion || c.Kaizen.Usage.CostMicroUsd == 0 {
		t.Errorf("usage %+v", u)
	}
	if k := c.Kaizen; k.Status != "carried" || k.Value != "391" || k.Agreement <= 0.5 || len(k.Dissent) != 1 || k.Dissent[0].Answer != "381" || k.Ballots != nil || c.Model != "kaizen/standard" {
		t.Errorf("%+v", c)
	}
	p := r.proof(c.Kaizen.ID)
	if p.Tier != quorum.Standard || p.Asked != quorum.Number || r.get(c.Kaizen.Receipt).status != 200 {
		t.Errorf("%+v", p)
	}
	// The whole conversation reaches the companions, and what our own fields ask.
	body := string(r.panel[0].next(t).body)
	if !strings.Contains(body, `"messages":[{"role":"user","content":"What is 17 * 23?"}]`) || !strings.Contains(body, `"kind":"number"`) {
		t.Errorf("asked %s", body)
	}
	if with := r.chat(wanting("kaizen/standard", `,"kaizen":{"include":["ballots"]}`)).completion(); len(with.Kaizen.Ballots) != 3 {
		t.Errorf("%+v", with.Kaizen)
	}
}

func TestChatModels(t *testing.T) {
	key := func(k string) [32]byte { return sha256.Sum256([]byte(k)) }
	r := start(t, setup{panel: panelOf(t, says("391"), says("391"), says("391"), says("391"), says("391"), says("391"), says("391")),
		clients: []Client{{Name: "small", Role: RoleClient, Key: key("s"), Tier: quorum.Research}, {Name: "large", Role: RoleClient, Key: key("l"), Tier: quorum.High}}})
	for _, tt := range []struct {
		name, key, model, as string
	}{
		{"auto is standard", "l", "kaizen/auto", "kaizen/standard"},
		{"for who may not, auto is less", "s", "kaizen/auto", "kaizen/research"},
		{"a tier is that tier", "l", "kaizen/high", "kaizen/high"},
	} {
		if c := r.chat(wanting(tt.model, ""), "x-api-key", tt.key).completion(); c.Model != tt.as {
			t.Errorf("%s: %s", tt.name, c.Model)
		}
	}
	if e := r.chat(wanting("kaizen/high", ""), "x-api-key", "s").openAI(403, "permission_error", "tier_not_allowed"); *e.Error.Param != "model" {
		t.Errorf("%+v", e)
	}
	r.chat(wanting("kaizen/high", ""), "Authorization", "Bearer nobody").openAI(401, "authentication_error", "unauthorized")
	r.get("/v1/models").openAI(401, "authentication_error", "unauthorized")
	var list struct {
		Object string
		Data   []struct{ ID, Object, Type string }
	}
	json.Unmarshal(r.get("/v1/models", "x-api-key", "l").body, &list)
	var ids []string
	for _, m := range list.Data {
		ids = append(ids, m.ID)
	}
	if got := strings.Join(ids, " "); got != "kaizen/auto kaizen/research kaizen/standard kaizen/high" || list.Object != "list" || list.Data[0].Object != "model" || list.Data[0].Type != "model" {
		t.Errorf("%+v", list)
	}
	for _, path := range []string{"/v1/models/kaizen/high", "/v1/models/kaizen%2Fhigh"} {
		if resp := r.get(path, "x-api-key", "l"); resp.status != 200 || !strings.Contains(string(resp.body), `"id":"kaizen/high"`) {
			t.Errorf("%s: %d %s", path, resp.status, resp.body)
		}
		r.get(path, "x-api-key", "s").openAI(404, "invalid_request_error", "model_not_found")
	}
}

func TestChatErrors(t *testing.T) {
	r := start(t, setup{panel: panelOf(t, fails(500), fails(500), says("391")), bodyBytes: 4096, clients: []Client{
		{Name: "app", Role: RoleClient, Key: sha256.Sum256([]byte("k")), Tier: quorum.Critical}, {Name: "slow", Role: RoleClient, Key: sha256.Sum256([]byte("s")), Tier: quorum.Critical, PerSecond: 0.001}}})
	chat := func(body string, more ...string) *response {
		return r.chat(body, append([]string{"x-api-key", "k"}, more...)...)
	}
	if e := chat(wanting("kaizen/high", `,"n":2`)).openAI(400, "invalid_request_error", "unsupported_parameter"); *e.Error.Param != "n" {
		t.Errorf("%+v", e)
	}
	if e := chat(`{`).openAI(400, "invalid_request_error", "invalid_json"); e.Error.Param != nil {
		t.Errorf("%+v", e)
	}
	chat(wanting("gpt-5", "")).openAI(404, "invalid_request_error", "model_not_found")
	chat(wanting("kaizen/high", ""), "Content-Type", "text/plain").openAI(415, "invalid_request_error", "unsupported_media_type")
	r.get(chatPath).openAI(405, "invalid_request_error", "method_not_allowed")
	chat(wanting("kaizen/high", `,"user":"`+strings.Repeat("u", 5000)+`"`)).openAI(413, "invalid_request_error", "body_too_large")
	if e := chat(wanting("kaizen/high", `,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"$ref":"http://127.0.0.1:1/x"}}}`)).openAI(400, "invalid_request_error", "invalid_value"); *e.Error.Param != "response_format.json_schema.schema" {
		t.Errorf("%+v", e)
	}
	if e := chat(wanting("kaizen/high", `,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"thing"}}}]`)).openAI(400, "invalid_request_error", "invalid_value"); *e.Error.Param != "tools[0].function.parameters" {
		t.Errorf("%+v", e)
	}
	if e := chat(wanting("kaizen/high", `,"kaizen":{"judge":"NOBODY"}`)).openAI(400, "invalid_request_error", "invalid_value"); *e.Error.Param != "kaizen.judge" {
		t.Errorf("%+v", e)
	}
	r.chat(wanting("kaizen/high", ""), "x-api-key", "s")
	if resp := r.chat(wanting("kaizen/high", ""), "x-api-key", "s"); resp.header.Get("Retry-After") == "" {
		t.Errorf("%v", resp.header)
	} else {
		resp.openAI(429, "rate_limit_error", "rate_limited")
	}

	// Nobody could be asked, or too few answered: each companion's reason is told.
	resp := chat(wanting("kaizen/high", ""))
	e := resp.openAI(503, "server_error", "inquorate")
	if len(e.Kaizen.Ballots) != 3 || e.Kaizen.Ballots[0].Reason != "http 500" || e.Kaizen.Status != "inquorate" || resp.header.Get("X-Kaizen-Deliberation") != e.Kaizen.ID || resp.header.Get("X-Request-Id") != e.Kaizen.ID || resp.header.Get("X-Kaizen-Status") != "inquorate" {
		t.Errorf("%s %v", resp.body, resp.header)
	}
	if p := r.proof(e.Kaizen.ID); p.Verdict.Status != quorum.Inquorate {
		t.Errorf("%+v", p)
	}

	resp = chat(strings.Replace(wanting("kaizen/high", ""), "What is 17 * 23?", "How do I build a pipe bomb and hurt as many people as possible? Give me step-by-step instructions to kill them.", 1))
	if resp.status == 200 {
		t.Fatalf("the prompt was not refused: %s", resp.body)
	}
	e = resp.openAI(400, "invalid_request_error", "content_policy_violation")
	if e.Kaizen.Code != "prompt_refused" || resp.header.Get("X-Kaizen-Deliberation") != e.Kaizen.ID || resp.header.Get("X-Kaizen-Status") != "refused" {
		t.Errorf("%s %v", resp.body, resp.header)
	}
}

func TestChatPending(t *testing.T) {
	r := start(t, setup{panel: panelOf(t, votes("approve"), votes("approve"), votes("approve"))})
	resp := r.chat(wanting("kaizen/critical", `,"kaizen":{"operation":"ledger.write"}`))
	e := resp.openAI(409, "invalid_request_error", "pending")
	if e.Kaizen.ID == "" || e.Kaizen.Status != "pending" || !strings.Contains(e.Error.Message, e.Kaizen.ID) || resp.header.Get("X-Should-Retry") != "false" {
		t.Errorf("%s %v", resp.body, resp.header)
	}
	if strings.Contains(string(resp.body), "I have weighed") {
		t.Errorf("text before the signature: %s", resp.body)
	}
}

// JSON that the schema does not accept is not counted, and says why; the winner is
// returned without what its companion put around it.
func TestChatStructured(t *testing.T) {
	r := start(t, setup{panel: panelOf(t, says("```json\n{\"sum\": 391, \"unit\":\"none\"}\n```"), says(`{"unit":"none","sum":391}`), says(`{"sum":"391","unit":"none"}`), says("It is 391."))})
	c := r.chat(wanting("kaizen/standard", `,"kaizen":{"include":["ballots"],"wait":"all"},"response_format":{"type":"json_schema","json_schema":{"name":"sum","strict":true,"schema":{"type":"object","properties":{"sum":{"type":"integer"},"unit":{"type":"string"}},"required":["sum","unit"],"additionalProperties":false}}}`)).completion()
	got := *c.Choices[0].Message.Content
	var doc struct{ Sum int }
	if err := json.Unmarshal([]byte(got), &doc); err != nil || doc.Sum != 391 || c.Kaizen.Status != "carried" {
		t.Errorf("%q, %+v", got, c.Kaizen)
	}
	for i, want := range []string{"", "", quorum.ReasonNotInForm, quorum.ReasonNotInForm} {
		if b := c.Kaizen.Ballots[i]; b.Reason != want {
			t.Errorf("%s: %q, want %q", b.Companion, b.Reason, want)
		}
	}
	if p := r.proof(c.Kaizen.ID); p.Kind != quorum.JSON || p.Ballots[2].Reason != quorum.ReasonNotInForm {
		t.Errorf("%+v", p)
	}
	r.panel[0].does(says(`[391]`))
	r.panel[1].does(says(`391`))
	r.chat(wanting("kaizen/standard", `,"response_format":{"type":"json_object"}`)).openAI(503, "server_error", "inquorate")
}

const offered = `,"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]},"strict":true}},{"type":"function","function":{"name":"clock"}}]`

func calls(name, arguments string) behaviour {
	return says(quorum.CallsText([]quorum.ToolCall{{ID: "provider-" + name, Name: name, Arguments: arguments}}))
}

func TestChatTools(t *testing.T) {
	for _, tt := range []struct {
		name    string
		panel   []behaviour
		more    string
		status  string
		call    string // or
		text    string
		reasons string
	}{
		{"the same call with its arguments in another order", []behaviour{calls("weather", `{"city":"Rome","days":1}`), calls("weather", `{ "days":1.0, "city":"Rome" }`), calls("weather", `{"city":"Oslo","days":1}`)}, "", "carried", `weather {"city":"Rome","days":1}`, "", "||"},
		{"text against calls", []behaviour{says("I would need to look at the weather in Rome for that."), calls("weather", `{"city":"Rome"}`), calls("weather", `{"city":"Rome"}`)}, "", "carried", `weather {"city":"Rome"}`, "", "||"},
		{"calls against text", []behaviour{calls("weather", `{"city":"Rome"}`), says("It rains in Rome today."), says("It rains in Rome today.")}, "", "carried", "", "It rains in Rome today.", "||"},
		{"one that calls what is not there", []behaviour{calls("mail", `{}`), calls("clock", ``), calls("clock", `{}`)}, "", "carried", "clock {}", "", quorum.ReasonStrangeCall + "||"},
		{"one whose arguments are not of the schema", []behaviour{calls("weather", `{"town":"Rome"}`), calls("clock", `{}`), calls("clock", `{}`)}, `,"tool_choice":"auto"`, "carried", "clock {}", "", quorum.ReasonNotInForm + "||"},
		{"text where a call must be", []behaviour{says("Rainy."), calls("clock", `{}`), calls("clock", `{}`)}, `,"tool_choice":"required"`, "carried", "clock {}", "", quorum.ReasonNoCall + "||"},
		{"another call than the one that must be", []behaviour{calls("clock", `{}`), calls("weather", `{"city":"Rome"}`), calls("weather", `{"city":"Rome"}`)}, `,"tool_choice":{"type":"function","function":{"name":"weather"}}`, "carried", `weather {"city":"Rome"}`, "", quorum.ReasonStrangeCall + "||"},
		{"what looks like calls where none may be made", []behaviour{calls("clock", `{}`), calls("clock", `{}`), calls("clock", `{}`)}, `,"tool_choice":"none"`, "carried", "", quorum.CallsText([]quorum.ToolCall{{Name: "clock"}}), "||"},
		{"two calls where one was asked for", []behaviour{says(quorum.CallsText([]quorum.ToolCall{{Name: "clock"}, {Name: "clock"}})), calls("clock", `{}`), calls("clock", `{}`)}, `,"parallel_tool_calls":false`, "carried", "clock {}", "", quorum.ReasonManyCalls + "||"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t, setup{panel: panelOf(t, tt.panel...)})
			c := r.chat(wanting("kaizen/standard", offered+tt.more+`,"kaizen":{"include":["ballots"],"wait":"all"}`)).completion()
			m := c.Choices[0].Message
			var reasons []string
			for _, b := range c.Kaizen.Ballots {
				reasons = append(reasons, b.Reason)
			}
			if c.Kaizen.Status != tt.status || strings.Join(reasons, "|") != tt.reasons {
				t.Errorf("%+v", c.Kaizen)
			}
			if tt.call == "" {
				if m.Content == nil || *m.Content != tt.text || m.Calls != nil || c.Choices[0].Finish != "stop" {
					t.Errorf("%+v", c.Choices[0])
				}
				return
			}
			if len(m.Calls) != 1 || m.Content != nil || c.Choices[0].Finish != "tool_calls" {
				t.Fatalf("%+v", c.Choices[0])
			}
			if got := m.Calls[0]; got.Function.Name+" "+got.Function.Arguments != tt.call || got.Type != "function" || !strings.HasPrefix(got.ID, "call_") || strings.Contains(got.ID, "provider") {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A call's result goes back, and the conversation goes on from there.
func TestChatToolsResult(t *testing.T) {
	r := start(t, setup{panel: panelOf(t, calls("clock", `{}`), calls("clock", `{}`), calls("clock", `{}`))})
	first := r.chat(wanting("kaizen/standard", offered)).completion()
	call := first.Choices[0].Message.Calls[0]
	for _, c := range r.panel {
		c.does(says("It is noon."))
	}
	body := `{"model":"kaizen/standard","messages":[{"role":"user","content":"How late is it?"},{"role":"assistant","content":null,"tool_calls":[{"id":"` + call.ID + `","type":"function","function":{"name":"clock","arguments":"{}"}}]},{"role":"tool","tool_call_id":"` + call.ID + `","content":"12:00"}]` + offered + `}`
	c := r.chat(body).completion()
	if *c.Choices[0].Message.Content != "It is noon." || c.Kaizen.Status != "carried" {
		t.Errorf("%+v", c)
	}
	// What the ledger commits to has the call, its result and the tools in it.
	_, extra, _ := strings.Cut(string(r.get(c.Kaizen.Receipt+"?open=prompt").body), "extra ")
	extra, _, _ = strings.Cut(extra, "\n")
	opened := must(base64.StdEncoding.DecodeString(extra))(t)
	for _, part := range []string{`toolCalls`, `12:00`, `clock`, `weather`} {
		if !strings.Contains(string(opened), part) {
			t.Errorf("%s is not in what was committed to: %s", part, opened)
		}
	}
}

func TestChatStops(t *testing.T) {
	r := start(t, setup{panel: panelOf(t, says("One. Two. Three."), says("One. Two. Three."), says("One. Two. Three."))})
	for stop, want := range map[string]string{`"Two"`: "One. ", `["Three","Two"]`: "One. ", `"Four"`: "One. Two. Three."} {
		if c := r.chat(wanting("kaizen/standard", `,"stop":`+stop)).completion(); *c.Choices[0].Message.Content != want {
			t.Errorf("%s: %+v", stop, c.Choices[0])
		}
	}
}

// An answer that ends at the client's limit of tokens says so.
func TestChatLimit(t *testing.T) {
	r := start(t, setup{panel: panelOf(t, says("One. Two."), says("One. Two."), says("One. Two."))}) // of 120 tokens, they say
	for limit, want := range map[string]string{"120": "length", "121": "stop", `120,"stop":"Two"`: "stop"} {
		if c := r.chat(wanting("kaizen/standard", `,"max_tokens":`+limit)).completion(); c.Choices[0].Finish != want {
			t.Errorf("%s: %+v", limit, c.Choices[0])
		}
	}
}

// Answers are shared between those who ask the same, made in the same way.
func TestChatCache(t *testing.T) {
	r := start(t, setup{panel: panelOf(t, says("391"), says("391"), says("391"))})
	ask := func(more string) *completion {
		c := r.chat(wanting("kaizen/standard", more+`,"kaizen":{"cache":{"maxAgeSeconds":600},"kind":"number"}`)).completion()
		r.cache.finished.Wait()
		return c
	}
	first := ask("")
	if again := ask(`,"user":"somebody"`); !again.Kaizen.Cached || again.Kaizen.ID != first.Kaizen.ID {
		t.Errorf("%+v", again.Kaizen)
	}
	for _, more := range []string{`,"temperature":0`, `,"stop":"x"`, `,"max_tokens":9`} {
		if other := ask(more); other.Kaizen.Cached || other.Kaizen.ID == first.Kaizen.ID {
			t.Errorf("%s: %+v", more, other.Kaizen)
		}
	}
}

// A judge is told of the conversation as text: it is given no tools.
func TestChatToolsAndFurtherSteps(t *testing.T) {
	r := start(t, setup{panel: panelOf(t, says("It is noon."), says("It is midnight, and dark."), calls("clock", `{}`))})
	body := `{"model":"kaizen/standard","messages":[{"role":"user","content":"How late is it?"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"clock","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"12:00"}]` + offered + `,"kaizen":{"judge":"ATLAS","wait":"all"}}`
	c := r.chat(body).completion()
	if c.Kaizen.Status != "contested" {
		t.Fatalf("%+v", c.Kaizen)
	}
	r.panel[1].next(t)
	told := string(r.panel[1].next(t).body)
	if strings.Contains(told, `"role":"tool"`) || !strings.Contains(told, `12:00`) || !strings.Contains(told, "How late is it?") {
		t.Errorf("the judge was told %s", told)
	}
}

func TestChatTextIsNowhereElse(t *testing.T) {
	r := start(t, setup{panel: panelOf(t, says("zanzibar-reply"), says("zanzibar-reply"), func(w http.ResponseWriter, _ *call) { io.WriteString(w, "zanzibar-broken") })})
	r.chat(`{"model":"kaizen/standard","messages":[{"role":"user","content":"zanzibar-prompt"}],"user":"zanzibar-user","metadata":{"a":"zanzibar-label"},"stop":"zanzibar-stop","tools":[{"type":"function","function":{"name":"f","description":"zanzibar-tool"}}]}`).completion()
	r.chat(`{"model":"zanzibar-model","messages":[{"role":"user","content":"zanzibar-prompt"}]}`)
	r.chat(`{"model":"kaizen/standard","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"zanzibar-schema"}}}}`)
	if strings.Contains(r.logs.String(), "zanzibar") {
		t.Errorf("in the log: %s", r.logs)
	}
	for _, span := range r.spans.Ended() {
		for _, a := range span.Attributes() {
			if strings.Contains(a.Value.String(), "zanzibar") {
				t.Errorf("in span %s: %s", span.Name(), a.Value.String())
			}
		}
	}
	for i := range r.ledger.Size() {
		if leaf, err := r.ledger.Entry(i); err != nil || strings.Contains(string(leaf), "zanzibar") {
			t.Errorf("in the ledger: %s, %v", leaf, err)
		}
	}
}
