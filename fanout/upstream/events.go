package upstream

import "bytes"

// A Sink takes the events of a streamed reply, in their order.
type Sink interface {
	// Event takes one event and keeps neither slice. done says that the reply is
	// whole: nothing after it is read. An error ends the call and is the call's.
	Event(name, data []byte) (done bool, err error)
	// End is called when the stream ends before an event said that it is done,
	// and says what is missing, or nil where a dialect's streams just end.
	End() error
}

// events finds server-sent events in a stream that comes in pieces of any
// length. Of their fields only event and data are kept; comments, ids and retry
// times mean nothing to us.
type events struct {
	limit int    // bytes of one event
	line  []byte // begun and not ended
	name  []byte
	data  []byte // each of its lines with a line feed
	begun bool   // past the first line, which may start with a byte order mark
	cr    bool   // the last byte was a carriage return: a line feed after it is no line
}

func (e *events) reset(limit int) {
	*e = events{limit: limit, line: e.line[:0], name: e.name[:0], data: e.data[:0]}
}

// errEvent is an event over the limit.
var errEvent = &Error{Class: TooLarge, Reason: "reply over the size limit"}

// feed takes the next piece and hands every event that it completes to sink,
// until sink is done or fails.
func (e *events) feed(piece []byte, sink Sink) (done bool, err error) {
	for len(piece) > 0 {
		if e.cr {
			e.cr = false
			if piece[0] == '\n' {
				piece = piece[1:]
				continue
			}
		}
		end := bytes.IndexByte(piece, '\n')
		if end < 0 {
			end = len(piece)
		}
		if at := bytes.IndexByte(piece[:end], '\r'); at >= 0 {
			end, e.cr = at, true
		}
		if len(e.line)+len(e.data)+len(e.name)+end > e.limit {
			return false, errEvent
		}
		if end == len(piece) {
			e.line = append(e.line, piece...)
			return false, nil
		}
		line := piece[:end]
		if len(e.line) > 0 { // rare: most lines come whole, and are read where they lie
			e.line = append(e.line, line...)
			line = e.line
		}
		piece = piece[end+1:]
		done, err = e.take(line, sink)
		e.line = e.line[:0]
		if done || err != nil {
			return done, err
		}
	}
	return false, nil
}

// end takes the end of the stream. An event that only lacks the empty line after
// it is handed on: some servers leave that out behind their last.
func (e *events) end(sink Sink) error {
	done, err := e.feed([]byte("\n\n"), sink)
	if done || err != nil {
		return err
	}
	return sink.End()
}

func (e *events) take(line []byte, sink Sink) (done bool, err error) {
	if !e.begun {
		e.begun = true
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	if len(line) == 0 {
		if len(e.data) > 0 {
			done, err = sink.Event(e.name, e.data[:len(e.data)-1])
		}
		e.name, e.data = e.name[:0], e.data[:0]
		return done, err
	}
	field, value, _ := bytes.Cut(line, []byte(":"))
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	switch string(field) {
	case "event":
		e.name = append(e.name[:0], value...)
	case "data":
		e.data = append(append(e.data, value...), '\n')
	}
	return false, nil
}
