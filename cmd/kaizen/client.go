package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/kaizen-os/deliberation/gateway/wire"
)

// maxResponseBytes bounds what a gateway may answer: the largest panel's
// replies, many times over.
const maxResponseBytes = 64 << 20

// An apiClient talks to one gateway on behalf of a person at a terminal. Its errors
// are one line that says what to do.
type apiClient struct {
	base *url.URL
	key  Secret
	http *http.Client
}

// newClient checks the gateway's URL. The key may be empty.
func newClient(base string, key Secret) (*apiClient, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, &exitError{exitUsage, fmt.Errorf("--url %q: want a URL such as %s", base, defaultURL)}
	}
	return &apiClient{base: u, key: key, http: &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableCompression: true},
		// A redirect would carry the key elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// close ends the client's idle connections.
func (c *apiClient) close() { c.http.CloseIdleConnections() }

// deliberate puts r to the gateway. It gives the answer as it came and decoded:
// one of a refusal that is itself a verdict too.
func (c *apiClient) deliberate(ctx context.Context, r *wire.Request) (body []byte, v *wire.Deliberation, err error) {
	body, err = c.do(ctx, http.MethodPost, "/v1/deliberate", r.AppendTo(nil))
	if err != nil {
		return nil, nil, err
	}
	v = new(wire.Deliberation)
	if err := v.Decode(body); err != nil || v.ID == "" {
		return nil, nil, fmt.Errorf("%s does not answer like a kaizen gateway; check --url", c.base)
	}
	return body, v, nil
}

// get fetches what is at path, which may have a query, on the gateway.
func (c *apiClient) get(ctx context.Context, path string) ([]byte, error) {
	return c.do(ctx, http.MethodGet, path, nil)
}

// delete deletes what is at path on the gateway.
func (c *apiClient) delete(ctx context.Context, path string) ([]byte, error) {
	return c.do(ctx, http.MethodDelete, path, nil)
}

// do sends one request and gives the body of its answer. An answer that is an
// error, by its body or by its status, becomes one.
func (c *apiClient) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	path, query, _ := strings.Cut(path, "?")
	at := c.base.JoinPath(path)
	at.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if !c.key.Empty() {
		req.Header.Set("Authorization", "Bearer "+c.key.Reveal())
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxResponseBytes+1))
	if err != nil {
		return nil, c.unreachable(err)
	}
	if len(answer) > maxResponseBytes {
		return nil, fmt.Errorf("%s answers more than %d bytes; check --url", c.base, maxResponseBytes)
	}
	if said, err := wire.DecodeError(answer); err == nil {
		return nil, refusal(said, resp.Header.Get("Retry-After"))
	}
	// A verdict may come with a status that says the same: 202, 403.
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if resp.StatusCode >= 300 && kind != "application/json" {
		return nil, fmt.Errorf("%s answers %s; check --url", c.base, resp.Status)
	}
	return answer, nil
}

// unreachable says why there was no answer, and what to do.
func (c *apiClient) unreachable(err error) error {
	var dns *net.DNSError
	var timeout net.Error
	at := c.base.Redacted()
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("no answer from %s in time; allow more with --deadline, or wait for less with --wait likely", at)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nobody listens at %s; is the gateway running? start it with: kaizen serve", at)
	case errors.As(err, &dns):
		return fmt.Errorf("no host %s; check --url", dns.Name)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("%s closed the connection without an answer; is it a kaizen gateway, and still running?", at)
	}
	var wrapped *url.Error // repeats method and URL
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Errorf("cannot reach %s: %w; check --url", at, err)
}

// refusal turns the gateway's error into a line for a person.
func refusal(e *wire.Error, retryAfter string) error {
	said := e.Message
	var all []string
	for _, d := range e.Details {
		all = append(all, strings.TrimPrefix(d.Field+": "+d.Problem, ": "))
	}
	switch {
	case len(all) > 1:
		said = strings.Join(all, "; ")
	case len(all) == 1 && !strings.Contains(said, e.Details[0].Problem):
		said += ": " + all[0]
	}
	code := exitFailed
	switch e.Code {
	case wire.Unauthorized:
		said += "; give your key with --key env:NAME or --key file:PATH"
	case wire.TierNotAllowed:
		said += "; ask at a lower tier with --tier"
	case wire.PromptRefused:
		code = exitNotCarried
	}
	if retryAfter != "" {
		said += "; try again in " + retryAfter + " s"
	}
	said += fmt.Sprintf(" (%s", e.Code)
	if e.DeliberationID != "" {
		said += ", " + e.DeliberationID
	}
	return &exitError{code, errors.New(oneLine(said) + ")")}
}

// keyFrom reads a key from where ref says it is: "env:NAME" or "file:PATH". ""
// is the variable KAIZEN_KEY, or none. It never is the key itself: a command
// line can be read by everyone on the machine.
func keyFrom(ref string, env func(string) (string, bool)) (Secret, error) {
	kind, name, ok := strings.Cut(ref, ":")
	var value, source string
	switch {
	case ref == "":
		value, _ = env("KAIZEN_KEY")
		if value == "" {
			return Secret{}, nil
		}
		source = "environment variable KAIZEN_KEY"
	case ok && kind == "env" && name != "":
		source = "environment variable " + name
		if value, ok = env(name); !ok || value == "" {
			return Secret{}, fmt.Errorf("--key: %s is not set", source)
		}
	case ok && kind == "file" && name != "":
		data, err := readBounded(name, maxSecretBytes)
		if err != nil {
			return Secret{}, fmt.Errorf("--key: %w", err)
		}
		source, value = name, strings.TrimRight(string(data), "\r\n")
	default:
		return Secret{}, &exitError{exitUsage, errors.New("--key: want env:NAME or file:PATH, never the key itself")}
	}
	if !headerSafe(value) {
		return Secret{}, fmt.Errorf("--key: %s holds no key alone: empty, or with white space or control characters", source)
	}
	return Secret{value}, nil
}
