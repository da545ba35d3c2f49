package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// Recorded replies go through the gateway's own HTTP API, in processes of their own.
func TestEvalOfASmallRecording(t *testing.T) {
	out, errOut, code := runProgram(t, "", nil, "eval", "--data", filepath.Join("testdata", "recording"), "--progress")
	if code != 0 || !strings.Contains(errOut, "sums, panel two of 2, 6 prompts: earned, 100 labels, 5 folds\n") {
		t.Fatalf("exit code %d, %s%s", code, errOut, out)
	}
	for _, want := range []string{
		// Of the three models the best is right on five of the six prompts; on the
		// sixth the others outvote it, but not its earned weight.
		`sums, all \(3\) +big +83\.3 +100\.0 +100\.0 +83\.3 +83\.3 +83\.3\n`,
		`sums, two \(2\) +big +83\.3 +83\.3 +83\.3 +83\.3 +83\.3 +83\.3\n`,
		`earned, 0 labels +83\.3 +\+0\.0 \(\+0\.0 to \+0\.0\) +100\.0 +83\.3 +\d\.\d+ +\d\.\d+ +16\.7\n`,
		`earned, 100 labels +4 +6 carried\n`, // the others of six in five folds
		`low +50\.0 +-33\.3 \(`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("nothing matches %s in\n%s", want, out)
		}
	}
}

// Under tier weights in the policy, earned weights decide nothing.
func TestEvalUnderAnotherPolicy(t *testing.T) {
	policy := quorum.DefaultPolicy()
	policy.AnswerWeights = "tier"
	file := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(file, policy.Canonical(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errOut, code := runProgram(t, "", nil, "eval", "--data", filepath.Join("testdata", "recording"), "--panel", "all", "--labels", "0", "--wait", "all", "--policy", file)
	if want := `sums, all \(3\) +big +83\.3 +100\.0 +100\.0 +100\.0\n`; code != 0 || !regexp.MustCompile(want).MatchString(out) {
		t.Errorf("exit code %d, %s; nothing matches %s in\n%s", code, errOut, want, out)
	}
}

func TestEvalIsQuietAndFailsInOneLine(t *testing.T) {
	out, errOut, code := runProgram(t, "", nil, "eval", "--data", filepath.Join("testdata", "recording"), "--panel", "two", "--labels", "0", "--wait", "all", "--limit", "2")
	if code != 0 || errOut != "" || !strings.Contains(out, "number, 2 prompts") || strings.Contains(out, "== Waiting") {
		t.Errorf("exit code %d, %s%s", code, errOut, out)
	}
	for _, args := range [][]string{{"--data", t.TempDir()}, {"--data", "testdata/recording", "--set", "riddles"}, {"--data", "testdata/recording", "--labels", "-1"}, {"--data", "testdata/recording", "--wait", "never"},
		{"--data", "testdata/recording", "--policy", "testdata/recording/panels.json"}, {"--data", "testdata/recording", "--policy", "nowhere.json"}} {
		if out, errOut, code := runProgram(t, "", nil, append([]string{"eval"}, args...)...); code == 0 || out != "" || len(complaints(errOut)) != 1 {
			t.Errorf("%v: exit code %d, %q, %q", args, code, errOut, out)
		}
	}
}
