package charter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// TestCases runs ../testdata/charter/*.txt, whose form the first of them says,
// and holds every rule to at least three cases each way.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("../testdata/charter/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("cases: %v, %d files", err, len(files))
	}
	s := New()
	seen := map[string][2]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		rule := ""
		for n, line := range strings.Split(string(text), "\n") {
			line = strings.ReplaceAll(strings.TrimSpace(line), "{}", "")
			mark, rest, _ := strings.Cut(line, " ")
			switch mark {
			case "=":
				rule = rest
			case "+", "-":
				var a quorum.Assessment
				assess(s, &a, rule, rest)
				got, want := has(&a, rule), mark == "+"
				if got != want {
					t.Errorf("%s:%d: %s: found = %v, want %v: %q", filepath.Base(file), n+1, rule, got, want, rest)
				}
				counts := seen[rule]
				if want {
					counts[0]++
				} else {
					counts[1]++
				}
				seen[rule] = counts
			case "", "#":
			default:
				t.Errorf("%s:%d: line starts with %q", filepath.Base(file), n+1, mark)
			}
		}
	}
	for _, r := range s.Rules() {
		if r.Clause == quorum.Advisory {
			continue // linear_test.go
		}
		if c := seen[r.ID]; c[0] < 3 || c[1] < 3 {
			t.Errorf("rule %s has %d positive and %d negative cases, want 3 of each", r.ID, c[0], c[1])
		}
		delete(seen, r.ID)
	}
	for id := range seen {
		t.Errorf("cases for %q, which is no rule", id)
	}
}

func assess(s *Scorer, a *quorum.Assessment, rule, text string) {
	if strings.HasPrefix(rule, "prompt.") {
		s.AssessPrompt(a, text)
		return
	}
	s.AssessReply(a, text, "")
}

func has(a *quorum.Assessment, rule string) bool {
	for _, f := range a.Findings {
		if f.Rule == rule {
			return true
		}
	}
	return false
}
