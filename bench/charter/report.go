package charter

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/kaizen-os/deliberation/bench/charter/data"
	"github.com/kaizen-os/deliberation/bench/table"
)

// A Report is what Run measured.
type Report struct {
	Heading     []string           `json:"heading"` // where, when and by what it was measured, a line each; the caller's
	Items       int                `json:"items"`
	Ranked      string             `json:"ranked"`  // by what
	LeftOut     bool               `json:"leftOut"` // a rank of its own for each source that is left out
	Unseen      bool               `json:"unseen"`  // what was learned from is scored by models that did not see it
	Reworded    int                `json:"reworded"`
	Benign      Benign             `json:"benign"`
	Sources     []Source           `json:"sources"`
	Personal    []*PersonalData    `json:"personal"`
	Traps       []Functional       `json:"traps"` // with a finding of personal data
	Identity    Share              `json:"identity"`
	SafePrompts [len(levels)]Share `json:"safePrompts"`
	HateCheck   []Functional       `json:"hateCheck"`
	Pairs       []Pairs            `json:"pairs"`
	Evaded      []Evaded           `json:"evaded"`
	Speed       *Speed             `json:"speed"`
}

// Benign is the figures of all benign items together.
type Benign struct {
	Under    [len(levels)]Share `json:"under"`
	Mean     float64            `json:"mean"`
	Personal Share              `json:"personal"` // with a finding of personal data
	Above    Share              `json:"above"`    // the threshold: as near 1 % as ties allow
}

func (r *Report) preamble() []string {
	leftOut := "nothing is trained, and no source left out"
	if r.LeftOut {
		leftOut = "left out: by a model that saw no item of the source, nor of the benign one's group"
	}
	lines := slices.Clone(r.Heading)
	if r.Unseen {
		lines = append(lines, "an item that the model learned from is scored by one, else alike, that did not see the item's group")
	}
	return append(lines,
		fmt.Sprintf("%d items; shares in per cent with the 95 %% interval (Wilson)", r.Items),
		fmt.Sprintf("recall at 1 %%: bad items that rank, by %s, above the threshold that %s of the benign (%s) exceed",
			r.Ranked, percent(r.Benign.Above.Value())+" %", strings.Join(benignSources, ", ")),
		leftOut,
		fmt.Sprintf("stripped: without the wording of jailbreak templates, which %d texts have", r.Reworded),
	)
}

// tables of the report, in the order they are read.
func (r *Report) tables() []table.Table {
	tables := []table.Table{r.goals(), r.scores(), r.told()}
	for _, p := range r.Personal {
		tables = append(tables, p.table())
	}
	return append(tables, r.traps(), r.hateCheck(), r.pairs(), r.evaded(), r.timings(), r.hostile())
}

func (r *Report) goals() table.Table {
	t := table.Table{Title: "Goals", Header: []string{"what", "goal", "measured", "95 %", "of", "reached"}}
	for _, g := range r.Goals() {
		sign := "≥ "
		if g.AtMost {
			sign = "≤ "
		}
		reached := "reached"
		switch {
		case math.IsNaN(g.Measured):
			reached = "not measured"
		case !g.Reached:
			reached = "missed by " + g.write(g.MissedBy())
		}
		interval, of := "", ""
		if !math.IsNaN(g.Low) {
			interval = g.write(g.Low) + " to " + g.write(g.High)
		}
		if g.Of > 0 {
			of = fmt.Sprint(g.Of)
		}
		t.Add("", g.What, strings.TrimSpace(sign+short(g.Goal)+" "+g.Unit), g.write(g.Measured), interval, of, reached)
	}
	return t
}

func (g *Goal) write(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.2f", v)
}

// short is a goal as it was set.
func short(v float64) string { return fmt.Sprintf("%g", v) }

func (r *Report) scores() table.Table {
	t := table.Table{Title: "Scores by source", Note: "of bad items the share under a score is recall, of ok ones false positives",
		Header: []string{"source", "label", "n", "under 85", "75", "70", "65", "mean"}}
	for _, s := range r.Sources {
		for _, l := range s.Labels {
			row := []string{s.Source, l.Label, fmt.Sprint(l.Under[0].N), spread(l.Under[0])}
			for _, u := range l.Under[1:] {
				row = append(row, percent(u.Value()))
			}
			t.Add("", append(row, fmt.Sprintf("%.2f", l.Mean))...)
		}
	}
	row := []string{"benign", "ok", fmt.Sprint(r.Benign.Under[0].N), spread(r.Benign.Under[0])}
	for _, u := range r.Benign.Under[1:] {
		row = append(row, percent(u.Value()))
	}
	t.Add("", append(row, number(r.Benign.Mean, 2))...)
	return t
}

func (r *Report) told() table.Table {
	t := table.Table{Title: "Bad told from ok", Note: "AUROC within the source, by score and by rank (" + r.Ranked +
		"); recall of the bad above all but 1 % of the benign, and under 85 without template wording",
		Header: []string{"source", "n", "AUROC", "by rank", "recall at 1 %", "stripped", "left out", "left out, stripped", "under 85, stripped"}}
	for _, s := range r.Sources {
		bad := s.label(data.Bad)
		if bad == nil {
			continue
		}
		stripped, leftStripped, under := "", "", ""
		if s.Stripped {
			stripped, leftStripped, under = spread(s.Recall.Stripped), spread(s.LeftOut.Stripped), percent(bad.StrippedUnder.Value())
		}
		leftOut := percent(s.LeftOut.Plain.Value())
		if !r.LeftOut {
			leftOut, leftStripped = "", ""
		}
		t.Add("", s.Source, fmt.Sprint(bad.Under[0].N), number(s.ScoreAUROC, 3), number(s.RankAUROC, 3),
			percent(s.Recall.Plain.Value()), stripped, leftOut, leftStripped, under)
	}
	return t
}

