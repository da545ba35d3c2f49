package eval

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/bench/table"
)

// A Report is what Run measured.
type Report struct {
	Tier    string    `json:"tier"`   // of the requests
	Labels  []int     `json:"labels"` // labelled prompts a kind, a contender each
	Folds   int       `json:"folds"`
	Seed    uint64    `json:"seed"`
	Limit   int       `json:"limit"` // most prompts a set that were graded; 0 is all
	Results []*Result `json:"results"`
}

func (r *Report) preamble() []string {
	graded := "all prompts"
	if r.Limit > 0 {
		graded = fmt.Sprintf("at most %d prompts a set", r.Limit)
	}
	return []string{
		fmt.Sprintf("%s graded, asked at tier %s with wait all", graded, r.Tier),
		"open text is graded by the judge's mean score, 1 to 10; all else in per cent right",
		"over best: less the best single model, found on the same prompts; 95 % intervals are over prompts, paired",
		fmt.Sprintf("labels: labelled prompts a kind given beforehand, %d-fold (seed %d): no gateway is graded on what it was given", r.Folds, r.Seed),
	}
}

// tables of the report, in the order they are read.
func (r *Report) tables() []table.Table {
	return []table.Table{r.goals(), r.sideBySide(), r.gateways(), r.early(), r.escalated(), r.verdicts(), r.cost(), r.models()}
}

func (r *Report) goals() table.Table {
	t := table.Table{Title: "Goals", Note: "DESIGN §4, with what was measured", Header: []string{"what", "labels", "goal", "measured", "95 %", "reached"}}
	for _, g := range r.Goals() {
		sign := "≥ "
		if g.AtMost {
			sign = "≤ "
		}
		reached := "reached"
		switch {
		case math.IsNaN(g.Measured.Mean):
			reached = "not measured"
		case !g.Reached:
			reached = "missed by " + g.write(g.MissedBy(), false)
		}
		t.Add("", g.What, fmt.Sprint(g.Labels), sign+g.write(g.Goal, false), g.write(g.Measured.Mean, true), g.interval(), reached)
	}
	return t
}

