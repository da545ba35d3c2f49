package quorum

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// olderPolicy is the four-companion policy of before the guide: anyone may vote
// at any tier, no co-sign, weights by tier.
const olderPolicy = "testdata/policy-four-companions.json"

var elders = map[CompanionID]Companion{
	"AUREA":  {ID: "AUREA", Vendor: "openai", Tier: Critical},
	"ATLAS":  {ID: "ATLAS", Vendor: "anthropic", Tier: Critical},
	"ZENITH": {ID: "ZENITH", Vendor: "google", Tier: High},
	"SOLARA": {ID: "SOLARA", Vendor: "deepseek", Tier: Standard},
	"JADE":   {ID: "JADE", Vendor: "oaa", Tier: Standard},
	"HERMES": {ID: "HERMES", Vendor: "oaa", Tier: Standard},
}

// The vectors of the older four-companion policy: a charter score per companion,
// negative for a rejection.
func TestOlderPolicyVectors(t *testing.T) {
	p := readPolicy(t, olderPolicy)
	type votes map[CompanionID]Score
	tests := []struct {
		tier  Tier
		votes votes
		pass  bool
	}{
		{Critical, votes{"AUREA": 90, "ATLAS": 95, "ZENITH": 88}, true},
		{Critical, votes{"AUREA": 92, "ATLAS": 93, "SOLARA": 85}, true},
		{Critical, votes{"AUREA": 90, "ATLAS": 92, "ZENITH": 88, "SOLARA": 85}, true},
		{Critical, votes{"ZENITH": 90, "SOLARA": 85, "JADE": 88}, false},
		{Critical, votes{"AUREA": 90, "ATLAS": 95}, false},
		{Critical, votes{"AUREA": 80, "ATLAS": 90, "ZENITH": 88}, false},
		{High, votes{"AUREA": 85, "ATLAS": 88, "ZENITH": 82}, true},
		{High, votes{"AUREA": 86, "ZENITH": 83, "SOLARA": 78}, true},
		{High, votes{"ATLAS": 89, "ZENITH": 84, "SOLARA": 77}, true},
		{High, votes{"AUREA": 85, "ATLAS": -60, "ZENITH": 83, "SOLARA": 78}, true},
		{High, votes{"SOLARA": 78, "JADE": 80, "HERMES": 82}, false},
		{High, votes{"AUREA": 90, "ATLAS": 95}, false},
		{Standard, votes{"SOLARA": 72, "ZENITH": 75}, true},
		{Standard, votes{"AUREA": 85, "SOLARA": 73}, true},
		{Standard, votes{"ZENITH": 90}, false},
		{Standard, votes{}, false},
		{Research, votes{"SOLARA": 68}, true},
		{Research, votes{"ZENITH": 70}, true},
		{Research, votes{"SOLARA": 60}, false},
	}
	for _, tt := range tests {
		q := Question{Tier: tt.tier, Kind: VoteKind, Operation: true}
		var ballots []Ballot
		for _, id := range []CompanionID{"AUREA", "ATLAS", "ZENITH", "SOLARA", "JADE", "HERMES"} {
			score, voted := tt.votes[id]
			if !voted {
				continue
			}
			c := elders[id]
			b := Ballot{Companion: id, Vendor: c.Vendor, Tier: c.Tier, Scored: true, Score: score * 100, Stance: Approve, Key: "approve", TierWeight: p.VoteWeight(&c)}
			if score < 0 {
				b.Score, b.Stance, b.Key = -score*100, Reject, "reject"
			}
			ballots = append(ballots, b)
		}
		weighEqually(p, &q, ballots)
		v := p.Decide(&q, ballots)
		if got := v.Status == Carried; got != tt.pass {
			t.Errorf("%s %v: %s, want carried = %v", tt.tier, tt.votes, v.Status, tt.pass)
		}
	}
}

func weighEqually(p *Policy, q *Question, ballots []Ballot) {
	reliable := make([]PPM, len(ballots))
	families := make([]string, len(ballots))
	for i := range ballots {
		reliable[i] = p.ParentReliability(ballots[i].TierWeight)
		families[i] = string(ballots[i].Companion)
	}
	p.Weigh(q, ballots, reliable, families)
}

