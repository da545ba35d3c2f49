package clients

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

func (g *gateway) openAI(more ...option.RequestOption) openai.Client {
	return openai.NewClient(append([]option.RequestOption{option.WithBaseURL(g.url + "/v1"), option.WithAPIKey(keyApp), option.WithHTTPClient(g.http)}, more...)...)
}

// whole is all that an error of the SDK has, for whoever reads a failed test.
func whole(err error) string {
	if e, ok := errors.AsType[*openai.Error](err); ok {
		return e.RawJSON()
	}
	return ""
}

func user(text string) []openai.ChatCompletionMessageParamUnion {
	return []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)}
}

// everybody makes the gateway wait for all companions.
var everybody = option.WithJSONSet("kaizen", map[string]any{"wait": "all"})

var chatTools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
	Name: "get_weather", Description: openai.String("The weather of a city."), Parameters: placeSchema, Strict: openai.Bool(false)})}

var chatFormat = openai.ChatCompletionNewParamsResponseFormatUnion{OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{
	JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "product", Schema: productSchema, Strict: openai.Bool(true)}}}

// factored is what the panel answers in JSON.
type factored struct {
	Product int   `json:"product"`
	Factors []int `json:"factors"`
}

func checkFactored(t *testing.T, text string) {
	t.Helper()
	var f factored
	if err := json.Unmarshal([]byte(text), &f); err != nil || f.Product != 391 || len(f.Factors) != 2 {
		t.Errorf("%v: %q", err, text)
	}
}

// check wants what every answer has beside its standard body.
func check(t *testing.T, raw string, h http.Header) {
	t.Helper()
	v := readVerdict(t, raw)
	if v.Status != "carried" || v.Agreement != 1 || v.Receipt != "/v1/deliberations/"+v.ID+"/receipt" || v.Usage.CostMicroUSD != 6*34 {
		t.Errorf("%s", raw)
	}
	if h != nil && (h.Get("X-Kaizen-Deliberation") != v.ID || h.Get("X-Kaizen-Status") != v.Status || h.Get("X-Kaizen-Agreement") == "") {
		t.Errorf("headers %v of %s", h, v.ID)
	}
}

// accumulated reads a stream of chunks to its end, by the SDK's accumulator.
func accumulated(t *testing.T, s *ssestream.Stream[openai.ChatCompletionChunk]) (acc openai.ChatCompletionAccumulator, verdict string, finished []openai.FinishedChatCompletionToolCall) {
	t.Helper()
	defer s.Close()
	for s.Next() {
		chunk := s.Current()
		if !acc.AddChunk(chunk) {
			t.Errorf("a chunk that does not fit: %s", chunk.RawJSON())
		}
		if call, ok := acc.JustFinishedToolCall(); ok {
			finished = append(finished, call)
		}
		if raw := chunk.JSON.ExtraFields["kaizen"].Raw(); raw != "" {
			verdict = raw
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err, whole(err))
	}
	return acc, verdict, finished
}

func TestOpenAIChat(t *testing.T) {
	t.Parallel()
	g := keyed(t)
	client := g.openAI(everybody)
	var resp *http.Response
	c, err := client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: "kaizen/high", Messages: user(product)}, option.WithResponseInto(&resp))
	if err != nil {
		t.Fatal(err, whole(err))
	}
	if m := c.Choices[0]; m.Message.Content != answer || m.FinishReason != "stop" || m.Message.Role != "assistant" || len(m.Message.ToolCalls) != 0 || c.Model != "kaizen/high" || c.Object != "chat.completion" || c.Created == 0 {
		t.Errorf("%s", c.RawJSON())
	}
	if u := c.Usage; u.PromptTokens != 6*inputTokens || u.CompletionTokens != 6*outputTokens || u.TotalTokens != 6*(inputTokens+outputTokens) {
		t.Errorf("usage %+v", u)
	}
	check(t, c.JSON.ExtraFields["kaizen"].Raw(), resp.Header)

	acc, verdict, _ := accumulated(t, client.Chat.Completions.NewStreaming(t.Context(), openai.ChatCompletionNewParams{Model: "kaizen/auto", Messages: user("What of Rome?"),
		StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}}))
	if m := acc.Choices[0]; m.Message.Content != long || m.FinishReason != "stop" || acc.Usage.TotalTokens != 6*(inputTokens+outputTokens) || acc.Model != "kaizen/standard" {
		t.Errorf("accumulated %+v, usage %+v", m, acc.Usage)
	}
	check(t, verdict, nil)
}

