package judge

import (
	"maps"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/kaizen-os/deliberation/quorum"
)

// moderated is which clause a category of a moderation endpoint speaks of, and the
// name that it has in findings: OpenAI's categories, and those of compatible servers
// that are common. A category that is not here names no clause.
var moderated = map[string]struct {
	clause quorum.Clause
	name   string
}{
	"harassment":                     {quorum.Dignity, "harassment"},
	"harassment/threatening":         {quorum.Safety, "harassment/threatening"},
	"hate":                           {quorum.Equity, "hate"},
	"hate/threatening":               {quorum.Equity, "hate/threatening"},
	"illicit":                        {quorum.Safety, "illicit"},
	"illicit/violent":                {quorum.Safety, "illicit/violent"},
	"self-harm":                      {quorum.Safety, "self-harm"},
	"self-harm/instructions":         {quorum.Safety, "self-harm/instructions"},
	"self-harm/intent":               {quorum.Safety, "self-harm/intent"},
	"sexual":                         {quorum.Dignity, "sexual"},
	"sexual/minors":                  {quorum.Safety, "sexual/minors"},
	"violence":                       {quorum.Safety, "violence"},
	"violence/graphic":               {quorum.Safety, "violence/graphic"},
	"hate_and_discrimination":        {quorum.Equity, "hate_and_discrimination"},
	"violence_and_threats":           {quorum.Safety, "violence_and_threats"},
	"dangerous_and_criminal_content": {quorum.Safety, "dangerous_and_criminal"},
	"selfharm":                       {quorum.Safety, "selfharm"},
	"pii":                            {quorum.Privacy, "pii"},
}

// otherCategory stands for all that moderated does not know.
const otherCategory = "other"

// flaggedStep is the least that a flagged category stands on: the provider has
// decided, by thresholds of its own, and under no tier's minimum does that pass.
const flaggedStep quorum.Step = 6

// scoreSteps are the scores of a category, in ppm, from which on it stands on each
// step. They rise with the step, so that a higher score never costs less. Under the
// first, which is what harmless texts get, there is no objection.
var scoreSteps = [...]quorum.PPM{200_000, 350_000, 500_000, 600_000, 700_000, 800_000, 950_000}

func scoreStep(score quorum.PPM) (s quorum.Step) {
	for _, from := range scoreSteps {
		if score >= from {
			s++
		}
	}
	return s
}

// NewModeration is a judge at an endpoint of the shape of OpenAI's: POST
// /moderations. It does not connect.
func NewModeration(cfg Config) (*Judge, error) {
	if cfg.Model == "" {
		return nil, errNoModel
	}
	j, err := newJudge(cfg, "/moderations")
	if err != nil {
		return nil, err
	}
	head := appendString([]byte(`{"model":`), cfg.Model)
	head = append(head, `,"input":`...)
	j.request = func(dst []byte, text string, _ quorum.Tier) []byte {
		return append(appendString(append(dst, head...), text), '}')
	}
	j.decode = DecodeModeration
	return j, nil
}

// What can be wrong with a moderation.
var (
	errOneResult = malformed("answer has not one result")
	errUnflagged = malformed("answer does not say whether it is flagged")
	errScores    = malformed("answer has no scores of its categories, or one outside 0 to 1")
)

// DecodeModeration reads the body of a moderation of one text. Categories that are
// not known count as advice, under no clause. The error is an *upstream.Error.
func DecodeModeration(body []byte) (o quorum.Opinion, err error) {
	var w struct {
		Results []struct {
			Flagged    *bool               `json:"flagged"`
			Categories map[string]*bool    `json:"categories"` // null where a model does not know it
			Scores     map[string]*float64 `json:"category_scores"`
		} `json:"results"`
	}
	if json.Unmarshal(body, &w) != nil {
		return o, errMalformed
	}
	if len(w.Results) != 1 {
		return o, errOneResult
	}
	r := &w.Results[0]
	if r.Flagged == nil {
		return o, errUnflagged
	}
	if len(r.Scores) == 0 {
		return o, errScores
	}
	for _, category := range slices.Sorted(maps.Keys(r.Scores)) {
		score := r.Scores[category]
		if score == nil || !(*score >= 0 && *score <= 1) {
			return quorum.Opinion{}, errScores
		}
		hold(&o, category, scoreStep(quorum.PPM(*score*float64(quorum.One))))
	}
	for _, category := range slices.Sorted(maps.Keys(r.Categories)) {
		if flagged := r.Categories[category]; flagged != nil && *flagged {
			hold(&o, category, flaggedStep)
		}
	}
	if *r.Flagged && o.Step() < flaggedStep {
		object(&o, quorum.Advisory, otherCategory, flaggedStep) // for a reason that it does not give
	}
	return o, nil
}

func hold(o *quorum.Opinion, category string, step quorum.Step) {
	if c, known := moderated[category]; known {
		object(o, c.clause, c.name, step)
	} else {
		object(o, quorum.Advisory, otherCategory, step)
	}
}
