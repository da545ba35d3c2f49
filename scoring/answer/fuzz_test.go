package answer

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kaizen-os/deliberation/quorum"
)

func seeds(f *testing.F) {
	for _, c := range closedReplies {
		f.Add(c.text, "")
	}
	for _, s := range []string{
		"", "42", "(B)", "\\boxed{\\frac{1}{2}}", "#### -1,234.5", `{"answer": "["a", 'b']"}`, `{"answer": {"b": [1, 2.50], "a": "\u0041"}}`,
		"{'a': (1,), 'b': set()}", "```python\n{1: 'x'}\n```", "answer is: **Option C: xz**", "Vote: I do not approve of (a).", "\xff\xc3\x28", "1e999999999",
		"2 1/2", "1/0", "99999999999999999999/3", "((((1)+2)*3)^64", "\\\"answer\\\": \\\"x\\\"", "Output (b) is worse than Output (a)",
		"No. 1 in the U.S.A. since 2017-07-14, not -5 °C but 1.5 million km", "J. K. Rowling's Röntgen’s ½", "answer: '", "\"answer\":",
		"The answer is (A), (C) and E.", "The answer is 5, no, 6. Wait, it is 7.", "<answer>x</answer>", "## Answer\n5", "#### 5\nmore", "\\boxed 5", "答案是B", "La respuesta es: 5",
		"(0)!", "!` `", "```\n0\n0```", "```\n$\n0```", "```\n{\n0```", "0A",
		"function: {\"answer\": \"\"}", "function: {\"answer\": \"'a', [1]\"}", "one hundred and five", "a dozen", "5 or 6", "3:2", "(1, 2)", "2E + 11", "$(1 + 2)$ km", "４２", "1 234 567",
		"May 12, 1990", "It's Paris, the capital of France", "{\"a\": 1}\n\nSee [1].", "\"approve\": false", "approve/reject: for", "\"answer\": {\"answer\": 1}, \"answer\": 2",
	} {
		f.Add(s, "Paris\nLyon\n"+s)
	}
}

func FuzzExtract(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text, list string) {
		options := optionsOf(list)
		for _, kind := range quorum.Kinds {
			reply := quorum.Reply{Text: text}
			a := Extract(kind, options, &reply)
			if b := Extract(kind, options, &reply); a != b {
				t.Fatalf("%v: %+v, then %+v", kind, a, b)
			}
			if (a.Key == "") != (a.Shown == "") && kind != quorum.VoteKind {
				t.Fatalf("%v: key %q, shown %q", kind, a.Key, a.Shown)
			}
			if !utf8.ValidString(a.Key) || !utf8.ValidString(a.Shown) {
				t.Fatalf("%v: key %q, shown %q: not UTF-8", kind, a.Key, a.Shown)
			}
			switch kind {
			case quorum.Choice:
				n := len(options)
				if n == 0 {
					n = letters
				}
				if a.Key != "" && (len(a.Key) != 1 || a.Key[0] < 'A' || int(a.Key[0]-'A') >= n) {
					t.Fatalf("option %q of %d", a.Key, n)
				}
			case quorum.VoteKind:
				if (a.Key != "") != (a.Stance == quorum.Approve || a.Stance == quorum.Reject) {
					t.Fatalf("stance %v with key %q", a.Stance, a.Key)
				}
			case quorum.Auto, quorum.Text, quorum.Code:
				if a != (Answer{}) {
					t.Fatalf("%v has an answer: %+v", kind, a)
				}
			}
			// What is shown has the same key when it is a reply itself: a value
			// that was told to a person can be put to the panel again. One that
			// states an answer within itself is not held to that, nor is a short one
			// that is longer than any is taken for that is not stated.
			var within statements
			within.find(a.Shown)
			long := kind == quorum.Short && len(a.Shown) > maxShort
			if a.Key != "" && within.n == 0 && !within.cut && !long {
				if again := Extract(kind, options, &quorum.Reply{Text: a.Shown}); again.Key != a.Key {
					t.Fatalf("%v: key %q is shown as %q, which reads as %q", kind, a.Key, a.Shown, again.Key)
				}
			}
		}
	})
}

// optionsOf are options as a request may have them: none, or 2 to 26, not blank
// and no two the same.
func optionsOf(list string) (options []string) {
	list = strings.ToValidUTF8(list, "?")
	for o := range strings.SplitSeq(list, "\n") {
		if strings.TrimSpace(o) != "" && !slices.Contains(options, o) && len(options) < 26 {
			options = append(options, o)
		}
	}
	if len(options) < 2 {
		return nil
	}
	return options
}

func FuzzPlain(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text, list string) {
		options := optionsOf(list)
		kind, ok := Plain(text, options)
		if ok != (kind == quorum.Choice || kind == quorum.Number || kind == quorum.Short) {
			t.Fatalf("%v, %v", kind, ok)
		}
		if kind == quorum.Choice && len(options) == 0 {
			t.Fatal("a choice without options")
		}
	})
}

func FuzzWords(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, one, other string) {
		var q, a, b Words
		q.Read(other[:len(other)/2], nil)
		a.Read(one, &q)
		b.Read(other, &q)
		s := Similarities(nil, []*Words{&a, &b, &q})
		if len(s) != 3 {
			t.Fatalf("%d similarities of 3 replies", len(s))
		}
		for _, v := range s {
			if v < Apart || v > quorum.One {
				t.Fatalf("similarity %d", v)
			}
		}
		if back := Similarities(nil, []*Words{&b, &a, &q}); back[0] != s[0] || back[1] != s[2] || back[2] != s[1] {
			t.Fatalf("%v, in another order %v", s, back)
		}
		for i, w := range a.list {
			if at := a.find(w.hash); at != i {
				t.Fatalf("word %d is found at %d", i, at)
			}
		}
	})
}
