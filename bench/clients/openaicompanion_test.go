package clients

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/shared"
)

// openAI answers POST /v1/chat/completions in openai-go's types.
func (c *companion) openAI(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer "+companionKey {
		c.failOpenAI(w, http.StatusUnauthorized)
		return
	}
	var p openai.ChatCompletionNewParams
	if err := json.Unmarshal(body, &p); err != nil {
		c.panel.t.Errorf("%s: %v: %s", c.id, err, body)
	}
	// openai-go takes a named choice for a custom tool's, even one that it wrote.
	var named struct {
		ToolChoice *openai.ChatCompletionNamedToolChoiceParam `json:"tool_choice"`
	}
	if json.Unmarshal(body, &named) == nil && named.ToolChoice != nil {
		p.ToolChoice = openai.ChatCompletionToolChoiceOptionUnionParam{OfFunctionToolChoice: named.ToolChoice}
	}
	c.understood(body, p)
	q := readOpenAI(&p)
	q.streamed = strings.Contains(string(body), `"stream":true`) // which is no parameter in those types
	s, ok := c.reply(r, q)
	switch {
	case !ok:
	case s.fails != 0:
		c.failOpenAI(w, s.fails)
	case q.streamed:
		c.streamOpenAI(w, &p, s)
	default:
		message := openai.ChatCompletionMessage{Content: s.text}
		for _, call := range s.calls {
			message.ToolCalls = append(message.ToolCalls, openai.ChatCompletionMessageToolCallUnion{ID: call.id, Type: "function",
				Function: openai.ChatCompletionMessageFunctionToolCallFunction{Name: call.name, Arguments: call.arguments}})
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(written(openai.ChatCompletion{ID: "chatcmpl-1", Created: 1, Model: p.Model + "-2026",
			Choices: []openai.ChatCompletionChoice{{Message: message, FinishReason: finishOpenAI(s)}}, Usage: usageOpenAI()}))
	}
}

func usageOpenAI() openai.CompletionUsage {
	return openai.CompletionUsage{PromptTokens: inputTokens, CompletionTokens: outputTokens, TotalTokens: inputTokens + outputTokens}
}

func finishOpenAI(s says) string {
	if len(s.calls) > 0 {
		return "tool_calls"
	}
	return "stop"
}

func (c *companion) failOpenAI(w http.ResponseWriter, status int) {
	e := shared.ErrorObject{Message: "not now", Type: "server_error"}
	switch status {
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "60")
		e = shared.ErrorObject{Message: "slow down", Type: "requests", Code: "rate_limit_exceeded"}
	case http.StatusUnauthorized:
		e = shared.ErrorObject{Message: "who?", Type: "invalid_request_error", Code: "invalid_api_key"}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(written(map[string]any{"error": e}))
}

func (c *companion) streamOpenAI(w http.ResponseWriter, p *openai.ChatCompletionNewParams, s says) {
	out := newEvents(w)
	chunk := func(finish string, d openai.ChatCompletionChunkChoiceDelta) {
		out.send("", written(openai.ChatCompletionChunk{ID: "chatcmpl-1", Created: 1, Model: p.Model + "-2026",
			Choices: []openai.ChatCompletionChunkChoice{{Delta: d, FinishReason: finish}}}))
	}
	chunk("", openai.ChatCompletionChunkChoiceDelta{Role: "assistant"})
	for i, half := range halves(s.text) {
		if s.broken && i == 1 {
			out.send("", written(map[string]any{"error": shared.ErrorObject{Message: "gone", Type: "server_error"}}))
			return
		}
		chunk("", openai.ChatCompletionChunkChoiceDelta{Content: half})
	}
	for i, call := range s.calls {
		part := openai.ChatCompletionChunkChoiceDeltaToolCall{Index: int64(i), ID: call.id, Type: "function"}
		part.Function.Name = call.name
		chunk("", openai.ChatCompletionChunkChoiceDelta{ToolCalls: []openai.ChatCompletionChunkChoiceDeltaToolCall{part}})
		for _, half := range halves(call.arguments) {
			part := openai.ChatCompletionChunkChoiceDeltaToolCall{Index: int64(i)}
			part.Function.Arguments = half
			chunk("", openai.ChatCompletionChunkChoiceDelta{ToolCalls: []openai.ChatCompletionChunkChoiceDeltaToolCall{part}})
		}
	}
	chunk(finishOpenAI(s), openai.ChatCompletionChunkChoiceDelta{})
	if p.StreamOptions.IncludeUsage.Value {
		out.send("", written(openai.ChatCompletionChunk{ID: "chatcmpl-1", Created: 1, Model: p.Model + "-2026", Usage: usageOpenAI()}))
	}
	out.send("", []byte("[DONE]"))
}

func readOpenAI(p *openai.ChatCompletionNewParams) *question {
	q := &question{stop: p.Stop.OfStringArray, heat: p.Temperature.Or(-1), choice: p.ToolChoice.OfAuto.Value}
	for _, m := range p.Messages {
		switch {
		case m.OfSystem != nil:
			q.system += m.OfSystem.Content.OfString.Value
		case m.OfUser != nil:
			q.turns = append(q.turns, turn{role: "user", text: m.OfUser.Content.OfString.Value})
		case m.OfTool != nil:
			q.turns = append(q.turns, turn{role: "tool", text: m.OfTool.Content.OfString.Value, callID: m.OfTool.ToolCallID})
		case m.OfAssistant != nil:
			said := turn{role: "assistant", text: m.OfAssistant.Content.OfString.Value}
			for _, made := range m.OfAssistant.ToolCalls {
				said.calls = append(said.calls, call{made.OfFunction.ID, made.OfFunction.Function.Name, made.OfFunction.Function.Arguments})
			}
			q.turns = append(q.turns, said)
		}
	}
	for _, offered := range p.Tools {
		q.tools = append(q.tools, tool{offered.OfFunction.Function.Name, map[string]any(offered.OfFunction.Function.Parameters)})
	}
	if named := p.ToolChoice.OfFunctionToolChoice; named != nil {
		q.choice = named.Function.Name
	}
	if f := p.ResponseFormat.OfJSONSchema; f != nil {
		q.schema = f.JSONSchema.Schema
	}
	q.object = p.ResponseFormat.OfJSONObject != nil
	return q
}
