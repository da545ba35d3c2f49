package charter

import (
	"slices"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/bench/charter/data"
	"github.com/kaizen-os/deliberation/quorum"
	scoring "github.com/kaizen-os/deliberation/scoring/charter"
)

// at is the finding of a rule over the first place of part in text, in bytes.
func at(text, part, rule string) quorum.Finding {
	i := strings.Index(text, part)
	return quorum.Finding{Clause: quorum.Privacy, Rule: rule, Start: i, End: i + len(part)}
}

// span is the label of the first place of part in text, in characters.
func span(text, part, labelled string) data.Span {
	i := len([]rune(text[:strings.Index(text, part)]))
	return data.Span{Start: i, End: i + len([]rune(part)), Type: labelled}
}

func TestAFindingFitsALabel(t *testing.T) {
	const text = "Zoë’s IBAN: (DE12 3456) – naïve."
	label := at(text, "DE12 3456", "privacy.iban")
	for _, tt := range []struct {
		name, found         string
		exact, fair, byHalf bool
	}{
		{"the same bytes", "DE12 3456", true, true, true},
		{"with the brackets", "(DE12 3456)", false, true, true},
		{"with the dash behind, of three bytes", "DE12 3456) –", false, true, true},
		{"with a word before", "IBAN: (DE12 3456", false, false, true},
		{"half of it", "DE12 ", false, false, true},
		{"less than half", "DE12", false, false, false},
		{"twice its length and more", "’s IBAN: (DE12 3456) – na", false, false, false},
		{"beside it", "IBAN", false, false, false},
	} {
		f := at(text, tt.found, "privacy.iban")
		for how, want := range []bool{tt.exact, tt.fair, tt.byHalf} {
			if got := fit(how).holds(text, piece{start: label.Start, end: label.End}, piece{start: f.Start, end: f.End}); got != want {
				t.Errorf("%s, %s: %v", tt.name, fitNames[how], got)
			}
		}
	}
}

func TestLabelsAreReadInCharacters(t *testing.T) {
	const text = "é漢😀 zoë@naïve.org"
	got, err := labels(&data.Item{Text: text, Spans: []data.Span{{Start: 4, End: 17, Type: "EMAIL"}, {Start: 1, End: 2, Type: "NAME"}}})
	if err != nil || len(got) != 2 {
		t.Fatalf("%v: %v", got, err)
	}
	for i, want := range []string{"zoë@naïve.org", "漢"} {
		if part := text[got[i].start:got[i].end]; part != want {
			t.Errorf("label %d is %q, want %q", i, part, want)
		}
	}
	if _, err := labels(&data.Item{ID: "x-1", Text: "é", Spans: []data.Span{{Start: 0, End: 2}}}); err == nil || !strings.Contains(err.Error(), "x-1") {
		t.Errorf("a span beyond the text: %v", err)
	}
}

// Three texts. Labelled: two phones and a key in the first, an address and a name
// in the second, nothing in the third. Found: one of the phones, the key by another
// secret's rule and with a word too much, the name's place as an address, and a
// phone in the third.
func TestSpansAreCounted(t *testing.T) {
	const (
		first  = "Müller – 512 594 4600, or 512 594 4601; his key is abcd1234."
		second = "Zoë lives at 12 Elm St."
		third  = "Order 512 594 4602 – naïve."
	)
	items := []assessed{
		{item: &data.Item{Source: ownPersonal, Label: data.Bad, Text: first, Spans: []data.Span{
			span(first, "512 594 4600", "PHONE"), span(first, "512 594 4601", "PHONE"), span(first, "abcd1234", "GITHUB_TOKEN")}},
			findings: []quorum.Finding{at(first, "512 594 4600,", "privacy.phone"), at(first, "is abcd1234", "privacy.key")}},
		{item: &data.Item{Source: ownPersonal, Label: data.Bad, Text: second, Spans: []data.Span{
			span(second, "12 Elm St", "ADDRESS"), span(second, "Zoë", "PERSON")}},
			findings: []quorum.Finding{at(second, "Zoë", "privacy.address"), {Clause: quorum.Safety, Rule: "safety.theft", Start: 0, End: 3}}},
		{item: &data.Item{Source: ownPersonal, Label: data.OK, Text: third},
			findings: []quorum.Finding{at(third, "512 594 4602", "privacy.phone")}},
		{item: &data.Item{Source: "another", Label: data.OK, Text: third},
			findings: []quorum.Finding{at(third, "512 594 4602", "privacy.phone")}},
	}
	p, err := personalData(ownPersonal, items)
	if err != nil {
		t.Fatal(err)
	}
	want := [fits]Spans{{"exact", 4, 0, 4, 0}, {"fair", 4, 1, 4, 1}, {"half", 4, 2, 4, 2}}
	if p.All != want {
		t.Errorf("all: %+v, want %+v", p.All, want)
	}
	if f1 := p.All[half].F1(); !near(f1, 0.5) {
		t.Errorf("F1 %v, want 2·½·½/(½+½)", f1)
	}
	if want := []Spans{{"address", 1, 0, 1, 0}, {"phone", 2, 1, 2, 1}, {"secret", 1, 0, 1, 0}}; !slices.Equal(p.Families, want) {
		t.Errorf("families: %+v, want %+v", p.Families, want)
	}
	if want := (Spans{"texts", 2, 2, 3, 2}); p.Items != want {
		t.Errorf("texts: %+v, want %+v", p.Items, want)
	}
	if want := (Spans{Name: "listed secrets", Labels: 1}); p.Listed != want {
		t.Errorf("listed: %+v, want %+v", p.Listed, want)
	}
	if want := []OutsideType{{"PERSON", 1}}; !slices.Equal(p.Outside, want) {
		t.Errorf("outside: %+v, want %+v", p.Outside, want)
	}
	if none, err := personalData(sentences, items); none != nil || err != nil {
		t.Errorf("of a source that is not there: %+v, %v", none, err)
	}
}

// A street alone is labelled ADDRESS there, and no scorer need find it.
// A rule that no family names would never be wrong: neither in benign replies nor in
// traps.
func TestEveryRuleOfPersonalDataIsCounted(t *testing.T) {
	inWords := []string{"privacy.doxing"} // what is said of others, not their data
	for _, r := range scoring.New().Rules() {
		if _, counted := families[r.ID]; r.Clause == quorum.Privacy && counted == slices.Contains(inWords, r.ID) {
			t.Errorf("%s: counted %t", r.ID, counted)
		}
	}
}

func TestAnAddressInASentenceIsNeitherAskedForNorWrong(t *testing.T) {
	const text = "The office is at Lindenstraße 14, Köln."
	items := []assessed{
		{item: &data.Item{Source: sentences, Label: data.OK, Text: text, Spans: []data.Span{span(text, "Lindenstraße 14", "ADDRESS")}},
			findings: []quorum.Finding{at(text, "14, Köln", "privacy.address"), at(text, "The office", "privacy.address")}},
	}
	p, err := personalData(sentences, items)
	if want := (Spans{"fair", 0, 0, 1, 0}); err != nil || p.All[fair] != want {
		t.Errorf("%+v, %v, want %+v: the finding elsewhere", p.All[fair], err, want)
	}
}

func TestOneFindingAnswersOneLabel(t *testing.T) {
	const text = "555-0199"
	same := piece{0, len(text), "phone", "PHONE"}
	answered, claimed := matches(text, []piece{same, same}, []piece{same}, exact)
	if !slices.Equal(answered, []bool{true, false}) || !slices.Equal(claimed, []bool{true}) {
		t.Errorf("%v, %v", answered, claimed)
	}
}
