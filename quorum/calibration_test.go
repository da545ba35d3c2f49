package quorum

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func sampleCalibration() *Calibration {
	return &Calibration{ID: "cal_01K0000000000000000000000", Actor: Steward, AsOf: 9, Policy: digestOf(1), Items: 33, Set: digestOf(2),
		Cells: []CalibrationCell{{Choice, "", 3}, {Number, "", 10}, {Number, "algebra", 20}},
		Companions: []CalibrationCounts{
			{"AUREA", []int64{3, 9, 18}, []int64{3, 10, 20}},
			{"ZEUS", []int64{0, 0, 7}, []int64{0, 10, 19}},
		}}
}

// fittedCalibration has enough of two kinds to say how they are believed.
func fittedCalibration() *Calibration {
	c := sampleCalibration()
	c.Items = 130
	c.Cells[0].Items, c.Cells[1].Items = 60, 50
	c.Confidence = []FittedConfidence{{Choice, 60, -1_490_001, 1_360_000, 0, 5}, {Number, 69, 0, 4_280_000, 3_440_000, 0}}
	return c
}

func TestAConfidenceIsWithinBounds(t *testing.T) {
	good := string(leafOf(fittedCalibration()))
	if strings.Contains(string(leafOf(sampleCalibration())), "confidence") {
		t.Error("a calibration that fits nothing says so")
	}
	for name, edit := range map[string][2]string{
		"a list of none":              {good[strings.Index(good, `"confidence":[`):strings.Index(good, `,"items":130`)], `"confidence":[]`},
		"a slope below 0":             {`"byShare":1360000`, `"byShare":-1`},
		"a slope over 20":             {`"byShare":1360000`, `"byShare":20000001`},
		"a bias under -20":            {`"bias":-1490001`, `"bias":-20000001`},
		"a bias of 0 written out":     {`{"byMargin":3440000`, `{"bias":0,"byMargin":3440000`},
		"kinds out of order":          {`"items":69,"kind":"number"`, `"items":60,"kind":"choice"`},
		"of a kind that was not":      {`"items":69,"kind":"number"`, `"items":69,"kind":"short"`},
		"of a text":                   {`"items":69,"kind":"number"`, `"items":69,"kind":"text"`},
		"of no kind":                  {`"items":60,"kind":"choice"}`, `"items":60}`},
		"fewer items than it takes":   {`"items":60,"kind":"choice"}`, `"items":49,"kind":"choice"}`},
		"more items than of its kind": {`"items":69,"kind":"number"`, `"items":71,"kind":"number"`},
		"a member that is not known":  {`"items":69,"kind":"number"`, `"items":69,"kind":"number","turnout":1`},
	} {
		bad := strings.Replace(good, edit[0], edit[1], 1)
		if bad == good {
			t.Fatalf("%s: the edit does not apply to %s", name, good)
		}
		if _, _, err := ParseRecord([]byte(bad)); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACalibrationHoldsWhatItMay(t *testing.T) {
	good := string(leafOf(sampleCalibration()))
	for name, edit := range map[string][2]string{
		"somebody else's":               {`"actor":"steward"`, `"actor":"client"`},
		"more right than seen":          {`"right":[3,9,18]`, `"right":[3,9,21]`},
		"fewer right than none":         {`"right":[0,0,7]`, `"right":[0,-1,7]`},
		"more seen than items":          {`"seen":[3,10,20]`, `"seen":[3,10,21]`},
		"a count for no cell":           {`"right":[3,9,18]`, `"right":[3,9,18,0]`},
		"a cell without a count":        {`"seen":[0,10,19]`, `"seen":[0,10]`},
		"more items than in its cells":  {`"items":33`, `"items":34`},
		"no items":                      {`,"items":33`, ``},
		"a cell without items":          {`"items":3,"kind":"choice"`, `"kind":"choice"`},
		"a cell without a kind":         {`"kind":"choice"`, `"kind":"auto"`},
		"a cell of no kind there is":    {`"kind":"choice"`, `"kind":"sonnet"`},
		"cells out of order":            {`"topic":"algebra"`, `"topic":""`},
		"a companion twice":             {`"companion":"ZEUS"`, `"companion":"AUREA"`},
		"no companion":                  {`"companion":"ZEUS",`, ``},
		"no id":                         {`"calibration":"cal_01K0000000000000000000000",`, ``},
		"no commitment to the items":    {`"subject":[{"digest":{"kaizenCommitmentV1":"` + strings.Repeat("02", 32) + `"},"name":"items"}]`, `"subject":[]`},
		"a plain digest of the items":   {`kaizenCommitmentV1`, `sha256`},
		"an item's text":                {`"items":33`, `"items":33,"prompt":"x"`},
		"a later version":               {`calibration.counted/v1`, `calibration.counted/v2`},
		"another subject":               {`"name":"items"`, `"name":"item"`},
		"a topic of more than 64 bytes": {`"topic":"algebra"`, `"topic":"` + strings.Repeat("a", 65) + `"`},
	} {
		bad := strings.Replace(good, edit[0], edit[1], 1)
		if bad == good {
			t.Fatalf("%s: the edit does not apply to %s", name, good)
		}
		if _, _, err := ParseRecord([]byte(bad)); !errors.Is(err, ErrRecord) && !errors.Is(err, ErrRecordType) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The largest calibration, of 64 companions and 64 cells with the longest names,
// fits a ledger entry.
func TestLargestCalibrationFits(t *testing.T) {
	c := &Calibration{ID: "cal_" + strings.Repeat("Z", 60), Actor: Steward, AsOf: 1 << 52, Policy: digestOf(1), Set: digestOf(2), Items: MaxCalibrationItems}
	// The most digits that so many items can be written with: 40 cells of 100, 24 of 4.
	for i := range MaxCalibrationCells {
		cell := CalibrationCell{Choice, fmt.Sprintf("%s%02d", strings.Repeat("t", MaxTopic-2), i), 100}
		if i >= 40 {
			cell.Items = 4
		}
		c.Cells = append(c.Cells, cell)
	}
	for i := range MaxCalibrationPanel {
		counts := CalibrationCounts{Companion: CompanionID(fmt.Sprintf("%s%02d", strings.Repeat("A", 30), i))}
		for _, cell := range c.Cells {
			counts.Right, counts.Seen = append(counts.Right, cell.Items), append(counts.Seen, cell.Items)
		}
		c.Companions = append(c.Companions, counts)
	}
	c.Cells[0].Kind, c.Cells[1].Kind, c.Cells[2].Kind, c.Cells[3].Kind = Choice, Number, Short, JSON
	for i := 4; i < len(c.Cells); i++ {
		c.Cells[i].Kind = VoteKind
	}
	for kind := Choice; kind <= VoteKind; kind++ {
		c.Confidence = append(c.Confidence, FittedConfidence{kind, 100, -maxCoefficient, maxCoefficient, maxCoefficient, maxCoefficient})
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	leaf := leafOf(c)
	if _, _, err := ParseRecord(leaf); err != nil || len(leaf) > MaxLeaf {
		t.Errorf("the largest calibration has %d bytes, at most %d: %v", len(leaf), MaxLeaf, err)
	}
	t.Logf("%d bytes", len(leaf))
}
