package wire

import (
	"bytes"
	stdjson "encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// sample is the deliberation of the interface's description.
func sample() *Deliberation {
	return &Deliberation{
		ID: "dlb_01K", Status: "carried", Answer: "It is \"42\".\n", Value: "42",
		Consensus: Consensus{Kind: "number", Agreement: 810_000, Confidence: 970_000, Share: 860_000, Votes: 4, Required: 2},
		Positions: []Position{{Answer: "It is 42.", Share: 810_000, Companions: []string{"AUREA", "ATLAS"}}},
		Dissent:   []Dissent{{Companions: []string{"ZEUS"}, Share: 140_000, Answer: "41"}},
		Ballots: []Ballot{{
			Companion: "AUREA", Provider: "openai", Model: "m-1", Tier: "critical", Weight: 1_000_000, TierWeight: 1_000_000,
			Outcome: "ok", Counted: true, Score: 9750,
			Violations: []Violation{{Clause: 5, Rule: "privacy.email", Severity: 275_000, Start: 4, End: 17}},
			Confidence: 900_000, LatencyMs: 412, Attempts: 1, Usage: Usage{31, 120, 1300},
		}, {
			Companion: "EVE", Provider: "kaizen", Tier: "high", Weight: 900_000, TierWeight: 900_000,
			Outcome: "late", Score: None, Position: -1, Confidence: None, Attempts: 1, Reason: "no answer before the deadline",
		}},
		Usage:  Usage{93, 360, 4100},
		Timing: Timing{Total: 431_200, Wait: 412_000, Overhead: 600},
		Proof:  Proof{Index: 1042, LeafHash: "aGFzaA==", Receipt: "/v1/deliberations/dlb_01K/receipt"},
	}
}

// golden is sample, as clients get it; line breaks are ours.
const golden = `{"id":"dlb_01K","status":"carried","answer":"It is \"42\".\n","value":"42","decision":"",
"consensus":{"kind":"number","agreement":0.81,"agreementIsBound":false,"confidence":0.97,"share":0.86,"votes":4,"required":2,"degraded":false,"flipsByTier":false},
"positions":[{"answer":"It is 42.","share":0.81,"companions":["AUREA","ATLAS"]}],
"dissent":[{"companions":["ZEUS"],"share":0.14,"answer":"41","winsBy":""}],
"ballots":[{"companion":"AUREA","provider":"openai","model":"m-1","tier":"critical","weight":1.0,"tierWeight":1.0,"outcome":"ok","counted":true,
"score":97.5,"violations":[{"clause":5,"rule":"privacy.email","severity":0.275,"start":4,"end":17}],"position":0,"stance":"","confidence":0.9,"latencyMs":412,"attempts":1,"reason":"",
"usage":{"inputTokens":31,"outputTokens":120,"costMicroUsd":1300}},
{"companion":"EVE","provider":"kaizen","model":"","tier":"high","weight":0.9,"tierWeight":0.9,"outcome":"late","counted":false,
"score":null,"violations":[],"position":-1,"stance":"","confidence":null,"latencyMs":0,"attempts":1,"reason":"no answer before the deadline",
"usage":{"inputTokens":0,"outputTokens":0,"costMicroUsd":0}}],
"usage":{"inputTokens":93,"outputTokens":360,"costMicroUsd":4100},
"timing":{"totalMs":431.2,"waitMs":412.0,"overheadMs":0.6},
"cached":false,
"proof":{"index":1042,"leafHash":"aGFzaA==","receipt":"/v1/deliberations/dlb_01K/receipt"}}`

func TestDeliberationAppendTo(t *testing.T) {
	want := strings.ReplaceAll(golden, "\n", "")
	if got := string(sample().AppendTo(nil)); got != want {
		t.Errorf("AppendTo()\n got %s\nwant %s", got, want)
	}
	if got := string(sample().AppendTo([]byte("before"))); got != "before"+want {
		t.Errorf("AppendTo(before) = %s", got)
	}
}

func TestDeliberationParts(t *testing.T) {
	v := sample()
	v.Ballots, v.Positions = nil, nil
	out := string(v.AppendTo(nil))
	if strings.Contains(out, "ballots") || strings.Contains(out, "positions") {
		t.Errorf("parts that were not asked for: %s", out)
	}
	v.Ballots, v.Positions, v.Dissent = []Ballot{}, []Position{}, nil
	for _, part := range []string{`"ballots":[]`, `"positions":[]`, `"dissent":[]`} {
		if out := string(v.AppendTo(nil)); !strings.Contains(out, part) {
			t.Errorf("no %s in %s", part, out)
		}
	}
	v = sample()
	v.Ballots[0].Judged = []Judged{{ID: "guard", Outcome: "ok", Score: 9600}, {ID: "own", Outcome: "unjudged", Score: None, Reason: "late"}}
	if out := string(v.AppendTo(nil)); !strings.Contains(out, `"costMicroUsd":1300},"judged":[{"id":"guard","outcome":"ok","score":96},{"id":"own","outcome":"unjudged","score":null,"reason":"late"}]}`) {
		t.Errorf("no judges in %s", out)
	}
	v = sample()
	v.Ballots[0].Reply, v.Ballots[0].Rationale = "the text", "the reason"
	if out := string(v.AppendTo(nil)); !strings.Contains(out, `"costMicroUsd":1300},"reply":"the text","rationale":"the reason"}`) {
		t.Errorf("no reply in %s", out)
	}
	v.Consensus.Confidence = None
	if out := string(v.AppendTo(nil)); !strings.Contains(out, `"confidence":null,"share"`) {
		t.Errorf("open text has no confidence, not even 0: %s", out)
	}
}

// What a companion sent may be any bytes; what we send is JSON.
func TestDeliberationOfGarbage(t *testing.T) {
	v := sample()
	v.Answer = "a\xff\x00\u2028</script>\xed\xa0\x80"
	out := v.AppendTo(nil)
	if !stdjson.Valid(out) {
		t.Fatalf("not JSON: %q", out)
	}
	var back Deliberation
	if err := back.Decode(out); err != nil {
		t.Fatal(err)
	}
	if want := "a\ufffd\x00\u2028</script>\ufffd\ufffd\ufffd"; back.Answer != want {
		t.Errorf("Answer = %q, want %q", back.Answer, want)
	}
}

// AppendTo is written by hand for speed; json.Marshal reads the struct's tags.
// They must agree, on everything.
func TestAppendToAgreesWithMarshal(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		v := random(r)
		got := v.AppendTo(nil)
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("AppendTo()\n got %s\nwant %s", got, want)
		}
		var back Deliberation
		if err := back.Decode(got); err != nil {
			t.Fatalf("Decode(%s) = %v", got, err)
		}
		if !reflect.DeepEqual(&back, v) {
			t.Fatalf("Decode()\n got %+v\nwant %+v", back, v)
		}
		// Clients that use the standard library get the same.
		var std Deliberation
		if err := stdjson.Unmarshal(got, &std); err != nil || !reflect.DeepEqual(&std, v) {
			t.Fatalf("encoding/json: %v\n got %+v\nwant %+v", err, std, v)
		}
	}
}

