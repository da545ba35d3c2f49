package main

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/kaizen-os/deliberation/quorum"
)

// What a key left out of a judge is.
const (
	defaultJudgeTimeout  = 2 * time.Second // a guard of 8 billion parameters takes a fifth of that
	defaultJudgeInFlight = 32
	defaultJudgeSample   = 0.01 // a random 1 % tells what the rest of the cascade misses
	// defaultJudgeEvidence is what some 10 in 100 of the usual harmless replies of 40
	// words and more have more of, by models that had not seen them: the linear
	// model's card (linear.json, evidenceAbove) says so, and a test holds this to it.
	defaultJudgeEvidence = -800
	// Replies in which the rules found something, and that may count all the same: a
	// score under the lowest minimum needs no second opinion.
	defaultJudgeFrom  = 65
	defaultJudgeUnder = 100
)

// maxJudgeEvidence bounds what a threshold of evidence may be: a thousand logits.
const maxJudgeEvidence = 1_000_000

var judgeKinds = []string{"moderation", "guard", "validate"}

// JudgeConfig is an external charter judge and how to reach it.
type JudgeConfig struct {
	ID        quorum.JudgeID
	Kind      string // one of judgeKinds
	Endpoint  string // URL of its API
	Model     string
	Companion quorum.CompanionID // whose own it is; "" for everyone's
	Key       Secret
	KeyFile   string      // as a companion's
	OAuth     OAuthConfig // only of a companion's own
	Timeout   time.Duration
	InFlight  int

	Evidence    int32
	From, Under quorum.Score
	Sample      quorum.PPM

	PerMinute int
	PerDay    quorum.MicroUSD
	Price     quorum.Price
}

type fileJudge struct {
	ID        leaf      `yaml:"id"`
	Kind      leaf      `yaml:"kind"`
	Endpoint  leaf      `yaml:"endpoint"`
	Model     leaf      `yaml:"model"`
	Companion leaf      `yaml:"companion"`
	Key       secretRef `yaml:"key"`
	Timeout   leaf      `yaml:"timeout"`
	InFlight  leaf      `yaml:"inFlight"`
	Evidence  leaf      `yaml:"evidence"`
	Scores    struct {
		From  leaf `yaml:"from"`
		Under leaf `yaml:"under"`
	} `yaml:"scores"`
	Sample leaf `yaml:"sample"`
	Budget struct {
		PerMinute leaf `yaml:"perMinute"`
		PerDay    leaf `yaml:"perDay"`
	} `yaml:"budget"`
	Price struct {
		Input  leaf `yaml:"input"`
		Output leaf `yaml:"output"`
	} `yaml:"price"`
}

// judges reads the external judges, once the companions are known.
func (r *resolver) judges(c *Config, list []fileJudge) {
	seen := map[quorum.JudgeID]int{}
	for i := range list {
		doc, path := &list[i], fmt.Sprintf("judges[%d]", i)
		j := r.judge(doc, path, c)
		if first, twice := seen[j.ID]; twice && j.ID != "" {
			r.problem(doc.ID, path+".id", "%s is also judges[%d]", j.ID, first)
		}
		seen[j.ID] = i
		c.Judges = append(c.Judges, j)
	}
	if len(list) > quorum.MaxJudges {
		r.problem(list[quorum.MaxJudges].ID, "judges", "there are %d, at most %d", len(list), quorum.MaxJudges)
	}
}

