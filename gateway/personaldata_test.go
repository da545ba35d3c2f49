package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// A datum is made-up personal data or a made-up secret of one kind, as it may
// stand in a sentence, and the part of it that nobody else may see.
type datum struct{ kind, text, core string }

// data has one of every rule that code finds: see TestEveryKindIsSent. The parts
// are put together here so that no scanner takes them for leaked ones.
var data = []datum{
	{"privacy.email", "petra.haddad@northgatemail.com", "petra.haddad"},
	{"privacy.phone", "+1 512 209 8221", "209 8221"},
	{"privacy.card", "4532756279624064", "4532756279624064"},
	{"privacy.iban", "DE33876233430937389021", "876233430937389021"},
	{"privacy.ssn", "563-21-3271", "563-21-3271"},
	{"privacy.nationalid", "CPF 598.466.015-65", "598.466.015-65"},
	{"privacy.document", "passport number C01X4827V5", "C01X4827V5"},
	{"privacy.wallet", "1LoBhHnPJiEbdRu7e1xAHpHRNARWjTj36N", "LoBhHnPJiEbdRu7e1x"},
	{"privacy.ip", "55.133.164.50", "55.133.164.50"},
	{"privacy.address", "4029 Mill Lane, Madison, WI 53703", "4029 Mill Lane"},
	{"privacy.birthdate", "date of birth: 1967-02-05", "1967-02-05"},
	{"privacy.password", "password: x7$Tq9!bLw2", "x7$Tq9!bLw2"},
	{"privacy.key", "api key: 30b29ac30b39cefd" + "097055fe28c3b60702735f8b", "30b29ac30b39cefd"},
	{"privacy.token", "gh" + "p_ertBSwopHSMy6SLtc5k69HCaijap3uGjCvsg", "ertBSwopHSMy6SLtc5k69"},
	{"privacy.jwt", "eyJhbGciOiJIUzI1NiIsInR5" + "cCI6IkpXVCJ9.eyJzdWIiOiI4ODEyMyJ9.IF_GDK83XQqzrHyqfvq", "IF_GDK83XQqzrHyqfvq"},
	{"privacy.privatekey", "-----BEGIN PRIVATE" + " KEY----- zm7v/KYuWxoGpZq4zV+cehsUhA0Bu+qyUufYWgFfHSNyDFjF -----END PRIVATE KEY-----", "KYuWxoGpZq4zV"},
	{"privacy.credentials", "postgres://sunfield:VZ7b5vWR" + "3ptAGA@db.redcedar.net:5432/main", "VZ7b5vWR3ptAGA"},
}

func TestEveryKindIsSent(t *testing.T) {
	t.Parallel()
	s := scorer().Charter()
	var found []string
	for _, d := range data {
		var a quorum.Assessment
		s.AssessReply(&a, d.text, "")
		if len(a.Findings) != 1 || a.Findings[0].Rule != d.kind || !strings.Contains(d.text, d.core) {
			t.Errorf("%s: %q has %v in it", d.kind, d.text, a.Findings)
		}
		found = append(found, d.kind)
	}
	for _, r := range s.Rules() {
		if r.Clause == quorum.Privacy && r.ID != "privacy.doxing" && !slices.Contains(found, r.ID) {
			t.Errorf("nothing of %s is sent through the gateway", r.ID)
		}
	}
}

// tells is what of data stands in text, in its surroundings; "" if nothing does.
func tells(text string) string {
	lower := strings.ToLower(text)
	for _, d := range data {
		if at := strings.Index(lower, strings.ToLower(d.core)); at >= 0 {
			return d.kind + ": " + text[max(0, at-100):min(len(text), at+len(d.core)+60)]
		}
	}
	return ""
}

