package wire

import (
	"strconv"
)

// ChatEvents is the answer as a stream of chat completion chunks: the role first,
// then the text or the calls in pieces, the reason it ends, the usage if that was
// asked for, and the mark of the end. The verdict stands in the chunk with the
// reason.
func (t *Told) ChatEvents() [][]byte {
	var list [][]byte
	chunk := func(delta, finish string) []byte {
		dst := t.appendChatHead(nil, "chat.completion.chunk")
		dst = append(dst, `,"choices":[{"index":0,"delta":`...)
		dst = append(dst, delta...)
		dst = append(dst, `,"logprobs":null,"finish_reason":`...)
		if finish == "" {
			dst = append(dst, `null`...)
		} else {
			dst = appendString(dst, finish)
		}
		dst = append(dst, `}]`...)
		if t.Asked.StreamUsage {
			dst = append(dst, `,"usage":null`...)
		}
		return dst
	}
	add := func(delta string) { list = append(list, data(append(chunk(delta, ""), '}'))) }
	if len(t.Calls) == 0 {
		add(`{"role":"assistant","content":"","refusal":null}`)
		for piece := range pieces(t.Text) {
			add(`{"content":` + string(appendString(nil, piece)) + `}`)
		}
	} else {
		add(`{"role":"assistant","content":null}`)
	}
	for i, c := range t.Calls {
		at := strconv.Itoa(i)
		add(`{"tool_calls":[{"index":` + at + `,"id":` + string(appendString(nil, c.ID)) + `,"type":"function","function":{"name":` + string(appendString(nil, c.Name)) + `,"arguments":""}}]}`)
		for piece := range pieces(c.Arguments) {
			add(`{"tool_calls":[{"index":` + at + `,"function":{"arguments":` + string(appendString(nil, piece)) + `}}]}`)
		}
	}
	last := append(chunk(`{}`, t.chatFinish()), `,"kaizen":`...)
	list = append(list, data(append(t.Verdict.appendVerdict(last), '}')))
	if t.Asked.StreamUsage {
		dst := t.appendChatHead(nil, "chat.completion.chunk")
		dst = append(dst, `,"choices":[],"usage":`...)
		list = append(list, data(append(t.appendChatUsage(dst), '}')))
	}
	return append(list, data([]byte("[DONE]")))
}

// MessageEvents is the answer as a stream of Anthropic's events. The verdict
// stands in the message that begins it.
func (t *Told) MessageEvents() [][]byte {
	dst := append([]byte(`{"type":"message_start","message":`), t.appendMessageHead(nil)...)
	dst = append(dst, `,"content":[],"stop_reason":null,"stop_sequence":null,"usage":`...)
	dst = t.appendMessageUsage(dst, 0)
	dst = append(dst, `,"kaizen":`...)
	dst = t.Verdict.appendVerdict(dst)
	list := [][]byte{named("message_start", append(dst, `}}`...))}
	add := func(event, rest string) {
		list = append(list, named(event, []byte(`{"type":"`+event+`"`+rest+`}`)))
	}
	if len(t.Calls) == 0 {
		add("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`)
		add("ping", "")
		for piece := range pieces(t.Text) {
			add("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":`+string(appendString(nil, piece))+`}`)
		}
		add("content_block_stop", `,"index":0`)
	} else {
		add("ping", "")
	}
	for i := range t.Calls {
		at := `,"index":` + strconv.Itoa(i)
		add("content_block_start", at+`,"content_block":`+string(t.Calls[i].appendToolUse(nil, true)))
		for piece := range pieces(t.Calls[i].Arguments) {
			add("content_block_delta", at+`,"delta":{"type":"input_json_delta","partial_json":`+string(appendString(nil, piece))+`}`)
		}
		add("content_block_stop", at)
	}
	add("message_delta", `,"delta":{"stop_reason":`+string(t.appendStopReason(nil))+`},"usage":{"output_tokens":`+strconv.FormatInt(t.Verdict.Usage.OutputTokens, 10)+`}`)
	add("message_stop", "")
	return list
}

// MessageError is body, an error in Anthropic's form, as a stream ends with it.
func MessageError(body []byte) [][]byte { return [][]byte{named("error", body)} }

// ResponseEvents is the answer as a stream of the events of OpenAI's responses,
// numbered from 0. The verdict stands in the response that is completed.
func (t *Told) ResponseEvents() [][]byte {
	var list [][]byte
	add := func(event, rest string) {
		list = append(list, named(event, []byte(`{"type":"`+event+`","sequence_number":`+strconv.Itoa(len(list))+rest+`}`)))
	}
	begun := `,"response":` + string(t.appendResponse(nil, false))
	add("response.created", begun)
	add("response.in_progress", begun)
	for i := range t.items() {
		at := `,"output_index":` + strconv.Itoa(i)
		add("response.output_item.added", at+`,"item":`+string(t.appendItem(nil, i, false)))
		if len(t.Calls) == 0 {
			where := `,"item_id":"msg_` + t.ID + `"` + at + `,"content_index":0`
			add("response.content_part.added", where+`,"part":`+string(t.appendPart(nil, "")))
			for piece := range pieces(t.Text) {
				add("response.output_text.delta", where+`,"delta":`+string(appendString(nil, piece))+`,"logprobs":[]`)
			}
			add("response.output_text.done", where+`,"text":`+string(appendString(nil, t.Text))+`,"logprobs":[]`)
			add("response.content_part.done", where+`,"part":`+string(t.appendPart(nil, t.Text)))
		} else {
			c := &t.Calls[i]
			where := `,"item_id":` + string(appendString(nil, c.itemID())) + at
			for piece := range pieces(c.Arguments) {
				add("response.function_call_arguments.delta", where+`,"delta":`+string(appendString(nil, piece)))
			}
			add("response.function_call_arguments.done", where+`,"name":`+string(appendString(nil, c.Name))+`,"arguments":`+string(appendString(nil, c.Arguments)))
		}
		add("response.output_item.done", at+`,"item":`+string(t.appendItem(nil, i, true)))
	}
	add("response."+t.responseStatus(true), `,"response":`+string(t.AppendResponse(nil)))
	return list
}

// ResponseError is the error as a stream of those events ends with it; body is the
// error in OpenAI's form, which clients look for in it too.
func (e *Error) ResponseError(body []byte, code string) [][]byte {
	dst := []byte(`{"type":"error","sequence_number":0,"code":`)
	dst = appendString(dst, code)
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, e.Message)
	dst = append(dst, `,"param":null,`...)
	return [][]byte{named("error", append(dst, body[1:]...))}
}
