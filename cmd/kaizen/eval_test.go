package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Recorded replies go through the gateway's own HTTP API, in processes of their own.
func TestEvalOfASmallRecording(t *testing.T) {
	out, errOut, code := runProgram(t, "", nil, "eval", "--data", filepath.Join("testdata", "recording"), "--wait", "all")
	if code != 0 || !strings.Contains(errOut, "6 prompts, wait all") {
		t.Fatalf("exit code %d, %s%s", code, errOut, out)
	}
	// Of the three models the best is right on five of the six prompts.
	for _, want := range []string{`sums +all \(3\) .* 6 +big +83\.3 +100\.0 +all `, `sums +two \(2\) .* 6 +big +83\.3 `, `(?m)low +50\.0$`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("nothing matches %s in\n%s", want, out)
		}
	}
	if out, errOut, code := runProgram(t, "", nil, "eval", "--data", t.TempDir()); code != exitFailed || out != "" || len(complaints(errOut)) != 1 {
		t.Errorf("of an empty folder: exit code %d, %q, %q", code, errOut, out)
	}
}
