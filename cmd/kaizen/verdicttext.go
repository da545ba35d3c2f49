package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// paint colours text for a terminal, or leaves it when it is not on.
type paint struct{ on bool }

// paintFor colours what goes to a terminal, unless its user wants none.
func paintFor(out io.Writer) paint {
	return paint{on: isTerminal(out) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

const (
	bold       = "1"
	dim        = "2"
	underlined = "4"
	red        = "31"
	green      = "32"
	yellow     = "33"
)

func (p paint) as(style, s string) string {
	if !p.on || s == "" {
		return s
	}
	return "\x1b[" + style + "m" + s + "\x1b[0m"
}

func (p paint) status(s string) string {
	colour := red
	switch s {
	case "carried":
		colour = green
	case "contested", "pending":
		colour = yellow
	}
	return p.as(bold+";"+colour, s)
}

// Most columns of a terminal for a companion's own words: in a table's cell, and
// on a line of their own.
const (
	maxCell = 28
	maxLine = 160
)

// meaning says in a few words what a verdict that is not carried means.
func meaning(status string) string {
	switch status {
	case "contested":
		return "an answer leads, without the support its tier asks for"
	case "lost":
		return "the vote did not come out for approval"
	case "inquorate":
		return "too few ballots count for any answer to have authority"
	case "refused":
		return "the prompt itself was refused: nobody was asked"
	case "pending":
		return "carried, and waits for a steward's co-sign"
	case "expired":
		return "no steward co-signed in time"
	}
	return ""
}

// appendVerdict appends v for people: answer, verdict, a row a companion,
// dissent, what followed the first round, receipt. What companions wrote is shown without control characters:
// they could move the cursor or rename the window.
func appendVerdict(dst []byte, v *wire.Deliberation, p paint) []byte {
	if v.Answer != "" {
		dst = fmt.Appendf(dst, "%s\n\n", strings.TrimSpace(printable(v.Answer)))
	}
	dst = fmt.Appendf(dst, "%s\n", strings.Join(verdictFacts(v, p), " · "))
	if m := meaning(v.Status); m != "" {
		dst = fmt.Appendf(dst, "%s\n", p.as(dim, m))
	}
	if len(v.Ballots) > 0 {
		dst = append(dst, '\n')
		dst = appendTable(dst, ballotRows(v, p), p)
	}
	if len(v.Dissent) > 0 {
		dst = fmt.Appendf(dst, "\n%s\n", p.as(bold, "dissent"))
		for _, d := range v.Dissent {
			dst = fmt.Appendf(dst, "  %4s  %s: %s", percent(d.Share), clip(oneLine(strings.Join(d.Companions, ", ")), maxLine), clip(oneLine(d.Answer), maxLine))
			if d.WinsBy != "" {
				dst = fmt.Appendf(dst, "  %s", p.as(yellow, "would win by "+oneLine(d.WinsBy)))
			}
			dst = append(dst, '\n')
		}
	}
	dst = appendSteps(dst, v, p)
	dst = fmt.Appendf(dst, "\n%s\n", p.as(dim, strings.Join(costFacts(v), " · ")))
	if v.Proof.LeafHash != "" {
		dst = fmt.Appendf(dst, "%s  index %d  leaf %s\n         %s\n", p.as(bold, "receipt"), v.Proof.Index, oneLine(v.Proof.LeafHash), oneLine(v.Proof.Receipt))
	}
	return dst
}

// verdictFacts is the verdict's line: what it came to and how sure it is.
func verdictFacts(v *wire.Deliberation, p paint) []string {
	c := &v.Consensus
	facts := []string{p.status(oneLine(v.Status))}
	if v.Decision != "" {
		facts = append(facts, "decision "+oneLine(v.Decision))
	}
	if v.Value != "" && v.Value != v.Answer {
		facts = append(facts, "value "+clip(oneLine(v.Value), maxCell))
	}
	if c.Confidence >= 0 {
		facts = append(facts, "confidence "+percent(c.Confidence))
	} else if c.Kind == "text" || c.Kind == "code" {
		facts = append(facts, "no confidence: open text")
	}
	agreement := "agreement "
	if c.AgreementIsBound {
		agreement += "at least "
	}
	facts = append(facts, agreement+percent(c.Agreement),
		fmt.Sprintf("%d of %d approvals", c.Votes, c.Required))
	if c.Kind != "" {
		facts = append(facts, oneLine(c.Kind))
	}
	if c.Degraded {
		facts = append(facts, p.as(yellow, "degraded panel"))
	}
	if c.FlipsByTier {
		facts = append(facts, p.as(yellow, "tier weights would say otherwise"))
	}
	if asked := v.Panel; asked.Asked < asked.Eligible {
		facts = append(facts, fmt.Sprintf("%d of %d asked", asked.Asked, asked.Eligible))
	}
	if v.Cached {
		facts = append(facts, "from the cache")
	}
	return facts
}

func costFacts(v *wire.Deliberation) []string {
	facts := []string{fmt.Sprintf("%s ms, %s ms of it the gateway's own", v.Timing.Total, v.Timing.Overhead)}
	if u := v.Usage; u.InputTokens > 0 || u.OutputTokens > 0 {
		facts = append(facts, fmt.Sprintf("%d tokens in, %d out", u.InputTokens, u.OutputTokens))
	}
	if cost := v.Usage.CostMicroUSD; cost > 0 {
		facts = append(facts, "USD "+wire.PPM(cost).String())
	}
	return append(facts, oneLine(v.ID))
}

// A row is one line of a table; style paints it whole.
type row struct {
	cells []string
	style string
}

// rightAligned marks the columns of numbers in ballotRows.
var rightAligned = [...]bool{4: true, 5: true, 7: true, 8: false}

func ballotRows(v *wire.Deliberation, p paint) []row {
	rows := []row{{[]string{"COMPANION", "TIER", "MODEL", "OUTCOME", "SCORE", "WEIGHT", "POSITION", "LATENCY", ""}, dim}}
	for i := range v.Ballots {
		b := &v.Ballots[i]
		r := row{cells: []string{b.Companion, b.Tier, b.Model, b.Outcome, "", b.Weight.String(), ballotPosition(v, b), "", b.Reason}}
		if b.Score >= 0 {
			r.cells[4] = b.Score.String()
		}
		if b.LatencyMs > 0 || b.Outcome == "ok" {
			r.cells[7] = fmt.Sprintf("%d ms", b.LatencyMs)
		}
		for j, c := range r.cells[:8] {
			if r.cells[j] = clip(oneLine(c), maxCell); r.cells[j] == "" {
				r.cells[j] = "-"
			}
		}
		r.cells[8] = oneLine(ballotNote(b))
		if !b.Counted {
			r.style = dim
		}
		rows = append(rows, r)
	}
	return rows
}

// ballotNote is why a ballot does not count, and which external judges have no
// opinion of it: a score without theirs is less than it looks.
func ballotNote(b *wire.Ballot) string {
	var silent []string
	for _, j := range b.Judged {
		if j.Outcome == "unjudged" {
			silent = append(silent, strings.TrimSpace(j.ID+" "+j.Reason))
		}
	}
	switch {
	case len(silent) == 0:
		return b.Reason
	case b.Reason == "" || b.Reason == quorum.ReasonUnjudged:
		return quorum.ReasonUnjudged + " (" + strings.Join(silent, ", ") + ")"
	}
	return b.Reason + "; " + quorum.ReasonUnjudged + " (" + strings.Join(silent, ", ") + ")"
}

// ballotPosition is the number of a ballot's position, from 1, and its answer.
func ballotPosition(v *wire.Deliberation, b *wire.Ballot) string {
	if b.Position < 0 {
		return b.Stance // an abstention
	}
	if b.Position >= len(v.Positions) {
		return fmt.Sprint(b.Position + 1)
	}
	return fmt.Sprintf("%d: %s", b.Position+1, v.Positions[b.Position].Answer)
}

// appendTable appends rows in columns as wide as their widest cell.
func appendTable(dst []byte, rows []row, p paint) []byte {
	var widths []int
	for _, r := range rows {
		for j, c := range r.cells {
			if j == len(widths) {
				widths = append(widths, 0)
			}
			widths[j] = max(widths[j], columns(c))
		}
	}
	for _, r := range rows {
		var line strings.Builder
		for j, c := range r.cells {
			pad := strings.Repeat(" ", widths[j]-columns(c))
			if rightAligned[j] {
				line.WriteString(pad + c)
			} else {
				line.WriteString(c + pad)
			}
			line.WriteString("  ")
		}
		text := strings.TrimRight(line.String(), " ")
		if r.style != "" {
			text = p.as(r.style, text)
		}
		dst = append(append(dst, text...), '\n')
	}
	return dst
}

// percent rounds to whole percents, half up; but what is not all is not 100 %: a
// confidence of 0.996 is no certainty.
func percent(p wire.PPM) string {
	if p < 0 {
		return "-"
	}
	whole := (p + 5_000) / 10_000
	if p < 1_000_000 {
		whole = min(whole, 99)
	}
	return fmt.Sprintf("%d %%", whole)
}

// printable is s without what could act on a terminal: control characters but
// line breaks and tabs, and marks that turn the direction of writing.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == '\u200e', r == '\u200f':
			return -1
		}
		return r
	}, s)
}

// oneLine is s, printable, with every run of white space as one space.
func oneLine(s string) string { return strings.Join(strings.Fields(printable(s)), " ") }

// clip shortens s to at most most columns.
func clip(s string, most int) string {
	if columns(s) <= most {
		return s
	}
	n := 0
	for i, r := range s {
		if n += runeColumns(r); n >= most {
			return s[:i] + "…"
		}
	}
	return s
}

// columns is how many columns of a terminal s takes.
func columns(s string) (n int) {
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
