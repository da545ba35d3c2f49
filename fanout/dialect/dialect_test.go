package dialect

import (
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

func TestInstruction(t *testing.T) {
	for _, kind := range quorum.Kinds {
		told := string(AppendInstruction(nil, &quorum.Deliberation{Kind: kind}, 0))
		if (told == "") != (kind == quorum.Auto || kind == quorum.Text) || kind.Closed() && !strings.Contains(told, `{"answer":`) {
			t.Errorf("%v is told %q", kind, told)
		}
	}
	schema := []byte(`{"type":"object"}`)
	tool := []quorum.Tool{{Name: "f"}}
	for _, tt := range []struct {
		name  string
		d     quorum.Deliberation
		lacks Lacks
		want  string
	}{
		{"a choice has its options lettered", quorum.Deliberation{Kind: quorum.Choice, Options: []string{"red", "blue"}}, 0, instructChoice + "\nThe options are:\nA) red\nB) blue"},
		{"settings that say nothing of form leave the kind's word", quorum.Deliberation{Kind: quorum.Number, Generation: &quorum.Generation{MaxTokens: 5}}, 0, instructNumber},
		{"a client's own form needs no word where the provider has a setting", quorum.Deliberation{Kind: quorum.JSON, Generation: &quorum.Generation{Format: quorum.FormatJSON}}, 0, ""},
		{"nor has a kind one beside it", quorum.Deliberation{Kind: quorum.Number, Generation: &quorum.Generation{Format: quorum.FormatSchema, Schema: schema}}, NoJSONObject, ""},
		{"an object in words", quorum.Deliberation{Kind: quorum.JSON, Generation: &quorum.Generation{Format: quorum.FormatJSON}}, NoJSONObject, instructObject},
		{"a schema in words", quorum.Deliberation{Kind: quorum.JSON, Generation: &quorum.Generation{Format: quorum.FormatSchema, Schema: schema}}, NoJSONSchema, instructSchema + "\n" + `{"type":"object"}`},
		{"tools leave the kind out", quorum.Deliberation{Kind: quorum.JSON, Generation: &quorum.Generation{Tools: tool}}, 0, ""},
	} {
		if got := string(AppendInstruction([]byte("+"), &tt.d, tt.lacks)); got != "+"+tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, "+"+tt.want)
		}
	}
}

func TestFill(t *testing.T) {
	tools := func(choice quorum.ToolChoice, one bool) *quorum.Generation {
		return &quorum.Generation{Tools: []quorum.Tool{{Name: "f"}, {Name: "g"}}, ToolChoice: choice, OneCall: one}
	}
	call := func(name, arguments string) quorum.ToolCall {
		return quorum.ToolCall{ID: "x", Name: name, Arguments: arguments}
	}
	for _, tt := range []struct {
		name string
		g    *quorum.Generation
		a    Answer
		text string
		err  *upstream.Error
	}{
		{"a text", nil, Answer{Text: "a"}, "a", nil},
		{"an empty text", nil, Answer{}, "", nil},
		{"a text that ran into its limit", nil, Answer{Text: "a", Cut: true}, "a", nil},
		{"nothing but a limit", nil, Answer{Cut: true}, "", ErrNoRoom},
		{"stop sequences end it, the earliest first", &quorum.Generation{Stop: []string{"d", "", "b"}}, Answer{Text: "abcd"}, "a", nil},
		{"a call", tools(quorum.ToolAuto, false), Answer{Text: "I will.", Calls: []quorum.ToolCall{call("f", `{"a":1}`)}}, `{"toolCalls":[{"name":"f","arguments":{"a":1}}]}`, nil},
		{"two", tools(quorum.ToolRequired, false), Answer{Calls: []quorum.ToolCall{call("f", ""), call("g", "{}")}}, `{"toolCalls":[{"name":"f","arguments":{}},{"name":"g","arguments":{}}]}`, nil},
		{"two where one is wanted", tools(quorum.ToolAuto, true), Answer{Calls: []quorum.ToolCall{call("f", ""), call("g", "{}")}}, `{"toolCalls":[{"name":"f","arguments":{}}]}`, nil},
		{"arguments that are no JSON", tools(quorum.ToolAuto, false), Answer{Calls: []quorum.ToolCall{call("f", `{"a"`)}}, `{"toolCalls":[{"name":"f","arguments":"{\"a\""}]}`, nil},
		{"arguments that were cut off", tools(quorum.ToolAuto, false), Answer{Calls: []quorum.ToolCall{call("f", `{"a"`)}, Cut: true}, "", ErrNoRoom},
		{"a text instead of a call that may be left", tools(quorum.ToolAuto, false), Answer{Text: "no"}, "no", nil},
		{"a text instead of one that must be made", tools(quorum.ToolRequired, false), Answer{Text: "no"}, "", ErrNoCall},
		{"a call of nobody", tools(quorum.ToolAuto, false), Answer{Calls: []quorum.ToolCall{call("", "{}")}}, "", ErrCall},
		{"a call of another tool", tools(quorum.ToolAuto, false), Answer{Calls: []quorum.ToolCall{call("h", "{}")}}, "", ErrNotOffered},
		{"a call where there must be none", tools(quorum.ToolNone, false), Answer{Calls: []quorum.ToolCall{call("f", "{}")}}, "", ErrNotOffered},
		{"a call where there are no tools", nil, Answer{Calls: []quorum.ToolCall{call("f", "{}")}}, "", ErrNotOffered},
		{"tokens below 0", nil, Answer{Text: "a", Input: -1}, "", ErrTokens},
		{"tokens beyond belief", nil, Answer{Text: "a", Output: maxTokens + 1}, "", ErrTokens},
	} {
		tt.a.Model = "m"
		var r quorum.Reply
		err := tt.a.Fill(&quorum.Deliberation{Generation: tt.g}, &r)
		want := quorum.Reply{Text: tt.text, Model: "m"}
		if tt.err != nil {
			want = quorum.Reply{}
			if err != tt.err {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
			}
		} else if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if r != want {
			t.Errorf("%s: %+v, want %+v", tt.name, r, want)
		}
	}
}

