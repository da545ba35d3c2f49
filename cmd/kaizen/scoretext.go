package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

// appendScore appends v, the score of text, for people: the verdict, the places
// that cost points underlined in their lines, what each costs and why, the
// clauses, and what nobody assessed. The text is the caller's own; it is shown
// without what could act on a terminal.
func appendScore(dst []byte, v *wire.ValidateResponse, text string, p paint) []byte {
	held, style := "at or above", green
	if !v.Counts {
		held, style = "below", red
	}
	dst = fmt.Appendf(dst, "%s, %s the %s tier's %s (rules %s)\n", p.as(bold+";"+style, v.Score.String()+" of 100"), held, v.Tier, v.Minimum, printable(v.Charter.Version))
	if excerpts := excerptsOf(v.Violations, text); len(excerpts) > 0 {
		dst = append(dst, '\n')
		margin := len(strconv.Itoa(excerpts[len(excerpts)-1].line))
		for _, e := range excerpts {
			dst = e.appendTo(dst, margin, p)
		}
	}
	if len(v.Violations) > 0 {
		dst = append(dst, '\n')
		dst = appendTable(dst, costRows(v.Violations), p)
	}
	var under []string
	for _, c := range v.Clauses {
		if c.Score < 10_000 {
			under = append(under, fmt.Sprintf("%d %s %s", c.Clause, c.Name, c.Score))
		}
	}
	switch {
	case len(under) > 0:
		dst = fmt.Appendf(dst, "\nclauses under 100: %s\n", strings.Join(under, "; "))
	case len(v.Clauses) > 0:
		dst = fmt.Appendf(dst, "\nall %d clauses: 100\n", len(v.Clauses))
	}
	return fmt.Appendf(dst, "not assessed: %s\n", strings.ReplaceAll(strings.Join(v.NotAssessed, ", "), "_", " "))
}

// costRows is a row a rule that found something, the worst first: how often, its
// clause, what each costs, and why.
func costRows(violations []wire.Violation) []row {
	type cost struct {
		wire.Violation
		times int
	}
	var costs []cost
	for _, v := range violations {
		if i := slices.IndexFunc(costs, func(c cost) bool { return c.Rule == v.Rule }); i >= 0 {
			costs[i].times++
			continue
		}
		costs = append(costs, cost{v, 1})
	}
	slices.SortStableFunc(costs, func(a, b cost) int { return int(b.Severity - a.Severity) })
	var rows []row
	for _, c := range costs {
		clause := "as a whole"
		if c.Clause > 0 {
			clause = "clause " + strconv.Itoa(c.Clause)
		}
		price := "costs " + c.Severity.String()
		if c.times > 1 {
			price = fmt.Sprintf("%d times %s", c.times, c.Severity)
		}
		rows = append(rows, row{cells: []string{printable(c.Rule), clause, price, printable(c.Why)}})
	}
	return rows
}

// An excerpt is a piece of one line of a text, with the findings in it.
type excerpt struct {
	line       int // from 1
	text       string
	start, end int  // its bytes in the text
	before     bool // the line has more in front
	after      bool // and behind
	findings   []wire.Violation
}

// Of a line that is too long for a terminal so much is shown, and so much of it in
// front of a finding; in bytes.
const (
	excerptBytes = 120
	excerptLead  = 40
)

// excerptsOf cuts the lines that hold findings out of text. A finding of the text
// as a whole has no place to be shown at.
func excerptsOf(violations []wire.Violation, text string) (all []excerpt) {
	line, counted := 1, 0
	for _, v := range violations {
		if v.Clause == 0 || v.Start < 0 || v.End <= v.Start || v.End > len(text) {
			continue
		}
		if n := len(all); n > 0 && v.Start < all[n-1].end {
			all[n-1].findings = append(all[n-1].findings, v)
			continue
		}
		line += strings.Count(text[counted:v.Start], "\n")
		counted = v.Start
		e := excerpt{line: line, start: strings.LastIndexByte(text[:v.Start], '\n') + 1, end: len(text), findings: []wire.Violation{v}}
		if n := strings.IndexByte(text[v.Start:], '\n'); n >= 0 {
			e.end = v.Start + n
		}
		if v.Start-e.start > excerptLead && e.end-e.start > excerptBytes {
			e.start, e.before = runeStart(text, v.Start-excerptLead), true
		}
		if e.end-e.start > excerptBytes {
			e.end, e.after = runeStart(text, e.start+excerptBytes), true
		}
		e.text = text[e.start:e.end]
		all = append(all, e)
	}
	return all
}

// runeStart is the start of the rune that holds byte i.
func runeStart(text string, i int) int {
	for n := 0; n < 3 && i > 0 && text[i]&0xc0 == 0x80; n++ {
		i--
	}
	return i
}

// appendTo appends the line and, under it, a mark for each finding with the name
// of its rule.
func (e *excerpt) appendTo(dst []byte, margin int, p paint) []byte {
	lead, tail := "", ""
	if e.before {
		lead = "…"
	}
	if e.after {
		tail = "…"
	}
	dst = fmt.Appendf(dst, "%s %s", p.as(dim, fmt.Sprintf("%*d |", margin, e.line)), lead)
	at := 0
	for _, v := range e.findings {
		from, until := min(max(v.Start-e.start, at), len(e.text)), min(v.End-e.start, len(e.text))
		if until <= from {
			continue
		}
		dst = append(dst, shown(e.text[at:from])...)
		dst = append(dst, p.as(underlined+";"+red, shown(e.text[from:until]))...)
		at = until
	}
	dst = append(append(append(dst, shown(e.text[at:])...), tail...), '\n')
	for _, v := range e.findings {
		from, until := v.Start-e.start, min(v.End-e.start, len(e.text))
		mark := strings.Repeat(" ", columns(lead)+columns(shown(e.text[:from]))) + strings.Repeat("^", max(1, columns(shown(e.text[from:until]))))
		if v.End > e.end {
			mark += "…"
		}
		dst = fmt.Appendf(dst, "%s %s %s\n", p.as(dim, strings.Repeat(" ", margin)+" |"), p.as(red, mark), printable(v.Rule))
	}
	return dst
}

// shown is part of a line as it is printed: a tab is one space, so that what
// stands under it can be counted.
func shown(s string) string { return strings.ReplaceAll(printable(s), "\t", " ") }
