package quorum

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum/canon"
)

// followed adds to a first round what a gateway would: second ballots that say
// keys (or, for texts, take positions), a judge that chooses at, and a synthesis.
func followed(p *Policy, proof *Proof, at int, said ...string) *Hearing {
	ballots := make([]Ballot, len(proof.Ballots))
	for i := range ballots {
		ballots[i] = proof.Ballots[i].Ballot
	}
	q := proof.Question()
	h := p.Hear(proof.ID, &q, ballots, proof.Verdict)
	show, why := h.SecondWanted()
	proof.Second = &SecondRound{Outcome: Unneeded, Reason: why}
	if why == "" {
		proof.Second = &SecondRound{WaitMicros: 300_000}
		for seat := range ballots {
			if !h.AskedAgain(seat) {
				continue
			}
			s := SecondBallot{Seat: seat, Scored: true, Score: 9600, Stands: -1, LatencyMicros: 200_000, Attempts: 1, Usage: Usage{300, 12, 700}, Reply: digestOf(11)}
			switch what := said[seat%len(said)]; {
			case what == "late":
				s = SecondBallot{Seat: seat, Outcome: Late, Reason: "no answer before the deadline", Stands: -1, Attempts: 1}
			case what == "low":
				s.Score = 100
			case what == "none":
			case q.Kind.Closed():
				copy(s.Tag[:], what)
				s.Key = string(s.Tag[:])
			default:
				s.Stands = show[int(what[0]-'A')%len(show)].Position
			}
			if s.Scored && q.Kind.Closed() && s.Tag == (KeyTag{}) {
				s.Key = ""
			}
			proof.Second.Ballots = append(proof.Second.Ballots, s)
		}
		h.Second(proof.Second)
	}
	j := &Judgement{Service: Service{Companion: "AUREA_0", Scored: true, Score: 9900, Model: "m", LatencyMicros: 9, Attempts: 1, Usage: Usage{900, 9, 90}, Reply: digestOf(12)}, Chosen: -1}
	if show, why := h.JudgeWanted(); why != "" {
		j.Service = Service{Companion: "AUREA_0", Outcome: Unneeded, Reason: why}
	} else {
		j.Shown, j.Chosen = int64(len(show)), at%len(show)
		h.Judge(show[j.Chosen].Position)
	}
	proof.Judge = j
	proof.Synthesis = &Synthesis{Service{Companion: "AUREA_1", Scored: true, Score: 9900, Attempts: 1, Usage: Usage{2000, 400, 1400}, Reply: digestOf(13)}}
	if _, why := h.SynthesisWanted(); why != "" {
		proof.Synthesis.Service = Service{Companion: "AUREA_1", Outcome: Unneeded, Reason: why}
	}
	proof.Verdict = h.Verdict
	return h
}

// contestedProof is a first round of seats that each say one of n answers.
func contestedProof(kind Kind, seats, n int) *Proof {
	proof := sampleProof(seats)
	proof.Kind, proof.Asked = kind, kind
	ballots := make([]Ballot, seats)
	for i := range ballots {
		w := &proof.Ballots[i]
		w.Tag, w.Key = KeyTag{}, ""
		if kind.Closed() {
			w.Tag = KeyTag{9, byte(i%n + 1)}
			w.Key = string(w.Tag[:])
		}
		w.Reason, w.Counted = "", false
		ballots[i] = w.Ballot
	}
	if !kind.Closed() {
		for i := range seats {
			for j := i + 1; j < seats; j++ {
				s := PPM(-1)
				if i%n == j%n {
					s = 803_456
				}
				proof.Similarities = append(proof.Similarities, s)
			}
		}
		Coarsen(proof.Similarities)
	}
	q := proof.Question()
	proof.Verdict = DefaultPolicy().Decide(&q, ballots)
	for i := range ballots {
		proof.Ballots[i].Ballot = ballots[i]
	}
	return proof
}

