//go:build unix

package gateway

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring/run"
)

// shellRunner runs code as shell scripts, as the binary would.
func shellRunner(t testing.TB, cfg run.Config) *run.Runner {
	t.Helper()
	cfg.Launcher = []string{must(os.Executable())(t), "run-limited"}
	cfg.TempDir = t.TempDir()
	if cfg.Command == nil {
		cfg.Command = []string{"sh"}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = patience
	}
	return must(run.New(cfg))(t)
}

func script(code string) behaviour { return says("Here it is:\n\n```sh\n" + code + "\n```\n") }

const askCode = `{"prompt":"Write a shell script that prints six times seven.","kind":"code","wait":"all","deadlineMs":30000,"context":{"tier":"standard"},"include":["ballots","positions","replies"]}`

// Programs that do the same share a position, whatever they look like; what fails
// takes none; and what is recorded tells nothing of the code or its output.
func TestCodeIsDecidedByWhatItDoes(t *testing.T) {
	t.Parallel()
	const harm = "\n# Her SSN is 563-21-3271 and her card 4532756279624064."
	ran := filepath.Join(t.TempDir(), "ran")
	r := start(t, setup{runner: shellRunner(t, run.Config{}), panel: panelOf(t,
		script("echo 42 # xyzzy"), script("expr 6 '*' 7"), script("echo 41"), script("exit 1"), script("kill -9 $$"), script("touch "+ran+harm))})
	d := r.ask(askCode)
	if d.Status != "carried" || d.Consensus.Kind != "code" || d.Consensus.Votes != 2 || d.Value != "" || !strings.Contains(d.Answer, "echo 42") || d.Consensus.Confidence <= 0 {
		t.Errorf("%+v", d)
	}
	if len(d.Positions) != 2 || strings.Join(d.Positions[0].Companions, " ") != "AUREA ATLAS" || strings.Join(d.Positions[1].Companions, " ") != "ZENITH" || len(d.Dissent) != 1 {
		t.Errorf("positions %+v", d.Positions)
	}
	for id, reason := range map[string]string{"AUREA": "", "ATLAS": "", "ZENITH": "", "JADE": quorum.ReasonRunFailed, "SOLARA": quorum.ReasonRunFailed, "ZEUS": quorum.ReasonCharter} {
		if b := ballot(t, d, id); b.Outcome != "ok" || b.Reason != reason || b.Counted != (reason == "") {
			t.Errorf("ballot %+v, want reason %q", b, reason)
		}
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("a reply below the charter minimum was run")
	}
	if again := r.get("/v1/deliberations/" + d.ID).deliberation(http.StatusOK); len(again.Positions) != 2 || again.Status != d.Status || again.Consensus != d.Consensus {
		t.Errorf("read back %+v", again)
	}

	p := r.proof(d.ID)
	if p.Open || len(p.Similarities) > 0 || p.Ballots[0].Tag == (quorum.KeyTag{}) || p.Ballots[0].Tag != p.Ballots[1].Tag || p.Ballots[0].Tag == p.Ballots[2].Tag || p.Ballots[3].Tag != (quorum.KeyTag{}) {
		t.Errorf("recorded %+v", p)
	}
	leaf := must(r.ledger.Entry(d.Proof.Index))(t)
	if strings.Contains(string(leaf), "xyzzy") || strings.Contains(string(leaf), "echo") || strings.Contains(r.logs.String(), "xyzzy") {
		t.Errorf("the code is told: %s", leaf)
	}
	// The same results have other tags in another record: nobody can look them up.
	if q := r.proof(r.ask(askCode).ID); q.Ballots[0].Tag == p.Ballots[0].Tag {
		t.Error("tags are the same in two records")
	}

	if n := runsOf(r); n["ran"] != 6 || n["crashed"] != 4 {
		t.Errorf("counted %v", n)
	}
}

// runsOf counts what became of candidates.
func runsOf(r *rig) map[string]uint64 {
	r.t.Helper()
	var metrics metricdata.ResourceMetrics
	if err := r.metrics.Collect(context.Background(), &metrics); err != nil {
		r.t.Fatal(err)
	}
	counted := map[string]uint64{}
	for _, scope := range metrics.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name == "kaizen.run.duration" {
				for _, point := range m.Data.(metricdata.Histogram[float64]).DataPoints {
					v, _ := point.Attributes.Value("kaizen.outcome")
					counted[v.AsString()] = point.Count
				}
			}
		}
	}
	return counted
}

// Only code that never ends is asked here: how slow the machine is says nothing.
func TestCodeThatDoesNotEndHasFailed(t *testing.T) {
	t.Parallel()
	r := start(t, setup{runner: shellRunner(t, run.Config{Timeout: 300 * time.Millisecond}), panel: panelOf(t, script("while :; do :; done"))})
	d := r.ask(askCode)
	if b := ballot(t, d, "AUREA"); d.Status != "inquorate" || b.Outcome != "ok" || b.Reason != quorum.ReasonRunFailed {
		t.Errorf("%+v", d)
	}
	if n := runsOf(r); len(n) != 1 || n["timed out"] != 1 {
		t.Errorf("counted %v", n)
	}
}

