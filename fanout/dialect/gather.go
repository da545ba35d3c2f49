package dialect

import "github.com/kaizen-os/deliberation/quorum"

// maxCalls is how many tools one reply may call.
const maxCalls = 128

// A Gather puts a reply together from the pieces of a stream. The Answer that it
// carries has what is not in pieces.
type Gather struct {
	Answer
	Limit int // bytes of text and calls

	text  []byte
	calls []gathered
	size  int
}

type gathered struct {
	key       int64 // the provider's number of it
	id, name  string
	arguments []byte
}

// AddText appends a piece of the text.
func (g *Gather) AddText(piece string) error {
	g.text = append(g.text, piece...)
	return g.grow(len(piece))
}

// AddCall appends to the call with the given number, which its first piece
// begins: names and ids come whole, arguments in pieces.
func (g *Gather) AddCall(key int64, id, name, arguments string) error {
	at := 0
	for at < len(g.calls) && g.calls[at].key != key {
		at++
	}
	if at == len(g.calls) {
		if at == maxCalls {
			return ErrTooLarge
		}
		g.calls = append(g.calls, gathered{key: key})
	}
	c := &g.calls[at]
	if c.id == "" {
		c.id = id
	}
	if c.name == "" {
		c.name = name
	}
	c.arguments = append(c.arguments, arguments...)
	return g.grow(len(id) + len(name) + len(arguments))
}

func (g *Gather) grow(n int) error {
	if g.size += n; g.size > g.Limit {
		return ErrTooLarge
	}
	return nil
}

// Begun reports whether anything of the reply has come.
func (g *Gather) Begun() bool { return g.size > 0 || len(g.calls) > 0 }

// CallCount is how many calls have begun.
func (g *Gather) CallCount() int { return len(g.calls) }

// Fill is [Answer.Fill] of what was gathered.
func (g *Gather) Fill(d *quorum.Deliberation, r *quorum.Reply) error {
	a := g.Answer
	a.Text = string(g.text)
	for _, c := range g.calls {
		a.Calls = append(a.Calls, quorum.ToolCall{ID: c.id, Name: c.name, Arguments: string(c.arguments)})
	}
	return a.Fill(d, r)
}
