package answer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kaizen-os/deliberation/quorum"
)

func TestHedge(t *testing.T) {
	question := "Who won the 1987 chess championship of Ruritania?"
	for _, c := range []struct {
		text  string
		hedge bool
	}{
		{"I don't know.", true},
		{"I do not know who won it.", true},
		{"I’m not sure.", true},
		{"It cannot be determined from the information given.", true},
		{"That is unknown.", true},
		{"I'm sorry, but I couldn't find any information about the 1987 chess championship of Ruritania. Could you clarify the question?", true},
		{"As an AI language model, I do not have access to that information.", true},
		{"There is not enough information to answer.", true},
		{"Rudolf Rassendyll", false},
		{"I am not sure, but it was Rudolf Rassendyll.", false},
		{"As an AI language model, I do not have access to recent data. However, the championship was won by Rudolf Rassendyll.", false},
		{"The winner did not know it until the last round: Rudolf Rassendyll.", false},
		{"", false},
	} {
		var q, w Words
		q.Read(question, nil)
		w.Read(c.text, &q)
		if w.Hedge() != c.hedge {
			t.Errorf("%q: hedge %v, want %v", c.text, w.Hedge(), c.hedge)
		}
	}
}

func TestCount(t *testing.T) {
	var w Words
	for text, want := range map[string]int{
		"":                                   0,
		"one":                                1,
		"The cat, the dog - and 3.5 mice.":   7,
		"don't":                              1,
		"北京":                                 2,
		strings.Repeat("word ", 151):         151,
		strings.Repeat("word upon ", 40_000): 80_000,
	} {
		w.Read(text, nil)
		if w.Count() != want {
			t.Errorf("%.20q has %d words, want %d", text, w.Count(), want)
		}
	}
}

func TestReadAgainForgetsTheLast(t *testing.T) {
	var fresh, used Words
	used.Read(prose(50_000, 3)+" 17 Elephants 3,000 km. I don't know.", nil)
	used.Read("No, Paris is not the capital of 3 regions.", nil)
	fresh.Read("No, Paris is not the capital of 3 regions.", nil)
	if !slices.Equal(used.list, fresh.list) || used.count != fresh.count || used.lead != fresh.lead || used.Hedge() != fresh.Hedge() {
		t.Errorf("read again: %+v, fresh: %+v", used.list, fresh.list)
	}
}

func TestSimilaritiesInOrderOfRows(t *testing.T) {
	texts := []string{"Paris", "It is Lyon", "It is Paris", "Lyon"}
	got := similarities("", texts)
	want := []bool{false, true, false, false, true, false} // 01 02 03 12 13 23
	for i, s := range got {
		if (s >= threshold) != want[i] {
			t.Errorf("pair %d: %v", i, s)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d pairs, want %d", len(got), len(want))
	}
}

func similarities(question string, texts []string) []quorum.PPM {
	var q Words
	q.Read(question, nil)
	words := make([]*Words, len(texts))
	for i, text := range texts {
		words[i] = new(Words)
		words[i].Read(text, &q)
	}
	return Similarities(nil, words)
}

// The order of replies must not matter, whatever the panel.
func TestSimilaritiesInAnyOrder(t *testing.T) {
	texts := []string{
		"Bono", "Paul Hewson is Bono of U2.", "He is known as The Edge.", "I don't know", "No.", "Yes, it is Bono", "",
		prose(600, 1), prose(900, 2), "NYC has 8.4 million people.", "New York City has 8,400,000 people.", "It is not Bono.", "5 km", "5 miles",
	}
	n := len(texts)
	at := func(s []quorum.PPM, i, j int) quorum.PPM {
		if i > j {
			i, j = j, i
		}
		return s[i*n-i*(i+1)/2+j-i-1]
	}
	base := similarities("How is Paul Hewson known?", texts)
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		order := random.Perm(n)
		shuffled := make([]string, n)
		for i, k := range order {
			shuffled[i] = texts[k]
		}
		s := similarities("How is Paul Hewson known?", shuffled)
		for i := range n {
			for j := range i {
				if got, want := at(s, i, j), at(base, order[i], order[j]); got != want {
					t.Fatalf("%q and %q: %v in one order, %v in another", shuffled[i], shuffled[j], got, want)
				}
			}
		}
	}
}

