package sim

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/kaizen-os/deliberation/quorum"
)

// start runs companions until the test ends and gives their origins.
func start(t *testing.T, companions ...Companion) (*Sim, []string) {
	t.Helper()
	s, err := Start(Config{Companions: companions, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	var urls []string
	for _, e := range s.Endpoints() {
		urls = append(urls, e.URL)
	}
	return s, urls
}

// post sends body as JSON and decodes the answer into out, if there is one.
func post(t *testing.T, url, body string, out any) *http.Response {
	t.Helper()
	return request(t, http.MethodPost, url, "", body, out)
}

func request(t *testing.T, method, url, key, body string, out any) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			t.Fatalf("%s: %v in %q", url, err, raw)
		}
	}
	return res
}

func TestNativeProtocol(t *testing.T) {
	s, urls := start(t, Companion{ID: "AUREA", Model: "simulated-aurea", Skill: 1})
	var reply deliberateReply
	res := post(t, urls[0]+"/v1/deliberate",
		`{"deliberationId":"dlb_1","prompt":"What is 17 * 23?","context":{"tier":"standard","chamber":"thought-broker","cycle":"C-114"},"kind":"number","options":[],"deadlineMs":9500}`, &reply)
	if res.StatusCode != 200 || !strings.Contains(reply.Response, "391") || reply.Model != "simulated-aurea" ||
		reply.Confidence == nil || reply.Usage.Output == 0 {
		t.Errorf("status %d, reply %+v", res.StatusCode, reply)
	}
	post(t, urls[0]+"/v1/deliberate", `{"messages":[{"role":"user","content":"What is 6*7?"},{"role":"assistant","content":"Hm."}],"kind":"number"}`, &reply)
	if !strings.Contains(reply.Response, "42") {
		t.Errorf("the last user message was not answered: %q", reply.Response)
	}
	post(t, urls[0]+"/v1/deliberate", `{"prompt":"Motion: publish the audit.","kind":"vote"}`, &reply)
	if _, err := quorum.ParseStance(reply.Stance); err != nil || reply.Stance == "" || reply.Rationale == "" {
		t.Errorf("no vote: %+v", reply)
	}
	if n := s.Asked("AUREA"); n != 3 {
		t.Errorf("asked %d times, want 3", n)
	}
	var health healthReply
	if request(t, http.MethodGet, urls[0]+"/health", "", "", &health); health.Status != "healthy" {
		t.Errorf("health %+v", health)
	}
	var judged validateReply
	post(t, urls[0]+"/constitutional/validate", `{"response":"Be kind.","tier":"standard"}`, &judged)
	if judged.Score < 90 || len(judged.Violations) != 0 {
		t.Errorf("a kind reply was judged %+v", judged)
	}
	post(t, urls[0]+"/constitutional/validate", `{"response":"We should deceive them.","tier":"standard"}`, &judged)
	if judged.Score >= 70 || len(judged.Violations) != 1 || judged.Violations[0].Clause != 2 {
		t.Errorf("deceit was judged %+v", judged)
	}
}

func TestBadRequestsToACompanion(t *testing.T) {
	_, urls := start(t, Companion{ID: "A", Key: "secret"})
	for _, tt := range []struct {
		name, method, path, key, body string
		want                          int
	}{
		{"no key", "POST", "/v1/deliberate", "", `{"prompt":"x"}`, 401},
		{"wrong key", "POST", "/v1/deliberate", "wrong", `{"prompt":"x"}`, 401},
		{"right key", "POST", "/v1/deliberate", "secret", `{"prompt":"x"}`, 200},
		{"health needs no key", "GET", "/health", "", "", 200},
		{"malformed JSON", "POST", "/v1/deliberate", "secret", `{"prompt":`, 400},
		{"unknown kind", "POST", "/v1/deliberate", "secret", `{"prompt":"x","kind":"poem"}`, 400},
		{"wrong type", "POST", "/v1/chat/completions", "secret", `{"messages":7}`, 400},
		{"nothing to judge", "POST", "/constitutional/validate", "secret", `{}`, 400},
		{"wrong method", "GET", "/v1/deliberate", "secret", "", 405},
		{"unknown path", "GET", "/nowhere", "secret", "", 404},
	} {
		if res := request(t, tt.method, urls[0]+tt.path, tt.key, tt.body, nil); res.StatusCode != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, res.StatusCode, tt.want)
		}
	}
}

