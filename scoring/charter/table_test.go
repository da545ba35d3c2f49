package charter

import (
	"errors"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

const smallTable = `version t
set common the to
set negation not isn't
set verdict wrong
set fruit apple+ pear+
rhetoric ^ isn't it
misspelt apple orange
fact refusal
match i refuse
fact complies
match but here
fact steps least 2
each first|1 second then
`

func TestTableRefusesWhatItCannotRead(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"an unknown word", "rull a.b 1 0.04", "unknown word"},
		{"a clause out of range", "rule a.b 8 0.04", "clause"},
		{"a severity off the ladder", "rule a.b 1 0.3", "ladder"},
		{"a severity that is no number", "rule a.b 1 high", "decimal"},
		{"too few words", "rule a.b 1", "rule wants"},
		{"an unknown option", "rule a.b 1 0.04 sometimes", "option"},
		{"an option without its number", "rule a.b 1 0.04 most", "without a number"},
		{"a number out of range", "rule a.b 1 0.04 most 99", "is not 1 to"},
		{"a rule twice", "rule a.b 1 0.04\nwhy x\nrule a.b 1 0.04", "second rule"},
		{"a rule without a reason", "rule a.b 1 0.04\nmatch x", "why"},
		{"an unknown set", "rule a.b 1 0.04\nmatch @veg", "no set"},
		{"an unknown fact", "rule a.b 1 0.04\nwhy x\nneeds weather", "no fact"},
		{"a fact that asks for a later one", "fact a\nmatch x\nneeds b\nfact b\nmatch y", "not before it"},
		{"a gap at the front", "rule a.b 1 0.04\nmatch ~2 x", "gap"},
		{"a gap at the end", "rule a.b 1 0.04\nmatch x ~2", "gap"},
		{"too long a span", "rule a.b 1 0.04\nmatch x ~40 y ~40 z", "pattern of"},
		{"an upper case word", "rule a.b 1 0.04\nmatch Apple", "lower case"},
		{"an empty alternative", "rule a.b 1 0.04\nmatch a||b", "empty word"},
		{"^ within", "rule a.b 1 0.04\nmatch a ^ b", "front"},
		{"/ within", "rule a.b 1 0.04\nmatch a /1 b", "front"},
		{"/ over too many sentences", "rule a.b 1 0.04\nmatch /9 a b", "front, or not"},
		{"/ without a number", "rule a.b 1 0.04\nmatch /x a b", "front, or not"},
		{"rhetoric that excuses nothing", "rhetoric why on earth", "negation or verdict"},
		{"rhetoric of an unknown set", "rhetoric not @veg", "no set"},
		{"a misspelt word in upper case", "misspelt Apple", "lower case"},
		{"a set without words", "set empty", "without words"},
		{"a line of one word", "needs", "without anything"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseTable(smallTable + tt.line)
			if !errors.Is(err, ErrTable) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	for name, text := range map[string]string{
		"without a version": strings.Replace(smallTable, "version t", "", 1),
		"without refusal":   strings.Replace(smallTable, "refusal", "refused", 1),
		"before any rule":   "version t\nmatch x",
	} {
		if _, err := parseTable(text); !errors.Is(err, ErrTable) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestPatterns(t *testing.T) {
	for _, tt := range []struct{ name, rule, text string }{
		{"words in a row", "match eat the apple", "You eat the apple."},
		{"case and possessives", "match apple", "The Apple's core"},
		{"endings", "match pick+ @fruit", "picking pears"},
		{"a gap of up to two", "match eat ~2 apple", "eat a red apple"},
		{"no gap where two may be", "match eat ~2 apple", "eat apple"},
		{"a number", "match # apple", "12 apples or 1 apple"},
		{"the opening of a sentence", "match ^ eat", "Stop. Eat it."},
		{"two gaps, the first found too early", "match eat ~2 apple ~1 now", "eat apple apple pie now"},
		{"across a soft line break", "match eat apple", "eat\napple"},
		{"over the end of a sentence", "match /1 eat ~3 apple", "Eat. An apple."},
		{"over two ends", "match /2 eat ~3 apple", "Eat. Now! An apple."},
		{"the opening of a sentence, and over its end", "match /1 ^ eat ~3 apple", "Stop. Eat. An apple."},
		{"the end before the rarest word", "match /1 eat ~3 apple now", "Eat. An apple now."},
		{"a negation that is only asked", "match apple", "Isn't it an apple?"},
		{"a word without an inner vowel", "match orange", "An ornge a day."},
		{"a word with two letters changed about", "match apple", "An appel a day."},
		{"letters spelled apart", "match apple", "An a p p l e a day."},
		{"letters with signs between", "match apple", "an A-P-P-L-E"},
		{"an article before letters spelled apart", "match an|a ~1 pear+", "This is a p e a r."},
		{"what follows letters spelled apart", "match apple pie", "a p p l e pie"},
		{"two words spelled apart", "match apple ~2 pear+", "a p p l e, p e a r"},
		{"two of a list", "each apple+ pear+\nmatch plum", "apples and a plum"},
		{"a fact that holds", "match apple\nneeds steps", "First an apple, then rest."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !holdsIn(t, tt.rule, tt.text) {
				t.Errorf("%q does not hold in %q", tt.rule, tt.text)
			}
		})
	}
	for _, tt := range []struct{ name, rule, text string }{
		{"a gap too wide", "match eat ~2 apple", "eat a big red apple"},
		{"another order", "match eat apple", "apple eat"},
		{"across sentences", "match eat ~3 apple", "Eat. An apple."},
		{"over more ends than it may", "match /1 eat ~3 apple", "Eat. Now! An apple."},
		{"over more ends, the rarest word in the middle", "match /1 eat ~3 orange ~3 the", "Eat. An orange. The end."},
		{"negated in the first of its sentences", "match /1 eat ~3 apple", "Not to eat. An apple."},
		{"undone in the last of its sentences", "match /1 eat ~3 apple\nunless red", "Eat. An apple, red and round."},
		{"a negation that is no question", "match apple", "There isn't it or an apple."},
		{"a word without its first letter", "match apple", "A pple a day."},
		{"a misspelling that is a word of the table", "match apple\nunless appel", "An appel a day."},
		{"a word not listed as misspelt", "match banana", "A bannaa a day."},
		{"two letters apart", "match ab", "a b"},
		{"letters apart by more than one sign", "match apple", "a  p  p  l  e"},
		{"letters of two sentences", "match apple", "a p p. l e"},
		{"not the opening", "match ^ eat", "Do eat it."},
		{"negated before", "match apple", "It is not an apple."},
		{"condemned after", "match apple", "An apple is wrong."},
		{"undone in its sentence", "match apple\nunless red", "A red and round apple."},
		{"a fact that does not hold", "match apple\nneeds steps", "First an apple."},
		{"a fact that must not hold", "match apple\nabsent steps", "First an apple, then rest."},
		{"in a refusal", "match apple", "I refuse. An apple."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if holdsIn(t, tt.rule, tt.text) {
				t.Errorf("%q holds in %q", tt.rule, tt.text)
			}
		})
	}
}

func TestLeastCountsDifferentPatterns(t *testing.T) {
	const rule = "rule t.t 1 0.04 least 2\nwhy x\neach apple+ pear+"
	tab, err := parseTable(smallTable + rule)
	if err != nil {
		t.Fatal(err)
	}
	s := newScorer(tab)
	for text, want := range map[string]bool{"apple, apples, apple": false, "apples and pears": true} {
		var a quorum.Assessment
		s.AssessReply(&a, text, "")
		if got := len(a.Findings) == 1; got != want {
			t.Errorf("%q: found = %v, want %v", text, got, want)
		}
	}
}

func TestAlwaysHoldsInARefusal(t *testing.T) {
	if !holdsIn(t, "match apple", "I refuse. Not an apple.", "always") {
		t.Error("an always rule is undone by a refusal")
	}
}

func holdsIn(t *testing.T, body, text string, options ...string) bool {
	t.Helper()
	tab, err := parseTable(smallTable + "rule t.t 1 0.04 " + strings.Join(options, " ") + "\nwhy x\n" + body)
	if err != nil {
		t.Fatal(err)
	}
	var a quorum.Assessment
	newScorer(tab).AssessReply(&a, text, "")
	return has(&a, "t.t")
}
