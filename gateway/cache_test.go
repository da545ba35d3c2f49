package gateway

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store/ledger"
)

const cacheable = `{"prompt":"Six times seven?","kind":"number","wait":"all","cache":{"maxAgeSeconds":3600}}`

// askCached deliberates, and waits until the cache has taken in what it was given.
func (r *rig) askCached(body string, headers ...string) *wire.Deliberation {
	r.t.Helper()
	d := r.ask(body, headers...)
	r.cache.finished.Wait()
	return d
}

func TestACachedAnswerIsMarkedAndNamesItsProof(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	first := r.askCached(cacheable)
	if first.Cached {
		t.Error("the first answer says that it is cached")
	}
	size := r.ledger.Size()
	for i, body := range []string{
		cacheable,
		`{"cache":{"maxAgeSeconds":60},"kind":"number","prompt":"Six times seven?","wait":"all"}`, // the same in other words
		`{"prompt":"Six times seven?","kind":"number","wait":"all","cache":{"maxAgeSeconds":60},"include":["replies"]}`,
	} {
		d := r.askCached(body)
		if !d.Cached || d.ID != first.ID || d.Proof != first.Proof || d.Answer != "42" || d.Value != "42" || d.Consensus != first.Consensus || len(d.Ballots) != 2 {
			t.Errorf("hit %d: %+v", i, d)
		}
		if d.Timing.Wait != 0 || d.Timing.Total != d.Timing.Overhead {
			t.Errorf("hit %d waited for nobody: %+v", i, d.Timing)
		}
		if wantReply := map[bool]string{true: "42"}[i == 2]; d.Ballots[0].Reply != wantReply {
			t.Errorf("hit %d shows the reply %q", i, d.Ballots[0].Reply)
		}
	}
	if n := r.panel[0].count.Load(); n != 1 || r.ledger.Size() != size {
		t.Errorf("companions were asked %d times, %d records", n, r.ledger.Size()-size)
	}

	// All hits of a second are one record.
	r.flushHits()
	hits := await(t, r.journal, func(h *quorum.CacheHits) bool { return true }).Hits
	total := int64(0)
	for _, rec := range of[*quorum.CacheHits](r.journal) {
		for _, h := range rec.Hits {
			if h.ID != first.ID || h.Index != first.Proof.Index {
				t.Errorf("hit of %+v", h)
			}
			total += h.Count
		}
	}
	if total != 3 {
		t.Errorf("%d hits are recorded, the first as %+v", total, hits)
	}
}

func TestOnlyWhoAsksForTheCacheGetsIt(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	first := r.askCached(cacheable)
	for _, body := range []string{
		`{"prompt":"Six times seven?","kind":"number","wait":"all"}`,
		`{"prompt":"Six times seven?","kind":"number","wait":"all","cache":{"maxAgeSeconds":0}}`,
		`{"prompt":"Six times eight?","kind":"number","wait":"all","cache":{"maxAgeSeconds":3600}}`,
		`{"prompt":"Six times seven?","kind":"short","wait":"all","cache":{"maxAgeSeconds":3600}}`,
		`{"prompt":"Six times seven?","kind":"number","wait":"decided","cache":{"maxAgeSeconds":3600}}`,
		`{"prompt":"Six times seven?","kind":"number","wait":"all","context":{"tier":"research"},"cache":{"maxAgeSeconds":3600}}`,
		`{"prompt":"Six times seven?","kind":"number","wait":"all","context":{"cycle":"C-115"},"cache":{"maxAgeSeconds":3600}}`,
		`{"prompt":"Six times seven?","kind":"number","wait":"all","rounds":2,"cache":{"maxAgeSeconds":3600}}`,
		`{"prompt":"Six times seven?","kind":"number","wait":"all","judge":"ATLAS","cache":{"maxAgeSeconds":3600}}`,
		`{"prompt":"Six times seven?","kind":"number","wait":"all","judge":"AUREA","cache":{"maxAgeSeconds":3600}}`,
		`{"prompt":"Six times seven?","kind":"number","wait":"all","synthesis":"ATLAS","cache":{"maxAgeSeconds":3600}}`,
		`{"messages":[{"role":"user","content":"Six times seven?"}],"kind":"number","wait":"all","cache":{"maxAgeSeconds":3600}}`,
	} {
		if d := r.askCached(body); d.Cached || d.ID == first.ID {
			t.Errorf("%s is answered from the cache", body)
		}
	}
}

