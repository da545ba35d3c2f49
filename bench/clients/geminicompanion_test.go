package clients

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"google.golang.org/genai"
)

// generateContent is a request's body; the SDK has types for all its members, and
// none for the whole.
type generateContent struct {
	Contents          []*genai.Content        `json:"contents,omitempty"`
	SystemInstruction *genai.Content          `json:"systemInstruction,omitempty"`
	Tools             []*genai.Tool           `json:"tools,omitempty"`
	ToolConfig        *genai.ToolConfig       `json:"toolConfig,omitempty"`
	GenerationConfig  *genai.GenerationConfig `json:"generationConfig,omitempty"`
}

// gemini answers POST /v1beta/models/{model}:generateContent in genai's types.
func (c *companion) gemini(w http.ResponseWriter, r *http.Request, body []byte) {
	model, method, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1beta/models/"), ":")
	if r.Header.Get("X-Goog-Api-Key") != companionKey || method == "streamGenerateContent" && r.URL.Query().Get("alt") != "sse" {
		c.failGemini(w, http.StatusUnauthorized)
		return
	}
	// Google's servers read bytes in either alphabet of base64, genai in one.
	body = bytes.ReplaceAll(body, []byte(`"skip_thought_signature_validator"`), []byte(`"skip/thought/signature/validator"`))
	var p generateContent
	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&p); err != nil {
		c.panel.t.Errorf("%s: %v: %s", c.id, err, body)
	}
	c.understood(body, p)
	q := readGemini(&p)
	q.streamed = method == "streamGenerateContent"
	s, ok := c.reply(r, q)
	if !ok {
		return
	}
	if s.fails != 0 {
		c.failGemini(w, s.fails)
		return
	}
	usage := &genai.GenerateContentResponseUsageMetadata{PromptTokenCount: inputTokens, CandidatesTokenCount: outputTokens, TotalTokenCount: inputTokens + outputTokens}
	var calls []*genai.Part
	for _, call := range s.calls {
		var args map[string]any
		if err := json.Unmarshal([]byte(call.arguments), &args); err != nil {
			panic("bug: " + err.Error())
		}
		calls = append(calls, &genai.Part{FunctionCall: &genai.FunctionCall{Name: call.name, Args: args}, ThoughtSignature: []byte("thought")})
	}
	piece := func(finish genai.FinishReason, u *genai.GenerateContentResponseUsageMetadata, parts ...*genai.Part) []byte {
		return written(genai.GenerateContentResponse{ModelVersion: model + "-2026", UsageMetadata: u,
			Candidates: []*genai.Candidate{{Content: &genai.Content{Role: "model", Parts: parts}, FinishReason: finish}}})
	}
	if !q.streamed {
		if s.text != "" {
			calls = append([]*genai.Part{{Text: s.text}}, calls...)
		}
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		w.Write(piece(genai.FinishReasonStop, usage, calls...))
		return
	}
	out := newEvents(w)
	for i, half := range halves(s.text) {
		if s.broken && i == 1 {
			out.send("", written(map[string]any{"error": genai.APIError{Code: 503, Message: "gone", Status: "UNAVAILABLE"}}))
			return
		}
		if half != "" {
			out.send("", piece("", nil, &genai.Part{Text: half}))
		}
	}
	out.send("", piece(genai.FinishReasonStop, usage, calls...))
}

func (c *companion) failGemini(w http.ResponseWriter, status int) {
	e := genai.APIError{Code: status, Message: "not now", Status: "UNAVAILABLE"}
	switch status {
	case http.StatusTooManyRequests:
		e.Status = "RESOURCE_EXHAUSTED"
		e.Details = []map[string]any{{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "60s"}}
	case http.StatusUnauthorized:
		e.Status = "UNAUTHENTICATED"
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	w.Write(written(map[string]any{"error": e}))
}

func readGemini(p *generateContent) *question {
	q := &question{heat: -1}
	if p.SystemInstruction != nil {
		for _, part := range p.SystemInstruction.Parts {
			q.system += part.Text
		}
	}
	for _, content := range p.Contents {
		said := turn{role: strings.Replace(content.Role, "model", "assistant", 1)}
		for _, part := range content.Parts {
			switch {
			case part.FunctionCall != nil:
				arguments, _ := json.Marshal(part.FunctionCall.Args)
				said.calls = append(said.calls, call{"", part.FunctionCall.Name, string(arguments)})
			case part.FunctionResponse != nil:
				text, ok := part.FunctionResponse.Response["result"].(string)
				if !ok {
					raw, _ := json.Marshal(part.FunctionResponse.Response)
					text = string(raw)
				}
				q.turns = append(q.turns, turn{role: "tool", callID: part.FunctionResponse.Name, text: text})
			default:
				said.text += part.Text
			}
		}
		if said.text != "" || said.calls != nil {
			q.turns = append(q.turns, said)
		}
	}
	for _, t := range p.Tools {
		for _, f := range t.FunctionDeclarations {
			q.tools = append(q.tools, tool{f.Name, f.ParametersJsonSchema})
		}
	}
	if p.ToolConfig != nil {
		switch f := p.ToolConfig.FunctionCallingConfig; {
		case f.Mode == genai.FunctionCallingConfigModeNone:
			q.choice = "none"
		case len(f.AllowedFunctionNames) > 0:
			q.choice = f.AllowedFunctionNames[0]
		case f.Mode == genai.FunctionCallingConfigModeAny:
			q.choice = "required"
		}
	}
	if g := p.GenerationConfig; g != nil {
		q.stop, q.schema = g.StopSequences, g.ResponseJsonSchema
		q.object = g.ResponseMIMEType == "application/json" && g.ResponseJsonSchema == nil
		if g.Temperature != nil {
			q.heat = float64(*g.Temperature)
		}
	}
	return q
}