// random fills a deliberation. Lists that are always there are never nil, as
// they come out of a decoder.
func random(r *rand.Rand) *Deliberation {
	text := func() string {
		return []string{"", "a", "é \"q\" \\", "line\nbreak\t\x01", "<&>\u2028", strings.Repeat("long ", 50)}[r.IntN(6)]
	}
	names := func() []string {
		list := []string{}
		for range r.IntN(3) {
			list = append(list, text())
		}
		return list
	}
	ppm := func() PPM { return PPM(r.IntN(1_200_000) - 1).orNone() }
	usage := func() Usage { return Usage{r.Int64N(1000), r.Int64N(1000), r.Int64()} }
	judged := func() (list []Judged) {
		for range r.IntN(3) {
			list = append(list, Judged{text(), text(), Hundredths(r.IntN(10_002) - 1), text()})
		}
		return list
	}
	v := &Deliberation{
		ID: text(), Status: text(), Answer: text(), Value: text(), Decision: text(),
		Consensus: Consensus{text(), ppm(), r.IntN(2) == 0, ppm(), ppm(), r.IntN(9), r.IntN(9), r.IntN(2) == 0, r.IntN(2) == 0},
		Dissent:   []Dissent{}, Usage: usage(),
		Timing: Timing{Micros(r.IntN(1e7)), Micros(r.IntN(1e7)), Micros(r.IntN(1e3))},
		Cached: r.IntN(2) == 0, Proof: Proof{r.Uint64(), text(), text()},
	}
	for range r.IntN(3) {
		v.Dissent = append(v.Dissent, Dissent{names(), ppm(), text(), text()})
		v.Positions = append(v.Positions, Position{text(), ppm(), names()})
	}
	for range r.IntN(4) {
		b := Ballot{
			text(), text(), text(), text(), ppm(), ppm(), text(), r.IntN(2) == 0, Hundredths(r.IntN(10_002) - 1),
			[]Violation{}, r.IntN(4) - 1, text(), ppm(), r.Int64N(1e5), r.IntN(3), text(), usage(), judged(), text(), text(),
		}
		for range r.IntN(3) {
			b.Violations = append(b.Violations, Violation{1 + r.IntN(7), text(), ppm(), r.IntN(99), r.IntN(99), ""})
		}
		v.Ballots = append(v.Ballots, b)
	}
	violations := func() []Violation {
		list := []Violation{}
		for range r.IntN(3) {
			list = append(list, Violation{1 + r.IntN(7), text(), ppm(), r.IntN(99), r.IntN(99), ""})
		}
		return list
	}
	service := func() Service {
		return Service{text(), text(), text(), Hundredths(r.IntN(10_002) - 1), violations(), r.Int64N(1e5), r.IntN(3), usage(), judged()}
	}
	if r.IntN(2) == 0 {
		v.Rounds = &Rounds{1 + r.IntN(2), text(), text(), FirstRound{text(), ppm(), ppm(), []Position{}}, []AgainBallot{}, Micros(r.IntN(1e7)), usage()}
		for range r.IntN(3) {
			v.Rounds.First.Positions = append(v.Rounds.First.Positions, Position{text(), ppm(), names()})
			v.Rounds.Ballots = append(v.Rounds.Ballots, AgainBallot{text(), text(), r.IntN(2) == 0, Hundredths(r.IntN(10_002) - 1), violations(),
				r.IntN(4) - 1, r.IntN(2) == 0, text(), r.Int64N(1e5), r.IntN(3), text(), usage(), judged(), text()})
		}
	}
	if r.IntN(2) == 0 {
		v.Judge = &Judge{service(), r.IntN(9), r.IntN(9) - 1, r.IntN(2) == 0, text()}
		v.Synthesis = &Synthesis{text(), service()}
	}
	return v
}

