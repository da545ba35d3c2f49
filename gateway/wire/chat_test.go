package wire

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const askHi = `"model":"kaizen/high","messages":[{"role":"user","content":"hi"}]`

// chatOf decodes a chat completion that must be taken.
func chatOf(t *testing.T, body string) *Ask {
	t.Helper()
	a := new(Ask)
	if err := a.DecodeChat([]byte(body), DefaultLimits()); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return a
}

func TestChatDecode(t *testing.T) {
	user := []Message{{Role: "user", Content: "hi"}}
	weather := ToolCall{ID: "c1", Name: "weather", Arguments: `{"city":"Rome"}`}
	offered := `"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object"},"strict":true}}]`
	tool := Tool{Name: "weather", Description: "d", Parameters: []byte(`{"type":"object"}`), Strict: true}
	for name, tt := range map[string]struct {
		body string
		want func(*Ask)
	}{
		"the least there is":         {`{` + askHi + `}`, func(*Ask) {}},
		"null is left out":           {`{` + askHi + `,"stop":null,"temperature":null,"tools":null,"seed":null,"n":null,"audio":null,"user":null}`, func(*Ask) {}},
		"auto leaves the tier open":  {`{"model":"kaizen/auto","messages":[{"role":"user","content":"hi"}]}`, func(a *Ask) { a.Auto, a.Context.Tier = true, "standard" }},
		"auto, and a tier beside it": {`{"model":"kaizen/auto","messages":[{"role":"user","content":"hi"}],"kaizen":{"tier":"critical"}}`, func(a *Ask) { a.Context.Tier = "critical" }},
		"our own fields": {`{"kaizen":{"tier":"high","chamber":"genesis-dome","cycle":"C-1","topic":"t","kind":"choice","options":["a","b"],"deadlineMs":5,"wait":"all","maxCompanions":3,"maxCostMicroUsd":9,"cache":{"maxAgeSeconds":60},"include":["ballots"],"rounds":2,"judge":"ATLAS","synthesis":"none"},` + askHi + `}`, func(a *Ask) {
			a.Context = Context{"high", "genesis-dome", "C-1", "t"}
			a.Kind, a.Options, a.DeadlineMs, a.Wait = "choice", []string{"a", "b"}, 5, "all"
			a.MaxCompanions, a.MaxCostMicroUSD, a.CacheMaxAgeSeconds, a.Include = 3, 9, 60, IncludeBallots
			a.Rounds, a.Judge, a.Synthesis = 2, "ATLAS", "none"
		}},
		"an operation":                 {`{` + askHi + `,"kaizen":{"operation":"mic.mint"}}`, func(a *Ask) { a.Operation = "mic.mint" }},
		"text in parts":                {`{"model":"kaizen/high","messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}]}]}`, func(a *Ask) { a.Messages[0].Content = "a\nb" }},
		"a developer is the system":    {`{"model":"kaizen/high","messages":[{"role":"developer","content":"be brief"},{"role":"user","content":"hi"}]}`, func(a *Ask) { a.Messages = []Message{{Role: "system", Content: "be brief"}, user[0]} }},
		"what was answered, sent back": {`{"model":"kaizen/high","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"ho","refusal":null,"annotations":[],"audio":null,"function_call":null,"tool_calls":null,"parsed":{"a":1}},{"role":"user","content":"hi"}]}`, func(a *Ask) { a.Messages = []Message{user[0], {Role: "assistant", Content: "ho"}, user[0]} }},
		"a refusal sent back":          {`{"model":"kaizen/high","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":null,"refusal":"no"},{"role":"user","content":"hi"}]}`, func(a *Ask) { a.Messages = []Message{user[0], {Role: "assistant", Content: "no"}, user[0]} }},
		"a call and its result": {`{"model":"kaizen/high","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rome\"}","parsed_arguments":{"city":"Rome"}}}]},{"role":"tool","tool_call_id":"c1","name":"weather","content":"sun"}],` + offered + `}`, func(a *Ask) {
			a.Messages = []Message{user[0], {Role: "assistant", Calls: []ToolCall{weather}}, {Role: "tool", CallID: "c1", Content: "sun"}}
			a.Generation = &Generation{Temperature: None, TopP: None, Tools: []Tool{tool}}
		}},
		"tools": {`{` + askHi + `,` + offered + `,"parallel_tool_calls":false}`, func(a *Ask) {
			a.Generation = &Generation{Temperature: None, TopP: None, Tools: []Tool{tool}, OneCall: true}
		}},
		"a tool that must be called": {`{` + askHi + `,` + offered + `,"tool_choice":"required"}`, func(a *Ask) {
			a.Kind = "json"
			a.Generation = &Generation{Temperature: None, TopP: None, Tools: []Tool{tool}, ToolChoice: ToolRequired}
		}},
		"this tool": {`{` + askHi + `,` + offered + `,"tool_choice":{"type":"function","function":{"name":"weather"}}}`, func(a *Ask) {
			a.Kind = "json"
			a.Generation = &Generation{Temperature: None, TopP: None, Tools: []Tool{tool}, ToolChoice: ToolNamed, ToolName: "weather"}
		}},
		"no tool": {`{` + askHi + `,` + offered + `,"tool_choice":"none"}`, func(a *Ask) {
			a.Generation = &Generation{Temperature: None, TopP: None, Tools: []Tool{tool}, ToolChoice: ToolNone}
		}},
		"tools as the companion chooses": {`{` + askHi + `,` + offered + `,"tool_choice":"auto"}`, func(a *Ask) { a.Generation = &Generation{Temperature: None, TopP: None, Tools: []Tool{tool}} }},
		"how to sample": {`{` + askHi + `,"temperature":0.7,"top_p":0.30000000000000004,"seed":-3,"max_tokens":10,"stop":"END"}`, func(a *Ask) {
			a.Generation = &Generation{Temperature: 700_000, TopP: 300_000, Seed: -3, Seeded: true, MaxTokens: 10, Stop: []string{"END"}}
		}},
		"several stops, a limit twice": {`{` + askHi + `,"temperature":0,"stop":["a","b"],"max_tokens":7,"max_completion_tokens":7}`, func(a *Ask) { a.Generation = &Generation{TopP: None, MaxTokens: 7, Stop: []string{"a", "b"}} }},
		"any text":                     {`{` + askHi + `,"response_format":{"type":"text"}}`, func(*Ask) {}},
		"an object": {`{` + askHi + `,"response_format":{"type":"json_object"}}`, func(a *Ask) {
			a.Kind = "json"
			a.Generation = &Generation{Temperature: None, TopP: None, Format: FormatJSON}
		}},
		"what a schema accepts": {`{` + askHi + `,"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"description":"so","schema":{"type":"object"}}}}`, func(a *Ask) {
			a.Kind = "json"
			a.Generation = &Generation{Temperature: None, TopP: None, Format: FormatSchema, SchemaName: "n", Schema: []byte(`{"description":"so","type":"object"}`)}
		}},
		"streamed": {`{` + askHi + `,"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}`, func(a *Ask) { a.Stream, a.StreamUsage = true, true }},
		"what clients send by themselves": {`{` + askHi + `,"n":1,"store":false,"presence_penalty":0,"frequency_penalty":0.0,"logprobs":false,"top_logprobs":0,"service_tier":"auto","modalities":["text"],"logit_bias":{},"verbosity":"medium","parallel_tool_calls":true,"user":"u","safety_identifier":"s","prompt_cache_key":"k","metadata":{"a":"b"},"stream":false,"stream_options":{"include_usage":true},"cache_control":{"type":"ephemeral"}}`,
			func(a *Ask) { a.StreamUsage = true }},
	} {
		t.Run(name, func(t *testing.T) {
			got := chatOf(t, tt.body)
			want := &Ask{Request: Request{Messages: append([]Message(nil), user...), Context: Context{Tier: "high", Chamber: "thought-broker"}, Kind: "auto", DeadlineMs: 20_000, Wait: "decided"}}
			tt.want(want)
			if got.Generation != nil {
				got.Generation.SchemaField, got.Generation.ParamsField = "", ""
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("\n got %+v %+v\nwant %+v %+v", got, got.Generation, want, want.Generation)
			}
		})
	}
}

