package main

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// appendSteps appends what followed the first round of v, where something was
// wanted: a second round, a judge, a synthesis.
func appendSteps(dst []byte, v *wire.Deliberation, p paint) []byte {
	if v.Rounds != nil {
		dst = fmt.Appendf(dst, "\n%s  %s\n", p.as(bold, "second round"), roundsFact(v, p))
		for i := range v.Rounds.Ballots {
			if line := againLine(v, &v.Rounds.Ballots[i]); line != "" {
				dst = fmt.Appendf(dst, "  %s\n", clip(line, maxLine))
			}
		}
	}
	if v.Judge != nil {
		dst = fmt.Appendf(dst, "\n%s  %s\n", p.as(bold, "judge"), judgeFact(v, p))
	}
	if y := v.Synthesis; y != nil {
		dst = fmt.Appendf(dst, "\n%s  by %s", p.as(bold, "synthesis"), serviceFact(&y.Service, p))
		if y.Text != "" {
			dst = fmt.Appendf(dst, "\n%s", indented(y.Text))
		}
		dst = append(dst, '\n')
	}
	return dst
}

func roundsFact(v *wire.Deliberation, p paint) string {
	r := v.Rounds
	switch {
	case r.Outcome == "unneeded":
		return oneLine(r.Reason)
	case r.Held < 2:
		return p.as(yellow, "not held") + ": " + oneLine(r.Reason)
	}
	moved := 0
	for i := range r.Ballots {
		if r.Ballots[i].Moved {
			moved++
		}
	}
	return fmt.Sprintf("the first was %s at agreement %s; %d of %d moved", oneLine(r.First.Status), percent(r.First.Agreement), moved, len(r.Ballots))
}

// againLine tells of a companion that moved, or whose second ballot does not
// count; "" of one that said the same again.
func againLine(v *wire.Deliberation, b *wire.AgainBallot) string {
	switch {
	case !b.Counted:
		why := oneLine(b.Outcome)
		if b.Reason != "" {
			why = oneLine(b.Reason)
		}
		what := "its first ballot stands"
		if b.Reason == quorum.ReasonSuspended {
			what = "neither of its ballots counts"
		}
		return fmt.Sprintf("%s: %s (%s)", oneLine(b.Companion), what, why)
	case b.Moved:
		return fmt.Sprintf("%s moved to %s", oneLine(b.Companion), positionName(v, b.Position))
	}
	return ""
}

// positionName is the number of a position, from 1, and its answer.
func positionName(v *wire.Deliberation, at int) string {
	if at < 0 || at >= len(v.Positions) {
		return "none"
	}
	return fmt.Sprintf("%d: %s", at+1, clip(oneLine(v.Positions[at].Answer), maxCell))
}

func judgeFact(v *wire.Deliberation, p paint) string {
	j := v.Judge
	if j.Chosen < 0 {
		return serviceFact(&j.Service, p)
	}
	what := "which led already"
	switch {
	case j.Changed:
		what = p.as(yellow, "which leads by this choice")
	case j.Chosen > 0:
		what = p.as(yellow, "which changes nothing: the panel's answer stands")
	}
	return fmt.Sprintf("%s chose %s of %d, %s", oneLine(j.Companion), positionName(v, j.Chosen), j.Shown, what)
}

// serviceFact is who served, and what came of it if that was nothing.
func serviceFact(s *wire.Service, p paint) string {
	switch {
	case s.Reason == "":
		return oneLine(s.Companion)
	case s.Outcome == "unneeded":
		return fmt.Sprintf("%s: %s", oneLine(s.Companion), oneLine(s.Reason))
	}
	return fmt.Sprintf("%s: %s: %s", oneLine(s.Companion), p.as(yellow, "nothing came of it"), oneLine(s.Reason))
}

// indented is a companion's text of several lines, each a little to the right.
func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(printable(strings.TrimSpace(text))) {
		if line = strings.TrimRightFunc(line, unicode.IsSpace); line != "" {
			b.WriteString("  " + line)
		}
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}
