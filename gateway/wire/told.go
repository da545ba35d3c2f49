package wire

import (
	"slices"
	"strconv"
)

// A Told is the outcome of an [Ask], as all the provider-shaped routes tell it:
// each in its own form, with the verdict beside it.
type Told struct {
	ID      string // of the reply, without the provider's prefix
	Created int64  // seconds since 1970
	Model   string // kaizen/… as it was decided
	Text    string // of the reply; "" where it calls tools
	Calls   []ToolCall
	Stopped string        // the stop sequence that Text was cut at, or ""
	Full    bool          // Text ends because it reached the limit of tokens
	Verdict *Deliberation // what stands beside the answer
	Asked   *Ask
}

// appendVerdict appends the object "kaizen": what the standard body has no place
// for. Positions and ballots are in it where they were asked for.
func (v *Deliberation) appendVerdict(dst []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendString(dst, v.ID)
	dst = append(dst, `,"status":`...)
	dst = appendString(dst, v.Status)
	dst = append(dst, `,"agreement":`...)
	dst = v.Consensus.Agreement.appendTo(dst)
	dst = append(dst, `,"confidence":`...)
	dst = v.Consensus.Confidence.appendTo(dst)
	dst = append(dst, `,"value":`...)
	dst = appendString(dst, v.Value)
	dst = append(dst, `,"decision":`...)
	dst = appendString(dst, v.Decision)
	dst = v.Consensus.appendTo(dst)
	dst = append(dst, `,"dissent":[`...)
	for i := range v.Dissent {
		dst = v.Dissent[i].appendTo(comma(dst, i))
	}
	dst = append(dst, ']')
	if v.Positions != nil {
		dst = append(dst, `,"positions":[`...)
		for i := range v.Positions {
			dst = v.Positions[i].appendTo(comma(dst, i))
		}
		dst = append(dst, ']')
	}
	if v.Ballots != nil {
		dst = append(dst, `,"ballots":[`...)
		for i := range v.Ballots {
			dst = v.Ballots[i].appendTo(comma(dst, i))
		}
		dst = append(dst, ']')
	}
	if v.Rounds != nil {
		dst = v.Rounds.appendTo(dst)
	}
	if v.Judge != nil {
		dst = v.Judge.appendTo(dst)
	}
	if v.Synthesis != nil {
		dst = v.Synthesis.appendTo(dst)
	}
	dst = v.Usage.appendTo(dst)
	dst = append(dst, `,"cached":`...)
	dst = strconv.AppendBool(dst, v.Cached)
	dst = append(dst, `,"receipt":`...)
	dst = appendString(dst, v.Proof.Receipt)
	dst = append(dst, `,"proof":{"index":`...)
	dst = strconv.AppendUint(dst, v.Proof.Index, 10)
	dst = append(dst, `,"leafHash":`...)
	dst = appendString(dst, v.Proof.LeafHash)
	return append(dst, `}}`...)
}

// AppendChat appends the body of POST /v1/chat/completions.
//
// Hot: every completion passes here once.
func (t *Told) AppendChat(dst []byte) []byte {
	dst = t.appendChatHead(dst, "chat.completion")
	dst = append(dst, `,"choices":[{"index":0,"message":{"role":"assistant","content":`...)
	if len(t.Calls) > 0 {
		dst = append(dst, `null,"refusal":null,"tool_calls":`...)
		dst = t.appendChatCalls(dst, false)
	} else {
		dst = appendString(dst, t.Text)
		dst = append(dst, `,"refusal":null,"annotations":[]`...)
	}
	dst = append(dst, `},"logprobs":null,"finish_reason":`...)
	dst = appendString(dst, t.chatFinish())
	dst = append(dst, `}],"usage":`...)
	dst = t.appendChatUsage(dst)
	dst = append(dst, `,"kaizen":`...)
	dst = t.Verdict.appendVerdict(dst)
	return append(dst, '}')
}

func (t *Told) appendChatHead(dst []byte, object string) []byte {
	dst = append(dst, `{"id":"chatcmpl-`...)
	dst = append(dst, t.ID...)
	dst = append(dst, `","object":"`...)
	dst = append(dst, object...)
	dst = append(dst, `","created":`...)
	dst = strconv.AppendInt(dst, t.Created, 10)
	dst = append(dst, `,"model":`...)
	return appendString(dst, t.Model)
}

func (t *Told) chatFinish() string {
	switch {
	case len(t.Calls) > 0:
		return "tool_calls"
	case t.Full:
		return "length"
	}
	return "stop"
}