// Shorthand for a table of panels: AUREA, ATLAS (critical), ZENITH (high),
// SOLARA (standard), PAX (research).
func panel(p *Policy, q *Question, keys ...string) []Ballot {
	seats := []Companion{
		{ID: "AUREA", Vendor: "openai", Tier: Critical}, {ID: "ATLAS", Vendor: "anthropic", Tier: Critical},
		{ID: "ZENITH", Vendor: "google", Tier: High}, {ID: "SOLARA", Vendor: "deepseek", Tier: Standard},
		{ID: "PAX", Vendor: "oaa", Tier: Research},
	}
	var out []Ballot
	for i, key := range keys {
		c := seats[i]
		b := Ballot{Companion: c.ID, Vendor: c.Vendor, Tier: c.Tier, Scored: true, Score: 9800, Key: key, TierWeight: p.VoteWeight(&c)}
		switch key {
		case "late":
			b.Outcome, b.Scored, b.Key = Late, false, ""
		case "unneeded":
			b.Outcome, b.Scored, b.Key = Unneeded, false, ""
		case "low":
			b.Score = 4000
		case "abstain":
			b.Abstained, b.Key = true, ""
		case "none":
			b.Key = ""
		case "approve":
			b.Stance = Approve
		case "reject":
			b.Stance = Reject
		}
		out = append(out, b)
	}
	weighEqually(p, q, out)
	return out
}

func TestDecide(t *testing.T) {
	p := DefaultPolicy()
	tests := []struct {
		name    string
		q       Question
		keys    []string
		status  VerdictStatus
		winner  int
		counted int
	}{
		{"all agree", Question{Tier: Standard, Kind: Number}, []string{"42", "42", "42", "42"}, Carried, 0, 4},
		{"the heavy pair outweighs three light", Question{Tier: Research, Kind: Choice, Options: 4}, []string{"A", "A", "B", "B", "B"}, Carried, 0, 5},
		{"one reply alone is too few", Question{Tier: Standard, Kind: Number}, []string{"42", "late", "late", "late"}, Inquorate, -1, 1},
		{"a reply below the charter minimum does not count", Question{Tier: Standard, Kind: Number}, []string{"low", "42", "42"}, Carried, 1, 2},
		{"no answer found does not count", Question{Tier: Standard, Kind: Number}, []string{"none", "42", "42"}, Carried, 1, 2},
		{"four answers are contested", Question{Tier: Standard, Kind: Number}, []string{"1", "2", "3", "4"}, Contested, 0, 4},
		{"an abstention is counted without a position", Question{Tier: Standard, Kind: VoteKind}, []string{"approve", "approve", "abstain"}, Carried, 0, 3},
		{"a vote that leads with reject is lost", Question{Tier: Standard, Kind: VoteKind}, []string{"reject", "reject", "approve"}, Lost, 0, 3},
		{"a rejection by too little of the seated weight is contested", Question{Tier: Research, Kind: VoteKind}, []string{"abstain", "abstain", "abstain", "reject", "reject"}, Contested, 3, 5},
		{"a lone rejection by one that weighs enough is lost", Question{Tier: Research, Kind: VoteKind}, []string{"reject", "abstain", "abstain", "late", "late"}, Lost, 0, 3},
		{"absent companions may be missed", Question{Tier: Standard, Kind: Number}, []string{"late", "late", "7", "7"}, Carried, 2, 2},
		{"too little of the seated weight took part", Question{Tier: Research, Kind: Number}, []string{"late", "late", "late", "7", "7"}, Contested, 3, 2},
		{"a research companion has no voice at standard", Question{Tier: Standard, Kind: Number}, []string{"late", "late", "late", "7", "7"}, Inquorate, -1, 1},
		{"critical work without a third approval", Question{Tier: Critical, Kind: VoteKind, Operation: true}, []string{"approve", "approve", "reject"}, Contested, 0, 3},
		{"critical work carried waits for a steward", Question{Tier: Critical, Kind: VoteKind, Operation: true}, []string{"approve", "approve", "approve"}, Pending, 0, 3},
		{"a standard companion has no voice at critical", Question{Tier: Critical, Kind: VoteKind, Operation: true}, []string{"late", "approve", "approve", "approve"}, Inquorate, -1, 2},
		{"high asks for two vendors", Question{Tier: High, Kind: Number}, []string{"1", "1", "1"}, Carried, 0, 3},
		{"all abstain", Question{Tier: Standard, Kind: VoteKind}, []string{"abstain", "abstain", "abstain"}, Inquorate, -1, 3},
	}
	for _, tt := range tests {
		ballots := panel(p, &tt.q, tt.keys...)
		v := p.Decide(&tt.q, ballots)
		counted := 0
		for _, b := range ballots {
			if b.Counted {
				counted++
			} else if b.Outcome == OK && b.Reason == "" {
				t.Errorf("%s: %s does not count and nobody says why", tt.name, b.Companion)
			}
		}
		if v.Status != tt.status || v.Winner != tt.winner || counted != tt.counted {
			t.Errorf("%s: %s, winner %d, %d counted; want %s, %d, %d", tt.name, v.Status, v.Winner, counted, tt.status, tt.winner, tt.counted)
		}
	}
}

