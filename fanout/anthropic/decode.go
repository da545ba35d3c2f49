package anthropic

import (
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/kaizen-os/deliberation/fanout/dialect"
	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

// message is the wire form of a reply, as far as it is read.
type message struct {
	Type       string  `json:"type"`
	Model      string  `json:"model"`
	Content    []block `json:"content"`
	StopReason string  `json:"stop_reason"`
	Usage      usage   `json:"usage"`
	Error      failure `json:"error"`
}

// block is a part of a reply. Of other types than text and tool_use, such as
// thinking, nothing is read.
type block struct {
	Type  string         `json:"type"`
	Text  string         `json:"text"`
	ID    string         `json:"id"`
	Name  string         `json:"name"`
	Input jsontext.Value `json:"input"`
}

// usage counts apart what was written to and read from the provider's cache.
type usage struct {
	Input   int64 `json:"input_tokens"`
	Written int64 `json:"cache_creation_input_tokens"`
	Read    int64 `json:"cache_read_input_tokens"`
	Output  int64 `json:"output_tokens"`
}

func (u *usage) input() int64 {
	for _, n := range [...]int64{u.Input, u.Written, u.Read} {
		if n < 0 || n > 1<<40 { // the sum must not pass for a count
			return -1
		}
	}
	return u.Input + u.Written + u.Read
}

type failure struct {
	Type string `json:"type"`
}

// ended says what a stop reason means: whether the reply was cut by a limit, or
// why it is none.
func ended(reason string) (cut bool, err error) {
	switch reason {
	case "max_tokens", "model_context_window_exceeded":
		return true, nil
	case "refusal":
		return false, dialect.ErrRefusal
	case "pause_turn": // of tools that run at the provider, which nobody asked for
		return false, dialect.ErrUnfinished
	}
	return false, nil
}

// DecodeReply reads a message that answers d into r's Text, Model and Usage. A
// refusal is an error of class upstream.Refused. On error, an *upstream.Error, r
// is as it was.
func DecodeReply(body []byte, d *quorum.Deliberation, r *quorum.Reply) error {
	var w message
	if json.Unmarshal(body, &w) != nil {
		return dialect.ErrMalformed
	}
	if w.Type == "error" {
		return dialect.ErrInStream
	}
	cut, err := ended(w.StopReason)
	if err != nil {
		return err
	}
	a := dialect.Answer{Model: w.Model, Input: w.Usage.input(), Output: w.Usage.Output, Cut: cut}
	said := false
	for i := range w.Content {
		switch b := &w.Content[i]; b.Type {
		case "text":
			a.Text, said = a.Text+b.Text, true
		case "tool_use":
			a.Calls = append(a.Calls, quorum.ToolCall{ID: b.ID, Name: b.Name, Arguments: dialect.Compact(b.Input)})
		}
	}
	if !said && len(a.Calls) == 0 && !cut {
		return dialect.ErrNoContent
	}
	return a.Fill(d, r)
}

// What an error event says, by its type.
var (
	errOverloaded = upstream.Error{Class: upstream.Status, Reason: "the provider is overloaded"}
	errTooMany    = upstream.Error{Class: upstream.RateLimited, Reason: "the provider's rate limit"}
)

// inStream explains an error that comes as an event. begun says that something of
// the reply had come before it: then a second call would be paid for twice.
func inStream(kind string, begun bool) error {
	e := upstream.Error{}
	switch kind {
	case "overloaded_error":
		e = errOverloaded
	case "rate_limit_error":
		e = errTooMany
	default:
		return dialect.ErrInStream
	}
	e.Retryable = !begun
	return &e
}

// explain adds to a 429 when the limits are free again, where the response says
// that and not when to come back. Its body is not looked at.
func explain(err error, resp *upstream.Response) error {
	e, ok := errors.AsType[*upstream.Error](err)
	if !ok || e.Class != upstream.RateLimited || e.RetryAfter > 0 {
		return err
	}
	e.RetryAfter = resetAfter(resp.Header, time.Now())
	return e
}

// resetAfter is how long the last of those limits is used up that are.
func resetAfter(header func(string) string, now time.Time) (after time.Duration) {
	for _, limit := range [...]string{"requests", "tokens", "input-tokens", "output-tokens"} {
		name := "anthropic-ratelimit-" + limit
		if strings.TrimSpace(header(name+"-remaining")) != "0" {
			continue
		}
		if at, err := time.Parse(time.RFC3339, header(name+"-reset")); err == nil {
			after = max(after, at.Sub(now))
		}
	}
	return min(after, upstream.MaxRetryAfter)
}
