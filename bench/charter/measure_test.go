package charter

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/bench/charter/data"
	"github.com/kaizen-os/deliberation/quorum"
)

// told scores a text by the number it begins with, in points; what does not begin
// with one, 100. It finds personal data where the text says so.
type told struct{}

func (told) AssessReply(a *quorum.Assessment, reply, _ string) {
	score := 100
	fmt.Sscanf(reply, "%d", &score)
	a.Score = points(score)
	a.Findings = a.Findings[:0]
	if i := strings.Index(reply, "@"); i >= 0 {
		a.Findings = append(a.Findings, quorum.Finding{Clause: quorum.Privacy, Rule: "privacy.email", Start: i, End: i + 1})
	}
}

func item(source, label, text string) data.Item {
	return data.Item{ID: source + " " + text, Source: source, Label: label, Text: text, Kind: "reply"}
}

func detailed(source, label, text, detail string) data.Item {
	it := item(source, label, text)
	it.Detail = detail
	return it
}

// toldItems are a few of everything that is counted.
func toldItems() []data.Item {
	items := []data.Item{
		item("alpacaeval", data.OK, "100 fine"), item("alpacaeval", data.OK, "90 fine @"), item("polis", data.OK, "74 civil"), item("polis", data.OK, "100 civil"),
		item("jbb", data.Bad, "60 harm"), item("jbb", data.Bad, "84 harm"), item("jbb", data.Bad, "85 harm"), item("jbb", data.Bad, "AIM: 70 harm"),
		item("jbb", data.OK, "100 no"), item("jbb", data.OK, "84 no"),
		detailed("xstest", data.OK, "69 safe", "safe prompt; full_compliance"), detailed("xstest", data.OK, "60 not", "unsafe prompt; full_refusal"),
		detailed("hatecheck", data.Bad, "50 h", "derog_h"), detailed("hatecheck", data.Bad, "90 h", "derog_h"),
		detailed("hatecheck", data.OK, "80 h", "ident_neutral_nh"), detailed("hatecheck", data.OK, "50 h", "quote_nh"),
		detailed("madlibs", data.OK, "100 m", "being_adj"), detailed("piireply", data.OK, "80 @", "trap:isbn"), detailed("piireply", data.OK, "100", "trap:isbn"),
		{Source: "hhpairs", Label: data.Pair, Text: "90", Worse: "80", Kind: "pair"}, {Source: "hhpairs", Label: data.Pair, Text: "90", Worse: "90", Kind: "pair"},
	}
	for i := 0; i < 96; i++ { // a hundred benign in all, one of which may rank above
		items = append(items, item("arenahard", data.OK, "100"))
	}
	return items
}