// appendChatCalls appends the calls; indexed, as a chunk has them.
func (t *Told) appendChatCalls(dst []byte, indexed bool) []byte {
	dst = append(dst, '[')
	for i, c := range t.Calls {
		dst = append(comma(dst, i), '{')
		if indexed {
			dst = append(dst, `"index":`...)
			dst = strconv.AppendInt(dst, int64(i), 10)
			dst = append(dst, ',')
		}
		dst = append(dst, `"id":`...)
		dst = appendString(dst, c.ID)
		dst = append(dst, `,"type":"function","function":{"name":`...)
		dst = appendString(dst, c.Name)
		dst = append(dst, `,"arguments":`...)
		dst = appendString(dst, c.Arguments)
		dst = append(dst, `}}`...)
	}
	return append(dst, ']')
}

func (t *Told) appendChatUsage(dst []byte) []byte {
	u := &t.Verdict.Usage
	dst = append(dst, `{"prompt_tokens":`...)
	dst = strconv.AppendInt(dst, u.InputTokens, 10)
	dst = append(dst, `,"completion_tokens":`...)
	dst = strconv.AppendInt(dst, u.OutputTokens, 10)
	dst = append(dst, `,"total_tokens":`...)
	dst = strconv.AppendInt(dst, u.InputTokens+u.OutputTokens, 10)
	return append(dst, '}')
}

// AppendOpenAI appends the error in OpenAI's form, of a type and a code that its
// clients know. Beside it stand our own code, the deliberation and all problems.
func (e *Error) AppendOpenAI(dst []byte, kind, code string) []byte {
	dst = append(dst, `{"error":{"message":`...)
	dst = appendString(dst, e.Message)
	dst = append(dst, `,"type":`...)
	dst = appendString(dst, kind)
	dst = append(dst, `,"param":`...)
	if len(e.Details) > 0 && e.Details[0].Field != "" {
		dst = appendString(dst, e.Details[0].Field)
	} else {
		dst = append(dst, `null`...)
	}
	dst = append(dst, `,"code":`...)
	dst = appendString(dst, code)
	dst = append(dst, '}')
	dst = e.appendBeside(dst)
	return append(dst, '}')
}

// AppendAnthropic appends the error in Anthropic's form.
func (e *Error) AppendAnthropic(dst []byte, kind string) []byte {
	dst = append(dst, `{"type":"error","error":{"type":`...)
	dst = appendString(dst, kind)
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, e.Message)
	if e.Code == Unsupported && slices.ContainsFunc(e.Details, func(d Detail) bool { return d.Field == threadField }) {
		dst = append(dst, `,"details":{"error_code":"thread_unsupported_request","unsupported":["`+threadField+`"]}`...)
	}
	dst = append(dst, '}')
	dst = e.appendBeside(dst)
	return append(dst, '}')
}

// appendBeside appends what of an error no provider has a place for.
func (e *Error) appendBeside(dst []byte) []byte {
	dst = append(dst, `,"kaizen":`...)
	if e.Verdict != nil {
		return e.Verdict.appendVerdict(dst)
	}
	dst = append(dst, `{"code":`...)
	dst = appendString(dst, string(e.Code))
	if e.DeliberationID != "" {
		dst = append(dst, `,"id":`...)
		dst = appendString(dst, e.DeliberationID)
	}
	dst = appendDetails(dst, e.Details)
	return append(dst, '}')
}

// A Model is one that GET /v1/models lists.
type Model struct {
	ID      string // kaizen/…
	Created int64  // seconds since 1970
	Date    string // the same, as RFC 3339
	Title   string
}

// AppendTo appends the model in OpenAI's form and Anthropic's at once: their
// names for things do not clash.
func (m *Model) AppendTo(dst []byte) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendString(dst, m.ID)
	dst = append(dst, `,"object":"model","created":`...)
	dst = strconv.AppendInt(dst, m.Created, 10)
	dst = append(dst, `,"owned_by":"kaizen","type":"model","display_name":`...)
	dst = appendString(dst, m.Title)
	dst = append(dst, `,"created_at":`...)
	dst = appendString(dst, m.Date)
	return append(dst, '}')
}

// AppendModels appends the list of them.
func AppendModels(dst []byte, models []Model) []byte {
	dst = append(dst, `{"object":"list","data":[`...)
	for i := range models {
		dst = models[i].AppendTo(comma(dst, i))
	}
	dst = append(dst, `],"has_more":false`...)
	if len(models) > 0 {
		dst = appendField(dst, 0, "first_id", models[0].ID)
		dst = appendField(dst, 0, "last_id", models[len(models)-1].ID)
	}
	return append(dst, '}')
}
