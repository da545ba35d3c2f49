package grade

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kaizen-os/deliberation/quorum"
)

func TestGrade(t *testing.T) {
	capitals := []string{"Paris", "Rome", "Bern"}
	for _, tt := range []struct {
		name    string
		kind    quorum.Kind
		options []string
		truth   []string
		reply   string
		want    Outcome
	}{
		{"a choice by its letter", quorum.Choice, capitals, []string{"B"}, "The answer is (B).", Right},
		{"a letter in lower case", quorum.Choice, capitals, []string{"b"}, "The answer is (B).", Right},
		{"a letter as options are labelled", quorum.Choice, capitals, []string{"(B)"}, "Rome", Right},
		{"a choice by its text", quorum.Choice, capitals, []string{"rome"}, "The answer is (B).", Right},
		{"a choice by letter and text", quorum.Choice, capitals, []string{"B. Rome"}, "The answer is (B).", Right},
		{"options that bring their labels", quorum.Choice, []string{"A) Paris", "B) Rome"}, []string{"B) Rome"}, "The answer is B", Right},
		{"another choice", quorum.Choice, capitals, []string{"Rome"}, "The answer is (C).", Wrong},
		{"one of several choices", quorum.Choice, capitals, []string{"Rome", "C"}, "The answer is (C).", Right},
		{"options that stand in the prompt", quorum.Choice, nil, []string{"J"}, "The answer is J.", Right},
		{"an option whose text is another's letter", quorum.Choice, []string{"B", "A"}, []string{"A"}, "The answer is A.", Right},
		{"no choice at all", quorum.Choice, capitals, []string{"B"}, "Capitals are overrated.", Wrong},

		{"a number", quorum.Number, nil, []string{"391"}, "17 * 23 = 391", Right},
		{"a number with its separators", quorum.Number, nil, []string{"1,234.50"}, "The answer is $1234.5", Right},
		{"a fraction", quorum.Number, nil, []string{"1/2"}, "The answer is 0.5", Right},
		{"a number in words", quorum.Number, nil, []string{"seven"}, "The answer is 7.", Right},
		{"an expression", quorum.Number, nil, []string{`3\sqrt{2}`}, `\boxed{3\sqrt{2}}`, Right},
		{"another number", quorum.Number, nil, []string{"391"}, "17 * 23 = 390", Wrong},
		{"the last of several numbers", quorum.Number, nil, []string{"6"}, "First 2, then 3, so the answer is 6.", Right},

		{"a name in another case", quorum.Short, nil, []string{"Marie Curie"}, "The answer is marie curie.", Right},
		{"a string with quotes, said without", quorum.Short, nil, []string{"'ABC'"}, "The answer is ABC", Right},
		{"a string without quotes, said with", quorum.Short, nil, []string{"ABC"}, `{"answer": "'ABC'"}`, Right},
		{"a string in another case, of a program", quorum.Short, nil, []string{"'ABC'"}, "The function gives 'abc'. The answer is 'abc'", Wrong},
		{"a list with other white space", quorum.Short, nil, []string{"[1, 2]"}, "The answer is [1,2]", Right},
		{"a name after talk of a function", quorum.Short, nil, []string{"Fourier"}, "He wrote every function as a sum. The answer is Fourier", Right},
		{"another name", quorum.Short, nil, []string{"Marie Curie", "Curie"}, "The answer is Lise Meitner.", Wrong},

		{"a document with other spaces and order", quorum.JSON, nil, []string{`{"a":1,"b":[true,null]}`}, `{"b": [true, null], "a": 1}`, Right},
		{"another document", quorum.JSON, nil, []string{`{"a":1}`}, `{"a": 2}`, Wrong},
		{"a bare list", quorum.JSON, nil, []string{"[1, 2]"}, "```json\n[1,2]\n```", Right},

		{"a motion approved", quorum.VoteKind, nil, []string{"Approve"}, "I approve the motion.", Right},
		{"a motion rejected", quorum.VoteKind, nil, []string{"approve"}, "I reject the motion.", Wrong},

		{"a text in other words", quorum.Text, nil, []string{"Neil Armstrong"}, "The first person to walk there was Neil Armstrong, in July 1969.", Right},
		{"a surname alone", quorum.Text, nil, []string{"Neil Armstrong"}, "That was Armstrong.", Right},
		{"one of many spellings", quorum.Text, nil, []string{"Zhonghua Renmin Gongheguo", "China", "PRC"}, "It is the P.R.C.", Right},
		{"accents and case left out", quorum.Text, nil, []string{"Beyoncé"}, "BEYONCE sang it.", Right},
		{"a number in words or figures", quorum.Text, nil, []string{"12"}, "There were twelve apostles.", Right},
		{"thousands with a comma", quorum.Text, nil, []string{"10000"}, "About 10,000 of them.", Right},
		{"a day that is counted", quorum.Text, nil, []string{"December 1, 2017"}, "It came out on December 1st, 2017.", Right},
		{"an hour without a space", quorum.Text, nil, []string{"around 10:30am"}, "They start at 10:30 am.", Right},
		{"a year and its footnote", quorum.Text, nil, []string{"March 6, 2018"}, "The book was published on March 6, 20181.", Right},
		{"a number that begins as a year does", quorum.Text, nil, []string{"2018"}, "There were 20181 of them.", Wrong},
		{"a name and its footnote", quorum.Text, nil, []string{"Ada Lovelace"}, "It was written by Ada Lovelace1.", Right},
		{"a name that sticks to the word before", quorum.Text, nil, []string{"Ada Lovelace"}, "It was written byAda Lovelace.", Right},
		{"a capital within a name", quorum.Text, nil, []string{"mcdonald"}, "It was McDonald.", Right},
		{"letters and figures", quorum.Text, nil, []string{"H2O"}, "It is h2o.", Right},
		{"another year", quorum.Text, nil, []string{"July 1969"}, "In July 1959.", Wrong},
		{"another name in its place", quorum.Text, nil, []string{"Neil Armstrong"}, "It was Yuri Gagarin.", Wrong},
		{"a place that it is not in", quorum.Text, nil, []string{"Lyon"}, "It is not in Lyon but in Paris.", Wrong},
		{"a name among others", quorum.Text, nil, []string{"Lyon"}, "It is not only Lyon.", Right},
		{"a language that is another with a sign", quorum.Text, nil, []string{"C++"}, "It was written in C.", Wrong},
		{"signs that belong to a name", quorum.Text, nil, []string{"C++"}, "It was written in C++.", Right},
		{"a blood type", quorum.Text, nil, []string{"A+"}, "The most common one is A+.", Right},
		{"a name that is denied", quorum.Text, nil, []string{"Lyon"}, "It is not Lyon, but Paris.", Wrong},
		{"a sign that is no word", quorum.Text, nil, []string{"\U0001F5FD"}, "You mean the \U0001F5FD?", Right},
		{"a sign that stands in every text", quorum.Text, nil, []string{"*"}, "It is **multiplication**.", Wrong},
		{"the sign alone", quorum.Text, nil, []string{"*"}, " * ", Right},
		{"nobody knows", quorum.Text, nil, []string{"Neil Armstrong"}, "I don't know.", Unseen},

		{"nothing", quorum.Number, nil, []string{"1"}, "", Unseen},
		{"white space", quorum.Text, nil, []string{"one"}, " \n\t", Unseen},
	} {
		truth, err := New(tt.kind, tt.options, "Which is it?", tt.truth)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := truth.Grade(&quorum.Reply{Text: tt.reply}); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
		if got := truth.Grade(&quorum.Reply{Text: tt.reply, Outcome: quorum.Late}); got != Unseen {
			t.Errorf("%s, but late: %d", tt.name, got)
		}
	}
}

