package clients

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documented is where the README's gateway listens.
const documented = "127.0.0.1:8080"

// blocks are the README's code in a language, with the gateway's own address.
func blocks(t *testing.T, language, url string) (list []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		list = append(list, strings.ReplaceAll(m[1], documented, strings.TrimPrefix(url, "http://")))
	}
	return list
}

// simulated starts the gateway as the README does, with its simulated companions.
func simulated(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	return serve(t, dir, fmt.Sprintf("listen: 127.0.0.1:0\nadmin: \"\"\ndata: %q\nlogLevel: warn\n", filepath.Join(dir, "data")))
}

func shell(t *testing.T, dir string, command ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()} // and no proxies
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", command, err, out)
	}
	return string(out)
}

// The README's commands for curl do as they stand what it says of them, and
// streamed as well.
func TestReadmeCurl(t *testing.T) {
	t.Parallel()
	url := simulated(t)
	ran := 0
	for _, block := range blocks(t, "sh", url) {
		if !strings.HasPrefix(block, "curl ") {
			continue
		}
		ran++
		out := shell(t, t.TempDir(), "sh", "-c", block)
		var want []string
		switch {
		case strings.Contains(block, "/v1/chat/completions"):
			want = []string{`"object":"chat.completion"`, `"kaizen":{"id":"dlb_`, `391`}
			streamed := strings.Replace(strings.Replace(block, "curl -s", "curl -sN", 1), `{"model":`, `{"stream":true,"stream_options":{"include_usage":true},"model":`, 1)
			out := shell(t, t.TempDir(), "sh", "-c", streamed)
			for _, want := range []string{": asked ", ": heard ", `"object":"chat.completion.chunk"`, `"kaizen":{"id":"dlb_`, `"choices":[],"usage":{`, "data: [DONE]\n\n"} {
				if !strings.Contains(out, want) {
					t.Errorf("no %s from %s: %s", want, streamed, out)
				}
			}
		case strings.Contains(block, "text/event-stream"):
			for _, name := range []string{"asked", "ballot", "decided", "answer", "receipt"} {
				want = append(want, "event: "+name+"\ndata: {")
			}
		default:
			want = []string{`"status":"`, `"ballots":[{`, `"receipt":"/v1/deliberations/dlb_`, `391`}
		}
		for _, want := range want {
			if !strings.Contains(out, want) {
				t.Errorf("no %s from %s: %s", want, block, out)
			}
		}
	}
	if ran != 3 {
		t.Errorf("the README has %d commands for curl, want 3", ran)
	}
	// What curl --fail sees of an error.
	out := shell(t, t.TempDir(), "sh", "-c", `curl -s -o /dev/null -w '%{http_code} %{content_type}' `+url+`/v1/chat/completions -H 'Content-Type: application/json' -d '{"model":"gpt-5","messages":[]}'`)
	if out != "404 application/json" {
		t.Errorf("an error: %s", out)
	}
}

// So does its code for Node.
func TestReadmeNode(t *testing.T) {
	t.Parallel()
	scripts := blocks(t, "js", simulated(t))
	if len(scripts) != 1 {
		t.Fatalf("the README has %d scripts, want 1", len(scripts))
	}
	out := shell(t, "node", nodeProgram(t), "--input-type=module", "-e", scripts[0])
	if !strings.Contains(strings.ToLower(out), "simulated") || !strings.Contains(out, "receipt: '/v1/deliberations/dlb_") {
		t.Errorf("%s", out)
	}
}
