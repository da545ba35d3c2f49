package wire

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// A server-sent event is a name and one line of JSON; [Ping] is a comment, which
// readers pass over. What POST /v1/deliberate sends when its client accepts
// text/event-stream:
//
//	asked     the panel has been asked              [Asked]
//	ballot    one companion's part has come in      [Heard]
//	progress  agreement so far, or the step begun   [Progress]
//	decided   the proof is durable: the verdict     [Decided]
//	answer    a piece of the answer's text          {"text":"…"}
//	receipt   the whole, as without streaming       [Deliberation]
//	error     there is no answer                    [Error]
//
// The last is a receipt or an error; a stream that ends with neither has broken.
const (
	eventAsked    = "asked"
	eventBallot   = "ballot"
	eventProgress = "progress"
	eventDecided  = "decided"
	eventAnswer   = "answer"
	eventReceipt  = "receipt"
	eventError    = "error"
)

// Ping is a comment that keeps a stream from being silent.
const Ping = ": waiting\n\n"

// Asked says who has been asked.
type Asked struct {
	ID         string
	Tier       string
	Kind       string
	Companions []string
	DeadlineMs int64
}

// AppendEvent appends the event.
func (a *Asked) AppendEvent(dst []byte) []byte {
	dst = begin(dst, eventAsked)
	dst = append(dst, `{"id":`...)
	dst = appendString(dst, a.ID)
	dst = appendField(dst, 0, "tier", a.Tier)
	dst = appendField(dst, 0, "kind", a.Kind)
	dst = append(dst, `,"companions":`...)
	dst = appendStrings(dst, a.Companions)
	dst = append(dst, `,"deadlineMs":`...)
	dst = strconv.AppendInt(dst, a.DeadlineMs, 10)
	return end(append(dst, '}'))
}

// AppendComment appends it for readers of a provider's form.
func (a *Asked) AppendComment(dst []byte) []byte {
	dst = append(dst, ": asked "...)
	dst = strconv.AppendInt(dst, int64(len(a.Companions)), 10)
	return end(dst)
}

// Heard is one companion's part, as it comes in. Whether it counts is known when
// it is decided.
type Heard struct {
	Companion string
	Outcome   string
	Reason    string
	Score     Hundredths // None when there was no text
	LatencyMs int64
	Heard     int // so far
	Seated    int
}

// AppendEvent appends the event.
func (h *Heard) AppendEvent(dst []byte) []byte {
	dst = begin(dst, eventBallot)
	dst = append(dst, `{"companion":`...)
	dst = appendString(dst, h.Companion)
	dst = append(dst, `,"outcome":`...)
	dst = appendString(dst, h.Outcome)
	dst = append(dst, `,"reason":`...)
	dst = appendString(dst, h.Reason)
	dst = append(dst, `,"score":`...)
	dst = h.Score.appendTo(dst)
	dst = append(dst, `,"latencyMs":`...)
	dst = strconv.AppendInt(dst, h.LatencyMs, 10)
	dst = append(dst, `,"heard":`...)
	dst = strconv.AppendInt(dst, int64(h.Heard), 10)
	dst = append(dst, `,"seated":`...)
	dst = strconv.AppendInt(dst, int64(h.Seated), 10)
	return end(append(dst, '}'))
}

// AppendComment appends it for readers of a provider's form.
func (h *Heard) AppendComment(dst []byte) []byte {
	dst = append(dst, ": heard "...)
	dst = strconv.AppendInt(dst, int64(h.Heard), 10)
	dst = append(dst, " of "...)
	dst = strconv.AppendInt(dst, int64(h.Seated), 10)
	return end(dst)
}

// Progress says how a deliberation stands: the agreement so far of a closed kind,
// or the step that has begun.
type Progress struct {
	Step      string // "", second round, judge or synthesis
	Agreement PPM    // or None
}

// AppendEvent appends the event.
func (p *Progress) AppendEvent(dst []byte) []byte {
	dst = begin(dst, eventProgress)
	dst = append(dst, `{"step":`...)
	dst = appendString(dst, p.Step)
	dst = append(dst, `,"agreement":`...)
	dst = p.Agreement.appendTo(dst)
	return end(append(dst, '}'))
}

// AppendComment appends it for readers of a provider's form.
func (p *Progress) AppendComment(dst []byte) []byte {
	dst = append(dst, ": "...)
	if p.Step != "" {
		return end(append(dst, p.Step...))
	}
	dst = append(dst, "agreement "...)
	return end(p.Agreement.appendTo(dst))
}

// Events is what a durable deliberation is told by: decided, the answer in pieces,
// and the receipt, each by itself.
func (v *Deliberation) Events() [][]byte {
	dst := begin(nil, eventDecided)
	dst = append(dst, `{"id":`...)
	dst = appendString(dst, v.ID)
	dst = append(dst, `,"status":`...)
	dst = appendString(dst, v.Status)
	dst = append(dst, `,"decision":`...)
	dst = appendString(dst, v.Decision)
	dst = v.Consensus.appendTo(dst)
	list := [][]byte{end(append(dst, '}'))}
	for piece := range pieces(v.Answer) {
		list = append(list, end(append(appendString(append(begin(nil, eventAnswer), `{"text":`...), piece), '}')))
	}
	return append(list, end(v.AppendTo(begin(nil, eventReceipt))))
}

// Events is the error as a stream ends with it.
func (e *Error) Events() [][]byte { return [][]byte{end(e.AppendTo(begin(nil, eventError)))} }

// ChatError is body, an error in OpenAI's form, as a stream of chat completions
// ends with it.
func ChatError(body []byte) [][]byte { return [][]byte{data(body)} }

func begin(dst []byte, event string) []byte {
	dst = append(dst, "event: "...)
	dst = append(dst, event...)
	return append(dst, "\ndata: "...)
}

func end(dst []byte) []byte { return append(dst, "\n\n"...) }

// data is an event without a name.
func data(body []byte) []byte { return end(append([]byte("data: "), body...)) }

// named is an event whose data says its name as well, as most providers' do.
func named(event string, body []byte) []byte { return end(append(begin(nil, event), body...)) }

// maxPiece bounds a piece of text: small enough that an event is one write.
const maxPiece = 256

// pieces yields text in pieces, which end behind a word where they can.
func pieces(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for text != "" {
			n := len(text)
			if n > maxPiece {
				n = maxPiece
				for n > 0 && !utf8.RuneStart(text[n]) {
					n--
				}
				if at := strings.LastIndexAny(text[:n], " \n"); at > 0 {
					n = at + 1
				}
				if n == 0 {
					n = maxPiece // no UTF-8 at all
				}
			}
			if !yield(text[:n]) {
				return
			}
			text = text[n:]
		}
	}
}