func TestAnAbstentionIsNotSeen(t *testing.T) {
	for _, tt := range []struct {
		kind  quorum.Kind
		truth string
	}{{quorum.VoteKind, "approve"}, {quorum.Text, "Paris"}} {
		truth, err := New(tt.kind, nil, "?", []string{tt.truth})
		if err != nil {
			t.Fatal(err)
		}
		if got := truth.Grade(&quorum.Reply{Text: "I stand aside: approve, Paris.", Stance: quorum.Abstain}); got != Unseen {
			t.Errorf("%s: %d", tt.kind, got)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		kind    quorum.Kind
		options []string
		truth   []string
		want    string
	}{
		{"no truth", quorum.Number, nil, nil, "not labelled"},
		{"a blank truth", quorum.Text, nil, []string{"canary", " "}, "accepted answer 2 is blank"},
		{"a letter beyond the options", quorum.Choice, []string{"x", "y"}, []string{"C"}, "letter of no option"},
		{"a letter beyond J", quorum.Choice, nil, []string{"K"}, "letter of no option"},
		{"a text that is no option", quorum.Choice, []string{"Paris", "Rome"}, []string{"canary"}, "none of the options"},
		{"letter and text that differ", quorum.Choice, []string{"Paris", "Rome"}, []string{"A. Rome"}, "none of the options"},
		{"a sentence about an option", quorum.Choice, []string{"Paris", "Rome"}, []string{"I believe that it is Rome"}, "none of the options"},
		{"a text without options", quorum.Choice, nil, []string{"canary"}, "none of the options"},
		{"all options", quorum.Choice, []string{"Paris", "Rome"}, []string{"A", "Rome"}, "every option"},
		{"a word for a number", quorum.Number, nil, []string{"canary"}, "is no number"},
		{"a sentence with a number", quorum.Number, nil, []string{"first 42 and then 7 canaries, I believe"}, "is no number"},
		{"the second of two", quorum.Number, nil, []string{"42", "canary"}, "accepted answer 2"},
		{"an evasion for a short answer", quorum.Short, nil, []string{"unknown"}, "is no short answer"},
		{"an essay for a short answer", quorum.Short, nil, []string{strings.Repeat("canary ", 60)}, "is no short answer"},
		{"a document that does not end", quorum.JSON, nil, []string{`{"a":`}, "is no JSON document"},
		{"words for a document", quorum.JSON, nil, []string{"canary"}, "is no JSON document"},
		{"a third stance", quorum.VoteKind, nil, []string{"abstain"}, "neither approve nor reject"},
		{"a word for a vote", quorum.VoteKind, nil, []string{"yes"}, "neither approve nor reject"},
		{"both stances", quorum.VoteKind, nil, []string{"approve", "reject"}, "alike"},
		{"an essay for a text", quorum.Text, nil, []string{strings.Repeat("canary ", 33)}, "open text cannot be graded"},
		{"code", quorum.Code, nil, []string{"return canary"}, "code cannot be graded"},
		{"no kind", quorum.Auto, nil, []string{"canary"}, "state the kind"},
	} {
		_, err := New(tt.kind, tt.options, "canary?", tt.truth)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error tells what is true: %v", tt.name, err)
		}
	}
}