func TestDissentIsHeard(t *testing.T) {
	p := DefaultPolicy()
	q := Question{Tier: Research, Kind: VoteKind}
	ballots := panel(p, &q, "approve", "reject", "reject", "reject", "reject")
	v := p.Decide(&q, ballots)
	if v.Decision != Reject || len(v.Dissent) != 1 || v.Dissent[0].WinsBy != "" || v.Flips {
		t.Errorf("one critical approves, four object: %+v; want reject with a dissent", v)
	}
	ballots = panel(p, &q, "approve", "late", "reject", "reject", "reject")
	v = p.Decide(&q, ballots)
	if v.Decision != Approve || len(v.Dissent) != 1 || v.Dissent[0].WinsBy != "tier" || !v.Flips {
		t.Errorf("one critical approves, three lighter object: %+v; want approve with a dissent that wins by tier", v)
	}
}

func TestTextPositions(t *testing.T) {
	p := DefaultPolicy()
	// 0~1 and 1~2 alike, 0 and 2 contradict each other: the stronger link wins.
	q := Question{Tier: Standard, Kind: Text, Similarities: []PPM{900_000, -1, 0, 600_000, 0, 0}}
	ballots := panel(p, &q, "", "", "", "")
	p.Decide(&q, ballots)
	got := []int{ballots[0].Position, ballots[1].Position, ballots[2].Position, ballots[3].Position}
	if got[0] != got[1] || got[0] == got[2] || got[3] == got[0] || got[3] == got[2] {
		t.Errorf("positions %v: want 0 and 1 together, 2 and 3 alone", got)
	}
}

func TestOpenTextPrefersWhatOthersResemble(t *testing.T) {
	p := DefaultPolicy()
	// Replies 0 and 1 come from equals; the others resemble 1.
	q := Question{Tier: Standard, Kind: Text, Open: true, Similarities: []PPM{100_000, 50_000, 50_000, 500_000, 500_000, 100_000}}
	ballots := panel(p, &q, "", "", "", "")
	if v := p.Decide(&q, ballots); v.Winner != 1 || v.Confidence != NoConfidence {
		t.Errorf("winner %d, confidence %d; want 1 and none", v.Winner, v.Confidence)
	}
}

// Resemblance speaks against the reply that went astray, and for none of the rest.
func TestOpenTextIsChosenByReliabilityUnlessItIsAstray(t *testing.T) {
	p := DefaultPolicy()
	equal := []PPM{800_000, 800_000, 800_000, 800_000}
	for _, tt := range []struct {
		name         string
		reliable     []PPM
		similarities []PPM // 01 02 03 12 13 23
		want         int
	}{
		{"the first of equals though the others resemble the third more", equal, []PPM{300_000, 500_000, 300_000, 600_000, 300_000, 600_000}, 0},
		{"not the first of equals when nobody says what it says", equal, []PPM{0, 0, 0, 500_000, 500_000, 500_000}, 1},
		{"the most reliable though it is least like the others", []PPM{700_000, 800_000, 700_000, 700_000}, []PPM{300_000, 500_000, 500_000, 300_000, 300_000, 500_000}, 1},
		{"a little less reliable when the best is astray", []PPM{800_000, 790_000, 700_000, 600_000}, []PPM{0, 0, 0, 500_000, 500_000, 500_000}, 1},
		{"the most reliable when all are alike", []PPM{700_000, 700_000, 800_000, 700_000}, []PPM{500_000, 500_000, 500_000, 500_000, 500_000, 500_000}, 2},
		{"the most reliable when nothing is alike", []PPM{700_000, 700_000, 700_000, 800_000}, []PPM{0, 0, 0, 0, 0, 0}, 3},
	} {
		q := Question{Tier: Research, Kind: Text, Open: true, Similarities: tt.similarities}
		ballots := panel(p, &q, "", "", "", "")
		p.Weigh(&q, ballots, tt.reliable, []string{"a", "b", "c", "d"})
		if v := p.Decide(&q, ballots); v.Winner != tt.want {
			t.Errorf("%s: it is %d, want %d", tt.name, v.Winner, tt.want)
		}
	}
	// A policy from before there was an outlier: every deviation counts.
	p.Consensus.OpenOutlier = 0
	q := Question{Tier: Research, Kind: Text, Open: true, Similarities: []PPM{300_000, 500_000, 300_000, 600_000, 300_000, 600_000}}
	ballots := panel(p, &q, "", "", "", "")
	p.Weigh(&q, ballots, equal, []string{"a", "b", "c", "d"})
	if v := p.Decide(&q, ballots); v.Winner != 2 {
		t.Errorf("without an outlier it is %d, want the one most alike the others", v.Winner)
	}
}

