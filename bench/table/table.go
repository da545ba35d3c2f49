// Package table writes the tables of measurements: for a terminal, and as markdown
// for a README.
package table

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Table is one section of a report. Rows of one group stand together: in text
// under a line with its name, in markdown with the name as first column.
type Table struct {
	Title, Note string
	Group       string // what a group is; "" when there are none
	Aside       bool   // long, and for who asks: folded away in markdown
	Header      []string
	Rows        []Row
}

// A Row is its cells, as many as the header has, and the group it is of.
type Row struct {
	Group string
	Cells []string
}

// Add adds a row to a group; "" where there are none.
func (t *Table) Add(group string, cells ...string) {
	if len(cells) != len(t.Header) {
		panic(fmt.Sprintf("bug: %s: %d cells under %d headings", t.Title, len(cells), len(t.Header)))
	}
	t.Rows = append(t.Rows, Row{group, cells})
}

// Columns is how wide a terminal is taken to be.
const Columns = 120

// Text is "" for a table without rows.
func (t *Table) Text() string {
	if len(t.Rows) == 0 {
		return ""
	}
	widths := make([]int, len(t.Header))
	for _, r := range append([]Row{{Cells: t.Header}}, t.Rows...) {
		for i, cell := range r.Cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	line := func(cells []string) {
		var l strings.Builder
		for i, cell := range cells {
			l.WriteString(cell)
			l.WriteString(strings.Repeat(" ", 2+widths[i]-utf8.RuneCountInString(cell)))
		}
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	fmt.Fprintf(&b, "\n== %s\n", t.Title)
	column := 0
	for i, word := range strings.Fields(t.Note) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > Columns:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	if column > 0 {
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	line(t.Header)
	group := ""
	for _, r := range t.Rows {
		if r.Group != group {
			group = r.Group
			fmt.Fprintf(&b, "\n%s\n", group)
		}
		line(r.Cells)
	}
	return b.String()
}

// Markdown is "" for a table without rows.
func (t *Table) Markdown() string {
	if len(t.Rows) == 0 {
		return ""
	}
	var b strings.Builder
	if t.Aside {
		fmt.Fprintf(&b, "\n<details><summary>%s</summary>\n\n", t.Title)
	} else {
		fmt.Fprintf(&b, "\n### %s\n\n", t.Title)
	}
	if t.Note != "" {
		b.WriteString(strings.ToUpper(t.Note[:1]) + t.Note[1:] + ".\n\n")
	}
	line := func(group string, cells []string) {
		if t.Group != "" {
			cells = append([]string{group}, cells...)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	line(t.Group, t.Header)
	rules := make([]string, len(t.Header))
	for i := range rules {
		rules[i] = "---"
	}
	line("---", rules)
	group := ""
	for _, r := range t.Rows {
		shown := ""
		if r.Group != group {
			group, shown = r.Group, r.Group
		}
		line(shown, r.Cells)
	}
	if t.Aside {
		b.WriteString("\n</details>\n")
	}
	return b.String()
}
