package answer

import (
	"strings"
	"testing"

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
	} {
		f.Add(s, "Paris\nLyon\n"+s)
	}
}

func FuzzExtract(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text, list string) {
		var options []string
		if list != "" {
			options = strings.Split(list, "\n")
		}
		for _, kind := range quorum.Kinds {
			reply := quorum.Reply{Text: text}
			a := Extract(kind, options, &reply)
			if b := Extract(kind, options, &reply); a != b {
				t.Fatalf("%v: %+v, then %+v", kind, a, b)
			}
			if (a.Key == "") != (a.Shown == "") && kind != quorum.VoteKind {
				t.Fatalf("%v: key %q, shown %q", kind, a.Key, a.Shown)
			}
			switch kind {
			case quorum.Choice:
				n := len(options)
				if n == 0 {
					n = letters
				}
				if len(a.Key) == 1 && n <= 26 && int(a.Key[0]-'A') >= n {
					t.Fatalf("option %q of %d", a.Key, n)
				}
			case quorum.VoteKind:
				if (a.Key != "") != (a.Stance == quorum.Approve || a.Stance == quorum.Reject) {
					t.Fatalf("stance %v with key %q", a.Stance, a.Key)
				}
			case quorum.Number:
				// A number's key read again is itself.
				if a.Key != "" && strings.Trim(a.Key, "-0123456789./e") == "" && len(a.Key) < 200 {
					if again := Extract(kind, nil, &quorum.Reply{Text: a.Key}); again.Key != a.Key {
						t.Fatalf("key %q reads as %q", a.Key, again.Key)
					}
				}
			case quorum.Auto, quorum.Text, quorum.Code:
				if a != (Answer{}) {
					t.Fatalf("%v has an answer: %+v", kind, a)
				}
			}
		}
	})
}

func FuzzPlain(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text, list string) {
		var options []string
		if list != "" {
			options = strings.Split(list, "\n")
		}
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
