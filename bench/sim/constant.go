package sim

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"
)

// variants is how many different texts of one size a companion rotates through,
// so that what is measured cannot live off having seen the reply before.
const variants = 16

// constant holds replies encoded beforehand.
type constant struct {
	native, chat [variants][]byte
	health       []byte
}

// newConstant writes replies whose text has exactly c.Fixed bytes of plain
// prose. All companions say similar things in different order.
func newConstant(c *Companion) *constant {
	var k constant
	k.health = encode(healthReply{"healthy", c.Latency.low.Milliseconds()})
	for i := range variants {
		text := prose(c.Fixed, hash(uint64(i), "constant", string(c.ID)))
		reply := Reply{Text: text, Confidence: 0.9, Model: c.Model, Usage: tokens(text, text)}
		k.native[i] = encode(native(reply))
		k.chat[i] = encode(completion(reply))
	}
	return &k
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("bug: a constant reply that is no JSON: " + err.Error())
	}
	return b
}

// prose is size bytes of sentences in an order that seed gives.
func prose(size int, seed uint64) string {
	var b strings.Builder
	b.WriteString("Simulated reply of fixed size.")
	own := source(seed, "prose")
	for b.Len() < size {
		p := points[own.IntN(len(points))]
		b.WriteString(" " + p[own.IntN(len(p))])
	}
	// Cut inside a word like a real reply that ran out of tokens; the text is ASCII.
	return b.String()[:size]
}

// handleConstant answers without reading the request: neither its body nor more
// of its address than the end. Benchmarks hold the gateway against a floor that
// asks the same companions, on the same cores; every microsecond here is taken
// from both.
func (s *server) handleConstant(ctx *fasthttp.RequestCtx) {
	uri := ctx.Request.Header.RequestURI()
	n := s.asked.Add(1)
	if f := Fault(s.fault.Load()); f != NoFault {
		s.misbehave(ctx, f)
		return
	}
	body := s.constant.native[n%variants]
	switch {
	case bytes.HasSuffix(uri, []byte(deliberatePath)):
	case bytes.HasSuffix(uri, []byte(chatPath)):
		body = s.constant.chat[n%variants]
	default:
		s.asked.Add(-1)
		if bytes.HasSuffix(uri, []byte(healthPath)) {
			ctx.SetContentType("application/json")
			ctx.Response.SetBodyRaw(s.constant.health)
			return
		}
		s.handle(ctx)
		return
	}
	if !s.pause(s.latency(n)) {
		ctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
		return
	}
	ctx.SetContentType("application/json")
	ctx.Response.SetBodyRaw(body)
}