func TestChatDecodeRefusesByName(t *testing.T) {
	tool := `"tools":[{"type":"function","function":{"name":"f"}}]`
	asked := func(messages string) string { return `{"model":"kaizen/high","messages":[` + messages + `]}` }
	for name, tt := range map[string]struct {
		body, field string
		code        Code
	}{
		"no model":                   {`{"messages":[{"role":"user","content":"hi"}]}`, "model", MissingField},
		"no messages":                {`{"model":"kaizen/high"}`, "messages", MissingField},
		"null messages":              {`{"model":"kaizen/high","messages":null}`, "messages", InvalidValue},
		"another model":              {`{"model":"gpt-5","messages":[{"role":"user","content":"hi"}]}`, "model", ModelNotFound},
		"no such tier":               {`{"model":"kaizen/best","messages":[{"role":"user","content":"hi"}]}`, "model", ModelNotFound},
		"two tiers":                  {`{` + askHi + `,"kaizen":{"tier":"critical"}}`, "kaizen.tier", InvalidValue},
		"several answers":            {`{` + askHi + `,"n":2}`, "n", Unsupported},
		"log probabilities":          {`{` + askHi + `,"logprobs":true}`, "logprobs", Unsupported},
		"the most likely tokens":     {`{` + askHi + `,"top_logprobs":3}`, "top_logprobs", Unsupported},
		"biased tokens":              {`{` + askHi + `,"logit_bias":{"50256":-100}}`, "logit_bias", Unsupported},
		"audio":                      {`{` + askHi + `,"audio":{"voice":"x","format":"wav"}}`, "audio", Unsupported},
		"spoken":                     {`{` + askHi + `,"modalities":["text","audio"]}`, "modalities", Unsupported},
		"a prediction":               {`{` + askHi + `,"prediction":{"type":"content","content":"x"}}`, "prediction", Unsupported},
		"a web search":               {`{` + askHi + `,"web_search_options":{}}`, "web_search_options", Unsupported},
		"stored":                     {`{` + askHi + `,"store":true}`, "store", Unsupported},
		"a presence penalty":         {`{` + askHi + `,"presence_penalty":0.5}`, "presence_penalty", Unsupported},
		"a frequency penalty":        {`{` + askHi + `,"frequency_penalty":-1}`, "frequency_penalty", Unsupported},
		"another service tier":       {`{` + askHi + `,"service_tier":"flex"}`, "service_tier", Unsupported},
		"an effort":                  {`{` + askHi + `,"reasoning_effort":"high"}`, "reasoning_effort", Unsupported},
		"a verbosity":                {`{` + askHi + `,"verbosity":"low"}`, "verbosity", Unsupported},
		"functions":                  {`{` + askHi + `,"functions":[]}`, "functions", Unsupported},
		"a function call":            {`{` + askHi + `,"function_call":"auto"}`, "function_call", Unsupported},
		"an unknown field":           {`{` + askHi + `,"top_k":3}`, "top_k", UnknownField},
		"a field that is misspelt":   {`{` + askHi + `,"temprature":1}`, "temprature", UnknownField},
		"a field twice":              {`{` + askHi + `,"seed":1,"seed":2}`, "seed", DuplicateField},
		"our field at the top":       {`{` + askHi + `,"wait":"all"}`, "wait", UnknownField},
		"an unknown one of ours":     {`{` + askHi + `,"kaizen":{"prompt":"x"}}`, "kaizen.prompt", UnknownField},
		"too hot":                    {`{` + askHi + `,"temperature":2.5}`, "temperature", InvalidValue},
		"a temperature in words":     {`{` + askHi + `,"temperature":"hot"}`, "temperature", InvalidType},
		"more than all":              {`{` + askHi + `,"top_p":1.5}`, "top_p", InvalidValue},
		"no tokens":                  {`{` + askHi + `,"max_tokens":0}`, "max_tokens", InvalidValue},
		"two limits":                 {`{` + askHi + `,"max_tokens":1,"max_completion_tokens":2}`, "max_completion_tokens", InvalidValue},
		"an empty stop":              {`{` + askHi + `,"stop":[""]}`, "stop[0]", InvalidValue},
		"a picture":                  {asked(`{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:"}}]}`), "messages[0].content[1].type", Unsupported},
		"a sound":                    {asked(`{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}`), "messages[0].content[0].type", Unsupported},
		"a file":                     {asked(`{"role":"user","content":[{"type":"file","file":{}}]}`), "messages[0].content[0].type", Unsupported},
		"a name":                     {asked(`{"role":"user","name":"bob","content":"hi"}`), "messages[0].name", Unsupported},
		"no role":                    {asked(`{"content":"hi"}`), "messages[0].role", MissingField},
		"no such role":               {asked(`{"role":"function","name":"f","content":"hi"}`), "messages[0].role", InvalidValue},
		"no content":                 {asked(`{"role":"user"}`), "messages[0].content", MissingField},
		"a number for content":       {asked(`{"role":"user","content":7}`), "messages[0].content", InvalidType},
		"a reply that has begun":     {asked(`{"role":"user","content":"hi"},{"role":"assistant","content":"The"}`), "messages", Unsupported},
		"only a system message":      {asked(`{"role":"system","content":"hi"}`), "messages", InvalidValue},
		"a blank question":           {asked(`{"role":"user","content":" "}`), "messages", InvalidValue},
		"a result of nothing":        {asked(`{"role":"user","content":"hi"},{"role":"tool","tool_call_id":"c9","content":"x"}`), "messages", InvalidValue},
		"a result without its call":  {asked(`{"role":"tool","content":"x"}`), "messages[0].tool_call_id", MissingField},
		"a call without its result":  {asked(`{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"user","content":"hi"}`), "messages", InvalidValue},
		"a call that the user makes": {asked(`{"role":"user","content":"hi","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]}`), "messages[0].tool_calls", InvalidValue},
		"a call of another sort":     {asked(`{"role":"assistant","tool_calls":[{"id":"c1","type":"custom","function":{"name":"f","arguments":""}}]}`), "messages[0].tool_calls[0].type", Unsupported},
		"a tool of another sort":     {`{` + askHi + `,"tools":[{"type":"web_search"}]}`, "tools[0].type", Unsupported},
		"a tool without a name":      {`{` + askHi + `,"tools":[{"type":"function","function":{}}]}`, "tools[0].function.name", InvalidValue},
		"a tool twice":               {`{` + askHi + `,"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"f"}}]}`, "tools[1].function.name", InvalidValue},
		"a choice of no tools":       {`{` + askHi + `,"tool_choice":"required"}`, "tool_choice", InvalidValue},
		"a choice of another":        {`{` + askHi + `,` + tool + `,"tool_choice":{"type":"function","function":{"name":"g"}}}`, "tool_choice", InvalidValue},
		"allowed tools":              {`{` + askHi + `,` + tool + `,"tool_choice":{"type":"allowed_tools","allowed_tools":{}}}`, "tool_choice.allowed_tools", Unsupported},
		"an unknown format":          {`{` + askHi + `,"response_format":{"type":"xml"}}`, "response_format.type", InvalidValue},
		"a schema that is not there": {`{` + askHi + `,"response_format":{"type":"json_schema","json_schema":{"name":"n"}}}`, "response_format.json_schema.schema", MissingField},
		"JSON of another kind":       {`{` + askHi + `,"response_format":{"type":"json_object"},"kaizen":{"kind":"vote"}}`, "kaizen.kind", InvalidValue},
		"tools of another kind":      {`{` + askHi + `,` + tool + `,"kaizen":{"kind":"number"}}`, "kaizen.kind", InvalidValue},
		"options of text":            {`{` + askHi + `,"kaizen":{"kind":"text","options":["a","b"]}}`, "kaizen.options", InvalidValue},
		"no JSON":                    {`{`, "", InvalidJSON},
		"data after the end":         {`{` + askHi + `}{}`, "", InvalidJSON},
		"too long":                   {asked(`{"role":"user","content":"` + strings.Repeat("a", 300<<10) + `"}`), "messages", InvalidValue},
		"too long with its tools":    {`{` + askHi + `,"tools":[{"type":"function","function":{"name":"f","description":"` + strings.Repeat("a", 300<<10) + `"}}]}`, "messages", InvalidValue},
	} {
		t.Run(name, func(t *testing.T) {
			e := asError(t, new(Ask).DecodeChat([]byte(tt.body), DefaultLimits()))
			if e.Code != tt.code || len(e.Details) == 0 || e.Details[0].Field != tt.field && tt.code != InvalidJSON {
				t.Errorf("%+v, want %s at %s", e, tt.code, tt.field)
			}
		})
	}
}

