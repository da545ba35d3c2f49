package sim

import (
	"fmt"
	"strings"

	"github.com/kaizen-os/deliberation/quorum"
)

// What a gateway's prompts look like that show a companion what others said:
// the question stands between these lines, and theirs after it.
const (
	questionLine = "\nThe question:\n"
	answersLine  = "\n\nThe answers, in no particular order:\n"
	theirsLine   = "\n\nWhat they wrote:\n"
)

// questionOf is the question in such a prompt, and what the others said.
func questionOf(prompt string) (question, others string, ok bool) {
	_, rest, ok := strings.Cut(prompt, questionLine)
	if !ok {
		return "", "", false
	}
	if question, others, ok = strings.Cut(rest, answersLine); !ok {
		question, others, ok = strings.Cut(rest, theirsLine)
	}
	return question, others, ok
}

// sumsUp reports whether a prompt asks for a synthesis.
func sumsUp(prompt string) bool {
	return strings.Contains(prompt, "\n## Blind spots\n") && strings.Contains(prompt, theirsLine)
}

// synthesis is one in the form that is asked for: who holds which position, and
// that nothing more was looked at.
func synthesis(prompt string) string {
	_, others, _ := questionOf(prompt)
	var names, holders [][]string // who holds each position: those held, and all by number
	for line := range strings.Lines(others) {
		var name string
		var at int
		if n, _ := fmt.Sscanf(strings.NewReplacer("[", " ", "]", " ").Replace(line), "%s (position %d,", &name, &at); n != 2 ||
			!strings.HasPrefix(line, "[") || !quorum.CompanionID(name).Valid() || at < 1 || at > 64 {
			continue
		}
		for len(holders) < at {
			holders = append(holders, nil)
		}
		holders[at-1] = append(holders[at-1], name)
	}
	for _, h := range holders {
		if len(h) > 0 {
			names = append(names, h)
		}
	}
	var b strings.Builder
	b.WriteString("## Consensus\n")
	var all []string
	for i, h := range names {
		all = append(all, h...)
		switch {
		case i == 0:
			fmt.Fprintf(&b, "- Most of the weight holds one answer (simulated: no model compared the texts). [%s]\n## Contradictions\n", strings.Join(h, ", "))
		default:
			fmt.Fprintf(&b, "- Another answer is held. [%s]\n", strings.Join(h, ", "))
		}
	}
	if len(names) < 2 {
		b.WriteString("None.\n")
	}
	fmt.Fprintf(&b, "## Partial coverage\nNone.\n## Unique insights\nNone.\n## Blind spots\n- Nobody's text was read for what it leaves out. [%s]", strings.Join(all, ", "))
	return b.String()
}
