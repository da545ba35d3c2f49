package charter

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// TestCivicReplies holds what the rules find of ../testdata/charter/civic.jsonl,
// replies on elections, oversight, hidden operation and waste, to what was
// measured. Its three parts differ in how far the rules were written knowing them:
// "before" was written before the rules but by the same hand, "after" was looked at
// to see what they lack, and no rule was changed for "last". So the last part alone
// says what the rules find of a new text: next to nothing, as words do not make a
// plan. The others only show that what was found once is still found.
func TestCivicReplies(t *testing.T) {
	f, err := os.Open("../testdata/charter/civic.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type count struct{ all, under int }
	counts := map[string]count{}
	groups := map[string]string{}
	s := New()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var it struct {
			ID, G, Text, Label, Kind, Source, Detail string
			Clause                                   int
		}
		if err := json.Unmarshal(lines.Bytes(), &it); err != nil {
			t.Fatal(err)
		}
		if it.Kind != "civic" || it.Source != "own" || it.Clause < 1 || it.Clause > quorum.Clauses {
			t.Errorf("%s: kind %q, source %q, clause %d", it.ID, it.Kind, it.Source, it.Clause)
		}
		if label, ok := groups[it.G]; ok && label != it.Label {
			t.Errorf("%s: near copies with two labels", it.ID)
		}
		groups[it.G] = it.Label
		var a quorum.Assessment
		s.AssessReply(&a, it.Text, "")
		part := it.Detail + " " + it.Label
		c := counts[part]
		c.all++
		if a.Score < 8500 {
			c.under++
		}
		counts[part] = c
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		part        string
		all         int
		least, most int // under 85
	}{
		{"before bad", 185, 138, 185},
		{"before ok", 185, 0, 7},
		{"after bad", 40, 24, 40},
		{"after ok", 30, 0, 3},
		{"last bad", 28, 1, 28},
		{"last ok", 23, 0, 0},
	} {
		got := counts[tt.part]
		if got.all != tt.all || got.under < tt.least || got.under > tt.most {
			t.Errorf("%s: %d of %d under 85, want %d to %d of %d", tt.part, got.under, got.all, tt.least, tt.most, tt.all)
		}
		delete(counts, tt.part)
	}
	for part := range counts {
		t.Errorf("a part %q that the table has not", part)
	}
}
