package clients

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
)

// A verdict is the object kaizen beside an answer, as far as these tests read it.
type verdict struct {
	ID, Status, Value, Decision, Receipt, Code string
	Agreement, Confidence                      float64
	Dissent                                    []struct{ Companions []string }
	Ballots                                    []struct {
		Companion, Provider, Model, Outcome, Reason string
		Counted                                     bool
		Attempts                                    int
		Usage                                       struct{ InputTokens, OutputTokens, CostMicroUSD int64 }
	}
	Usage   struct{ InputTokens, OutputTokens, CostMicroUSD int64 }
	Details []struct{ Field, Problem string }
}

func readVerdict(t *testing.T, raw string) *verdict {
	t.Helper()
	v := new(verdict)
	if err := json.Unmarshal([]byte(raw), v); err != nil {
		t.Fatalf("no verdict: %v: %q", err, raw)
	}
	return v
}

// Servers that speak in the providers' own types understand what our adapters
// ask, and the adapters what they reply: whole and streamed, with every setting.
func TestProvidersUnderstandOurAdapters(t *testing.T) {
	t.Parallel()
	g := start(t, seat(t, knowing), "")
	client := g.openAI()
	function := openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: "get_weather", Description: openai.String("The weather of a city."), Parameters: placeSchema})
	was := []openai.ChatCompletionMessageParamUnion{
		openai.SystemMessage("Be brief."), openai.UserMessage(weather),
		{OfAssistant: &openai.ChatCompletionAssistantMessageParam{ToolCalls: []openai.ChatCompletionMessageToolCallUnionParam{
			{OfFunction: &openai.ChatCompletionMessageFunctionToolCallParam{ID: "call_1", Function: openai.ChatCompletionMessageFunctionToolCallFunctionParam{Name: "get_weather", Arguments: `{"city":"Paris"}`}}},
			{OfFunction: &openai.ChatCompletionMessageFunctionToolCallParam{ID: "call_2", Function: openai.ChatCompletionMessageFunctionToolCallFunctionParam{Name: "get_time", Arguments: `{}`}}}}}},
		openai.ToolMessage("noon", "call_2"), openai.ToolMessage(degrees, "call_1"),
	}
	for _, tt := range []struct {
		name    string
		params  openai.ChatCompletionNewParams
		content string
		calls   string // of the answer: function and arguments
		counted int
		asked   func(id string, q *question) bool
	}{
		{name: "a question", params: openai.ChatCompletionNewParams{Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(product)}},
			content: answer, counted: 6, asked: func(_ string, q *question) bool {
				return q.system == "" && len(q.turns) == 1 && q.turns[0].role == "user" && q.turns[0].text == product && q.tools == nil && q.schema == nil && !q.object
			}},
		{name: "a conversation, with what a client says of sampling", params: openai.ChatCompletionNewParams{
			Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("Be brief."), openai.UserMessage("Hello."), openai.AssistantMessage("Hello, who are you?"), openai.UserMessage(product)},
			Stop:     openai.ChatCompletionNewParamsStopUnion{OfStringArray: []string{"391", "STOP"}}, Temperature: openai.Float(0.5), TopP: openai.Float(0.9), Seed: openai.Int(7), MaxCompletionTokens: openai.Int(100)},
			content: "The answer is ", counted: 6, asked: func(_ string, q *question) bool {
				return q.system == "Be brief." && len(q.turns) == 3 && q.turns[1].role == "assistant" && q.turns[1].text == "Hello, who are you?" && q.last().text == product &&
					reflect.DeepEqual(q.stop, []string{"391", "STOP"}) && q.heat == 0.5
			}},
		{name: "a tool to call", params: openai.ChatCompletionNewParams{Messages: was[:2], Tools: []openai.ChatCompletionToolUnionParam{function}},
			calls: `get_weather {"city":"Paris"}`, counted: 6, asked: func(_ string, q *question) bool {
				return len(q.tools) == 1 && q.tools[0].name == "get_weather" && reflect.DeepEqual(q.tools[0].parameters, any(placeSchema)) && q.choice == ""
			}},
		{name: "a tool that must be called, once", params: openai.ChatCompletionNewParams{Messages: was[:2], Tools: []openai.ChatCompletionToolUnionParam{function}, ParallelToolCalls: openai.Bool(false),
			ToolChoice: openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: openai.String("required")}},
			calls: `get_weather {"city":"Paris"}`, counted: 6, asked: func(_ string, q *question) bool { return q.choice == "required" }},
		{name: "a tool that must be called by name", params: openai.ChatCompletionNewParams{Messages: was[:2], Tools: []openai.ChatCompletionToolUnionParam{function},
			ToolChoice: openai.ToolChoiceOptionFunctionToolChoice(openai.ChatCompletionNamedToolChoiceFunctionParam{Name: "get_weather"})},
			calls: `get_weather {"city":"Paris"}`, counted: 6, asked: func(_ string, q *question) bool { return q.choice == "get_weather" }},
		{name: "a tool that must not be called", params: openai.ChatCompletionNewParams{Messages: was[:2], Tools: []openai.ChatCompletionToolUnionParam{function},
			ToolChoice: openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: openai.String("none")}},
			content: answer, counted: 6, asked: func(_ string, q *question) bool { return q.choice == "none" }},
		{name: "the results of two calls", params: openai.ChatCompletionNewParams{Messages: was, Tools: []openai.ChatCompletionToolUnionParam{function}},
			content: forecast, counted: 6, asked: func(id string, q *question) bool {
				if len(q.turns) != 4 || len(q.turns[1].calls) != 2 {
					return false
				}
				made, first, second := q.turns[1].calls[0], q.turns[2], q.turns[3]
				want := [2]string{"call_2", "call_1"}
				if id == "ZENITH" || id == "SOLARA" {
					want = [2]string{"get_time", "get_weather"}
				} else if made.id != "call_1" {
					return false
				}
				return made.name == "get_weather" && made.arguments == `{"city":"Paris"}` && first.callID == want[0] && first.text == "noon" && second.callID == want[1] && second.text == degrees
			}},
		{name: "a schema", params: openai.ChatCompletionNewParams{Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(product)},
			ResponseFormat: openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
				JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "product", Schema: productSchema, Strict: openai.Bool(true)}}}},
			content: `{"factors":[17,23],"product":391}`, counted: 5, asked: func(id string, q *question) bool {
				if id == "ATLAS" || id == "EVE" {
					return strings.Contains(q.system, `"additionalProperties":false`) || q.schema != nil
				}
				return reflect.DeepEqual(q.schema, any(productSchema))
			}},
		{name: "an object", params: openai.ChatCompletionNewParams{Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(product)},
			ResponseFormat: openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONObject: &shared.ResponseFormatJSONObjectParam{}}},
			content: `{"factors":[17,23],"product":391}`, counted: 6, asked: func(id string, q *question) bool {
				return q.object || (id == "ATLAS" || id == "EVE") && strings.Contains(q.system, "JSON")
			}},
		{name: "a vote", params: openai.ChatCompletionNewParams{Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Should the lamp be green?")}, Metadata: shared.Metadata{"kind": "vote"}},
			content: `{"answer":"approve","rationale":"It can be undone."}`, counted: 6, asked: func(_ string, q *question) bool { return strings.Contains(q.system, "voting") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.params.Model = "kaizen/standard"
			extra := map[string]any{"wait": "all", "include": []string{"ballots"}}
			if kind := tt.params.Metadata["kind"]; kind != "" {
				extra["kind"] = kind
			}
			c, err := client.Chat.Completions.New(t.Context(), tt.params, option.WithJSONSet("kaizen", extra))
			if err != nil {
				t.Fatal(err, whole(err))
			}
			made := ""
			for _, call := range c.Choices[0].Message.ToolCalls {
				made += call.Function.Name + " " + call.Function.Arguments
			}
			if made != tt.calls || canonical(c.Choices[0].Message.Content) != canonical(tt.content) {
				t.Errorf("%q, calls %s", c.Choices[0].Message.Content, made)
			}
			v := readVerdict(t, c.JSON.ExtraFields["kaizen"].Raw())
			counted := 0
			for i, b := range v.Ballots {
				if b.Counted {
					counted++
				} else {
					t.Logf("%s: %s, %s", b.Companion, b.Outcome, b.Reason)
				}
				if b.Provider != g.panel.all[i].provider || b.Outcome != "ok" || b.Usage.InputTokens != inputTokens || b.Usage.OutputTokens != outputTokens || b.Usage.CostMicroUSD != 34 || b.Model != "model-of-"+strings.ToLower(b.Companion)+"-2026" {
					t.Errorf("%+v", b)
				}
			}
			if counted != tt.counted || len(v.Ballots) != 6 {
				t.Errorf("%d of %d counted, want %d", counted, len(v.Ballots), tt.counted)
			}
			if c.Usage.PromptTokens != 6*inputTokens || c.Usage.CompletionTokens != 6*outputTokens || c.Usage.TotalTokens != 6*(inputTokens+outputTokens) {
				t.Errorf("usage %+v", c.Usage)
			}
			for id, asked := range g.panel.forget() {
				if len(asked) != 1 || !tt.asked(id, &asked[0]) {
					t.Errorf("%s was asked %+v", id, asked)
				}
			}
		})
	}
}

