package gateway

import (
	"cmp"
	"slices"
	"time"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/commit"
)

// testify writes down what was decided and why: the proof for the ledger, and
// the texts it commits to.
//
// f is nil where nothing followed the first round.
func (g *Gateway) testify(s *sitting, a *asking, prompt *quorum.Assessment, f *sequel) (*quorum.Proof, *texts) {
	n := len(s.panel.ballots)
	said := newTexts(a, n)
	salt := said.seed.Salt(tagField)
	p := g.newProof(a, prompt, said)
	p.AsOf, p.Policy = s.panel.state.Size, s.policy.Digest()
	if s.jury != nil {
		p.Jury = s.jury.ref
	}
	p.Kind, p.Open, p.Similarities, p.Verdict = s.q.Kind, s.q.Open, s.q.Similarities, s.verdict
	p.WaitMicros = s.waited.Microseconds()
	p.Ballots = make([]quorum.Testimony, n)
	for i := range p.Ballots {
		r := s.round.Reply(i)
		w := testimony(&s.panel.ballots[i], r)
		if r.Outcome == quorum.OK {
			said.replies[i], said.rationales[i], said.values[i] = r.Text, r.Rationale, s.sheet.Value(i)
			w.Reply = said.commit(numbered(fieldReply, i), r.Text)
			w.Rationale = said.commit(numbered(fieldRationale, i), r.Rationale)
			w.Tag = said.tag(&salt, s.panel.ballots[i].Key)
			w.Findings, w.More = recorded(s.sheet.Reading(i).Assessment.Findings, r.Text, said, &salt)
		}
		p.Ballots[i] = w
	}
	if f != nil {
		f.testify(p, said)
	}
	if w := p.Verdict.Winner; w >= 0 {
		said.answer = said.spoken(p, w)
		p.Answer = said.commit(fieldAnswer, said.answer)
	}
	p.TotalMicros = time.Since(a.received).Microseconds()
	return p, said
}

// newProof is what every proof of a's holds, whoever was asked.
func (g *Gateway) newProof(a *asking, prompt *quorum.Assessment, said *texts) *quorum.Proof {
	d := a.d
	return &quorum.Proof{
		ID: d.ID, Charter: g.charterDigest, Tier: d.Tier, Chamber: d.Chamber, Cycle: d.Cycle, Topic: d.Topic, Asked: d.Kind,
		Options: int64(len(d.Options)), Operation: d.Operation, Wait: d.Wait, PromptScore: prompt.Score,
		Prompt: said.commit(fieldPrompt, said.prompt), Client: said.commit(fieldClient, said.owner),
	}
}

// testimony is a ballot and its reply as the ledger keeps them, without texts.
func testimony(b *quorum.Ballot, r *quorum.Reply) quorum.Testimony {
	return quorum.Testimony{
		Ballot: *b, Model: clip(r.Model, maxModelName), LatencyMicros: r.Latency.Microseconds(), Attempts: int64(r.Attempts), Usage: r.Usage, Stated: r.Confidence,
	}
}

// maxModelName bounds what a companion calls its model, so that the largest
// panel's proof fits a ledger entry.
const maxModelName = 64

func clip(s string, n int) string { return s[:min(len(s), n)] }

// recorded lists what cost a text points, the worst first, each with a keyed digest
// of what it matched: never the text. more is how many are not listed.
func recorded(found []quorum.Finding, text string, said *texts, salt *commit.Salt) (list []quorum.RecordedFinding, more int64) {
	listed := slices.SortedStableFunc(slices.Values(found), func(a, b quorum.Finding) int { return cmp.Compare(b.Severity, a.Severity) })
	listed = listed[:min(len(listed), quorum.MaxFindings)]
	if len(listed) > 0 {
		list = make([]quorum.RecordedFinding, len(listed))
	}
	for i, f := range listed {
		list[i] = quorum.RecordedFinding{Finding: f, Match: said.tag(salt, text[f.Start:f.End])}
	}
	return list, int64(len(found) - len(listed))
}

func recordFindings(found []quorum.Finding, text string, said *texts) []quorum.RecordedFinding {
	salt := said.seed.Salt(tagField)
	list, _ := recorded(found, text, said, &salt)
	return list
}
