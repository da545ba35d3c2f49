package gateway

import (
	"crypto/sha256"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

func TestAPurseIsForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &purse{perDay: 100}
		day, ok := p.reserve(time.Now(), 60)
		if !ok || p.left(time.Now()) != 40 {
			t.Fatalf("60 of 100: %v, left %d", ok, p.left(time.Now()))
		}
		if _, ok := p.reserve(time.Now(), 41); ok {
			t.Error("more than is left was given")
		}
		p.settle(day, 60, 10)
		if left := p.left(time.Now()); left != 90 {
			t.Errorf("after it cost 10: %d left", left)
		}
		time.Sleep(24 * time.Hour)
		if left := p.left(time.Now()); left != 100 {
			t.Errorf("on the next day: %d left", left)
		}
		p.settle(day, 60, 10) // of yesterday
		if left := p.left(time.Now()); left != 100 {
			t.Errorf("after yesterday was settled: %d left", left)
		}
		if _, ok := (&purse{spent: 1}).reserve(time.Unix(0, 0), math.MaxInt64); ok {
			t.Error("the sum overflows")
		}
	})
}

// Each companion costs 271 millionths of a dollar a reply and is reckoned at 1,005.
func TestAKeySpendsNoMoreThanItsBudget(t *testing.T) {
	t.Parallel()
	client := Client{Name: "app", Role: RoleClient, Key: sha256.Sum256([]byte("key-app")), Tier: quorum.Critical, PerDay: 4_000}
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"), says("42")), clients: []Client{client}})
	const question = `{"prompt":"Six times seven?","kind":"number","wait":"all","include":["ballots"]}`
	ask := func() *wire.Deliberation {
		t.Helper()
		return r.send(http.MethodPost, "/v1/deliberate", question, "Authorization", "Bearer key-app").deliberation(http.StatusOK)
	}
	// 3,015 are reserved, 813 are paid: 3,187 are left, and so on.
	for i, want := range []int{3, 3, 2, 1, 1} {
		d := ask()
		if d.Panel.Asked != want || d.Panel.Eligible != 3 || len(d.Ballots) != want {
			t.Errorf("asking %d: %d ballots, %+v, want %d asked", i, len(d.Ballots), d.Panel, want)
		}
	}
	for {
		resp := r.send(http.MethodPost, "/v1/deliberate", question, "Authorization", "Bearer key-app")
		if resp.status == http.StatusOK {
			continue // ends: each costs
		}
		resp.failure(http.StatusTooManyRequests, wire.BudgetExhausted)
		if resp.header.Get("Retry-After") == "" {
			t.Error("without money: no Retry-After")
		}
		break
	}
	// A reload that changes nothing of the key gives it no money; nor does forgetting
	// all, since the ledger has what it spent.
	r.reapply(func(*Settings) {})
	if resp := r.send(http.MethodPost, "/v1/deliberate", question, "Authorization", "Bearer key-app"); resp.status != http.StatusTooManyRequests {
		t.Errorf("after a reload: status %d", resp.status)
	}
	known := r.view.Load().callers.byKey[client.Key].purse
	k := newCaller(client)
	r.remember(k)
	if got, want := k.purse.left(time.Now()), known.left(time.Now()); got != want {
		t.Errorf("as the ledger tells, %d are left; as the gateway knows, %d", got, want)
	}
	// More money is at once there.
	r.reapply(func(s *Settings) { s.Clients[0].PerDay = 40_000 })
	if d := ask(); d.Panel.Asked != 3 {
		t.Errorf("with more money: %+v", d.Panel)
	}
}
