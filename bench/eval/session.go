package eval

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// session evaluates one recording and panel.
type session struct {
	cfg      Config
	rec      *sim.Recording
	panel    *panel
	grader   grader
	labelled []*sim.Item
	graded   []*sim.Item
}

// A Result is what came of one recording and panel.
type Result struct {
	Set, Panel string
	Kind       sim.RecordedKind
	Prompts    int
	Models     []Score // in the panel's order
	Best       Score   // the best of them
	Majority   float64 // right share of a plain majority; NaN where there is none
	Ways       []Way   // by way of waiting
}

// A Score is how a model did: the share it had right, or its mean score where
// replies are open text.
type Score struct {
	Model string
	Score float64
}

// A Way is how the gateway did, waiting one way.
type Way struct {
	Wait     quorum.Wait
	Score    float64
	OverBest Interval // to the best single model, over the same prompts

	Statuses    map[string]int // verdicts, and "http 503" and the like
	Decided     float64        // share carried or lost
	DecidedMean float64        // score of those; NaN without any
	AUROC       float64        // of confidence; NaN where none is stated
	Calibration float64        // error of confidence; NaN likewise
	Heard       float64        // share of the panel's replies that were waited for
	Differs     int            // prompts with another leader, status or decision than in the first way
	Unmatched   int            // answers that are no recorded reply
	Took        time.Duration
}

// outcome is what one prompt came to.
type outcome struct {
	grade      float64
	status     string
	leader     string
	confidence float64 // negative when none is stated
	ballots    int
	heard      int
	unmatched  bool
}

func (s *session) run(ctx context.Context) (*Result, error) {
	result := &Result{Set: s.rec.Name, Panel: s.panel.name, Kind: s.graded[0].Kind, Prompts: len(s.graded)}
	best := s.models(result)
	var first []outcome
	for _, wait := range s.cfg.Waits {
		// Only a closed kind can be known before all have answered.
		if len(result.Ways) > 0 && !closed(result.Kind) && result.Kind != sim.VoteItem {
			continue
		}
		if s.cfg.Progress != nil {
			// Progress is a courtesy: nothing fails for it.
			_, _ = fmt.Fprintf(s.cfg.Progress, "%s, panel %s of %d, %d prompts, wait %v\n",
				s.rec.Name, s.panel.name, len(s.panel.columns), len(s.graded), wait)
		}
		start := time.Now()
		outcomes, err := s.deliberate(ctx, wait)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = outcomes
		}
		way := summarise(outcomes, best, first, result.Kind)
		way.Wait, way.Took = wait, time.Since(start)
		result.Ways = append(result.Ways, way)
	}
	return result, nil
}

// models scores each model and the plain majority, and gives the grades of the
// best, by prompt.
func (s *session) models(result *Result) (best []float64) {
	for i, column := range s.panel.columns {
		grades := make([]float64, len(s.graded))
		for j, it := range s.graded {
			grades[j] = s.grader.reply(it, column)
		}
		score := Score{s.panel.companions[i].Model, mean(grades)}
		result.Models = append(result.Models, score)
		if best == nil || score.Score > result.Best.Score {
			best, result.Best = grades, score
		}
	}
	var majority []float64
	for _, it := range s.graded {
		if grade, ok := s.grader.majority(it, s.panel); ok {
			majority = append(majority, grade)
		}
	}
	result.Majority = mean(majority)
	return best
}

// summarise makes a Way of outcomes; best and first are by the same prompts.
func summarise(outcomes []outcome, best []float64, first []outcome, kind sim.RecordedKind) Way {
	way := Way{Statuses: map[string]int{}}
	var grades, decided []float64
	var forecasts []forecast
	ballots, heard := 0, 0
	for i, o := range outcomes {
		grades = append(grades, o.grade)
		way.Statuses[o.status]++
		if o.status == "carried" || o.status == "lost" {
			decided = append(decided, o.grade)
		}
		if o.confidence >= 0 && kind != sim.OpenItem {
			forecasts = append(forecasts, forecast{o.confidence, o.grade == 1})
		}
		ballots += o.ballots
		heard += o.heard
		if o.leader != first[i].leader || o.status != first[i].status {
			way.Differs++
		}
		if o.unmatched {
			way.Unmatched++
		}
	}
	way.Score, way.OverBest = mean(grades), paired(grades, best)
	way.Decided = float64(len(decided)) / float64(len(outcomes))
	way.DecidedMean = mean(decided)
	way.AUROC, way.Calibration = auroc(forecasts), calibrationError(forecasts)
	if ballots > 0 {
		way.Heard = float64(heard) / float64(ballots)
	}
	return way
}

