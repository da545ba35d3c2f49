package judge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newOf makes a judge of a kind, as the configuration names it.
func newOf(t testing.TB, kind string, cfg Config) *Judge {
	t.Helper()
	j, err := map[string]func(Config) (*Judge, error){"moderation": NewModeration, "guard": NewGuard, "validate": NewValidate}[kind](cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j
}

// show writes an opinion down for people.
func show(o quorum.Opinion) string {
	var b strings.Builder
	for _, x := range o.Objections {
		if x.Clause == quorum.Advisory {
			fmt.Fprintf(&b, "advice %s at %s\n", x.Category, x.Step.Score())
		} else {
			fmt.Fprintf(&b, "clause %d %s at %s\n", x.Clause, x.Category, x.Step.Score())
		}
	}
	if len(o.Objections) == 0 {
		b.WriteString("nothing\n")
	}
	if o.Usage != (quorum.Usage{}) {
		fmt.Fprintf(&b, "tokens %d in, %d out\n", o.Usage.InputTokens, o.Usage.OutputTokens)
	}
	return b.String()
}

// Each file is one exchange: kind, model and text; the request; the answer; what is
// read of it.
func TestExchanges(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := strings.Split(string(data), "----\n")
			head, text, _ := strings.Cut(strings.TrimSuffix(parts[0], "\n"), "\n")
			kind, model, _ := strings.Cut(head, " ")
			line, body, _ := strings.Cut(strings.TrimSuffix(parts[1], "\n"), "\n")
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got, _ := io.ReadAll(r.Body)
				if sent := r.Method + " " + r.URL.Path; sent != line || string(got) != body {
					t.Errorf("asked\n%s\n%s\nwant\n%s\n%s", sent, got, line, body)
				}
				if r.Header.Get("Authorization") != "Bearer the-key" || r.Header.Get("Content-Type") != "application/json" {
					t.Errorf("headers %v", r.Header)
				}
				w.Header().Set("Content-Type", "application/json; charset=utf-8")
				io.WriteString(w, parts[2])
			}))
			defer server.Close()
			origin := server.URL
			if kind != "validate" {
				origin += "/v1"
			}
			j := newOf(t, kind, Config{Upstream: upstream.Config{Origin: origin}, Key: func(context.Context) (string, error) { return "the-key", nil }, Model: model})
			o, err := j.Judge(t.Context(), text, quorum.High)
			if err != nil {
				t.Fatal(err)
			}
			if got := show(o); got != parts[3] {
				t.Errorf("read as\n%swant\n%s", got, parts[3])
			}
		})
	}
}

// good is an answer of each kind with nothing held against the text.
var good = map[string]string{
	"moderation": `{"results":[{"flagged":false,"categories":{"hate":false},"category_scores":{"hate":0.001}}]}`,
	"guard":      `{"choices":[{"message":{"content":"safe"},"finish_reason":"stop"}]}`,
	"validate":   `{"score":100,"violations":[]}`,
}

// What goes wrong at a server is an error of its class, and never an opinion.
func TestServersThatFail(t *testing.T) {
	sends := func(status int, headers map[string]string, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for k, v := range headers {
				w.Header().Set(k, v)
			}
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	quoting := `{"error":{"message":"the text said SECRET-WORDS","code":"x"}}`
	for kind, answer := range good {
		for _, tt := range []struct {
			name   string
			serve  http.HandlerFunc
			class  string
			after  time.Duration
			status int
		}{
			{"a wrong key", sends(401, nil, quoting), upstream.Refused, 0, 401},
			{"no right to ask", sends(403, nil, quoting), upstream.Refused, 0, 403},
			{"too many calls", sends(429, map[string]string{"Retry-After": "7"}, quoting), upstream.RateLimited, 7 * time.Second, 429},
			{"a server's error", sends(500, nil, quoting), upstream.Status, 0, 500},
			{"out of service for a while", sends(503, map[string]string{"Retry-After": "2"}, ""), upstream.Status, 2 * time.Second, 503},
			{"moved", sends(302, map[string]string{"Location": "/elsewhere"}, ""), upstream.Status, 0, 302},
			{"nothing at all", sends(200, nil, ""), upstream.Malformed, 0, 0},
			{"garbage", sends(200, nil, "\x00\xff\x12garbage"), upstream.Malformed, 0, 0},
			{"another object", sends(200, nil, `{"verdict":"fine"}`), upstream.Malformed, 0, 0},
			{"an error as 200", sends(200, nil, quoting), upstream.Malformed, 0, 0},
			{"a member twice", sends(200, nil, `{"score":100,"score":100,"violations":[],"results":[],"choices":[]}`), upstream.Malformed, 0, 0},
			{"something after it", sends(200, nil, answer+`{}`), upstream.Malformed, 0, 0},
			{"a page", sends(200, map[string]string{"Content-Type": "text/html"}, "<html>ok</html>"), upstream.ContentType, 0, 200},
			{"compressed", sends(200, map[string]string{"Content-Encoding": "br"}, answer), upstream.ContentType, 0, 200},
			{"half a body", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Content-Length", fmt.Sprint(len(answer)))
				io.WriteString(w, answer[:len(answer)/2])
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}, upstream.Truncated, 0, 0},
			{"no end", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, `{"more":"`)
				for r.Context().Err() == nil {
					if _, err := io.WriteString(w, strings.Repeat("x", 4096)); err != nil {
						return
					}
				}
			}, upstream.TooLarge, 0, 0},
			{"hung up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, upstream.Connection, 0, 0},
		} {
			t.Run(kind+"/"+tt.name, func(t *testing.T) {
				server := httptest.NewUnstartedServer(tt.serve)
				server.Start()
				defer server.Close()
				j := newOf(t, kind, Config{Upstream: upstream.Config{Origin: server.URL}, Model: "m"})
				o, err := j.Judge(t.Context(), "SECRET-WORDS", quorum.Standard)
				e, ok := errors.AsType[*upstream.Error](err)
				if !ok || e.Class != tt.class || e.RetryAfter != tt.after || tt.status != 0 && e.Status != tt.status {
					t.Fatalf("%v (%+v), want %s after %v", err, e, tt.class, tt.after)
				}
				if len(o.Objections) > 0 || o.Usage != (quorum.Usage{}) {
					t.Errorf("an opinion beside the error: %+v", o)
				}
				if strings.Contains(err.Error(), "SECRET") {
					t.Errorf("the error quotes: %v", err)
				}
			})
		}
	}
}

