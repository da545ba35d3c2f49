package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/kaizen-os/deliberation/fanout/upstream"
)

const (
	// requestTime bounds one request for a token.
	requestTime = 15 * time.Second
	// pause is from a request that failed to the next: a server that is down is
	// not asked by every call, and is found soon when it is back.
	pause = time.Second
	// usualLife is after how long a token is replaced whose server does not say
	// how long it is valid.
	usualLife = time.Hour
	// maxEarly is the longest before its end that a token is replaced, and maxSkew
	// that it counts as ended: clocks differ, and a request takes time to arrive.
	// Of a short life they are a fifth and a twentieth.
	maxEarly = 5 * time.Minute
	maxSkew  = 10 * time.Second
)

// Config describes a client at a token endpoint. All but Scopes and Transport is
// required.
type Config struct {
	TokenURL string // https or http
	ClientID string
	Secret   func() string // the client's secret at the time of a request, so that it can be rotated
	Scopes   []string
	// Transport carries the requests; nil is one that keeps no connections.
	Transport http.RoundTripper
}

// Source gives access tokens. It is safe for concurrent use.
type Source struct {
	secret func() string
	client clientcredentials.Config // touched by one request at a time; it learns how the endpoint wants the secret
	ctx    context.Context          // of all requests
	cancel context.CancelFunc
	all    sync.WaitGroup // requests

	mu      sync.Mutex // guards what follows
	token   string     // "" for none
	got     time.Time  // when it came
	replace time.Time  // when to ask for the next
	ends    time.Time  // when this one counts as ended; zero for never
	failure error      // of the last request, if it failed
	again   time.Time  // not before this, after a failure
	pending chan struct{}
	closed  bool
}

// New checks cfg. It asks for nothing yet.
func New(cfg Config) (*Source, error) {
	u, err := url.Parse(cfg.TokenURL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("oauth: token URL: want one that starts with https:// or http://")
	case u.User != nil:
		return nil, errors.New("oauth: token URL: credentials in it")
	case cfg.ClientID == "" || cfg.Secret == nil:
		return nil, errors.New("oauth: no client id or secret")
	}
	if cfg.Transport == nil {
		cfg.Transport = &http.Transport{DisableKeepAlives: true, ForceAttemptHTTP2: true} // one request an hour
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Source{
		secret: cfg.Secret,
		client: clientcredentials.Config{ClientID: cfg.ClientID, TokenURL: cfg.TokenURL, Scopes: cfg.Scopes},
		ctx: context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: cfg.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}), // the secret goes nowhere else
		cancel: cancel,
	}, nil
}

// Token gives a valid token. It waits for one only where there is none, until ctx
// ends. Its error is an *upstream.Error or ctx's.
func (s *Source) Token(ctx context.Context) (string, error) {
	for {
		token, pending, err := s.have(time.Now())
		if pending == nil {
			return token, err
		}
		select {
		case <-pending: // and a token of a very short life may have ended again
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// have gives the token or the failure that there is, or what to wait for.
func (s *Source) have(now time.Time) (token string, pending <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.failure != nil && now.Before(s.again)
	switch {
	case s.valid(now):
		if !now.Before(s.replace) && !held {
			s.ask()
		}
		return s.token, nil, nil
	case s.pending == nil && held:
		return "", nil, s.failure
	}
	s.ask()
	if s.pending == nil {
		return "", nil, errClosed
	}
	return "", s.pending, nil
}

func (s *Source) valid(now time.Time) bool {
	return s.token != "" && (s.ends.IsZero() || now.Before(s.ends))
}

// ask begins a request unless one is out. s.mu is held.
func (s *Source) ask() {
	if s.pending != nil || s.closed {
		return
	}
	s.pending = make(chan struct{})
	s.all.Go(s.fetch)
}

// fetch is one request.
func (s *Source) fetch() {
	ctx, cancel := context.WithTimeout(s.ctx, requestTime)
	defer cancel()
	s.client.ClientSecret = s.secret()
	token, err := s.client.Token(ctx)
	if err == nil && !sendable(token.AccessToken) {
		err = errUnusable
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if err != nil {
		s.failure, s.again = explain(err), now.Add(pause)
	} else {
		s.failure, s.token, s.got = nil, token.AccessToken, now
		s.replace, s.ends = now.Add(usualLife), time.Time{}
		if !token.Expiry.IsZero() {
			life := token.Expiry.Sub(now)
			s.replace = token.Expiry.Add(-min(life/5, maxEarly))
			s.ends = token.Expiry.Add(-min(life/20, maxSkew))
		}
		if !s.valid(now) {
			s.token, s.failure, s.again = "", errUnusable, now.Add(pause)
		}
	}
	close(s.pending)
	s.pending = nil
}

// Forget drops the token, because a companion no longer takes it: it may have been
// withdrawn before its end. One that has only just come is kept, so that a
// companion that takes none does not have the endpoint asked for each call.
func (s *Source) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.got) >= pause {
		s.token = ""
	}
}

// Close ends a request that is out. Tokens are had no more, but the one there is.
func (s *Source) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.all.Wait()
}

// sendable reports whether a token may stand in a header.
func sendable(token string) bool {
	for i := range len(token) {
		if token[i] <= ' ' || token[i] >= 0x7f {
			return false
		}
	}
	return token != ""
}

// What can be wrong, in fixed phrases.
var (
	errUnusable = &upstream.Error{Class: upstream.Malformed, Reason: "the token endpoint gave no usable token"}
	errRefused  = &upstream.Error{Class: upstream.Refused, Reason: "the token endpoint refused our credentials"}
	errReach    = &upstream.Error{Class: upstream.Connection, Reason: "the token endpoint could not be reached"}
	errClosed   = &upstream.Error{Class: upstream.Connection, Reason: "no token: the connection is being closed"}
)

// explain makes a fixed phrase of err, which may quote the endpoint.
func explain(err error) error {
	var said *oauth2.RetrieveError
	var network *url.Error
	switch {
	case err == error(errUnusable):
		return err
	case errors.As(err, &said) && said.Response != nil:
		switch status := said.Response.StatusCode; {
		case status == http.StatusBadRequest || status == http.StatusUnauthorized || status == http.StatusForbidden || status < 300:
			return errRefused
		default:
			return &upstream.Error{Class: upstream.Status, Status: status, Reason: fmt.Sprintf("the token endpoint answered with http %d", status)}
		}
	case errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		return errReach
	}
	return errUnusable
}
