package quorum

import (
	"errors"
	"strings"
	"testing"
)

// judgedProof is a proof whose replies two judges were asked about, as said.
func judgedProof(tier Tier, said ...Judged) *Proof {
	p := sampleProof(len(said))
	p.Tier = tier
	p.Jury = &Jury{Digest: digestOf(9), Judges: []JudgeRef{{ID: "guard"}, {ID: "own", Only: "AUREA_0"}}}
	ballots := make([]Ballot, len(said))
	for i := range ballots {
		b := &p.Ballots[i]
		b.Judged, b.Tier, b.Reason = said[i], Critical, ""
		b.Score = min(b.Score, said[i].Step().Score())
		ballots[i] = b.Ballot
	}
	q := p.Question()
	p.Verdict = DefaultPolicy().Decide(&q, ballots)
	for i := range ballots {
		p.Ballots[i].Ballot = ballots[i]
	}
	return p
}

func TestJudgedRecordsReadBack(t *testing.T) {
	p := judgedProof(Standard, "0l", "-0", "", "2-")
	p.Judge = &Judgement{Service: Service{Companion: "AUREA_1", Scored: true, Judged: "3-"}, Chosen: -1}
	p.Second = &SecondRound{Ballots: []SecondBallot{{Seat: 1, Attempts: 1, Position: -1, Stands: -1, Judged: "7-"}}}
	rec, _, err := ParseRecord(leafOf(p))
	if err != nil {
		t.Fatalf("%v\n%s", err, leafOf(p))
	}
	got := rec.(*Proof)
	if got.Jury == nil || got.Jury.Digest != p.Jury.Digest || len(got.Jury.Judges) != 2 || got.Jury.Judges[1] != p.Jury.Judges[1] {
		t.Errorf("jury %+v", got.Jury)
	}
	for i := range p.Ballots {
		if got.Ballots[i].Judged != p.Ballots[i].Judged {
			t.Errorf("ballot %d is judged %q, was %q", i, got.Ballots[i].Judged, p.Ballots[i].Judged)
		}
	}
	if got.Judge.Judged != "3-" || got.Second.Ballots[0].Judged != "7-" {
		t.Errorf("judge %q, second ballot %q", got.Judge.Judged, got.Second.Ballots[0].Judged)
	}
	good := string(leafOf(p))
	for name, edit := range map[string][2]string{
		"nobody asked, written out": {`"judged":"2-"`, `"judged":"--"`},
		"an unknown word":           {`"judged":"2-"`, `"judged":"2x"`},
		"a step off the ladder":     {`"judged":"2-"`, `"judged":"8-"`},
		"more words than judges":    {`"judged":"2-"`, `"judged":"2----"`},
		"no words":                  {`"judged":"2-"`, `"judged":""`},
		"judges out of order":       {`"id":"guard"`, `"id":"zuard"`},
		"a judge twice":             {`"id":"guard"`, `"id":"own"`},
		"a bad judge id":            {`"id":"guard"`, `"id":"Guard"`},
		"a bad companion":           {`{"companion":"AUREA_0","id"`, `{"companion":"aurea","id"`},
		"no digest":                 {`"digest":"` + strings.Repeat("09", 32) + `",`, ``},
	} {
		bad := strings.Replace(good, edit[0], edit[1], 1)
		if bad == good {
			t.Fatalf("%s: the edit does not apply to %s", name, good)
		}
		if _, _, err := ParseRecord([]byte(bad)); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Without judges a record is what it was before there were any.
func TestAProofWithoutAJuryHasNoTraceOfOne(t *testing.T) {
	leaf := string(leafOf(sampleProof(5)))
	for _, member := range []string{`"jury"`, `"judged"`} {
		if strings.Contains(leaf, member) {
			t.Errorf("it has %s: %s", member, leaf)
		}
	}
}

func TestWhatIsUnjudgedCountsForNothingAtCritical(t *testing.T) {
	policy := DefaultPolicy()
	for _, tt := range []struct {
		name    string
		tier    Tier
		score   Score
		judged  Judged
		counted bool
		reason  string
	}{
		{"an opinion without an objection", Critical, 10_000, "0-", true, ""},
		{"no opinion", Critical, 10_000, "l-", false, ReasonUnjudged},
		{"one opinion and one missing", Critical, 10_000, "0g", false, ReasonUnjudged},
		{"below the minimum and unjudged", Critical, 5000, "6g", false, ReasonCharter},
		{"nobody was asked", Critical, 10_000, "", true, ""},
		{"no opinion, at another tier", High, 10_000, "l-", true, ""},
		{"no opinion and too low a score, at another tier", High, 5000, "l-", false, ReasonCharter},
	} {
		q := Question{Tier: tt.tier, Kind: Number}
		b := Ballot{Companion: "A", Tier: Critical, Scored: true, Score: tt.score, Judged: tt.judged, Key: "42"}
		if policy.Gate(&q, &b); b.Counted != tt.counted || b.Reason != tt.reason {
			t.Errorf("%s: counted %t, %q; want %t, %q", tt.name, b.Counted, b.Reason, tt.counted, tt.reason)
		}
	}
}

func TestCheckJury(t *testing.T) {
	for _, tt := range []struct {
		name   string
		proof  *Proof
		change func(p *Proof)
		holds  bool
	}{
		{"as it was judged", judgedProof(Standard, "0l", "", "4-"), nil, true},
		{"critical, all asked", judgedProof(Critical, "00", "0-", "m-"), nil, true},
		{"critical, one not asked at all", judgedProof(Critical, "00", "", "0-"), nil, false},
		{"critical, not asked by the judge of its own", judgedProof(Critical, "0-", "0-"), nil, false},
		{"critical, what has no text is not asked about", judgedProof(Critical, "00", "0-"), func(p *Proof) { p.Ballots[1].Judged, p.Ballots[1].Scored = "", false }, true},
		{"a judge of one companion's own asked about another's", judgedProof(Standard, "", "00"), nil, false},
		{"a score above a judge's", judgedProof(Standard, "5-"), func(p *Proof) { p.Ballots[0].Score = 7000 }, false},
		{"words without a jury", judgedProof(Standard, "0-"), func(p *Proof) { p.Jury = nil }, false},
		{"words on nothing", judgedProof(Standard, "0-"), func(p *Proof) { p.Ballots[0].Scored = false }, false},
		{"fewer words than judges", judgedProof(Standard, "0"), nil, false},
		{"critical, a judge's reply not asked about", judgedProof(Critical, "00"), func(p *Proof) { p.Judge = &Judgement{Service: Service{Companion: "AUREA_1", Scored: true}} }, false},
		{"a second ballot above a judge's", judgedProof(Standard, "0-"), func(p *Proof) {
			p.Second = &SecondRound{Ballots: []SecondBallot{{Scored: true, Score: 9000, Judged: "3-"}}}
		}, false},
		{"a second ballot of no seat", judgedProof(Standard, "0-"), func(p *Proof) { p.Second = &SecondRound{Ballots: []SecondBallot{{Seat: 3}}} }, false},
	} {
		if tt.change != nil {
			tt.change(tt.proof)
		}
		if err := tt.proof.CheckJury(); (err == nil) != tt.holds || err != nil && !errors.Is(err, ErrJury) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestStepsAreOnTheLadder(t *testing.T) {
	for s := Step(0); s <= CriticalStep; s++ {
		if got := Score((One - s.Severity()) * PPM(MaxScore) / One); got != s.Score() {
			t.Errorf("step %d takes %s and leaves %s, which is not %s", s, s.Severity(), s.Score(), got)
		}
		if back := StepOf(s.Score()); back != s {
			t.Errorf("the score of step %d is of step %d", s, back)
		}
		if got, ok := WordOf(s).Step(); !ok || got != s {
			t.Errorf("the word of step %d is of %d", s, got)
		}
	}
	// A score and its step pass the same minimums.
	policy := DefaultPolicy()
	for score := Score(0); score <= MaxScore; score++ {
		for _, least := range []Score{policy.Tier(Research).CharterMinimum, policy.Tier(Standard).CharterMinimum, policy.Tier(High).CharterMinimum, policy.Tier(Critical).CharterMinimum, 5000} {
			if (score >= least) != (StepOf(score).Score() >= least) {
				t.Fatalf("%s stands as %s, across %s", score, StepOf(score).Score(), least)
			}
		}
		if score > 0 && StepOf(score) > StepOf(score-1) {
			t.Fatalf("%s is worse than less", score)
		}
	}
}

func TestWords(t *testing.T) {
	seen := map[Word]bool{}
	for _, u := range unjudged {
		if seen[u.word] || UnjudgedBy(u.reason) != u.word || u.word.Unjudged() != u.reason || !Judged(u.word).Unjudged() {
			t.Errorf("%c is %s", u.word, u.reason)
		}
		seen[u.word] = true
	}
	if UnjudgedBy("a text") != UnjudgedBy("internal") {
		t.Error("an unknown reason is not internal")
	}
	if j := Judged("-0"); j.Unjudged() || j.Step() != 0 {
		t.Errorf("%q is unjudged %t, at step %d", j, j.Unjudged(), j.Step())
	}
	for id, want := range map[JudgeID]bool{"guard": true, "a": true, "own-1": true, "": false, "1a": false, "Guard": false, "a_b": false, "abcdefghijklmnopq": false} {
		if id.Valid() != want {
			t.Errorf("%q is valid %t", id, !want)
		}
	}
}
