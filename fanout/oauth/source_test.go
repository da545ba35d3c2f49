package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/kaizen-os/deliberation/fanout/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An endpoint is a token endpoint without a network, for tests on a clock of
// their own.
type endpoint struct {
	answer func(n int, r *http.Request) (status int, body string)
	calls  atomic.Int32
}

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := e.answer(int(e.calls.Add(1)), r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if status == 0 {
		return nil, errors.New("secret: connection refused")
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// lasting answers with tokens t1, t2, … of so many seconds, after taking a while.
func lasting(seconds int, takes time.Duration) func(int, *http.Request) (int, string) {
	return func(n int, r *http.Request) (int, string) {
		select {
		case <-time.After(takes):
		case <-r.Context().Done():
		}
		return 200, fmt.Sprintf(`{"access_token":"t%d","token_type":"Bearer","expires_in":%d}`, n, seconds)
	}
}

func source(t *testing.T, answer func(int, *http.Request) (int, string)) (*Source, *endpoint) {
	t.Helper()
	e := &endpoint{answer: answer}
	s, err := New(Config{TokenURL: "https://id.example.com/token", ClientID: "id", Secret: func() string { return "s" }, Transport: e})
	if err != nil {
		t.Fatal(err)
	}
	return s, e
}

func TestTheFirstCallsWaitForOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, e := source(t, lasting(3600, 2*time.Second))
		defer s.Close()
		begun := time.Now()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if token, err := s.Token(t.Context()); token != "t1" || err != nil || time.Since(begun) != 2*time.Second {
					t.Errorf("%q, %v after %v", token, err, time.Since(begun))
				}
			})
		}
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Token(hurried); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("with less time: %v after %v", err, time.Since(begun))
		}
		all.Wait()
		if n := e.calls.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestNoCallWaitsForTheNextToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, e := source(t, lasting(100, 5*time.Second)) // replaced from 80 s on, ended at 95 s
		defer s.Close()
		if token, err := s.Token(t.Context()); token != "t1" || err != nil {
			t.Fatal(token, err)
		}
		begun := time.Now()
		for range 1000 { // a call every second
			called := time.Now()
			token, err := s.Token(t.Context())
			if err != nil || token == "" {
				t.Fatalf("after %v: %v", called.Sub(begun), err)
			}
			if time.Since(called) != 0 {
				t.Fatalf("after %v a call waited for %v", called.Sub(begun), time.Since(called))
			}
			<-time.After(time.Second)
		}
		if n := e.calls.Load(); n < 11 || n > 13 {
			t.Errorf("%d requests in a thousand seconds", n)
		}
		// After a long silence there is no valid token: then it is waited for.
		<-time.After(time.Hour)
		called, before := time.Now(), e.calls.Load()
		if token, err := s.Token(t.Context()); err != nil || token != fmt.Sprintf("t%d", before+1) || time.Since(called) != 5*time.Second {
			t.Errorf("%q, %v after %v", token, err, time.Since(called))
		}
	})
}

func TestAnEndpointThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		good := lasting(100, 0)
		s, e := source(t, func(n int, r *http.Request) (int, string) {
			if down.Load() {
				return 503, "secret"
			}
			return good(n, r)
		})
		defer s.Close()
		if _, err := s.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		down.Store(true)
		// While the token is valid nobody notices.
		for range 90 {
			<-time.After(time.Second)
			if token, err := s.Token(t.Context()); token != "t1" || err != nil {
				t.Fatal(token, err)
			}
			synctest.Wait()
		}
		if n := e.calls.Load(); n < 8 || n > 24 {
			t.Errorf("%d requests in ten seconds of failure", n)
		}
		<-time.After(10 * time.Second)
		// Then everybody does, at no more than a request a second.
		before := e.calls.Load()
		for range 100 {
			_, err := s.Token(t.Context())
			if e, ok := errors.AsType[*upstream.Error](err); !ok || e.Class != upstream.Status || e.Reason != "the token endpoint answered with http 503" {
				t.Fatal(err)
			}
		}
		if n := e.calls.Load() - before; n > 2 { // the first tries both ways that endpoints may want the secret
			t.Errorf("%d requests", n)
		}
		down.Store(false)
		<-time.After(2 * time.Second)
		if token, err := s.Token(t.Context()); err != nil || token == "t1" {
			t.Errorf("back again: %q, %v", token, err)
		}
	})
}

