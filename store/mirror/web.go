package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kaizen-os/deliberation/store/ledger"
)

// How often a request is tried that found nobody or a server in trouble, and how
// long after the first failure; twice as long after each further one.
const (
	tries      = 3
	firstPause = 200 * time.Millisecond
	webTimeout = time.Minute // of one request; a bundle may be 16 MiB
)

// A Web is a log behind a URL prefix.
type Web struct {
	prefix *url.URL
	client *http.Client
}

// NewWeb is the log at prefix, such as https://kaizen.example.org/ledger. A nil
// client is one of its own.
func NewWeb(prefix string, client *http.Client) (*Web, error) {
	u, err := url.Parse(prefix)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no URL of a log: want one such as https://kaizen.example.org/ledger", prefix)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q: a log's URL has no query and no fragment", prefix)
	}
	if client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = parallel
		client = &http.Client{Transport: transport, Timeout: webTimeout}
	}
	return &Web{u, client}, nil
}

// Close ends idle connections.
func (w *Web) Close() { w.client.CloseIdleConnections() }

// Checkpoint fetches the checkpoint.
func (w *Web) Checkpoint(ctx context.Context) ([]byte, error) {
	return w.get(ctx, checkpointName, maxCheckpoint)
}

// Key fetches the key that the log names as its own. Other logs than ours have
// none there.
func (w *Web) Key(ctx context.Context) ([]byte, error) { return w.get(ctx, keyName, maxKey) }

// Read fetches a tile or bundle.
func (w *Web) Read(ctx context.Context, p ledger.TilePath) ([]byte, error) {
	return w.get(ctx, p.String(), mostOf(p))
}

// A statusError is an answer that is not 200.
type statusError struct {
	url    string
	status int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s answers %d %s", e.url, e.status, http.StatusText(e.status))
}

func (e *statusError) Is(target error) bool {
	return target == fs.ErrNotExist && (e.status == http.StatusNotFound || e.status == http.StatusGone)
}

func (w *Web) get(ctx context.Context, name string, most int64) ([]byte, error) {
	address := w.prefix.JoinPath(strings.Split(name, "/")...).String()
	pause := firstPause
	for try := 1; ; try++ {
		data, err := w.once(ctx, address, most)
		if err == nil || try == tries || !passing(err) {
			return data, err
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-ctx.Done():
			return nil, err
		}
	}
}

// passing reports whether err may be gone in a moment: a connection that broke, a
// server that is overloaded or restarts.
func passing(err error) bool {
	if s := (*statusError)(nil); errors.As(err, &s) {
		return s.status == http.StatusTooManyRequests || s.status >= 500
	}
	return !errors.Is(err, context.Canceled) && !errors.Is(err, errTooLong)
}

var errTooLong = errors.New("is longer than it can be")

func (w *Web) once(ctx context.Context, address string, most int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := w.client.Do(req) // asks for gzip by itself, and takes it off
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		io.Copy(io.Discard, io.LimitReader(resp.Body, maxKey)) // so that the connection is kept
		return nil, &statusError{address, resp.StatusCode}
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", address, err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s %w: over %d bytes", address, errTooLong, most)
	}
	return data, nil
}