// Code that ends what supervises it has failed; the runner works.
func TestCodeThatEndsItsSupervisorHasFailed(t *testing.T) {
	t.Parallel()
	r := start(t, setup{runner: shellRunner(t, run.Config{}), panel: panelOf(t, script("kill -9 $PPID; sleep 1000"), script("kill -QUIT $PPID; sleep 1000"))})
	d := r.ask(askCode)
	for _, id := range []string{"AUREA", "ATLAS"} {
		if b := ballot(t, d, id); b.Outcome != "ok" || b.Reason != quorum.ReasonRunFailed {
			t.Errorf("ballot %+v", b)
		}
	}
	if n := runsOf(r); len(n) != 1 || n["crashed"] != 2 || strings.Contains(r.logs.String(), "the code runner does not work") {
		t.Errorf("counted %v; %s", n, r.logs)
	}
}

func TestWithoutARunnerCodeIsDecidedByWhatIsEarned(t *testing.T) {
	t.Parallel()
	ran := filepath.Join(t.TempDir(), "ran")
	r := start(t, setup{panel: panelOf(t, script("touch "+ran), script("echo 42"), script("expr 6 '*' 7"))})
	d := r.ask(askCode)
	if len(d.Positions) != 3 || d.Consensus.Confidence >= 0 || d.Positions[0].Companions[0] != "AUREA" {
		t.Errorf("%+v", d)
	}
	if p := r.proof(d.ID); !p.Open || p.Ballots[1].Tag != (quorum.KeyTag{}) {
		t.Errorf("recorded %+v", p)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("code was run")
	}
}

func TestWhenAllFailTheRunnerNoCodeIsAnswered(t *testing.T) {
	t.Parallel()
	r := start(t, setup{runner: shellRunner(t, run.Config{}), panel: panelOf(t, script("exit 1"), script("kill -9 $$"), says("```\n```"))})
	d := r.ask(askCode)
	if d.Status != "inquorate" || d.Answer != "" || len(d.Positions) != 0 {
		t.Errorf("%+v", d)
	}
	if b := ballot(t, d, "ZENITH"); b.Reason != quorum.ReasonNoAnswer {
		t.Errorf("no code at all: %+v", b)
	}
}

// A request that ends ends what runs for it, its children too, and what would not
// run in time counts for nothing.
func TestARequestThatEndsEndsItsCode(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pids")
	r := start(t, setup{runner: shellRunner(t, run.Config{Parallel: 1}), panel: panelOf(t, script("echo $$ >> "+file+"; sleep 1000 & echo $! >> "+file+"; wait"))})
	d := r.ask(`{"prompt":"Write a shell script.","kind":"code","wait":"all","deadlineMs":1000,"context":{"tier":"research"},"include":["ballots"]}`)
	if b := ballot(t, d, "AUREA"); d.Status != "inquorate" || b.Outcome != "late" || b.Counted {
		t.Errorf("%+v", d)
	}
	// Its completing record comes once the seat has ended, and so its code.
	c := r.completion(d.ID)
	if b := &c.Ballots[0]; b.Outcome != quorum.Late || b.Tag != (quorum.KeyTag{}) || b.Position != -1 {
		t.Errorf("completed as %+v", b)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Logf("the machine was too slow for it to begin: %v", err) // the rest holds all the same
	}
	for _, word := range strings.Fields(string(text)) {
		pid := must(strconv.Atoi(word))(t)
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("process %d: %v", pid, err)
		}
	}
}

// A command that has gone since the start is nobody's fault, and is told once.
func TestARunnerThatDoesNotWork(t *testing.T) {
	t.Parallel()
	// A link: what was written here might still be open, in a process that another
	// test is about to start, and not be run for that.
	program := filepath.Join(t.TempDir(), "sh")
	if err := os.Symlink(must(exec.LookPath("sh"))(t), program); err != nil {
		t.Fatal(err)
	}
	r := start(t, setup{runner: shellRunner(t, run.Config{Command: []string{program}}), panel: panelOf(t, script("echo 42"), script("echo 42"))})
	if d := r.ask(askCode); d.Status != "carried" {
		t.Errorf("while it works: %+v", d)
	}
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	d := r.ask(askCode)
	if b := ballot(t, d, "ATLAS"); d.Status != "inquorate" || b.Outcome != "ok" || b.Reason != quorum.ReasonNotRun {
		t.Errorf("%+v", d)
	}
	if n := strings.Count(r.logs.String(), "the code runner does not work"); n != 1 {
		t.Errorf("told %d times: %s", n, r.logs)
	}
}