func TestOpenAIChatTools(t *testing.T) {
	t.Parallel()
	client := keyed(t).openAI(everybody)
	for _, streamed := range []bool{false, true} {
		params := openai.ChatCompletionNewParams{Model: "kaizen/standard", Messages: user(weather), Tools: chatTools}
		ask := func() *openai.ChatCompletion {
			if streamed {
				acc, verdict, finished := accumulated(t, client.Chat.Completions.NewStreaming(t.Context(), params))
				check(t, verdict, nil)
				if calls := acc.Choices[0].Message.ToolCalls; len(finished) != len(calls) || len(calls) > 0 && (finished[0].Name != calls[0].Function.Name || finished[0].Arguments != calls[0].Function.Arguments || finished[0].ID != calls[0].ID) {
					t.Errorf("finished %+v, calls %+v", finished, calls)
				}
				return &acc.ChatCompletion
			}
			c, err := client.Chat.Completions.New(t.Context(), params)
			if err != nil {
				t.Fatal(err, whole(err))
			}
			check(t, c.JSON.ExtraFields["kaizen"].Raw(), nil)
			return c
		}
		c := ask()
		m := c.Choices[0].Message
		if len(m.ToolCalls) != 1 || c.Choices[0].FinishReason != "tool_calls" || m.Content != "" {
			t.Fatalf("streamed %t: %+v", streamed, c.Choices)
		}
		if call := m.ToolCalls[0].AsAny(); streamed == false {
			if f, ok := call.(openai.ChatCompletionMessageFunctionToolCall); !ok || f.Function.Name != "get_weather" || canonical(f.Function.Arguments) != `{"city":"Paris"}` {
				t.Errorf("%+v", call)
			}
		}
		params.Messages = append(params.Messages, m.ToParam(), openai.ToolMessage(degrees, m.ToolCalls[0].ID))
		if c := ask(); c.Choices[0].Message.Content != forecast || c.Choices[0].FinishReason != "stop" {
			t.Errorf("streamed %t: %+v", streamed, c.Choices)
		}
	}
}

func TestOpenAIChatStructured(t *testing.T) {
	t.Parallel()
	client := keyed(t).openAI(everybody)
	params := openai.ChatCompletionNewParams{Model: "kaizen/standard", Messages: user(product), ResponseFormat: chatFormat}
	c, err := client.Chat.Completions.New(t.Context(), params, option.WithJSONSet("kaizen", map[string]any{"wait": "all", "include": []string{"ballots"}}))
	if err != nil {
		t.Fatal(err, whole(err))
	}
	checkFactored(t, c.Choices[0].Message.Content)
	for _, b := range readVerdict(t, c.JSON.ExtraFields["kaizen"].Raw()).Ballots {
		if b.Counted != (b.Companion != "SOLARA") { // whose JSON is another
			t.Errorf("%+v", b)
		}
	}
	acc, _, _ := accumulated(t, client.Chat.Completions.NewStreaming(t.Context(), params))
	checkFactored(t, acc.Choices[0].Message.Content)
}

func TestOpenAIModels(t *testing.T) {
	t.Parallel()
	g := keyed(t)
	for key, want := range map[string]string{
		keyApp: "kaizen/auto kaizen/research kaizen/standard kaizen/high kaizen/critical", keySmall: "kaizen/auto kaizen/research",
	} {
		client := g.openAI(option.WithAPIKey(key))
		var ids []string
		for pages := client.Models.ListAutoPaging(t.Context()); pages.Next(); {
			m := pages.Current()
			ids = append(ids, m.ID)
			if m.Object != "model" || m.OwnedBy != "kaizen" || m.Created == 0 {
				t.Errorf("%s", m.RawJSON())
			}
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %s", key, got)
		}
		m, err := client.Models.Get(t.Context(), "kaizen/research")
		if err != nil || m.ID != "kaizen/research" {
			t.Errorf("%v, %+v", err, m)
		}
		_, err = client.Models.Get(t.Context(), "gpt-5")
		if e, ok := errors.AsType[*openai.Error](err); !ok || e.StatusCode != 404 || e.Code != "model_not_found" {
			t.Errorf("%v", err)
		}
	}
}

