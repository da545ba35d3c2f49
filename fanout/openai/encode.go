package openai

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kaizen-os/deliberation/quorum"
)

const roleSystem = "system"

// appendHead appends the part of a request body that is the same for every
// deliberation, up to the messages.
func appendHead(dst []byte, cfg *Config) []byte {
	dst = appendString(append(dst, `{"model":`...), cfg.Model)
	if cfg.MaxTokens > 0 {
		dst = appendString(append(dst, ','), cfg.MaxTokensField)
		dst = strconv.AppendInt(append(dst, ':'), int64(cfg.MaxTokens), 10)
	}
	return append(dst, `,"messages":[`...)
}

// appendRequest appends a request body: the conversation, or the prompt as one
// user message, under the fixed instruction for d's kind if it has one. The
// instruction joins a system message that the conversation begins with, since
// many models' templates allow only one.
func appendRequest(dst, head []byte, d *quorum.Deliberation) []byte {
	dst = append(dst, head...)
	messages := d.Messages
	if instruction(d.Kind) != "" {
		system := make([]byte, 0, 512)
		if len(messages) > 0 && messages[0].Role == roleSystem {
			system = append(append(system, messages[0].Content...), "\n\n"...)
			messages = messages[1:]
		}
		dst = appendMessage(dst, roleSystem, appendInstruction(system, d))
		dst = append(dst, ',')
	}
	if len(d.Messages) == 0 {
		dst = append(appendMessage(dst, "user", d.Prompt), ',')
	}
	for _, m := range messages {
		dst = append(appendMessage(dst, m.Role, m.Content), ',')
	}
	dst[len(dst)-1] = ']' // in place of the last comma; admission lets no empty conversation in
	return append(dst, '}')
}

func appendMessage[Text string | []byte](dst []byte, role string, content Text) []byte {
	dst = appendString(append(dst, `{"role":`...), role)
	dst = appendString(append(dst, `,"content":`...), content)
	return append(dst, '}')
}

// appendString appends s quoted. Admission let only valid UTF-8 in; anything
// else would be replaced, which is all that AppendQuote's error says.
func appendString[Text string | []byte](dst []byte, s Text) []byte {
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}
