package judge

import (
	"math"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/kaizen-os/deliberation/quorum"
)

// NewValidate is a judge that answers the companion protocol's POST
// /constitutional/validate. Upstream.Origin is its origin, without a path. It does
// not connect.
func NewValidate(cfg Config) (*Judge, error) {
	j, err := newJudge(cfg, "/constitutional/validate")
	if err != nil {
		return nil, err
	}
	j.request = func(dst []byte, text string, tier quorum.Tier) []byte {
		dst = appendString(append(dst, `{"response":`...), text)
		dst = appendString(append(dst, `,"tier":`...), tier.String())
		return append(dst, '}')
	}
	j.decode = DecodeValidate
	return j, nil
}

// What can be wrong with a validation.
var (
	errScore      = malformed("score is missing or outside 0 to 100")
	errViolations = malformed("violations are missing or too many")
)

const maxViolations = 256

// Names of what a validation holds against a text.
const (
	byScore  = "score"  // its score says so
	byClause = "clause" // a violation of its names the clause
)

// DecodeValidate reads a score of 0 to 100 and the violations behind it. The score
// decides: it is brought to the step of its band (quorum.StepOf). Violations that
// name a clause by its number, and perhaps a severity of 0 to 1, say which clauses,
// none for worse than the score; what they are otherwise is nobody's agreement and
// is not read. The error is an *upstream.Error.
func DecodeValidate(body []byte) (o quorum.Opinion, err error) {
	var w struct {
		Score      jsontext.Value   `json:"score"`
		Violations []jsontext.Value `json:"violations"`
	}
	if json.Unmarshal(body, &w) != nil {
		return o, errMalformed
	}
	score, ok := hundredths(w.Score)
	if !ok {
		return o, errScore
	}
	if w.Violations == nil || len(w.Violations) > maxViolations {
		return o, errViolations
	}
	worst := quorum.StepOf(score)
	for _, v := range w.Violations {
		var named struct {
			Clause   int      `json:"clause"`
			Severity *float64 `json:"severity"`
		}
		if v.Kind() != '{' || json.Unmarshal(v, &named) != nil || named.Clause < 1 || named.Clause > quorum.Clauses {
			continue
		}
		step := worst
		if s := named.Severity; s != nil && *s >= 0 && *s <= 1 {
			step = min(step, quorum.StepOf(quorum.Score(math.Round((1-*s)*float64(quorum.MaxScore)))))
		}
		object(&o, quorum.Clause(named.Clause), byClause, step)
	}
	if o.Step() < worst {
		object(&o, quorum.Advisory, byScore, worst)
	}
	return o, nil
}

// hundredths reads a number of points, 0 to 100, rounded down: 84.999 is under 85.
func hundredths(v jsontext.Value) (quorum.Score, bool) {
	if v.Kind() != '0' {
		return 0, false
	}
	points, err := strconv.ParseFloat(string(v), 64)
	if err != nil || !(points >= 0 && points <= 100) {
		return 0, false
	}
	// A hair more, since 84.35 has no exact float and is not 84.34.
	return quorum.Score(math.Floor(points*100 + 1e-6)), true
}
