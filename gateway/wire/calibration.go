package wire

import (
	"encoding/json"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of a calibration that are the protocol's own.
const (
	MaxCalibrationItems = 4096
	MaxTruths           = 512 // accepted answers an item
)

// A CalibrationRequest is the body of POST /api/calibration: prompts whose right
// answers are known.
type CalibrationRequest struct {
	Items      []CalibrationItem
	DeadlineMs int64 // for each item
}

// A CalibrationItem is one labelled prompt.
type CalibrationItem struct {
	Prompt  string
	Kind    string   // Limits.Kinds but the first: a label has a kind
	Options []string // of a choice, or none when they stand in the prompt
	Topic   string   // a slug, or ""
	Truth   []string // the accepted answers
}

var (
	calibrationFields = []string{"items", "deadlineMs"}
	itemFields        = []string{"prompt", "kind", "options", "topic", "truth"}
)

// Decode reads body into r, whatever r held before, as strictly as
// [Request.Decode]. r keeps nothing of body.
func (r *CalibrationRequest) Decode(body []byte, lim *Limits) error {
	*r = CalibrationRequest{DeadlineMs: lim.Deadline}
	return decodeObject(body, calibrationFields,
		func(d *decoder, name string) {
			switch name {
			case "items":
				d.array("items", MaxCalibrationItems, func() {
					r.Items = append(r.Items, CalibrationItem{})
					r.Items[len(r.Items)-1].decode(d, lim)
				})
			case "deadlineMs":
				r.DeadlineMs = d.whole(1, lim.MaxDeadline)
			}
		},
		func(d *decoder, seen fieldSet) {
			switch {
			case !seen.has(calibrationFields, "items"):
				d.problemAt("items", MissingField, "must be given")
			case len(r.Items) == 0 && len(d.found) == 0:
				d.problemAt("items", InvalidValue, "is empty")
			}
		})
}

func (it *CalibrationItem) decode(d *decoder, lim *Limits) {
	before := len(d.found) + d.more
	seen, ok := d.object(itemFields, func(name string) {
		switch name {
		case "prompt":
			it.Prompt, _ = d.text()
			switch {
			case len(it.Prompt) > lim.PromptBytes:
				d.problem(InvalidValue, "is %d bytes; at most %d", len(it.Prompt), lim.PromptBytes)
			case it.Prompt != "" && blank(it.Prompt):
				d.problem(InvalidValue, "is blank")
			}
		case "kind":
			it.Kind = d.oneOf("kind", lim.Kinds[1:], "")
		case "options":
			var r Request
			r.options(d)
			it.Options = r.Options
		case "topic":
			it.Topic = d.topic()
		case "truth":
			it.truth(d, lim)
		}
	})
	if !ok || d.syntax != nil || len(d.found)+d.more > before {
		return
	}
	switch {
	case !seen.has(itemFields, "prompt"):
		d.problemAt("prompt", MissingField, "must be given")
	case it.Prompt == "":
		d.problemAt("prompt", InvalidValue, "is empty")
	case it.Kind == "":
		d.problemAt("kind", MissingField, "must be given: %s", anyOf(lim.Kinds[1:]))
	case len(it.Truth) == 0:
		d.problemAt("truth", MissingField, "must be given: an item without it is not labelled")
	case len(it.Options) > 0 && it.Kind != "choice":
		d.problemAt("options", InvalidValue, "only for kind choice")
	}
}

// truth reads one accepted answer, or an array of them. A number may stand there
// without quotes, as it is written.
func (it *CalibrationItem) truth(d *decoder, lim *Limits) {
	each := func() {
		var s string
		ok := true
		if d.syntax == nil && d.json.PeekKind() == '0' {
			s = string(d.value())
			ok = d.syntax == nil
		} else {
			s, ok = d.text()
		}
		switch {
		case !ok:
			return
		case blank(s):
			d.problem(InvalidValue, "is blank")
		case len(s) > lim.PromptBytes:
			d.problem(InvalidValue, "is %d bytes; at most %d", len(s), lim.PromptBytes)
		}
		if !slices.Contains(it.Truth, s) {
			it.Truth = append(it.Truth, s)
		}
	}
	if d.syntax != nil {
		return
	}
	switch got := d.json.PeekKind(); got {
	case '"', '0':
		each()
	case '[':
		d.array("strings", MaxTruths, each)
	case 'n':
		d.problem(MissingField, "is null: an item without it is not labelled")
		d.skip()
	case jsontext.KindInvalid:
		d.skip() // the read says what is wrong
	default:
		d.problem(InvalidType, "want a string, a number, or an array of them, got %s", kindName(got))
		d.skip()
	}
}

// topic reads a slug, or "".
func (d *decoder) topic() string {
	s, _ := d.text()
	if s != "" && !isName(s, maxTopic, "-_") {
		d.problem(InvalidValue, "want at most %d of a-z, 0-9, - and _, starting with a letter or digit", maxTopic)
	}
	return s
}

// AppendTo appends r as the body of a request.
func (r *CalibrationRequest) AppendTo(dst []byte) []byte {
	dst = append(dst, `{"items":[`...)
	for i := range r.Items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = r.Items[i].AppendTo(dst)
	}
	dst = append(dst, ']')
	dst = appendCount(dst, "deadlineMs", r.DeadlineMs)
	return append(dst, '}')
}