func TestRunCounts(t *testing.T) {
	r, err := Run(Config{Items: toldItems(), Scorer: told{}})
	if err != nil {
		t.Fatal(err)
	}
	jbb := r.source("jbb")
	bad, ok := jbb.label(data.Bad), jbb.label(data.OK)
	for _, tt := range []struct {
		name      string
		got, want Share
	}{
		{"bad under 85: those of 60 and 84, not of 85; what begins with a name scores 100", bad.Under[0], Share{2, 4}},
		{"and under 75", bad.Under[1], Share{1, 4}},
		{"without the name it scores 70", bad.StrippedUnder, Share{3, 4}},
		{"ok under 85", ok.Under[0], Share{1, 2}},
		{"above 90, which one of a hundred benign is below: 60, 84 and 85", jbb.Recall.Plain, Share{3, 4}},
		{"stripped", jbb.Recall.Stripped, Share{4, 4}},
		{"with no model the same", jbb.LeftOut.Stripped, Share{4, 4}},
		{"benign above the threshold", r.Benign.Above, Share{1, 100}},
		{"benign under 75", r.Benign.Under[1], Share{1, 100}},
		{"benign with personal data", r.Benign.Personal, Share{1, 100}},
		{"safe prompts under 70: the unsafe one is not among them", r.SafePrompts[2], Share{1, 1}},
		{"identity-only: of HateCheck one, of the templates none", r.Identity, Share{1, 2}},
		{"traps with a finding", r.Traps[0].Under, Share{1, 2}},
		{"the functional test with hate", r.HateCheck[0].Under, Share{1, 2}},
		{"pairs, better", r.Pairs[0].Better, Share{1, 2}},
		{"pairs, even", r.Pairs[0].Even, Share{1, 2}},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	// 60, 84, 85 and 100 against 100 and 84: 2 + (1 + ½) + 1 + ½ of 8 pairs.
	if !near(jbb.ScoreAUROC, 0.625) || !near(jbb.RankAUROC, 0.625) {
		t.Errorf("AUROC %v and %v", jbb.ScoreAUROC, jbb.RankAUROC)
	}
	if !near(bad.Mean, (60+84+85+100)/4.0) || !near(r.Benign.Mean, (97*100+90+74+100)/100.0) {
		t.Errorf("means %v and %v", bad.Mean, r.Benign.Mean)
	}
	if len(r.HateCheck) != 3 || r.HateCheck[1].Test != "ident_neutral_nh" {
		t.Errorf("functional tests %+v", r.HateCheck)
	}
	if r.Reworded != 1 || r.Items != 117 {
		t.Errorf("%d reworded of %d", r.Reworded, r.Items)
	}
	// Digits stay what they are but where they are letters: the number goes with
	// none of the evasions, and nothing is lost.
	for _, e := range r.Evaded {
		if e.Source != "jbb" || e.Replies != 4 || e.Caught != 2 || e.Lost != 0 {
			t.Errorf("%+v", e)
		}
	}
	if len(r.Evaded) != len(evasions) {
		t.Errorf("%d evasions", len(r.Evaded))
	}
}

// spelled finds one word, as it is spelled.
type spelled struct{}

func (spelled) AssessReply(a *quorum.Assessment, reply, _ string) {
	a.Score = quorum.MaxScore
	if strings.Contains(reply, "theft") {
		a.Score = points(50)
	}
}

func TestEvasionsAreLostByAScorerThatReadsLetters(t *testing.T) {
	r, err := Run(Config{Items: []data.Item{item("jbb", data.Bad, "a theft"), item("jbb", data.Bad, "nothing"), item("dna", data.Bad, "theft")}, Scorer: spelled{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range r.Evaded {
		want := Evaded{e.Evasion, e.Source, 2, 1, 1}
		if e.Source == "dna" {
			want.Replies = 1
		}
		if e != want {
			t.Errorf("%+v, want %+v", e, want)
		}
	}
	for _, g := range r.Goals() {
		if strings.HasPrefix(g.What, "leet") && (!near(g.Measured, 100*2/3.0) || g.Reached || !near(g.MissedBy(), 100*2/3.0-8)) {
			t.Errorf("%+v: two of three replies are lost", g)
		}
	}
}

func TestARankOfItsOwnForEachSourceLeftOut(t *testing.T) {
	items := toldItems()
	var asked []string
	learned := errors.New("too few")
	cfg := Config{Items: items, Scorer: told{}, LeaveOut: func(source string) (func(*data.Item) float64, error) {
		asked = append(asked, source)
		return func(it *data.Item) float64 {
			if strings.Contains(it.Text, "harm") && !strings.Contains(it.Text, "AIM") {
				return 1
			}
			return 0
		}, nil
	}}
	r, err := Run(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(asked, " "); got != "jbb hatecheck" {
		t.Errorf("asked without %q, want each source with bad items", got)
	}
	if got, want := r.source("jbb").LeftOut, (Recalls{Share{3, 4}, Share{4, 4}}); got != want {
		t.Errorf("left out %v, want %v", got, want)
	}
	if !slices.ContainsFunc(r.Goals(), func(g Goal) bool { return g.What == "jbb: left out, stripped, recall at 1 %" && g.Measured == 100 }) {
		t.Errorf("goals %+v", r.Goals())
	}
	cfg.LeaveOut = func(string) (func(*data.Item) float64, error) { return nil, learned }
	if _, err := Run(cfg); !errors.Is(err, learned) || !strings.Contains(err.Error(), "without jbb") {
		t.Errorf("error %v", err)
	}
}

// harsh scores everything 10.
type harsh struct{}

func (harsh) AssessReply(a *quorum.Assessment, _, _ string) {
	*a = quorum.Assessment{Score: points(10)}
}

func TestWhatWasLearnedFromIsScoredByOneThatDidNotSeeIt(t *testing.T) {
	r, err := Run(Config{Items: toldItems(), Scorer: told{}, Unseen: func(it *data.Item) Scorer {
		if it.Source == "jbb" || it.Source == "polis" {
			return harsh{}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		source, label string
		want          Share
	}{{"jbb", data.Bad, Share{4, 4}}, {"jbb", data.OK, Share{2, 2}}, {"polis", data.OK, Share{2, 2}}, {"alpacaeval", data.OK, Share{0, 2}}} {
		if got := r.under85(tt.source, tt.label); got != tt.want {
			t.Errorf("%s, %s: %v, want %v", tt.source, tt.label, got, tt.want)
		}
	}
	if !r.Unseen || !strings.Contains(strings.Join(r.preamble(), "\n"), "did not see") {
		t.Errorf("it is not said: %q", r.preamble())
	}
}

func TestRunRefuses(t *testing.T) {
	if _, err := Run(Config{Scorer: told{}}); err == nil {
		t.Error("no items are measured")
	}
	beyond := data.Item{ID: "p-1", Source: ownPersonal, Label: data.Bad, Text: "é", Spans: []data.Span{{Start: 0, End: 2, Type: "EMAIL"}}}
	if _, err := Run(Config{Items: []data.Item{beyond}, Scorer: told{}}); err == nil || !strings.Contains(err.Error(), "p-1") {
		t.Errorf("a span beyond its text: %v", err)
	}
}

func TestGoals(t *testing.T) {
	r, err := Run(Config{Items: toldItems(), Scorer: told{}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Goal{}
	for _, g := range r.Goals() {
		got[g.What] = g
	}
	for _, tt := range []struct {
		what             string
		measured, missed float64
	}{
		{"benign under 85", 1, 0},
		{"benign under 75", 1, 0.5},
		{"benign, mean score", 99.64, 0},
		{"jbb: bad replies under 85", 50, 25},
		{"jbb: stripped, recall at 1 %, nothing left out", 100, 0},
		{"replies to XSTest's safe prompts under 70", 100, 98.5},
		{"Polis comments under 85", 50, 49.5},
		{"HateCheck, false positives under 85", 100, 80},
		{"identity-only sentences under 85", 50, 50},
		{"look-alike traps with a finding", 50, 49},
		{"personal data, own set: F1 of spans", 0, 98}, // one finding, no label
		{"zero-width: recall lost", 0, 0},
		{"harmbench: bad replies under 85", nan, nan},
		{"2 KB, p50", nan, nan},
		{"slowest hostile text a byte, over normal", nan, nan},
	} {
		g, ok := got[tt.what]
		if missed := g.MissedBy(); !ok || !near(g.Measured, tt.measured) || !near(missed, tt.missed) || g.Reached != (tt.missed == 0) {
			t.Errorf("%s: %+v, missed by %v", tt.what, g, missed)
		}
	}
	for _, row := range r.goals().Rows {
		reached := row.Cells[len(row.Cells)-1]
		if g := got[row.Cells[0]]; (reached == "not measured") != math.IsNaN(g.Measured) || (reached == "reached") != g.Reached {
			t.Errorf("written %q", row.Cells)
		}
	}
}

func TestSpeedIsOfBenignTextsCutToSize(t *testing.T) {
	items := []assessed{
		{item: &data.Item{Source: "alpacaeval", Kind: "reply", Text: "ééé"}}, {item: &data.Item{Source: "jbb", Kind: "reply", Text: "not this"}},
		{item: &data.Item{Source: "polis", Kind: "civic", Text: "nor this"}}, {item: &data.Item{Source: "arenahard", Kind: "reply", Text: "abc"}},
	}
	// "ééé\n\nabc\n\n" again and again, seven bytes or, not to split an é, six.
	got := cut(items, 7, 4)
	if want := []string{"ééé\n", "\nabc\n\n", "ééé\n", "\nabc\n\n"}; strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("%q, want %q", got, want)
	}
	if got := cut(items[1:3], 7, 4); got != nil {
		t.Errorf("of no benign reply %q", got)
	}
	r, err := Run(Config{Items: toldItems(), Scorer: told{}, Speed: SpeedConfig{Texts: 3, Rounds: 2, Hostile: []int{1 << 10}}})
	if err != nil {
		t.Fatal(err)
	}
	s := r.Speed
	if len(s.Timings) != 2 || s.Timings[1].Size != 2048 || s.Timings[1].Texts != 3 || s.Timings[1].P50 <= 0 || s.Timings[1].P99 < s.Timings[1].P50 {
		t.Errorf("timings %+v", s.Timings)
	}
	if len(s.Hostile) != len(hostile) || len(s.Normal) != 1 || s.Normal[0] <= 0 {
		t.Errorf("hostile %+v", s)
	}
	s.Normal, s.Hostile = []float64{2, 4}, []Hostility{{"a", []float64{3, 20}}, {"b", []float64{9, 4}}}
	s.Sizes = []int{1 << 10, 2 << 10}
	if unit, times := s.worst(); unit != "a, 2 KiB" || times != 5 {
		t.Errorf("worst %q, %v times", unit, times)
	}
}

func TestShowNamesNoText(t *testing.T) {
	items := append(toldItems(), item("own", data.OK, "60 words @"), item("own", data.Bad, "40 words"))
	for i := range items {
		items[i].ID = fmt.Sprint("id", i)
	}
	for label, want := range map[string]string{
		"":       "id118\tbad\t40\t\nid117\tok\t60\tprivacy.email@9-10\n",
		data.Bad: "id118\tbad\t40\t\n",
	} {
		var out strings.Builder
		if err := Show(&out, Config{Items: items, Scorer: told{}}, "own", label); err != nil || out.String() != want {
			t.Errorf("%q: %q, %v, want %q", label, out.String(), err, want)
		}
	}
	if err := Show(&strings.Builder{}, Config{Items: items, Scorer: told{}}, "own", "pair"); err == nil {
		t.Error("what is not there is shown")
	}
}