func sampleFollowed(kind Kind) *Proof {
	n := 3
	if !kind.Closed() {
		n = 5
	}
	proof := contestedProof(kind, 5, n)
	said := []string{string([]byte{9, 1}), "late", string([]byte{9, 3}), "low", "none"}
	if !kind.Closed() {
		said = []string{"A", "late", "B", "low", "none"}
	}
	followed(DefaultPolicy(), proof, 1, said...)
	return proof
}

// What a gateway decided by steps comes out the same from the record of them.
func TestStepsFollowFromTheirRecord(t *testing.T) {
	p := DefaultPolicy()
	for _, kind := range []Kind{Number, Choice, VoteKind, Text, Code} {
		for seed := range 200 {
			rng := rand.New(rand.NewPCG(uint64(kind), uint64(seed)))
			proof := contestedProof(kind, 2+rng.IntN(9), 1+rng.IntN(4))
			proof.ID = fmt.Sprint("dlb_", seed)
			said := make([]string, 7)
			for i := range said {
				said[i] = []string{"late", "low", "none", string([]byte{9, 1}), string([]byte{9, 2}), string([]byte{9, 3}), "new"}[rng.IntN(7)]
				if !kind.Closed() {
					said[i] = []string{"late", "low", "none", "A", "B", "C", "D"}[rng.IntN(7)]
				}
			}
			h := followed(p, proof, rng.IntN(5), said...)
			rec, _, err := ParseRecord(leafOf(proof))
			if err != nil {
				t.Fatalf("%s %d: %v", kind, seed, err)
			}
			got := rec.(*Proof)
			ballots := make([]Ballot, len(got.Ballots))
			for i := range ballots {
				ballots[i] = got.Ballots[i].Ballot
			}
			q := got.Question()
			again, err := p.Follow(got, ballots, p.Decide(&q, ballots))
			if err != nil {
				t.Fatalf("%s %d: %v\n%s", kind, seed, err, leafOf(proof))
			}
			if !reflect.DeepEqual(again.Verdict, h.Verdict) || again.Judged != h.Judged || again.JudgeChanged != h.JudgeChanged {
				t.Fatalf("%s %d: followed again %+v, was %+v", kind, seed, again.Verdict, h.Verdict)
			}
			checkSteps(t, p, h, proof)
		}
	}
}

// checkSteps holds a hearing to what is promised of every one.
func checkSteps(t *testing.T, p *Policy, h *Hearing, proof *Proof) {
	t.Helper()
	for i := range h.Ballots {
		if h.Ballots[i].Weight != h.First[i].Weight {
			t.Fatalf("%s weighs %s, seated with %s", h.Ballots[i].Companion, h.Ballots[i].Weight, h.First[i].Weight)
		}
		if h.First[i].Counted && !h.Ballots[i].Counted {
			t.Fatalf("%s had a ballot and has none", h.Ballots[i].Companion)
		}
	}
	v := &h.Verdict
	if v.Winner < 0 {
		return
	}
	if h.q.Kind.Closed() {
		had := false
		for i := range h.First {
			had = had || h.First[i].Position >= 0 && h.First[i].Key == h.Ballots[v.Winner].Key
		}
		if !had && v.Status != Contested {
			t.Fatalf("%s with an answer that nobody had first", v.Status)
		}
	}
	if h.FirstVerdict.Status != Contested && (v.Status != h.FirstVerdict.Status || v.Winner != h.FirstVerdict.Winner) {
		t.Fatalf("%s became %s", h.FirstVerdict.Status, v.Status)
	}
	if h.JudgeChanged && (v.Status != Contested || v.Confidence != NoConfidence) {
		t.Fatalf("a judge made it %s at %s", v.Status, v.Confidence)
	}
	if h.Ballots[v.Winner].Position != 0 && h.q.Kind.Closed() {
		t.Fatalf("the winner stands in position %d", h.Ballots[v.Winner].Position)
	}
}

