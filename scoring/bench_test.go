package scoring

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// A panel of replies to one question, and the way it takes from there to a verdict.
type sitting struct {
	scorer   *Scorer
	policy   *quorum.Policy
	d        quorum.Deliberation
	replies  []quorum.Reply
	ballots  []quorum.Ballot
	reliable []quorum.PPM
	families []string
}

const reasoning = "There are 16 boxes in the warehouse and each of them holds 24 bottles, so that together they hold 384 bottles. " +
	"On Monday 60 bottles are sold, which leaves 324 of them. On Tuesday a third of what is left is sold, that is 108 bottles, and 216 " +
	"remain. Finally the remaining bottles are packed into crates of 12 bottles each, and to know how many crates are needed we divide. "

var facts = []string{
	"The Treaty of Westphalia was signed in 1648 and ended the Thirty Years' War in Europe. ",
	"Historians regard the settlement as the beginning of the modern system of sovereign states. ",
	"It was negotiated over four years in the towns of Münster and Osnabrück by more than 100 delegations. ",
	"France and Sweden gained territory, while the Dutch Republic was recognised as independent. ",
	"The emperor lost much of his power, but he did not give up his claim to lead the empire. ",
	"About eight million people had died of fighting, hunger and disease since the war began in 1618. ",
	"Religious freedom was granted to Calvinists, although Anabaptists were still excluded from it. ",
	"Its principles still shape international law today, according to most political scientists. ",
	"Trade along the Rhine recovered slowly because tolls were kept by local princes until the 1800s. ",
	"Some scholars argue that the importance of the treaty has been greatly exaggerated by later writers. ",
}

// reply is about size bytes of what seat says.
func reply(kind quorum.Kind, size, seat int) string {
	var end string
	switch kind {
	case quorum.Text:
		var b strings.Builder
		for i := seat; b.Len() < size; i += 1 + seat%3 {
			b.WriteString(facts[i%len(facts)])
		}
		return b.String()
	case quorum.Choice:
		end = fmt.Sprintf("The answer is (%c).", 'A'+seat%3)
	case quorum.Number:
		end = fmt.Sprintf("```json\n{\"answer\": \"%d crates\"}\n```", 18+seat%3)
	case quorum.Short:
		end = fmt.Sprintf("The function returns it.\n{\"answer\": \"[(4, 1), ('a', %d)]\"}", seat%3)
	case quorum.JSON:
		end = fmt.Sprintf("\n{\"crates\": %d, \"steps\": [\"multiply\", \"subtract\"], \"left\": null}\n", 18+seat%3)
	case quorum.VoteKind:
		end = "\nVote: " + []string{"approve", "reject", "approve"}[seat%3]
	}
	return strings.Repeat(reasoning, size/len(reasoning)+1)[:size-len(end)] + end
}

func newSitting(kind quorum.Kind, n, size int) *sitting {
	s := &sitting{scorer: New(), policy: quorum.DefaultPolicy()}
	s.d = quorum.Deliberation{Prompt: "What did the Treaty of Westphalia change in Europe, and why does it matter?", Kind: kind, Tier: quorum.Research}
	for i := range n {
		s.replies = append(s.replies, quorum.Reply{Text: reply(kind, size, i), Outcome: quorum.OK})
		s.ballots = append(s.ballots, quorum.Ballot{Companion: quorum.CompanionID(fmt.Sprintf("c%d", i)), Tier: quorum.Critical, TierWeight: quorum.One})
		s.reliable = append(s.reliable, quorum.One*quorum.PPM(50+3*i)/100)
		s.families = append(s.families, fmt.Sprintf("family %d", i))
	}
	return s
}

// decide takes the replies to a verdict as the gateway does, but for their charter
// scores, which it reads off where charter says so.
func (s *sitting) decide(charter bool) quorum.Verdict {
	sheet := s.scorer.NewSheet(&s.d, len(s.replies))
	defer s.scorer.Release(sheet)
	for i := range s.replies {
		if charter {
			s.scorer.Read(sheet, i, &s.replies[i])
		} else {
			sheet.read(i, &s.replies[i])
			sheet.readings[i].Assessment.Score = quorum.MaxScore
		}
	}
	q := quorum.Question{Tier: s.d.Tier, Kind: s.scorer.Kind(s.policy, sheet, func(int) bool { return true })}
	s.policy.Weigh(&q, s.ballots, s.reliable, s.families)
	for i := range s.ballots {
		b := &s.ballots[i]
		b.Outcome, b.Reason, b.Key, b.Stance, b.Abstained = quorum.OK, "", "", quorum.NoStance, false
		s.scorer.Cast(b, sheet, i, q.Kind, &s.replies[i])
	}
	s.scorer.Compare(s.policy, &q, sheet, s.ballots)
	return s.policy.Decide(&q, s.ballots)
}

// panels are what decisions are measured on. Allocs is the most allocations that one
// may take, charter scores aside: TestAllocations holds it to that.
var panels = []struct {
	kind    quorum.Kind
	n, size int
	allocs  float64
}{
	{quorum.Text, 12, 2000, 14}, {quorum.Choice, 12, 2000, 5}, {quorum.Number, 12, 2000, 17}, {quorum.Short, 12, 2000, 29}, {quorum.JSON, 12, 2000, 65}, {quorum.VoteKind, 12, 2000, 4},
	{quorum.Text, 5, 600, 8}, {quorum.Choice, 5, 600, 5}, {quorum.Number, 5, 600, 10}, {quorum.Short, 5, 600, 15}, {quorum.JSON, 5, 600, 30}, {quorum.VoteKind, 5, 600, 4},
}

func BenchmarkDecide(b *testing.B) {
	for _, charter := range []bool{false, true} {
		for _, p := range panels {
			name := fmt.Sprintf("%v/replies=%d/bytes=%d", p.kind, p.n, p.size)
			if charter {
				name += "/charter"
			}
			b.Run(name, func(b *testing.B) {
				s := newSitting(p.kind, p.n, p.size)
				if v := s.decide(charter); v.Winner < 0 {
					b.Fatalf("no winner: %+v", v)
				}
				b.ReportAllocs()
				for b.Loop() {
					s.decide(charter)
				}
			})
		}
	}
}
