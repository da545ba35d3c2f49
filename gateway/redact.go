package gateway

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

// Errors quote what was sent: a field that is not known, a value that is none.
// Clients log errors. So no personal data and no secret stands in one, nor in
// what is logged of it; what a client may read in an answer is another matter.

// redacted is e without personal data and secrets in its words.
func (g *Gateway) redacted(e wire.Error) wire.Error {
	e.DeliberationID = g.redactor.String(e.DeliberationID)
	e.Details = slices.Clone(e.Details) // others may hold it
	for i := range e.Details {
		d := &e.Details[i]
		field := g.redactor.String(d.Field)
		if strings.HasSuffix(d.Field, "…") {
			field = longName // cut short, so that nobody can tell what it is
		}
		if field != d.Field {
			e.Message = strings.ReplaceAll(e.Message, d.Field, field)
		}
		d.Field, d.Problem = field, g.redactor.String(d.Problem)
	}
	e.Message = g.redactor.String(e.Message)
	return e
}

// longName stands for a name that is longer than what is quoted of one.
const longName = "(a long name)"

// impersonal refuses a label that is some person's number or a key: labels are
// recorded as they are.
func (g *Gateway) impersonal(field, label string) error {
	if label == "" || g.redactor.String(label) == label {
		return nil
	}
	return &wire.Error{Code: wire.InvalidValue, Message: "a label is kept for good and must not be personal data or a secret",
		Details: []wire.Detail{{Field: field, Problem: "looks like personal data or a secret"}}}
}

// redactMCP is redacted for what the protocol's own library answers: any refusal
// of HTTP, an error of JSON-RPC, and a tool that says it failed.
func (g *Gateway) redactMCP(resp *fasthttp.Response) {
	body := resp.Body()
	switch {
	case resp.StatusCode() >= 400 && !bytes.HasPrefix(body, []byte("{")):
		resp.SetBodyString(g.foreignWords(string(body)))
	case resp.StatusCode() >= 400 || failedMCP(body):
		if clean, err := g.redactJSON(body); err == nil {
			resp.SetBody(clean)
		} else {
			resp.SetBodyString(g.foreignWords(string(body)))
		}
	}
}

// failedMCP reports whether a message says that a request or a tool failed. What a
// tool did answer is the caller's own, whatever words are in it. Several messages in
// one body, or what cannot be read, count as failed: nothing is quoted by mistake.
func failedMCP(body []byte) bool {
	var said struct {
		Error  jsontext.Value `json:"error"`
		Result struct {
			IsError bool `json:"isError"`
		} `json:"result"`
	}
	err := json.Unmarshal(body, &said)
	return err != nil || len(said.Error) > 0 || said.Result.IsError
}

// foreignWords is an error redacted that a library has put in its words. Of what
// it could not read it quotes the beginning, by which nobody can tell what it is.
func (g *Gateway) foreignWords(said string) string {
	for _, quotes := range [...]string{"malformed payload", "unmarshaling", "cannot unmarshal"} {
		if at := strings.Index(said, quotes); at >= 0 {
			said = said[:at] + "this is not what the protocol says"
		}
	}
	return g.redactor.String(said)
}

// redactJSON redacts each string of body, but for the request's own id, by which
// its answer is known, and names of members.
func (g *Gateway) redactJSON(body []byte) ([]byte, error) {
	var out bytes.Buffer
	from, to := jsontext.NewDecoder(bytes.NewReader(body)), jsontext.NewEncoder(&out)
	id := false
	for from.PeekKind() != 0 {
		tok, err := from.ReadToken()
		if err != nil {
			return nil, err
		}
		kind, length := from.StackIndex(from.StackDepth())
		name := kind == '{' && length%2 == 1
		if tok.Kind() == '"' && !name && !id {
			tok = jsontext.String(g.foreignWords(tok.String()))
		}
		id = name && from.StackDepth() == 1 && tok.String() == "id"
		if err := to.WriteToken(tok); err != nil {
			return nil, err
		}
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
