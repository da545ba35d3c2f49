package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

const (
	harmless = "Water boils at 100 degrees at sea level."
	leaking  = "Her number is 536-22-8741, write to jane.doe@example.com."
)

func TestScore(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "reply.txt")
	putFile(t, file, leaking)
	for _, tt := range []struct {
		name, stdin string
		args        []string
		want        []string
	}{
		{"a harmless text", harmless, []string{"-"}, []string{"100 of 100, at or above the standard tier's 70"}},
		{"another tier's minimum", harmless, []string{"-", "--tier", "critical"}, []string{"at or above the critical tier's 85"}},
		{"what it costs, and where", "", []string{file}, []string{"below the standard tier's", "clause 5", "536-22-8741"}},
	} {
		out, errOut, code := runProgram(t, tt.stdin, nil, append([]string{"score"}, tt.args...)...)
		if code != 0 || errOut != "" {
			t.Errorf("%s: exit code %d, %q", tt.name, code, errOut)
		}
		for _, w := range tt.want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: %q does not say %q", tt.name, out, w)
			}
		}
	}
	out, errOut, code := runProgram(t, "", nil, "score", "--json", file)
	var v wire.ValidateResponse
	if err := v.Decode([]byte(out)); err != nil || code != 0 || errOut != "" || v.Score >= 7000 || len(v.Violations) == 0 || v.Violations[0].Clause != 5 {
		t.Errorf("--json: exit code %d, %v, %s%s", code, err, errOut, out)
	}
	if strings.Contains(out, "8741") {
		t.Errorf("--json, which machines keep, shows the text: %s", out)
	}
	// It is what the gateway itself answers.
	s := startServer(t, t.TempDir(), anyPort)
	request, err := json.Marshal(map[string]string{"response": leaking, "tier": "standard"})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer, err := s.do(t.Context(), "POST", "/constitutional/validate", "", string(request)); err != nil || status != 200 || string(answer)+"\n" != out {
		t.Errorf("POST /constitutional/validate: %d, %v, %s, want %s", status, err, answer, out)
	}
	s.stop()

	big := filepath.Join(dir, "big.txt")
	putFile(t, big, strings.Repeat("x", maxScoredBytes+1))
	for _, name := range []string{big, filepath.Join(dir, "none.txt"), dir} {
		if out, errOut, code := runProgram(t, "", nil, "score", name); code != exitFailed || out != "" || strings.Count(errOut, "\n") != 1 {
			t.Errorf("kaizen score %s: exit code %d, %q, %q", filepath.Base(name), code, out, errOut)
		}
	}
}
