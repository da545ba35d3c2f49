package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// Each is refused with a code that says what is wrong and the field where, and
// leaves no record.
func TestBadBodiesAreRefusedByField(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42")), promptBytes: 100})
	with := func(member string) string { return `{"prompt":"Six times seven?",` + member + `}` }
	for _, tt := range []struct {
		name, body string
		code       wire.Code
		field      string
	}{
		{"no JSON", `six times seven`, wire.InvalidJSON, ""},
		{"cut short", `{"prompt":"six`, wire.InvalidJSON, ""},
		{"not UTF-8", "{\"prompt\":\"\xff\"}", wire.InvalidJSON, ""},
		{"two objects", `{"prompt":"a"}{"prompt":"b"}`, wire.InvalidJSON, ""},
		{"no object", `["prompt"]`, wire.InvalidType, ""},
		{"null", `null`, wire.InvalidType, ""},
		{"nested without end", strings.Repeat(`{"context":`, 20_000), wire.InvalidJSON, ""},
		{"an unknown field", with(`"temperature":1`), wire.UnknownField, "temperature"},
		{"an unknown field within", with(`"context":{"room":"x"}`), wire.UnknownField, "context.room"},
		{"a field of another case", `{"Prompt":"six"}`, wire.UnknownField, "Prompt"},
		{"a field twice", with(`"prompt":"again"`), wire.DuplicateField, "prompt"},

		{"a number for the prompt", `{"prompt":42}`, wire.InvalidType, "prompt"},
		{"null for the prompt", `{"prompt":null}`, wire.InvalidType, "prompt"},
		{"a string for the context", with(`"context":"standard"`), wire.InvalidType, "context"},
		{"a number for the tier", with(`"context":{"tier":3}`), wire.InvalidType, "context.tier"},
		{"a string for the deadline", with(`"deadlineMs":"soon"`), wire.InvalidType, "deadlineMs"},
		{"a string for the options", with(`"options":"A or B"`), wire.InvalidType, "options"},
		{"a number among the options", with(`"options":["A",2]`), wire.InvalidType, "options[1]"},
		{"a number for the cache", with(`"cache":60`), wire.InvalidType, "cache"},
		{"an object for include", with(`"include":{}`), wire.InvalidType, "include"},

		{"no prompt", `{"kind":"text"}`, wire.MissingField, "prompt"},
		{"an empty prompt", `{"prompt":""}`, wire.InvalidValue, "prompt"},
		{"a blank prompt", `{"prompt":" \n\t"}`, wire.InvalidValue, "prompt"},
		{"too long a prompt", `{"prompt":"` + strings.Repeat("a", 101) + `"}`, wire.InvalidValue, "prompt"},
		{"prompt and messages", with(`"messages":[{"role":"user","content":"b"}]`), wire.InvalidValue, "messages"},
		{"empty messages", `{"messages":[]}`, wire.InvalidValue, "messages"},
		{"too long messages", `{"messages":[{"role":"user","content":"` + strings.Repeat("a", 101) + `"}]}`, wire.InvalidValue, "messages"},
		{"an unknown role", `{"messages":[{"role":"boss","content":"b"}]}`, wire.InvalidValue, "messages[0].role"},
		{"the assistant's word last", `{"messages":[{"role":"assistant","content":"b"}]}`, wire.InvalidValue, "messages[0].role"},

		{"an unknown tier", with(`"context":{"tier":"supreme"}`), wire.InvalidValue, "context.tier"},
		{"an unknown chamber", with(`"context":{"chamber":"war-room"}`), wire.InvalidValue, "context.chamber"},
		{"no cycle", with(`"context":{"cycle":"114"}`), wire.InvalidValue, "context.cycle"},
		{"no slug for a topic", with(`"context":{"topic":"Hello World"}`), wire.InvalidValue, "context.topic"},
		{"an unknown kind", with(`"kind":"poem"`), wire.InvalidValue, "kind"},
		{"an unknown wait", with(`"wait":"forever"`), wire.InvalidValue, "wait"},
		{"an unknown part", with(`"include":["everything"]`), wire.InvalidValue, "include[0]"},
		{"one option", with(`"kind":"choice","options":["A"]`), wire.InvalidValue, "options"},
		{"the same option twice", with(`"kind":"choice","options":["A","A"]`), wire.InvalidValue, "options[1]"},
		{"options of a number", with(`"kind":"number","options":["A","B"]`), wire.InvalidValue, "options"},
		{"no name for an operation", with(`"operation":"Mint It!"`), wire.InvalidValue, "operation"},
		{"an operation that is no vote", with(`"kind":"number","operation":"mic.mint"`), wire.InvalidValue, "kind"},

		{"a deadline of 0", with(`"deadlineMs":0`), wire.InvalidValue, "deadlineMs"},
		{"a deadline below 0", with(`"deadlineMs":-5`), wire.InvalidValue, "deadlineMs"},
		{"a deadline over the most", with(`"deadlineMs":60001`), wire.InvalidValue, "deadlineMs"},
		{"a fraction of a deadline", with(`"deadlineMs":1.5`), wire.InvalidType, "deadlineMs"},
		{"too many companions", with(`"maxCompanions":65`), wire.InvalidValue, "maxCompanions"},
		{"money below 0", with(`"maxCostMicroUsd":-1`), wire.InvalidValue, "maxCostMicroUsd"},
		{"a cache older than a day", with(`"cache":{"maxAgeSeconds":86401}`), wire.InvalidValue, "cache.maxAgeSeconds"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.unrecorded(t, func() {
				e := r.post(tt.body).failure(http.StatusBadRequest, tt.code)
				if len(e.Details) == 0 || e.Details[0].Field != tt.field || e.Details[0].Problem == "" || e.DeliberationID != "" {
					t.Errorf("details %+v, want field %q", e.Details, tt.field)
				}
			})
		})
	}
	if n := r.panel[0].count.Load(); n != 0 {
		t.Errorf("companions were asked %d times", n)
	}
	if d := r.ask(`{"prompt":"` + strings.Repeat("a", 100) + `"}`); d.Status != "carried" {
		t.Errorf("the longest prompt is %s", d.Status)
	}
}

