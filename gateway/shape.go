package gateway

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring/form"
)

// converse puts a request's conversation into d. What is scored, committed to and
// compared with is the whole of it, and with it the tools and the schema that
// companions are told of: what is asked for could stand there as well.
func converse(d *quorum.Deliberation, req *wire.Request) {
	if len(req.Messages) == 0 {
		return
	}
	d.Messages = make([]quorum.Message, len(req.Messages))
	whole := make([]string, 0, len(req.Messages)+4)
	for i := range req.Messages {
		m := &req.Messages[i]
		to := &d.Messages[i]
		to.Role, to.Content, to.CallID = m.Role, m.Content, m.CallID
		if len(m.Calls) == 0 {
			whole = append(whole, m.Content)
			continue
		}
		for _, c := range m.Calls {
			to.Calls = append(to.Calls, quorum.ToolCall{ID: c.ID, Name: c.Name, Arguments: c.Arguments})
		}
		if m.Content != "" {
			whole = append(whole, m.Content)
		}
		whole = append(whole, quorum.CallsText(to.Calls))
	}
	if g := req.Generation; g != nil {
		for i := range g.Tools {
			t := &g.Tools[i]
			whole = append(whole, strings.TrimSpace(t.Name+": "+t.Description+"\n"+string(t.Parameters)))
		}
		if len(g.Schema) > 0 {
			whole = append(whole, string(g.Schema))
		}
	}
	d.Prompt = strings.Join(whole, "\n\n")
}

// shape puts into d how replies are to be made, and gives the form that they are
// held to.
func shape(d *quorum.Deliberation, req *wire.Request) (*form.Form, error) {
	g := req.Generation
	if g == nil {
		return nil, nil
	}
	to := &quorum.Generation{
		MaxTokens: g.MaxTokens, Temperature: quorum.NotGiven, TopP: quorum.NotGiven, Stop: g.Stop, Seed: g.Seed, Seeded: g.Seeded,
		Schema: g.Schema, SchemaName: g.SchemaName, ToolName: g.ToolName, OneCall: g.OneCall,
	}
	if g.Temperature >= 0 {
		to.Temperature = quorum.PPM(g.Temperature)
	}
	if g.TopP >= 0 {
		to.TopP = quorum.PPM(g.TopP)
	}
	switch g.Format {
	case wire.FormatJSON:
		to.Format = quorum.FormatJSON
	case wire.FormatSchema:
		to.Format = quorum.FormatSchema
	}
	switch g.ToolChoice {
	case wire.ToolNone:
		to.ToolChoice = quorum.ToolNone
	case wire.ToolRequired:
		to.ToolChoice = quorum.ToolRequired
	case wire.ToolNamed:
		to.ToolChoice = quorum.ToolNamed
	}
	for _, t := range g.Tools {
		to.Tools = append(to.Tools, quorum.Tool{Name: t.Name, Description: t.Description, Parameters: t.Parameters, Strict: t.Strict})
	}
	d.Generation = to
	f, err := form.New(to)
	if p, ok := errors.AsType[*form.Problem](err); ok {
		field := g.SchemaField
		if p.Tool >= 0 {
			field = fmt.Sprintf(g.ParamsField, p.Tool)
		}
		return nil, &wire.Error{Code: wire.InvalidValue, Message: field + ": " + p.What, Details: []wire.Detail{{Field: field, Problem: p.What}}}
	}
	return f, err
}
