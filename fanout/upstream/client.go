package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// DefaultMaxBody bounds a reply: a hundred times a long answer, and still
	// harmless from a whole panel at once.
	DefaultMaxBody = 4 << 20
	// DefaultMaxIdle is how many unused connections an origin keeps: one for
	// each deliberation of a busy gateway.
	DefaultMaxIdle = 512
	// DefaultIdleTimeout is below what common servers and load balancers allow
	// (60 s and up), so that we close first and seldom meet a stale connection.
	DefaultIdleTimeout = 45 * time.Second
	// DialTimeout bounds one dial and handshake, so that an address that
	// swallows packets leaves time for the retry.
	DialTimeout = 5 * time.Second
)

// ErrOrigin is a companion address that cannot be used.
var ErrOrigin = errors.New("upstream: unusable origin")

// Config describes one origin. Only Origin is required.
type Config struct {
	Origin      string        // http or https, host, optional port and base path; no user, query or fragment
	MaxBody     int           // bytes of a reply's body; zero is DefaultMaxBody
	MaxIdle     int           // kept unused connections; zero is DefaultMaxIdle
	IdleTimeout time.Duration // after which an unused connection is closed; zero is DefaultIdleTimeout
	TLS         *tls.Config   // for https, for instance a private root; nil is the system's roots
	// Dial opens a connection to "host:port"; nil is net.Dialer. A caller that
	// must not reach private addresses checks them here, after the name is
	// resolved.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client keeps connections to one origin. It is safe for concurrent use.
type Client struct {
	host    string // for the Host header
	address string // host:port
	base    string // path prefix, without a slash at its end
	tls     *tls.Config
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	maxBody int

	maxIdle     int
	idleTimeout time.Duration

	mu     sync.Mutex // guards what follows
	idle   []*conn    // the longest unused first
	reaper *time.Timer
	closed bool
}

// New checks cfg and returns a client that has not connected yet.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.Origin)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: not a URL", ErrOrigin) // err would quote a password
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%w: scheme %q: want http or https", ErrOrigin, u.Scheme)
	case u.User != nil:
		return nil, fmt.Errorf("%w: credentials in the URL", ErrOrigin)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%w: no host", ErrOrigin)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("%w: query or fragment", ErrOrigin)
	case cfg.MaxBody < 0 || cfg.MaxIdle < 0 || cfg.IdleTimeout < 0:
		return nil, errors.New("upstream: a limit is below 0")
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	c := &Client{
		host:        u.Host,
		address:     net.JoinHostPort(u.Hostname(), port),
		base:        strings.TrimRight(u.EscapedPath(), "/"),
		dial:        cfg.Dial,
		maxBody:     orDefault(cfg.MaxBody, DefaultMaxBody),
		maxIdle:     orDefault(cfg.MaxIdle, DefaultMaxIdle),
		idleTimeout: orDefault(cfg.IdleTimeout, DefaultIdleTimeout),
	}
	if !plain(c.host) || !plain(c.base) {
		return nil, fmt.Errorf("%w: a character that no request line may hold", ErrOrigin)
	}
	if c.dial == nil {
		c.dial = new(net.Dialer).DialContext
	}
	if u.Scheme == "https" {
		c.tls = &tls.Config{}
		if cfg.TLS != nil {
			c.tls = cfg.TLS.Clone()
		}
		if c.tls.ServerName == "" {
			c.tls.ServerName = u.Hostname()
		}
		c.tls.NextProtos = []string{"http/1.1"} // a server that offers only h2 fails here, not in the parser
		if c.tls.MinVersion == 0 {
			c.tls.MinVersion = tls.VersionTLS12
		}
		if c.tls.ClientSessionCache == nil {
			c.tls.ClientSessionCache = tls.NewLRUClientSessionCache(0)
		}
	}
	return c, nil
}

func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// plain reports whether s may stand in a request line or a header.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// Address is the host and port that the client connects to.
func (c *Client) Address() (host string, port int) {
	host, p, err := net.SplitHostPort(c.address)
	if err != nil {
		panic("bug: " + err.Error()) // New joined it
	}
	port, _ = strconv.Atoi(p) // url.Parse let only digits through
	return host, port
}

// MaxBody is the bound on a reply's body, in bytes. Of a streamed reply it binds
// one event, and whoever puts the reply together holds that to it.
func (c *Client) MaxBody() int { return c.maxBody }

// connect dials and shakes hands, by ctx's deadline and within DialTimeout.
func (c *Client) connect(ctx context.Context) (*conn, error) {
	dialling, cancel := context.WithTimeout(ctx, DialTimeout)
	defer cancel()
	raw, err := c.dial(dialling, "tcp", c.address)
	if err != nil {
		return nil, dialError(ctx, err, "no connection")
	}
	if c.tls != nil {
		secured := tls.Client(raw, c.tls)
		if err := secured.HandshakeContext(dialling); err != nil {
			raw.Close()
			return nil, dialError(ctx, err, "no secure connection")
		}
		raw = secured
	}
	return newConn(c, raw), nil
}

func dialError(ctx context.Context, err error, reason string) error {
	if end := ctx.Err(); end != nil {
		return end
	}
	if at, ok := ctx.Deadline(); ok && !time.Now().Before(at) {
		return context.DeadlineExceeded // the dialler's clock struck first
	}
	return &Error{Class: Connection, Reason: reason, Retryable: true, Err: err}
}