func TestTheCacheIsNeverSharedBetweenClients(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42")), clients: []Client{client("ann", "key-of-ann"), client("bob", "key-of-bob")}})
	anns := r.askCached(cacheable, "X-Api-Key", "key-of-ann")
	for _, key := range []string{"key-of-bob", stewardKey} {
		if d := r.askCached(cacheable, "X-Api-Key", key); d.Cached || d.ID == anns.ID {
			t.Errorf("%s is given ann's answer", key)
		}
	}
	if d := r.askCached(cacheable, "X-Api-Key", "key-of-ann"); !d.Cached || d.ID != anns.ID {
		t.Errorf("ann is not given her own")
	}
}

func TestOnlyCarriedAnswersAreCached(t *testing.T) {
	t.Parallel()
	for name, panel := range map[string][]behaviour{
		"contested": {says("42"), says("41")},
		"inquorate": {says("42"), fails(500)},
		"lost":      {votes("reject"), votes("reject")},
	} {
		r := start(t, setup{panel: panelOf(t, panel...)})
		body := cacheable
		if name == "lost" {
			body = `{"prompt":"Shall we?","kind":"vote","cache":{"maxAgeSeconds":3600}}`
		}
		for range 2 {
			if d := r.askCached(body); d.Cached || d.Status != name {
				t.Errorf("%s: %+v", name, d)
			}
		}
	}
}

func TestAPendingOperationIsNotCached(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, votes("approve"), votes("approve"), votes("approve"))})
	for range 2 {
		d := r.post(`{"prompt":"Shall we?","operation":"mic.mint","cache":{"maxAgeSeconds":3600}}`).deliberation(http.StatusAccepted)
		if r.cache.finished.Wait(); d.Cached {
			t.Errorf("%+v", d)
		}
	}
}

func TestAChangedRosterOrPolicyEmptiesTheCache(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"), says("42"))})
	last := r.askCached(cacheable)
	for _, tt := range []struct {
		name   string
		change func()
	}{
		{"a companion less", func() { r.reapply(func(s *Settings) { s.Seats = s.Seats[:2] }) }},
		{"another policy", func() {
			r.reapply(func(s *Settings) { s.Policy = policy(t, func(p *quorum.Policy) { p.Consensus.DissentShare++ }) })
		}},
		{"a withdrawal by record", func() {
			if _, err := r.ledger.Append(t.Context(), "", &quorum.Withdrawal{Actor: "steward", Companion: "ZENITH", Reason: "a test"}); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		if tt.name == "a withdrawal by record" {
			r.reapply(func(s *Settings) { s.Seats = append(s.Seats, r.panel[2].seat()) })
			last = r.askCached(cacheable)
		}
		if d := r.askCached(cacheable); !d.Cached || d.ID != last.ID {
			t.Fatalf("before %s: not cached", tt.name)
		}
		tt.change()
		d := r.askCached(cacheable)
		if d.Cached || d.ID == last.ID {
			t.Errorf("after %s the old answer is given", tt.name)
		}
		last = d
	}
}

func TestARequestAtItsDeadlineIsAnsweredWithTheCacheToo(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"), held)})
	d := r.ask(`{"prompt":"Six times seven?","kind":"text","wait":"all","cache":{"maxAgeSeconds":60},` + shortDeadline + `}`)
	if d.Status != "carried" || ballot(t, d, "ZENITH").Outcome != "late" {
		t.Errorf("%+v", d)
	}
}

func TestWithoutTheCacheIdenticalRequestsAreEachAsked(t *testing.T) {
	t.Parallel()
	const n = 4 // requests, and nobody answers before all of them are out
	r := start(t, setup{panel: panelOf(t, barrier(n, "42"), barrier(n, "42"))})
	var answers []<-chan *response
	for range n {
		answers = append(answers, r.posting(`{"prompt":"Six times seven?","kind":"number","wait":"all"}`))
	}
	ids := map[string]bool{}
	for _, answered := range answers {
		d := within(t, "an answer", answered).deliberation(http.StatusOK)
		ids[d.ID] = true
		if d.Cached {
			t.Error("an answer is shared")
		}
	}
	if len(ids) != n {
		t.Errorf("%d deliberations", len(ids))
	}
}

// finishedAs is an outcome of that status, enough for the cache.
func finishedAs(id string, status quorum.VerdictStatus) *outcome {
	return &outcome{proof: &quorum.Proof{ID: id}, verdict: &quorum.Verdict{Status: status}, receipt: ledger.Receipt{Index: 7}, texts: new(texts)}
}

func inBubble(t *testing.T, test func(t *testing.T, c *cache)) {
	synctest.Test(t, func(t *testing.T) {
		c := must(newCache())(t)
		defer c.close()
		test(t, c)
	})
}

func TestIdenticalRequestsInFlightShareOneAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cache) {
		release, asked := make(chan struct{}), 0
		type got struct {
			out    *outcome
			cached bool
			err    error
		}
		answers := make(chan got, 3)
		for range 3 {
			go func() {
				out, cached, err := c.get(cacheKey{1}, time.Minute, func() (*outcome, error) {
					asked++
					<-release
					return finishedAs("dlb_1", quorum.Contested), nil
				})
				answers <- got{out, cached, err}
			}()
		}
		synctest.Wait() // all three are in the cache's hands
		close(release)
		cached := 0
		for range 3 {
			g := <-answers
			if g.err != nil || g.out.proof.ID != "dlb_1" {
				t.Errorf("%+v", g)
			}
			if g.cached {
				cached++
			}
		}
		if asked != 1 || cached != 2 {
			t.Errorf("asked %d times, %d answers marked as cached", asked, cached)
		}
		if hits := c.takeHits(); len(hits) != 1 || len(hits[0].Hits) != 1 || hits[0].Hits[0] != (quorum.CacheHit{ID: "dlb_1", Index: 7, Count: 2}) {
			t.Errorf("hits %+v", hits)
		}
		if hits := c.takeHits(); len(hits) != 0 {
			t.Errorf("hits are counted twice: %+v", hits)
		}
	})
}

