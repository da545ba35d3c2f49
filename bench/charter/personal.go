package charter

import (
	"cmp"
	"maps"
	"slices"

	"github.com/kaizen-os/deliberation/bench/charter/data"
)

// personalData counts labels and findings over the items of one source; nil when
// it has none. Findings in texts without labels count as wrong ones.
func personalData(source string, items []assessed) (*PersonalData, error) {
	p := &PersonalData{Source: source, Listed: Spans{Name: "listed secrets"}, Items: Spans{Name: "texts"}}
	for how := range fits {
		p.All[how].Name = fitNames[how]
	}
	byFamily, byType, outside := map[string]*Spans{}, map[string]*Spans{}, map[string]int{}
	of := func(m map[string]*Spans, name string) *Spans {
		if m[name] == nil {
			m[name] = &Spans{Name: name}
		}
		return m[name]
	}
	n := 0
	for _, a := range items {
		if a.item.Source != source || a.item.Label == data.Pair {
			continue
		}
		n++
		all, err := labels(a.item)
		if err != nil {
			return nil, err
		}
		wanted, neutral := split(source, all)
		for _, l := range all {
			if !claims(source, l.labelled) {
				outside[l.labelled]++
			}
		}
		findings := withoutNeutral(a.item.Text, neutral, personal(a.findings))
		for how := range fits {
			answered, claimed := matches(a.item.Text, wanted, findings, how)
			s := &p.All[how]
			for i, l := range wanted {
				s.label(answered[i])
				if how != fair {
					continue
				}
				of(byFamily, l.family).label(answered[i])
				of(byType, l.labelled).label(answered[i])
				if labelTypes[l.labelled].listed {
					p.Listed.label(answered[i])
				}
			}
			for j, f := range findings {
				s.claim(claimed[j])
				if how == fair {
					of(byFamily, f.family).claim(claimed[j])
				}
			}
		}
		if len(wanted) > 0 {
			p.Items.label(len(findings) > 0)
		}
		if len(findings) > 0 {
			p.Items.claim(len(wanted) > 0)
		}
	}
	if n == 0 {
		return nil, nil
	}
	for _, name := range slices.Sorted(maps.Keys(byFamily)) {
		p.Families = append(p.Families, *byFamily[name])
	}
	for _, name := range slices.Sorted(maps.Keys(byType)) {
		p.Types = append(p.Types, *byType[name])
	}
	for _, name := range slices.Sorted(maps.Keys(outside)) {
		p.Outside = append(p.Outside, OutsideType{name, outside[name]})
	}
	slices.SortStableFunc(p.Outside, func(a, b OutsideType) int { return cmp.Compare(b.Labels, a.Labels) })
	return p, nil
}

func (s *Spans) label(found bool) {
	s.Labels++
	if found {
		s.Found++
	}
}

func (s *Spans) claim(right bool) {
	s.Claims++
	if right {
		s.Right++
	}
}

// split tells labels that ask for a finding from those of a claimed family that
// do not, where a finding is no mistake either.
func split(source string, all []piece) (wanted, neutral []piece) {
	for _, l := range all {
		switch {
		case claims(source, l.labelled):
			wanted = append(wanted, l)
		case l.family != "":
			neutral = append(neutral, l)
		}
	}
	return wanted, neutral
}

// withoutNeutral leaves out findings that share text with a neutral label of
// their family.
func withoutNeutral(text string, neutral, findings []piece) []piece {
	return slices.DeleteFunc(findings, func(f piece) bool {
		return slices.ContainsFunc(neutral, func(l piece) bool {
			return l.family == f.family && min(l.end, f.end) > max(l.start, f.start)
		})
	})
}
