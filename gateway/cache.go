package gateway

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/dgraph-io/ristretto/v2"
	"golang.org/x/sync/singleflight"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// A cache holds finished answers for callers who ask for it. It is never shared
// between clients, and only answers that were carried are in it. Everything in it
// can be had again by asking, so it may drop what it likes.
type cache struct {
	finished *ristretto.Cache[string, *finished]
	flights  singleflight.Group

	mu     sync.Mutex // guards the rest
	hits   map[string]*quorum.CacheHit
	held   map[string]cacheKey  // by deliberation: what is in finished, or on its way
	erased map[string]time.Time // and what must not be given any more, by when it was erased
}

type finished struct {
	key cacheKey // compared on a hit: the cache itself compares two 64-bit hashes only
	out *outcome
	at  time.Time
}

type cacheKey [sha256.Size]byte

// cacheBytes bounds what finished answers may take: a small part of the memory
// that the gateway is to stay within.
const cacheBytes = 16 << 20

// cacheCounters is ten times the answers of a few kilobytes that fit.
const cacheCounters = 50_000

func newCache() (*cache, error) {
	c := &cache{hits: make(map[string]*quorum.CacheHit), held: make(map[string]cacheKey), erased: make(map[string]time.Time)}
	var err error
	c.finished, err = ristretto.NewCache(&ristretto.Config[string, *finished]{NumCounters: cacheCounters, MaxCost: cacheBytes, BufferItems: 64, OnExit: c.left})
	if err != nil {
		return nil, fmt.Errorf("answer cache: %w", err)
	}
	return c, nil
}

func (c *cache) close() { c.finished.Close() }

// keyOf is the digest of all that an answer depends on: who asks, the whole
// request, which companions there are by which settings and calibrations, and the
// policy. How old
// an answer may be and what of it is shown are no part of it.
func keyOf(k *caller, req *wire.Request, roster, configuration uint64, policy [32]byte) cacheKey {
	h := sha256.New()
	var head [16]byte
	binary.BigEndian.PutUint64(head[:8], roster)
	binary.BigEndian.PutUint64(head[8:], configuration)
	h.Write(head[:])
	h.Write(policy[:])
	fmt.Fprintf(h, "%d:%s", len(k.Name), k.Name)
	h.Write(req.AppendKey(nil))
	return cacheKey(h.Sum(nil))
}

// get returns an answer no older than maxAge, or has deliberate make one; those
// who ask the same at the same time share it. cached tells whether the answer was
// made for another request.
//
// It ends when deliberate does, which keeps the request's deadline: all who share
// it asked with the same one, and none of them before the first.
func (c *cache) get(key cacheKey, maxAge time.Duration, deliberate func() (*outcome, error)) (out *outcome, cached bool, err error) {
	if f, ok := c.finished.Get(string(key[:])); ok && f.key == key && time.Since(f.at) <= maxAge && c.hit(f.out) {
		return f.out, true, nil
	}
	for {
		mine := false
		made, err, _ := c.flights.Do(string(key[:]), func() (any, error) {
			mine = true
			out, err := deliberate()
			if err == nil && out.verdict.Status == quorum.Carried && stepped(out.proof) {
				c.put(&finished{key, out, time.Now()})
			}
			return out, err
		})
		if err != nil {
			return nil, false, err
		}
		// Who asks gets what was made for it. Who shares it does not, if it has been
		// erased meanwhile, and asks anew.
		if out := made.(*outcome); mine || c.hit(out) {
			return out, !mine, nil
		}
	}
}

// stepped reports whether every step that was wanted after the first round was
// taken, or was not needed. What failed may not fail the next time.
func stepped(p *quorum.Proof) bool {
	served := func(s *quorum.Service) bool { return s.Done() || s.Outcome == quorum.Unneeded }
	return (p.Second == nil || p.Second.Outcome == quorum.OK || p.Second.Outcome == quorum.Unneeded) &&
		(p.Judge == nil || served(&p.Judge.Service)) && (p.Synthesis == nil || served(&p.Synthesis.Service))
}

// put keeps an answer, unless it has been erased.
func (c *cache) put(f *finished) {
	id, key := f.out.proof.ID, string(f.key[:])
	c.mu.Lock()
	_, gone := c.erased[id]
	if !gone {
		c.held[id] = f.key
	}
	c.mu.Unlock()
	if gone {
		return
	}
	if !c.finished.Set(key, f, f.out.size()) {
		c.left(f)
	}
	// Erased just now, before there was anything to delete: a hit would be
	// refused, and the text should not wait in memory for its eviction.
	c.mu.Lock()
	_, gone = c.erased[id]
	c.mu.Unlock()
	if gone {
		c.finished.Del(key)
	}
}

// left notes that an answer is in the cache no more, for whatever reason.
func (c *cache) left(f *finished) {
	if f == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if id := f.out.proof.ID; c.held[id] == f.key {
		delete(c.held, id)
	}
}

// erase sees to it that the answer of a deliberation is not given from now on,
// also if it is being put into the cache at this moment, or was made and is on
// its way there.
func (c *cache) erase(id string) {
	now := time.Now()
	c.mu.Lock()
	for other, at := range c.erased { // long after which nobody can be given it anyway
		if now.Sub(at) > 2*wire.MaxCacheAge*time.Second {
			delete(c.erased, other)
		}
	}
	c.erased[id] = now
	key, held := c.held[id]
	c.mu.Unlock()
	if held {
		c.finished.Del(string(key[:])) // calls left
	}
}

// size of what an answer keeps in memory, roughly.
func (o *outcome) size() int64 {
	n := len(o.texts.prompt) + len(o.texts.answer) + 2048
	for i := range o.texts.replies {
		n += len(o.texts.replies[i]) + len(o.texts.rationales[i]) + len(o.texts.values[i]) + 1024
	}
	for i := range o.texts.again {
		n += len(o.texts.again[i]) + len(o.texts.againValues[i]) + 512
	}
	return int64(n + len(o.texts.judged) + len(o.texts.synthesis))
}

// hit counts an answer that is given again; false means that it must not be.
func (c *cache) hit(o *outcome) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, gone := c.erased[o.proof.ID]; gone {
		return false
	}
	h := c.hits[o.proof.ID]
	if h == nil {
		h = &quorum.CacheHit{ID: o.proof.ID, Index: o.receipt.Index}
		c.hits[o.proof.ID] = h
	}
	h.Count++
	return true
}

// maxHitsRecorded keeps a record of hits well within one ledger entry.
const maxHitsRecorded = 512

// takeHits empties the counts, as records.
func (c *cache) takeHits() []*quorum.CacheHits {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*quorum.CacheHits
	for _, id := range slices.Sorted(maps.Keys(c.hits)) {
		if len(out) == 0 || len(out[len(out)-1].Hits) == maxHitsRecorded {
			out = append(out, new(quorum.CacheHits))
		}
		last := out[len(out)-1]
		last.Hits = append(last.Hits, *c.hits[id])
	}
	clear(c.hits)
	return out
}