func TestFollowRefuses(t *testing.T) {
	p := DefaultPolicy()
	tests := map[string]func(*Proof){
		"no second round though one was needed":       func(f *Proof) { *f.Second = SecondRound{Outcome: Unneeded, Reason: ReasonSettled} },
		"a round that was not held, without a reason": func(f *Proof) { *f.Second = SecondRound{Outcome: Late} },
		"a round that was held, with one":             func(f *Proof) { f.Second.Reason = ReasonNoTime },
		"ballots of a round that was not held":        func(f *Proof) { f.Second.Outcome, f.Second.Reason = Late, ReasonNoTime },
		"a second ballot left out":                    func(f *Proof) { f.Second.Ballots = f.Second.Ballots[1:] },
		"a second ballot too many":                    func(f *Proof) { f.Second.Ballots = append(f.Second.Ballots, f.Second.Ballots[0]) },
		"a second ballot of another seat":             func(f *Proof) { f.Second.Ballots[0].Seat = 1 },
		"a ballot counted below the floor":            func(f *Proof) { f.Second.Ballots[3].Counted, f.Second.Ballots[3].Reason = true, "" },
		"a ballot suppressed":                         func(f *Proof) { f.Second.Ballots[0].Counted, f.Second.Ballots[0].Reason = false, ReasonCharter },
		"a late ballot that counts":                   func(f *Proof) { f.Second.Ballots[1].Counted = true },
		"a ballot in another place":                   func(f *Proof) { f.Second.Ballots[0].Position = 2 },
		"a choice that was not among the positions":   func(f *Proof) { f.Judge.Chosen = 9 },
		"a choice that was not made":                  func(f *Proof) { f.Judge.Chosen = -1 },
		"a choice of a judge that failed":             func(f *Proof) { f.Judge.Outcome, f.Judge.Reason, f.Judge.Shown = Failed, "http 500", 0 },
		"a choice below the charter's minimum":        func(f *Proof) { f.Judge.Score = 100 },
		"a choice without a score":                    func(f *Proof) { f.Judge.Scored, f.Judge.Score = false, 0 },
		"more shown than there was":                   func(f *Proof) { f.Judge.Shown++ },
		"a judge dropped for a score that is enough":  func(f *Proof) { f.Judge.Reason, f.Judge.Chosen = ReasonCharter, -1 },
		"a judge not needed": func(f *Proof) {
			f.Judge.Outcome, f.Judge.Reason, f.Judge.Chosen, f.Judge.Shown = Unneeded, ReasonSettled, -1, 0
		},
		"a synthesis below the charter's minimum": func(f *Proof) { f.Synthesis.Score = 100 },
		"a synthesis not needed":                  func(f *Proof) { f.Synthesis.Outcome, f.Synthesis.Reason = Unneeded, ReasonNoAuthority },
		"a synthesis of nothing, of replies that may be shown": func(f *Proof) {
			f.Synthesis.Outcome, f.Synthesis.Reason = Unneeded, ReasonNothingToShow
		},
	}
	textual := map[string]func(*Proof){
		"an answer beside the position":  func(f *Proof) { f.Second.Ballots[0].Key = "x" },
		"a position that was not shown":  func(f *Proof) { f.Second.Ballots[0].Stands = 7 },
		"a position in place of nothing": func(f *Proof) { f.Second.Ballots[4].Stands = 0 },
	}
	refuses := func(name string, kind Kind, forge func(*Proof)) {
		proof := sampleFollowed(kind)
		if proof.Second.Outcome != OK || !proof.Judge.Done() {
			t.Fatalf("the %s sample takes no steps: %+v %+v", kind, proof.Second, proof.Judge)
		}
		check := func() error {
			ballots := make([]Ballot, len(proof.Ballots))
			for i := range ballots {
				ballots[i] = proof.Ballots[i].Ballot
			}
			q := proof.Question()
			_, err := p.Follow(proof, ballots, p.Decide(&q, ballots))
			return err
		}
		if err := check(); err != nil {
			t.Fatalf("%s, before it is forged: %v", name, err)
		}
		forge(proof)
		if err := check(); !errors.Is(err, ErrCourse) {
			t.Errorf("%s of %s: %v, want ErrCourse", name, kind, err)
		}
	}
	for name, forge := range tests {
		refuses(name, Number, forge)
		refuses(name, Text, forge)
	}
	refuses("a position in place of an answer", Number, func(f *Proof) { f.Second.Ballots[0].Stands = 0 })
	for name, forge := range textual {
		refuses(name, Text, forge)
	}
}