// deliberate puts every prompt to a fresh gateway.
func (s *session) deliberate(ctx context.Context, wait quorum.Wait) (outcomes []outcome, err error) {
	companions := append([]sim.Companion(nil), s.panel.companions...)
	for i := range companions {
		companions[i].Latency = replyLatency
	}
	replayed, err := sim.Start(sim.Config{Companions: companions, Seed: 1})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, replayed.Close()) }()
	gateway, err := s.cfg.Gateway(ctx, replayed.Endpoints())
	if err != nil {
		return nil, fmt.Errorf("start gateway: %w", err)
	}
	if gateway.Stop != nil {
		defer func() { err = errors.Join(err, gateway.Stop()) }()
	}
	u, err := url.Parse(gateway.URL)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("gateway %q: want an http origin", gateway.URL)
	}
	c := &caller{
		gateway: gateway, origin: "http://" + u.Host,
		client: fasthttp.HostClient{Addr: u.Host, MaxConns: s.cfg.Workers, MaxIdemponentCallAttempts: 1,
			Dial: func(address string) (net.Conn, error) { return net.Dial("tcp", address) }},
	}
	defer c.client.CloseIdleConnections()
	if err := c.calibrate(ctx, s.labelled); err != nil {
		return nil, err
	}
	outcomes = make([]outcome, len(s.graded))
	failed := make([]error, s.cfg.Workers)
	var next atomic.Int64
	var group sync.WaitGroup
	for w := range s.cfg.Workers {
		group.Go(func() {
			for failed[w] == nil {
				i := int(next.Add(1)) - 1
				if i >= len(s.graded) {
					return
				}
				if failed[w] = ctx.Err(); failed[w] == nil {
					outcomes[i], failed[w] = s.ask(c, s.graded[i], wait)
				}
			}
		})
	}
	group.Wait()
	return outcomes, errors.Join(failed...)
}

// request is what is sent: the public protocol, as any client would.
type request struct {
	Prompt  string `json:"prompt"`
	Context struct {
		Tier string `json:"tier"`
	} `json:"context"`
	Kind    string   `json:"kind"`
	Options []string `json:"options,omitempty"`
	Wait    string   `json:"wait"`
	Include []string `json:"include"`
}

// ask puts one prompt to the gateway and grades what comes back. An error is
// that the gateway could not be reached; what it answers, however bad, is an
// outcome.
func (s *session) ask(c *caller, it *sim.Item, wait quorum.Wait) (outcome, error) {
	kind, err := it.Kind.Kind()
	if err != nil {
		return outcome{}, err
	}
	r := request{Prompt: it.Ask, Kind: kind.String(), Options: it.Options(), Wait: wait.String(), Include: []string{"ballots"}}
	r.Context.Tier = s.cfg.Tier.String()
	status, body, err := c.post("/v1/deliberate", c.gateway.Key, r)
	if err != nil {
		return outcome{}, err
	}
	if status != fasthttp.StatusOK && status != fasthttp.StatusForbidden {
		return outcome{status: fmt.Sprintf("http %d", status), confidence: -1}, nil
	}
	var d wire.Deliberation
	if err := d.Decode(body); err != nil || d.Status == "" {
		return outcome{status: fmt.Sprintf("http %d", status), confidence: -1}, nil
	}
	o := outcome{status: d.Status, leader: d.Value + d.Decision, confidence: -1, ballots: len(d.Ballots)}
	if d.Consensus.Confidence >= 0 {
		o.confidence = float64(d.Consensus.Confidence) / float64(quorum.One)
	}
	for i := range d.Ballots {
		if d.Ballots[i].Outcome != quorum.Unneeded.String() {
			o.heard++
		}
	}
	var chosen int
	o.grade, chosen = s.grader.answer(it, s.panel, &d)
	o.unmatched = chosen < 0 && d.Answer != "" && !closed(it.Kind) && it.Kind != sim.VoteItem
	return o, nil
}

// caller talks to one gateway.
type caller struct {
	gateway Gateway
	origin  string
	client  fasthttp.HostClient
}

func (c *caller) post(path, key string, body any) (status int, answer []byte, err error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return 0, nil, fmt.Errorf("encode: %w", err)
	}
	var req fasthttp.Request
	var res fasthttp.Response
	req.SetRequestURI(c.origin + path)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.SetContentType("application/json")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	req.SetBodyRaw(encoded)
	if err := c.client.DoTimeout(&req, &res, time.Minute); err != nil {
		return 0, nil, fmt.Errorf("POST %s: %w", path, err)
	}
	return res.StatusCode(), res.Body(), nil
}

// calibrationItem is one prompt with its truth.
type calibrationItem struct {
	Prompt  string   `json:"prompt"`
	Kind    string   `json:"kind"`
	Options []string `json:"options,omitempty"`
	Truth   []string `json:"truth"` // any of them
}

// calibrationBatch keeps a request well under a gateway's body limit.
const calibrationBatch = 20

// calibrate gives the gateway items with their truth. Those without, open text
// and code, are left out: nothing can be learnt from them this way.
func (c *caller) calibrate(ctx context.Context, items []*sim.Item) error {
	var batch struct {
		Items []calibrationItem `json:"items"`
	}
	send := func() error {
		if len(batch.Items) == 0 {
			return nil
		}
		status, _, err := c.post("/api/calibration", c.gateway.StewardKey, batch)
		if err == nil && status/100 != 2 {
			err = fmt.Errorf("POST /api/calibration: status %d", status)
		}
		batch.Items = batch.Items[:0]
		return err
	}
	for _, it := range items {
		if it.Truth == "" || it.Kind == sim.CodeItem {
			continue
		}
		kind, err := it.Kind.Kind()
		if err != nil {
			return err
		}
		truth := []string{it.Truth}
		if it.Kind == sim.FreetextItem {
			truth = strings.Split(it.Truth, "/")
		}
		batch.Items = append(batch.Items, calibrationItem{it.Ask, kind.String(), it.Options(), truth})
		if len(batch.Items) == calibrationBatch {
			if err := errors.Join(ctx.Err(), send()); err != nil {
				return err
			}
		}
	}
	return send()
}