func TestOpenAIResponses(t *testing.T) {
	t.Parallel()
	client := keyed(t).openAI(everybody)
	input := func(text string) responses.ResponseNewParamsInputUnion {
		return responses.ResponseNewParamsInputUnion{OfString: openai.String(text)}
	}
	// stream reads a stream to its end, and holds its deltas to the whole.
	stream := func(p responses.ResponseNewParams) *responses.Response {
		t.Helper()
		s := client.Responses.NewStreaming(t.Context(), p)
		defer s.Close()
		var text, arguments strings.Builder
		var done *responses.Response
		for n := int64(0); s.Next(); n++ {
			e := s.Current()
			if e.SequenceNumber != n {
				t.Errorf("event %d: %s", n, e.RawJSON())
			}
			switch e := e.AsAny().(type) {
			case responses.ResponseTextDeltaEvent:
				text.WriteString(e.Delta)
			case responses.ResponseFunctionCallArgumentsDeltaEvent:
				arguments.WriteString(e.Delta)
			case responses.ResponseFunctionCallArgumentsDoneEvent:
				if e.Arguments != arguments.String() {
					t.Errorf("%q is not %q", arguments.String(), e.Arguments)
				}
			case responses.ResponseTextDoneEvent:
				if e.Text != text.String() {
					t.Errorf("%q is not %q", text.String(), e.Text)
				}
			case responses.ResponseCompletedEvent:
				done = &e.Response
			}
		}
		if err := s.Err(); err != nil || done == nil {
			t.Fatalf("%v %s, completed: %+v", err, whole(err), done)
		}
		if done.OutputText() != text.String() {
			t.Errorf("%q is not %q", text.String(), done.OutputText())
		}
		return done
	}
	create := func(p responses.ResponseNewParams) *responses.Response {
		t.Helper()
		var resp *http.Response
		r, err := client.Responses.New(t.Context(), p, option.WithResponseInto(&resp))
		if err != nil {
			t.Fatal(err, whole(err))
		}
		if h := resp.Header; h.Get("X-Kaizen-Status") == "" || h.Get("X-Request-Id") != h.Get("X-Kaizen-Deliberation") {
			t.Errorf("%v", h)
		}
		return r
	}
	for name, ask := range map[string]func(responses.ResponseNewParams) *responses.Response{"whole": create, "streamed": stream} {
		r := ask(responses.ResponseNewParams{Model: "kaizen/standard", Input: input("What of Rome?"), Instructions: openai.String("Be brief."), Metadata: shared.Metadata{"a": "b"}, Store: openai.Bool(false)})
		if r.OutputText() != long || r.Status != "completed" || r.Usage.TotalTokens != 6*(inputTokens+outputTokens) || r.Metadata["a"] != "b" || r.Instructions.OfString != "Be brief." {
			t.Errorf("%s: %s", name, r.RawJSON())
		}
		check(t, r.JSON.ExtraFields["kaizen"].Raw(), nil)

		p := responses.ResponseNewParams{Model: "kaizen/standard", Tools: []responses.ToolUnionParam{responses.ToolParamOfFunction("get_weather", placeSchema, false)},
			Input: responses.ResponseNewParamsInputUnion{OfInputItemList: responses.ResponseInputParam{responses.ResponseInputItemParamOfMessage(weather, "user")}}}
		r = ask(p)
		if len(r.Output) != 1 || r.Output[0].Type != "function_call" {
			t.Fatalf("%s: %s", name, r.RawJSON())
		}
		call := r.Output[0].AsFunctionCall()
		if call.Name != "get_weather" || canonical(call.Arguments) != `{"city":"Paris"}` || call.Status != "completed" {
			t.Errorf("%s: %s", name, call.RawJSON())
		}
		made := call.ToParam()
		p.Input.OfInputItemList = append(p.Input.OfInputItemList, responses.ResponseInputItemUnionParam{OfFunctionCall: &made},
			responses.ResponseInputItemUnionParam{OfFunctionCallOutput: &responses.ResponseInputItemFunctionCallOutputParam{CallID: openai.String(call.CallID),
				Output: responses.ResponseInputItemFunctionCallOutputOutputUnionParam{OfString: openai.String(degrees)}}})
		if r = ask(p); r.OutputText() != forecast {
			t.Errorf("%s: %s", name, r.RawJSON())
		}

		r = ask(responses.ResponseNewParams{Model: "kaizen/standard", Input: input(product),
			Text: responses.ResponseTextConfigParam{Format: responses.ResponseFormatTextConfigParamOfJSONSchema("product", productSchema)}})
		checkFactored(t, r.OutputText())
	}
}

