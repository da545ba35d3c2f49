package charter

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// caseTexts are the texts of all rules' cases.
func caseTexts(t testing.TB) (texts []string) {
	t.Helper()
	files, err := filepath.Glob("../testdata/charter/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		all, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(all)) {
			if mark, text, _ := strings.Cut(strings.TrimSpace(line), " "); mark == "+" || mark == "-" {
				texts = append(texts, strings.ReplaceAll(text, "{}", ""))
			}
		}
	}
	if len(texts) == 0 {
		t.Fatal("no cases")
	}
	return texts
}

// oddTexts are such as break what reads in parts.
var oddTexts = []string{
	"", "é", "a\xff\xfe\xc3", "\xe2\x82", "\xf0\x9f\x98\x80 \xf0\x9f\x98", "“k\u200bi\u0301ll” yourself\u2026",
	"ｐetra.haddad＠northgatemail.com", "шаблон кіӏӏ 你好 한국 ﷺ ﬃ", "\u202eשלום\u202c مرحبا ٤٥٣٢", "\xed\xa0\x80 \xc0\xaf \xf8\x88\x80\x80\x80",
	"k i l l   y o u r s e l f", strings.Repeat("é\xffa𝐤", 50),
}

// same fails the test unless both assessments are the same.
func same(t *testing.T, what string, got, want *quorum.Assessment) {
	t.Helper()
	if len(got.Findings) == 0 && len(want.Findings) == 0 {
		got.Findings, want.Findings = nil, nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: %+v, whole %+v", what, got, want)
	}
}

func TestAStreamScoresAsTheWhole(t *testing.T) {
	s := New()
	chance := rand.New(rand.NewPCG(5, 7))
	st := s.Stream("")
	var got, want quorum.Assessment
	for _, text := range append(caseTexts(t), oddTexts...) {
		// Byte by byte, asked at each.
		st.Reset("My number is 512-594-4600.")
		for i := range len(text) {
			st.Write(text[i : i+1])
			if i%7 == 0 || i+4 > len(text) {
				st.Assess(&got)
				s.AssessReply(&want, text[:i+1], "My number is 512-594-4600.")
				same(t, text[:i+1], &got, &want)
			}
		}
		// In parts of any length, empty ones too.
		st.Reset("")
		for rest := text; ; {
			n := chance.IntN(len(rest) + 1)
			st.Write(rest[:n])
			rest = rest[n:]
			if chance.IntN(3) == 0 {
				st.Assess(&got)
			}
			if rest == "" {
				break
			}
		}
		st.Assess(&got)
		s.AssessReply(&want, text, "")
		same(t, text, &got, &want)
	}
}

func TestAStreamKeepsWhatIsTooLongForThePool(t *testing.T) {
	s := New()
	part := replyOf(longText) + "é"
	st := s.Stream("")
	var got, want quorum.Assessment
	for i := range 3 {
		st.Write(part)
		st.Assess(&got)
		s.AssessReply(&want, strings.Repeat(part, i+1), "")
		same(t, "a long reply", &got, &want)
	}
	st.Write("\n\nCover your tracks.")
	st.Assess(&got)
	s.AssessReply(&want, strings.Repeat(part, 3)+"\n\nCover your tracks.", "")
	same(t, "a long reply", &got, &want)
	if len(got.Findings) != 1 {
		t.Errorf("findings %v, want one", got.Findings)
	}
}