func TestSimilaritiesOfNoPanel(t *testing.T) {
	if s := Similarities(nil, nil); len(s) != 0 {
		t.Errorf("no replies: %v", s)
	}
	if s := Similarities(nil, []*Words{new(Words)}); len(s) != 0 {
		t.Errorf("one reply: %v", s)
	}
	if s := Similarities([]quorum.PPM{7}, []*Words{new(Words), new(Words)}); len(s) != 2 || s[0] != 7 || s[1] != 0 {
		t.Errorf("two that were never read: %v", s)
	}
}

func TestIdenticalTextsAreTheSame(t *testing.T) {
	for _, text := range []string{"Paris", "No.", "It is not so.", prose(3000, 1), "7", "Yes", "It is."} {
		if s := likenessOf("", text, text); s != quorum.One {
			t.Errorf("%.30q against itself: %v", text, s)
		}
	}
}

// A cluster must not join what contradicts, not even through a third text.
func TestContradictionsStayApartInAPanel(t *testing.T) {
	texts := []string{
		"The drug is effective.", "The drug is not effective.", "Effective", "It is not effective at all.",
	}
	s := similarities("Is the drug effective?", texts)
	if s[0] != Apart || s[2] != Apart {
		t.Errorf("got %v", s)
	}
}

func TestLn(t *testing.T) {
	for n, want := range map[uint32]uint32{1: 0, 2: 693, 3: 1098, 10: 2302, 64: 4158, 1000: 6907, 65535: 11090} {
		if got := ln1000(n); got != want {
			t.Errorf("ln1000(%d) = %d, want %d", n, got, want)
		}
	}
	for n := uint32(1); n < 5000; n++ {
		if ln1000(n+1) < ln1000(n) {
			t.Fatalf("ln1000 falls at %d", n)
		}
	}
}

func TestAllocations(t *testing.T) {
	var q Words
	q.Read("What did the Treaty of Westphalia change?", nil)
	words := make([]*Words, 12)
	texts := make([]string, len(words))
	for i := range words {
		words[i], texts[i] = new(Words), prose(2000, i)
	}
	dst := make([]quorum.PPM, 0, 66)
	panel := func() {
		for i, w := range words {
			w.Read(texts[i], &q)
		}
		dst = Similarities(dst[:0], words)
	}
	panel()
	if n := testing.AllocsPerRun(20, panel); n != 0 {
		t.Errorf("a panel of texts: %v allocations, want none", n)
	}
	for _, c := range closedReplies {
		most := 3.0
		if c.kind == quorum.JSON {
			most = 4
		}
		reply := quorum.Reply{Text: c.text}
		if n := testing.AllocsPerRun(20, func() { Extract(c.kind, c.options, &reply) }); n > most {
			t.Errorf("%s: %v allocations, want at most %v", c.name, n, most)
		}
	}
}

// hostile are texts made to be slow: a megabyte of what opens something and never
// closes it.
func hostile() map[string]string {
	const size = hostileSize
	out := map[string]string{}
	for _, unit := range []string{
		"\"answer\": \"", "answer is ", "\\boxed{", "####", "[", "{\"a\":", "(", "1,", "-", "\\frac", "9", "(A) ", "No. ", "\"", "\\\"", "'", "```",
		"answer answer ", "{", "1/", "I don't know. ", "Paris is not Lyon 5 km ", "\xff", "中", "é", "\\", "answer: [\"", "\"answer\": [[[[", ",", "Output (a) ", "U.S.",
		"not ", "a", "aA ", "assert == ", "\"a\":1,",
		"<answer>", "respuesta es ", "答案是", "## Answer\n", "The answer is (A).\n", "The answer is 5. Wait, no, ", "(A) and ", "one hundred ", "5 or ", "**", "` ", "vote: approve/", "$", "$1$",
		"`[1]`", "World War I ", "\u00a0", "“no”", "\"answer\": {", "{\"answer\": 1}, ", "answer would be if ", "to answer ", "May 12, 1990 ", "\\text{", "1:2", "1 234 ", "is is ",
	} {
		out[unit] = strings.Repeat(unit, size/len(unit))
	}
	return out
}

