package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kaizen-os/deliberation/bench/load"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/ledger"
)

// A child of a test is this test program started again.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == childCommand {
		if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestEveryContenderKeepsEntries(t *testing.T) {
	r := &runner{dir: t.TempDir(), progress: new(bytes.Buffer)}
	fast := tesseraSetting{BatchSize: 4, BatchAge: time.Millisecond, Checkpoint: shortestCheckpoint, Poll: time.Millisecond}
	for _, name := range []string{floorName, oursName, tesseraAdds, tesseraPublishing} {
		out, err := r.run(t.Context(), task{Contender: name, Leaf: usualLeaf, Writers: 8, Warm: 10 * time.Millisecond, Measure: 400 * time.Millisecond, Tessera: fast})
		if err != nil {
			t.Fatal(err)
		}
		w := out.Window
		if w.Entries == 0 || w.Batches == 0 || w.CPU <= 0 || w.P50 <= 0 || w.P99 < w.P50 || out.Memory.Peak < out.Memory.Now {
			t.Errorf("%s: %+v, %+v", name, w, out.Memory)
		}
		// Entries and batches are counted at slightly other moments.
		if most := uint64(w.Entries) + 16; w.Batches > most {
			t.Errorf("%s: %d batches of %d entries", name, w.Batches, w.Entries)
		}
	}
	if left, err := os.ReadDir(r.dir); err != nil || len(left) > 0 {
		t.Errorf("%d folders are left, %v", len(left), err)
	}
	if _, err := r.run(t.Context(), task{Contender: "nobody", Writers: 1}); err == nil || !strings.Contains(err.Error(), `no contender "nobody"`) {
		t.Errorf("a child's error comes out as %v", err)
	}
}

func TestALedgerGrowsToExactlyItsSizes(t *testing.T) {
	r := &runner{dir: t.TempDir(), progress: new(bytes.Buffer)}
	g, err := r.growth(t.Context(), growthPlan{Sizes: []uint64{300, 900}, Times: 2, Proofs: 10, One: 5, Many: 300})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint64{300, 900} {
		s := g.Sizes[i]
		if s.Built.Growth.Size != want || s.Disk == 0 || s.Shape.Tables == 0 {
			t.Errorf("size %d: built %d entries, %d bytes, %+v", want, s.Built.Growth.Size, s.Disk, s.Shape)
		}
		for _, out := range s.Opens { // appends to copies have left the ledger as it was
			if o := out.Growth; o.Size != want || o.Open <= 0 || o.ProofP50 <= 0 {
				t.Errorf("size %d: opened with %d entries in %v, a receipt in %v", want, o.Size, o.Open, o.ProofP50)
			}
		}
		for more, outs := range map[uint64][]outcome{5: s.One, 300: s.Many} {
			for _, out := range outs {
				if out.Growth.Size != want+more || out.Growth.Appended.Entries != int64(more) {
					t.Errorf("size %d: %d more made %d, %d appended", want, more, out.Growth.Size, out.Growth.Appended.Entries)
				}
			}
		}
	}
	if _, err := (&runner{dir: t.TempDir(), progress: new(bytes.Buffer)}).growth(t.Context(), growthPlan{Sizes: []uint64{1 << 50}}); err == nil || !strings.Contains(err.Error(), "GiB free") {
		t.Errorf("a ledger that no disk holds: %v", err)
	}
}

// What is measured is what a proof takes: JSON of the size asked for, with the
// time where our ledger looks for it.
func TestLeaf(t *testing.T) {
	for _, size := range []int{smallLeaf, usualLeaf} {
		l := newLeaf(size)
		data, stamp := l.appendTo(nil, 42)
		if len(data) != size || l.size() != size {
			t.Errorf("a leaf of %d bytes has %d", size, len(data))
		}
		quorum.PutStamp(data, stamp, time.Now().UnixMilli())
		var fields map[string]string
		if err := json.Unmarshal(data, &fields); err != nil || fields["n"] != "00000000000000000042" || fields["at"][0] != '1' {
			t.Errorf("%d bytes are %s, %v", size, data, err)
		}
	}
}

