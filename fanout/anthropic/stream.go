package anthropic

import (
	"github.com/go-json-experiment/json"

	"github.com/kaizen-os/deliberation/fanout/dialect"
)

// event is the wire form of a streamed piece, as far as it is read. Its type
// stands in it, and in the event's name again.
type event struct {
	Type    string  `json:"type"`
	Index   int64   `json:"index"`
	Message message `json:"message"`       // of message_start
	Block   block   `json:"content_block"` // of content_block_start
	Delta   struct {
		Type       string `json:"type"`
		Text       string `json:"text"`
		Partial    string `json:"partial_json"`
		StopReason string `json:"stop_reason"`
	} `json:"delta"` // of content_block_delta and message_delta
	Usage usage   `json:"usage"` // of message_delta: the totals so far
	Error failure `json:"error"`
}

// assembly puts a streamed reply together. It is whole at message_stop.
type assembly struct {
	dialect.Gather
	piece    event
	usage    usage
	said     bool // there was a block of text, though it may be empty
	finished bool // with a reason
}

// Event takes one piece.
func (s *assembly) Event(_, data []byte) (done bool, err error) {
	e := &s.piece
	*e = event{}
	if json.Unmarshal(data, e) != nil {
		return false, dialect.ErrMalformed
	}
	switch e.Type {
	case "message_start":
		s.Model = e.Message.Model
		s.count(&e.Message.Usage)
	case "content_block_start":
		return false, s.begin(e)
	case "content_block_delta":
		switch e.Delta.Type {
		case "text_delta":
			return false, s.AddText(e.Delta.Text)
		case "input_json_delta":
			return false, s.AddCall(e.Index, "", "", e.Delta.Partial)
		}
	case "message_delta":
		s.count(&e.Usage)
		if e.Delta.StopReason != "" {
			s.finished = true
			s.Cut, err = ended(e.Delta.StopReason)
			return false, err
		}
	case "message_stop":
		return true, s.whole()
	case "error":
		return false, inStream(e.Error.Type, s.Begun())
	}
	return false, nil // ping, content_block_stop, and what is yet to be invented
}

func (s *assembly) begin(e *event) error {
	switch e.Block.Type {
	case "text":
		s.said = true
		return s.AddText(e.Block.Text)
	case "tool_use":
		return s.AddCall(e.Index, e.Block.ID, e.Block.Name, "") // its input comes in pieces
	}
	return nil
}

// count takes totals; what an event does not say stays.
func (s *assembly) count(u *usage) {
	for _, n := range [...]struct {
		to   *int64
		from int64
	}{{&s.usage.Input, u.Input}, {&s.usage.Written, u.Written}, {&s.usage.Read, u.Read}, {&s.usage.Output, u.Output}} {
		if n.from != 0 {
			*n.to = n.from
		}
	}
	s.Input, s.Output = s.usage.input(), s.usage.Output
}

func (s *assembly) whole() error {
	switch {
	case !s.finished:
		return dialect.ErrUnfinished
	case !s.said && s.CallCount() == 0 && !s.Cut:
		return dialect.ErrNoContent
	}
	return nil
}

// End is a stream without message_stop.
func (s *assembly) End() error { return dialect.ErrUnfinished }
