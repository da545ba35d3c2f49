package eval

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A table is one section of a report. Rows of one group stand together: in text
// under a line with its name, in markdown with the name as first column.
type table struct {
	title, note string
	group       string // what a group is; "" when there are none
	aside       bool   // long, and for who asks: folded away in markdown
	header      []string
	rows        []row
}

type row struct {
	group string
	cells []string
}

func (t *table) add(group string, cells ...string) {
	if len(cells) != len(t.header) {
		panic(fmt.Sprintf("bug: %s: %d cells under %d headings", t.title, len(cells), len(t.header)))
	}
	t.rows = append(t.rows, row{group, cells})
}

// columns that a terminal has.
const columns = 120

// text is "" for a table without rows.
func (t *table) text() string {
	if len(t.rows) == 0 {
		return ""
	}
	widths := make([]int, len(t.header))
	for _, r := range append([]row{{cells: t.header}}, t.rows...) {
		for i, cell := range r.cells {
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
	fmt.Fprintf(&b, "\n== %s\n", t.title)
	column := 0
	for i, word := range strings.Fields(t.note) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > columns:
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
	line(t.header)
	group := ""
	for _, r := range t.rows {
		if r.group != group {
			group = r.group
			fmt.Fprintf(&b, "\n%s\n", group)
		}
		line(r.cells)
	}
	return b.String()
}

// markdown is "" for a table without rows.
func (t *table) markdown() string {
	if len(t.rows) == 0 {
		return ""
	}
	var b strings.Builder
	if t.aside {
		fmt.Fprintf(&b, "\n<details><summary>%s</summary>\n\n", t.title)
	} else {
		fmt.Fprintf(&b, "\n### %s\n\n", t.title)
	}
	if t.note != "" {
		b.WriteString(strings.ToUpper(t.note[:1]) + t.note[1:] + ".\n\n")
	}
	line := func(group string, cells []string) {
		if t.group != "" {
			cells = append([]string{group}, cells...)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	line(t.group, t.header)
	rules := make([]string, len(t.header))
	for i := range rules {
		rules[i] = "---"
	}
	line("---", rules)
	group := ""
	for _, r := range t.rows {
		shown := ""
		if r.group != group {
			group, shown = r.group, r.group
		}
		line(shown, r.cells)
	}
	if t.aside {
		b.WriteString("\n</details>\n")
	}
	return b.String()
}
