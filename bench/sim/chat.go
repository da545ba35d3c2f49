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
	Options  struct {
		Usage bool `json:"include_usage"`
	} `json:"stream_options"`
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

// decodeChat reads a chat completion request. This dialect has no kinds: they
// are known by what a system message asks for, as a model would.
func decodeChat(body []byte) (ask *Ask, request *chatRequest, err error) {
	request = new(chatRequest)
	if err := json.Unmarshal(body, request); err != nil {
		return nil, nil, err
	}
	ask = &Ask{Prompt: lastUser("", request.Messages)}
	for _, m := range request.Messages {
		if m.Role == "system" {
			ask.instruct(m.Content)
		}
	}
	return ask, request, nil
}

// instruct reads from a system message which kind of answer is wanted.
func (a *Ask) instruct(system string) {
	said := strings.ToLower(system)
	for _, hint := range []struct {
		words string
		kind  quorum.Kind
	}{
		{"approve|reject", quorum.VoteKind},
		{"exactly one option", quorum.Choice},
		{"the answer is a number", quorum.Number},
		{"the answer is a json value", quorum.JSON},
		{"the answer is a few words", quorum.Short},
		{"code in one fenced block", quorum.Code},
	} {
		if strings.Contains(said, hint.words) {
			a.Kind = hint.kind
			break
		}
	}
	if a.Kind != quorum.Choice {
		return
	}
	// Options are lettered lines, "A) Paris", here or in the prompt.
	for line := range strings.Lines(system + "\n" + a.Prompt) {
		if len(line) > 2 && line[0] == 'A'+byte(len(a.Options)) && strings.ContainsRune(").:", rune(line[1])) {
			a.Options = append(a.Options, line[:1])
		}
	}
	a.Prompt += "\n" + system // so that the mind sees what stands behind a letter
}

// ballot is a vote in a dialect that has no field for stances.
type ballot struct {
	Answer    string `json:"answer"`
	Rationale string `json:"rationale"`
}

func (s *server) chat(ctx *fasthttp.RequestCtx, n int64) {
	ask, request, err := decodeChat(ctx.PostBody())
	if err != nil {
		fail(ctx, fasthttp.StatusBadRequest, "malformed request")
		return
	}
	reply, ok := s.reply(ctx, ask, n)
	if reply.Stance != quorum.NoStance && reply.Rationale != "" {
		reply.Text = string(encode(ballot{reply.Stance.String(), reply.Rationale}))
	}
	switch {
	case !ok:
	case request.Stream:
		s.streamed(ctx, reply, request.Options.Usage)
	default:
		answer(ctx, fasthttp.StatusOK, completion(reply))
	}
}

func completion(reply Reply) chatReply {
	finished := "stop"
	return chatReply{
		ID: "chatcmpl-simulated", Object: "chat.completion", Model: reply.Model,
		Choices: []chatChoice{{Message: &chatMessage{"assistant", reply.Text}, FinishReason: &finished}},
		Usage:   used(reply),
	}
}

func used(reply Reply) *chatUsage {
	return &chatUsage{reply.Usage.InputTokens, reply.Usage.OutputTokens, reply.Usage.InputTokens + reply.Usage.OutputTokens}
}

// streamed sends reply as server-sent events, a few words each, and what it took
// if that is asked for.
func (s *server) streamed(ctx *fasthttp.RequestCtx, reply Reply, usage bool) {
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
		if !send(chatMessage{}, &finished) {
			return
		}
		if usage {
			chunk.Choices, chunk.Usage = nil, used(reply)
		}
		if !usage || event(w, chunk) {
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