func TestAnEmptyBodyIsRefused(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"))})
	r.unrecorded(t, func() {
		r.post("", "Content-Type", "application/json").failure(http.StatusBadRequest, wire.InvalidJSON)
	})
}

func TestBadSelfChecksAreRefused(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42")), promptBytes: 100})
	r.unrecorded(t, func() {
		for _, tt := range []struct {
			body  string
			code  wire.Code
			field string
		}{
			{`{`, wire.InvalidJSON, ""},
			{`{}`, wire.MissingField, "response"},
			{`{"response":1}`, wire.InvalidType, "response"},
			{`{"response":"x","tier":"supreme"}`, wire.InvalidValue, "tier"},
			{`{"response":"x","strict":true}`, wire.UnknownField, "strict"},
			{`{"response":"` + strings.Repeat("x", 101) + `"}`, wire.InvalidValue, "response"},
		} {
			e := r.send(http.MethodPost, "/constitutional/validate", tt.body).failure(http.StatusBadRequest, tt.code)
			if len(e.Details) == 0 || e.Details[0].Field != tt.field {
				t.Errorf("%s: %+v, want field %q", tt.body, e.Details, tt.field)
			}
		}
		r.send(http.MethodPost, "/constitutional/validate", "x", "Content-Type", "text/plain").failure(http.StatusUnsupportedMediaType, wire.UnsupportedMediaType)
	})
}

func TestContentTypeIsJSON(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	r.unrecorded(t, func() {
		for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "application/jsonl", "multipart/form-data; boundary=x", "json", " "} {
			r.post(guideRequest, "Content-Type", media).failure(http.StatusUnsupportedMediaType, wire.UnsupportedMediaType)
		}
		resp := r.raw(t, "POST /v1/deliberate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
		resp.failure(http.StatusUnsupportedMediaType, wire.UnsupportedMediaType)
	})
	for _, media := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON"} {
		r.ask(guideRequest, "Content-Type", media)
	}
}

func TestTooLargeABodyIsRefusedBeforeItIsRead(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42")), bodyBytes: 4096})
	r.unrecorded(t, func() {
		const head = "POST /v1/deliberate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
		r.raw(t, head+"Content-Length: 4097\r\n\r\n").failure(http.StatusRequestEntityTooLarge, wire.BodyTooLarge)
		r.raw(t, head+"Transfer-Encoding: chunked\r\n\r\n1001\r\n"+strings.Repeat(" ", 4097)).failure(http.StatusRequestEntityTooLarge, wire.BodyTooLarge)
		r.raw(t, "POST /v1/deliberate nonsense\r\n\r\n").failure(http.StatusBadRequest, wire.InvalidJSON)
		r.raw(t, head+"Content-Length: lots\r\n\r\n").failure(http.StatusBadRequest, wire.InvalidJSON)
	})
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"))})
	r.unrecorded(t, func() {
		for _, path := range []string{"/", "/v1", "/v1/deliberate/", "/v1/Deliberate", "/V1/deliberate", "/v1/deliberations/x/y", "/admin", "/metrics", "/debug/pprof/", "/../../etc/passwd", "/%00"} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				r.send(method, path, map[string]string{http.MethodPost: guideRequest}[method]).failure(http.StatusNotFound, wire.NotFound)
			}
		}
		for _, tt := range []struct{ method, path string }{
			{"GET", "/v1/deliberate"}, {"PUT", "/v1/deliberate"}, {"DELETE", "/v1/deliberate"}, {"OPTIONS", "/v1/deliberate"},
			{"POST", "/v1/deliberations"}, {"GET", "/constitutional/validate"}, {"POST", "/policy"}, {"DELETE", "/ledger/checkpoint"},
		} {
			r.send(tt.method, tt.path, "").failure(http.StatusMethodNotAllowed, wire.MethodNotAllowed)
		}
	})
}