func TestContradictions(t *testing.T) {
	order, other := []string{"Paris", "Rome"}, []string{"Rome", "Paris"}
	for _, tt := range []struct {
		name               string
		kind               quorum.Kind
		options, again     []string
		truth, second      []string
		contradicts, equal bool
	}{
		{"the same number written otherwise", quorum.Number, nil, nil, []string{"0.5"}, []string{"1/2"}, false, true},
		{"another number", quorum.Number, nil, nil, []string{"1"}, []string{"2"}, true, false},
		{"one answer in common", quorum.Short, nil, nil, []string{"a", "b"}, []string{"b", "c"}, false, false},
		{"the options in another order", quorum.Choice, order, other, []string{"A"}, []string{"B"}, false, true},
		{"the same letter of another order", quorum.Choice, order, other, []string{"A"}, []string{"A"}, true, false},
		{"a text in another case", quorum.Text, nil, nil, []string{"The Moon"}, []string{"moon"}, false, true},
		{"another text", quorum.Text, nil, nil, []string{"moon"}, []string{"sun"}, true, false},
		{"a text more", quorum.Text, nil, nil, []string{"moon", "luna"}, []string{"moon"}, false, false},
		{"opposite votes", quorum.VoteKind, nil, nil, []string{"approve"}, []string{"reject"}, true, false},
	} {
		a, err := New(tt.kind, tt.options, "?", tt.truth)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		b, err := New(tt.kind, tt.again, "?", tt.second)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if a.Contradicts(b) != tt.contradicts || b.Contradicts(a) != tt.contradicts || a.Equal(b) != tt.equal || b.Equal(a) != tt.equal {
			t.Errorf("%s: contradicts %t and %t, equal %t and %t", tt.name, a.Contradicts(b), b.Contradicts(a), a.Equal(b), b.Equal(a))
		}
	}
}

