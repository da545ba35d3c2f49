package wire

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// guide is the request of the onboarding guide, as it stands there.
const guide = `{"prompt":"...","context":{"tier":"standard","chamber":"thought-broker","cycle":"C-114"}}`

// full has every field that a request with a prompt may have.
const full = `{"prompt":"Which?","context":{"tier":"high","chamber":"genesis-dome","cycle":"C-7","topic":"geo-1"},
 "kind":"choice","options":["A","B"],"operation":"mic.mint","deadlineMs":1500,"wait":"likely","maxCompanions":3,
 "maxCostMicroUsd":5000,"cache":{"maxAgeSeconds":60},"include":["ballots","positions","replies"],"rounds":2,"judge":"ATLAS","synthesis":"none","escalate":true}`

func TestRequestDecode(t *testing.T) {
	plain := func(change func(*Request)) Request {
		r := Request{
			Prompt: "hi", Context: Context{Tier: "standard", Chamber: "thought-broker"},
			Kind: "auto", DeadlineMs: 20_000, Wait: "decided", Include: DefaultInclude,
		}
		change(&r)
		return r
	}
	turns := []Message{{Role: "system", Content: "Be brief."}, {Role: "user", Content: "a"}, {Role: "assistant"}, {Role: "user", Content: "b"}}
	tests := []struct {
		name, body string
		want       Request
	}{
		{"a prompt alone gets the defaults", `{"prompt":"hi"}`, plain(func(*Request) {})},
		{"white space around", " \r\n\t{ \"prompt\" : \"hi\" } \n", plain(func(*Request) {})},
		{"the guide's request as it stands", guide, plain(func(r *Request) { r.Prompt, r.Context.Cycle = "...", "C-114" })},
		{"every field", full, Request{
			Prompt: "Which?", Context: Context{"high", "genesis-dome", "C-7", "geo-1"},
			Kind: "choice", Options: []string{"A", "B"}, Operation: "mic.mint", DeadlineMs: 1500, Wait: "likely",
			MaxCompanions: 3, MaxCostMicroUSD: 5000, CacheMaxAgeSeconds: 60,
			Include: IncludeBallots | IncludePositions | IncludeReplies, Rounds: 2, Judge: "ATLAS", Synthesis: "none", Escalate: true,
		}},
		{"messages instead of a prompt",
			`{"messages":[{"role":"system","content":"Be brief."},{"content":"a","role":"user"},{"role":"assistant","content":""},{"role":"user","content":"b"}]}`,
			plain(func(r *Request) { r.Prompt, r.Messages = "", turns })},
		{"empty is the same as left out",
			`{"prompt":"hi","messages":[],"context":{"tier":"","chamber":"","cycle":"","topic":""},"kind":"","options":[],"operation":"","wait":"","maxCompanions":0,"maxCostMicroUsd":0,"cache":{},"judge":"","synthesis":""}`,
			plain(func(*Request) {})},
		{"include may be nothing", `{"prompt":"hi","include":[]}`, plain(func(r *Request) { r.Include = 0 })},
		{"replies bring the ballots", `{"prompt":"hi","include":["replies"]}`, plain(func(r *Request) { r.Include = IncludeReplies | IncludeBallots })},
		{"options of a kind still to be found", `{"prompt":"hi","options":["yes","no"]}`, plain(func(r *Request) { r.Options = []string{"yes", "no"} })},
		{"escapes, in names too", `{"pro\u006dpt":"h\u0069\n\ud83d\ude00"}`, plain(func(r *Request) { r.Prompt = "hi\n😀" })},
		{"the bounds themselves", `{"prompt":"hi","deadlineMs":60000,"maxCompanions":64,"cache":{"maxAgeSeconds":86400}}`,
			plain(func(r *Request) { r.DeadlineMs, r.MaxCompanions, r.CacheMaxAgeSeconds = 60_000, 64, 86_400 })},
		{"an operation of one word", `{"prompt":"hi","operation":"explore"}`, plain(func(r *Request) { r.Operation = "explore" })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Request{Prompt: "left from before", Options: []string{"x"}}
			if err := got.Decode([]byte(tt.body), DefaultLimits()); err != nil {
				t.Fatalf("Decode() = %v", err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Decode()\n got %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestRequestDecodeRefuses(t *testing.T) {
	options := func(n int) string {
		var s []string
		for i := range n {
			s = append(s, fmt.Sprintf("%q", fmt.Sprint(i)))
		}
		return strings.Join(s, ",")
	}
	tests := []struct {
		name, body string
		code       Code
		field      string
		problem    string // part of it
	}{
		{"nothing", ``, InvalidJSON, "", "body is empty"},
		{"white space", "  \n", InvalidJSON, "", "body is empty"},
		{"half a body", `{"prompt":"hi"`, InvalidJSON, "", "ends too early at line 1, column 15"},
		{"half a string", `{"prompt":"hi`, InvalidJSON, "", "ends too early"},
		{"not JSON", "{\n  \"prompt\": hi}", InvalidJSON, "", "unexpected character at start of value at line 2, column 13"},
		{"a comma too many", `{"prompt":"hi",}`, InvalidJSON, "", "unexpected character"},
		{"data after the end", guide + `{}`, InvalidJSON, "", "data after the end of the object at line 1"},
		{"garbage after the end", guide + `x`, InvalidJSON, "", "data after the end"},
		{"invalid UTF-8", "{\"prompt\":\"a\xff\"}", InvalidJSON, "", "invalid UTF-8 at line 1, column 13"},
		{"half a surrogate pair", `{"prompt":"\ud800"}`, InvalidJSON, "", "invalid"},
		{"an unknown escape", `{"prompt":"\x"}`, InvalidJSON, "", "invalid escape sequence in string at"},
		{"too deep", strings.Repeat(`{"a":`, 20_000), InvalidJSON, "", "depth"},
		{"an array", `[]`, InvalidType, "", "want an object, got an array"},
		{"null", `null`, InvalidType, "", "want an object, got null"},

		{"an unknown field", `{"prompt":"hi","temperature":0.5}`, UnknownField, "temperature", "unknown field; known here: prompt, messages,"},
		{"a slip in a name", `{"prompt":"hi","context":{"teir":"high"}}`, UnknownField, "context.teir", "did you mean tier?"},
		{"another manner of name", `{"prompt":"hi","max_companions":1}`, UnknownField, "max_companions", "did you mean maxCompanions?"},
		{"another case", `{"prompt":"hi","Kind":"vote"}`, UnknownField, "Kind", "did you mean kind?"},
		{"an unknown field within a message", `{"messages":[{"role":"user","content":"a","name":"x"}]}`, UnknownField, "messages[0].name", "unknown field"},
		{"a name with control characters", `{"prompt":"hi","\u001b[31m":1}`, UnknownField, `\x1b[31m`, "unknown field"},
		{"a name without end", `{"prompt":"hi","` + strings.Repeat("é", 5000) + `":1}`, UnknownField, strings.Repeat("é", 32) + "…", "unknown field"},
		{"an empty name", `{"prompt":"hi","":1}`, UnknownField, `""`, "unknown field"},
		{"a field twice", `{"prompt":"hi","prompt":"ho"}`, DuplicateField, "prompt", "given twice"},
		{"a field twice, escaped", `{"context":{"tier":"high","t\u0069er":"high"},"prompt":"hi"}`, DuplicateField, "context.tier", "given twice"},

		{"a number for the prompt", `{"prompt":5}`, InvalidType, "prompt", "want a string, got a number"},
		{"null for the prompt", `{"prompt":null}`, InvalidType, "prompt", "want a string, got null; leave the field out"},
		{"a string for the context", `{"prompt":"hi","context":"high"}`, InvalidType, "context", "want an object, got a string"},
		{"an object for messages", `{"messages":{}}`, InvalidType, "messages", "want an array of messages, got an object"},
		{"a string for a message", `{"messages":["hi"]}`, InvalidType, "messages[0]", "want an object, got a string"},
		{"a boolean for the tier", `{"prompt":"hi","context":{"tier":true}}`, InvalidType, "context.tier", "want a string, got a boolean"},
		{"a string for the deadline", `{"prompt":"hi","deadlineMs":"20"}`, InvalidType, "deadlineMs", "want a whole number, got a string"},
		{"a fraction for the deadline", `{"prompt":"hi","deadlineMs":20.5}`, InvalidType, "deadlineMs", "want a whole number, without point"},
		{"an exponent for the deadline", `{"prompt":"hi","deadlineMs":2e4}`, InvalidType, "deadlineMs", "want a whole number, without point or exponent"},
		{"a number for an option", `{"prompt":"hi","options":["a",2]}`, InvalidType, "options[1]", "want a string, got a number"},
		{"a string for include", `{"prompt":"hi","include":"ballots"}`, InvalidType, "include", "want an array of names"},

		{"no prompt", `{}`, MissingField, "prompt", "must be given, or messages instead"},
		{"an empty prompt", `{"prompt":""}`, InvalidValue, "prompt", "is empty"},
		{"a blank prompt", `{"prompt":" \n\u00a0"}`, InvalidValue, "prompt", "is blank"},
		{"both", `{"prompt":"hi","messages":[{"role":"user","content":"a"}]}`, InvalidValue, "messages", "not both"},
		{"no messages", `{"messages":[]}`, InvalidValue, "messages", "is empty"},
		{"too many messages", `{"messages":[` + strings.Repeat(`{"role":"user","content":"a"},`, 256) + `{"role":"user","content":"a"}]}`, InvalidValue, "messages", "has 257 elements; at most 256"},
		{"an unknown role", `{"messages":[{"role":"tool","content":"a"}]}`, InvalidValue, "messages[0].role", "want system, user or assistant"},
		{"an empty role", `{"messages":[{"role":"","content":"a"},{"role":"user","content":"a"}]}`, InvalidValue, "messages[0].role", "want system, user or assistant"},
		{"no role", `{"messages":[{"content":"a"}]}`, MissingField, "messages[0].role", "must be given"},
		{"no content", `{"messages":[{"role":"user"}]}`, MissingField, "messages[0].content", "must be given"},
		{"the last message not the user's", `{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}`, InvalidValue, "messages[1].role", "the last message must be the user's"},
		{"the last message blank", `{"messages":[{"role":"user","content":"\t"}]}`, InvalidValue, "messages[0].content", "blank"},
		{"an unknown tier", `{"prompt":"hi","context":{"tier":"gold"}}`, InvalidValue, "context.tier", "unknown tier; want research, standard, high or critical"},
		{"an unknown chamber", `{"prompt":"hi","context":{"chamber":"attic"}}`, InvalidValue, "context.chamber", "unknown chamber; want thought-broker,"},
		{"a cycle without number", `{"prompt":"hi","context":{"cycle":"C-"}}`, InvalidValue, "context.cycle", "such as C-114"},
		{"a cycle of letters", `{"prompt":"hi","context":{"cycle":"C-1x"}}`, InvalidValue, "context.cycle", "such as C-114"},
		{"a topic that is a sentence", `{"prompt":"hi","context":{"topic":"What is it?"}}`, InvalidValue, "context.topic", "want at most 64 of a-z"},
		{"a topic too long", `{"prompt":"hi","context":{"topic":"` + strings.Repeat("a", 65) + `"}}`, InvalidValue, "context.topic", "at most 64"},
		{"an unknown kind", `{"prompt":"hi","kind":"poem"}`, InvalidValue, "kind", "want auto, choice,"},
		{"an unknown wait", `{"prompt":"hi","wait":"forever"}`, InvalidValue, "wait", "want decided, likely or all"},
		{"an unknown part", `{"prompt":"hi","include":["everything"]}`, InvalidValue, "include[0]", "want ballots, positions or replies"},
		{"one option", `{"prompt":"hi","kind":"choice","options":["a"]}`, InvalidValue, "options", "want 2 to 26"},
		{"too many options", `{"prompt":"hi","kind":"choice","options":[` + options(27) + `]}`, InvalidValue, "options", "has 27 elements; at most 26"},
		{"a blank option", `{"prompt":"hi","options":["a"," "]}`, InvalidValue, "options[1]", "is blank"},
		{"the same option again", `{"prompt":"hi","options":["a","b","a"]}`, InvalidValue, "options[2]", "same as options[0]"},
		{"a long option", `{"prompt":"hi","options":["a","` + strings.Repeat("b", 1025) + `"]}`, InvalidValue, "options[1]", "is 1025 bytes; at most 1024"},
		{"options for a number", `{"prompt":"hi","kind":"number","options":["1","2"]}`, InvalidValue, "options", "only for kind choice or auto"},
		{"an operation in capitals", `{"prompt":"hi","operation":"Mic.mint"}`, InvalidValue, "operation", "dotted lower-case name"},
		{"an operation with an empty part", `{"prompt":"hi","operation":"mic..mint"}`, InvalidValue, "operation", "dotted lower-case name"},
		{"no deadline at all", `{"prompt":"hi","deadlineMs":0}`, InvalidValue, "deadlineMs", "from 1 to 60000"},
		{"a deadline too far", `{"prompt":"hi","deadlineMs":60001}`, InvalidValue, "deadlineMs", "from 1 to 60000"},
		{"a deadline beyond numbers", `{"prompt":"hi","deadlineMs":99999999999999999999}`, InvalidValue, "deadlineMs", "from 1 to 60000"},
		{"a negative count", `{"prompt":"hi","maxCompanions":-1}`, InvalidValue, "maxCompanions", "from 0 to 64"},
		{"too large a count", `{"prompt":"hi","maxCompanions":65}`, InvalidValue, "maxCompanions", "from 0 to 64"},
		{"a negative cost", `{"prompt":"hi","maxCostMicroUsd":-1}`, InvalidValue, "maxCostMicroUsd", "at least 0"},
		{"no round", `{"prompt":"hi","rounds":0}`, InvalidValue, "rounds", "from 1 to 2"},
		{"three rounds", `{"prompt":"hi","rounds":3}`, InvalidValue, "rounds", "from 1 to 2"},
		{"half a round", `{"prompt":"hi","rounds":1.5}`, InvalidType, "rounds", "want a whole number, without point"},
		{"rounds in words", `{"prompt":"hi","rounds":"two"}`, InvalidType, "rounds", "want a whole number, got a string"},
		{"a judge in lower case", `{"prompt":"hi","judge":"atlas"}`, InvalidValue, "judge", "want a companion's id, such as AUREA, or none"},
		{"two judges", `{"prompt":"hi","judge":["ATLAS","AUREA"]}`, InvalidType, "judge", "want a string, got an array"},
		{"a synthesis by nobody's name", `{"prompt":"hi","synthesis":"A B"}`, InvalidValue, "synthesis", "want a companion's id"},
		{"a name without end", `{"prompt":"hi","synthesis":"` + strings.Repeat("A", 33) + `"}`, InvalidValue, "synthesis", "want a companion's id"},
		{"too old a cache", `{"prompt":"hi","cache":{"maxAgeSeconds":86401}}`, InvalidValue, "cache.maxAgeSeconds", "from 0 to 86400"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r Request
			refused := asError(t, r.Decode([]byte(tt.body), DefaultLimits()))
			if refused.Code != tt.code {
				t.Errorf("code = %s, want %s (%s)", refused.Code, tt.code, refused.Message)
			}
			if len(refused.Details) != 1 {
				t.Fatalf("details = %q, want one", refused.Details)
			}
			d := refused.Details[0]
			if d.Field != tt.field || !strings.Contains(d.Problem, tt.problem) {
				t.Errorf("detail = %q, want field %q and %q", d, tt.field, tt.problem)
			}
			if !strings.Contains(refused.Message, d.Problem) {
				t.Errorf("message %q does not say %q", refused.Message, d.Problem)
			}
		})
	}
}

func asError(t *testing.T, err error) *Error {
	t.Helper()
	var refused *Error
	if !errors.As(err, &refused) {
		t.Fatalf("Decode() = %v, want an *Error", err)
	}
	return refused
}

func TestPromptLimit(t *testing.T) {
	lim := DefaultLimits()
	lim.PromptBytes = 10
	for _, body := range []string{
		`{"prompt":"0123456789"}`,
		`{"prompt":"\u0030123456789"}`, // as text, not as JSON
		`{"messages":[{"role":"system","content":"01234"},{"role":"user","content":"56789"}]}`,
	} {
		var r Request
		if err := r.Decode([]byte(body), lim); err != nil {
			t.Errorf("Decode(%s) = %v", body, err)
		}
	}
	for body, want := range map[string]Detail{
		`{"prompt":"0123456789a"}`: {"prompt", "is 11 bytes; at most 10"},
		`{"messages":[{"role":"system","content":"01234"},{"role":"user","content":"56789a"}]}`: {"messages", "are 11 bytes together; at most 10"},
	} {
		var r Request
		if refused := asError(t, r.Decode([]byte(body), lim)); len(refused.Details) != 1 || refused.Details[0] != want {
			t.Errorf("Decode(%s): details %q, want %q", body, refused.Details, want)
		}
	}
}

func TestProblemsAreReportedTogether(t *testing.T) {
	body := `{"promt":"hi","context":{"tier":"gold","cycle":7},"deadlineMs":0,"options":["a"]}`
	var r Request
	refused := asError(t, r.Decode([]byte(body), DefaultLimits()))
	var fields []string
	for _, d := range refused.Details {
		fields = append(fields, d.Field)
	}
	want := []string{"promt", "context.tier", "context.cycle", "deadlineMs", "options", "prompt"}
	if !reflect.DeepEqual(fields, want) {
		t.Errorf("fields %q, want %q", fields, want)
	}
	if refused.Code != UnknownField || !strings.Contains(refused.Message, "first of 6 problems") {
		t.Errorf("got %q, want the first problem's code and how many there are", refused)
	}
}

func TestProblemsAreBounded(t *testing.T) {
	body := `{"prompt":"hi"`
	for i := range 1000 {
		body += fmt.Sprintf(`,"x%d":%d`, i, i)
	}
	var r Request
	refused := asError(t, r.Decode([]byte(body+"}"), DefaultLimits()))
	if len(refused.Details) != maxDetails || !strings.Contains(refused.Message, "first of 1000 problems") {
		t.Errorf("%d details, %q", len(refused.Details), refused.Message)
	}
}

// What a caller wrote may be a prompt: errors say where and what is wanted,
// never what stood there.
func TestErrorsHoldNoValues(t *testing.T) {
	const secret = "XyzzyPlugh"
	for _, body := range []string{
		`{"prompt":"` + secret + `","kind":"` + secret + `"}`,
		`{"prompt":"` + secret + `","context":{"tier":"` + secret + `","cycle":"` + secret + `","topic":"` + secret + `"}}`,
		`{"prompt":"` + secret + `","operation":"` + secret + `"}`,
		`{"prompt":"` + secret + `\q"}`,
		`{"prompt":"` + secret + `" ` + secret + `}`,
		`{"prompt":"` + secret,
		`{"messages":[{"role":"` + secret + `","content":"` + secret + `"}]}`,
	} {
		var r Request
		refused := asError(t, r.Decode([]byte(body), DefaultLimits()))
		if said := string(refused.AppendTo(nil)) + refused.Error(); strings.Contains(said, secret) {
			t.Errorf("the error for %s repeats it: %s", body, said)
		}
	}
}

// The body's memory is the server's, and used again as soon as it has answered.
func TestRequestKeepsNothingOfBody(t *testing.T) {
	body := []byte(full)
	var want, got Request
	if err := want.Decode([]byte(full), DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	if err := got.Decode(body, DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	if string(body) != full {
		t.Errorf("Decode changed the body: %s", body)
	}
	clear(body)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("after the body was overwritten: %+v, want %+v", got, want)
	}
}

// A refused body must leave nothing behind in the pooled decoder.
func TestDecodersAreReset(t *testing.T) {
	for range 100 {
		var r Request
		for _, bad := range []string{`{"prompt":"hi","x":1}`, `{"prompt":{"a":[`, `{"messages":[{"role":"user","content":"\u0061`} {
			if r.Decode([]byte(bad), DefaultLimits()) == nil {
				t.Fatalf("Decode(%s) = nil", bad)
			}
		}
		if err := r.Decode([]byte(guide), DefaultLimits()); err != nil {
			t.Fatalf("after refused bodies: %v", err)
		}
	}
}

func TestRequestAppendTo(t *testing.T) {
	r := Request{Prompt: "a \"quoted\"\nline", Include: IncludeBallots | IncludeReplies}
	const want = `{"prompt":"a \"quoted\"\nline","include":["ballots","replies"]}`
	if got := string(r.AppendTo(nil)); got != want {
		t.Errorf("AppendTo() = %s, want %s", got, want)
	}
	if err := r.Decode([]byte(full), DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	compact := strings.NewReplacer("\n ", "").Replace(full)
	if got := string(r.AppendTo(nil)); got != compact {
		t.Errorf("AppendTo()\n got %s\nwant %s", got, compact)
	}
}

func TestRequestAllocs(t *testing.T) {
	var r Request
	lim, body := DefaultLimits(), []byte(guide)
	got := testing.AllocsPerRun(200, func() {
		if err := r.Decode(body, lim); err != nil {
			t.Fatal(err)
		}
	})
	if got > 2 && !raceEnabled { // the prompt and the cycle
		t.Errorf("Decode: %v allocations, want 2", got)
	}
}

func FuzzRequest(f *testing.F) {
	for _, s := range []string{guide, full, `{"prompt":"hi"}`, `{"messages":[{"role":"user","content":"a"}]}`, `{"a":[{"b":null}]}`, `[`, ``, "{\"prompt\":\"\xff\"}", `{"pro\u006dpt":"\ud83d\ude00","include":[]}`} {
		f.Add([]byte(s))
	}
	lim := DefaultLimits()
	f.Fuzz(func(t *testing.T, body []byte) {
		var r, again Request
		if err := r.Decode(body, lim); err != nil {
			asError(t, err)
			return
		}
		out := r.AppendTo(nil)
		if err := again.Decode(out, lim); err != nil {
			t.Fatalf("accepted %q, but not its own encoding %q: %v", body, out, err)
		}
		if !reflect.DeepEqual(r, again) {
			t.Fatalf("%q came back as %+v, was %+v", body, again, r)
		}
	})
}

func BenchmarkRequestDecode(b *testing.B) {
	long := `{"prompt":"` + strings.Repeat("All work and no play. ", 200) + `"}`
	for _, bm := range []struct{ name, body string }{{"guide", guide}, {"full", full}, {"4KB", long}} {
		b.Run("body="+bm.name, func(b *testing.B) {
			lim, body := DefaultLimits(), []byte(bm.body)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			var r Request
			for b.Loop() {
				if err := r.Decode(body, lim); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
