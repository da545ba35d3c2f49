package answer

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// threshold is the default policy's, from which on two texts share a position.
const threshold quorum.PPM = 550_000

func likenessOf(question, one, other string) quorum.PPM {
	var q, a, b Words
	q.Read(question, nil)
	a.Read(one, &q)
	b.Read(other, &q)
	return Similarities(nil, []*Words{&a, &b})[0]
}

func TestPairs(t *testing.T) {
	f, err := os.Open("testdata/pairs.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	count := map[string]int{}
	section := ""
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		if name, ok := strings.CutPrefix(line, "== "); ok {
			section = name
			continue
		}
		part := strings.Split(line, "|")
		if len(part) != 3 {
			t.Fatalf("line %d: want question | reply | reply", n)
		}
		question, one, other := strings.TrimSpace(part[0]), strings.TrimSpace(part[1]), strings.TrimSpace(part[2])
		s := likenessOf(question, one, other)
		if back := likenessOf(question, other, one); back != s {
			t.Errorf("line %d: %v one way round, %v the other", n, s, back)
		}
		kind, _, _ := strings.Cut(section, ":")
		count[kind]++
		switch {
		case kind == "same" && s < threshold:
			t.Errorf("line %d, %s: similarity %v, want at least %v:\n\t%s\n\t%s", n, section, s, threshold, one, other)
		case kind == "apart" && s != Apart:
			t.Errorf("line %d, %s: similarity %v, want -1:\n\t%s\n\t%s", n, section, s, one, other)
		case section == "limit: apart, though the same" && s >= threshold, section == "limit: together, though different" && s < threshold:
			t.Errorf("line %d: similarity %v: no limit any more, and so a pair for the sections above:\n\t%s\n\t%s", n, s, one, other)
		case kind == "differ" && s >= threshold:
			t.Errorf("line %d, %s: similarity %v, want below %v:\n\t%s\n\t%s", n, section, s, threshold, one, other)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if total := count["same"] + count["apart"] + count["differ"]; total < 200 {
		t.Errorf("%d pairs, want at least 200", total)
	}
}