// AppendTo appends it as one element of items: fields in one order, truth an
// array. A calibration's commitment is to the items so written, joined by
// newlines.
func (it *CalibrationItem) AppendTo(dst []byte) []byte {
	dst = append(dst, `{"prompt":`...)
	dst = appendString(dst, it.Prompt)
	dst = appendField(dst, 0, "kind", it.Kind)
	if len(it.Options) > 0 {
		dst = append(dst, `,"options":`...)
		dst = appendStrings(dst, it.Options)
	}
	dst = appendField(dst, 0, "topic", it.Topic)
	dst = append(dst, `,"truth":`...)
	dst = appendStrings(dst, it.Truth)
	return append(dst, '}')
}

// A Calibration is what came of one request: durable, and in force.
type Calibration struct {
	ID         string       `json:"id"`
	Items      int          `json:"items"`
	Companions []Calibrated `json:"companions"`
	Confidence []Believed   `json:"confidence,omitempty"` // of kinds with items enough, by kind
	Usage      Usage        `json:"usage"`
	Timing     struct {
		Total Micros `json:"totalMs"`
	} `json:"timing"`
	Commitment Commitment `json:"commitment"`
	Proof      Proof      `json:"proof"`
}

// Calibrated is one companion's part of it.
type Calibrated struct {
	Companion string           `json:"companion"`
	Cells     []CalibratedCell `json:"cells"`
	Unseen    map[string]int   `json:"unseen"` // items it gave no answer to that could be graded, by why
	Usage     Usage            `json:"usage"`
}

// A CalibratedCell is a companion's outcomes for one kind and topic.
type CalibratedCell struct {
	Kind        string `json:"kind"`
	Topic       string `json:"topic"`
	Items       int64  `json:"items"`
	Right       int64  `json:"right"`
	Seen        int64  `json:"seen"`
	Reliability Change `json:"reliability"`
	Weight      Change `json:"weight"` // among all that were asked
}

// Believed is how answers of one kind are believed, by coefficients fitted anew.
type Believed struct {
	Kind   string     `json:"kind"`
	Items  int64      `json:"items"` // that it was fitted to
	Before Confidence `json:"before"`
	After  Confidence `json:"after"`
}

// Confidence are the coefficients of a kind's confidence, in parts per million as
// in the policy: the logistic of bias + byShare·share + byMargin·margin +
// byTurnout·turnout.
type Confidence struct {
	Bias      int64 `json:"bias"`
	ByShare   int64 `json:"byShare"`
	ByMargin  int64 `json:"byMargin"`
	ByTurnout int64 `json:"byTurnout"`
}

// A Change is a number before and after.
type Change struct {
	Before PPM `json:"before"`
	After  PPM `json:"after"`
}

// A Commitment is what the record holds of the items, and the salt that opens
// it: SHA-256("kaizenCommitmentV1" ‖ 0 ‖ salt ‖ items). Hexadecimal.
type Commitment struct {
	Digest string `json:"digest"`
	Salt   string `json:"salt"`
}

// AppendTo appends c's JSON to dst.
func (c *Calibration) AppendTo(dst []byte) []byte {
	text, err := json.Marshal(c)
	if err != nil {
		panic("bug: " + err.Error()) // strings and integers
	}
	return append(dst, text...)
}

// Decode reads what came of a calibration, for clients.
func (c *Calibration) Decode(body []byte) error {
	*c = Calibration{}
	return unmarshal("calibration", body, c)
}