func TestChatCompletions(t *testing.T) {
	_, urls := start(t, Companion{ID: "A", Model: "simulated-a", Skill: 1})
	var reply chatReply
	post(t, urls[0]+"/v1/chat/completions", `{"model":"any","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"What is 17 * 23?"}]}`, &reply)
	if len(reply.Choices) != 1 || !strings.Contains(reply.Choices[0].Message.Content, "391") || reply.Usage.Total == 0 ||
		reply.Object != "chat.completion" || *reply.Choices[0].FinishReason != "stop" {
		t.Errorf("reply %+v", reply)
	}

	for _, tt := range []struct{ name, system, user, want string }{
		{"a number", `The answer is a number. End with one line of JSON: {"answer":42}`, "What is 6 * 7?", "42"},
		{"a choice of lettered options", "Choose exactly one option.\nThe options are:\nA) Oslo\nB) Rome", "What is the capital of Italy?", "B"},
		{"a vote", `You are voting on a motion. Reply with {"answer":"approve|reject|abstain"}`, "Motion: conceal and deceive.", `"rationale":"`},
	} {
		body := encode(chatRequest{Messages: []message{{"system", tt.system}, {"user", tt.user}}})
		post(t, urls[0]+"/v1/chat/completions", string(body), &reply)
		if said := reply.Choices[0].Message.Content; !strings.Contains(said, tt.want) {
			t.Errorf("%s: %q lacks %q", tt.name, said, tt.want)
		}
	}

	req, err := http.NewRequestWithContext(t.Context(), "POST", urls[0]+"/v1/chat/completions",
		strings.NewReader(`{"stream":true,"messages":[{"role":"user","content":"How should we plant trees?"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var said strings.Builder
	last := ""
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		data, found := strings.CutPrefix(lines.Text(), "data: ")
		if !found {
			continue
		}
		last = data
		var chunk chatReply
		if data != "[DONE]" {
			if err := json.Unmarshal([]byte(data), &chunk); err != nil {
				t.Fatalf("%v in %q", err, data)
			}
			said.WriteString(chunk.Choices[0].Delta.Content)
		}
	}
	whole, err := (&mind{companion: &Companion{ID: "A", Skill: 1}, seed: 3}).Reply(&Ask{Prompt: "How should we plant trees?"})
	if err != nil || last != "[DONE]" || said.String() != whole.Text {
		t.Errorf("streamed %q and ended with %q, want %q (%v)", said.String(), last, whole.Text, err)
	}
}

func TestAStreamTellsWhatItTookWhenAsked(t *testing.T) {
	_, urls := start(t, Companion{ID: "A", Model: "m", Skill: 1})
	for options, want := range map[string]bool{``: false, `,"stream_options":{"include_usage":true}`: true} {
		res, err := http.Post(urls[0]+"/v1/chat/completions", "application/json", strings.NewReader(`{"stream":true`+options+`,"messages":[{"role":"user","content":"How?"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		events := strings.Split(strings.TrimSpace(string(body)), "\n\n")
		var last chatReply
		if err := json.Unmarshal([]byte(strings.TrimPrefix(events[len(events)-2], "data: ")), &last); err != nil || events[len(events)-1] != "data: [DONE]" {
			t.Fatalf("%v: %q", err, events)
		}
		if got := last.Usage != nil && last.Usage.Total > 0 && len(last.Choices) == 0; got != want {
			t.Errorf("with %q the last piece is %+v", options, last)
		}
	}
}

func TestFixedReplies(t *testing.T) {
	_, urls := start(t, Companion{ID: "A", Model: "m", Fixed: 600}, Companion{ID: "B", Model: "m", Fixed: 2048})
	for i, size := range []int{600, 2048} {
		seen := map[string]bool{}
		for range variants {
			var reply deliberateReply
			post(t, urls[i]+"/v1/deliberate", `{"prompt":"x"}`, &reply)
			if len(reply.Response) != size {
				t.Fatalf("a reply of %d bytes, want %d", len(reply.Response), size)
			}
			seen[reply.Response] = true
		}
		if len(seen) != variants {
			t.Errorf("%d different replies, want %d", len(seen), variants)
		}
		var chat chatReply
		if post(t, urls[i]+"/v1/chat/completions", `{}`, &chat); len(chat.Choices[0].Message.Content) != size {
			t.Errorf("a chat reply of %d bytes, want %d", len(chat.Choices[0].Message.Content), size)
		}
		var health healthReply
		if request(t, "GET", urls[i]+"/health", "", "", &health); health.Status != "healthy" {
			t.Errorf("health %+v", health)
		}
	}
}

func TestFaults(t *testing.T) {
	s, urls := start(t, Companion{ID: "A", Skill: 1}, Companion{ID: "F", Fixed: 100})
	for _, id := range []quorum.CompanionID{"A", "F"} {
		url := urls[0]
		if id == "F" {
			url = urls[1]
		}
		get := func(f Fault) (*http.Response, []byte, error) {
			if !s.SetFault(id, f) {
				t.Fatalf("no companion %s", id)
			}
			// The client gives up here, as a gateway at its deadline: a hang or
			// an endless body must end by that, or by Close.
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, "POST", url+"/v1/deliberate", strings.NewReader(`{"prompt":"x"}`))
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				return nil, nil, err
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			return res, body, err
		}
		if _, body, err := get(Garbage); err != nil || json.Unmarshal(body, new(any)) == nil {
			t.Errorf("%s garbage: %q, %v", id, body, err)
		}
		if _, body, err := get(Endless); !errors.Is(err, context.DeadlineExceeded) || len(body) < 1<<16 {
			t.Errorf("%s endless: %d bytes, %v", id, len(body), err)
		}
		if _, body, err := get(HalfBody); !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 {
			t.Errorf("%s half a body: %q, %v", id, body, err)
		}
		if res, _, err := get(WrongType); err != nil || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s wrong type: %v, %v", id, res, err)
		}
		if _, _, err := get(Hang); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s hang: %v", id, err)
		}
		for f, status := range map[Fault]int{ServerError: 500, TooMany: 429, Unavailable: 503, NotAuthorised: 401} {
			res, _, err := get(f)
			if err != nil || res.StatusCode != status || (res.Header.Get("Retry-After") != "") != (status == 429 || status == 503) {
				t.Errorf("%s %v: %v, %v", id, f, res, err)
			}
		}
		if res, _, err := get(NoFault); err != nil || res.StatusCode != 200 {
			t.Errorf("%s healed: %v, %v", id, res, err)
		}
	}
	for f := range Fault(len(faultNames)) {
		if got, err := ParseFault(f.String()); got != f || err != nil {
			t.Errorf("ParseFault(%q) = %v, %v", f.String(), got, err)
		}
	}
	if _, err := ParseFault("explode"); err == nil {
		t.Error("an unknown fault was accepted")
	}
	if s.SetFault("NOBODY", Hang) || s.Asked("NOBODY") != -1 {
		t.Error("an unknown companion was accepted")
	}
}

func TestCloseCutsOffWhatIsStillOut(t *testing.T) {
	for _, c := range []Companion{{ID: "SLOW", Latency: Fixed(time.Minute)}, {ID: "HANGS"}, {ID: "ENDLESS"}} {
		s, err := Start(Config{Companions: []Companion{c}})
		if err != nil {
			t.Fatal(err)
		}
		s.SetFault("HANGS", Hang)
		s.SetFault("ENDLESS", Endless)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			res, err := http.Post(s.Endpoints()[0].URL+"/v1/deliberate", "application/json", strings.NewReader(`{"prompt":"x"}`))
			if err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		}()
		for s.Asked(c.ID) == 0 { // until the request has arrived
			select {
			case <-ended:
				t.Fatalf("%s: answered", c.ID)
			default:
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: close: %v", c.ID, err)
		}
		<-ended
		http.DefaultClient.CloseIdleConnections()
	}
}

func TestStartRefuses(t *testing.T) {
	if _, err := Start(Config{}); err == nil {
		t.Error("started without companions")
	}
	s, urls := start(t, Companion{ID: "A"})
	_ = s
	port := urls[0][strings.LastIndexByte(urls[0], ':')+1:]
	busy := 0
	for _, c := range port {
		busy = busy*10 + int(c-'0')
	}
	if _, err := Start(Config{Companions: []Companion{{ID: "B"}}, BasePort: busy}); err == nil || !strings.Contains(err.Error(), "start B") {
		t.Errorf("a taken port: %v", err)
	}
	s, err := Start(Config{Companions: []Companion{{ID: "C"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // at once, before anything was served
		t.Errorf("close: %v", err)
	}
}

func TestDefaultCompanions(t *testing.T) {
	tiers := map[quorum.Tier]int{}
	vendors := map[string]bool{}
	sentinels := 0
	for _, c := range Default() {
		admitted := quorum.Companion{ID: c.ID, Provider: "kaizen", Vendor: c.Vendor, Family: c.Family, Tier: c.Tier, Price: c.Price}
		if err := admitted.Validate(); err != nil {
			t.Error(err)
		}
		if !strings.HasPrefix(c.Model, "simulated-") {
			t.Errorf("%s: model %q does not say that it is simulated", c.ID, c.Model)
		}
		if c.Weight != "" && c.Tier != quorum.Standard {
			t.Errorf("%s: only a standard companion has a weight of its own", c.ID)
		}
		if c.Sentinel {
			sentinels++
		}
		tiers[c.Tier]++
		vendors[c.Vendor] = true
	}
	if tiers[quorum.Critical] != 2 || tiers[quorum.High] != 3 || tiers[quorum.Standard] != 3 || len(vendors) != 5 || sentinels != 1 {
		t.Errorf("tiers %v, vendors %v, %d sentinels", tiers, vendors, sentinels)
	}
}

func FuzzDecodeRequests(f *testing.F) {
	for _, s := range []string{`{"prompt":"x","kind":"vote"}`, `{"messages":[{"role":"user","content":"hi"}],"stream":true}`, `{`, `null`, `{"prompt":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m := certain("A")
		if ask, err := decodeDeliberate(body); err == nil {
			encode(native(mustReply(t, m, *ask)))
		}
		if ask, _, err := decodeChat(body); err == nil {
			encode(completion(mustReply(t, m, *ask)))
		}
	})
}
