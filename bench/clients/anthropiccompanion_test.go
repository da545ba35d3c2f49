package clients

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/shared"
)

// anthropic answers POST /v1/messages in anthropic-sdk-go's types.
func (c *companion) anthropic(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.URL.Path != "/v1/messages" || r.Header.Get("X-Api-Key") != companionKey || r.Header.Get("Anthropic-Version") != "2023-06-01" {
		c.failAnthropic(w, http.StatusUnauthorized)
		return
	}
	var p anthropic.MessageNewParams
	if err := json.Unmarshal(body, &p); err != nil {
		c.panel.t.Errorf("%s: %v: %s", c.id, err, body)
	}
	c.understood(body, p)
	q := readAnthropic(&p)
	q.streamed = strings.Contains(string(body), `"stream":true`) // which is no parameter in those types
	s, ok := c.reply(r, q)
	switch {
	case !ok:
	case s.fails != 0:
		c.failAnthropic(w, s.fails)
	case q.streamed:
		c.streamAnthropic(w, &p, s)
	default:
		m := begunAnthropic(&p)
		if s.text != "" {
			m.Content = append(m.Content, anthropic.ContentBlockUnion{Type: "text", Text: s.text})
		}
		for _, call := range s.calls {
			m.Content = append(m.Content, anthropic.ContentBlockUnion{Type: "tool_use", ID: call.id, Name: call.name, Input: json.RawMessage(call.arguments)})
		}
		m.StopReason, m.Usage.OutputTokens = stopAnthropic(s), outputTokens
		w.Header().Set("Content-Type", "application/json")
		w.Write(written(m))
	}
}

func begunAnthropic(p *anthropic.MessageNewParams) anthropic.Message {
	return anthropic.Message{ID: "msg_1", Model: p.Model + "-2026", Content: []anthropic.ContentBlockUnion{}, Usage: anthropic.Usage{InputTokens: inputTokens, OutputTokens: 1}}
}

func stopAnthropic(s says) anthropic.StopReason {
	if len(s.calls) > 0 {
		return anthropic.StopReasonToolUse
	}
	return anthropic.StopReasonEndTurn
}

func (c *companion) failAnthropic(w http.ResponseWriter, status int) {
	kind := "api_error"
	switch status {
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "60")
		kind = "rate_limit_error"
	case http.StatusUnauthorized:
		kind = "authentication_error"
	case 529:
		kind = "overloaded_error"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(written(shared.ErrorResponse{Error: shared.ErrorObjectUnion{Type: kind, Message: "not now"}, RequestID: "req_1"}))
}

func (c *companion) streamAnthropic(w http.ResponseWriter, p *anthropic.MessageNewParams, s says) {
	out := newEvents(w)
	out.send("message_start", written(anthropic.MessageStartEvent{Message: begunAnthropic(p)}))
	out.send("ping", []byte(`{"type":"ping"}`))
	index := int64(0)
	block := func(begun anthropic.ContentBlockStartEventContentBlockUnion, pieces ...anthropic.RawContentBlockDeltaUnion) {
		out.send("content_block_start", written(anthropic.ContentBlockStartEvent{Index: index, ContentBlock: begun}))
		for _, piece := range pieces {
			out.send("content_block_delta", written(anthropic.ContentBlockDeltaEvent{Index: index, Delta: piece}))
		}
		out.send("content_block_stop", written(anthropic.ContentBlockStopEvent{Index: index}))
		index++
	}
	if s.text != "" {
		h := halves(s.text)
		block(anthropic.ContentBlockStartEventContentBlockUnion{Type: "text"},
			anthropic.RawContentBlockDeltaUnion{Type: "text_delta", Text: h[0]}, anthropic.RawContentBlockDeltaUnion{Type: "text_delta", Text: h[1]})
	}
	if s.broken {
		out.send("error", written(shared.ErrorResponse{Error: shared.ErrorObjectUnion{Type: "overloaded_error", Message: "gone"}}))
		return
	}
	for _, call := range s.calls {
		h := halves(call.arguments)
		block(anthropic.ContentBlockStartEventContentBlockUnion{Type: "tool_use", ID: call.id, Name: call.name, Input: map[string]any{}},
			anthropic.RawContentBlockDeltaUnion{Type: "input_json_delta", PartialJSON: h[0]}, anthropic.RawContentBlockDeltaUnion{Type: "input_json_delta", PartialJSON: h[1]})
	}
	out.send("message_delta", written(anthropic.MessageDeltaEvent{Delta: anthropic.MessageDeltaEventDelta{StopReason: stopAnthropic(s)},
		Usage: anthropic.MessageDeltaUsage{OutputTokens: outputTokens}}))
	out.send("message_stop", written(anthropic.MessageStopEvent{}))
}

func readAnthropic(p *anthropic.MessageNewParams) *question {
	q := &question{stop: p.StopSequences, heat: p.Temperature.Or(-1)}
	for _, s := range p.System {
		q.system += s.Text
	}
	for _, m := range p.Messages {
		said := turn{role: string(m.Role)}
		for _, b := range m.Content {
			switch {
			case b.OfText != nil:
				said.text += b.OfText.Text
			case b.OfToolUse != nil:
				arguments, _ := json.Marshal(b.OfToolUse.Input)
				said.calls = append(said.calls, call{b.OfToolUse.ID, b.OfToolUse.Name, string(arguments)})
			case b.OfToolResult != nil:
				result := turn{role: "tool", callID: b.OfToolResult.ToolUseID}
				for _, part := range b.OfToolResult.Content {
					result.text += part.OfText.Text
				}
				q.turns = append(q.turns, result)
			}
		}
		if said.text != "" || said.calls != nil {
			q.turns = append(q.turns, said)
		}
	}
	for _, offered := range p.Tools {
		var parameters any
		raw, _ := json.Marshal(offered.OfTool.InputSchema)
		json.Unmarshal(raw, &parameters)
		q.tools = append(q.tools, tool{offered.OfTool.Name, parameters})
	}
	switch choice := p.ToolChoice; {
	case choice.OfAny != nil:
		q.choice = "required"
	case choice.OfNone != nil:
		q.choice = "none"
	case choice.OfTool != nil:
		q.choice = choice.OfTool.Name
	}
	if p.OutputConfig.Format.Schema != nil {
		q.schema = p.OutputConfig.Format.Schema
	}
	return q
}