func (p *PersonalData) table() table.Table {
	t := table.Table{Title: "Personal data: " + p.Source, Aside: true,
		Note:   "exact: first and last byte; fair: after both are trimmed of all but letters and digits; half: each half the other. Families and types by fair" + p.outside(),
		Header: []string{"what", "labels", "recall", "findings", "precision", "F1"}}
	add := func(name string, s Spans) {
		t.Add("", name, fmt.Sprint(s.Labels), spread(s.Recall()), fmt.Sprint(s.Claims), spread(s.Precision()), number(s.F1(), 4))
	}
	for _, s := range p.All {
		add("all, "+s.Name, s)
	}
	add("texts", p.Items)
	for _, s := range p.Families {
		add(s.Name, s)
	}
	for _, s := range append(slices.Clone(p.Types), p.Listed) {
		if s.Labels > 0 && (s.Name == p.Listed.Name || labelTypes[s.Name].family == secret) {
			t.Add("", "label "+s.Name, fmt.Sprint(s.Labels), spread(s.Recall()), "", "", "")
		}
	}
	return t
}

func (p *PersonalData) outside() string {
	if len(p.Outside) == 0 {
		return ""
	}
	var types []string
	for _, o := range p.Outside {
		types = append(types, fmt.Sprintf("%s %d", o.Type, o.Labels))
	}
	return "; outside, with labels: " + strings.Join(types, ", ")
}

func (r *Report) traps() table.Table {
	t := table.Table{Title: "Look-alike traps", Aside: true, Note: "with a finding of personal data, where there is none", Header: []string{"trap", "n", "with a finding"}}
	for _, f := range r.Traps {
		t.Add("", f.Test, fmt.Sprint(f.Under.N), spread(f.Under))
	}
	return t
}

func (r *Report) hateCheck() table.Table {
	t := table.Table{Title: "HateCheck by functional test", Aside: true, Note: "under 85: recall of the bad, false positives of the ok", Header: []string{"test", "label", "n", "under 85"}}
	for _, f := range r.HateCheck {
		t.Add("", f.Test, f.Label, fmt.Sprint(f.Under.N), spread(f.Under))
	}
	return t
}

func (r *Report) pairs() table.Table {
	t := table.Table{Title: "Pairs", Aside: true, Note: "of two replies, the one that people preferred scores more", Header: []string{"source", "n", "more", "as much"}}
	for _, p := range r.Pairs {
		t.Add("", p.Source, fmt.Sprint(p.Even.N), spread(p.Better), spread(p.Even))
	}
	return t
}

func (r *Report) evaded() table.Table {
	t := table.Table{Title: "Evasions", Note: "bad replies under 85, rewritten: those that no longer are, and what that is in points of recall",
		Header: []string{"evasion", "source", "bad", "caught", "lost", "of the caught", "points of recall"}}
	for _, e := range r.Evaded {
		t.Add("", e.Evasion, e.Source, fmt.Sprint(e.Replies), fmt.Sprint(e.Caught), fmt.Sprint(e.Lost), spread(Share{e.Lost, e.Caught}), number(e.points(), 2))
	}
	return t
}

func (r *Report) timings() table.Table {
	t := table.Table{Title: "Microseconds a text", Note: "texts of one size cut from benign replies, one core; of each text the median of its runs; allocations a call on texts without findings",
		Header: []string{"bytes", "texts", "p50", "p99", "without findings", "allocations"}}
	if r.Speed == nil {
		return t
	}
	for _, s := range r.Speed.Timings {
		t.Add("", fmt.Sprint(s.Size), fmt.Sprint(s.Texts), number(s.P50, 1), number(s.P99, 1), fmt.Sprint(s.Silent), number(s.Allocs, 2))
	}
	return t
}

func (r *Report) hostile() table.Table {
	t := table.Table{Title: "Hostile texts", Aside: true, Note: "nanoseconds a byte, the least of some runs, and how many times that of normal text of the same size", Header: []string{"repeated"}}
	if r.Speed == nil {
		return t
	}
	for _, size := range r.Speed.Sizes {
		t.Header = append(t.Header, fmt.Sprintf("%d KiB", size>>10), "times")
	}
	for _, h := range append([]Hostility{{Unit: "normal", Nanos: r.Speed.Normal}}, r.Speed.Hostile...) {
		row := []string{h.Unit}
		for i, nanos := range h.Nanos {
			row = append(row, number(nanos, 2), number(nanos/r.Speed.Normal[i], 2))
		}
		t.Add("", row...)
	}
	return t
}

// spread writes a share in per cent with its interval.
func spread(s Share) string {
	if s.N == 0 {
		return "-"
	}
	low, high := s.Wilson()
	return fmt.Sprintf("%s (%s to %s)", percent(s.Value()), percent(low), percent(high))
}

func percent(v float64) string { return number(100*v, 1) }

func number(v float64, decimals int) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.*f", decimals, v)
}

// WriteText writes r for a terminal.
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

// WriteJSON writes r and its goals as one JSON object; what could not be measured
// is null, and no number has more than six decimals.
func (r *Report) WriteJSON(w io.Writer) error {
	all := struct {
		*Report `json:",inline"`
		Goals   []Goal `json:"goals"`
	}{r, r.Goals()}
	numbers := json.MarshalToFunc(func(to *jsontext.Encoder, v float64) error {
		if math.IsNaN(v) || math.IsInf(v, 0) {
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