// bodies are requests with d wherever a word may stand, whatever the route takes.
func bodies(t testing.TB, d datum) (list []string) {
	q := string(must(json.Marshal(d.text))(t))
	list = append(list, d.text, q, `{`+q+`:1}`, `{`+q, `{"x":`+q+`}`, `[`+q+`]`, `{"prompt":"a",`+q+`:`+q+`}`, `{"prompt":"a","prompt":`+q+`}`)
	for _, field := range []string{"prompt", "messages", "context", "kind", "options", "operation", "deadlineMs", "wait", "maxCompanions", "cache",
		"include", "rounds", "response", "tier", "items", "rating", "correct", "confirm", "judge", "synthesis", "id", "method", "params", "code", "jsonrpc"} {
		list = append(list, `{"`+field+`":`+q+`}`, `{"prompt":"a","response":"a","rating":1,"`+field+`":[{`+q+`:`+q+`},`+q+`]}`)
	}
	for _, rest := range []string{
		`"context":{"tier":Q}`, `"context":{"chamber":Q}`, `"context":{"topic":Q}`, `"context":{"cycle":Q}`, `"context":{Q:Q}`, `"cache":{"maxAgeSeconds":Q}`,
		`"options":[Q]`, `"kind":"choice","options":[Q,Q]`, `"operation":Q,"kind":"vote"`, `"include":[Q]`, `"judge":{"companion":Q}`, `"synthesis":{"companion":Q}`,
	} {
		list = append(list, `{"prompt":"a",`+strings.ReplaceAll(rest, "Q", q)+`}`)
	}
	for _, item := range []string{`{"prompt":Q,"kind":"short","truth":Q}`, `{"prompt":"a","kind":"choice","options":[Q,"b"],"truth":"c"}`, `{"prompt":"a","kind":Q,"truth":"a"}`,
		`{"prompt":"a","kind":"number","truth":Q}`, `{"prompt":"a","kind":"short","truth":"a","topic":Q}`, `{"prompt":"a","kind":"short","truth":"a",Q:Q}`, `Q`} {
		list = append(list, `{"items":[`+strings.ReplaceAll(item, "Q", q)+`]}`)
	}
	for _, call := range []string{`"method":Q`, `"method":"tools/call","params":{"name":Q}`, `"method":"tools/call","params":{"name":"deliberate","arguments":{Q:Q}}`,
		`"method":"tools/call","params":{"name":"deliberate","arguments":{"prompt":"a","kind":Q}}`, `"method":"tools/call","params":{"name":"deliberate","arguments":{"prompt":[Q]}}`,
		`"method":"tools/call","params":{"name":"verify_receipt","arguments":{"receipt":Q,"key":Q}}`, `"method":"tools/call","params":{"name":"verify_receipt","arguments":{"id":Q}}`,
		`"method":"initialize","params":{"protocolVersion":Q}`, `"method":"resources/read","params":{"uri":Q}`, `"method":"tools/call","params":Q`} {
		list = append(list, `{"jsonrpc":"2.0","id":1,`+strings.ReplaceAll(call, "Q", q)+`}`)
	}
	return list
}

// headers are those that a request may say something with.
var headers = []string{"Authorization", "X-Api-Key", "Content-Type", "Origin", "Traceparent", "Tracestate", "Baggage", "User-Agent", "Accept", "Cookie",
	"X-Forwarded-For", "X-Request-Id", "Referer", "Sec-Fetch-Site", "Mcp-Session-Id", "Mcp-Protocol-Version", "Last-Event-Id", "If-None-Match", "Range", "Content-Encoding"}

// An exchange is a request of the test and what came back.
type exchange struct {
	what string
	*response
}

// inErrors is what of the answers is no answer: of refusals all, of answers the
// headers.
func (e *exchange) inErrors() string {
	told := fmt.Sprint(e.header)
	if e.status >= 300 || strings.Contains(e.what, mcpPath) && (bytes.Contains(e.body, []byte(`"error"`)) || bytes.Contains(e.body, []byte(`"isError":true`))) {
		told += string(e.body)
	}
	return told
}

