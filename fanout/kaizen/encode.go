package kaizen

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kaizen-os/deliberation/quorum"
)

// AppendRequest appends the body of POST /v1/deliberate. A negative due leaves
// "deadlineMs" out.
func AppendRequest(dst []byte, d *quorum.Deliberation, due time.Duration) []byte {
	dst = appendString(append(dst, `{"deliberationId":`...), d.ID)
	dst = appendString(append(dst, `,"prompt":`...), d.Prompt)
	if len(d.Messages) > 0 {
		dst = append(dst, `,"messages":[`...)
		for i, m := range d.Messages {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(append(dst, `{"role":`...), m.Role)
			content := m.Content
			if len(m.Calls) > 0 { // the protocol has no field for them
				content += quorum.CallsText(m.Calls)
			}
			dst = appendString(append(dst, `,"content":`...), content)
			dst = append(dst, '}')
		}
		dst = append(dst, ']')
	}
	dst = appendString(append(dst, `,"context":{"tier":`...), d.Tier.String())
	dst = appendString(append(dst, `,"chamber":`...), d.Chamber)
	dst = appendString(append(dst, `,"cycle":`...), d.Cycle)
	dst = appendString(append(dst, `},"kind":`...), d.Kind.String())
	dst = append(dst, `,"options":[`...)
	for i, option := range d.Options {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, option)
	}
	dst = append(dst, ']')
	if due >= 0 {
		dst = append(dst, `,"deadlineMs":`...)
		dst = strconv.AppendInt(dst, due.Milliseconds(), 10)
	}
	return append(dst, '}')
}

// appendString appends s quoted. Admission let only valid UTF-8 in; anything
// else would be replaced, which is all that AppendQuote's error says.
func appendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}
