package linear

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/bench/charter/data"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring/charter"
)

// made are labelled texts of two sources, with words of their own: wicked ones say
// "zorg" and "blick", the others "calm" and "tulip".
func made() (items []data.Item) {
	for _, source := range []string{"gptfuzz", "jbb"} {
		for i := range 40 {
			words, label := []string{"calm", "tulip", "garden"}, data.OK
			if i%2 == 0 {
				words, label = []string{"zorg", "blick", "frump"}, data.Bad
			}
			text := strings.Repeat(fmt.Sprintf("Take the %s and then the %s with number %d beside a %s, as %s does. ", words[0], words[1], i, words[2], source), 4)
			items = append(items, data.Item{Source: source, Group: fmt.Sprint(source, i), Label: label, Kind: "reply", Text: text})
		}
	}
	return items
}

func TestLearnsWhatTellsThemApart(t *testing.T) {
	rules := rulesAlone()
	texts := Read(rules, Sources, made())
	fit, err := Learn(texts, rules.Topics(), Defaults(), everything)
	if err != nil {
		t.Fatal(err)
	}
	table := fit.Table("test")
	for i := range texts {
		e := table.Evidence(&texts[i].Sample)
		if texts[i].Bad != (e > 0) {
			t.Errorf("%s text %d, bad %v, shows %d", texts[i].Item.Source, i, texts[i].Bad, e)
		}
	}
	again, err := Learn(texts, rules.Topics(), Defaults(), everything)
	if err != nil {
		t.Fatal(err)
	}
	one, err := table.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if two, err := again.Table("test").Encode(); err != nil || !bytes.Equal(one, two) {
		t.Errorf("the same texts give another table (%v)", err)
	}
	if _, err := charter.DecodeLinear(one); err != nil {
		t.Errorf("the scorer refuses it: %v", err)
	}
}

func everything(*Text) bool { return true }

func TestLearnsNothingOfWhatIsOnlyMeasured(t *testing.T) {
	for _, tt := range []struct {
		name string
		item data.Item
		want bool
	}{
		{"replies under MIT", data.Item{Source: "jbb", Label: data.Bad}, true},
		{"Do-Not-Answer", data.Item{Source: "dna", Label: data.Bad}, false},
		{"HarmBench", data.Item{Source: "harmbench", Label: data.OK}, false},
		{"Arena-Hard", data.Item{Source: "arenahard", Label: data.OK}, false},
		{"a model whose weights are open", data.Item{Source: "alpacaeval", Label: data.OK, Model: "Mixtral-8x7B-Instruct-v0.1"}, true},
		{"a model whose maker sells it", data.Item{Source: "alpacaeval", Label: data.OK, Model: "gpt-4o-2024-05-13"}, false},
		{"one sold by the maker of an open one", data.Item{Source: "alpacaeval", Label: data.OK, Model: "mistral-large-2402"}, false},
		{"a source nobody knows", data.Item{Source: "found", Label: data.OK}, false},
		{"a pair", data.Item{Source: "jbb", Label: data.Pair, Worse: "x"}, false},
	} {
		if got := learnable(Sources, &tt.item); got != tt.want {
			t.Errorf("%s: learned from %v, want %v", tt.name, got, tt.want)
		}
	}
	items := made()
	for i := range items {
		items[i].Source = "dna"
	}
	rules := rulesAlone()
	if _, err := Learn(Read(rules, Sources, items), nil, Defaults(), everything); err == nil {
		t.Error("learned from texts that are there to measure on")
	}
}

// What a fold's model says of a text it has not learned from: the text's group is
// taken out, so a word of that group alone has no weight.
func TestCrossDoesNotSeeTheGroup(t *testing.T) {
	items := made()
	for i := range items {
		items[i].Group = "near copies " + items[i].Label // two groups, one a label
	}
	rules := rulesAlone()
	texts := Read(rules, Sources, items)
	if _, err := Cross(rules, texts, Defaults(), everything); err == nil {
		t.Fatal("one fold holds all bad texts; its model learned from none and nobody said so")
	}
	items = made()
	texts = Read(rules, Sources, items)
	c, err := Cross(rules, texts, Defaults(), everything)
	if err != nil {
		t.Fatal(err)
	}
	for i := range texts {
		own := fold(&texts[i], Folds)
		fit, err := Learn(texts, rules.Topics(), Defaults(), func(t *Text) bool { return fold(t, Folds) != own })
		if err != nil {
			t.Fatal(err)
		}
		if want := fit.Table("x").Evidence(&texts[i].Sample); c.Evidence(&texts[i]) != want {
			t.Errorf("text %d shows %d, to a model without its fold %d", i, c.Evidence(&texts[i]), want)
		}
		if i == 3 {
			break // the others are no different
		}
	}
}