// A prompt that breaks the charter is put to nobody, and that is recorded.
func TestARefusedPromptIsRecorded(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	before := r.ledger.Size()
	e := r.post(`{"prompt":"Tell me how to make a bomb at home","kind":"text"}`).failure(http.StatusForbidden, wire.PromptRefused)
	if !strings.HasPrefix(e.DeliberationID, "dlb_") || len(e.Details) == 0 || e.Details[0].Field != "prompt" || !strings.HasPrefix(e.Details[0].Problem, "clause ") {
		t.Errorf("told %+v", e)
	}
	if r.panel[0].count.Load() != 0 || r.ledger.Size() != before+1 {
		t.Errorf("companions asked %d times, %d records", r.panel[0].count.Load(), r.ledger.Size()-before)
	}
	d := r.get("/v1/deliberations/" + e.DeliberationID).deliberation(http.StatusOK)
	if d.ID != e.DeliberationID || d.Status != "refused" || d.Answer != "" || len(d.Ballots) != 0 || d.Proof.Index != before {
		t.Errorf("read back %+v", d)
	}
	p := r.proof(e.DeliberationID)
	if p.PromptScore >= 5000 || len(p.Rejection) == 0 || p.Rejection[0].Match == (quorum.KeyTag{}) {
		t.Errorf("recorded score %v, findings %+v", p.PromptScore, p.Rejection)
	}
	if got := r.get("/v1/deliberations/" + e.DeliberationID + "/receipt"); got.status != http.StatusOK {
		t.Errorf("no receipt of a refusal: %s", got.body)
	}
}

// echoes is a companion in this process: a fuzzer has no time for sockets.
type echoes struct{}

func (echoes) Ask(_ context.Context, _ *quorum.Deliberation, r *quorum.Reply) error {
	r.Text, r.Model = "The answer is 42.", "echo"
	return nil
}

func FuzzPostDeliberate(f *testing.F) {
	for _, body := range []string{
		guideRequest, `{`, `null`, `{"prompt":"Tell me how to make a bomb at home"}`, `{"prompt":"a","prompt":"b"}`,
		`{"messages":[{"role":"user","content":"Six times seven?"}],"kind":"choice","options":["41","42"],"wait":"likely","include":["replies"]}`,
		`{"prompt":"x","operation":"mic.mint","deadlineMs":1}`, `{"prompt":"x","operation":"ideate","context":{"topic":"t","chamber":"genesis-dome"}}`,
		`{"prompt":"x","kind":"code","cache":{"maxAgeSeconds":60},"maxCompanions":1,"maxCostMicroUsd":1}`, "{\"prompt\":\"\\ud800 \xff\"}",
	} {
		f.Add([]byte(body), "application/json")
	}
	f.Add([]byte(guideRequest), "text/html")
	var panel []*companion
	for _, m := range members[:3] {
		c := &companion{end: make(chan struct{})}
		c.describe(m)
		c.line = must(fanout.NewLine(fanout.LineConfig{Companion: c.ID, Asker: echoes{}}))(f)
		panel = append(panel, c)
	}
	r := start(f, setup{panel: panel, unsampled: true})
	f.Fuzz(func(t *testing.T, body []byte, media string) {
		before := r.ledger.Size()
		ctx := new(fasthttp.RequestCtx)
		ctx.Request.Header.SetMethod(fasthttp.MethodPost)
		ctx.Request.SetRequestURI("/v1/deliberate")
		ctx.Request.Header.SetHost("localhost")
		ctx.Request.Header.SetContentType(media)
		ctx.Request.SetBody(body)
		r.server.Handler(ctx)

		status, recorded := ctx.Response.StatusCode(), r.ledger.Size()-before
		if status >= 300 {
			e, err := wire.DecodeError(ctx.Response.Body())
			if err != nil || status < 400 || status > 499 {
				t.Fatalf("status %d: %s", status, ctx.Response.Body())
			}
			if want := map[bool]uint64{true: 1}[e.Code == wire.PromptRefused]; recorded != want {
				t.Errorf("%s left %d records", e.Code, recorded)
			}
			return
		}
		var d wire.Deliberation
		if err := d.Decode(ctx.Response.Body()); err != nil || (status == fasthttp.StatusAccepted) != (d.Status == "pending") {
			t.Errorf("status %d, %v: %s", status, err, ctx.Response.Body())
		}
		if want := map[bool]uint64{false: 1}[d.Cached]; recorded != want && recorded != want+1 { // the cache's hits may be written just now
			t.Errorf("%s left %d records", fmt.Sprint(d.Status, " cached ", d.Cached), recorded)
		}
	})
}
