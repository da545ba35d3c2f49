package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What kaizen sim prints is a configuration that a gateway runs with.
func TestSimPrintsWhatServeTakes(t *testing.T) {
	p := start(t, nil, "sim", "--companions", "3", "--latency", "1ms")
	section := p.says(&p.out, regexp.MustCompile(`(?s)^companions:\n(  - .*\n     .*\n){3}$`))[0]
	s := startServer(t, t.TempDir(), anyPort+section)
	v := s.mustAsk("", `{"prompt":"What is 17 * 23?","kind":"number","wait":"all"}`)
	if v.Value != "391" || len(v.Ballots) != 3 || v.Ballots[0].Model != "simulated-aurea" {
		t.Errorf("value %q of %+v", v.Value, v.Ballots)
	}
	if strings.Contains(s.out.String(), "(simulated, ") {
		t.Errorf("companions of a configuration are shown as the gateway's own:\n%s", &s.out)
	}
	s.stop()
	endSim(t, p)
}

// Recorded replies are given again to the prompts they were recorded for.
func TestSimReplays(t *testing.T) {
	recording := filepath.Join(t.TempDir(), "small.jsonl")
	putFile(t, recording, `{"id":"q1","prompt":"Which is largest?","truth":"B","kind":"choice","n_options":3,"replies":[{"model":"one","text":"{\"answer\":\"B\"}"},{"model":"two","text":"The answer is B."},{"model":"three","text":"The answer is C."}]}
{"id":"q2","prompt":"What is 6 times 7?","truth":"42","kind":"number","replies":[{"model":"one","text":"#### 42"},{"model":"two","text":"#### 42"},{"model":"three","text":"#### 42"}]}
`)
	p := start(t, nil, "sim", "--replay", recording)
	section := p.says(&p.out, regexp.MustCompile(`(?s)^companions:\n(  - .*\n     .*\n){3}$`))[0]
	s := startServer(t, t.TempDir(), anyPort+section)
	for _, tt := range []struct{ request, value string }{
		{`{"prompt":"Which is largest?","kind":"choice","options":["A","B","C"],"wait":"all","context":{"tier":"research"}}`, "B"},
		{`{"prompt":"What is 6 times 7?","kind":"number","wait":"all","context":{"tier":"research"}}`, "42"},
	} {
		if v := s.mustAsk("", tt.request); v.Value != tt.value || len(v.Ballots) != 3 {
			t.Errorf("%s: value %q of %d ballots, want %q of 3", tt.request, v.Value, len(v.Ballots), tt.value)
		}
	}
	// Nobody has a reply for this one, and nobody makes one up.
	if v := s.mustAsk("", `{"prompt":"What was never asked?","kind":"short","wait":"all"}`); v.Status != "inquorate" || v.Answer != "" {
		t.Errorf("a prompt that was not recorded: %s, %q", v.Status, v.Answer)
	}
	s.stop()
	endSim(t, p)
}

func TestSimRefuses(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.jsonl")
	putFile(t, broken, "{\"id\":\"q1\"\n")
	for _, file := range []string{broken, filepath.Join(t.TempDir(), "none.jsonl")} {
		out, errOut, code := runProgram(t, "", nil, "sim", "--replay", file)
		if code != exitFailed || out != "" || strings.Count(errOut, "\n") != 1 || !strings.Contains(errOut, filepath.Base(file)) {
			t.Errorf("kaizen sim --replay %s: exit code %d, %q, %q", filepath.Base(file), code, out, errOut)
		}
	}
}

func endSim(t *testing.T, p *program) {
	t.Helper()
	p.send(os.Interrupt)
	if code := p.wait(); code != 0 || p.errOut.String() != "" {
		t.Errorf("kaizen sim: exit code %d, %q", code, &p.errOut)
	}
}
