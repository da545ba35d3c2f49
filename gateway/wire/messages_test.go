package wire

import (
	"reflect"
	"testing"
)

const (
	sayHi = `"model":"kaizen/high","max_tokens":100,"messages":[{"role":"user","content":"hi"}]`
	putHi = `"model":"kaizen/high","input":"hi"`
)

// A dialectCase is a body that is taken, and what it comes to.
type dialectCase struct {
	body string
	want func(*Ask)
}

func testDialect(t *testing.T, decode func(*Ask, []byte, *Limits) error, cases map[string]dialectCase) {
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			got := new(Ask)
			if err := decode(got, []byte(tt.body), DefaultLimits()); err != nil {
				t.Fatal(err)
			}
			want := &Ask{Request: Request{Messages: []Message{{Role: "user", Content: "hi"}}, Context: Context{Tier: "high", Chamber: "thought-broker"}, Kind: "auto", DeadlineMs: 20_000, Wait: "decided",
				Generation: &Generation{Temperature: None, TopP: None}}}
			tt.want(want)
			if want.Generation.plain() {
				want.Generation = nil
			}
			if got.Generation != nil {
				got.Generation.SchemaField, got.Generation.ParamsField = "", ""
			}
			got.instructions, want.instructions = "", ""
			if !reflect.DeepEqual(got, want) {
				t.Errorf("\n got %+v %+v\nwant %+v %+v", got, got.Generation, want, want.Generation)
			}
		})
	}
}

// A refusal is a body that is not taken, and where and why.
type refusal struct {
	body, field string
	code        Code
}

func testRefusals(t *testing.T, decode func(*Ask, []byte, *Limits) error, cases map[string]refusal) {
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			e := asError(t, decode(new(Ask), []byte(tt.body), DefaultLimits()))
			if e.Code != tt.code || len(e.Details) == 0 || e.Details[0].Field != tt.field {
				t.Errorf("%+v, want %s at %s", e, tt.code, tt.field)
			}
		})
	}
}

