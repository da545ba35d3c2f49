package quorum

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const someTime = 1_795_420_800_123

func leafOf(rec Record) []byte {
	leaf, stamp := rec.AppendLeaf(nil)
	PutStamp(leaf, stamp, someTime)
	return leaf
}

func digestOf(c byte) (d [32]byte) {
	for i := range d {
		d[i] = c
	}
	return d
}

func sampleProof(seats int) *Proof {
	p := &Proof{ID: "dlb_01K0000000000000000000000", AsOf: 7, Policy: digestOf(1), Charter: digestOf(2), Tier: Standard, Chamber: "thought-broker",
		Cycle: "C-114", Kind: Number, Wait: WaitAll, PromptScore: 10_000, WaitMicros: 412_000, TotalMicros: 412_300, Prompt: digestOf(3), Client: digestOf(4), Answer: digestOf(5)}
	for i := range seats {
		t := Testimony{Model: "some-model-2026", LatencyMicros: 400_000, Attempts: 1, Usage: Usage{31, 120, 1300}, Stated: 900_000,
			Tag: KeyTag{9, byte(i % 2)}, Reply: digestOf(6), Rationale: digestOf(7)}
		t.Ballot = Ballot{Companion: CompanionID(fmt.Sprintf("AUREA_%d", i)), Vendor: fmt.Sprint("v", i), Tier: High, Scored: true, Score: 9750,
			TierWeight: 900_000, Earned: 614_000, Prior: 740_000, Weight: 614_000, Key: string([]byte{9, byte(i % 2), 0, 0, 0, 0, 0, 0})}
		t.Findings = []RecordedFinding{{Finding{Privacy, "privacy.email", 40_000, 10, 30}, KeyTag{8}}}
		p.Ballots = append(p.Ballots, t)
	}
	ballots := make([]Ballot, seats)
	for i := range ballots {
		ballots[i] = p.Ballots[i].Ballot
	}
	q := p.Question()
	v := DefaultPolicy().Decide(&q, ballots)
	for i := range ballots {
		p.Ballots[i].Ballot = ballots[i]
	}
	p.Verdict = v
	return p
}

func sampleRecords() []Record {
	c := Companion{ID: "AUREA", Provider: "openai", Vendor: "openai", Family: "gpt", Model: "m", Tier: Critical, Sentinel: true, Status: Active, Price: Price{2500, 10000}}
	refused := &Proof{ID: "dlb_x", Policy: digestOf(1), Charter: digestOf(2), Tier: Standard, Cycle: "C-114", Verdict: Verdict{Winner: -1, Confidence: -1}, PromptScore: 1500,
		Rejection: []RecordedFinding{{Finding{Safety, "safety.weapon", 850_000, 0, 9}, KeyTag{1}}}, Prompt: digestOf(3)}
	return []Record{
		sampleProof(5), judgedProof(Critical, "00", "l-", "2-"), sampleFollowed(Number), sampleFollowed(Text), refused,
		&Completion{ID: "dlb_x", Kind: Number, Observed: true, Ballots: sampleProof(3).Ballots},
		&CacheHits{[]CacheHit{{"dlb_x", 7, 3}}},
		&Founding{"operator", c},
		&Withdrawal{"operator", "AUREA", "no longer configured"},
		&Activation{"operator", DefaultPolicy()},
		&Rekeying{"kaizen.example.org/ledger+b108ba7d+AQIDBA=="},
		&Erasure{"dlb_x", Owner, ErasureAsked},
		&Erasure{"dlb_x", Gateway, ErasureLost},
		sampleCalibration(), fittedCalibration(),
		&Feedback{"dlb_x", 5, WasRight}, &Feedback{"dlb_x", 1, WasWrong}, &Feedback{"dlb_x", 3, Unsaid},
		&Confirmation{"dlb_x", 7, true, Number, "algebra", []CompanionID{"AUREA", "ATLAS"}, []CompanionID{"ZEUS"}},
		&Confirmation{"dlb_x", 0, false, Text, "", []CompanionID{"AUREA"}, nil},
	}
}

func TestRecordsReadBack(t *testing.T) {
	for _, rec := range sampleRecords() {
		leaf := leafOf(rec)
		got, at, err := ParseRecord(leaf)
		if err != nil || at != someTime {
			t.Errorf("%s: %v, time %d\n%s", rec.Type(), err, at, leaf)
			continue
		}
		if !bytes.Equal(leafOf(got), leaf) {
			t.Errorf("%s: reads back as another record", rec.Type())
		}
		var std map[string]any
		if err := json.Unmarshal(leaf, &std); err != nil {
			t.Errorf("%s: encoding/json: %v", rec.Type(), err)
		}
		if std["_type"] != statementType || std["predicateType"] != predicatePrefix+string(rec.Type())+"/v1" {
			t.Errorf("%s: framed as %v %v", rec.Type(), std["_type"], std["predicateType"])
		}
	}
}

// The verdict follows from the record: deciding again on what is recorded gives
// the same one, though the answers are keyed digests there.
func TestVerdictFollowsFromProof(t *testing.T) {
	p := sampleProof(5)
	rec, _, err := ParseRecord(leafOf(p))
	if err != nil {
		t.Fatal(err)
	}
	got := rec.(*Proof)
	ballots := make([]Ballot, len(got.Ballots))
	for i := range ballots {
		ballots[i] = got.Ballots[i].Ballot
	}
	q := got.Question()
	v := DefaultPolicy().Decide(&q, ballots)
	if !reflect.DeepEqual(v, p.Verdict) {
		t.Errorf("decided again: %+v\nrecorded: %+v", v, p.Verdict)
	}
}

