package gateway

import (
	"context"
	"fmt"
	"strings"

	"github.com/kaizen-os/deliberation/quorum"
)

// askSynthesis has one companion write what came of the deliberation. Nothing is
// changed by it: the text stands beside the answer, if it keeps to its form.
func (f *sequel) askSynthesis(ctx context.Context) quorum.Outcome {
	f.synthesis = new(quorum.Synthesis)
	y := f.synthesis
	y.Companion = f.wanted.synthesis
	of, why := f.course.SynthesisWanted()
	if why != "" {
		y.Outcome, y.Reason = quorum.Unneeded, why
		return y.Outcome
	}
	wrote, shown := f.contributions(of)
	read := *f.s.d
	read.Kind, read.Options, read.Generation = quorum.Text, nil, nil
	asked := about(&read, func(question string) string { return fmt.Sprintf(synthesisPrompt, wrote[0], question, shown) })
	f.written = f.serve(ctx, &y.Service, asked, &read)
	if y.Done() {
		f.written.text, y.Reason = sections(f.written.text, wrote)
	}
	return y.Outcome
}

// contributions quotes what the companions at seats wrote, each under its name,
// and lists them.
func (f *sequel) contributions(seats []int) (wrote []string, shown string) {
	spoken := f.course.Spoken()
	q := newQuoter(f.s.panel, len(seats), false)
	for _, i := range seats {
		id := string(spoken[i].Companion)
		wrote = append(wrote, id)
		at := spoken[i].Position
		fmt.Fprintf(q, contribution, id, at+1, percent(f.course.Verdict.Positions[at].Share))
		q.quote(f.shownBy(i).text)
	}
	return wrote, q.String()
}

var synthesisHeadings = [...]string{"consensus", "contradictions", "partial coverage", "unique insights", "blind spots"}

// sections checks that text has the five sections, in any order, and that every
// point in them names companions that wrote something, and no others. It returns
// the text from its first heading on; why says what is wrong, and then the whole.
func sections(text string, wrote []string) (kept, why string) {
	seen := make(map[string]bool)
	from := -1
	var point strings.Builder
	ended := func() bool { // whether the point that ends here names its companions
		p := point.String()
		point.Reset()
		return p == "" || nothing(p) || tagged(p)
	}
	at := 0
	for line := range strings.Lines(text) {
		start := at
		at += len(line)
		line = strings.TrimSpace(line)
		h := heading(line)
		if h == "" && from < 0 {
			continue // said before the first heading
		}
		if strange := stranger(line, wrote); strange {
			return text, quorum.ReasonStranger
		}
		switch {
		case h != "":
			if seen[h] {
				return text, quorum.ReasonNotInForm
			}
			seen[h] = true
			if from < 0 {
				from = start
			}
			if !ended() {
				return text, quorum.ReasonUnnamed
			}
		case line == "" || listed(line):
			if !ended() {
				return text, quorum.ReasonUnnamed
			}
			point.WriteString(line)
		default:
			if point.Len() > 0 {
				point.WriteByte(' ')
			}
			point.WriteString(line)
		}
	}
	switch {
	case len(seen) < len(synthesisHeadings):
		return text, quorum.ReasonNotInForm
	case !ended():
		return text, quorum.ReasonUnnamed
	}
	return strings.TrimSpace(text[from:]), ""
}

// heading is which of the five a line is, whatever marks stand around it.
func heading(line string) string {
	bare := strings.ToLower(strings.Trim(line, "#*_:. \t0123456789)"))
	for _, h := range synthesisHeadings {
		if bare == h {
			return h
		}
	}
	return ""
}

// listed reports whether a line begins a point of a list.
func listed(line string) bool {
	return strings.HasPrefix(line, "- ") || strings.HasPrefix(line, "* ") || strings.HasPrefix(line, "• ")
}

// nothing reports whether a point says that there is none.
func nothing(point string) bool {
	switch strings.ToLower(strings.Trim(point, "-*•._() \t")) {
	case "none", "nothing", "n/a", "none found", "none identified":
		return true
	}
	return false
}

// tags calls each with every part of a bracket that has the form of a
// companion's id: [AUREA], [AUREA, ATLAS].
func tags(s string, each func(id string)) {
	for {
		open := strings.IndexByte(s, '[')
		if open < 0 {
			return
		}
		s = s[open+1:]
		end := strings.IndexAny(s, "[]")
		if end < 0 {
			return
		}
		if s[end] == '[' {
			continue
		}
		for part := range strings.FieldsFuncSeq(s[:end], func(r rune) bool { return r == ',' || r == ';' || r == '&' || r == ' ' }) {
			if quorum.CompanionID(part).Valid() {
				each(part)
			}
		}
		s = s[end+1:]
	}
}

func tagged(s string) (yes bool) {
	tags(s, func(string) { yes = true })
	return yes
}

// stranger reports whether a line names somebody that wrote nothing.
func stranger(line string, wrote []string) (yes bool) {
	tags(line, func(id string) {
		known := false
		for _, w := range wrote {
			known = known || w == id
		}
		yes = yes || !known
	})
	return yes
}