func TestMessagesDecode(t *testing.T) {
	tool := Tool{Name: "clock", Description: "d", Parameters: []byte(`{"type":"object"}`)}
	offered := `"tools":[{"name":"clock","description":"d","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}}]`
	hi := Message{Role: "user", Content: "hi"}
	turns := func(more string) string {
		return `{"model":"kaizen/high","max_tokens":100,"messages":[{"role":"user","content":"hi"},` + more + `]}`
	}
	testDialect(t, (*Ask).DecodeMessages, map[string]dialectCase{
		"the least there is": {`{` + sayHi + `}`, func(a *Ask) { a.Generation.MaxTokens = 100 }},
		"a system": {`{` + sayHi + `,"system":"be brief"}`, func(a *Ask) {
			a.Generation.MaxTokens = 100
			a.Messages = []Message{{Role: "system", Content: "be brief"}, hi}
		}},
		"a system in blocks": {`{"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}],` + sayHi + `}`, func(a *Ask) {
			a.Generation.MaxTokens = 100
			a.Messages = []Message{{Role: "system", Content: "a\nb"}, hi}
		}},
		"blocks": {turns(`{"role":"assistant","content":[{"type":"text","text":"ho","citations":null}]},{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`), func(a *Ask) {
			a.Generation.MaxTokens = 100
			a.Messages = []Message{hi, {Role: "assistant", Content: "ho"}, {Role: "user", Content: "a\nb"}}
		}},
		"how to sample": {`{` + sayHi + `,"temperature":1,"top_p":0.5,"stop_sequences":["a"]}`, func(a *Ask) {
			*a.Generation = Generation{MaxTokens: 100, Temperature: 1_000_000, TopP: 500_000, Stop: []string{"a"}}
		}},
		"tools": {`{` + sayHi + `,` + offered + `,"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}`, func(a *Ask) {
			a.Generation.MaxTokens, a.Generation.Tools, a.Generation.OneCall = 100, []Tool{tool}, true
		}},
		"any tool": {`{` + sayHi + `,` + offered + `,"tool_choice":{"type":"any"}}`, func(a *Ask) {
			a.Kind, a.Generation.MaxTokens, a.Generation.Tools, a.Generation.ToolChoice = "json", 100, []Tool{tool}, ToolRequired
		}},
		"this tool": {`{` + sayHi + `,` + offered + `,"tool_choice":{"type":"tool","name":"clock"}}`, func(a *Ask) {
			a.Kind, a.Generation.MaxTokens, a.Generation.Tools, a.Generation.ToolChoice, a.Generation.ToolName = "json", 100, []Tool{tool}, ToolNamed, "clock"
		}},
		"no tool": {`{` + sayHi + `,` + offered + `,"tool_choice":{"type":"none"}}`, func(a *Ask) {
			a.Generation.MaxTokens, a.Generation.Tools, a.Generation.ToolChoice = 100, []Tool{tool}, ToolNone
		}},
		"a call, its result and more": {turns(`{"role":"assistant","content":[{"type":"text","text":"let me see"},{"type":"tool_use","id":"t1","name":"clock","input":{"a":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"noon"}]},{"type":"text","text":"so?"}]}`), func(a *Ask) {
			a.Generation.MaxTokens = 100
			a.Messages = []Message{hi, {Role: "assistant", Content: "let me see", Calls: []ToolCall{{"t1", "clock", `{"a":1}`}}}, {Role: "tool", CallID: "t1", Content: "noon"}, {Role: "user", Content: "so?"}}
		}},
		"a result that failed": {turns(`{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"clock","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":"no clock"}]}`), func(a *Ask) {
			a.Generation.MaxTokens = 100
			a.Messages = []Message{hi, {Role: "assistant", Calls: []ToolCall{{"t1", "clock", `{}`}}}, {Role: "tool", CallID: "t1", Content: "error: no clock"}}
		}},
		"a schema": {`{` + sayHi + `,"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}`, func(a *Ask) {
			a.Kind, a.Generation.MaxTokens, a.Generation.Format, a.Generation.Schema = "json", 100, FormatSchema, []byte(`{"type":"object"}`)
		}},
		"a schema as it was before": {`{` + sayHi + `,"output_format":{"type":"json_schema","schema":{"type":"object"}}}`, func(a *Ask) {
			a.Kind, a.Generation.MaxTokens, a.Generation.Format, a.Generation.Schema = "json", 100, FormatSchema, []byte(`{"type":"object"}`)
		}},
		"our own fields":       {`{` + sayHi + `,"kaizen":{"kind":"number","wait":"all"}}`, func(a *Ask) { a.Generation.MaxTokens, a.Kind, a.Wait = 100, "number", "all" }},
		"what changes nothing": {`{` + sayHi + `,"stream":true,"metadata":{"user_id":"u"},"thinking":{"type":"disabled"},"service_tier":"auto","mcp_servers":[],"top_k":null,"cache_control":{"type":"ephemeral"},"thread":null,"speed":"standard"}`, func(a *Ask) { a.Generation.MaxTokens, a.Stream = 100, true }},
		"a tool as clients offer it": {`{` + sayHi + `,"tools":[{"name":"clock","description":"d","input_schema":{"type":"object"},"eager_input_streaming":true,"defer_loading":false,"allowed_callers":["direct"],"input_examples":[]}]}`, func(a *Ask) {
			a.Generation.MaxTokens, a.Generation.Tools = 100, []Tool{tool}
		}},
	})
	testRefusals(t, (*Ask).DecodeMessages, map[string]refusal{
		"no limit of tokens":           {`{"model":"kaizen/high","messages":[{"role":"user","content":"hi"}]}`, "max_tokens", MissingField},
		"another model":                {`{"model":"claude","max_tokens":1,"messages":[{"role":"user","content":"hi"}]}`, "model", ModelNotFound},
		"the likeliest tokens":         {`{` + sayHi + `,"top_k":5}`, "top_k", Unsupported},
		"thinking":                     {`{` + sayHi + `,"thinking":{"type":"enabled","budget_tokens":1024}}`, "thinking", Unsupported},
		"servers":                      {`{` + sayHi + `,"mcp_servers":[{"type":"url"}]}`, "mcp_servers", Unsupported},
		"a container":                  {`{` + sayHi + `,"container":"c"}`, "container", Unsupported},
		"edited context":               {`{` + sayHi + `,"context_management":{}}`, "context_management", Unsupported},
		"a conversation that is kept":  {`{` + sayHi + `,"thread":{"type":"create"}}`, "thread", Unsupported},
		"speed":                        {`{` + sayHi + `,"speed":"fast"}`, "speed", Unsupported},
		"a tool that is found later":   {`{` + sayHi + `,"tools":[{"name":"clock","input_schema":{},"defer_loading":true}]}`, "tools[0].defer_loading", Unsupported},
		"a tool that code calls":       {`{` + sayHi + `,"tools":[{"name":"clock","input_schema":{},"allowed_callers":["code_execution_20260120"]}]}`, "tools[0].allowed_callers", Unsupported},
		"a tool with examples":         {`{` + sayHi + `,"tools":[{"name":"clock","input_schema":{},"input_examples":[{"a":1}]}]}`, "tools[0].input_examples", Unsupported},
		"an effort":                    {`{` + sayHi + `,"output_config":{"effort":"low"}}`, "output_config.effort", Unsupported},
		"too hot":                      {`{` + sayHi + `,"temperature":1.5}`, "temperature", InvalidValue},
		"an unknown field":             {`{` + sayHi + `,"n":1}`, "n", UnknownField},
		"a tool of the provider's":     {`{` + sayHi + `,"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":5}]}`, "tools[0].type", Unsupported},
		"a tool without its schema":    {`{` + sayHi + `,"tools":[{"name":"clock"}]}`, "tools[0].input_schema", MissingField},
		"a tool that is not there":     {`{` + sayHi + `,"tools":[{"name":"clock","input_schema":{}}],"tool_choice":{"type":"tool","name":"mail"}}`, "tool_choice", InvalidValue},
		"a choice without a name":      {`{` + sayHi + `,"tools":[{"name":"clock","input_schema":{}}],"tool_choice":{"type":"tool"}}`, "tool_choice.name", MissingField},
		"a picture":                    {turns(`{"role":"user","content":[{"type":"image","source":{"type":"base64"}}]}`), "messages[1].content[0].type", Unsupported},
		"a document":                   {turns(`{"role":"user","content":[{"type":"document","source":{},"title":"t"}]}`), "messages[1].content[0].type", Unsupported},
		"thoughts":                     {turns(`{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"}]},{"role":"user","content":"so?"}`), "messages[1].content[0].type", Unsupported},
		"a picture in a result":        {turns(`{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"clock","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"image","source":{}}]}]}`), "messages[2].content[0].content[0].type", Unsupported},
		"a system in the conversation": {turns(`{"role":"system","content":"be brief"}`), "messages[1].role", InvalidValue},
		"a reply that has begun":       {turns(`{"role":"assistant","content":"The"}`), "messages", Unsupported},
		"a result after the text":      {turns(`{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"clock","input":{}}]},{"role":"user","content":[{"type":"text","text":"so?"},{"type":"tool_result","tool_use_id":"t1","content":"x"}]}`), "messages[2].content[1]", InvalidValue},
		"a result of nothing":          {turns(`{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"x"}]}`), "messages", InvalidValue},
		"a call of the user's":         {turns(`{"role":"user","content":[{"type":"tool_use","id":"t1","name":"clock","input":{}}]}`), "messages[1].content", InvalidValue},
		"a call without input":         {turns(`{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"clock"}]}`), "messages[1].content[0].input", MissingField},
		"no content":                   {turns(`{"role":"user"}`), "messages[1].content", MissingField},
		"no role":                      {turns(`{"content":"x"}`), "messages[1].role", MissingField},
	})
}

