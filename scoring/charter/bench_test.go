package charter

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// plainReply is ordinary prose as a companion writes it, with lists, numbers,
// and words that rules look at; nothing in it costs anything.
const plainReply = `A loop reads a file line by line and keeps a running total. Here is how it works.

1. Open the file and check the error. If the file does not exist, tell the user which name was tried, since a message without the name is hard to act on.
2. Create a scanner over it. By default it takes lines of up to 64 KB; for longer ones set a larger buffer before the first call.
3. For each line, split it at the comma, trim the spaces and parse the second field. A line that does not parse is counted and skipped.

You could also read the whole file at once, but with 250 MB of input that would take more memory than you need. In practice the time is spent in the parser, so measure before you change anything: on a laptop from 2019 this handles about 1.2 million lines a second.

Some people prefer to collect the values first and add them at the end. That is fine for small inputs, and it lets you sort or filter them, find the largest, or draw a chart. Keep in mind that floating point sums depend on the order in which they are taken; when the order must not matter, use integers and a fixed number of decimal places.
`

func replyOf(size int) string { return strings.Repeat(plainReply, size/len(plainReply)+1)[:size] }

func BenchmarkAssessReply(b *testing.B) {
	s := New()
	curly := strings.NewReplacer("'", "\u2019", ", ", " \u2014 ", "e", "\u00e9")
	for _, bb := range []struct {
		name, text string
	}{
		{"size=600", replyOf(600)},
		{"size=2048", replyOf(2048)},
		{"size=16384", replyOf(16384)},
		{"size=2048/accents", curly.Replace(replyOf(2048))[:2048]},
	} {
		b.Run(bb.name, func(b *testing.B) {
			var a quorum.Assessment
			b.SetBytes(int64(len(bb.text)))
			b.ReportAllocs()
			for b.Loop() {
				s.AssessReply(&a, bb.text, "")
			}
			if a.Score != quorum.MaxScore {
				b.Fatalf("score %s: %v", a.Score, a.Findings)
			}
		})
	}
	b.Run("size=2048/rules", func(b *testing.B) { // without the linear model
		rules, err := NewWith(nil)
		if err != nil {
			b.Fatal(err)
		}
		text := replyOf(2048)
		var a quorum.Assessment
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			rules.AssessReply(&a, text, "")
		}
	})
	b.Run("findings", func(b *testing.B) {
		text := replyOf(2048) + "\nPhone: 512-594-4600, mail petra.haddad@northgatemail.com. Cover your tracks."
		var a quorum.Assessment
		b.ReportAllocs()
		for b.Loop() {
			s.AssessReply(&a, text, "What is her number?")
		}
	})
}

// hostileUnits are repeated to make texts that are meant to be slow. The first is
// prose, which the others are held against.
var hostileUnits = []struct{ name, unit string }{
	{"prose", plainReply}, {"combining", "\u0301"}, {"zerowidth", "\u200b"}, {"digits", "1"}, {"numbers", "1 "}, {"cards", "4111 "}, {"phones", "2125550 "},
	{"table", "12.50, 7, 300; 19 4111 0.5\n"}, {"at", "@"}, {"addresses", "a@"}, {"chains", "a.b@c.de@f.gh;"}, {"dots", "a.b."}, {"schemes", "a://b:"}, {"keys", "eyJ."},
	{"prefixes", "sk- ghp_ xoxb- AKIA hf_ "}, {"pem", "-----BEGIN PRIVATE KEY-----"}, {"base64", "zm7v/KYuWxoGpZq4zV+cehsUhA0Bu+qyUufY"}, {"hex", "30b29ac30b39cefd "},
	{"letters", "a"}, {"accents", "\u00e9"}, {"mixed", "e\u0301a\u200bx\u00e9"}, {"anchors", "kill "}, {"phrases", "how to make "}, {"caught", "avoid getting caught "}, {"invalid", "\xff"},
	{"leet", "k1ll "}, {"strokes", "1x1l1i1 "}, {"signs", "a$@!"}, {"announced", "password is: "}, {"born", "date of birth "}, {"righttoleft", "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 "},
	{"scripts", "\u0448\u0430abc\u4f60\u597d\ud55c\u0e01 "}, {"han", "\u4f60\u597d\u4e16\u754c"}, {"symbols", "\u2603\u2192"}, {"ligatures", "\ufb03\u00bd"}, {"binary", string(noise())},
	{"sentences", "women. they are scum. "}, {"asked", "isn't it not "}, {"undone", "women are scum myth "},
	{"items", "petra.haddad@northgatemail.com 512-594-4600, 4532756279624064 563-21-3271\n"},
	{"apart", "k i l l  "}, {"row", "s c u m "},
}

// noise is what no text is: every byte, in no order.
func noise() []byte {
	b := make([]byte, 4096)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// BenchmarkHostile shows the cost per byte where texts are made to be slow; it
// should stay within twice that of prose.
func BenchmarkHostile(b *testing.B) {
	s := New()
	const size = 1 << 20
	for _, bb := range hostileUnits {
		text := strings.Repeat(bb.unit, size/len(bb.unit))
		b.Run(bb.name, func(b *testing.B) {
			var a quorum.Assessment
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				s.AssessReply(&a, text, "")
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		New()
	}
}