// All that an answer depends on is in the key, and nothing that it does not.
func TestKeysOfChats(t *testing.T) {
	tool := `"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"a":1}}}]`
	turns := func(id, name, arguments, result string) string {
		return `{"model":"kaizen/high","messages":[{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[{"id":"` + id + `","type":"function","function":{"name":"` + name + `","arguments":"` + arguments + `"}}]},{"role":"tool","tool_call_id":"` + id + `","content":"` + result + `"}]}`
	}
	seen := map[string]string{}
	for _, body := range []string{
		`{` + askHi + `}`, `{"model":"kaizen/standard","messages":[{"role":"user","content":"hi"}]}`,
		`{` + askHi + `,"temperature":0}`, `{` + askHi + `,"temperature":1}`, `{` + askHi + `,"top_p":1}`, `{` + askHi + `,"seed":0}`, `{` + askHi + `,"seed":1}`,
		`{` + askHi + `,"stop":"a"}`, `{` + askHi + `,"stop":["a","b"]}`, `{` + askHi + `,"max_tokens":1}`,
		`{` + askHi + `,"response_format":{"type":"json_object"}}`, `{` + askHi + `,"kaizen":{"kind":"json"}}`,
		`{` + askHi + `,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}}}`, `{` + askHi + `,"response_format":{"type":"json_schema","json_schema":{"name":"m","schema":{}}}}`,
		`{` + askHi + `,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}}`,
		`{` + askHi + `,` + tool + `}`, `{` + askHi + `,` + strings.Replace(tool, `"d"`, `"e"`, 1) + `}`, `{` + askHi + `,` + strings.Replace(tool, `1`, `2`, 1) + `}`,
		`{` + askHi + `,` + tool + `,"tool_choice":"none"}`, `{` + askHi + `,` + tool + `,"tool_choice":"required"}`, `{` + askHi + `,` + tool + `,"tool_choice":{"type":"function","function":{"name":"f"}}}`, `{` + askHi + `,` + tool + `,"parallel_tool_calls":false}`,
		turns("c", "f", "{}", "r"), turns("d", "f", "{}", "r"), turns("c", "g", "{}", "r"), turns("c", "f", "[]", "r"), turns("c", "f", "{}", "s"),
	} {
		key := string(chatOf(t, body).AppendKey(nil))
		if other, twice := seen[key]; twice {
			t.Errorf("%s has the key of %s", body, other)
		}
		seen[key] = body
	}
	same := string(chatOf(t, `{"stream":true,"user":"u","kaizen":{"include":["ballots"],"cache":{"maxAgeSeconds":9}},`+askHi+`}`).AppendKey(nil))
	if seen[same] == "" {
		t.Errorf("how it is told is part of the key %s", same)
	}
}

