package dialect

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kaizen-os/deliberation/quorum"
)

// AppendString appends s quoted. Admission let only valid UTF-8 in; anything
// else would be replaced, which is all that AppendQuote's error says.
func AppendString[Text string | []byte](dst []byte, s Text) []byte {
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}

// AppendStrings appends a list of them.
func AppendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, s)
	}
	return append(dst, ']')
}

// AppendDecimal appends v as a JSON number, exactly.
func AppendDecimal(dst []byte, v quorum.PPM) []byte {
	dst = strconv.AppendInt(dst, int64(v/quorum.One), 10)
	if rest := v % quorum.One; rest != 0 {
		digits := strconv.AppendInt(nil, int64(quorum.One+rest), 10) // 1 and six digits
		dst = append(append(dst, '.'), bytes.TrimRight(digits[1:], "0")...)
	}
	return dst
}

// AppendJSON appends JSON that a client wrote, or instead where it is none or
// not of the kind that is wanted: '{' for an object, 0 for any.
func AppendJSON[Text string | []byte](dst []byte, doc Text, kind jsontext.Kind, instead string) []byte {
	v := jsontext.Value(bytes.TrimSpace([]byte(doc)))
	if !v.IsValid() || kind != 0 && v.Kind() != kind {
		return append(dst, instead...)
	}
	return append(dst, v...)
}

// Compact is JSON that a provider sent, without white space: whatever it is
// indented by is not the model's word.
func Compact(v jsontext.Value) string {
	_ = v.Compact() // it has been parsed, so it is valid
	return string(v)
}

// Limit is the bound on a reply's tokens: what the operator configured, and less
// where a client asks for less. 0 is none.
func Limit(configured int, g *quorum.Generation) int64 {
	limit := int64(configured)
	if g != nil && g.MaxTokens > 0 && (limit == 0 || g.MaxTokens < limit) {
		limit = g.MaxTokens
	}
	return limit
}
