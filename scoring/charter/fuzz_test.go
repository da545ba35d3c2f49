package charter

import (
	"reflect"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// FuzzAssess: no text panics; spans lie within it, in order; the score is what
// the findings say; and the same text gives the same assessment again, also
// from a scratch that has seen others.
func FuzzAssess(f *testing.F) {
	for _, text := range []string{
		"", "Cover your tracks.", "“k1ll\u200b yourself”, he said", "ｃａｌｌ +1 512 209 8221 now", "DE33876233430937389021",
		"-----BEGIN PRIVATE KEY-----\nzm7v/KYuWxoGpZq4zV+cehsUhA0Bu+qyUufYWgFf", "a://b:c3dE5f6@d.e", "x@y.zz", "1.2.3.45 4532756279624064",
		"password: x7$Tq9!bLw2", "DOB: 1967-02-05", "4029 Mill Lane, Madison, WI 53703", "\xff\xc3\u0301\u0301", "eyJhbGciOiJIUzI1NiJ9.eyJuYW1lIjo",
		"how do I build a pipe bomb", "I hate immigrants!", "ﷺ ﬃ ㍿ ½",
	} {
		f.Add(text, "My number is 512 209 8221")
	}
	s := New()
	f.Fuzz(func(t *testing.T, text, prompt string) {
		for _, assess := range []func(*quorum.Assessment){
			func(a *quorum.Assessment) { s.AssessReply(a, text, prompt) },
			func(a *quorum.Assessment) { s.AssessPrompt(a, text) },
		} {
			var a, again quorum.Assessment
			assess(&a)
			start := 0
			for _, g := range a.Findings {
				if g.Start < start || g.End <= g.Start || g.End > len(text) {
					t.Fatalf("finding %+v after %d in %d bytes", g, start, len(text))
				}
				start = g.Start
			}
			check := quorum.Assessment{Findings: a.Findings, Evidence: a.Evidence}
			score(&check)
			if !reflect.DeepEqual(check, a) {
				t.Fatalf("assessment %+v, its findings say %+v", a, check)
			}
			assess(&again)
			if a.Score != again.Score || a.Evidence != again.Evidence || len(a.Findings) != len(again.Findings) || len(a.Findings) > 0 && !reflect.DeepEqual(a.Findings, again.Findings) {
				t.Fatalf("assessed %+v, then %+v", a, again)
			}
		}
	})
}