// A reply that is nothing but an accepted answer is right, whatever the kind.
func TestATruthIsRight(t *testing.T) {
	for _, tt := range []struct {
		kind  quorum.Kind
		truth string
	}{
		{quorum.Choice, "C"}, {quorum.Number, "42"}, {quorum.Number, "-3/4"}, {quorum.Number, "1e6"}, {quorum.Number, "25%"}, {quorum.Short, "'abc'"}, {quorum.Short, "[1, 2]"},
		{quorum.Short, "True"}, {quorum.Short, "{'a': [1]}"}, {quorum.JSON, `{"a":"b"}`}, {quorum.JSON, "[]"}, {quorum.VoteKind, "reject"}, {quorum.Text, "the Eiffel Tower"}, {quorum.Text, "a"},
	} {
		truth, err := New(tt.kind, nil, "Which?", []string{tt.truth})
		if err != nil {
			t.Errorf("%s %s: %v", tt.kind, tt.truth, err)
			continue
		}
		if got := truth.Grade(&quorum.Reply{Text: tt.truth}); got != Right {
			t.Errorf("%s %s is %d of itself", tt.kind, tt.truth, got)
		}
	}
}

// A megabyte of one word, held against 512 answers that begin with it.
func TestGradingIsBounded(t *testing.T) {
	var accepted []string
	for i := range 512 {
		accepted = append(accepted, strings.Repeat("lo ", 30)+fmt.Sprint(i))
	}
	truth, err := New(quorum.Text, nil, "?", accepted)
	if err != nil {
		t.Fatal(err)
	}
	if got := truth.Grade(&quorum.Reply{Text: strings.Repeat("lo ", 350_000)}); got != Wrong {
		t.Errorf("%d", got)
	}
}

func FuzzGrade(f *testing.F) {
	for _, s := range []string{"B", "42", "'abc'", "[1, 2]", "approve", `{"a":1}`, "Neil Armstrong", "P.R.C.", "\xff", "a a a", `3\sqrt{2}`, "\U0001F5FD"} {
		f.Add(s, "The answer is "+s)
	}
	options := []string{"Paris", "Rome", "a"}
	f.Fuzz(func(t *testing.T, truth, reply string) {
		for _, kind := range quorum.Kinds {
			for _, list := range [][]string{nil, options} {
				made, err := New(kind, list, reply, []string{truth})
				if err != nil {
					if len(truth) > 12 && utf8.ValidString(truth) && strings.Contains(err.Error(), truth) {
						t.Fatalf("the error tells the truth: %v", err)
					}
					continue
				}
				made.Grade(&quorum.Reply{Text: reply})
				if made.Contradicts(made) || !made.Equal(made) {
					t.Fatalf("%s: %q contradicts itself", kind, truth)
				}
			}
		}
	})
}

// A run of single letters is put together to words of a few letters each: all of it
// as one would take time by the square of its length, a minute for 1 MB.
func TestARunOfLettersHasAnEnd(t *testing.T) {
	list := words(strings.Repeat("x ", 40), 1000)
	if len(list) != 3 || len(list[0]) != maxInitials || len(list[1]) != maxInitials || len(list[2]) != 40-2*maxInitials {
		t.Errorf("%q", list)
	}
	if list := words("J. R. R. Tolkien", 1000); !slices.Equal(list, []string{"jrr", "tolkien"}) {
		t.Errorf("%q", list)
	}
}
