package load

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kaizen-os/deliberation/bench/sim"
)

// A Report is what Bench measured.
type Report struct {
	Machine Machine
	Command string
	Short   bool

	Single  *Comparison // one client, instant companions
	Instant *Comparison // 64 clients, instant companions
	Slow    *Comparison // 256 clients, 20 ms companions
	Paced   *Comparison // 100 requests a second, 20 ms companions
	Matrix  []Cell

	TailLatency sim.Latency
	Tails       []Tail

	RecordBytes int
	RawSets     [2]Quantiles // one synced Pebble set of that many bytes, before and after Single
	RawBatches  []Batch
}

// A Cell is one panel and latency in both loops.
type Cell struct{ Closed, Open *Comparison }

// A Goal is a number to reach (DESIGN §13).
type Goal struct {
	What          string
	Measured      float64
	Goal, Stretch float64
	Unit          string
	AtLeast       bool // else at most
}

// Reached says which of the two bounds the measurement meets. What is left of a
// latency when others are taken off cannot be below 0: then the machine was too
// unsteady to tell, which is no success.
func (g Goal) Reached() string {
	if g.Measured < 0 {
		return "unclear"
	}
	meets := func(bound float64) bool {
		if g.AtLeast {
			return g.Measured >= bound
		}
		return g.Measured <= bound
	}
	switch {
	case meets(g.Stretch):
		return "stretch"
	case meets(g.Goal):
		return "goal"
	default:
		return "missed"
	}
}

func p50(q Quantiles) time.Duration { return q.P50 }
func p99(q Quantiles) time.Duration { return q.P99 }

// rawSet is a quantile of one synced set, the lower of the two measurements: in
// doubt against the gateway.
func (r *Report) rawSet(q func(Quantiles) time.Duration) time.Duration {
	return min(q(r.RawSets[0]), q(r.RawSets[1]))
}