func TestMegabytes(t *testing.T) {
	kinds := []quorum.Kind{quorum.Choice, quorum.Number, quorum.Short, quorum.JSON, quorum.VoteKind}
	options := []string{"Paris", "Lyon", "a", "(A) (A)"}
	for unit, text := range hostile() {
		for _, kind := range kinds {
			if !linear(text, func(text string) {
				Extract(kind, options, &quorum.Reply{Text: text})
			}) {
				t.Errorf("%v of %q repeated takes more than linear work", kind, unit)
			}
		}
		if !linear(text, func(text string) { Plain(text, options) }) {
			t.Errorf("whether %q repeated is plain takes more than linear work", unit)
		}
		if !linear(text, func(text string) {
			var q, a, b Words
			q.Read(text, nil)
			a.Read(text, &q)
			b.Read(text, nil)
			Similarities(nil, []*Words{&a, &b, &q})
		}) {
			t.Errorf("comparing %q repeated takes more than linear work", unit)
		}
	}
}

// linear reports whether do takes about 64 times as long for text as for a
// sixty-fourth of it: not 4,096 times. How fast the machine is does not matter, and
// what it does beside would have to fall on all of the tries with the whole text.
func linear(text string, do func(text string)) bool {
	return linearBy(text, func(text string) time.Duration {
		start := time.Now()
		do(text)
		return time.Since(start)
	})
}

func linearBy(text string, took func(text string) time.Duration) bool {
	part := text[:len(text)/64]
	whole, little := took(text), took(part)
	for range 30 {
		if whole < 640*max(little, 10*time.Microsecond) {
			return true
		}
		whole, little = min(whole, took(text)), max(little, took(part))
	}
	return false
}

func TestLinearBy(t *testing.T) {
	text := strings.Repeat("a", 1<<20)
	for _, c := range []struct {
		name string
		took func(text string) time.Duration
		want bool
	}{
		{"linear", func(s string) time.Duration { return time.Duration(len(s)) }, true},
		{"linear on a slow machine", func(s string) time.Duration { return 1000 * time.Duration(len(s)) }, true},
		{"a quick answer", func(string) time.Duration { return 1 }, true},
		{"quadratic", func(s string) time.Duration { return time.Duration(len(s) * len(s) / 1000) }, false},
	} {
		if got := linearBy(text, c.took); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// What stem does by arithmetic and what it does by branches must be the same.
func TestStem(t *testing.T) {
	for word, want := range map[string]string{
		"cats": "cat", "gas": "gas", "glass": "glass", "this": "this", "tries": "try", "tried": "try", "ties": "tie", "boxes": "box",
		"watches": "watch", "makes": "mak", "making": "mak", "made": "mad", "stopped": "stop", "falling": "fall", "agreed": "agr",
		"thing": "thing", "things": "thing", "settings": "set", "quickly": "quick", "fly": "fly", "red": "red", "seed": "seed", "used": "used",
	} {
		if got := string(stem([]byte(word))); got != want {
			t.Errorf("stem(%q) = %q, want %q", word, got, want)
		}
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		word := make([]byte, 1+random.IntN(9))
		for i := range word {
			word[i] = "esdinglyxzhcaio"[random.IntN(15)]
		}
		got := string(stem(slices.Clone(word)))
		want := string(word)
		if len(word) > 3 {
			want = string(stemRare(slices.Clone(word)))
		}
		if got != want {
			t.Fatalf("stem(%q) = %q, by branches %q", word, got, want)
		}
	}
}

// The hash of a word must not depend on what was in its buffer before.
func TestHashOfWordAlone(t *testing.T) {
	for n := range longest + 1 {
		var clean, used foldedWord
		for i := range used {
			used[i] = 'x'
		}
		for i := range n {
			clean[i], used[i] = byte('a'+i%26), byte('a'+i%26)
		}
		if clean.hash(n) != used.hash(n) || hashBytes(clean[:n]) != clean.hash(n) {
			t.Errorf("%d letters: %x, %x in a used buffer, %x as bytes", n, clean.hash(n), used.hash(n), hashBytes(clean[:n]))
		}
	}
}
