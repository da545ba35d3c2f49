package charter

import (
	"reflect"
	"strings"
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
	for _, text := range plainlyPersonal {
		f.Add(text[0], text[0])
	}
	for _, text := range oddTexts {
		f.Add(text, text)
	}
	for _, h := range hostileUnits {
		f.Add(strings.Repeat(h.unit, 1+64/len(h.unit)), h.unit)
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

// FuzzStream: however a reply is cut, what has come of it scores as the whole.
func FuzzStream(f *testing.F) {
	for _, text := range oddTexts {
		f.Add(text, uint8(1), uint8(3))
	}
	s := New()
	f.Fuzz(func(t *testing.T, text string, first, then uint8) {
		st := s.Stream("")
		var got, want quorum.Assessment
		at := 0
		for n := int(first); ; n = int(then) + 1 {
			n = min(n, len(text)-at)
			st.Write(text[at : at+n])
			if at += n; at == len(text) {
				break
			}
		}
		st.Assess(&got)
		s.AssessReply(&want, text, "")
		same(t, text, &got, &want)
		st.Write("Cover your tracks.")
		st.Assess(&got)
		s.AssessReply(&want, text+"Cover your tracks.", "")
		same(t, text, &got, &want)
	})
}

// FuzzRedact: what is redacted holds nothing that would be, and is not changed
// again; what is not is what it was.
func FuzzRedact(f *testing.F) {
	for _, text := range plainlyPersonal {
		f.Add(text[0])
		f.Add(text[0] + text[0])
	}
	f.Add("password password: [password]x7$Tq9!bLw2")
	f.Add("postgres://a:[email]@db.redcedar.net")
	f.Add("4532756279624064 4532756279624064 563-21-3271-512-594-4600")
	s := New()
	r := s.Redactor()
	f.Fuzz(func(t *testing.T, text string) {
		redacted := r.String(text)
		if again := r.String(redacted); again != redacted {
			t.Fatalf("%q becomes %q, and then %q", text, redacted, again)
		}
		if appended := string(r.Append(nil, text)); appended != redacted {
			t.Fatalf("%q is appended as %q, but becomes %q", text, appended, redacted)
		}
		var a quorum.Assessment
		s.AssessReply(&a, redacted, "")
		for _, g := range a.Findings {
			if s.table.rules[s.ruleOf(g.Rule)].detector != "" {
				t.Fatalf("%q becomes %q, in which %s is found", text, redacted, g.Rule)
			}
		}
	})
}

func (s *Scorer) ruleOf(id string) int {
	for k := range s.table.rules {
		if s.table.rules[k].ID == id {
			return k
		}
	}
	panic("no rule " + id)
}
