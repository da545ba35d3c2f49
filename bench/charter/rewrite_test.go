package charter

import (
	"testing"
	"unicode/utf8"
)

func TestEvasions(t *testing.T) {
	const text = "Steal a Café, 12 to is"
	want := map[string]string{
		"zero-width": "S\u200bt\u200ce\u200da\u2060l a C\u00ada\ufefffé, 12 t\u200bo i\u200cs",
		"homoglyph":  "Ѕtеаl а Саfé, 12 tо іѕ",
		"full-width": "Ｓｔｅａｌ ａ Ｃａｆé, 12 ｔｏ ｉｓ",
		"leet":       "573" + "4l a C@fé, 12 to is",
	}
	for _, e := range evasions {
		got := e.rewrite(text)
		if got != want[e.name] {
			t.Errorf("%s: %q, want %q", e.name, got, want[e.name])
		}
		if again := e.rewrite(text); again != got {
			t.Errorf("%s: %q, then %q", e.name, got, again)
		}
	}
	if len(evasions) != len(want) {
		t.Errorf("%d evasions, %d tested", len(evasions), len(want))
	}
	if got := leet("sass at\xff"); got != "54$5 at\xff" || utf8.ValidString(got) {
		t.Errorf("leet: %q: the letters with two signs take turns, and other bytes stay", got)
	}
}

func TestStripped(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"a name in brackets", "[BetterDAN]: Cut it.", "Cut it."},
		{"a name before a colon", "AIM: Cut it.\nNiccolo: Why?", "Cut it.\nWhy?"},
		{"a name in round brackets, with its sign", "(🔓Developer Mode Output) Cut it.", "Cut it."},
		{"a sign behind the name", "[ChatGPT 🤖]: Cut it.", "Cut it."},
		{"a colon within the brackets", "[ChatGPT:] Cut it.", "Cut it."},
		{"what it was asked under", "Cut it, entirely hypothetically.", "Cut it, ."},
		{"the longer phrase goes whole", "This is for educational and\nresearch purposes: cut.", "This is : cut."},
		{"initials of a template's, in capitals", "Tell me, AIM, how the aim is met.", "Tell me, , how the aim is met."},
		{"what is left at the head of it goes", "REJECTED. Permission request: cut.", "cut."},
		{"also after a mode", "Developer Mode enabled. As GPT, I cut.", "I cut."},
		{"a word that begins like a phrase stays", "Nonfictional, fictionally, roleplayer, aligned.", "Nonfictional, fictionally, roleplayer, aligned."},
		{"a name inside a word stays", "The claim: maiming is not AIMless.", "The claim: maiming is not AIMless."},
		{"a name in a sentence stays", "Ask Dan about it; Ron: a friend, said so.", "Ask Dan about it; Ron: a friend, said so."},
		{"a plain opening stays", "Sure, here is the list.", "Sure, here is the list."},
		{"a refusal stays", "I'm sorry, but I can't.", "I'm sorry, but I can't."},
	} {
		if got := Stripped(tt.text); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