func (r *resolver) judge(doc *fileJudge, path string, c *Config) JudgeConfig {
	id := quorum.JudgeID(r.required(doc.ID, path+".id"))
	if id != "" && !id.Valid() {
		r.problem(doc.ID, path+".id", "want 1 to 16 of a-z, 0-9 and -, starting with a letter")
	}
	if doc.Kind.node == nil {
		r.problem(doc.Kind, path+".kind", "must be given: %s", strings.Join(judgeKinds, ", "))
	}
	j := JudgeConfig{
		ID:        id,
		Kind:      r.oneOf(doc.Kind, path+".kind", judgeKinds, ""),
		Endpoint:  r.text(doc.Endpoint, path+".endpoint", ""),
		Model:     r.text(doc.Model, path+".model", ""),
		Companion: quorum.CompanionID(r.text(doc.Companion, path+".companion", "")),
		Key:       r.secret(&doc.Key, path+".key"),
		KeyFile:   doc.Key.path(),
		Timeout:   r.duration(doc.Timeout, path+".timeout", defaultJudgeTimeout),
		InFlight:  r.count(doc.InFlight, path+".inFlight", 1, maxCount, defaultJudgeInFlight),
		Evidence:  int32(r.count(doc.Evidence, path+".evidence", -maxJudgeEvidence, maxJudgeEvidence, defaultJudgeEvidence)),
		From:      points(r.decimal(doc.Scores.From, path+".scores.from", 0, 100, defaultJudgeFrom)),
		Under:     points(r.decimal(doc.Scores.Under, path+".scores.under", 0, 100, defaultJudgeUnder)),
		Sample:    quorum.PPM(math.Round(r.decimal(doc.Sample, path+".sample", 0, 1, defaultJudgeSample) * float64(quorum.One))),
		PerMinute: r.count(doc.Budget.PerMinute, path+".budget.perMinute", 0, maxCount, 0),
		PerDay:    r.dollars(doc.Budget.PerDay, path+".budget.perDay"),
		Price:     quorum.Price{Input: r.price(doc.Price.Input, path+".price.input"), Output: r.price(doc.Price.Output, path+".price.output")},
	}
	if j.From > j.Under {
		r.problem(doc.Scores.Under, path+".scores.under", "is less than from, %s: no score is between", j.From)
	}
	if j.PerDay > 0 && j.Price == (quorum.Price{}) {
		r.problem(doc.Budget.PerDay, path+".budget.perDay", "bounds nothing without a price")
	}
	if doc.Companion.node != nil {
		r.ownJudge(doc, path, c, &j)
		return j
	}
	if j.Endpoint == "" {
		r.problem(doc.Endpoint, path+".endpoint", "must be given")
	} else {
		r.httpURL(doc.Endpoint, path+".endpoint", j.Endpoint)
	}
	switch {
	case j.Kind == "validate" && j.Model != "":
		r.problem(doc.Model, path+".model", "only for kinds moderation and guard")
	case j.Kind != "validate" && j.Kind != "" && j.Model == "":
		r.problem(doc.Model, path+".model", "must be given for kind %s", j.Kind)
	}
	return j
}

// ownJudge makes j a companion's own: at its address, with its key, and about what
// it says itself. None judges its rivals.
func (r *resolver) ownJudge(doc *fileJudge, path string, c *Config, j *JudgeConfig) {
	at := slices.IndexFunc(c.Companions, func(cc CompanionConfig) bool { return cc.ID == j.Companion })
	switch {
	case j.Kind != "validate" && j.Kind != "":
		r.problem(doc.Companion, path+".companion", "only for kind validate")
	case j.Endpoint != "" || doc.Key.at != nil || j.Model != "":
		r.problem(doc.Companion, path+".companion", "has its own endpoint and key; leave endpoint, model and key out")
	case at < 0:
		r.problem(doc.Companion, path+".companion", "%q is not among companions", j.Companion)
	case c.Companions[at].Provider != "kaizen":
		r.problem(doc.Companion, path+".companion", "%s does not speak the companion protocol (provider kaizen)", j.Companion)
	default:
		own := &c.Companions[at]
		j.Endpoint, j.Key, j.KeyFile, j.OAuth = own.Endpoint, own.Key, own.KeyFile, own.OAuth
	}
}

// points is a score of 0 to 100.
func points(v float64) quorum.Score { return quorum.Score(math.Round(v * 100)) }

// maxDollars is more than anybody pays for judges in a day.
const maxDollars = 1_000_000

// dollars reads US dollars as micro-dollars, exactly; 0 is no limit.
func (r *resolver) dollars(l leaf, path string) quorum.MicroUSD {
	text := r.text(l, path, "")
	if text == "" {
		return 0
	}
	v, err := quorum.ParseDecimal(text, 6)
	if err != nil || v <= 0 || v > maxDollars*1_000_000 {
		r.problem(l, path, `want USD, a decimal over 0 in quotes, such as "5.00"`)
		return 0
	}
	return quorum.MicroUSD(v)
}

// originOf is a URL without its path: where the companion protocol's paths are.
func originOf(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", err
	}
	return u.Scheme + "://" + u.Host, nil
}