// A judge that does not answer is given up with ctx, and its connection closed.
func TestAJudgeThatHangs(t *testing.T) {
	gone := make(chan struct{}, len(good))
	asked := make(chan struct{}, len(good))
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		asked <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	}))
	defer server.Close()
	for kind := range good {
		j := newOf(t, kind, Config{Upstream: upstream.Config{Origin: server.URL}, Model: "m"})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-asked
			cancel()
		}()
		if _, err := j.Judge(ctx, "text", quorum.Standard); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: cancelled: %v", kind, err)
		}
		<-gone
		ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := j.Judge(ctx, "text", quorum.Standard); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: too slow: %v", kind, err)
		}
		cancel()
		<-asked
		<-gone
	}
}

var errNoKey = errors.New("no key")

// A key that is changed while the judge runs is the next call's.
func TestAKeyIsReadAtEachCall(t *testing.T) {
	var key atomic.Pointer[string]
	var got atomic.Pointer[string]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := r.Header.Get("Authorization")
		got.Store(&sent)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, good["guard"])
	}))
	defer server.Close()
	j := newOf(t, "guard", Config{Upstream: upstream.Config{Origin: server.URL}, Model: "m", Key: func(context.Context) (string, error) {
		if k := *key.Load(); k != "none" {
			return k, nil
		}
		return "", errNoKey
	}})
	for _, k := range []string{"first", "second", ""} {
		key.Store(&k)
		if _, err := j.Judge(t.Context(), "text", quorum.Standard); err != nil {
			t.Fatal(err)
		}
		if want := strings.TrimSuffix("Bearer "+k, "Bearer "); *got.Load() != want {
			t.Errorf("with key %q it is sent %q", k, *got.Load())
		}
	}
	none, untouched := "none", "untouched"
	key.Store(&none)
	got.Store(&untouched)
	if _, err := j.Judge(t.Context(), "text", quorum.Standard); !errors.Is(err, errNoKey) || *got.Load() != untouched {
		t.Errorf("without a key: %v, sent %q", err, *got.Load())
	}
}

func TestATextThatIsTooLongIsNotSent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was sent") }))
	defer server.Close()
	j := newOf(t, "validate", Config{Upstream: upstream.Config{Origin: server.URL}})
	if _, err := j.Judge(t.Context(), strings.Repeat("x", MaxText+1), quorum.Standard); !errors.Is(err, errLong) {
		t.Errorf("%v", err)
	}
}

func TestConfig(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(Config) (*Judge, error)
		cfg  Config
	}{
		{"moderation without a model", NewModeration, Config{Upstream: upstream.Config{Origin: "https://api.example.com/v1"}}},
		{"guard without a model", NewGuard, Config{Upstream: upstream.Config{Origin: "https://api.example.com/v1"}}},
		{"no origin", NewValidate, Config{}},
		{"an origin of another scheme", NewGuard, Config{Upstream: upstream.Config{Origin: "ftp://api.example.com"}, Model: "m"}},
	} {
		if _, err := tt.make(tt.cfg); err == nil {
			t.Errorf("%s: taken", tt.name)
		}
	}
	j := newOf(t, "guard", Config{Upstream: upstream.Config{Origin: "https://api.example.com/v1"}, Model: "m"})
	if host, port := j.Address(); host != "api.example.com" || port != 443 {
		t.Errorf("at %s:%d", host, port)
	}
}
