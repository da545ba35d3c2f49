package openai

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/kaizen-os/deliberation/fanout/dialect"
	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

// completion is the wire form of a reply and of a streamed piece of one, as far
// as they are read.
type completion struct {
	Object  string         `json:"object"`
	Model   string         `json:"model"`
	Choices []choice       `json:"choices"`
	Usage   usage          `json:"usage"`
	Error   jsontext.Value `json:"error"`
}

type choice struct {
	Index        int64   `json:"index"`
	Message      message `json:"message"` // of a whole reply
	Delta        message `json:"delta"`   // of a piece
	FinishReason string  `json:"finish_reason"`
}

type message struct {
	Content   content `json:"content"`
	Refusal   string  `json:"refusal"`
	ToolCalls []call  `json:"tool_calls"`
}

type call struct {
	Index    *int64 `json:"index"` // of a piece; some servers leave it out
	ID       string `json:"id"`
	Function struct {
		Name      string    `json:"name"`
		Arguments arguments `json:"arguments"`
	} `json:"function"`
}

// usage counts what was read from the provider's cache among the prompt's.
type usage struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
}

// content is a message's text: a string, null, or a list of parts, of which
// those of type "text" count.
type content struct {
	text string
	ok   bool
}

func (c *content) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*c = content{}
	switch dec.PeekKind() {
	case 'n':
		return dec.SkipValue()
	case '[':
		var parts []struct {
			Type string `json:"type"`
			Text string `json:"text"`
		}
		if err := json.UnmarshalDecode(dec, &parts); err != nil {
			return err
		}
		var text strings.Builder
		for _, p := range parts {
			if p.Type == "text" {
				text.WriteString(p.Text)
				c.ok = true
			}
		}
		c.text = text.String()
		return nil
	}
	c.ok = true
	return json.UnmarshalDecode(dec, &c.text)
}

// arguments are a call's: JSON in a string or, from some servers, as it is.
type arguments string

func (a *arguments) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case 'n':
		return dec.SkipValue()
	case '{':
		v, err := dec.ReadValue()
		*a = arguments(dialect.Compact(v.Clone()))
		return err
	}
	return json.UnmarshalDecode(dec, (*string)(a))
}

// failed reports whether w is an error in the place of a reply, which some
// servers send as 200.
func (w *completion) failed() bool {
	k := w.Error.Kind()
	return k == '{' || k == '"' || w.Object == "error"
}

// ended says what a finish reason means: whether the reply was cut by a limit, or
// why it is none.
func ended(reason string) (cut bool, err error) {
	switch reason {
	case "length":
		return true, nil
	case "content_filter":
		return false, dialect.ErrFiltered
	case "error", "insufficient_system_resource": // what routers and DeepSeek call giving up half-way
		return false, dialect.ErrInStream
	}
	return false, nil
}

// DecodeReply reads the body of a completion of d into r's Text, Model and Usage.
// A refusal, or a reply that a content filter stopped, is an error of class
// upstream.Refused. On error, an *upstream.Error, r is as it was.
func DecodeReply(body []byte, d *quorum.Deliberation, r *quorum.Reply) error {
	var w completion
	if json.Unmarshal(body, &w) != nil {
		return dialect.ErrMalformed
	}
	if len(w.Choices) == 0 {
		if w.failed() {
			return dialect.ErrInStream
		}
		return dialect.ErrNoChoice
	}
	first := &w.Choices[0]
	if first.Message.Refusal != "" {
		return dialect.ErrRefusal
	}
	cut, err := ended(first.FinishReason)
	if err != nil {
		return err
	}
	if !first.Message.Content.ok && len(first.Message.ToolCalls) == 0 && !cut {
		return dialect.ErrNoContent
	}
	a := dialect.Answer{Text: first.Message.Content.text, Model: w.Model, Input: w.Usage.Prompt, Output: w.Usage.Completion, Cut: cut}
	for _, c := range first.Message.ToolCalls {
		a.Calls = append(a.Calls, quorum.ToolCall{ID: c.ID, Name: c.Function.Name, Arguments: string(c.Function.Arguments)})
	}
	return a.Fill(d, r)
}

// explain gives an error status the meaning that its body alone tells: that the
// content filter stopped the prompt, or that waiting will not help. Nothing else
// of the body is looked at or kept.
func explain(err error, body []byte) error {
	status, ok := errors.AsType[*upstream.Error](err)
	if !ok || status.Class != upstream.BadRequest && status.Class != upstream.RateLimited {
		return err
	}
	var w struct {
		Error struct {
			Code jsontext.Value `json:"code"` // a string, a number or null
		} `json:"error"`
	}
	if json.Unmarshal(body, &w) != nil {
		return err
	}
	switch code := string(w.Error.Code); {
	case status.Class == upstream.RateLimited:
		if code == `"insufficient_quota"` {
			return dialect.ErrQuota
		}
	case code == `"content_filter"`, code == `"content_policy_violation"`:
		return dialect.ErrFiltered
	}
	return err
}
