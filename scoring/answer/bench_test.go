package answer

import (
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

const reasoning = "First we work out what is given. There are 16 boxes in the warehouse and each of them holds 24 bottles, so that " +
	"together they hold 16 * 24 = 384 bottles. On Monday 60 bottles are sold, which leaves 384 - 60 = 324 of them. On Tuesday a third " +
	"of what is left is sold, that is 324 / 3 = 108 bottles, and 324 - 108 = 216 remain. Finally the remaining bottles are packed into " +
	"crates of 12 bottles each, and to know how many crates are needed we divide 216 by 12. Since 216 / 12 = 18 there are 18 full crates " +
	"and no bottle is left over at the end of the day."

var closedReplies = []struct {
	name    string
	kind    quorum.Kind
	options []string
	text    string
}{
	{"number", quorum.Number, nil, "```json\n{\n    \"reasoning\": \"" + reasoning + "\",\n    \"answer\": \"18\"\n}\n```"},
	{"short", quorum.Short, nil, "```json\n{\n    \"reasoning\": \"" + reasoning + "\",\n    \"answer\": \"[(4, 1), (4, 1), ('a', 2)]\"\n}\n```"},
	{"choice", quorum.Choice, nil, reasoning + " The answer is (C)."},
	{"choice/texts", quorum.Choice, []string{"12 crates", "16 crates", "18 crates", "24 crates"}, reasoning + " The answer is 18 crates."},
	{"vote", quorum.VoteKind, nil, reasoning + " Therefore, Output (a) is better."},
	{"json", quorum.JSON, nil, "{\"crates\": 18, \"steps\": [\"multiply\", \"subtract\", \"divide\"], \"note\": \"" + strings.ReplaceAll(reasoning, "\"", "'")[:480] + "\"}"},
}

func BenchmarkExtract(b *testing.B) {
	for _, c := range closedReplies {
		b.Run(c.name, func(b *testing.B) {
			reply := quorum.Reply{Text: c.text}
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				if a := Extract(c.kind, c.options, &reply); a.Key == "" {
					b.Fatal("no answer")
				}
			}
		})
	}
}

func BenchmarkPlain(b *testing.B) {
	text := closedReplies[0].text
	b.ReportAllocs()
	for b.Loop() {
		Plain(text, nil)
	}
}

// prose is about size bytes of text that differs with seed, as replies of several
// models to one question do.
func prose(size, seed int) string {
	sentences := []string{
		"The Treaty of Westphalia was signed in 1648 and ended the Thirty Years' War in Europe. ",
		"Historians regard the settlement as the beginning of the modern system of sovereign states. ",
		"It was negotiated over four years in the towns of Münster and Osnabrück by more than 100 delegations. ",
		"France and Sweden gained territory, while the Dutch Republic was recognised as independent. ",
		"The emperor lost much of his power, but he did not give up his claim to lead the empire. ",
		"About eight million people had died of fighting, hunger and disease since the war began in 1618. ",
		"Religious freedom was granted to Calvinists, although Anabaptists were still excluded from it. ",
		"Its principles still shape international law today, according to most political scientists. ",
		"Trade along the Rhine recovered slowly because tolls were kept by local princes until the 1800s. ",
		"Some scholars argue that the importance of the treaty has been greatly exaggerated by later writers. ",
	}
	var b strings.Builder
	for i := seed; b.Len() < size; i += 1 + seed%3 {
		b.WriteString(sentences[i%len(sentences)])
		if i%4 == seed%4 {
			b.WriteString([]string{"Sweden received Pomerania. ", "Alsace went to France. ", "The pope protested in vain. "}[i%3])
		}
	}
	return b.String()[:size]
}

func BenchmarkSimilarities(b *testing.B) {
	for _, c := range []struct {
		name    string
		n, size int
	}{{"replies=5/bytes=600", 5, 600}, {"replies=12/bytes=2000", 12, 2000}} {
		b.Run(c.name, func(b *testing.B) {
			var q Words
			q.Read("What did the Treaty of Westphalia change in Europe, and why does it matter?", nil)
			replies := make([]*Words, c.n)
			texts := make([]string, c.n)
			for i := range replies {
				replies[i] = new(Words)
				texts[i] = prose(c.size, i)
			}
			var dst []quorum.PPM
			b.ReportAllocs()
			for b.Loop() {
				for i, w := range replies {
					w.Read(texts[i], &q)
				}
				dst = Similarities(dst[:0], replies)
			}
			b.ReportMetric(float64(len(dst)), "pairs")
		})
	}
}