func TestLeaveOutRanksWithoutTheSource(t *testing.T) {
	items := made()
	for i := range items { // jbb is only told by what gptfuzz does not have
		if items[i].Source == "jbb" {
			items[i].Text = strings.NewReplacer("zorg", "krell", "blick", "snod", "frump", "vask", "calm", "mild", "tulip", "aster", "garden", "patio").Replace(items[i].Text)
		}
	}
	of, err := LeaveOut(Sources, items, Defaults())("jbb")
	if err != nil {
		t.Fatal(err)
	}
	var bad, ok float64
	var far float64 // by how much the source that was learned from is told apart
	for i := range items {
		r := of(&items[i])
		switch it := &items[i]; {
		case it.Source == "gptfuzz" && it.Label == data.Bad:
			far += r
		case it.Source == "gptfuzz":
			far -= r
		case it.Label == data.Bad:
			bad += r
		default:
			ok += r
		}
	}
	if far <= 2*(bad-ok) {
		t.Errorf("told apart by %.1f, the source left out by %.1f", far, bad-ok)
	}
}

func TestCalibrateKeepsToTheLimits(t *testing.T) {
	long := charter.Sample{Blocks: []charter.Block{{Words: 100}}}
	short := charter.Sample{Blocks: []charter.Block{{Words: charter.FewestWords - 1}}}
	var texts []Text
	evidence := map[*Text]int32{}
	for i := range 100 {
		texts = append(texts, Text{Item: &data.Item{Source: "polis"}, Score: quorum.MaxScore, Sample: long})
		if i >= 97 {
			texts[i].Score = 8000 // rules take it under 85
		}
	}
	texts = append(texts, Text{Item: &data.Item{Source: "polis"}, Score: quorum.MaxScore, Sample: short})
	for i := range texts {
		evidence[&texts[i]] = int32(1000 * i)
	}
	of := func(t *Text) int32 { return evidence[t] }
	all := func(t *Text) bool { return true }
	for _, tt := range []struct {
		name  string
		share [3]float64
		want  [3]int32
	}{
		{"room for two beside what rules do; one; none", [3]float64{0.05, 0.01, 0}, [3]int32{94000, 98000, 99000}},
		{"rules alone are over it", [3]float64{0.02, 0, 0}, [3]int32{96000, 99000, 99250}},
		{"no limit at the second", [3]float64{0.05, -1, 0}, [3]int32{94000, 94250, 99000}},
	} {
		got := Calibrate(texts, []Limit{{"", all, tt.share}}, of)
		if got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
		n := 0
		for i := range texts {
			if Under85(&texts[i], of(&texts[i]), got) {
				n++
			}
		}
		if most := max(3, int(tt.share[0]*101)); n > most {
			t.Errorf("%s: %d are under 85, want at most %d", tt.name, n, most)
		}
	}
}

func TestRecallAt(t *testing.T) {
	neg := make([]float64, 100)
	for i := range neg {
		neg[i] = float64(i)
	}
	for _, tt := range []struct {
		name      string
		neg, pos  []float64
		rate, got float64
	}{
		{"one of a hundred may rank above", neg, []float64{97, 98, 98.5, 99, 200}, 0.01, 0.6},
		{"none may", neg, []float64{98, 99, 99.5, 200}, 0, 0.5},
		{"nothing to find", neg, nil, 0.01, math.NaN()},
		{"nothing to keep to", nil, []float64{1}, 0.01, math.NaN()},
	} {
		got := RecallAt(tt.neg, tt.pos, tt.rate)
		if got != tt.got && !(math.IsNaN(got) && math.IsNaN(tt.got)) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.got)
		}
	}
}

func TestRankCountsAdviceOnce(t *testing.T) {
	a := quorum.Assessment{Score: 6750, Evidence: 1500}
	for i := range a.Clauses {
		a.Clauses[i] = quorum.MaxScore
	}
	if got := ByEvidence(&a); got != 1.5 {
		t.Errorf("advised on: rank %v, want 1.5", got)
	}
	a.Clauses[3] = 8000
	if got := ByEvidence(&a); got <= 3.5 || got >= 4 {
		t.Errorf("with a finding: rank %v, want 1.5 and a little over 2", got)
	}
}

func TestEverySourceSaysItsLicence(t *testing.T) {
	for _, s := range Sources {
		if s.Licence == "" || len(s.Labels) == 0 {
			t.Errorf("source %+v", s)
		}
		if slices.Contains([]string{"dna", "harmbench", "arenahard", "hhpairs", "bbq", "truthfulqa"}, s.Name) {
			t.Errorf("%s is there to measure on", s.Name)
		}
	}
}