func TestParseRecordRefuses(t *testing.T) {
	good := string(leafOf(sampleProof(2)))
	for name, edit := range map[string][2]string{
		"unknown member":      {`"chamber":`, `"chambre":`},
		"unknown version":     {`deliberation/v1"`, `deliberation/v2"`},
		"white space":         {`"predicate":{`, `"predicate": {`},
		"zero written out":    {`"degraded":`, `"degraded":false,"x":`},
		"score over 100":      {`"score":9750`, `"score":10001`},
		"winner out of range": {`"winner":0`, `"winner":9`},
		"unknown outcome":     {`"outcome":"ok"`, `"outcome":"fine"`},
		"uppercase digest":    {`0101`, `0A01`},
		"short time":          {`1795420800123`, `179542080012`},
		"another companion":   {`AUREA_0`, `aurea_0`},
		"subject order":       {`"name":"prompt"`, `"name":"zrompt"`},
	} {
		bad := strings.Replace(good, edit[0], edit[1], 1)
		if bad == good && name != "zero written out" {
			t.Fatalf("%s: the edit does not apply to %s", name, good)
		}
		if _, _, err := ParseRecord([]byte(bad)); bad != good && !errors.Is(err, ErrRecord) && !errors.Is(err, ErrRecordType) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := ParseRecord(bytes.Repeat([]byte("x"), MaxLeaf+1)); !errors.Is(err, ErrRecord) {
		t.Errorf("a leaf over the limit: %v", err)
	}
}

// The largest panel with the longest names and all findings it may have fits a leaf.
func TestLargestProofFits(t *testing.T) {
	p := sampleProof(64)
	p.Kind = Text
	for range 64 * 63 / 2 {
		p.Similarities = append(p.Similarities, 555_555)
	}
	for i := range p.Ballots {
		b := &p.Ballots[i]
		b.Companion = CompanionID(strings.Repeat("A", 30) + fmt.Sprint(i))
		b.Model = strings.Repeat("m", 50)
		b.Reason = ReasonCharter
		for len(b.Findings) < MaxFindings {
			b.Findings = append(b.Findings, b.Findings[0])
		}
		b.More = 1000
		b.Judged = "0000"
	}
	p.Jury = largestJury()
	if leaf := leafOf(p); len(leaf) > 60_000 {
		t.Errorf("the largest proof has %d bytes, want at most 60000", len(leaf))
	}
}

// largestJury has as many judges as there may be, with the longest names.
func largestJury() *Jury {
	j := &Jury{Digest: digestOf(10)}
	for i := range MaxJudges {
		j.Judges = append(j.Judges, JudgeRef{JudgeID(strings.Repeat("a", 15) + string(rune('a'+i))), CompanionID(strings.Repeat("A", 32))})
	}
	return j
}

func TestRecordAllocs(t *testing.T) {
	p := sampleProof(5)
	buf := make([]byte, 0, 16<<10)
	if n := testing.AllocsPerRun(100, func() { p.AppendLeaf(buf) }); n > 10 {
		t.Errorf("AppendLeaf allocates %.0f times for 5 seats", n)
	}
}

func BenchmarkProof(b *testing.B) {
	p := sampleProof(5)
	leaf := leafOf(p)
	buf := make([]byte, 0, 16<<10)
	b.Run(fmt.Sprintf("encode/seats=5/bytes=%d", len(leaf)), func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.AppendLeaf(buf)
		}
	})
	b.Run("parse/seats=5", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := ParseRecord(leaf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	p := DefaultPolicy()
	for _, tt := range []struct {
		name string
		kind Kind
	}{{"number", Number}, {"text", Text}} {
		b.Run("kind="+tt.name+"/seats=5", func(b *testing.B) {
			q := Question{Tier: Standard, Kind: tt.kind}
			ballots := panel(p, &q, "42", "42", "41", "42", "40")
			if tt.kind == Text {
				q.Similarities = []PPM{900_000, 100_000, 700_000, 0, 0, 600_000, 0, 0, 0, 0}
			}
			b.ReportAllocs()
			for b.Loop() {
				p.Decide(&q, ballots)
			}
		})
	}
}

func FuzzParseRecord(f *testing.F) {
	rules := DefaultPolicy()
	for _, rec := range sampleRecords() {
		f.Add(leafOf(rec))
	}
	f.Fuzz(func(t *testing.T, leaf []byte) {
		rec, at, err := ParseRecord(leaf)
		if err != nil {
			return
		}
		again, stamp := rec.AppendLeaf(nil)
		PutStamp(again, stamp, at)
		if !bytes.Equal(again, leaf) {
			t.Fatalf("accepted bytes have another encoding")
		}
		if p, ok := rec.(*Proof); ok && len(p.Ballots) > 0 {
			// Whatever it says, to judge it ends in an error at the worst.
			ballots := make([]Ballot, len(p.Ballots))
			for i := range ballots {
				ballots[i] = p.Ballots[i].Ballot
			}
			q := p.Question()
			rules.Follow(p, ballots, rules.Decide(&q, ballots))
			p.CheckJury()
		}
	})
}