// everywhere sends d through every route that the gateway has.
func (r *rig) everywhere(d datum) (all []exchange) {
	routes := r.routes().List()
	flat := strings.ReplaceAll(d.text, "\n", " ")
	send := func(what, method, path, body string, headers ...string) {
		all = append(all, exchange{what + " " + method + " " + path, r.send(method, path, body, headers...)})
	}
	many := bodies(r.t, d)
	for method, paths := range routes {
		for _, path := range paths {
			open, begins := path, strings.IndexByte(path, '{')
			if begins >= 0 {
				ends := strings.IndexByte(path, '}')
				open = path[:begins] + url.PathEscape(flat) + path[ends+1:]
				send("in the path", method, open, "", asSteward...)
			}
			send("behind the path", method, open+"/"+url.PathEscape(flat), "", asSteward...)
			send("in the query", method, open+"?limit="+url.QueryEscape(flat)+"&"+url.QueryEscape(flat)+"=1&open="+url.QueryEscape(flat)+"&cursor="+url.QueryEscape(flat), "", asSteward...)
			body := ""
			if method == http.MethodPost {
				body = `{"x":1}`
			}
			for _, name := range headers {
				given := []string{name, flat}
				switch name {
				case "Authorization":
					given[1] = "Bearer " + flat
				case "Tracestate":
					given = append([]string{"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, name, "a="+url.QueryEscape(flat)+",b="+strings.ReplaceAll(flat, "=", ""))
				default:
					given = append(given, asSteward...)
				}
				send("in the header "+name, method, open, body, given...)
			}
			if method != http.MethodPost && method != http.MethodDelete {
				continue
			}
			for _, body := range many {
				send("in the body "+body, method, open, body, append(asSteward, "Accept", "application/json, text/event-stream")...)
			}
		}
	}
	if !strings.ContainsAny(flat, "@: ,/") { // else net/http sends no such method
		send("as the method", flat, "/v1/deliberate", "")
		send("as the method", flat, "/nothing", "")
	}
	return all
}

func TestPersonalDataStandsInAnswersOnly(t *testing.T) {
	t.Parallel()
	var now atomic.Pointer[datum] // what companions say at the moment
	now.Store(&data[0])
	said := func(answer func(w http.ResponseWriter, d string)) behaviour {
		return func(w http.ResponseWriter, _ *call) { answer(w, now.Load().text) }
	}
	reply := said(func(w http.ResponseWriter, d string) {
		io.WriteString(w, saying("response", "It is "+d, "rationale", "Since it is "+d, "model", d))
	})
	panel := panelOf(t, reply, reply,
		said(func(w http.ResponseWriter, d string) { io.WriteString(w, `{"response":`+d) }),
		said(func(w http.ResponseWriter, d string) {
			w.Header().Set("X-Error", strings.ReplaceAll(d, "\n", " "))
			w.Header().Set("Retry-After", d)
			http.Error(w, d, http.StatusInternalServerError)
		}),
		said(func(w http.ResponseWriter, d string) { io.WriteString(w, saying("response", d, "stance", d)) }),
		said(func(w http.ResponseWriter, d string) {
			w.Header().Set("Content-Type", "text/"+d)
			w.Header().Set("Location", "http://127.0.0.1:1/"+url.PathEscape(d))
			w.WriteHeader(http.StatusFound)
			io.WriteString(w, d)
		}))
	panel = append(panel, shadows(t, reply)...)
	r := start(t, setup{panel: panel, clients: []Client{client("one", "key-of-one"), client("other", "key-of-other")},
		policy: func(p *quorum.Policy) { p.Early.ObserveOne = 1 }})
	own := []string{"Authorization", "Bearer key-of-one"}
	var exchanges []exchange
	answers := ""
	for i := range data {
		d := data[i]
		now.Store(&d)
		q := string(must(json.Marshal(d.text))(t))
		for _, rest := range []string{`"kind":"auto"`, `"kind":"short"`, `"kind":"choice","options":[` + q + `,"B"]`, `"kind":"json"`, `"kind":"vote","operation":"a"`, `"kind":"text","rounds":2`} {
			resp := r.post(`{"prompt":`+string(must(json.Marshal("What of "+d.text+"?"))(t))+`,`+rest+`,"include":["ballots","positions","replies"]}`, own...)
			answers += string(resp.body)
			exchanges = append(exchanges, exchange{"asked with " + rest, resp})
			if resp.status != http.StatusOK {
				continue
			}
			id := resp.deliberation(http.StatusOK).ID
			r.completion(id)
			other := r.get("/v1/deliberations/"+id, "X-Api-Key", "key-of-other")
			if at := tells(string(other.body)); at != "" {
				t.Errorf("another key is told %s", at)
			}
			exchanges = append(exchanges, exchange{"feedback", r.send(http.MethodPost, "/v1/deliberations/"+id+"/feedback", `{"rating":1,"note":`+q+`}`, own...)})
		}
		exchanges = append(exchanges, r.everywhere(d)...)
	}
	for _, d := range data {
		if !strings.Contains(answers, d.core) {
			t.Errorf("%s came back in no answer: the companions did not say it", d.kind)
		}
	}
	// The admin listener, which is net/http.
	admin := r.Admin(http.NotFoundHandler())
	for _, d := range data {
		for _, path := range []string{"/", "/debug/pprof/", "/backup/"} {
			w := httptest.NewRecorder()
			req := httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+path+url.PathEscape(d.text)+"?debug="+url.QueryEscape(d.text), nil)
			req.Header.Set("Authorization", "Bearer "+stewardKey)
			admin.ServeHTTP(w, req)
			exchanges = append(exchanges, exchange{"admin " + path, &response{t, w.Code, w.Header(), w.Body.Bytes()}})
		}
	}
	r.drain()

	refused := 0
	for _, e := range exchanges {
		if e.status >= 400 {
			refused++
		}
		if at := tells(e.inErrors()); at != "" {
			t.Errorf("%s: status %d tells %s", e.what, e.status, at)
		}
	}
	if refused < len(exchanges)/2 {
		t.Errorf("%d of %d were refused: the test is about what is", refused, len(exchanges))
	}
	told := map[string]string{
		"logs":  r.logs.String(),
		"spans": string(must(json.Marshal(tracetest.SpanStubsFromReadOnlySpans(r.spans.Ended())))(t)),
		"files": files(t, r.ledgerFS, "data") + files(t, r.vaultFS, "vault"),
	}
	var all metricdata.ResourceMetrics
	if err := r.metrics.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	told["metrics"] = string(must(json.Marshal(all.ScopeMetrics))(t))
	for i := range r.ledger.Size() {
		told["ledger"] += string(must(r.ledger.Entry(i))(t))
	}
	for where, text := range told {
		if at := tells(text); at != "" {
			t.Errorf("the %s tell %s", where, at)
		}
		if text == "" {
			t.Errorf("there are no %s to look at", where)
		}
	}
}

// The search above finds what is there: without the redactor, in a log line.
func TestPersonalDataInALogLineIsFoundWithoutTheRedactor(t *testing.T) {
	t.Parallel()
	for _, d := range data {
		var plain, redacted bytes.Buffer
		slog.New(slog.NewJSONHandler(&plain, nil)).Error("request failed", "error", fmt.Errorf("ask: %s", d.text))
		slog.New(scorer().Charter().Redactor().LogHandler(slog.NewJSONHandler(&redacted, nil))).Error("request failed", "error", fmt.Errorf("ask: %s", d.text))
		if tells(plain.String()) == "" {
			t.Errorf("%s is not found in %s", d.kind, &plain)
		}
		if at := tells(redacted.String()); at != "" {
			t.Errorf("with the redactor a line tells %s", at)
		}
	}
}

func TestErrorsNameWhatTheyQuoteWithoutPersonalData(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"))})
	for _, tt := range []struct{ name, body, field, message string }{
		{"an unknown field", `{"prompt":"a","petra.haddad@northgatemail.com":1}`, "[email]", "[email]: unknown field"},
		{"one within another", `{"prompt":"a","context":{"563-21-3271":1}}`, "context.[ssn]", "context.[ssn]: unknown field"},
		{"one cut short", `{"prompt":"a","` + strings.Repeat("x", 50) + `petra.haddad@northgatemail.com":1}`, "(a long name)", "(a long name): unknown field"},
		{"a topic that is somebody's number", `{"prompt":"a","context":{"topic":"563-21-3271"}}`, "context.topic", "a label is kept for good"},
		{"an ordinary slip", `{"prompt":"a","optons":["a","b"]}`, "optons", "optons: unknown field; did you mean options?"},
	} {
		resp := r.post(tt.body)
		e, err := wire.DecodeError(resp.body)
		if err != nil || resp.status != http.StatusBadRequest {
			t.Errorf("%s: status %d, %v: %s", tt.name, resp.status, err, resp.body)
			continue
		}
		if !strings.HasPrefix(e.Message, tt.message) || len(e.Details) != 1 || e.Details[0].Field != tt.field {
			t.Errorf("%s: %s", tt.name, resp.body)
		}
	}
}

// A record lists so many findings of a reply, and the worst are among them: that a
// key stands behind many addresses must not hide it.
func TestTheWorstFindingsAreListed(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for i := range quorum.MaxFindings {
		fmt.Fprintf(&text, "petra%d@northgatemail.com, ", i)
	}
	const key = "sk-proj-" + "wKv396RummstYaIl9XzcQ2Sij92hL66gsYeFzOXg"
	r := start(t, setup{panel: panelOf(t, says(text.String()+"and the key "+key), says("42"), says("42"))})
	d := r.ask(sixTimesSeven + `,` + inFull + `}`)
	listed := ballot(t, d, "AUREA").Violations
	if len(listed) != quorum.MaxFindings || listed[0].Rule != "privacy.token" || listed[1].Rule != "privacy.email" || listed[1].Start != 0 {
		t.Errorf("listed %+v", listed)
	}
	r.again(d)
}
