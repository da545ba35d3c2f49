package openai

import (
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

// maxTokens is the largest count of tokens that is believed. It keeps the cost
// of a reply far from overflow.
const maxTokens = 1_000_000_000

// What can be wrong with a reply. None of it quotes the server.
var (
	errMalformed = &upstream.Error{Class: upstream.Malformed, Reason: "reply is not the agreed json"}
	errNoChoice  = &upstream.Error{Class: upstream.Malformed, Reason: "reply has no choice"}
	errNoContent = &upstream.Error{Class: upstream.Malformed, Reason: "reply has no content"}
	errTokens    = &upstream.Error{Class: upstream.Malformed, Reason: "token count out of range"}
	errInStream  = &upstream.Error{Class: upstream.Status, Reason: "error in place of a reply"}
	errRefusal   = &upstream.Error{Class: upstream.Refused, Reason: "the model declined"}
	errFiltered  = &upstream.Error{Class: upstream.Refused, Reason: "stopped by the provider's content filter"}
)

// completion is the wire form, as far as it is read.
type completion struct {
	Model   string `json:"model"`
	Choices []struct {
		Message struct {
			Content content `json:"content"`
			Refusal string  `json:"refusal"`
		} `json:"message"`
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage struct {
		Prompt     int64 `json:"prompt_tokens"`
		Completion int64 `json:"completion_tokens"`
	} `json:"usage"`
	Error jsontext.Value `json:"error"`
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

// DecodeReply reads the body of a completion into r's Text, Model and Usage. A
// refusal, or a reply that a content filter stopped, is an error of class
// upstream.Refused. On error, an *upstream.Error, r is as it was.
func DecodeReply(body []byte, r *quorum.Reply) error {
	var w completion
	if json.Unmarshal(body, &w) != nil {
		return errMalformed
	}
	if len(w.Choices) == 0 {
		if k := w.Error.Kind(); k == '{' || k == '"' {
			return errInStream // some servers send their errors as 200
		}
		return errNoChoice
	}
	first := &w.Choices[0]
	switch {
	case first.Message.Refusal != "":
		return errRefusal
	case first.FinishReason == "content_filter":
		return errFiltered
	case !first.Message.Content.ok:
		return errNoContent
	}
	for _, n := range [...]int64{w.Usage.Prompt, w.Usage.Completion} {
		if n < 0 || n > maxTokens {
			return errTokens
		}
	}
	r.Text, r.Model = first.Message.Content.text, w.Model
	r.Usage.InputTokens, r.Usage.OutputTokens = w.Usage.Prompt, w.Usage.Completion
	return nil
}

// explain makes a refusal of an error status whose body says that the content
// filter stopped the prompt. Nothing else of the body is looked at or kept.
func explain(err error, body []byte) error {
	status, ok := errors.AsType[*upstream.Error](err)
	if !ok || status.Class != upstream.Status {
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
	switch string(w.Error.Code) {
	case `"content_filter"`, `"content_policy_violation"`:
		return errFiltered
	}
	return err
}
