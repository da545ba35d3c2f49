package clients

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/packages/ssestream"
)

func (g *gateway) anthropic(more ...option.RequestOption) anthropic.Client {
	return anthropic.NewClient(append([]option.RequestOption{option.WithBaseURL(g.url), option.WithAPIKey(keyApp), option.WithHTTPClient(g.http),
		option.WithJSONSet("kaizen", map[string]any{"wait": "all"})}, more...)...)
}

func asking(text string) anthropic.MessageNewParams {
	return anthropic.MessageNewParams{Model: "kaizen/standard", MaxTokens: 1000, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock(text))}}
}

// gathered reads a stream of events to its end, by the SDK's accumulator.
func gathered(t *testing.T, s *ssestream.Stream[anthropic.MessageStreamEventUnion]) *anthropic.Message {
	t.Helper()
	defer s.Close()
	m := new(anthropic.Message)
	stopped := false
	for s.Next() {
		e := s.Current()
		if err := m.Accumulate(e); err != nil {
			t.Error(err)
		}
		_, stopped = e.AsAny().(anthropic.MessageStopEvent)
	}
	if err := s.Err(); err != nil || !stopped {
		t.Fatalf("stopped %t: %v", stopped, err)
	}
	return m
}

// waysToAsk are the same question whole and streamed.
func waysToAsk(t *testing.T, client anthropic.Client) map[string]func(anthropic.MessageNewParams) *anthropic.Message {
	return map[string]func(anthropic.MessageNewParams) *anthropic.Message{
		"whole": func(p anthropic.MessageNewParams) *anthropic.Message {
			var resp *http.Response
			m, err := client.Messages.New(t.Context(), p, option.WithResponseInto(&resp))
			if err != nil {
				t.Fatal(err)
			}
			if h := resp.Header; h.Get("X-Kaizen-Status") == "" || h.Get("Request-Id") != h.Get("X-Kaizen-Deliberation") {
				t.Errorf("%v", h)
			}
			return m
		},
		"streamed": func(p anthropic.MessageNewParams) *anthropic.Message {
			return gathered(t, client.Messages.NewStreaming(t.Context(), p))
		},
	}
}

func said(m *anthropic.Message) string {
	var b strings.Builder
	for _, block := range m.Content {
		if text, ok := block.AsAny().(anthropic.TextBlock); ok {
			b.WriteString(text.Text)
		}
	}
	return b.String()
}

func TestAnthropicMessages(t *testing.T) {
	t.Parallel()
	g := keyed(t)
	for name, ask := range waysToAsk(t, g.anthropic()) {
		t.Run(name, func(t *testing.T) {
			m := ask(asking("What of Rome?"))
			if said(m) != long || m.StopReason != anthropic.StopReasonEndTurn || m.Model != "kaizen/standard" || m.Role != "assistant" || m.Type != "message" ||
				m.Usage.InputTokens != 6*inputTokens || m.Usage.OutputTokens != 6*outputTokens {
				t.Errorf("%s", m.RawJSON())
			}
			check(t, m.JSON.ExtraFields["kaizen"].Raw(), nil)

			p := asking(product)
			p.System, p.StopSequences = []anthropic.TextBlockParam{{Text: "Be brief.", CacheControl: anthropic.NewCacheControlEphemeralParam()}}, []string{"391"}
			g.panel.forget()
			if m = ask(p); said(m) != "The answer is " {
				t.Errorf("%s", m.RawJSON())
			}
			for id, asked := range g.panel.forget() {
				if len(asked) != 1 || asked[0].system != "Be brief." || len(asked[0].stop) != 1 {
					t.Errorf("%s was asked %+v", id, asked)
				}
			}

			// The call goes out, and its result comes back.
			p = asking(weather)
			p.Tools = []anthropic.ToolUnionParam{anthropic.ToolUnionParamOfTool(anthropic.ToolInputSchemaParam{Properties: placeSchema["properties"], Required: []string{"city"}}, "get_weather")}
			if m = ask(p); len(m.Content) != 1 || m.StopReason != anthropic.StopReasonToolUse {
				t.Fatalf("%s", m.RawJSON())
			}
			call, ok := m.Content[0].AsAny().(anthropic.ToolUseBlock)
			if !ok || call.Name != "get_weather" || canonical(string(call.Input)) != `{"city":"Paris"}` {
				t.Errorf("%s", m.RawJSON())
			}
			p.Messages = append(p.Messages, m.ToParam(), anthropic.NewUserMessage(anthropic.NewToolResultBlock(call.ID, degrees, false)))
			if m = ask(p); said(m) != forecast || m.StopReason != anthropic.StopReasonEndTurn {
				t.Errorf("%s", m.RawJSON())
			}

			p = asking(product)
			p.OutputConfig.Format = anthropic.JSONOutputFormatParam{Schema: productSchema}
			checkFactored(t, said(ask(p)))
		})
	}
}

