package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

// An agent starts kaizen mcp and speaks to it over its pipes.
func TestMCP(t *testing.T) {
	s := startServer(t, t.TempDir(), anyPort)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	process := exec.Command(exe, "mcp", "--url", s.url)
	process.Env = append(os.Environ(), asProgram+"=1", "GORACE=halt_on_error=1 atexit_sleep_ms=0")
	alive, parent, err := os.Pipe() // as start: the program ends with the test
	if err != nil {
		t.Fatal(err)
	}
	defer parent.Close()
	process.ExtraFiles = []*os.File{alive}
	client := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &sdk.CommandTransport{Command: process}, nil)
	alive.Close()
	if err != nil {
		t.Fatal(err)
	}
	res, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "deliberate", Arguments: map[string]any{"prompt": "What is 17 * 23?", "kind": "number", "wait": "all"}})
	if err != nil || res.IsError {
		t.Fatalf("deliberate: %v, %+v", err, res)
	}
	raw, err := json.Marshal(res.StructuredContent)
	if err != nil {
		t.Fatal(err)
	}
	var d wire.Deliberation
	if err := d.Decode(raw); err != nil || d.ID == "" || d.Status == "" {
		t.Errorf("deliberate answers %s: %v", raw, err)
	}
	s.stop()
	// A gateway that is gone is told as any tool's error.
	res, err = session.CallTool(t.Context(), &sdk.CallToolParams{Name: "validate", Arguments: map[string]any{"text": "Hello."}})
	if err != nil || !res.IsError || !strings.Contains(res.Content[0].(*sdk.TextContent).Text, "is the gateway running?") {
		t.Errorf("validate without a gateway: %v, %+v", err, res)
	}
	if err := session.Close(); err != nil || process.ProcessState.ExitCode() != 0 {
		t.Errorf("it ends with %v, %v", process.ProcessState, err)
	}
}

func TestMCPRefusesABadCommandLine(t *testing.T) {
	for _, args := range [][]string{{"mcp", "now"}, {"mcp", "--url", "nowhere"}, {"mcp", "--key", "secret"}} {
		if out, errOut, code := runProgram(t, "", nil, args...); code != exitUsage || out != "" || strings.Count(errOut, "\n") != 1 {
			t.Errorf("%q: exit code %d, %q, %q", args, code, out, errOut)
		}
	}
	// What comes in is no message of the protocol.
	if out, errOut, code := runProgram(t, "hello\n", nil, "mcp"); code != exitFailed || out != "" || !strings.Contains(errOut, "not the Model Context Protocol") {
		t.Errorf("words that are no message: exit code %d, %q, %q", code, out, errOut)
	}
}
