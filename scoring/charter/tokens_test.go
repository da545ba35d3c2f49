package charter

import (
	"strings"
	"testing"
)

// wordsOf is the words of text as the rules see them: "?" for one that is in no
// rule, "#" for a number.
func wordsOf(t *table, text string) string {
	w := newScratch(t)
	w.folded.fold(text)
	w.tokenise(t, inReply)
	var words []string
	for _, tok := range w.tokens {
		switch tok.word {
		case unknownWord:
			words = append(words, "?")
		case numberWord:
			words = append(words, "#")
		default:
			words = append(words, t.vocabulary.words[tok.word])
		}
	}
	return strings.Join(words, " ")
}

func TestWordsAreReadThroughSigns(t *testing.T) {
	// Of its own, since words come into the rules and go.
	table, err := parseTable(`version 1
set negation not
set verdict illegal
fact refusal
match sorry
fact complies
match however
rule test.words 4 0.20
why Has the words of this test, and no others.
each kill it don't make a bomb install groups attack password access areas someone's family and us in`)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"plain", "Kill it, don't make a bomb!", "kill it don't make a bomb"},
		{"digits for letters", "k1ll it, d0n't m4k3 a b0mb", "kill it don't make a bomb"},
		{"1 for i and for l in one word", "k111 1nst411", "kill install"},
		{"signs inside, first, last and in a row", "gr0up$ @ttack p@$$word acce$$", "groups attack password access"},
		{"a sign behind a digit, and before one", "4cc35$ 4r3@5", "access areas"},
		{"a possessive", "som30ne's f4mily's", "someone's family"},
		{"amounts of money", "$5, 5$, $500 and US$50 in $", "# # # and us # in"},
		{"letters set apart", "k i l l   a   b o m b", "kill a bomb"},
		{"letters set apart by dots and dashes", "k.i.l.l a b-o-m-b", "kill a bomb"},
		{"a list of letters", "x y z", "?"},
		{"initials before a name", "J. K. Smith", "? ? ?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := wordsOf(table, tt.text); got != tt.want {
				t.Errorf("%q reads %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}