// Goals holds the measurements against what the design asks for. Latencies are
// beside the floor and one raw synced set; memory is the gateway's own.
func (r *Report) Goals() []Goal {
	throughput := func(c *Comparison) float64 { return c.Gateway.PerSecond() / c.floorPerSecond() }
	added := func(c *Comparison, q func(Quantiles) time.Duration) float64 {
		return ms(q(c.Gateway.Total) - c.floorAt(q) - r.rawSet(q))
	}
	goals := []Goal{
		{"throughput over the floor, instant companions, 64 clients", throughput(r.Instant), 0.50, 0.70, "", true},
		{"throughput over the floor, 20 ms companions, 256 clients", throughput(r.Slow), 0.50, 0.70, "", true},
	}
	if floor := r.Instant.floorCPU(); floor > 0 { // unknown where there is no /proc
		goals = append(goals, Goal{"CPU a deliberation over the floor's", float64(r.Instant.Gateway.CPU(0)) / float64(floor), 2.7, 1.9, "", false})
	}
	goals = append(goals,
		Goal{"one client, p50 beyond floor and one synced set", added(r.Single, p50), 0.20, 0.10, "ms", false},
		Goal{"one client, p99 beyond floor and one synced set", added(r.Single, p99), 0.50, 0.30, "ms", false},
		Goal{"100 a second, p99 beyond floor and one synced set", added(r.Paced, p99), 1.0, 0.5, "ms", false},
	)
	if len(r.Slow.Gateway.Processes) > 0 && r.Slow.Gateway.Processes[0].RSS > 0 {
		goals = append(goals, Goal{"memory with 256 deliberations in flight", mib(r.Slow.Gateway.Processes[0].RSS), 96, 64, "MiB", false})
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

func (r *Report) tables() []table {
	goals := table{
		title:  "Goals, panel of 5, 600-byte replies, everything on, durable",
		header: []string{"what", "measured", "goal", "stretch", "reached"},
	}
	for _, g := range r.Goals() {
		bound := "≤ "
		if g.AtLeast {
			bound = "≥ "
		}
		unit := ""
		if g.Unit != "" {
			unit = " " + g.Unit
		}
		goals.rows = append(goals.rows, []string{
			g.What, number(g.Measured) + unit, bound + number(g.Goal) + unit, bound + number(g.Stretch) + unit, g.Reached(),
		})
	}
	focus := table{
		title: "Panel of 5 against the floor",
		note: "The floor is measured before and after the gateway; its two numbers show how steady the machine is. " +
			"Open loop: timed from when each request was due.",
		header: []string{"load", "server", "a second", "p50 ms", "p95", "p99", "p99.9", "CPU µs", "companions' CPU µs", "RSS MiB", "failed"},
	}
	for _, c := range []*Comparison{r.Single, r.Instant, r.Slow, r.Paced} {
		for _, side := range []struct {
			name   string
			result *Result
		}{{"floor before", c.Before}, {"gateway", c.Gateway}, {"floor after", c.After}} {
			focus.rows = append(focus.rows, append([]string{c.load(), side.name}, measures(side.result)...))
		}
	}
	raw := table{
		title:  fmt.Sprintf("The disk: raw Pebble, values of %d bytes, synced", r.RecordBytes),
		header: []string{"what", "values a second", "p50 ms", "p99"},
	}
	for i, set := range r.RawSets {
		raw.rows = append(raw.rows, []string{[]string{"one set at a time, before", "and after"}[i],
			perSecond(1 / max(set.Mean.Seconds(), 1e-9)), millis(set.P50), millis(set.P99)})
	}
	for _, b := range r.RawBatches {
		raw.rows = append(raw.rows, []string{fmt.Sprintf("batches of %d", b.Size), perSecond(b.PerSecond), "", ""})
	}
	return []table{goals, focus, r.closedTable(), r.openTable(), r.tailTable(), raw}
}

func (c *Comparison) load() string {
	if c.Rate > 0 {
		return fmt.Sprintf("%g/s open, %v", c.Rate, c.Latency)
	}
	return fmt.Sprintf("%d clients, %v", c.Clients, c.Latency)
}

func measures(r *Result) []string {
	companions, rss := "", ""
	if len(r.Processes) > 1 {
		companions, rss = micros(r.CPU(1)), fmt.Sprintf("%.1f", mib(r.Processes[0].RSS))
	}
	return []string{
		perSecond(r.PerSecond()), millis(r.Total.P50), millis(r.Total.P95), millis(r.Total.P99), millis(r.Total.P999),
		micros(r.CPU(0)), companions, rss, failed(r),
	}
}

func (r *Report) closedTable() table {
	t := table{
		title: "Closed loop: throughput",
		header: []string{"panel", "companions", "clients", "floor/s", "gateway/s", "ratio", "floor CPU µs", "gateway CPU µs",
			"allocations", "KiB allocated", "RSS MiB", "verdicts", "failed"},
	}
	for _, cell := range r.Matrix {
		c := cell.Closed
		rss := ""
		if len(c.Gateway.Processes) > 0 {
			rss = fmt.Sprintf("%.1f", mib(c.Gateway.Processes[0].RSS))
		}
		allocated, kib := "", ""
		if c.Mallocs > 0 {
			allocated, kib = fmt.Sprintf("%.0f", c.Mallocs), fmt.Sprintf("%.1f", c.Bytes/1024)
		}
		t.rows = append(t.rows, []string{
			fmt.Sprint(c.Panel), c.Latency.String(), fmt.Sprint(c.Clients), perSecond(c.floorPerSecond()), perSecond(c.Gateway.PerSecond()),
			number(c.Gateway.PerSecond() / c.floorPerSecond()), micros(c.floorCPU()), micros(c.Gateway.CPU(0)), allocated, kib, rss,
			summary(c.Gateway.Verdicts), failed(c.Gateway),
		})
	}
	return t
}

func (r *Report) openTable() table {
	t := table{
		title: fmt.Sprintf("Open loop: latency at %d requests a second", openRate),
		note:  "Milliseconds. Overhead is what the gateway states: total less the wait for companions, the durable write included.",
		header: []string{"panel", "companions", "floor p50", "p99", "gateway p50", "p95", "p99", "p99.9",
			"overhead p50", "p95", "p99", "p99.9", "failed"},
	}
	for _, cell := range r.Matrix {
		c := cell.Open
		g, o := c.Gateway.Total, c.Gateway.Overhead
		t.rows = append(t.rows, []string{
			fmt.Sprint(c.Panel), c.Latency.String(), millis(c.floorAt(p50)), millis(c.floorAt(p99)),
			millis(g.P50), millis(g.P95), millis(g.P99), millis(g.P999),
			millis(o.P50), millis(o.P95), millis(o.P99), millis(o.P999), failed(c.Gateway),
		})
	}
	return t
}

func (r *Report) tailTable() table {
	t := table{
		title: fmt.Sprintf("Heavy-tailed companions (%v), panel of %d, sums, %d a second", r.TailLatency, focusPanel, tailRate),
		note: "Milliseconds. \"Slowest heard\" is the slowest companion of each deliberation among those whose reply was waited for; " +
			"for wait all, that is the slowest of the panel.",
		header: []string{"wait", "p50", "p95", "p99", "slowest heard p50", "p95", "p99", "replies heard", "verdicts", "failed"},
	}
	for _, tail := range r.Tails {
		q, s := tail.Result.Total, tail.Slowest
		t.rows = append(t.rows, []string{
			tail.Wait, millis(q.P50), millis(q.P95), millis(q.P99), millis(s.P50), millis(s.P95), millis(s.P99),
			fmt.Sprintf("%.0f %%", 100*tail.Heard), summary(tail.Result.Verdicts), failed(tail.Result),
		})
	}
	return t
}

func failed(r *Result) string {
	if r.Failed() == 0 {
		return "0"
	}
	return r.ErrorSummary()
}

func ms(d time.Duration) float64    { return float64(d) / float64(time.Millisecond) }
func mib(n int64) float64           { return float64(n) / (1 << 20) }
func number(v float64) string       { return fmt.Sprintf("%.2f", v) }
func perSecond(v float64) string    { return fmt.Sprintf("%.0f", v) }
func millis(d time.Duration) string { return fmt.Sprintf("%.2f", ms(d)) }

// micros of processor time, of which there is none where it is unknown.
func micros(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f", float64(d)/float64(time.Microsecond))
}

func (r *Report) preamble() []string {
	m := r.Machine
	lines := []string{
		fmt.Sprintf("machine: %s, %d cores, kernel %s, %s, %s", m.CPU, m.Cores, m.Kernel, m.OS, m.Go),
		"companions, load generator and server share its cores",
	}
	if r.Command != "" {
		lines = append(lines, "command: "+r.Command)
	}
	if r.Short {
		lines = append(lines, "short run: for a first look, not for comparison")
	}
	return lines
}

// WriteText writes r for a terminal.
func (r *Report) WriteText(w io.Writer) error {
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

// WriteMarkdown writes r for a README.
func (r *Report) WriteMarkdown(w io.Writer) error {
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
	widths := make([]int, len(t.header))
	lines := append([][]string{t.header}, t.rows...)
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
