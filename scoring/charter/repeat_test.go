package charter

import (
	"slices"
	"strings"
	"testing"
)

// sameHeld fails unless the rules hold what they would if every pattern had been
// tried at every word.
func sameHeld(t *testing.T, s *Scorer, text string, in scope) {
	t.Helper()
	got, want := newScratch(s.table), newScratch(s.table)
	for _, w := range []*scratch{got, want} {
		w.folded.fold(text)
		w.tokenise(s.table, in)
	}
	got.matchRules(s.table, in)
	for i := range want.tokens {
		want.matchAt(s.table, in, i, s.table.anchored[want.tokens[i].word])
	}
	for k := range want.held {
		g, w := &got.held[k], &want.held[k]
		if g.different != w.different || g.n != w.n || g.spans != w.spans {
			t.Errorf("%.80q of %d bytes: %s holds %v, want %v", text, len(text), s.table.rules[k].ID, g.spans[:g.n], w.spans[:w.n])
		}
	}
	if !slices.Equal(got.spans, want.spans) {
		t.Errorf("%.80q of %d bytes: items %v, want %v", text, len(text), got.spans, want.spans)
	}
}

// Words said over and over hide nothing, whatever stands before, among and behind
// them.
func TestRepeatedWordsHideNothing(t *testing.T) {
	s := New()
	for _, tt := range []struct{ name, unit, end string }{
		{"the anchor of a pattern, whose last word comes at the end", "kill ", "yourself"},
		{"a phrase that is found at the end", "avoid getting ", "avoid getting caught"},
		{"matches that were undone, until the last", "women are scum myth. ", "women are scum"},
		{"matches that nothing undoes", "women are scum. ", "kill yourself"},
		{"words of no rule", "zqx ", "Cover your tracks."},
		{"one sentence after the other", "It is. ", "Cover your tracks."},
		{"announcements of what is not there", "password is ", "password is x7$Tq9!bLw2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, n := range []int{repeatEvery, 3*repeatEvery - 1, 2000} {
				whole := strings.Repeat(tt.unit, n)
				for _, text := range []string{whole + tt.end, whole + tt.end + " " + whole, tt.end + " " + whole + "\n\n" + tt.end} {
					sameHeld(t, s, text, inReply)
				}
				got := newScratch(s.table)
				got.folded.fold(whole + tt.end)
				got.tokenise(s.table, inReply)
				got.matchRules(s.table, inReply)
				if len(got.touched) == 0 && len(got.spans) == 0 {
					t.Errorf("nothing found after %d times %q", n, tt.unit)
				}
			}
		})
	}
}

func TestRepeated(t *testing.T) {
	const i = 2 * repeatEvery
	for _, tt := range []struct {
		name        string
		word        func(k int) wordID
		stops       func(k int) bool // a sentence ends before k
		quiet, want int
	}{
		{"one word, to as far before the end as its match may run", func(int) wordID { return 5 }, nil, 0, 2*i - matchReach},
		{"three words by turns", func(k int) wordID { return wordID(k % 3) }, nil, 0, 2*i - matchReach},
		{"a unit that is too long", func(k int) wordID { return wordID(k % (longestUnit + 1)) }, nil, 0, i},
		{"another word ahead, within the reach of a match", func(k int) wordID { return one(k == i+matchReach) }, nil, 0, i},
		{"another word ahead, out of reach", func(k int) wordID { return one(k == i+matchReach+1) }, nil, 0, i + 1},
		{"another word behind, within the reach of a match", func(k int) wordID { return one(k == i-matchReach) }, nil, 0, i},
		{"another word behind, out of the reach of both", func(k int) wordID { return one(k == i-matchReach-2) }, nil, 0, 2*i - matchReach},
		{"something came of the word before", func(int) wordID { return 5 }, nil, i, i},
		{"something came of the word before that", func(int) wordID { return 5 }, nil, i - 1, 2*i - matchReach},
		{"sentences as long as the unit", func(int) wordID { return 5 }, func(k int) bool { return k%7 == 0 }, 0, 2*i - matchReach},
		{"a sentence ends ahead, where none did", func(int) wordID { return 5 }, func(k int) bool { return k == i+10 }, 0, i},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tokens := make([]token, 2*i)
			sentence := int32(0)
			for k := range tokens {
				if tt.stops != nil && tt.stops(k) {
					sentence++
				}
				tokens[k] = token{word: tt.word(k), sentence: sentence}
			}
			if got := repeated(tokens, i, tt.quiet); got != tt.want {
				t.Errorf("repeated from %d to %d, want %d", i, got, tt.want)
			}
		})
	}
}

func one(is bool) wordID {
	if is {
		return 1
	}
	return 0
}

// FuzzRepeated: whatever is said over and over, before and after whatever else,
// the rules hold what they would if every word were looked at.
func FuzzRepeated(f *testing.F) {
	for _, h := range hostileUnits {
		if len(h.unit) < 40 {
			f.Add("", h.unit, "Cover your tracks.")
			f.Add("women are scum.", h.unit, "women are scum")
		}
	}
	f.Add("It is a myth.", "women are ", "scum")
	s := New()
	f.Fuzz(func(t *testing.T, before, unit, after string) {
		if len(before)+len(after) > 4<<10 || len(unit) > 400 {
			return
		}
		whole := strings.Repeat(unit, 4000/(len(unit)+1))
		sameHeld(t, s, before+whole+after, inReply)
		sameHeld(t, s, before+whole+after+whole, inPrompt)
	})
}