func TestWhatAnEndpointCanAnswer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		class  string // "" for a token
		reason string
	}{
		{"a token", 200, `{"access_token":"abc","token_type":"bearer","expires_in":3600}`, "", ""},
		{"a token that says nothing of its life", 200, `{"access_token":"abc"}`, "", ""},
		{"its life in a string", 200, `{"access_token":"abc","expires_in":"3600"}`, "", ""},
		{"a wrong secret", 401, `{"error":"invalid_client","error_description":"secret"}`, upstream.Refused, "the token endpoint refused our credentials"},
		{"a wrong scope", 400, `{"error":"invalid_scope","error_description":"secret"}`, upstream.Refused, "the token endpoint refused our credentials"},
		{"forbidden", 403, `secret`, upstream.Refused, "the token endpoint refused our credentials"},
		{"an error as 200", 200, `{"error":"invalid_client"}`, upstream.Refused, "the token endpoint refused our credentials"},
		{"a failure", 500, `<html>secret`, upstream.Status, "the token endpoint answered with http 500"},
		{"a redirect", 302, ``, upstream.Status, "the token endpoint answered with http 302"},
		{"nothing", 200, ``, upstream.Malformed, "the token endpoint gave no usable token"},
		{"garbage", 200, `secret`, upstream.Malformed, "the token endpoint gave no usable token"},
		{"no token", 200, `{"token_type":"Bearer"}`, upstream.Malformed, "the token endpoint gave no usable token"},
		{"a token that no header may hold", 200, `{"access_token":"secret\r\nX-Evil: 1","expires_in":3600}`, upstream.Malformed, "the token endpoint gave no usable token"},
		{"a token that has ended", 200, `{"access_token":"abc","expires_in":-5}`, upstream.Malformed, "the token endpoint gave no usable token"},
		{"nobody there", 0, ``, upstream.Connection, "the token endpoint could not be reached"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := source(t, func(int, *http.Request) (int, string) { return tt.status, tt.body })
			defer s.Close()
			token, err := s.Token(t.Context())
			if tt.class == "" {
				if token != "abc" || err != nil {
					t.Errorf("%s: %q, %v", tt.name, token, err)
				}
				return
			}
			e, ok := errors.AsType[*upstream.Error](err)
			if token != "" || !ok || e.Class != tt.class || e.Reason != tt.reason || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %q, %v; want %s %q", tt.name, token, err, tt.class, tt.reason)
			}
		})
	}
}

func TestAnEndpointThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := source(t, lasting(100, time.Hour))
		begun := time.Now()
		_, err := s.Token(t.Context())
		if e, ok := errors.AsType[*upstream.Error](err); !ok || e.Class != upstream.Connection || time.Since(begun) > 2*requestTime {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		// Close does not wait for an answer.
		<-time.After(pause)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { s.Token(ctx) })
		synctest.Wait()
		begun = time.Now()
		s.Close()
		if time.Since(begun) != 0 {
			t.Errorf("Close took %v", time.Since(begun))
		}
		all.Wait()
		cancel()
		<-time.After(pause)
		if _, err := s.Token(t.Context()); err == nil {
			t.Error("a token after Close")
		}
	})
}

func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, e := source(t, lasting(3600, 0))
		defer s.Close()
		for _, step := range []struct {
			after time.Duration
			want  string
		}{{0, "t1"}, {0, "t1"}, {pause - 1, "t1"}, {1, "t2"}, {0, "t2"}} {
			<-time.After(step.after)
			if step.after > 0 || e.calls.Load() > 0 {
				s.Forget() // in vain while the token has only just come
			}
			if token, err := s.Token(t.Context()); token != step.want || err != nil {
				t.Errorf("%v later: %q, %v; want %s", step.after, token, err, step.want)
			}
		}
	})
}

// Over the network: what is sent, and a secret that is rotated.
func TestRotation(t *testing.T) {
	asked := make(chan url.Values, 10)
	users := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		id, secret, _ := r.BasicAuth()
		asked <- r.PostForm
		users <- id + ":" + secret
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"access_token":"of-`+secret+`","expires_in":1}`)
	}))
	defer server.Close()
	var secret atomic.Value
	secret.Store("first")
	s, err := New(Config{TokenURL: server.URL + "/token", ClientID: "kaizen", Secret: func() string { return secret.Load().(string) }, Scopes: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if token, err := s.Token(ctx); token != "of-first" || err != nil {
		t.Fatal(token, err)
	}
	if form := <-asked; form.Get("grant_type") != "client_credentials" || form.Get("scope") != "a b" {
		t.Errorf("asked with %v", form)
	}
	if user := <-users; user != "kaizen:first" {
		t.Errorf("asked as %s", user)
	}
	secret.Store("second")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		token, err := s.Token(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if token == "of-second" {
			return
		}
		<-tick.C
	}
}

func TestConfig(t *testing.T) {
	ok := Config{TokenURL: "https://id.example.com/token", ClientID: "id", Secret: func() string { return "s" }}
	for name, change := range map[string]func(*Config){
		"no URL":      func(c *Config) { c.TokenURL = "" },
		"a path":      func(c *Config) { c.TokenURL = "/token" },
		"credentials": func(c *Config) { c.TokenURL = "https://a:b@id.example.com/token" },
		"no id":       func(c *Config) { c.ClientID = "" },
		"no secret":   func(c *Config) { c.Secret = nil },
	} {
		cfg := ok
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	s, err := New(ok)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}