// The largest panel, in two rounds of texts with the longest names and all the
// findings it may have, judged and summed up, fits an entry.
func TestLargestProofOfTwoRoundsFits(t *testing.T) {
	for _, kind := range []Kind{Number, Text} {
		proof := contestedProof(kind, 64, 3)
		for i := range proof.Ballots {
			b := &proof.Ballots[i]
			b.Companion = CompanionID(strings.Repeat("A", 30) + fmt.Sprint(i))
			b.Vendor, b.Model = strings.Repeat("v", 30)+fmt.Sprint(i), strings.Repeat("m", 64)
			b.LatencyMicros, b.Usage = 19_000_000, Usage{65_000, 16_000, 990_000}
			for len(b.Findings) < MaxFindings {
				b.Findings = append(b.Findings, b.Findings[0])
			}
			b.More = 1000
			b.Judged = "0000"
		}
		proof.Jury = largestJury()
		followed(DefaultPolicy(), proof, 1, string([]byte{9, 1}), string([]byte{9, 2}), string([]byte{9, 3}))
		if len(proof.Second.Ballots) != 64 {
			t.Fatalf("%d second ballots", len(proof.Second.Ballots))
		}
		for i := range proof.Second.Ballots {
			s := &proof.Second.Ballots[i]
			s.LatencyMicros, s.Usage = 19_000_000, Usage{65_000, 16_000, 990_000}
			if i%2 == 0 { // what is longer: a reason, or what a ballot that counts has
				s.Reason, s.Position, s.Counted = ReasonCharter, -1, false
			}
			s.Findings, s.More, s.Judged = proof.Ballots[i].Findings, 1000, "0000"
		}
		proof.Judge.Findings, proof.Synthesis.Findings = proof.Ballots[0].Findings, proof.Ballots[0].Findings
		if leaf := leafOf(proof); len(leaf) > MaxLeaf {
			t.Errorf("the largest proof of two rounds of %s has %d bytes, at most %d", kind, len(leaf), MaxLeaf)
		}
	}
}

// What asks for nothing more is recorded as before there was more to ask for.
func TestAProofOfOneRoundHasNoTraceOfSteps(t *testing.T) {
	leaf := string(leafOf(sampleProof(5)))
	for _, member := range []string{`"second"`, `"judge"`, `"synthesis"`, `"packed"`} {
		if strings.Contains(leaf, member) {
			t.Errorf("it has %s: %s", member, leaf)
		}
	}
}

func TestPackedSimilaritiesReadBack(t *testing.T) {
	all := []PPM{-1, 0, 1000, 555_999, 999_999, One}
	Coarsen(all)
	if want := []PPM{-1, 0, 1000, 555_000, 999_000, One}; !reflect.DeepEqual(all, want) {
		t.Errorf("coarse: %v, want %v", all, want)
	}
	e := encoder{fresh: true}
	encodePacked(&e, all)
	text := strings.TrimPrefix(string(e.b), `"packed":`)
	if got := readPacked(canon.NewReader([]byte(text))); !reflect.DeepEqual(got, all) {
		t.Errorf("%s reads back as %v", text, got)
	}
	for _, bad := range []string{`""`, `"A"`, `"A="`, `"Pp"`, `"é"`, `1`} {
		r := canon.NewReader([]byte(bad))
		if readPacked(r); r.End() == nil {
			t.Errorf("%s is read", bad)
		}
	}
}

func TestSimilaritiesOfTwoRoundsArePackedOnly(t *testing.T) {
	leaf := string(leafOf(sampleFollowed(Text)))
	before, rest, _ := strings.Cut(leaf, `"packed":"`)
	_, after, found := strings.Cut(rest, `",`)
	at := strings.Index(after, `"status"`)
	if !found || at < 0 {
		t.Fatalf("no packed similarities in %s", leaf)
	}
	bad := before + after[:at] + `"similarities":[1,2,3,4,5,6,7,8,9,10],` + after[at:]
	if _, _, err := ParseRecord([]byte(bad)); !errors.Is(err, ErrRecord) || !strings.Contains(err.Error(), "not packed") {
		t.Errorf("%v", err)
	}
}

