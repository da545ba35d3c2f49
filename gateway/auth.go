package gateway

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/time/rate"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// Role is what a key's holder is to the gateway.
type Role string

const (
	RoleClient    Role = "client"
	RoleCitizen   Role = "citizen"
	RoleCompanion Role = "companion"
	RoleSentinel  Role = "sentinel"
	RoleSteward   Role = "steward"
	RoleMonitor   Role = "monitor" // reads the admin listener's metrics, and nothing else
)

// A Client is one holder of a key.
type Client struct {
	Name      string
	Role      Role
	Key       [32]byte        // SHA-256 of the key
	Tier      quorum.Tier     // the highest it may ask at
	PerSecond float64         // deliberations a second; zero is no limit
	PerDay    quorum.MicroUSD // what its deliberations may cost, a day by UTC; zero is no limit
	Companion quorum.CompanionID
}

// caller is a client and the bucket it draws from.
type caller struct {
	Client
	bucket *rate.Limiter
	purse  *purse // nil: no limit
}

func newCaller(c Client) *caller {
	k := &caller{Client: c}
	if c.PerSecond > 0 {
		k.bucket = rate.NewLimiter(rate.Limit(c.PerSecond), max(1, int(c.PerSecond)))
	}
	if c.PerDay > 0 {
		k.purse = &purse{perDay: c.PerDay}
	}
	return k
}

// callers knows every key.
type callers struct {
	byKey map[[32]byte]*caller
	local *caller // who comes without a known key, while there are no clients; else nil
}

// newCallers keeps the buckets and purses of callers that were there before with the
// same settings, so that a reload gives nobody a fresh burst, or money.
func newCallers(clients []Client, steward [32]byte, before *callers) *callers {
	c := &callers{byKey: make(map[[32]byte]*caller, len(clients)+1)}
	if len(clients) == 0 {
		c.local = newCaller(Client{Name: "local", Role: RoleClient, Tier: quorum.Critical})
	}
	clients = append(clients[:len(clients):len(clients)], Client{Name: "steward", Role: RoleSteward, Key: steward, Tier: quorum.Critical})
	for _, client := range clients {
		k := newCaller(client)
		if before != nil {
			if old := before.byKey[client.Key]; old != nil && old.Client == client {
				k = old
			}
		}
		c.byKey[client.Key] = k
	}
	return c
}

// who tells which client sent the request.
func (c *callers) who(ctx *fasthttp.RequestCtx) (*caller, error) {
	if k := c.byKeyOf(&ctx.Request.Header); k != nil {
		if k.Role == RoleMonitor {
			return nil, refuse(wire.Forbidden, "this key reads the metrics, on the admin listener, and nothing else")
		}
		return k, nil
	}
	if c.local != nil {
		if err := sameSite(ctx); err != nil {
			return nil, err
		}
		return c.local, nil
	}
	if len(bearer(&ctx.Request.Header)) == 0 {
		return nil, refuse(wire.Unauthorized, "this gateway needs a key: send it as Authorization: Bearer KEY")
	}
	return nil, refuse(wire.Unauthorized, "this key is not known here")
}

// byKeyOf is the caller whose key a request came with; nil if there is none such.
func (c *callers) byKeyOf(h *fasthttp.RequestHeader) *caller {
	key := bearer(h)
	if len(key) == 0 {
		return nil
	}
	digest := sha256.Sum256(key)
	// The map finds a digest, which tells an attacker nothing of a key that
	// has it; the comparison that decides takes the same time either way.
	if k := c.byKey[digest]; k != nil && subtle.ConstantTimeCompare(k.Key[:], digest[:]) == 1 {
		return k
	}
	return nil
}

// bearer is the key of Authorization: Bearer, or of x-api-key.
func bearer(h *fasthttp.RequestHeader) []byte {
	const scheme = "bearer "
	if v := h.Peek(fasthttp.HeaderAuthorization); len(v) > len(scheme) && bytes.EqualFold(v[:len(scheme)], []byte(scheme)) {
		return bytes.TrimSpace(v[len(scheme):])
	}
	return h.Peek("X-Api-Key")
}

// sameSite holds requests without a key to this machine: a page in the user's
// browser must not reach the gateway by a name that somebody pointed at
// loopback, nor from another origin.
func sameSite(ctx *fasthttp.RequestCtx) error {
	if !loopbackHost(string(ctx.Host())) {
		return refuse(wire.Misdirected, "without clients configured, this gateway answers to loopback names only")
	}
	if bytes.EqualFold(ctx.Request.Header.Peek("Sec-Fetch-Site"), []byte("cross-site")) {
		return refuse(wire.Forbidden, "requests from other sites need a key")
	}
	if origin := ctx.Request.Header.Peek(fasthttp.HeaderOrigin); len(origin) > 0 {
		u, err := url.Parse(string(origin))
		if err != nil || u.Host == "" || !loopbackHost(u.Host) {
			return refuse(wire.Forbidden, "requests from other origins need a key")
		}
	}
	return nil
}

func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// admit draws one deliberation from the caller's bucket.
func (k *caller) admit(now time.Time) error {
	if k.bucket == nil || k.bucket.AllowN(now, 1) {
		return nil
	}
	r := k.bucket.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	r.CancelAt(now)
	f := refuse(wire.RateLimited, "more deliberations than this key's rate allows")
	f.retryAfter = max(wait, time.Second)
	return f
}
