package sim

import (
	"bytes"
	"crypto/subtle"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/quorum"
)

const (
	deliberatePath = "/v1/deliberate"
	chatPath       = "/v1/chat/completions"
	validatePath   = "/constitutional/validate"
	healthPath     = "/health"
)

// handle serves one companion's routes.
func (s *server) handle(ctx *fasthttp.RequestCtx) {
	path := string(ctx.Path())
	asksForReply := path == deliberatePath || path == chatPath
	n := int64(0)
	if asksForReply {
		n = s.asked.Add(1)
	}
	if f := Fault(s.fault.Load()); f != NoFault {
		s.misbehave(ctx, f)
		return
	}
	if path == healthPath {
		// Health needs no key: it is what a load balancer asks.
		answer(ctx, fasthttp.StatusOK, healthReply{"healthy", s.companion.Latency.low.Milliseconds()})
		return
	}
	if !s.authorised(ctx) {
		fail(ctx, fasthttp.StatusUnauthorized, "wrong or missing key")
		return
	}
	switch {
	case asksForReply && !ctx.IsPost(), path == validatePath && !ctx.IsPost():
		fail(ctx, fasthttp.StatusMethodNotAllowed, "want POST")
	case path == deliberatePath:
		s.deliberate(ctx, n)
	case path == chatPath:
		s.chat(ctx, n)
	case path == validatePath:
		s.validate(ctx)
	default:
		fail(ctx, fasthttp.StatusNotFound, "no such path")
	}
}

func (s *server) authorised(ctx *fasthttp.RequestCtx) bool {
	if s.companion.Key == "" {
		return true
	}
	given, _ := bytes.CutPrefix(ctx.Request.Header.Peek("Authorization"), []byte("Bearer "))
	return subtle.ConstantTimeCompare(given, []byte(s.companion.Key)) == 1
}

type healthReply struct {
	Status  string `json:"status"`
	Latency int64  `json:"latency"` // milliseconds
}

// deliberateRequest is what of the native protocol's request matters here;
// other fields are ignored.
type deliberateRequest struct {
	Prompt   string    `json:"prompt"`
	Messages []message `json:"messages"`
	Kind     string    `json:"kind"`
	Options  []string  `json:"options"`
	Context  struct {
		Tier string `json:"tier"`
	} `json:"context"`
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

type deliberateReply struct {
	Response   string    `json:"response"`
	Stance     string    `json:"stance,omitempty"`
	Confidence *float64  `json:"confidence,omitempty"`
	Rationale  string    `json:"rationale,omitempty"`
	Model      string    `json:"model"`
	Usage      wireUsage `json:"usage"`
}

type wireUsage struct {
	Input  int64 `json:"inputTokens"`
	Output int64 `json:"outputTokens"`
}

// decodeDeliberate reads a request of the native protocol.
func decodeDeliberate(body []byte) (*Ask, error) {
	var request deliberateRequest
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	kind, err := quorum.ParseKind(request.Kind)
	if err != nil {
		return nil, err
	}
	return &Ask{
		Prompt: lastUser(request.Prompt, request.Messages),
		Kind:   kind, Options: request.Options, Tier: request.Context.Tier,
	}, nil
}

// lastUser is prompt, or the last thing the user said.
func lastUser(prompt string, messages []message) string {
	if prompt != "" {
		return prompt
	}
	for i := len(messages) - 1; i >= 0; i-- {
		if messages[i].Role == "user" {
			return messages[i].Content
		}
	}
	return ""
}

func (s *server) deliberate(ctx *fasthttp.RequestCtx, n int64) {
	ask, err := decodeDeliberate(ctx.PostBody())
	if err != nil {
		fail(ctx, fasthttp.StatusBadRequest, "malformed request")
		return
	}
	reply, ok := s.reply(ctx, ask, n)
	if !ok {
		return
	}
	answer(ctx, fasthttp.StatusOK, native(reply))
}

func native(reply Reply) deliberateReply {
	out := deliberateReply{
		Response: reply.Text, Stance: reply.Stance.String(), Rationale: reply.Rationale,
		Model: reply.Model, Usage: wireUsage{reply.Usage.InputTokens, reply.Usage.OutputTokens},
	}
	if reply.Confidence >= 0 {
		out.Confidence = &reply.Confidence
	}
	return out
}

// reply takes the companion's time and then says what it says; where it cannot,
// it has answered with an error and reports false.
func (s *server) reply(ctx *fasthttp.RequestCtx, ask *Ask, n int64) (Reply, bool) {
	if !s.pause(s.latency(n)) {
		fail(ctx, fasthttp.StatusServiceUnavailable, "closing")
		return Reply{}, false
	}
	reply, err := s.voice.Reply(ask)
	if err != nil {
		fail(ctx, fasthttp.StatusNotFound, err.Error())
		return Reply{}, false
	}
	if reply.Model == "" {
		reply.Model = s.companion.Model
	}
	return reply, true
}

type validateRequest struct {
	Response string `json:"response"`
	Tier     string `json:"tier"`
}

type validateReply struct {
	Score      int         `json:"score"`
	Violations []violation `json:"violations"`
}

type violation struct {
	Clause int    `json:"clause"`
	Reason string `json:"reason"`
}

// validate is a simulated charter judge: it knows a dozen words and no more.
func (s *server) validate(ctx *fasthttp.RequestCtx) {
	var request validateRequest
	if err := json.Unmarshal(ctx.PostBody(), &request); err != nil || request.Response == "" {
		fail(ctx, fasthttp.StatusBadRequest, "malformed request")
		return
	}
	if !s.pause(s.latency(s.asked.Load())) {
		fail(ctx, fasthttp.StatusServiceUnavailable, "closing")
		return
	}
	answer(ctx, fasthttp.StatusOK, judge(request.Response))
}

// harmful words with the charter's clause that they may break.
var harmful = []struct {
	word   string
	clause int
}{
	{"worthless", 1}, {"subhuman", 1}, {"conceal", 2}, {"deceive", 2}, {"inferior", 3}, {"explosive", 4}, {"poison", 4},
	{"weapon", 4}, {"password", 5}, {"ssn", 5}, {"rig", 6}, {"coup", 6},
}

func judge(text string) validateReply {
	out := validateReply{Score: 97, Violations: []violation{}}
	said := " " + strings.Join(words(text), " ") + " "
	for _, h := range harmful {
		if strings.Contains(said, " "+h.word+" ") {
			out.Score = 60
			out.Violations = append(out.Violations, violation{h.clause, "simulated judge: a word on its list"})
		}
	}
	return out
}

type failure struct {
	Error struct {
		Message string `json:"message"`
	} `json:"error"`
}

func fail(ctx *fasthttp.RequestCtx, status int, message string) {
	var body failure
	body.Error.Message = message
	answer(ctx, status, body)
}

func answer(ctx *fasthttp.RequestCtx, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		// What a companion says may come from a file: invalid UTF-8 is the
		// file's fault, and the only way here.
		status, encoded = fasthttp.StatusInternalServerError, []byte(`{"error":{"message":"the reply is not UTF-8"}}`)
	}
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	ctx.Response.SetBodyRaw(encoded)
}
