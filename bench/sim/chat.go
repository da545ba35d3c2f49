package sim

import (
	"bufio"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/quorum"
)

// OpenAI chat completions, as far as a gateway needs them.

type chatRequest struct {
	Model    string    `json:"model"`
	Messages []message `json:"messages"`
	Stream   bool      `json:"stream"`
}

type chatReply struct {
	ID      string       `json:"id"`
	Object  string       `json:"object"`
	Created int64        `json:"created"` // 0: a simulated companion has no clock
	Model   string       `json:"model"`
	Choices []chatChoice `json:"choices"`
	Usage   *chatUsage   `json:"usage,omitempty"`
}

type chatChoice struct {
	Index        int          `json:"index"`
	Message      *chatMessage `json:"message,omitempty"`
	Delta        *chatMessage `json:"delta,omitempty"`
	FinishReason *string      `json:"finish_reason"`
}

type chatMessage struct {
	Role    string `json:"role,omitempty"`
	Content string `json:"content"`
}

type chatUsage struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
	Total      int64 `json:"total_tokens"`
}

// decodeChat reads a chat completion request. This dialect has no kinds: a
// vote is known by its words, anything else is answered as text.
func decodeChat(body []byte) (ask *Ask, stream bool, err error) {
	var request chatRequest
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, false, err
	}
	ask = &Ask{Prompt: lastUser("", request.Messages)}
	for _, m := range request.Messages {
		said := strings.ToLower(m.Content)
		if strings.Contains(said, "approve") && strings.Contains(said, "reject") {
			ask.Kind = quorum.VoteKind
		}
	}
	return ask, request.Stream, nil
}

func (s *server) chat(ctx *fasthttp.RequestCtx, n int64) {
	ask, stream, err := decodeChat(ctx.PostBody())
	if err != nil {
		fail(ctx, fasthttp.StatusBadRequest, "malformed request")
		return
	}
	reply, ok := s.reply(ctx, ask, n)
	switch {
	case !ok:
	case stream:
		s.streamed(ctx, reply)
	default:
		answer(ctx, fasthttp.StatusOK, completion(reply))
	}
}

func completion(reply Reply) chatReply {
	finished := "stop"
	return chatReply{
		ID: "chatcmpl-simulated", Object: "chat.completion", Model: reply.Model,
		Choices: []chatChoice{{Message: &chatMessage{"assistant", reply.Text}, FinishReason: &finished}},
		Usage: &chatUsage{
			reply.Usage.InputTokens, reply.Usage.OutputTokens, reply.Usage.InputTokens + reply.Usage.OutputTokens,
		},
	}
}

// streamed sends reply as server-sent events, a few words each.
func (s *server) streamed(ctx *fasthttp.RequestCtx, reply Reply) {
	ctx.SetContentType("text/event-stream")
	ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		chunk := chatReply{ID: "chatcmpl-simulated", Object: "chat.completion.chunk", Model: reply.Model}
		send := func(delta chatMessage, finish *string) bool {
			chunk.Choices = []chatChoice{{Delta: &delta, FinishReason: finish}}
			return event(w, chunk)
		}
		if !send(chatMessage{Role: "assistant"}, nil) {
			return
		}
		for rest := reply.Text; rest != ""; {
			end := min(len(rest), 24)
			for end < len(rest) && rest[end] != ' ' { // never inside a character
				end++
			}
			if !send(chatMessage{Content: rest[:end]}, nil) {
				return
			}
			rest = rest[end:]
		}
		finished := "stop"
		if send(chatMessage{}, &finished) {
			// Nothing is left to do when the client has gone.
			_, _ = w.WriteString("data: [DONE]\n\n")
		}
	})
}

// event writes one server-sent event and reports whether the client still listens.
func event(w *bufio.Writer, body any) bool {
	encoded, err := json.Marshal(body)
	if err != nil {
		return false
	}
	for _, part := range [][]byte{[]byte("data: "), encoded, []byte("\n\n")} {
		if _, err := w.Write(part); err != nil {
			return false
		}
	}
	return w.Flush() == nil
}
