package scoring

import (
	"context"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring/charter"
)

// A Judge is an external judge of single texts, such as another model. It says what
// it holds against a text that is a reply given at tier, by ctx's end. It is safe
// for concurrent use. An error is no opinion, and so none without objections.
type Judge interface {
	Judge(ctx context.Context, text string, tier quorum.Tier) (quorum.Opinion, error)
}

// Hear merges what an external judge holds against the reply of a seat, which has
// been read, into its assessment: by the minimum, so that no score rises. A finding
// of a judge's spans the whole text, of length bytes.
func (sh *Sheet) Hear(seat int, id quorum.JudgeID, o *quorum.Opinion, length int) {
	if len(o.Objections) == 0 {
		return
	}
	findings := make([]quorum.Finding, len(o.Objections))
	for i, x := range o.Objections {
		findings[i] = quorum.Finding{Clause: x.Clause, Rule: "judge." + string(id) + "." + x.Category, Severity: x.Step.Severity(), End: length}
	}
	charter.Merge(&sh.readings[seat].Assessment, findings)
}

// Judged says what all judges came to about a seat's reply. Like [Sheet.Ran] it is
// for whoever has read the reply, before the seat arrives.
func (sh *Sheet) Judged(seat int, words quorum.Judged) { sh.readings[seat].judged = words }