func TestResponsesDecode(t *testing.T) {
	tool := Tool{Name: "clock", Parameters: []byte(`{"type":"object"}`), Strict: true}
	offered := `"tools":[{"type":"function","name":"clock","parameters":{"type":"object"},"strict":true}]`
	hi := Message{Role: "user", Content: "hi"}
	items := func(more string) string {
		return `{"model":"kaizen/high","input":[{"role":"user","content":"hi"},` + more + `]}`
	}
	call := `{"type":"function_call","id":"fc_1","call_id":"c1","name":"clock","arguments":"{}","status":"completed","parsed_arguments":{}}`
	testDialect(t, (*Ask).DecodeResponses, map[string]dialectCase{
		"the least there is": {`{` + putHi + `}`, func(*Ask) {}},
		"instructions":       {`{` + putHi + `,"instructions":"be brief"}`, func(a *Ask) { a.Messages = []Message{{Role: "system", Content: "be brief"}, hi} }},
		"items": {items(`{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"ho","annotations":[],"logprobs":[],"parsed":null}]},{"role":"developer","content":"brief"},{"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]}`), func(a *Ask) {
			a.Messages = []Message{hi, {Role: "assistant", Content: "ho"}, {Role: "system", Content: "brief"}, {Role: "user", Content: "a\nb"}}
		}},
		"calls and results": {items(call + `,{"type":"function_call","call_id":"c2","name":"clock","arguments":"{}"},{"type":"function_call_output","call_id":"c2","output":"two"},{"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"one"}]}`), func(a *Ask) {
			a.Messages = []Message{hi, {Role: "assistant", Calls: []ToolCall{{"c1", "clock", "{}"}, {"c2", "clock", "{}"}}}, {Role: "tool", CallID: "c2", Content: "two"}, {Role: "tool", CallID: "c1", Content: "one"}}
		}},
		"a call after a text": {items(`{"role":"assistant","content":"let me see"},` + call + `,{"type":"function_call_output","call_id":"c1","output":"noon"}`), func(a *Ask) {
			a.Messages = []Message{hi, {Role: "assistant", Content: "let me see", Calls: []ToolCall{{"c1", "clock", "{}"}}}, {Role: "tool", CallID: "c1", Content: "noon"}}
		}},
		"how to sample": {`{` + putHi + `,"temperature":0.5,"top_p":1,"max_output_tokens":9}`, func(a *Ask) { *a.Generation = Generation{MaxTokens: 9, Temperature: 500_000, TopP: 1_000_000} }},
		"tools":         {`{` + putHi + `,` + offered + `,"parallel_tool_calls":false}`, func(a *Ask) { a.Generation.Tools, a.Generation.OneCall = []Tool{tool}, true }},
		"this tool": {`{` + putHi + `,` + offered + `,"tool_choice":{"type":"function","name":"clock"}}`, func(a *Ask) {
			a.Kind, a.Generation.Tools, a.Generation.ToolChoice, a.Generation.ToolName = "json", []Tool{tool}, ToolNamed, "clock"
		}},
		"some tool": {`{` + putHi + `,` + offered + `,"tool_choice":"required"}`, func(a *Ask) { a.Kind, a.Generation.Tools, a.Generation.ToolChoice = "json", []Tool{tool}, ToolRequired }},
		"a schema": {`{` + putHi + `,"text":{"format":{"type":"json_schema","name":"n","strict":true,"schema":{"type":"object"}}}}`, func(a *Ask) {
			a.Kind, a.Generation.Format, a.Generation.SchemaName, a.Generation.Schema = "json", FormatSchema, "n", []byte(`{"type":"object"}`)
		}},
		"an object":              {`{` + putHi + `,"text":{"format":{"type":"json_object"},"verbosity":"medium"}}`, func(a *Ask) { a.Kind, a.Generation.Format = "json", FormatJSON }},
		"labels are told back":   {`{` + putHi + `,"metadata":{"a":"b","c":"d"}}`, func(a *Ask) { a.Metadata = []byte(`{"a":"b","c":"d"}`) }},
		"our own fields":         {`{` + putHi + `,"kaizen":{"kind":"number"}}`, func(a *Ask) { a.Kind = "number" }},
		"what changes nothing":   {`{` + putHi + `,"store":false,"stream":true,"stream_options":{"include_obfuscation":false},"background":false,"truncation":"disabled","service_tier":"auto","top_logprobs":0,"reasoning":{},"include":["reasoning.encrypted_content"],"previous_response_id":null,"conversation":null,"user":"u","prompt_cache_key":"k","parallel_tool_calls":true,"text":{"format":{"type":"text"}}}`, func(a *Ask) { a.Stream = true }},
		"no effort in reasoning": {`{` + putHi + `,"reasoning":{"effort":null,"summary":null}}`, func(*Ask) {}},
	})
	testRefusals(t, (*Ask).DecodeResponses, map[string]refusal{
		"no input":                  {`{"model":"kaizen/high"}`, "input", MissingField},
		"stored":                    {`{` + putHi + `,"store":true}`, "store", Unsupported},
		"what was before":           {`{` + putHi + `,"previous_response_id":"resp_1"}`, "previous_response_id", Unsupported},
		"a conversation":            {`{` + putHi + `,"conversation":"conv_1"}`, "conversation", Unsupported},
		"in the background":         {`{` + putHi + `,"background":true}`, "background", Unsupported},
		"truncated":                 {`{` + putHi + `,"truncation":"auto"}`, "truncation", Unsupported},
		"reasoning":                 {`{` + putHi + `,"reasoning":{"effort":"high"}}`, "reasoning", Unsupported},
		"what is not there":         {`{` + putHi + `,"include":["file_search_call.results"]}`, "include", Unsupported},
		"a prompt of theirs":        {`{` + putHi + `,"prompt":{"id":"p"}}`, "prompt", Unsupported},
		"a number of calls":         {`{` + putHi + `,"max_tool_calls":3}`, "max_tool_calls", Unsupported},
		"a verbosity":               {`{` + putHi + `,"text":{"verbosity":"low"}}`, "text.verbosity", Unsupported},
		"an unknown field":          {`{` + putHi + `,"messages":[]}`, "messages", UnknownField},
		"a tool of theirs":          {`{` + putHi + `,"tools":[{"type":"web_search","search_context_size":"low"}]}`, "tools[0].type", Unsupported},
		"a choice among some":       {`{` + putHi + `,` + offered + `,"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[]}}`, "tool_choice.type", Unsupported},
		"an item of another sort":   {items(`{"type":"reasoning","id":"rs_1","summary":[]}`), "input[1].type", Unsupported},
		"a reference":               {items(`{"type":"item_reference","id":"x"}`), "input[1].type", Unsupported},
		"a picture":                 {items(`{"role":"user","content":[{"type":"input_image","image_url":"x","detail":"low"}]}`), "input[1].content[0].type", Unsupported},
		"a file":                    {items(`{"role":"user","content":[{"type":"input_file","file_id":"x"}]}`), "input[1].content[0].type", Unsupported},
		"a call without its result": {items(call), "input", Unsupported},
		"a result of nothing":       {items(`{"type":"function_call_output","call_id":"c9","output":"x"}`), "input", InvalidValue},
		"a result without a call":   {items(`{"type":"function_call_output","output":"x"}`), "input[1].call_id", MissingField},
		"no role":                   {items(`{"type":"message","content":"x"}`), "input[1].role", MissingField},
		"labels that are no text":   {`{` + putHi + `,"metadata":{"a":1}}`, "metadata", InvalidType},
	})
}

func FuzzMessages(f *testing.F) {
	for _, seed := range []string{
		`{` + sayHi + `}`, `{` + sayHi + `,"system":[{"type":"text","text":"a"}],"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"tool","name":"f"}}`,
		`{"model":"kaizen/auto","max_tokens":1,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"x"}]},{"type":"text","text":"b"}]}]}`, `{`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) { fuzzAsk(t, body, (*Ask).DecodeMessages) })
}

func FuzzResponses(f *testing.F) {
	for _, seed := range []string{
		`{` + putHi + `}`, `{` + putHi + `,"text":{"format":{"type":"json_schema","name":"n","schema":{}}},"metadata":{"a":"b"}}`,
		`{"model":"kaizen/auto","instructions":"x","input":[{"role":"user","content":[{"type":"input_text","text":"a"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"x"}],"tools":[{"type":"function","name":"f"}],"tool_choice":"auto"}`, `{`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) { fuzzAsk(t, body, (*Ask).DecodeResponses) })
}
