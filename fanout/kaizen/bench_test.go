package kaizen

import (
	"strings"
	"testing"
	"time"

	"github.com/kaizen-os/deliberation/quorum"
)

func BenchmarkDecodeReply(b *testing.B) {
	body := []byte(`{"response":"` + strings.Repeat("The answer is forty-two.\\n ", 18) + `","stance":"approve","confidence":0.9,` +
		`"rationale":"It follows from the question.","model":"sim-1","usage":{"inputTokens":31,"outputTokens":120}}`)
	var r quorum.Reply
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := DecodeReply(body, &r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendRequest(b *testing.B) {
	d := &quorum.Deliberation{ID: "dlb_01K0000000000000000000000", Prompt: strings.Repeat("What is six times seven? ", 20),
		Tier: quorum.Standard, Chamber: "thought-broker", Cycle: "C-114", Options: []string{"41", "42"}}
	var body []byte
	b.ReportAllocs()
	for b.Loop() {
		body = AppendRequest(body[:0], d, time.Second)
	}
}