// canonical is a text, or JSON in one form.
func canonical(s string) string {
	var v any
	if json.Unmarshal([]byte(s), &v) != nil {
		return s
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// The providers' errors, in their own types, come to what they say. Each is that
// companion's own: AUREA's answer is told all the same.
func TestProvidersErrors(t *testing.T) {
	t.Parallel()
	const held = "the companion asked to wait past the deadline"
	for _, tt := range []struct {
		name            string
		says            says
		outcome, reason string
		then            string // the reason of the next one, which the provider would answer
	}{
		{"the key is wrong", says{fails: http.StatusUnauthorized}, "refused", "http 401", ""},
		{"something is wrong there", says{fails: http.StatusInternalServerError}, "error", "http 500", ""},
		{"the request is not taken", says{fails: http.StatusBadRequest}, "error", "http 400", ""},
		{"too many requests", says{fails: http.StatusTooManyRequests}, "error", "http 429", held},
		{"the stream ends with an error", says{text: answer, broken: true}, "error", "error in place of a reply", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fails := func(c string) bool {
				return c != "AUREA" && (!tt.says.broken || c == "JADE" || c == "EVE" || c == "SOLARA")
			}
			client := start(t, seat(t, func(id string, q *question) says {
				if fails(id) && q.last().text == product {
					return tt.says
				}
				return says{text: answer}
			}), "").openAI(option.WithMaxRetries(0))
			for i, prompt := range []string{product, "And again?"} {
				c, err := client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: "kaizen/research",
					Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(prompt)}},
					option.WithJSONSet("kaizen", map[string]any{"wait": "all", "include": []string{"ballots"}}))
				if err != nil {
					t.Fatal(err, whole(err))
				}
				if got := c.Choices[0].Message.Content; got != answer {
					t.Errorf("%q", got)
				}
				v := readVerdict(t, c.JSON.ExtraFields["kaizen"].Raw())
				for _, b := range v.Ballots {
					outcome, reason := "ok", ""
					switch {
					case fails(b.Companion) && i == 0:
						outcome, reason = tt.outcome, tt.reason
						if tt.says.broken && b.Provider == "anthropic" {
							reason = "the provider is overloaded" // which its error says
						}
					case fails(b.Companion) && tt.then != "":
						outcome, reason = "busy", tt.then
					}
					if b.Outcome != outcome || b.Reason != reason || b.Counted != (outcome == "ok") {
						t.Errorf("asked %d times: %+v, want %s, %q", i+1, b, outcome, reason)
					}
				}
				if len(v.Ballots) != 6 {
					t.Errorf("%d ballots", len(v.Ballots))
				}
			}
		})
	}
}
