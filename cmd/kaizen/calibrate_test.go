package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

// labels are n labelled products, one a line.
func labels(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"prompt":"What is %d * 7?","kind":"number","truth":"%d"}`+"\n", i+11, (i+11)*7)
	}
	return b.String()
}

func TestCalibrateFromATerminal(t *testing.T) {
	s := startServer(t, t.TempDir(), anyPort)
	steward := "file:" + filepath.Join(s.data(), "steward.key")
	file := filepath.Join(s.dir, "labels.jsonl")
	putFile(t, file, labels(12))

	out, errOut, code := runProgram(t, "", nil, "calibrate", file, "--url", s.url, "--data", s.data())
	if code != 0 || errOut != "" {
		t.Fatalf("exit code %d, %s%s", code, out, errOut)
	}
	for _, want := range []string{`^12 prompts put to 8 companions · .* USD\n`, `(?m)^COMPANION +KIND +TOPIC +RIGHT OF SEEN +RELIABILITY +WEIGHT$`,
		`(?m)^AUREA +number +- +\d+ of 12 +0\.800 → 0\.\d{3} +1\.000 → [01]\.\d{3}$`, `(?m)^SOLARA +number +- +\d+ of 12 +0\.620 → `, `(?m)^counted in cal_\w{26}, entry \d+ of the ledger$`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("want %s in\n%s", want, out)
		}
	}
	var page struct {
		Reliability []struct {
			Kind     string
			Labelled struct{ Seen float64 }
		}
	}
	if err := json.Unmarshal(s.get("/api/companions/AUREA", "", http.StatusOK), &page); err != nil || len(page.Reliability) != 7 || page.Reliability[1].Labelled.Seen != 12 {
		t.Errorf("%v: %+v", err, page)
	}

	// In several requests: a line of JSON each, and the same table over all.
	out, errOut, code = runProgram(t, labels(5), nil, "calibrate", "-", "--url", s.url, "--key", steward, "--batch", "2", "--json")
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if code != 0 || errOut != "" || len(lines) != 3 {
		t.Fatalf("exit code %d, %s%s", code, out, errOut)
	}
	for i, line := range lines {
		var c wire.Calibration
		if err := c.Decode([]byte(line)); err != nil || c.Items != []int{2, 2, 1}[i] || len(c.Companions) != 8 {
			t.Errorf("line %d: %v: %s", i+1, err, line)
		}
	}
	array := "[" + strings.ReplaceAll(strings.TrimSpace(labels(3)), "\n", ",") + "]"
	for name, text := range map[string]string{"an array": array, "the route's body": `{"items":` + array + `}`, "lines with blank ones between": strings.ReplaceAll(labels(3), "\n", "\r\n\r\n")} {
		out, errOut, code = runProgram(t, text, nil, "calibrate", "-", "--url", s.url, "--key", steward, "--batch", "2")
		if code != 0 || errOut != "" || !strings.HasPrefix(out, "3 prompts put to 8 companions") || strings.Count(out, "counted in cal_") != 2 {
			t.Errorf("%s: exit code %d, %s%s", name, code, out, errOut)
		}
	}
	out, errOut, code = runProgram(t, labels(60), nil, "calibrate", "-", "--url", s.url, "--key", steward)
	if code != 0 || errOut != "" || strings.Count(out, "\nconfidence of kind number, fitted to 60 prompts: bias -2.14 → ") != 1 {
		t.Errorf("a fit: exit code %d, %s%s", code, out, errOut)
	}
	s.stop()
	out, errOut, code = runProgram(t, "", nil, "verify", s.data())
	if code != 0 || !strings.Contains(out, "11 calibration.counted") {
		t.Errorf("kaizen verify: exit code %d, %s%s", code, out, errOut)
	}
	if strings.Contains(s.errOut.String(), "* 7") {
		t.Error("the log tells a prompt")
	}
}

// A file is checked as a whole before the first request, and what is wrong is
// one line, by place, without any of the text.
func TestCalibrateRefuses(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	putFile(t, key, "kz_anything\n")
	line := func(rest string) string { return `{"prompt":"canary?","kind":"short",` + rest + "}\n" }
	for _, tt := range []struct {
		name, text string
		args       string
		code       int
		want       string
	}{
		{"nothing", "", "", exitFailed, "there is no prompt in it"},
		{"an empty array", "[]", "", exitFailed, "there is no prompt in it"},
		{"no JSON", labels(1) + "canary\n", "", exitFailed, "line 2: is not one JSON object"},
		{"two objects on a line", strings.ReplaceAll(labels(2), "\n", " "), "", exitFailed, "line 1: "},
		{"half an array", "[" + labels(1), "", exitFailed, "begins as a JSON array and is none"},
		{"no label", labels(2) + line(`"topic":"x"`), "", exitFailed, "line 3: truth: must be given"},
		{"a field that there is not", line(`"truth":"canary","canaries":"canary"`), "", exitFailed, "line 1: canaries: unknown field"},
		{"a truth of another kind", labels(1) + `{"prompt":"canary","kind":"number","truth":"canary"}`, "", exitFailed, "line 2: truth: accepted answer 1 is no number"},
		{"in an array", `[{"prompt":"canary","kind":"vote","truth":"canary"}]`, "", exitFailed, "item 1: truth: accepted answer 1 is neither"},
		{"contradictions", "\n" + line(`"truth":"canary"`) + "\n" + line(`"truth":"dove"`), "", exitFailed, "line 4: truth: contradicts line 2"},
		{"a setting in the body", `{"items":[],"canary":5}`, "", exitFailed, "beside items"},
		{"many faults", strings.Repeat(line(`"topic":"x"`), 30), "", exitFailed, "; and 25 more; nobody was asked"},
		{"open text", `{"prompt":"canary","kind":"code","truth":"canary"}`, "", exitFailed, "line 1: kind: code cannot be graded"},
		{"nobody there", labels(1), "--key file:" + key + " --url " + nobody(t), exitFailed, "is the gateway running?"},
		{"no key", labels(1), "--data " + dir, exitFailed, "only a steward calibrates"},
		{"a batch of none", labels(1), "--batch 0", exitUsage, "--batch"},
		{"a deadline of none", labels(1), "--deadline -1s", exitUsage, "--deadline"},
	} {
		out, errOut, code := runProgram(t, tt.text, nil, append([]string{"calibrate", "-", "--data", dir}, strings.Fields(tt.args)...)...)
		if code != tt.code || out != "" || strings.Count(errOut, "\n") != 1 || !strings.HasPrefix(errOut, "kaizen: ") || !strings.Contains(errOut, tt.want) {
			t.Errorf("%s: exit code %d, %q, %q, want %d and %q", tt.name, code, out, errOut, tt.code, tt.want)
		}
		if tt.name != "a setting in the body" && strings.Contains(strings.ReplaceAll(errOut, "canaries", ""), "canary") {
			t.Errorf("%s: the text is told: %s", tt.name, errOut)
		}
	}
	if out, errOut, code := runProgram(t, "", nil, "calibrate", filepath.Join(dir, "none")); code != exitFailed || out != "" || !strings.Contains(errOut, "no such file") {
		t.Errorf("no file: exit code %d, %q, %q", code, out, errOut)
	}
	if out, errOut, code := runProgram(t, "", nil, "calibrate"); code != exitUsage || out != "" || !strings.Contains(errOut, "give one file") {
		t.Errorf("no argument: exit code %d, %q, %q", code, out, errOut)
	}
}

// Whoever is no steward is told so by the gateway.
func TestCalibrateIsForStewards(t *testing.T) {
	s := startServer(t, t.TempDir(), anyPort+clientsNamed("ann"))
	out, errOut, code := runProgram(t, labels(1), []string{"KAIZEN_KEY=ann"}, "calibrate", "-", "--url", s.url)
	if code != exitFailed || out != "" || !strings.Contains(errOut, "only a steward calibrates") || strings.Count(errOut, "\n") != 1 {
		t.Errorf("exit code %d, %q, %q", code, out, errOut)
	}
	s.stop()
}

func TestCalibrationsAsATable(t *testing.T) {
	cell := func(topic string, right, seen int64, before, after wire.PPM) wire.CalibratedCell {
		return wire.CalibratedCell{Kind: "number", Topic: topic, Items: 3, Right: right, Seen: seen, Reliability: wire.Change{Before: before, After: after}, Weight: wire.Change{Before: 1_000_000, After: after}}
	}
	first := wire.Calibration{ID: "cal_1", Items: 3, Usage: wire.Usage{CostMicroUSD: 1500}, Proof: wire.Proof{Index: 9},
		Companions: []wire.Calibrated{{Companion: "AUREA", Cells: []wire.CalibratedCell{cell("", 2, 3, 800_000, 812_500)}, Unseen: map[string]int{}},
			{Companion: "ZEUS\x1b[2J", Cells: []wire.CalibratedCell{cell("", 0, 1, 500_000, 400_000)}, Unseen: map[string]int{"late": 1, "error": 1}}}}
	first.Timing.Total = 1_500_000
	second := wire.Calibration{ID: "cal_2", Items: 6, Usage: wire.Usage{CostMicroUSD: 500}, Proof: wire.Proof{Index: 11},
		Companions: []wire.Calibrated{{Companion: "AUREA", Cells: []wire.CalibratedCell{cell("", 3, 3, 812_500, 850_000), cell("algebra", 1, 3, 800_000, 700_000)}, Unseen: map[string]int{"late": 2}}}}
	want := `9 prompts put to 2 companions · 1.5s · 0.0020 USD

COMPANION  KIND    TOPIC    RIGHT OF SEEN    RELIABILITY         WEIGHT
AUREA      number  -        5 of 6         0.800 → 0.850  1.000 → 0.850
AUREA      number  algebra  1 of 3         0.800 → 0.700  1.000 → 0.700
ZEUS[2J    number  -        0 of 1         0.500 → 0.400  1.000 → 0.400
AUREA gave nothing to grade: 2 late
ZEUS[2J gave nothing to grade: 1 error, 1 late

counted in cal_1, entry 9 of the ledger
counted in cal_2, entry 11 of the ledger
`
	if got := string(appendCalibrations(nil, []wire.Calibration{first, second}, paint{})); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
