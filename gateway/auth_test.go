package gateway

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// client is one that may ask at every tier.
func client(name, key string) Client {
	return Client{Name: name, Role: RoleClient, Key: sha256.Sum256([]byte(key)), Tier: quorum.Critical}
}

// unrecorded runs do and wants the ledger to be as it was.
func (r *rig) unrecorded(t *testing.T, do func()) {
	t.Helper()
	before := r.ledger.Size()
	do()
	if after := r.ledger.Size(); after != before {
		t.Errorf("%d records were made", after-before)
	}
}

func TestWithClientsEveryKeyedPathNeedsAKey(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42")), clients: []Client{client("ann", "key-of-ann")}})
	r.unrecorded(t, func() {
		for _, tt := range []struct{ method, path string }{
			{"POST", "/v1/deliberate"}, {"GET", "/v1/deliberations"}, {"GET", "/v1/deliberations/dlb_x"}, {"GET", "/v1/deliberations/dlb_x/receipt"},
			{"POST", "/constitutional/validate"}, {"GET", "/api/companions"},
		} {
			for name, headers := range map[string][]string{
				"none": nil, "unknown": {"Authorization", "Bearer key-of-nobody"}, "another scheme": {"Authorization", "Basic key-of-ann"},
				"empty": {"Authorization", "Bearer "}, "unknown in x-api-key": {"X-Api-Key", "key-of-nobody"}, "of the wrong case": {"Authorization", "Bearer Key-Of-Ann"},
			} {
				resp := r.send(tt.method, tt.path, map[string]string{"POST": guideRequest}[tt.method], headers...)
				resp.failure(http.StatusUnauthorized, wire.Unauthorized)
				if !strings.HasPrefix(resp.header.Get("WWW-Authenticate"), "Bearer") {
					t.Errorf("%s %s, key %s: WWW-Authenticate is %q", tt.method, tt.path, name, resp.header.Get("WWW-Authenticate"))
				}
			}
		}
	})
	for _, headers := range [][]string{{"Authorization", "Bearer key-of-ann"}, {"authorization", "bearer  key-of-ann "}, {"x-api-key", "key-of-ann"}, {"Authorization", "Bearer " + stewardKey}} {
		r.ask(guideRequest, headers...)
	}
	// A page of another origin may use a key that it was given.
	r.ask(guideRequest, "X-Api-Key", "key-of-ann", "Origin", "https://app.example", "Host", "gateway.example")
}

func TestAKeyAsksUpToItsTier(t *testing.T) {
	t.Parallel()
	low := client("low", "key-of-low")
	low.Tier = quorum.Standard
	r := start(t, setup{panel: panelOf(t, votes("approve"), votes("approve"), votes("approve"), votes("approve")), clients: []Client{low}})
	r.unrecorded(t, func() {
		for field, body := range map[string]string{
			"context.tier": `{"prompt":"May I?","context":{"tier":"high"}}`,
			"operation":    `{"prompt":"Mint ten.","operation":"mic.mint"}`,
		} {
			e := r.post(body, "X-Api-Key", "key-of-low").failure(http.StatusForbidden, wire.TierNotAllowed)
			if len(e.Details) != 1 || e.Details[0].Field != field {
				t.Errorf("%s: %+v", body, e)
			}
		}
	})
	if d := r.ask(`{"prompt":"May I?","context":{"tier":"standard"}}`, "X-Api-Key", "key-of-low"); len(d.Ballots) != 4 {
		t.Errorf("at its own tier: %+v", d)
	}
}

func TestWithoutClientsOnlyThisMachineIsServed(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	r.unrecorded(t, func() {
		for _, tt := range []struct {
			header, value string
			status        int
			code          wire.Code
		}{
			{"Origin", "https://evil.example", http.StatusForbidden, wire.Forbidden},
			{"Origin", "null", http.StatusForbidden, wire.Forbidden},
			{"Origin", "http://localhost.evil.example", http.StatusForbidden, wire.Forbidden},
			{"Sec-Fetch-Site", "cross-site", http.StatusForbidden, wire.Forbidden},
			{"Host", "gateway.example", http.StatusMisdirectedRequest, wire.Misdirected},
			{"Host", "127.0.0.1.evil.example:8080", http.StatusMisdirectedRequest, wire.Misdirected},
			{"Host", "10.0.0.1:8080", http.StatusMisdirectedRequest, wire.Misdirected},
		} {
			r.post(guideRequest, tt.header, tt.value).failure(tt.status, tt.code)
		}
	})
	for _, headers := range [][]string{
		nil, {"Authorization", "Bearer whatever-an-sdk-sends"}, {"Host", "localhost:8080"}, {"Host", "[::1]:8080"}, {"Host", "kaizen.localhost"},
		{"Origin", "http://localhost:3000"}, {"Sec-Fetch-Site", "same-origin"},
		{"Host", "gateway.example", "X-Api-Key", stewardKey}, // who has the steward's key needs no more
	} {
		r.ask(guideRequest, headers...)
	}
}

func TestAnotherClientIsToldNothingOfTexts(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	d := r.ask(guideRequest)
	r.get("/v1/deliberations/dlb_01JUNKJUNKJUNKJUNKJUNKJUNK").failure(http.StatusNotFound, wire.NotFound)
	r.get("/v1/deliberations/"+strings.ToLower(d.ID)).failure(http.StatusNotFound, wire.NotFound)
	r.get("/v1/deliberations/"+d.ID+"%2Fcompleted").failure(http.StatusNotFound, wire.NotFound)
	r.get("/v1/deliberations/"+strings.Repeat("x", 300)).failure(http.StatusNotFound, wire.NotFound)
}

func TestAKeysRateIsHeld(t *testing.T) {
	t.Parallel()
	slow, other := client("slow", "key-of-slow"), client("other", "key-of-other")
	slow.PerSecond = 0.001
	r := start(t, setup{panel: panelOf(t, says("42"), says("42")), clients: []Client{slow, other}})
	r.ask(guideRequest, "X-Api-Key", "key-of-slow")
	r.unrecorded(t, func() {
		for range 3 {
			resp := r.post(guideRequest, "X-Api-Key", "key-of-slow")
			resp.failure(http.StatusTooManyRequests, wire.RateLimited)
			if after, err := strconv.Atoi(resp.header.Get("Retry-After")); err != nil || after < 990 || after > 1000 {
				t.Errorf("Retry-After is %q", resp.header.Get("Retry-After"))
			}
		}
		// A reload gives nobody a fresh burst.
		r.reapply(func(s *Settings) {})
		r.post(guideRequest, "X-Api-Key", "key-of-slow").failure(http.StatusTooManyRequests, wire.RateLimited)
	})
	r.ask(guideRequest, "X-Api-Key", "key-of-other")
	if got := r.get("/v1/deliberations", "X-Api-Key", "key-of-slow"); got.status != http.StatusOK {
		t.Errorf("reading is limited too: %d", got.status)
	}
}

// raw sends bytes as they are, and returns the status and body of what comes back.
func (r *rig) raw(t *testing.T, request string) *response {
	t.Helper()
	conn := must(net.Dial("tcp", strings.TrimPrefix(r.url, "http://")))(t)
	defer conn.Close()
	if _, err := fmt.Fprint(conn, request); err != nil {
		t.Fatal(err)
	}
	resp := must(http.ReadResponse(bufio.NewReader(conn), nil))(t)
	defer resp.Body.Close()
	body := make([]byte, max(resp.ContentLength, 0))
	if _, err := bufio.NewReader(resp.Body).Read(body); err != nil {
		t.Fatal(err)
	}
	return &response{t, resp.StatusCode, resp.Header, body}
}