func TestAFailureIsSharedAndNotKept(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cache) {
		failure := errors.New("no ledger")
		if _, _, err := c.get(cacheKey{1}, time.Minute, func() (*outcome, error) { return nil, failure }); !errors.Is(err, failure) {
			t.Errorf("error %v", err)
		}
		c.finished.Wait()
		out, cached, err := c.get(cacheKey{1}, time.Minute, func() (*outcome, error) { return finishedAs("dlb_2", quorum.Carried), nil })
		if err != nil || cached || out.proof.ID != "dlb_2" {
			t.Errorf("afterwards: %+v, %v, %v", out, cached, err)
		}
	})
}

func TestACachedAnswerGrowsTooOld(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cache) {
		n := 0
		ask := func(maxAge time.Duration) (id string, cached bool) {
			out, cached, err := c.get(cacheKey{1}, maxAge, func() (*outcome, error) {
				n++
				return finishedAs("dlb_"+string(rune('0'+n)), quorum.Carried), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			c.finished.Wait()
			return out.proof.ID, cached
		}
		ask(time.Minute)
		<-time.After(time.Minute)
		if id, cached := ask(time.Minute); !cached || id != "dlb_1" {
			t.Errorf("at a minute: %s, cached %v", id, cached)
		}
		<-time.After(time.Second)
		if id, cached := ask(time.Hour); !cached || id != "dlb_1" {
			t.Errorf("for who takes it an hour old: %s, cached %v", id, cached)
		}
		if id, cached := ask(time.Minute); cached || id != "dlb_2" {
			t.Errorf("past a minute: %s, cached %v", id, cached)
		}
		if id, cached := ask(time.Minute); !cached || id != "dlb_2" {
			t.Errorf("the new one: %s, cached %v", id, cached)
		}
	})
}

// The cache itself compares hashes of keys only: an answer filed under another
// request's key must not be given.
func TestAHitIsComparedByTheWholeKey(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cache) {
		key := cacheKey{1}
		c.finished.Set(string(key[:]), &finished{cacheKey{2}, finishedAs("dlb_other", quorum.Carried), time.Now()}, 1)
		c.finished.Wait()
		out, cached, err := c.get(key, time.Hour, func() (*outcome, error) { return finishedAs("dlb_own", quorum.Carried), nil })
		if err != nil || cached || out.proof.ID != "dlb_own" {
			t.Errorf("%s, cached %v, %v", out.proof.ID, cached, err)
		}
	})
}

func TestManyHitsAreSplitOverRecords(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cache) {
		for i := range maxHitsRecorded + 1 {
			c.hit(finishedAs("dlb_"+string(rune('A'+i%26))+time.Duration(i).String(), quorum.Carried))
		}
		hits := c.takeHits()
		if len(hits) != 2 || len(hits[0].Hits) != maxHitsRecorded || len(hits[1].Hits) != 1 {
			t.Fatalf("%d records", len(hits))
		}
		if leaf, _ := hits[0].AppendLeaf(nil); len(leaf) > quorum.MaxLeaf {
			t.Errorf("a record of %d bytes", len(leaf))
		}
	})
}