func TestFamiliesAreCapped(t *testing.T) {
	p := DefaultPolicy()
	q := Question{Tier: Standard, Kind: Number}
	ballots := make([]Ballot, 4)
	for i := range ballots {
		ballots[i].TierWeight = One
	}
	p.Weigh(&q, ballots, []PPM{800_000, 800_000, 800_000, 800_000}, []string{"gpt", "x", "gpt", "gpt"})
	var gpt PPM
	for _, i := range []int{0, 2, 3} {
		gpt += ballots[i].Earned
	}
	if ballots[1].Earned != One || gpt > 1_500_000 || gpt < 1_499_990 {
		t.Errorf("family weighs %d, the other %d; want 1.5 and 1.0", gpt, ballots[1].Earned)
	}
}

func TestBallotOrderNeverMatters(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := DefaultPolicy()
	for range 3000 {
		q, ballots := randomPanel(rng, p)
		for i := range ballots { // distinct weights: the last tie, seat order, is meant to matter
			ballots[i].Weight += PPM(i)
		}
		a := slices.Clone(ballots)
		v := p.Decide(&q, a)
		b := slices.Clone(ballots)
		rng.Shuffle(len(b), func(i, j int) { b[i], b[j] = b[j], b[i] })
		w := p.Decide(&q, b)
		if v.Status != w.Status || v.Agreement != w.Agreement || v.Decision != w.Decision || v.Confidence != w.Confidence ||
			(v.Winner >= 0 && a[v.Winner].Key != b[w.Winner].Key) {
			t.Fatalf("order matters: %+v against %+v", v, w)
		}
	}
}

// One more approval never hurts.
func TestMoreSupportNeverHurts(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	p := DefaultPolicy()
	for range 3000 {
		q, ballots := randomPanel(rng, p)
		v := p.Decide(&q, slices.Clone(ballots))
		if v.Status != Carried {
			continue
		}
		c := slices.Clone(ballots)
		p.Decide(&q, c)
		winner := c[v.Winner]
		for i := range c {
			if !c[i].Counted {
				more := slices.Clone(ballots)
				more[i] = Ballot{Companion: more[i].Companion, Vendor: more[i].Vendor, Tier: more[i].Tier, Scored: true, Score: MaxScore,
					Key: winner.Key, Stance: winner.Stance, TierWeight: more[i].TierWeight, Earned: more[i].Earned, Weight: more[i].Weight, Odds: more[i].Odds}
				if w := p.Decide(&q, more); w.Status != Carried {
					t.Fatalf("carried turns %s when %s joins", w.Status, more[i].Companion)
				}
			}
		}
	}
}

func randomPanel(rng *rand.Rand, p *Policy) (Question, []Ballot) {
	kinds := []Kind{Choice, Number, Short, JSON, VoteKind}
	q := Question{Tier: Tiers[rng.IntN(4)], Kind: kinds[rng.IntN(len(kinds))], Operation: rng.IntN(4) == 0}
	n := 1 + rng.IntN(9)
	ballots := make([]Ballot, n)
	reliable := make([]PPM, n)
	families := make([]string, n)
	for i := range ballots {
		c := Companion{Tier: Tiers[rng.IntN(4)]}
		ballots[i] = Ballot{Companion: CompanionID(fmt.Sprintf("C%d", i)), Vendor: fmt.Sprintf("v%d", rng.IntN(4)), Tier: c.Tier, TierWeight: p.VoteWeight(&c)}
		castRandomly(rng, &q, &ballots[i])
		reliable[i] = PPM(100_000 + rng.IntN(890_000))
		families[i] = fmt.Sprintf("f%d", rng.IntN(6))
	}
	p.Weigh(&q, ballots, reliable, families)
	return q, ballots
}

