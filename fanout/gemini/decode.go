package gemini

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

// response is the wire form of a reply and of a streamed piece of one, as far as
// they are read.
type response struct {
	Candidates []candidate `json:"candidates"`
	Feedback   struct {
		BlockReason string `json:"blockReason"`
	} `json:"promptFeedback"`
	Usage usage          `json:"usageMetadata"`
	Model string         `json:"modelVersion"`
	Error jsontext.Value `json:"error"`
}

type candidate struct {
	Content struct {
		Parts []part `json:"parts"`
	} `json:"content"`
	FinishReason string `json:"finishReason"`
	Index        int64  `json:"index"`
}

// part of a reply. Those that are thoughts are not read.
type part struct {
	Text    *string `json:"text"`
	Thought bool    `json:"thought"`
	Call    *struct {
		ID   string         `json:"id"`
		Name string         `json:"name"`
		Args jsontext.Value `json:"args"`
	} `json:"functionCall"`
}

// usage counts reasoning apart, and what was read from the provider's cache among
// the prompt's.
type usage struct {
	Prompt   int64 `json:"promptTokenCount"`
	Tools    int64 `json:"toolUsePromptTokenCount"`
	Output   int64 `json:"candidatesTokenCount"`
	Thoughts int64 `json:"thoughtsTokenCount"`
}

// sum of two counts, or -1 where one of them cannot be a count.
func sum(a, b int64) int64 {
	if a < 0 || b < 0 || a > 1<<40 || b > 1<<40 {
		return -1
	}
	return a + b
}

// ended says what a finish reason means: whether the reply was cut by a limit, or
// why it is none.
func ended(reason string) (cut bool, err error) {
	switch reason {
	case "MAX_TOKENS":
		return true, nil
	case "SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "RECITATION", "IMAGE_SAFETY", "LANGUAGE":
		return false, dialect.ErrFiltered
	case "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS":
		return false, dialect.ErrCall
	case "OTHER":
		return false, dialect.ErrInStream
	}
	return false, nil
}

// DecodeReply reads a response that answers d into r's Text, Model and Usage. What
// a filter stopped, prompt or reply, is an error of class upstream.Refused. On
// error, an *upstream.Error, r is as it was.
func DecodeReply(body []byte, d *quorum.Deliberation, r *quorum.Reply) error {
	s := assembly{Gather: dialect.Gather{Limit: len(body)}}
	if _, err := s.Event(nil, body); err != nil {
		return err
	}
	if err := s.whole(); err != nil {
		return err
	}
	return s.Fill(d, r)
}

// explain gives an error status the meaning that its body alone tells: that it is
// the key that is wrong, or when to come back. Nothing else of the body is looked
// at or kept.
func explain(err error, body []byte) error {
	status, ok := errors.AsType[*upstream.Error](err)
	if !ok || status.Class != upstream.BadRequest && status.Class != upstream.RateLimited {
		return err
	}
	var w struct {
		Error struct {
			Details []struct {
				Type       string         `json:"@type"`
				Reason     jsontext.Value `json:"reason"`
				RetryDelay jsontext.Value `json:"retryDelay"`
			} `json:"details"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &w) != nil {
		return err
	}
	for _, detail := range w.Error.Details {
		switch {
		case status.Class == upstream.BadRequest && string(detail.Reason) == `"API_KEY_INVALID"`:
			status.Class = upstream.Refused
		case status.Class == upstream.RateLimited && status.RetryAfter == 0 && strings.HasSuffix(detail.Type, "/google.rpc.RetryInfo"):
			if after, err := time.ParseDuration(strings.Trim(string(detail.RetryDelay), `"`)); err == nil {
				status.RetryAfter = min(max(after, 0), upstream.MaxRetryAfter)
			}
		}
	}
	return status
}