func (p PPM) orNone() PPM { return max(p, None) }

func TestDeliberationDecode(t *testing.T) {
	var v Deliberation
	newer := strings.Replace(golden, `"cached"`, `"override":{"by":"steward"},"cached"`, 1)
	if err := v.Decode([]byte(newer)); err != nil {
		t.Errorf("a field of a newer gateway: %v", err)
	}
	for name, tt := range map[string]struct{ body, want string }{
		"nothing":             {``, "not valid JSON"},
		"not an object":       {`[]`, "unexpected an array at the top"},
		"a share below zero":  {strings.Replace(golden, `"share":0.86`, `"share":-0.86`, 1), "/consensus/share"},
		"a share of a string": {strings.Replace(golden, `"share":0.86`, `"share":"xyzzy"`, 1), "/consensus/share"},
		"too many places":     {strings.Replace(golden, `"share":0.86`, `"share":0.8600001`, 1), "/consensus/share"},
		"no time":             {strings.Replace(golden, `"totalMs":431.2`, `"totalMs":null`, 1), "/timing/totalMs"},
		"cut off":             {golden[:len(golden)/2], "not valid JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			err := v.Decode([]byte(tt.body))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Decode() = %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "xyzzy") {
				t.Errorf("the error repeats a value: %v", err)
			}
		})
	}
}