// The order in which positions are shown depends on the deliberation and on what
// they are shown for, and on nothing else.
func TestShuffleIsTheDeliberationsOwn(t *testing.T) {
	order := func(id, purpose string) string {
		list := []int{0, 1, 2, 3, 4, 5, 6}
		shuffle(list, id, purpose)
		return fmt.Sprint(list)
	}
	if a, b := order("dlb_1", "judge"), order("dlb_1", "judge"); a != b {
		t.Errorf("%s, then %s", a, b)
	}
	if a, b, c := order("dlb_1", "judge"), order("dlb_2", "judge"), order("dlb_1", "second round"); a == b || a == c {
		t.Errorf("%s, %s and %s are alike", a, b, c)
	}
	var first [4]int
	for i := range 4000 {
		list := []int{0, 1, 2, 3}
		shuffle(list, fmt.Sprint("dlb_", i), "judge")
		first[list[0]]++
	}
	for place, n := range first { // a thousand each, six deviations of 27 apart
		if n < 836 || n > 1164 {
			t.Errorf("place %d comes first %d times of 4000", place, n)
		}
	}
}

func TestFurtherPolicy(t *testing.T) {
	bare := strings.Replace(string(defaultPolicy), `"deliberation"`, `"x"`, 1)
	at := strings.LastIndex(bare, ",\n \"x\"")
	if at < 0 {
		t.Fatalf("no deliberation section in %s", bare)
	}
	bare = bare[:at]
	parse := func(section string) (*Policy, error) { return ParsePolicy([]byte(bare + section + "\n}")) }

	p, err := parse("")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(p.Canonical(), []byte("deliberation")) {
		t.Error("a document without the section gets one, and another digest")
	}
	if rounds, judge, synthesis := p.Further().At(Critical); rounds != 1 || judge != "" || synthesis != "" {
		t.Errorf("without the section: %d rounds, judge %q, synthesis %q", rounds, judge, synthesis)
	}
	if !reflect.DeepEqual(p.Further(), DefaultPolicy().Further()) {
		t.Errorf("the embedded section %+v says other than none, %+v", DefaultPolicy().Further(), p.Further())
	}
	p, err = parse(`,"deliberation":{"rounds":2,"judge":"ATLAS","tiers":["high"]}`)
	if err != nil {
		t.Fatal(err)
	}
	if f := p.Further(); f.JudgeUnder != 500_000 || f.QuoteMax != 4000 || f.QuoteTotal != 32_000 || f.QuoteMinimum != 7500 {
		t.Errorf("filled up to %+v", f)
	}
	if rounds, judge, _ := p.Further().At(High); rounds != 2 || judge != "ATLAS" {
		t.Errorf("at its tier: %d rounds, judge %q", rounds, judge)
	}
	if rounds, judge, _ := p.Further().At(Standard); rounds != 1 || judge != "" {
		t.Errorf("at another: %d rounds, judge %q", rounds, judge)
	}
	again, err := ParsePolicy(p.Canonical())
	if err != nil || again.Digest() != p.Digest() {
		t.Errorf("it reads back with another digest: %v", err)
	}
	for section, want := range map[string]string{
		`{"rounds":3}`:                         "deliberation: rounds: want 1 or 2",
		`{"rounds":-1}`:                        "deliberation: rounds: want 1 or 2",
		`{"judge":"atlas"}`:                    `judge: "atlas" is no companion's id`,
		`{"synthesis":"A B"}`:                  `synthesis: "A B" is no companion's id`,
		`{"judgeUnder":1000001}`:               "judgeUnder",
		`{"rounds":2,"quoteMax":99}`:           "quoteMax",
		`{"rounds":2,"quoteTotal":100}`:        "quoteTotal",
		`{"rounds":2,"quoteMinimum":7400}`:     "quoteMinimum is outside 7500 to 10000",
		`{"rounds":2,"tiers":["high","high"]}`: "tiers",
		`{"rounds":2,"round":1}`:               "round",
	} {
		if _, err := parse(`,"deliberation":` + section); !errors.Is(err, ErrPolicy) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", section, err, want)
		}
	}
}