// castRandomly gives b one of all the ways in which a ballot can end.
func castRandomly(rng *rand.Rand, q *Question, b *Ballot) {
	b.Outcome, b.Scored, b.Abstained, b.Key, b.Stance, b.Reason = OK, true, false, "", NoStance, ""
	b.Score = Score(5000 + rng.IntN(5001))
	if rng.IntN(3) > 0 {
		b.Score = MaxScore
	}
	switch r := rng.IntN(20); {
	case r == 0:
		b.Outcome, b.Scored = Late, false
	case r == 1:
		b.Outcome, b.Scored = Failed, false
	case r == 2:
		b.Abstained = true
	case r == 3:
		b.Reason = ReasonAmbiguous
	case q.Kind == VoteKind:
		b.Stance, b.Key = Approve, "approve"
		if rng.IntN(3) == 0 {
			b.Stance, b.Key = Reject, "reject"
		}
	default:
		b.Key = []string{"a", "a", "a", "b", "c"}[rng.IntN(5)]
	}
}

// By a policy from before rejections had to have a turnout, a vote that does not
// lead with approve is lost, and records made by it are judged so again.
func TestWithoutRejectionTurnoutALeadingRejectionIsLost(t *testing.T) {
	q := Question{Tier: Research, Kind: VoteKind}
	says := []string{"abstain", "abstain", "abstain", "reject", "reject"}
	p := DefaultPolicy()
	p.Consensus.RejectionTurnout = false
	if v := p.Decide(&q, panel(p, &q, says...)); v.Status != Lost {
		t.Errorf("%+v", v)
	}
	if older := readPolicy(t, olderPolicy); older.Consensus.RejectionTurnout {
		t.Error("the older policy asks for a turnout")
	}
}

// Where those who weigh abstain, what the rest agree on is believed less.
func TestConfidenceFollowsTurnout(t *testing.T) {
	p := DefaultPolicy()
	q := Question{Tier: Research, Kind: VoteKind}
	for _, tt := range []struct {
		name       string
		more, less []string
		equal      bool
	}{
		{"an abstention costs confidence", []string{"approve", "approve", "approve"}, []string{"approve", "approve", "abstain"}, false},
		{"a heavy one costs more than a light one", []string{"approve", "approve", "abstain", "approve"}, []string{"abstain", "approve", "approve", "approve"}, false},
		{"so does one who was waited for and is late", []string{"approve", "approve", "approve"}, []string{"approve", "approve", "late"}, false},
		{"one who was not waited for costs nothing", []string{"approve", "approve"}, []string{"approve", "approve", "unneeded"}, true},
	} {
		more, less := panel(p, &q, tt.more...), panel(p, &q, tt.less...)
		for _, ballots := range [][]Ballot{more, less} {
			for i, w := range []PPM{One, 500_000, 300_000, 200_000}[:len(ballots)] {
				ballots[i].Weight = w
			}
		}
		a, b := p.Decide(&q, more).Confidence, p.Decide(&q, less).Confidence
		if tt.equal && a != b || !tt.equal && a <= b {
			t.Errorf("%s: %s and %s", tt.name, a, b)
		}
	}
}

