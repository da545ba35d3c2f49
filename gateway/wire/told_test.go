package wire

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what is told to testdata")

// told are outcomes as the provider-shaped routes tell them.
func told() map[string]*Told {
	verdict := func() *Deliberation {
		return &Deliberation{ID: "dlb_01K", Status: "carried", Consensus: Consensus{Kind: "text", Agreement: 810_000, Confidence: 970_000, Share: 860_000, Votes: 4, Required: 2},
			Dissent: []Dissent{{Companions: []string{"ZEUS"}, Share: 140_000, Answer: "no"}}, Usage: Usage{93, 360, 4100}, Proof: Proof{1042, "bGVhZg==", "/v1/deliberations/dlb_01K/receipt"}}
	}
	base := func() *Told {
		return &Told{ID: "01K", Created: 1_767_225_600, Model: "kaizen/high", Text: "Rome has \"seven\" hills.\n", Verdict: verdict(), Asked: &Ask{}}
	}
	long := base()
	long.Text = strings.Repeat("höher und höher, ", 30)
	long.Asked = &Ask{StreamUsage: true, instructions: "be brief", Metadata: []byte(`{"a":"b"}`), Request: Request{Generation: &Generation{MaxTokens: 9, Temperature: 500_000, TopP: None, OneCall: true, Format: FormatSchema, SchemaName: "n", Schema: []byte(`{"type":"object"}`)}}}
	calls := base()
	calls.Text, calls.Calls = "", []ToolCall{{"call_01K_0", "weather", `{"city": "Rome"}`}, {"call_01K_1", "clock", `{}`}}
	calls.Asked.Generation = &Generation{Temperature: None, TopP: None, Tools: []Tool{{Name: "weather", Description: "d", Parameters: []byte(`{"type":"object"}`), Strict: true}, {Name: "clock"}}, ToolChoice: ToolNamed, ToolName: "weather"}
	stopped := base()
	stopped.Stopped = "END"
	empty := base()
	empty.Text = ""
	empty.Verdict.Ballots, empty.Verdict.Positions, empty.Verdict.Dissent = []Ballot{{Companion: "AUREA", Score: 9750, Confidence: None}}, []Position{{Answer: "a", Share: 1_000_000, Companions: []string{"AUREA"}}}, nil
	full := base()
	full.Full = true
	return map[string]*Told{"text": base(), "full": full, "long": long, "calls": calls, "stopped": stopped, "empty": empty}
}

// Every form of every outcome, byte by byte.
func TestTold(t *testing.T) {
	for name, out := range told() {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			whole := func(what string, body []byte) {
				if !json.Valid(body) {
					t.Errorf("%s is no JSON: %s", what, body)
				}
				got.WriteString("---- " + what + "\n" + string(body) + "\n")
			}
			streamed := func(what string, events [][]byte) {
				got.WriteString("---- " + what + ", streamed\n")
				for _, e := range events {
					lines := strings.Split(strings.TrimPrefix(string(e), "event: "), "\n")
					if what == "chat completions" {
						lines = append([]string{""}, lines...)
					}
					if len(lines) != 4 || !strings.HasPrefix(lines[1], "data: ") || lines[2] != "" || lines[3] != "" {
						t.Errorf("%s: %q is not one event", what, e)
					}
					got.Write(e)
				}
			}
			whole("chat completions", out.AppendChat(nil))
			streamed("chat completions", out.ChatEvents())
			whole("messages", out.AppendMessage(nil))
			streamed("messages", out.MessageEvents())
			whole("responses", out.AppendResponse(nil))
			streamed("responses", out.ResponseEvents())

			file := filepath.Join("testdata", "told", name+".txt")
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("told otherwise than in %s:\n%s", file, got.String())
			}
		})
	}
}

func TestToldErrors(t *testing.T) {
	e := &Error{Code: Unsupported, Message: "n: is not supported", DeliberationID: "dlb_1", Details: []Detail{{"n", "is not supported"}}}
	kept := &Error{Code: Unsupported, Message: "m", Details: []Detail{{"thread", "is not supported here"}}}
	for want, got := range map[string][]byte{
		// Which Anthropic's tool runners know, and go on without.
		`{"type":"error","error":{"type":"t","message":"m","details":{"error_code":"thread_unsupported_request","unsupported":["thread"]}},"kaizen":{"code":"unsupported_parameter","details":[{"field":"thread","problem":"is not supported here"}]}}`: kept.AppendAnthropic(nil, "t"),
		`{"error":{"message":"n: is not supported","type":"t","param":"n","code":"c"},"kaizen":{"code":"unsupported_parameter","id":"dlb_1","details":[{"field":"n","problem":"is not supported"}]}}`:                                                   e.AppendOpenAI(nil, "t", "c"),
		`{"type":"error","error":{"type":"t","message":"n: is not supported"},"kaizen":{"code":"unsupported_parameter","id":"dlb_1","details":[{"field":"n","problem":"is not supported"}]}}`:                                                           e.AppendAnthropic(nil, "t"),
		"event: error\ndata: " + string(e.AppendTo(nil)) + "\n\n": e.Events()[0],
		"data: {}\n\n": ChatError([]byte("{}"))[0],
		"event: error\ndata: {\"type\":\"error\"}\n\n": MessageError([]byte(`{"type":"error"}`))[0],
		"event: error\ndata: " + `{"type":"error","sequence_number":0,"code":"c","message":"n: is not supported","param":null,"error":{}}` + "\n\n": e.ResponseError([]byte(`{"error":{}}`), "c")[0],
	} {
		if string(got) != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
}

// A text in pieces is that text, whatever it holds, and each piece is whole
// characters.
func TestPieces(t *testing.T) {
	for _, text := range []string{"", "a", strings.Repeat("word ", 500), strings.Repeat("höhe", 500), strings.Repeat("語", 1000), strings.Repeat("\n", 600), strings.Repeat("\x80", 600)} {
		var all strings.Builder
		for piece := range pieces(text) {
			if piece == "" || len(piece) > maxPiece || strings.ToValidUTF8(piece, "?") != piece && strings.ToValidUTF8(text, "?") == text {
				t.Errorf("piece %q", piece)
			}
			all.WriteString(piece)
		}
		if all.String() != text {
			t.Errorf("%q in pieces is %q", text, all.String())
		}
	}
}

func BenchmarkChat(b *testing.B) {
	body := []byte(`{"model":"kaizen/high","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"What is 17 * 23?"}],"temperature":0.7,"max_tokens":100,"stream":false}`)
	lim, out := DefaultLimits(), told()["text"]
	var a Ask
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		if err := a.DecodeChat(body, lim); err != nil {
			b.Fatal(err)
		}
		dst = out.AppendChat(dst[:0])
	}
}
