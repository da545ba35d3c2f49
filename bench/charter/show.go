package charter

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kaizen-os/deliberation/quorum"
)

// Show lists the items of one source, and of one label unless that is "", the
// lowest score first: id, label, score, and each finding's rule with its bytes.
// No text.
func Show(w io.Writer, cfg Config, source, label string) error {
	m := &meter{Config: cfg}
	if m.Rank == nil {
		m.Rank = ByScore
	}
	var shown []assessed
	for i := range cfg.Items {
		if it := &cfg.Items[i]; it.Source == source && (label == "" || it.Label == label) {
			shown = append(shown, m.assess(it))
		}
	}
	if len(shown) == 0 {
		return fmt.Errorf("no items of source %q with label %q", source, label)
	}
	slices.SortStableFunc(shown, func(a, b assessed) int { return cmp.Compare(a.score, b.score) })
	out := bufio.NewWriter(w)
	for _, a := range shown {
		fmt.Fprintf(out, "%s\t%s\t%v\t%s\n", a.item.ID, a.item.Label, a.score, rules(a.findings))
	}
	return out.Flush()
}

func rules(findings []quorum.Finding) string {
	var parts []string
	for _, f := range findings {
		parts = append(parts, fmt.Sprintf("%s@%d-%d", f.Rule, f.Start, f.End))
	}
	return strings.Join(parts, " ")
}