// decided never differs from all in leader, status and decision: whatever the
// replies still out turn out to be, in whatever order they come.
func TestSettledNeverDiffersFromAll(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	policies := []*Policy{DefaultPolicy(), readPolicy(t, olderPolicy)}
	tierWeights := DefaultPolicy()
	tierWeights.AnswerWeights = "tier"
	tierWeights.Consensus.RejectionTurnout = false
	demanding := DefaultPolicy() // turnout matters for every kind, and confidence decides
	for i := range demanding.Kinds {
		k := &demanding.Kinds[i]
		k.Bias, k.ByShare, k.ByMargin, k.ByTurnout, k.MinConfidence = -3*One, 2*One, One, 3*One, 700_000
	}
	policies = append(policies, tierWeights, demanding)
	settled, panels := 0, 60_000
	if testing.Short() {
		panels = 10_000
	}
	for range panels {
		p := policies[rng.IntN(len(policies))]
		q, final := randomPanel(rng, p)
		order := rng.Perm(len(final))
		in := make([]bool, len(final))
		for arrived := 0; arrived <= len(final); arrived++ {
			now := slices.Clone(final)
			for i := range now {
				if !in[i] {
					now[i] = Ballot{Companion: now[i].Companion, Vendor: now[i].Vendor, Tier: now[i].Tier, Outcome: Unneeded,
						TierWeight: now[i].TierWeight, Earned: now[i].Earned, Weight: now[i].Weight, Odds: now[i].Odds}
				}
			}
			v := p.Decide(&q, now)
			if p.Settled(&q, &v, now, func(i int) bool { return !in[i] }) {
				if arrived < len(final) {
					settled++
				}
				// Not only what these replies turn out to be, but several others.
				for try := range 6 {
					whole := slices.Clone(final)
					for i := range whole {
						if !in[i] && try > 0 {
							castRandomly(rng, &q, &whole[i])
							if try == 1 && v.Winner >= 0 {
								whole[i].Outcome, whole[i].Scored, whole[i].Score, whole[i].Abstained, whole[i].Reason = OK, true, MaxScore, false, ""
								whole[i].Key, whole[i].Stance = now[v.Positions[0].Best].Key, now[v.Positions[0].Best].Stance
							}
						}
					}
					w := p.Decide(&q, whole)
					if w.Status != v.Status || w.Decision != v.Decision || leader(w, whole) != leader(v, now) {
						t.Fatalf("settled as %s %s %q, all gives %s %s %q\nin %v\nnow %+v\nall %+v", v.Status, v.Decision, leader(v, now),
							w.Status, w.Decision, leader(w, whole), in, now, whole)
					}
				}
				break
			}
			if arrived < len(final) {
				in[order[arrived]] = true
			}
		}
	}
	if settled < panels/20 {
		t.Errorf("only %d of %d panels settled before the last reply: the test shows too little", settled, panels)
	}
}

func leader(v Verdict, ballots []Ballot) string {
	if len(v.Positions) == 0 {
		return ""
	}
	return ballots[v.Positions[0].Best].Key
}

// Row by row: what each companion of a panel says, how far it is believed, and
// what it weighs.
func TestLikelyIsSureOfTheLeader(t *testing.T) {
	const sure, fair, weak = 5 * One, 3 * One, One / 2
	for _, tt := range []struct {
		name    string
		says    []string
		odds    []PPM
		weights []PPM
		want    bool
	}{
		{"one reply is never enough", []string{"A", "unneeded"}, []PPM{12 * One, weak}, []PPM{One, 1000}, false},
		{"two that are believed and weigh most", []string{"A", "A", "unneeded", "unneeded"}, []PPM{sure, sure, weak, weak}, []PPM{One, One, 100_000, 100_000}, true},
		{"two that are hardly believed", []string{"A", "A", "unneeded", "unneeded"}, []PPM{weak, weak, weak, weak}, []PPM{One, One, 100_000, 100_000}, false},
		{"believed, but half of what is out would unseat them", []string{"A", "A", "unneeded", "unneeded"}, []PPM{sure, sure, sure, sure}, []PPM{300_000, 300_000, One, 300_000}, false},
		{"a runner-up and half of what is out are together as heavy", []string{"A", "A", "A", "B", "unneeded"}, []PPM{sure, sure, sure, fair, fair}, []PPM{One, One, One, One, 4 * One}, false},
		{"a runner-up and half of what is out stay lighter", []string{"A", "A", "A", "B", "unneeded"}, []PPM{sure, sure, sure, fair, fair}, []PPM{One, One, One, One, 3 * One}, true},
		{"replies that failed are not out", []string{"A", "A", "late", "late"}, []PPM{sure, sure, sure, sure}, []PPM{One, One, One, One}, true},
	} {
		p := DefaultPolicy()
		q := Question{Tier: Research, Kind: Choice, Options: 4}
		ballots := panel(p, &q, tt.says...)
		for i := range ballots {
			ballots[i].Odds, ballots[i].Weight = tt.odds[i], tt.weights[i]
		}
		v := p.Decide(&q, ballots)
		if got := p.Likely(&q, &v, ballots); got != tt.want {
			t.Errorf("%s: likely %t, want %t (%+v)", tt.name, got, tt.want, v)
		}
	}
}
