package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kaizen-os/deliberation/bench/load"
)

// A report is what was measured, and where.
type report struct {
	Machine load.Machine
	Command string
	Date    time.Time
	Short   bool
	Speed   *speed  // nil when it was left out
	Growth  *growth // likewise
}

// A goal is a number to reach.
type goal struct {
	what      string
	measured  float64
	low, high float64 // of the rounds
	goal      float64
	stretch   float64 // 0 for none
	atLeast   bool    // else at most
}

func (g goal) reached() string {
	meets := func(bound float64) bool {
		if g.atLeast {
			return g.measured >= bound
		}
		return g.measured <= bound
	}
	switch {
	case math.IsNaN(g.measured):
		return "unclear"
	case g.stretch != 0 && meets(g.stretch):
		return "stretch"
	case meets(g.goal):
		return "goal"
	}
	return "missed"
}

// A spread is the median of some figures, with the least and the greatest.
type spread struct{ median, low, high float64 }

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + sorted[middle]) / 2
	}
	return spread{median, sorted[0], sorted[len(sorted)-1]}
}

func (r *rival) spread(figure func(outcome) float64) spread {
	values := make([]float64, len(r.Outcomes))
	for i, o := range r.Outcomes {
		values[i] = figure(o)
	}
	return spreadOf(values)
}

func rate(o outcome) float64 { return o.Window.perSecond() }

// ratios is a's rate over b's, round by round, so that what the machine did to
// both falls out.
func ratios(a, b *rival) spread {
	var values []float64
	for i := range min(len(a.Outcomes), len(b.Outcomes)) {
		values = append(values, rate(a.Outcomes[i])/max(rate(b.Outcomes[i]), 1e-9))
	}
	return spreadOf(values)
}

// inRawSyncs is our append's median in medians of one raw synced write, taken
// just before and just after it: the lower, in doubt against us.
func (g *group) inRawSyncs() spread {
	mine := g.rival(oursName)
	values := make([]float64, len(mine.Outcomes))
	for i, o := range mine.Outcomes {
		values[i] = float64(o.Window.P50) / float64(max(1, min(g.Raw[i][0].P50, g.Raw[i][1].P50)))
	}
	return spreadOf(values)
}

func (s *speed) group(writers int) *group {
	i := slices.IndexFunc(s.Groups, func(g group) bool { return g.Writers == writers })
	if i < 0 {
		return nil
	}
	return &s.Groups[i]
}

// goals holds the measurements against what was asked for.
func (s *speed) goals() (goals []goal) {
	if g := s.group(manyWriters); g != nil {
		mine := g.rival(oursName)
		for _, against := range []struct {
			what, name    string
			goal, stretch float64
		}{
			{"our entries a second over the floor's, 256 writers", floorName, 0.40, 0.60},
			{"over Tessera's add, fastest settings, 256 writers", addFastest, 1, 0},
			{"over Tessera's published entries, fastest settings, 256 writers", publishedFastest, 10, 0},
		} {
			q := ratios(mine, g.rival(against.name))
			goals = append(goals, goal{against.what, q.median, q.low, q.high, against.goal, against.stretch, true})
		}
	}
	if g := s.group(1); g != nil {
		q := g.inRawSyncs()
		goals = append(goals, goal{"one writer's append, p50, in raw synced writes, p50", q.median, q.low, q.high, 2, 0, false})
	}
	return goals
}

// A table is rows of cells below a header, the first column to the left.
type table struct {
	title  string
	note   string
	header []string
	rows   [][]string
}

func (r *report) tables() (tables []table) {
	if r.Speed != nil {
		tables = append(tables, r.Speed.goalTable(), r.Speed.table(), r.Speed.ratioTable(), r.Speed.diskTable())
	}
	if r.Growth != nil {
		tables = append(tables, r.Growth.openTable(), r.Growth.appendTable(), r.Growth.shapeTable())
	}
	return tables
}

func (s *speed) goalTable() table {
	t := table{
		title:  fmt.Sprintf("Ledger: goals, leaves of %d bytes", s.Leaf),
		note:   fmt.Sprintf("Median of %d rounds, each ratio taken within its round, with the least and the greatest.", s.Rounds),
		header: []string{"what", "measured", "least", "greatest", "goal", "stretch", "reached"},
	}
	for _, g := range s.goals() {
		sign, stretch := "≤ ", ""
		if g.atLeast {
			sign = "≥ "
		}
		if g.stretch != 0 {
			stretch = sign + number(g.stretch)
		}
		t.rows = append(t.rows, []string{g.what, number(g.measured), number(g.low), number(g.high), sign + number(g.goal), stretch, g.reached()})
	}
	return t
}