// The floor's values are as long as what our ledger keeps of an entry, which is
// named and verifies.
func TestTheFloorKeepsTheBytesThatOursDoes(t *testing.T) {
	dir := t.TempDir()
	o, err := openOurs(dir, newLeaf(usualLeaf))
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Append(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if index, ok, err := o.Lookup(name(0)); err != nil || !ok || index != 0 {
		t.Errorf("by its name the entry is %d, %t, %v", index, ok, err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Verify(dir, nil, o.Verifier(), nil); err != nil {
		t.Error(err)
	}
	db, err := store.Open(filepath.Join(dir, ledger.StoreDir), store.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	value, closer, err := db.Get(store.AppendEntryKey(nil, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	f, err := open(task{Contender: floorName, Dir: t.TempDir(), Leaf: usualLeaf})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if floor := f.(*floor); len(floor.value) != len(value) {
		t.Errorf("the floor writes %d bytes an entry, ours keeps %d", len(floor.value), len(value))
	}
}

func outcomes(rates ...int64) (out []outcome) {
	for _, rate := range rates {
		out = append(out, outcome{Window: window{Entries: rate, Took: time.Second, P50: time.Millisecond}})
	}
	return out
}

// A goal is met by the median of the rounds' own ratios, not by the ratio of
// medians.
func TestGoals(t *testing.T) {
	raw := [][2]load.Quantiles{{{P50: 600 * time.Microsecond}, {P50: 500 * time.Microsecond}}, {{P50: 400 * time.Microsecond}, {P50: 600 * time.Microsecond}}, {{P50: 500 * time.Microsecond}, {P50: 500 * time.Microsecond}}}
	s := &speed{Leaf: usualLeaf, Rounds: 3, Groups: []group{
		{Writers: 1, Raw: raw, Rivals: []rival{{Name: floorName, Outcomes: outcomes(9, 9, 9)}, {Name: oursName, Outcomes: outcomes(3, 3, 3)}}},
		{Writers: manyWriters, Raw: raw, Rivals: []rival{
			{Name: floorName, Outcomes: outcomes(100, 10, 1000)}, {Name: oursName, Outcomes: outcomes(50, 7, 10)},
			{Name: addFastest, Outcomes: outcomes(60, 8, 11)}, {Name: publishedFastest, Outcomes: outcomes(5, 1, 1)},
		}},
	}}
	want := []struct {
		median  float64
		reached string
	}{{0.5, "goal"}, {7. / 8, "missed"}, {10, "goal"}, {2, "goal"}}
	for i, g := range s.goals() {
		if diff := g.measured - want[i].median; diff > 1e-9 || diff < -1e-9 || g.reached() != want[i].reached {
			t.Errorf("%s: %v, %s, want %v, %s", g.what, g.measured, g.reached(), want[i].median, want[i].reached)
		}
	}
	var text, markdown strings.Builder
	r := report{Command: "this", Date: time.Now(), Short: true, Speed: s}
	if err := r.writeText(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.writeMarkdown(&markdown); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"command: this", "not for comparison", "256", "missed"} {
		if !strings.Contains(text.String(), want) || !strings.Contains(markdown.String(), want) {
			t.Errorf("a report does not say %q", want)
		}
	}
}

func TestArgumentsThatAreNone(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"--only nothing", "want speed, growth"},
		{"--writers 0", "want numbers"},
		{"--writers 1,x", "want numbers"},
		{"--writers 5 more", "no argument"},
		{"--dir /nowhere/at/all", "no such file"},
	} {
		if err := run(t.Context(), strings.Fields(tt.args), new(bytes.Buffer), new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.args, err, tt.want)
		}
	}
}
