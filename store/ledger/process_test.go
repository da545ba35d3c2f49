package ledger

import (
	"os"
	"os/exec"
	"testing"
)

// leavesGoroutines, set, says that this is a child of the test process that may
// end with goroutines running.
const leavesGoroutines = "KAIZEN_TEST_LEAVES_GOROUTINES"

// runInChild runs t's test in a process of its own, with env set.
func runInChild(t *testing.T, env string) {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe, "-test.run", "^"+t.Name()+"$", "-test.count=1", "-test.parallel=8")
	cmd.Env = append(os.Environ(), env+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}