func (s *speed) table() table {
	t := table{
		title: "Ledger: floor, ours and Tessera",
		note: "Every writer appends one entry at a time. Floor: the same bytes into the same Pebble in synced batches, gathered the same way. " +
			"Ours returns when the entry is synced, named, in the tree and under a published checkpoint. Tessera's add returns when it is synced and in the private tree, " +
			"published when it is under a checkpoint too. CPU is of the whole process, writers included. Medians of the rounds; memory is the most of any.",
		header: []string{"writers", "contender", "a second", "least", "greatest", "p50 ms", "p99", "CPU µs", "entries a sync", "RSS MiB", "settings"},
	}
	for i := range s.Groups {
		g := &s.Groups[i]
		for j := range g.Rivals {
			v := &g.Rivals[j]
			q := v.spread(rate)
			each := func(figure func(window) float64) float64 {
				return v.spread(func(o outcome) float64 { return figure(o.Window) }).median
			}
			t.rows = append(t.rows, []string{
				fmt.Sprint(g.Writers), v.Name, perSecond(q.median), perSecond(q.low), perSecond(q.high),
				number(each(func(w window) float64 { return ms(w.P50) })), number(each(func(w window) float64 { return ms(w.P99) })),
				fmt.Sprintf("%.1f", each(func(w window) float64 { return micros(w.cpuEach()) })), fmt.Sprintf("%.1f", each(window.perBatch)),
				fmt.Sprintf("%.1f", v.spread(func(o outcome) float64 { return mib(o.Memory.Peak) }).high), v.Setting,
			})
		}
	}
	return t
}

func (s *speed) ratioTable() table {
	t := table{title: "Ledger: our entries a second over each other's, in the same round", header: []string{"writers", "over", "median", "least", "greatest"}}
	for i := range s.Groups {
		g := &s.Groups[i]
		for j := range g.Rivals {
			v := &g.Rivals[j]
			if v.Name == oursName {
				continue
			}
			q := ratios(g.rival(oursName), v)
			t.rows = append(t.rows, []string{fmt.Sprint(g.Writers), v.Name, number(q.median), number(q.low), number(q.high)})
		}
	}
	return t
}

func (s *speed) diskTable() table {
	t := table{
		title:  fmt.Sprintf("Ledger: the disk, writes of %d bytes over a filled file, each with fdatasync", s.Leaf),
		note:   "Before and after our turn in each round; medians of the rounds. Beside it one writer's append in such writes: both p50, the lower of the two, round by round.",
		header: []string{"writers", "before p50 ms", "p99", "after p50 ms", "p99", "append in writes", "least", "greatest"},
	}
	for i := range s.Groups {
		g := &s.Groups[i]
		row := []string{fmt.Sprint(g.Writers)}
		for when := range 2 {
			var p50, p99 []float64
			for _, raw := range g.Raw {
				p50, p99 = append(p50, ms(raw[when].P50)), append(p99, ms(raw[when].P99))
			}
			row = append(row, number(spreadOf(p50).median), number(spreadOf(p99).median))
		}
		inRaw := []string{"", "", ""} // among many it says how long the queue is
		if g.Writers == 1 {
			q := g.inRawSyncs()
			inRaw = []string{number(q.median), number(q.low), number(q.high)}
		}
		t.rows = append(t.rows, append(row, inRaw...))
	}
	return t
}

// median of a figure of growth outcomes.
func median(outcomes []outcome, figure func(growthOutcome) float64) float64 {
	values := make([]float64, len(outcomes))
	for i, o := range outcomes {
		values[i] = figure(o.Growth)
	}
	return spreadOf(values).median
}

// medianWindow is what was appended, in the middle.
func medianWindow(outcomes []outcome) func(func(window) float64) float64 {
	return func(figure func(window) float64) float64 {
		return median(outcomes, func(g growthOutcome) float64 { return figure(g.Appended) })
	}
}

func peak(outcomes []outcome) float64 {
	var most int64
	for _, o := range outcomes {
		most = max(most, o.Memory.Peak)
	}
	return mib(most)
}

func (g *growth) openTable() table {
	t := table{
		title: fmt.Sprintf("Ledger: as it grows, leaves of %d bytes: opening and reading", g.Leaf),
		note: "The ledger by itself, without the fold over its records; files in the page cache. Open: the first process to open it after it was filled, " +
			"then the median of all that did, each one fresh. Memory is the process's, just after the open. Receipts are of random entries, one process after another.",
		header: []string{"entries", "first open ms", "open ms", "CPU ms", "RSS MiB", "live heap MiB", "receipt p50 µs", "p99", "CPU µs", "RSS MiB after receipts"},
	}
	for i := range g.Sizes {
		s := &g.Sizes[i]
		t.rows = append(t.rows, []string{
			fmt.Sprint(s.Size), number(ms(s.Opens[0].Growth.Open)), number(median(s.Opens, func(g growthOutcome) float64 { return ms(g.Open) })),
			number(median(s.Opens, func(g growthOutcome) float64 { return ms(g.OpenCPU) })),
			fmt.Sprintf("%.1f", median(s.Opens, func(g growthOutcome) float64 { return mib(g.AfterOpen.Now) })),
			fmt.Sprintf("%.1f", median(s.Opens, func(g growthOutcome) float64 { return float64(g.Heap) / (1 << 20) })),
			fmt.Sprintf("%.1f", median(s.Opens, func(g growthOutcome) float64 { return micros(g.ProofP50) })),
			fmt.Sprintf("%.1f", median(s.Opens, func(g growthOutcome) float64 { return micros(g.ProofP99) })),
			fmt.Sprintf("%.1f", median(s.Opens, func(g growthOutcome) float64 { return micros(g.ProofCPU) })),
			fmt.Sprintf("%.1f", peak(s.Opens)),
		})
	}
	return t
}