// Every refusal is one of the SDK's own errors, with what its clients look for.
func TestOpenAIErrors(t *testing.T) {
	t.Parallel()
	g := keyed(t)
	for i := range refusals {
		r := &refusals[i]
		t.Run(r.name, func(t *testing.T) {
			key, model, prompt := r.defaults()
			more := []option.RequestOption{option.WithAPIKey(key)}
			for name, value := range r.extra {
				more = append(more, option.WithJSONSet(name, value))
			}
			if r.retried {
				more = append(more, option.WithMaxRetries(0)) // which works, and takes its time
			}
			client := g.openAI(more...)
			_, err := client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: model, Messages: user(prompt)})
			checkOpenAI(t, g, r, err)
			if r.key == keySlow && r.status != 429 {
				return // it has had its one
			}
			_, err = client.Responses.New(t.Context(), responses.ResponseNewParams{Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(prompt)}})
			checkOpenAI(t, g, r, err)

			// What is wrong before anybody is asked is no stream; the rest ends one.
			s := client.Chat.Completions.NewStreaming(t.Context(), openai.ChatCompletionNewParams{Model: model, Messages: user(prompt)})
			defer s.Close()
			for s.Next() {
				t.Errorf("a chunk: %s", s.Current().RawJSON())
			}
			if r.asked == 0 {
				checkOpenAI(t, g, r, s.Err())
				return
			}
			e, ok := errors.AsType[*ssestream.StreamError](s.Err())
			if !ok {
				t.Fatalf("%v", s.Err())
			}
			var body struct {
				Error  struct{ Type, Code string }
				Kaizen json.RawMessage
			}
			if err := json.Unmarshal(e.Event.Data, &body); err != nil || body.Error.Type != r.openAI[0] || body.Error.Code != r.openAI[1] {
				t.Errorf("%v: %s", err, e.Event.Data)
			}
			g.refused(t, r, readVerdict(t, string(body.Kaizen)))
		})
	}
	t.Run("fields that are not supported", func(t *testing.T) {
		client := g.openAI()
		for field, set := range map[string]func(*openai.ChatCompletionNewParams){
			"n":                func(p *openai.ChatCompletionNewParams) { p.N = openai.Int(2) },
			"logit_bias":       func(p *openai.ChatCompletionNewParams) { p.LogitBias = map[string]int64{"50256": -100} },
			"reasoning_effort": func(p *openai.ChatCompletionNewParams) { p.ReasoningEffort = "high" },
			"presence_penalty": func(p *openai.ChatCompletionNewParams) { p.PresencePenalty = openai.Float(0.5) },
			"store":            func(p *openai.ChatCompletionNewParams) { p.Store = openai.Bool(true) },
		} {
			p := openai.ChatCompletionNewParams{Model: "kaizen/standard", Messages: user(product)}
			set(&p)
			_, err := client.Chat.Completions.New(t.Context(), p)
			if e, ok := errors.AsType[*openai.Error](err); !ok || e.StatusCode != 400 || e.Code != "unsupported_parameter" || e.Param != field {
				t.Errorf("%s: %v %s", field, err, whole(err))
			}
		}
	})
}

func checkOpenAI(t *testing.T, g *gateway, r *refusal, err error) {
	t.Helper()
	e, ok := errors.AsType[*openai.Error](err)
	if !ok {
		t.Fatalf("%T: %v", err, err)
	}
	if e.StatusCode != r.status || e.Type != r.openAI[0] || e.Code != r.openAI[1] || e.Param != r.param || e.Message == "" || (e.Response.Header.Get("Retry-After") != "") != r.waits {
		t.Errorf("%d %s %v", e.StatusCode, e.RawJSON(), e.Response.Header)
	}
	raw := e.JSON.ExtraFields["kaizen"].Raw()
	if raw == "" { // the SDK keeps the member error of the body alone
		raw = kaizenOf(t, e.Response)
	}
	g.refused(t, r, readVerdict(t, raw))
}

// A client that leaves a stream ends its companions' calls.
func TestOpenAICancel(t *testing.T) {
	t.Parallel()
	g := keyed(t)
	client := g.openAI()
	ctx, leave := context.WithCancel(t.Context())
	chat := client.Chat.Completions.NewStreaming(ctx, openai.ChatCompletionNewParams{Model: "kaizen/standard", Messages: user("Please " + hang)})
	defer chat.Close()
	g.left(t, leave)
	if chat.Next() || !errors.Is(chat.Err(), context.Canceled) {
		t.Errorf("%v", chat.Err())
	}
	ctx, leave = context.WithCancel(t.Context())
	r := client.Responses.NewStreaming(ctx, responses.ResponseNewParams{Model: "kaizen/standard", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("Please " + hang)}})
	defer r.Close()
	g.left(t, leave)
	if r.Next() || !errors.Is(r.Err(), context.Canceled) {
		t.Errorf("%v", r.Err())
	}
}

// left makes the client leave when all companions are at work, and wants their
// calls to end.
func (g *gateway) left(t *testing.T, leave func()) {
	t.Helper()
	for range 6 {
		within(t, "a companion that is asked", g.panel.hanging)
	}
	leave()
	for range 6 {
		within(t, "a call that is ended", g.panel.abandoned)
	}
}
