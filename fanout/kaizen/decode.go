package kaizen

import (
	"bytes"
	"io"
	"math"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

// maxTokens is the largest count of tokens that is believed. It keeps the cost
// of a reply far from overflow.
const maxTokens = 1_000_000_000

// What can be wrong with a reply. None of it quotes the companion.
var (
	errMalformed  = malformed("reply is not the agreed json")
	errNoResponse = malformed(`reply has no "response"`)
	errStance     = malformed("unknown stance")
	errConfidence = malformed("confidence outside 0 to 1")
	errTokens     = malformed("token count out of range")
	errHealth     = malformed("unknown health status")
)

func malformed(reason string) *upstream.Error {
	return &upstream.Error{Class: upstream.Malformed, Reason: reason}
}

// decoders are reused because one costs more to make than a reply to decode.
// They read the body where it lies, without a copy.
var decoders = sync.Pool{New: func() any {
	d := new(decoder)
	d.Decoder = jsontext.NewDecoder(&d.body)
	return d
}}

type decoder struct {
	body bytes.Buffer
	*jsontext.Decoder
	plain []byte // the last string with escapes
}

// release gives d back without the body, which is its connection's.
func (d *decoder) release() {
	d.body = bytes.Buffer{}
	if cap(d.plain) > maxPooledBody {
		d.plain = nil
	}
	decoders.Put(d)
}

// DecodeReply reads the body of a companion's answer into r's Text, Rationale,
// Stance, Confidence, Model and Usage. On error, an *upstream.Error, r is as it
// was.
//
// Hot: member by member, since unmarshalling into a struct takes three times as
// long and its recursion deepens every call's stack.
func DecodeReply(body []byte, r *quorum.Reply) error {
	d := decoders.Get().(*decoder)
	defer d.release()
	d.body = *bytes.NewBuffer(body)
	d.Reset(&d.body)

	w := quorum.Reply{Confidence: -1}
	responded := false
	err := d.object(func(name []byte) (err error) {
		switch string(name) {
		case "response":
			w.Text, responded, err = d.text()
		case "stance":
			var stance string
			if stance, _, err = d.text(); err != nil {
				return err
			}
			if w.Stance, err = quorum.ParseStance(stance); err != nil {
				return errStance
			}
		case "confidence":
			w.Confidence, err = d.share()
		case "rationale":
			w.Rationale, _, err = d.text()
		case "model":
			w.Model, _, err = d.text()
		case "usage":
			if d.null() {
				return nil
			}
			return d.object(func(name []byte) (err error) {
				switch string(name) {
				case "inputTokens":
					w.Usage.InputTokens, err = d.tokens()
				case "outputTokens":
					w.Usage.OutputTokens, err = d.tokens()
				default:
					err = d.skip()
				}
				return err
			})
		default:
			err = d.skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return errMalformed // something follows
	}
	if !responded {
		return errNoResponse
	}
	r.Text, r.Rationale, r.Stance, r.Confidence, r.Model = w.Text, w.Rationale, w.Stance, w.Confidence, w.Model
	r.Usage.InputTokens, r.Usage.OutputTokens = w.Usage.InputTokens, w.Usage.OutputTokens
	return nil
}

// object reads an object, calling member before each value, which it reads. name
// is good until then.
func (d *decoder) object(member func(name []byte) error) error {
	if d.PeekKind() != '{' {
		return errMalformed
	}
	if _, err := d.ReadToken(); err != nil {
		return errMalformed
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadValue()
		if err != nil {
			return errMalformed
		}
		if err := member(d.unquote(name)); err != nil {
			return err
		}
	}
	if _, err := d.ReadToken(); err != nil { // the brace, or whatever is wrong
		return errMalformed
	}
	return nil
}

// text reads a string; null is not given.
func (d *decoder) text() (s string, given bool, err error) {
	if d.null() {
		return "", false, nil
	}
	if d.PeekKind() != '"' {
		return "", false, errMalformed
	}
	v, err := d.ReadValue()
	if err != nil {
		return "", false, errMalformed
	}
	return string(d.unquote(v)), true, nil
}

// unquote returns what a valid JSON string stands for, good until the next.
func (d *decoder) unquote(v jsontext.Value) []byte {
	if bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1]
	}
	d.plain, _ = jsontext.AppendUnquote(d.plain[:0], v) // the decoder found it valid
	return d.plain
}

// share reads a number from 0 to 1; null is negative, as if not stated.
func (d *decoder) share() (quorum.PPM, error) {
	if d.null() {
		return -1, nil
	}
	digits, err := d.number()
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(string(digits), 64)
	if err != nil || !(v >= 0 && v <= 1) {
		return 0, errConfidence
	}
	return quorum.PPM(math.Round(v * float64(quorum.One))), nil
}

// tokens reads a count of tokens; null is 0, as if not stated.
func (d *decoder) tokens() (int64, error) {
	if d.null() {
		return 0, nil
	}
	digits, err := d.number()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil || n < 0 || n > maxTokens {
		return 0, errTokens
	}
	return n, nil
}

func (d *decoder) number() ([]byte, error) {
	if d.PeekKind() != '0' {
		return nil, errMalformed
	}
	v, err := d.ReadValue()
	if err != nil {
		return nil, errMalformed
	}
	return v, nil
}

// null reads a null if there is one.
func (d *decoder) null() bool {
	if d.PeekKind() != 'n' {
		return false
	}
	_, err := d.ReadToken()
	return err == nil
}

func (d *decoder) skip() error {
	if d.SkipValue() != nil {
		return errMalformed
	}
	return nil
}

// HealthStatus is how a companion says it is.
type HealthStatus string

const (
	Healthy   HealthStatus = "healthy"
	Degraded  HealthStatus = "degraded"
	Unhealthy HealthStatus = "unhealthy"
)

// Health is a companion's answer to GET /health.
type Health struct {
	Status  HealthStatus
	Latency float64 // milliseconds, as it states it; 0 if it does not
}

// DecodeHealth reads the body of a 200 from /health. An empty body, or one that
// is not a JSON object, has no status and so is healthy, as many servers answer.
// The error is an *upstream.Error.
func DecodeHealth(body []byte) (Health, error) {
	var w struct {
		Status  HealthStatus `json:"status"`
		Latency float64      `json:"latency"`
	}
	if v := jsontext.Value(body); v.Kind() != '{' {
		return Health{Status: Healthy}, nil
	}
	if json.Unmarshal(body, &w) != nil {
		return Health{}, errMalformed
	}
	switch w.Status {
	case "":
		w.Status = Healthy
	case Healthy, Degraded, Unhealthy:
	default:
		return Health{}, errHealth
	}
	return Health{Status: w.Status, Latency: w.Latency}, nil
}