func TestDeliberationAllocs(t *testing.T) {
	v, dst := sample(), make([]byte, 0, 8<<10)
	if got := testing.AllocsPerRun(200, func() { v.AppendTo(dst) }); got != 0 {
		t.Errorf("AppendTo: %v allocations, want none", got)
	}
}

func TestDecimals(t *testing.T) {
	for _, tt := range []struct {
		got, want string
	}{
		{PPM(0).String(), "0.0"},
		{PPM(1).String(), "0.000001"},
		{PPM(810_000).String(), "0.81"},
		{PPM(1_000_000).String(), "1.0"},
		{PPM(1_500_000).String(), "1.5"},
		{PPM(None).String(), "null"},
		{Hundredths(0).String(), "0"},
		{Hundredths(9750).String(), "97.5"},
		{Hundredths(9705).String(), "97.05"},
		{Hundredths(10_000).String(), "100"},
		{Hundredths(None).String(), "null"},
		{Micros(412_000).String(), "412.0"},
		{Micros(600).String(), "0.6"},
		{Micros(1).String(), "0.001"},
		{Micros(-5).String(), "0.0"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
	for body, want := range map[string]PPM{"null": None, "1": 1_000_000, "0.81": 810_000, "0.8100": 810_000, "12.000001": 12_000_001} {
		var got PPM
		if err := got.UnmarshalJSON([]byte(body)); err != nil || got != want {
			t.Errorf("UnmarshalJSON(%s) = %d, %v, want %d", body, got, err, want)
		}
	}
	for _, body := range []string{"-1", "1e-3", "0.0000001", `"1"`, "true", "99999999999999999999", "9223372036854.775808", ".5", "1."} {
		var got PPM
		if err := got.UnmarshalJSON([]byte(body)); err == nil {
			t.Errorf("UnmarshalJSON(%s) = %d, want an error", body, got)
		}
	}
}

func FuzzDeliberation(f *testing.F) {
	f.Add([]byte(golden))
	f.Add(sample().AppendTo(nil))
	f.Add([]byte(`{"id":5}`))
	f.Add([]byte(`{"consensus":{"share":1e9}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var v, again Deliberation
		if v.Decode(body) != nil {
			return
		}
		out := v.AppendTo(nil)
		if err := again.Decode(out); err != nil {
			t.Fatalf("accepted %q, but not its own encoding %q: %v", body, out, err)
		}
		if twice := again.AppendTo(nil); !bytes.Equal(out, twice) {
			t.Fatalf("%q came back as %q", out, twice)
		}
	})
}

func BenchmarkDeliberationAppendTo(b *testing.B) {
	v := sample()
	v.Answer = strings.Repeat("All work and no play. ", 27) // 600 B
	for len(v.Ballots) < 5 {
		v.Ballots = append(v.Ballots, v.Ballots[0])
	}
	dst := make([]byte, 0, 8<<10)
	b.ReportAllocs()
	for b.Loop() {
		dst = v.AppendTo(dst[:0])
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkDeliberationDecode(b *testing.B) {
	body := sample().AppendTo(nil)
	b.ReportAllocs()
	var v Deliberation
	for b.Loop() {
		if err := v.Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}