// A confirmed answer tells of who had it when each answered alone, not of who
// came round to it.
func TestAConfirmationGoesByTheFirstRound(t *testing.T) {
	proof := contestedProof(Number, 5, 3) // 1 2 3 1 2
	two, three := string([]byte{9, 2}), string([]byte{9, 3})
	followed(DefaultPolicy(), proof, 0, two, two, two, two, two)
	if v := &proof.Verdict; v.Status != Carried || v.Votes != 5 {
		t.Fatalf("%s with %d votes", v.Status, v.Votes)
	}
	c := proof.Confirmed(7, true)
	if c == nil || fmt.Sprint(c.Supporters) != "[AUREA_1 AUREA_4]" || fmt.Sprint(c.Others) != "[AUREA_0 AUREA_2 AUREA_3]" {
		t.Errorf("confirmed %+v", c)
	}
	proof = contestedProof(Number, 5, 3)
	followed(DefaultPolicy(), proof, 0, three)
	if c := proof.Confirmed(7, true); c == nil || fmt.Sprint(c.Supporters) != "[AUREA_2]" {
		t.Errorf("confirmed %+v", c)
	}
	proof = contestedProof(Number, 5, 3)
	followed(DefaultPolicy(), proof, 0, "new")
	if c := proof.Confirmed(7, true); c != nil {
		t.Errorf("an answer that nobody had alone is confirmed: %+v", c)
	}
}

// A companion whose vote was taken away while it was asked again has none left.
func TestASuspensionMeanwhileTakesTheFirstBallotToo(t *testing.T) {
	p := DefaultPolicy()
	proof := contestedProof(Number, 5, 5)
	ballots := make([]Ballot, 5)
	for i := range ballots {
		ballots[i] = proof.Ballots[i].Ballot
	}
	q := proof.Question()
	h := p.Hear(proof.ID, &q, ballots, proof.Verdict)
	r := &SecondRound{}
	for i := range ballots {
		r.Ballots = append(r.Ballots, SecondBallot{Seat: i, Outcome: Late, Reason: "late", Stands: -1})
	}
	r.Ballots[2] = SecondBallot{Seat: 2, Reason: ReasonSuspended, Scored: true, Score: 9000, Key: ballots[0].Key, Stands: -1}
	h.Second(r)
	if b := &h.Ballots[2]; b.Counted || b.Position != -1 || b.Reason != ReasonSuspended || r.Ballots[2].Counted {
		t.Errorf("its ballot %+v, its second %+v", b, r.Ballots[2])
	}
	if n := len(h.Verdict.Positions); n != 4 || !h.First[2].Counted {
		t.Errorf("%d positions, its first ballot %+v", n, h.First[2])
	}

	// Of texts, another one that said the same speaks for the position from then on.
	proof = contestedProof(Text, 6, 3)
	ballots = make([]Ballot, 6)
	for i := range ballots {
		ballots[i] = proof.Ballots[i].Ballot
	}
	q = proof.Question()
	h = p.Hear(proof.ID, &q, ballots, proof.Verdict)
	gone := h.FirstVerdict.Positions[0].Best
	r = &SecondRound{}
	for i := range ballots {
		r.Ballots = append(r.Ballots, SecondBallot{Seat: i, Scored: true, Score: 9000, Stands: 0})
	}
	r.Ballots[gone].Reason, r.Ballots[gone].Stands = ReasonSuspended, -1
	h.Second(r)
	if w := h.Verdict.Winner; w == gone || h.First[w].Position != 0 || h.Verdict.Votes != 5 || h.Spoken()[gone].Counted {
		t.Errorf("seat %d speaks for what seat %d said, with %d votes", w, gone, h.Verdict.Votes)
	}
}
