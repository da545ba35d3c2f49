package clients

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

// leavers is how many streams the tests in node leave: one by each of the SDKs,
// and one in each way by the AI SDK.
const leavers = 7

// nodeProgram is the Node that the packages need: the one among them, or where that
// is not made for this machine, the one that is installed.
func nodeProgram(t *testing.T) string {
	t.Helper()
	arch := strings.Replace(runtime.GOARCH, "amd64", "x64", 1)
	node, err := filepath.Abs(filepath.Join("node", "node_modules", "node-"+runtime.GOOS+"-"+arch, "bin", "node"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(node, 0o755); err != nil { // not every npm makes it a program
		if node, err = exec.LookPath("node"); err != nil {
			t.Fatal("there is no Node: install it, or run make clients")
		}
	}
	if _, err := os.Stat(filepath.Join("node", "node_modules", "openai")); err != nil {
		t.Fatal("the Node packages are not there: npm ci in the folder node, or make clients")
	}
	return node
}

// The official clients for Node and the Vercel AI SDK, in node's own tests.
func TestNode(t *testing.T) {
	t.Parallel()
	g := keyed(t)
	spend := g.openAI(option.WithAPIKey(keySlow)) // its one request
	if _, err := spend.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: "kaizen/standard", Messages: user(product)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, nodeProgram(t), "--test", "--test-reporter=spec")
	cmd.Dir = "node"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(),
		"KAIZEN_URL=" + g.url, "KAIZEN_KEY=" + keyApp, "KAIZEN_SLOW_KEY=" + keySlow, "KAIZEN_LONG=" + long}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("node --test: %v\n%s", err, out)
	}
	t.Logf("%s", out)
	for range 6 * leavers {
		within(t, "a companion that is asked", g.panel.hanging)
		within(t, "a call that is ended", g.panel.abandoned)
	}
}