func TestGather(t *testing.T) {
	g := Gather{Limit: 40}
	for _, piece := range []string{"", "ab", "c"} {
		if err := g.AddText(piece); err != nil {
			t.Fatal(err)
		}
	}
	// Calls whose pieces come mixed, in the order in which they began.
	for _, p := range []struct {
		key                 int64
		id, name, arguments string
	}{{7, "x", "f", `{"a`}, {2, "y", "g", ""}, {7, "", "", `":1}`}, {2, "", "", "{}"}} {
		if err := g.AddCall(p.key, p.id, p.name, p.arguments); err != nil {
			t.Fatal(err)
		}
	}
	var r quorum.Reply
	d := &quorum.Deliberation{Generation: &quorum.Generation{Tools: []quorum.Tool{{Name: "f"}, {Name: "g"}}}}
	if err := g.Fill(d, &r); err != nil || r.Text != `{"toolCalls":[{"name":"f","arguments":{"a":1}},{"name":"g","arguments":{}}]}` {
		t.Errorf("%v, %q", err, r.Text)
	}
	if err := g.AddText(strings.Repeat("x", 40)); err != ErrTooLarge {
		t.Errorf("over the limit: %v", err)
	}
	many := Gather{Limit: 1 << 20}
	for i := range int64(maxCalls) {
		if err := many.AddCall(i, "", "f", ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := many.AddCall(maxCalls, "", "f", ""); err != ErrTooLarge {
		t.Errorf("one call too many: %v", err)
	}
}

func TestAppendDecimal(t *testing.T) {
	for v, want := range map[quorum.PPM]string{0: "0", 1: "0.000001", 700_000: "0.7", 1_000_000: "1", 1_500_000: "1.5", 2_000_000: "2", 50_000: "0.05", 999_999: "0.999999"} {
		if got := string(AppendDecimal(nil, v)); got != want {
			t.Errorf("%d: %s, want %s", v, got, want)
		}
	}
}

func TestAppendJSON(t *testing.T) {
	for _, tt := range []struct {
		doc  string
		want string
	}{{` {"a": 1} `, `{"a": 1}`}, {`[1]`, "-"}, {`{"a"`, "-"}, {``, "-"}, {`{}"}`, "-"}} {
		if got := string(AppendJSON(nil, tt.doc, '{', "-")); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.doc, got, tt.want)
		}
	}
	if got := string(AppendJSON(nil, `true`, 0, "-")); got != "true" {
		t.Errorf("any kind: %q", got)
	}
}

func TestLimit(t *testing.T) {
	for _, tt := range []struct {
		configured int
		asked      int64
		want       int64
	}{{0, 0, 0}, {100, 0, 100}, {100, 5, 5}, {100, 200, 100}, {0, 200, 200}} {
		if got := Limit(tt.configured, &quorum.Generation{MaxTokens: tt.asked}); got != tt.want {
			t.Errorf("configured %d, asked %d: %d, want %d", tt.configured, tt.asked, got, tt.want)
		}
	}
	if got := Limit(100, nil); got != 100 {
		t.Errorf("without settings: %d", got)
	}
}

func TestParseLacks(t *testing.T) {
	got, err := ParseLacks([]string{"seed", "temperature"})
	if err != nil || got != NoSeed|NoTemperature || !got.Has(NoSeed) || got.Has(NoStop) {
		t.Errorf("%b, %v", got, err)
	}
	all, err := ParseLacks(lackNames[:])
	if err != nil || all != NoStreamOptions<<1-1 {
		t.Errorf("all: %b, %v", all, err)
	}
	if _, err := ParseLacks([]string{"colour"}); err == nil || err.Error() != `unknown "colour"; want some of temperature, topP, stop, seed, jsonObject, jsonSchema, toolChoice, parallelToolCalls, streamOptions` {
		t.Errorf("an unknown one: %v", err)
	}
}