func TestAnthropicModels(t *testing.T) {
	t.Parallel()
	client := keyed(t).anthropic()
	var ids []string
	pages := client.Models.ListAutoPaging(t.Context(), anthropic.ModelListParams{})
	for pages.Next() {
		m := pages.Current()
		ids = append(ids, m.ID)
		if m.Type != "model" || m.DisplayName == "" || m.CreatedAt.IsZero() {
			t.Errorf("%s", m.RawJSON())
		}
	}
	if got := strings.Join(ids, " "); pages.Err() != nil || got != "kaizen/auto kaizen/research kaizen/standard kaizen/high kaizen/critical" {
		t.Errorf("%v: %s", pages.Err(), got)
	}
	if m, err := client.Models.Get(t.Context(), "kaizen/high", anthropic.ModelGetParams{}); err != nil || m.ID != "kaizen/high" {
		t.Errorf("%v, %+v", err, m)
	}
}

func TestAnthropicErrors(t *testing.T) {
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
				more = append(more, option.WithMaxRetries(0))
			}
			client := g.anthropic(more...)
			p := asking(prompt)
			p.Model = model
			_, err := client.Messages.New(t.Context(), p)
			checkAnthropic(t, g, r, err, false)
			if r.key == keySlow && r.status != 429 {
				return // it has had its one
			}
			s := client.Messages.NewStreaming(t.Context(), p)
			defer s.Close()
			for s.Next() {
				t.Errorf("an event: %s", s.Current().RawJSON())
			}
			checkAnthropic(t, g, r, s.Err(), r.asked > 0)
		})
	}
	t.Run("fields that are not supported", func(t *testing.T) {
		client := g.anthropic()
		for field, set := range map[string]func(*anthropic.MessageNewParams){
			"top_k":    func(p *anthropic.MessageNewParams) { p.TopK = anthropic.Int(3) },
			"thinking": func(p *anthropic.MessageNewParams) { p.Thinking = anthropic.ThinkingConfigParamOfEnabled(2000) },
			"tools[0].type": func(p *anthropic.MessageNewParams) {
				p.Tools = []anthropic.ToolUnionParam{{OfBashTool20250124: &anthropic.ToolBash20250124Param{}}}
			},
		} {
			p := asking(product)
			set(&p)
			_, err := client.Messages.New(t.Context(), p)
			e, ok := errors.AsType[*anthropic.Error](err)
			if !ok || e.StatusCode != 400 || e.Type() != "invalid_request_error" {
				t.Errorf("%s: %v", field, err)
				continue
			}
			if v := readVerdict(t, e.JSON.ExtraFields["kaizen"].Raw()); v.Code != "unsupported_parameter" || v.Details[0].Field != field {
				t.Errorf("%s: %s", field, e.RawJSON())
			}
		}
	})
}

// checkAnthropic wants err to be r; in a stream, its status has gone out before.
func checkAnthropic(t *testing.T, g *gateway, r *refusal, err error, streamed bool) {
	t.Helper()
	e, ok := errors.AsType[*anthropic.Error](err)
	if !ok {
		t.Fatalf("%T: %v", err, err)
	}
	status := r.status
	if streamed {
		status = http.StatusOK
	}
	if e.StatusCode != status || string(e.Type()) != r.claude || (e.Response.Header.Get("Retry-After") != "") != r.waits || r.asked > 0 && e.RequestID == "" {
		t.Errorf("%d %q %s %v", e.StatusCode, e.RequestID, e.RawJSON(), e.Response.Header)
	}
	g.refused(t, r, readVerdict(t, e.JSON.ExtraFields["kaizen"].Raw()))
}

func TestAnthropicCancel(t *testing.T) {
	t.Parallel()
	g := keyed(t)
	client := g.anthropic()
	ctx, leave := context.WithCancel(t.Context())
	s := client.Messages.NewStreaming(ctx, asking("Please "+hang))
	defer s.Close()
	g.left(t, leave)
	if s.Next() || !errors.Is(s.Err(), context.Canceled) {
		t.Errorf("%v", s.Err())
	}
}

// kaizenOf is the object beside an error, of a response that the SDK has read and
// put back.
func kaizenOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var body struct{ Kaizen json.RawMessage }
	if err := json.Unmarshal(raw, &body); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return string(body.Kaizen)
}
