package gemini

import (
	"github.com/go-json-experiment/json"

	"github.com/kaizen-os/deliberation/fanout/dialect"
)

// assembly puts a reply together from its pieces, of which one that is not
// streamed has one. It is whole when there was a finish reason, and the stream has
// ended.
type assembly struct {
	dialect.Gather
	piece    response
	chosen   bool // there was a candidate
	said     bool // there was a part that counts, though it may be empty
	finished bool // with a reason
}

// Event takes one piece. It is never the last: what was used may come after the
// reason.
func (s *assembly) Event(_, data []byte) (done bool, err error) {
	w := &s.piece
	*w = response{}
	if json.Unmarshal(data, w) != nil {
		return false, dialect.ErrMalformed
	}
	switch {
	case w.Error.Kind() == '{':
		return false, dialect.ErrInStream
	case w.Feedback.BlockReason != "":
		return false, dialect.ErrFiltered
	}
	if w.Model != "" {
		s.Model = w.Model
	}
	if w.Usage != (usage{}) { // the last one is the total
		s.Input, s.Output = sum(w.Usage.Prompt, w.Usage.Tools), sum(w.Usage.Output, w.Usage.Thoughts)
	}
	for i := range w.Candidates {
		c := &w.Candidates[i]
		if c.Index != 0 {
			continue // nobody asked for another
		}
		if err := s.take(c); err != nil {
			return false, err
		}
	}
	return false, nil
}

func (s *assembly) take(c *candidate) error {
	s.chosen = true
	for i := range c.Content.Parts {
		switch p := &c.Content.Parts[i]; {
		case p.Call != nil:
			// A call comes whole.
			if err := s.AddCall(int64(s.CallCount()), p.Call.ID, p.Call.Name, dialect.Compact(p.Call.Args)); err != nil {
				return err
			}
		case p.Text != nil && !p.Thought:
			s.said = true
			if err := s.AddText(*p.Text); err != nil {
				return err
			}
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
	case !s.said && s.CallCount() == 0 && !s.Cut:
		return dialect.ErrNoContent
	}
	return nil
}

// End is the end of the stream.
func (s *assembly) End() error { return s.whole() }