func (g *growth) appendTable() table {
	t := table{
		title: fmt.Sprintf("Ledger: as it grows: appending, 1 and %d writers", manyWriters),
		note: "Appended to a copy of the ledger at that size; medians. Filling is from the size above it to this one, with " +
			fmt.Sprint(manyWriters) + " writers and all of Pebble's own work. RSS is the most of the process that appended.",
		header: []string{"entries", "1 writer p50 ms", "p99", "CPU µs", fmt.Sprintf("%d writers a second", manyWriters), "p50 ms", "p99", "CPU µs", "RSS MiB",
			"filling a second", "CPU µs", "RSS MiB"},
	}
	for i := range g.Sizes {
		s := &g.Sizes[i]
		one, many, built := medianWindow(s.One), medianWindow(s.Many), s.Built.Growth.Appended
		p50, p99 := func(w window) float64 { return ms(w.P50) }, func(w window) float64 { return ms(w.P99) }
		cpu := func(w window) float64 { return micros(w.cpuEach()) }
		t.rows = append(t.rows, []string{
			fmt.Sprint(s.Size), number(one(p50)), number(one(p99)), fmt.Sprintf("%.1f", one(cpu)),
			perSecond(many(window.perSecond)), number(many(p50)), number(many(p99)), fmt.Sprintf("%.1f", many(cpu)), fmt.Sprintf("%.1f", peak(s.Many)),
			perSecond(built.perSecond()), fmt.Sprintf("%.1f", cpu(built)), fmt.Sprintf("%.1f", mib(s.Built.Memory.Peak)),
		})
	}
	return t
}

func (g *growth) shapeTable() table {
	t := table{
		title:  "Ledger: as it grows: what it takes on the disk",
		header: []string{"entries", "disk MiB", "bytes an entry", "tables", "of level 0", "sublevels", "log KiB", "manifest KiB"},
	}
	for _, s := range g.Sizes {
		t.rows = append(t.rows, []string{
			fmt.Sprint(s.Size), fmt.Sprintf("%.1f", mib(s.Disk)), perSecond(float64(s.Disk) / float64(s.Size)), fmt.Sprint(s.Shape.Tables),
			fmt.Sprint(s.Shape.TopFiles), fmt.Sprint(s.Shape.TopSublevels), fmt.Sprint(s.Shape.WAL >> 10), fmt.Sprint(s.Shape.Manifest >> 10),
		})
	}
	return t
}

func ms(d time.Duration) float64     { return float64(d) / float64(time.Millisecond) }
func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func mib(n int64) float64            { return float64(n) / (1 << 20) }
func gib(n int64) float64            { return float64(n) / (1 << 30) }
func number(v float64) string        { return fmt.Sprintf("%.2f", v) }
func perSecond(v float64) string     { return fmt.Sprintf("%.0f", v) }

func (r *report) preamble() []string {
	m := r.Machine
	lines := []string{
		fmt.Sprintf("machine: %s, %d cores, kernel %s, %s, %s", m.CPU, m.Cores, m.Kernel, m.OS, m.Go),
		"command: " + r.Command,
		"date: " + r.Date.UTC().Format("2 January 2006, 15:04 UTC"),
	}
	if r.Short {
		lines = append(lines, "short run: for a first look, not for comparison")
	}
	return lines
}

func (r *report) writeText(w io.Writer) error {
	var b strings.Builder
	for _, line := range r.preamble() {
		b.WriteString(line + "\n")
	}
	for _, t := range r.tables() {
		t.text(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *report) writeMarkdown(w io.Writer) error {
	var b strings.Builder
	for _, line := range r.preamble() {
		b.WriteString("- " + line + "\n")
	}
	for _, t := range r.tables() {
		t.markdown(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *table) text(b *strings.Builder) {
	fmt.Fprintf(b, "\n%s\n", t.title)
	if t.note != "" {
		fmt.Fprintf(b, "%s\n", t.note)
	}
	lines := append([][]string{t.header}, t.rows...)
	widths := make([]int, len(t.header))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range lines {
		for i, cell := range line {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString("  " + cell + padding)
			} else {
				b.WriteString("  " + padding + cell)
			}
		}
		b.WriteByte('\n')
	}
}

func (t *table) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n", t.title)
	if t.note != "" {
		fmt.Fprintf(b, "%s\n\n", t.note)
	}
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(t.header, " | "), strings.Repeat(" --- |", len(t.header)))
	for _, row := range t.rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
}
