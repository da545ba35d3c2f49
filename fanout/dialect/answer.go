package dialect

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/kaizen-os/deliberation/quorum"
)

// maxTokens is the largest count of tokens that is believed. It keeps the cost
// of a reply far from overflow.
const maxTokens = 1_000_000_000

// An Answer is a model's reply, whole, whatever dialect it came in.
type Answer struct {
	Text   string
	Calls  []quorum.ToolCall
	Model  string
	Input  int64 // tokens, those read from a cache included
	Output int64 // tokens, those of reasoning included
	Cut    bool  // it ran into a limit of tokens
}

// Fill holds a against what d asked for and puts it into r's Text, Model and
// Usage. On error, an *upstream.Error, r is as it was.
func (a *Answer) Fill(d *quorum.Deliberation, r *quorum.Reply) error {
	for _, n := range [...]int64{a.Input, a.Output} {
		if n < 0 || n > maxTokens {
			return ErrTokens
		}
	}
	g := d.Generation
	text := a.Text
	switch {
	case len(a.Calls) > 0:
		calls, err := a.calls(g)
		if err != nil {
			return err
		}
		text = quorum.CallsText(calls)
	case text == "" && a.Cut:
		return ErrNoRoom
	case g != nil:
		if len(g.Tools) > 0 && g.ToolChoice >= quorum.ToolRequired {
			return ErrNoCall
		}
		text = cutAt(text, g.Stop)
	}
	r.Text, r.Model = text, a.Model
	r.Usage.InputTokens, r.Usage.OutputTokens = a.Input, a.Output
	return nil
}

// calls are a's, as many as g allows. Arguments that a limit cut off are no
// answer; others that are no JSON are the client's to judge.
func (a *Answer) calls(g *quorum.Generation) ([]quorum.ToolCall, error) {
	for i, c := range a.Calls {
		switch {
		case c.Name == "":
			return nil, ErrCall
		case g == nil || g.ToolChoice == quorum.ToolNone || !offers(g, c.Name):
			return nil, ErrNotOffered
		case a.Cut && i == len(a.Calls)-1 && !json.Valid([]byte(c.Arguments)):
			return nil, ErrNoRoom
		}
	}
	if g.OneCall {
		return a.Calls[:1], nil
	}
	return a.Calls, nil
}

func offers(g *quorum.Generation, name string) bool {
	return slices.ContainsFunc(g.Tools, func(t quorum.Tool) bool { return t.Name == name })
}

// cutAt ends text before the first of stops in it: for models that do not know
// stop sequences. Where they do there is nothing left to cut.
func cutAt(text string, stops []string) string {
	for _, stop := range stops {
		if at := strings.Index(text, stop); at >= 0 && stop != "" {
			text = text[:at]
		}
	}
	return text
}
