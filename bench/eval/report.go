package eval

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/quorum"
)

// A Report is what Run measured.
type Report struct {
	Tier     quorum.Tier // of the requests
	Labelled int         // prompts a set that were given with their truth
	Limit    int         // most prompts a set that were graded; 0 is all
	Results  []*Result
}

func (r *Report) preamble() []string {
	graded := "all prompts"
	if r.Limit > 0 {
		graded = fmt.Sprintf("at most %d prompts a set", r.Limit)
	}
	return []string{
		fmt.Sprintf("%s graded, asked at tier %v; %d more a set were given with their truth first", graded, r.Tier, r.Labelled),
		"open text is graded by the judge's mean score, 1 to 10; all else in per cent right",
		"over best: to the best single model, found on the same prompts, with its 95 % interval, paired by prompt",
		"decided: carried or lost; heard: replies waited for; differs: another leader or status than the first way of waiting",
	}
}

// rows of the report: one a set, panel and way of waiting.
func (r *Report) rows() (header []string, rows [][]string) {
	header = []string{"set", "panel", "kind", "prompts", "best single", "score", "majority", "wait", "gateway", "over best", "decided",
		"of those", "AUROC", "calibration", "heard", "differs", "verdicts"}
	for _, result := range r.Results {
		open := result.Kind == sim.OpenItem
		for i, way := range result.Ways {
			row := []string{
				result.Set, fmt.Sprintf("%s (%d)", result.Panel, len(result.Models)), string(result.Kind), fmt.Sprint(result.Prompts),
				result.Best.Model, graded(result.Best.Score, open), graded(result.Majority, open),
			}
			if i > 0 {
				row = make([]string, len(row)) // as above
			}
			verdicts := counts(way.Statuses)
			if way.Unmatched > 0 {
				verdicts += fmt.Sprintf(", %d answers match no reply", way.Unmatched)
			}
			rows = append(rows, append(row,
				way.Wait.String(), graded(way.Score, open), interval(way.OverBest, open), graded(way.Decided, false),
				graded(way.DecidedMean, open), plain(way.AUROC), plain(way.Calibration), graded(way.Heard, false)+" %",
				fmt.Sprint(way.Differs), verdicts,
			))
		}
	}
	return header, rows
}

// models of every set and panel, each with its score.
func (r *Report) models() (header []string, rows [][]string) {
	header = []string{"set", "panel", "model", "score"}
	for _, result := range r.Results {
		for i, model := range result.Models {
			set, panel := result.Set, result.Panel
			if i > 0 {
				set, panel = "", ""
			}
			rows = append(rows, []string{set, panel, model.Model, graded(model.Score, result.Kind == sim.OpenItem)})
		}
	}
	return header, rows
}

// graded writes a share in per cent, a judge's score as it is.
func graded(v float64, open bool) string {
	switch {
	case math.IsNaN(v):
		return "-"
	case open:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.1f", 100*v)
}

func plain(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.3f", v)
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

// WriteText writes r for a terminal.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, line := range r.preamble() {
		b.WriteString(line + "\n")
	}
	for _, table := range []func() ([]string, [][]string){r.rows, r.models} {
		header, rows := table()
		lines := append([][]string{header}, rows...)
		widths := make([]int, len(header))
		for _, line := range lines {
			for i, cell := range line {
				widths[i] = max(widths[i], utf8.RuneCountInString(cell))
			}
		}
		b.WriteByte('\n')
		for _, line := range lines {
			for i, cell := range line {
				b.WriteString(cell)
				if i < len(line)-1 {
					b.WriteString(strings.Repeat(" ", 2+widths[i]-utf8.RuneCountInString(cell)))
				}
			}
			b.WriteByte('\n')
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteMarkdown writes r for a README.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	for _, line := range r.preamble() {
		b.WriteString("- " + line + "\n")
	}
	for _, table := range []func() ([]string, [][]string){r.rows, r.models} {
		header, rows := table()
		fmt.Fprintf(&b, "\n| %s |\n|%s\n", strings.Join(header, " | "), strings.Repeat(" --- |", len(header)))
		for _, row := range rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
