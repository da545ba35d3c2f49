package openai

import (
	"github.com/go-json-experiment/json"

	"github.com/kaizen-os/deliberation/fanout/dialect"
)

// assembly puts a streamed reply together. It is whole at [DONE], and only if
// the model said before it why it stopped: a server that lost its model half-way
// may say [DONE] too.
type assembly struct {
	dialect.Gather
	piece    completion
	chosen   bool // there was a choice
	finished bool // with a reason
}

// Event takes one piece.
func (s *assembly) Event(_, data []byte) (done bool, err error) {
	if string(data) == "[DONE]" {
		return true, s.whole()
	}
	w := &s.piece
	*w = completion{Choices: w.Choices[:0]}
	if json.Unmarshal(data, w) != nil {
		return false, dialect.ErrMalformed
	}
	if w.failed() {
		return false, dialect.ErrInStream
	}
	if w.Model != "" {
		s.Model = w.Model
	}
	if w.Usage != (usage{}) { // the last one is the total
		s.Input, s.Output = w.Usage.Prompt, w.Usage.Completion
	}
	for i := range w.Choices {
		c := &w.Choices[i]
		if c.Index != 0 {
			continue // nobody asked for another
		}
		if err := s.take(c); err != nil {
			return false, err
		}
	}
	return false, nil
}

func (s *assembly) take(c *choice) error {
	s.chosen = true
	if c.Delta.Refusal != "" {
		return dialect.ErrRefusal
	}
	if err := s.AddText(c.Delta.Content.text); err != nil {
		return err
	}
	for i := range c.Delta.ToolCalls {
		tc := &c.Delta.ToolCalls[i]
		key := int64(s.CallCount()) // without a number, what has a name begins a call
		switch {
		case tc.Index != nil:
			key = *tc.Index
		case tc.Function.Name == "" && key > 0:
			key--
		}
		if err := s.AddCall(key, tc.ID, tc.Function.Name, string(tc.Function.Arguments)); err != nil {
			return err
		}
	}
	if c.FinishReason == "" {
		return nil
	}
	cut, err := ended(c.FinishReason)
	s.finished, s.Cut = true, s.Cut || cut
	return err
}

func (s *assembly) whole() error {
	switch {
	case !s.chosen:
		return dialect.ErrNoChoice
	case !s.finished:
		return dialect.ErrUnfinished
	}
	return nil
}

// End is a stream without [DONE].
func (s *assembly) End() error { return dialect.ErrUnfinished }
