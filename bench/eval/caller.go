package eval

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// caller talks to one gateway, over the public protocol as any client would.
type caller struct {
	gateway Gateway
	origin  string
	tier    quorum.Tier
	client  fasthttp.HostClient
}

func newCaller(gateway Gateway, tier quorum.Tier, connections int) (*caller, error) {
	u, err := url.Parse(gateway.URL)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("gateway %q: want an http origin", gateway.URL)
	}
	return &caller{
		gateway: gateway, origin: "http://" + u.Host, tier: tier,
		client: fasthttp.HostClient{Addr: u.Host, MaxConns: connections, MaxIdemponentCallAttempts: 1,
			Dial: func(address string) (net.Conn, error) { return net.Dial("tcp", address) }},
	}, nil
}

func (c *caller) close() { c.client.CloseIdleConnections() }

type request struct {
	Prompt  string `json:"prompt"`
	Context struct {
		Tier string `json:"tier"`
	} `json:"context"`
	Kind    string   `json:"kind"`
	Options []string `json:"options,omitempty"`
	Wait    string   `json:"wait"`
	Include []string `json:"include"`

	Escalate bool `json:"escalate,omitempty"`
}

// deliberate puts one prompt to the gateway. d is nil when it did not answer
// with a deliberation, however it said so; an error is that it could not be
// reached.
func (c *caller) deliberate(it *sim.Item, wait quorum.Wait, escalate bool) (status int, d *wire.Deliberation, err error) {
	kind, err := it.Kind.Kind()
	if err != nil {
		return 0, nil, err
	}
	r := request{Prompt: it.Ask, Kind: kind.String(), Options: it.Options(), Wait: wait.String(), Include: []string{"ballots", "positions"}, Escalate: escalate}
	r.Context.Tier = c.tier.String()
	status, body, err := c.do(fasthttp.MethodPost, "/v1/deliberate", c.gateway.Key, r, time.Minute)
	if err != nil {
		return 0, nil, err
	}
	if status != fasthttp.StatusOK && status != fasthttp.StatusForbidden {
		return status, nil, nil
	}
	d = new(wire.Deliberation)
	if err := d.Decode(body); err != nil || d.Status == "" {
		return status, nil, nil
	}
	return status, d, nil
}

// again reads a deliberation back from the ledger; nil when it is not there.
func (c *caller) again(id string) (*wire.Deliberation, error) {
	status, body, err := c.do(fasthttp.MethodGet, "/v1/deliberations/"+url.PathEscape(id), c.gateway.Key, nil, time.Minute)
	if err != nil {
		return nil, err
	}
	d := new(wire.Deliberation)
	if status != fasthttp.StatusOK || d.Decode(body) != nil {
		return nil, nil
	}
	return d, nil
}

// calibrationItem is one prompt with its truth.
type calibrationItem struct {
	Prompt  string   `json:"prompt"`
	Kind    string   `json:"kind"`
	Options []string `json:"options,omitempty"`
	Truth   []string `json:"truth"` // any of them
}

// calibrationBytes keeps a request's body well under a gateway's limit (1 MiB).
const calibrationBytes = 512 << 10

// calibrate gives the gateway items with their truth, in as few requests as may
// be. When it returns, what was learnt of them is in force.
func (c *caller) calibrate(ctx context.Context, items []*sim.Item) error {
	var batch struct {
		Items []calibrationItem `json:"items"`
	}
	size := 0
	send := func() error {
		if len(batch.Items) == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		status, body, err := c.do(fasthttp.MethodPost, "/api/calibration", c.gateway.StewardKey, batch, 10*time.Minute)
		if err == nil && status/100 != 2 {
			err = fmt.Errorf("POST /api/calibration: status %d", status)
			if said, undecoded := wire.DecodeError(body); undecoded == nil {
				err = fmt.Errorf("%w: %s", err, said.Message)
				for _, d := range said.Details[:min(1, len(said.Details))] {
					err = fmt.Errorf("%w: %s %s", err, d.Field, d.Problem)
				}
			}
		}
		batch.Items, size = batch.Items[:0], 0
		return err
	}
	for _, it := range items {
		kind, err := it.Kind.Kind()
		if err != nil {
			return err
		}
		item := calibrationItem{it.Ask, kind.String(), it.Options(), truths(it)}
		bytes := len(it.Ask) + len(it.Truth) + 200
		if size+bytes > calibrationBytes {
			if err := send(); err != nil {
				return err
			}
		}
		batch.Items, size = append(batch.Items, item), size+bytes
	}
	return send()
}

// truths are the answers that count as right: for free text any of the aliases,
// which recordings separate by '/'.
func truths(it *sim.Item) (accepted []string) {
	if it.Kind != sim.FreetextItem {
		return []string{it.Truth}
	}
	for _, alias := range strings.Split(it.Truth, "/") {
		if alias = strings.TrimSpace(alias); alias != "" {
			accepted = append(accepted, alias)
		}
	}
	return accepted
}

func (c *caller) do(method, path, key string, body any, timeout time.Duration) (status int, answer []byte, err error) {
	var req fasthttp.Request
	var res fasthttp.Response
	req.SetRequestURI(c.origin + path)
	req.Header.SetMethod(method)
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return 0, nil, fmt.Errorf("encode: %w", err)
		}
		req.Header.SetContentType("application/json")
		req.SetBodyRaw(encoded)
	}
	if err := c.client.DoTimeout(&req, &res, timeout); err != nil {
		return 0, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return res.StatusCode(), res.Body(), nil
}
