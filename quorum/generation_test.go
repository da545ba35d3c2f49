package quorum

import (
	"reflect"
	"testing"
)

func TestCallsText(t *testing.T) {
	for _, tt := range []struct {
		name  string
		calls []ToolCall
		want  string
		back  []ToolCall
	}{
		{"one", []ToolCall{{"call_1", "weather", `{"city":"Oslo"}`}}, `{"toolCalls":[{"name":"weather","arguments":{"city":"Oslo"}}]}`, []ToolCall{{"", "weather", `{"city":"Oslo"}`}}},
		{"two, one of them without arguments", []ToolCall{{"a", "now", ""}, {"b", "add", `{"x":1}`}}, `{"toolCalls":[{"name":"now","arguments":{}},{"name":"add","arguments":{"x":1}}]}`,
			[]ToolCall{{"", "now", "{}"}, {"", "add", `{"x":1}`}}},
		{"arguments that are no JSON", []ToolCall{{"a", `say "x"`, `{"city":`}}, `{"toolCalls":[{"name":"say \"x\"","arguments":"{\"city\":"}]}`, []ToolCall{{"", `say "x"`, `{"city":`}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := CallsText(tt.calls)
			if got != tt.want {
				t.Errorf("text %s, want %s", got, tt.want)
			}
			if back := ParseCalls(got); !reflect.DeepEqual(back, tt.back) {
				t.Errorf("read back %+v, want %+v", back, tt.back)
			}
		})
	}
	for _, text := range []string{"", "I would call weather.", `{"toolCalls":[`, `{"toolCalls":[{"name":""}]}`, `{"toolCalls":[]}`, `{"answer":"42"}`} {
		if calls := ParseCalls(text); calls != nil {
			t.Errorf("%q calls %+v", text, calls)
		}
	}
}