// write gives a number in the goal's unit; finer where it was measured, so that
// what is just missed shows.
func (g *Goal) write(v float64, measured bool) string {
	switch {
	case math.IsNaN(v):
		return "-"
	case g.Unit == "prompts":
		return fmt.Sprintf("%.0f", v)
	case g.Unit == "" || g.Unit == "score":
		return fmt.Sprintf("%.3f", v)
	case measured || v != math.Trunc(10*v)/10:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

func (g *Goal) interval() string {
	if math.IsNaN(g.Measured.Low) {
		return ""
	}
	return g.write(g.Measured.Low, true) + " to " + g.write(g.Measured.High, true)
}

func (r *Report) sideBySide() table.Table {
	t := table.Table{Title: "Side by side", Note: "score of each contender", Header: []string{"set, panel", "best single model", "", majorityVote, "tier"}}
	for _, labels := range r.Labels {
		t.Header = append(t.Header, fmt.Sprintf("earned %d", labels))
	}
	for _, result := range r.Results {
		open := result.Kind == sim.OpenItem
		best := result.best()
		row := []string{result.heading(), best.Name, graded(best.Score, open), "-", graded(result.Tier.Score, open)}
		if result.Majority != nil {
			row[3] = graded(result.Majority.Score, open)
		}
		for _, labels := range r.Labels {
			cell := "-"
			if c := result.earned(labels); c != nil {
				cell = graded(c.Score, open)
			}
			row = append(row, cell)
		}
		t.Add("", row...)
	}
	return t
}

// heading names a result and how many sit in its panel.
func (result *Result) heading() string {
	return fmt.Sprintf("%s, %s (%d)", result.Set, result.Panel, len(result.Models))
}

// group is heading, and what was asked.
func (result *Result) group() string {
	return fmt.Sprintf("%s: %s, %d prompts", result.heading(), result.Kind, result.Prompts)
}

// gatewaysOf are result's contenders that are gateways.
func (result *Result) gatewaysOf() []*Contender {
	out := []*Contender{&result.Tier}
	for i := range result.Earned {
		out = append(out, &result.Earned[i])
	}
	return out
}

func (r *Report) gateways() table.Table {
	t := table.Table{Title: "Against the best single model", Note: "decided: carried or lost, and how right those are; AUROC, calibration error: of confidence; flips: tier weights lead elsewhere",
		Group: "set, panel", Header: []string{"contender", "score", "over best (95 %)", "decided", "of those", "AUROC", "calibration", "flips"}}
	for _, result := range r.Results {
		open := result.Kind == sim.OpenItem
		best := result.best()
		t.Add(result.group(), best.Name, graded(best.Score, open), "", "", "", "", "", "")
		if c := result.Majority; c != nil {
			t.Add(result.group(), c.Name, graded(c.Score, open), interval(c.OverBest, open), "", "", "", "", "")
		}
		for _, c := range result.gatewaysOf() {
			v := c.Verdicts
			t.Add(result.group(), c.Name, graded(c.Score, open), interval(c.OverBest, open), percent(v.Decided), graded(v.DecidedScore, open),
				plain(v.AUROC), plain(v.Calibration), percent(v.Flips))
		}
	}
	return t
}

func (r *Report) early() table.Table {
	t := table.Table{Title: "Waiting", Note: "each prompt put to one gateway in every way; replies: waited for, in per cent; leader: of the prompts weighed alike, another answer leads; verdict: or the status is another",
		Header: []string{"set, panel", "labels", "wait", "score", "less all's (95 %)", "replies", "weighed alike", "leader", "verdict"}}
	for _, result := range r.Results {
		if result.Early == nil {
			continue
		}
		for _, way := range result.Early.Ways {
			t.Add("", result.heading(), fmt.Sprint(result.Early.Labels), way.Wait, graded(way.Score, false), interval(way.AgainstAll, false), percent(way.Heard),
				fmt.Sprintf("%d of %d", way.Compared, result.Prompts), fmt.Sprint(way.Leaders), fmt.Sprint(way.Verdicts))
		}
	}
	return t
}

func (r *Report) escalated() table.Table {
	t := table.Table{Title: "Escalating", Note: "each prompt put to a few first and to all where those left it open, held against all at once; asked: companions, in per cent of the panel, which is the cost where all cost alike; widened: prompts that were put to all, in per cent",
		Header: []string{"set, panel", "labels", "score", "less all's (95 %)", "asked", "widened"}}
	for _, result := range r.Results {
		if e := result.Escalated; e != nil {
			open := result.Kind == sim.OpenItem
			t.Add("", result.heading(), fmt.Sprint(e.Labels), graded(e.Score, open), interval(e.AgainstAll, open), percent(e.Asked), percent(e.Widened))
		}
	}
	return t
}

func (r *Report) verdicts() table.Table {
	t := table.Table{Title: "Verdicts", Aside: true, Note: "given: labelled prompts that each gateway had, at the least", Group: "set, panel", Header: []string{"contender", "given", "verdicts"}}
	for _, result := range r.Results {
		for _, c := range result.gatewaysOf() {
			verdicts := counts(c.Verdicts.Statuses)
			if c.Verdicts.Unmatched > 0 {
				verdicts += fmt.Sprintf(", %d answers match no reply", c.Verdicts.Unmatched)
			}
			t.Add(result.heading(), c.Name, fmt.Sprint(c.Verdicts.Given), verdicts)
		}
	}
	return t
}

func (r *Report) cost() table.Table {
	t := table.Table{Title: "Microseconds a decision",
		Note:   "medians, a prompt at a time: from the request to the proof, less the wait for the last reply; and with the durable record",
		Header: []string{"set, panel", "decision", "with the record", "prompts"}}
	for _, result := range r.Results {
		c := result.Cost
		t.Add("", result.heading(), whole(c.Decision), whole(c.Recorded), fmt.Sprint(c.Prompts))
	}
	return t
}

func (r *Report) models() table.Table {
	t := table.Table{Title: "Single models", Aside: true, Group: "set, panel", Header: []string{"model", "score", "over best (95 %)"}}
	for _, result := range r.Results {
		open := result.Kind == sim.OpenItem
		for i := range result.Models {
			c := &result.Models[i]
			over := interval(c.OverBest, open)
			if c.Name == result.Best {
				over = "best"
			}
			t.Add(result.heading(), c.Name, graded(c.Score, open), over)
		}
	}
	return t
}

// graded writes a share in per cent, a judge's score as it is.
func graded(v float64, open bool) string {
	if open && !math.IsNaN(v) {
		return fmt.Sprintf("%.2f", v)
	}
	return percent(v)
}

func percent(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.1f", 100*v)
}

func plain(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.3f", v)
}

func whole(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.0f", v)
}

func interval(v Interval, open bool) string {
	format, unit := "%+.1f (%+.1f to %+.1f)", 100.0
	if open {
		format, unit = "%+.2f (%+.2f to %+.2f)", 1
	}
	if math.IsNaN(v.Low) {
		return "-"
	}
	return fmt.Sprintf(format, unit*v.Mean, unit*v.Low, unit*v.High)
}

func counts(statuses map[string]int) string {
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(statuses)) {
		parts = append(parts, fmt.Sprintf("%d %s", statuses[status], status))
	}
	return strings.Join(parts, ", ")
}

// WriteText writes r for a terminal of 120 columns.
func (r *Report) WriteText(w io.Writer) error {
	text := strings.Join(r.preamble(), "\n") + "\n"
	for _, t := range r.tables() {
		text += t.Text()
	}
	_, err := io.WriteString(w, text)
	return err
}

// WriteMarkdown writes r for a README.
func (r *Report) WriteMarkdown(w io.Writer) error {
	text := "- " + strings.Join(r.preamble(), "\n- ") + "\n"
	for _, t := range r.tables() {
		text += t.Markdown()
	}
	_, err := io.WriteString(w, text)
	return err
}

// WriteJSON writes r and its goals as one JSON object; what could not be
// measured is null, and no number has more than six decimals.
func (r *Report) WriteJSON(w io.Writer) error {
	all := struct {
		*Report `json:",inline"`
		Goals   []Goal `json:"goals"`
	}{r, r.Goals()}
	numbers := json.MarshalToFunc(func(to *jsontext.Encoder, v float64) error {
		if math.IsNaN(v) {
			return to.WriteToken(jsontext.Null)
		}
		return to.WriteToken(jsontext.Float(math.Round(v*1e6) / 1e6))
	})
	err := json.MarshalWrite(w, all, json.WithMarshalers(numbers), jsontext.WithIndent(" "), json.Deterministic(true))
	if err == nil {
		_, err = io.WriteString(w, "\n")
	}
	return err
}