func FuzzChat(f *testing.F) {
	for _, seed := range []string{
		`{` + askHi + `}`, `{` + askHi + `,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":{"type":"function","function":{"name":"f"}}}`,
		`{` + askHi + `,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}},"stop":["a"],"temperature":1e-1,"kaizen":{"tier":"high"}}`,
		`{"model":"kaizen/auto","messages":[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"x"}]}`,
		`{"messages":[{"role":null}]}`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) { fuzzAsk(t, body, (*Ask).DecodeChat) })
}

// fuzzAsk checks what holds of every dialect's decoder.
func fuzzAsk(t *testing.T, body []byte, decode func(*Ask, []byte, *Limits) error) {
	given := bytes.Clone(body)
	var a Ask
	err := decode(&a, body, DefaultLimits())
	if !bytes.Equal(given, body) {
		t.Fatal("the body was written to")
	}
	if err != nil {
		e, ok := err.(*Error)
		if !ok || e.Code == "" || len(e.Details) == 0 {
			t.Fatalf("%#v", err)
		}
		for _, form := range [][]byte{e.AppendTo(nil), e.AppendOpenAI(nil, "t", "c"), e.AppendAnthropic(nil, "t")} {
			if !json.Valid(form) {
				t.Fatalf("%s", form)
			}
		}
		return
	}
	if len(a.Messages) == 0 || a.Messages[len(a.Messages)-1].Role == "assistant" || a.Context.Tier == "" || a.Prompt != "" {
		t.Fatalf("%+v", a)
	}
	if g := a.Generation; g != nil && !json.Valid(g.AppendTo(nil)) {
		t.Fatalf("%s", g.AppendTo(nil))
	}
	key := a.AppendKey(nil)
	var again Ask
	if decode(&again, body, DefaultLimits()) != nil || !bytes.Equal(again.AppendKey(nil), key) {
		t.Fatal("the same body has another key")
	}
}
