package gateway

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dgraph-io/ristretto/v2"
	"github.com/go-json-experiment/json"
	"go.opentelemetry.io/otel/attribute"

	"github.com/kaizen-os/deliberation/quorum"
)

// A jury is the external judges in force. It is immutable, part of a view.
type jury struct {
	judges []*Judge // in order of id
	ref    *quorum.Jury
	told   []judgeView
}

// A judgeView is a judge as GET /charter tells of it. A proof's jury digest is that
// of the list in JSON.
type judgeView struct {
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	Model     string `json:"model"`
	Table     string `json:"table"`
	Companion string `json:"companion"`
	Evidence  int32  `json:"evidence"`
	From      int32  `json:"from"` // scores in hundredths, as digested
	Under     int32  `json:"under"`
	Sample    int64  `json:"samplePpm"`
}

// newJury puts judges together; nil for none.
func newJury(judges []*Judge) (*jury, error) {
	if len(judges) == 0 {
		return nil, nil
	}
	if len(judges) > quorum.MaxJudges {
		return nil, fmt.Errorf("there are %d judges, at most %d", len(judges), quorum.MaxJudges)
	}
	j := &jury{judges: slices.Clone(judges), ref: new(quorum.Jury)}
	slices.SortFunc(j.judges, func(a, b *Judge) int { return cmp.Compare(a.cfg.ID, b.cfg.ID) })
	for i, judge := range j.judges {
		c := &judge.cfg
		if i > 0 && j.judges[i-1].cfg.ID == c.ID {
			return nil, fmt.Errorf("judge %s is there twice", c.ID)
		}
		j.ref.Judges = append(j.ref.Judges, quorum.JudgeRef{ID: c.ID, Only: c.Only})
		j.told = append(j.told, judgeView{ID: string(c.ID), Kind: c.Kind, Model: c.Model, Table: c.Table, Companion: string(c.Only),
			Evidence: c.Evidence, From: int32(c.From), Under: int32(c.Under), Sample: int64(c.Sample)})
	}
	doc, err := json.Marshal(j.told)
	if err != nil {
		return nil, fmt.Errorf("encode judges: %w", err)
	}
	j.ref.Digest = sha256.Sum256(doc)
	return j, nil
}

// asks reports whether a judge is to be asked about a reply, of that companion and
// assessed so in the process.
func (j *Judge) asks(d *quorum.Deliberation, by quorum.CompanionID, a *quorum.Assessment, drawn quorum.PPM) bool {
	c := &j.cfg
	switch {
	case c.Only != "" && c.Only != by:
		return false
	case d.Tier == quorum.Critical:
		return true
	}
	// An evidence of exactly 0 is that of a scorer which has no model to find any.
	return a.Evidence != 0 && a.Evidence > c.Evidence || a.Score >= c.From && a.Score < c.Under || drawn < c.Sample
}

// draw is the lot, 0 to One, by which a reply is sampled: by a keyed hash, so that
// whoever has the key can draw it again and no companion knows it beforehand, from
// the id that it is told.
func draw(key *[32]byte, id string, by quorum.CompanionID) quorum.PPM {
	h := hmac.New(sha256.New, key[:])
	fmt.Fprintf(h, "%d:%s%s", len(id), id, by)
	return quorum.PPM(binary.BigEndian.Uint64(h.Sum(nil)) % uint64(quorum.One))
}

// opinions keeps what judges said of texts, by digests alone, and has those who ask
// the same at the same time share one call.
type opinions struct {
	kept *ristretto.Cache[string, *opinion]

	mu      sync.Mutex // guards flights
	flights map[opinionKey]*flight
}

// opinionKey is the digest of the judge, the tier and the text.
type opinionKey [sha256.Size]byte

type opinion struct {
	key opinionKey // compared on a hit: the cache itself compares two 64-bit hashes only
	quorum.Opinion
}

// A flight is a call that is out; opinion and word are there once done is closed.
type flight struct {
	shared  int32 // seats that wait for it; guarded by opinions.mu
	done    chan struct{}
	opinion quorum.Opinion
	word    quorum.Word
}

const (
	// maxOpinions is how many are kept: some hundred bytes each.
	maxOpinions = 8192
	// opinionAge is how long one is good for: a judge's model may change under its name.
	opinionAge = time.Hour
)

func newOpinions() (*opinions, error) {
	o := &opinions{flights: make(map[opinionKey]*flight)}
	var err error
	o.kept, err = ristretto.NewCache(&ristretto.Config[string, *opinion]{NumCounters: 10 * maxOpinions, MaxCost: maxOpinions, BufferItems: 64, IgnoreInternalCost: true})
	if err != nil {
		return nil, fmt.Errorf("opinion cache: %w", err)
	}
	return o, nil
}

func keyOfOpinion(j *Judge, tier quorum.Tier, text string) opinionKey {
	sum := sha256.Sum256([]byte(text))
	h := sha256.New()
	h.Write(j.digest[:])
	h.Write([]byte{byte(tier)})
	h.Write(sum[:])
	return opinionKey(h.Sum(nil))
}

// get returns the opinion of j on text: one that is kept, that of a call which is
// out, or of a new call, made by ctx's end. fresh tells that a call was made.
func (o *opinions) get(ctx context.Context, j *Judge, text string, tier quorum.Tier) (_ quorum.Opinion, _ quorum.Word, fresh bool) {
	key := keyOfOpinion(j, tier, text)
	for {
		if kept, ok := o.kept.Get(string(key[:])); ok && kept.key == key {
			return kept.Opinion, quorum.WordOf(kept.Step()), false
		}
		o.mu.Lock()
		f, out := o.flights[key]
		if !out {
			f = &flight{done: make(chan struct{}), word: quorum.UnjudgedBy("internal")}
			o.flights[key] = f
		}
		f.shared++
		o.mu.Unlock()
		if !out {
			o.fly(ctx, key, f, j, text, tier)
			return f.opinion, f.word, true
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return quorum.Opinion{}, quorum.UnjudgedBy(reasonLate), false
		}
		// Who called may have had less time than who shares the call.
		if f.word != quorum.UnjudgedBy(reasonLate) || ctx.Err() != nil {
			return f.opinion, f.word, false
		}
	}
}

func (o *opinions) fly(ctx context.Context, key opinionKey, f *flight, j *Judge, text string, tier quorum.Tier) {
	defer func() {
		o.mu.Lock()
		delete(o.flights, key)
		o.mu.Unlock()
		close(f.done)
	}()
	f.opinion, f.word = j.call(ctx, text, tier)
	if _, ok := f.word.Step(); ok {
		o.kept.SetWithTTL(string(key[:]), &opinion{key, f.opinion}, 1, opinionAge)
		// A Set is seen later, and between the end of this flight and that moment
		// whoever asks the same would call again. After a call, the wait is nothing.
		o.kept.Wait()
	}
}

// ask asks one judge about a reply and counts how that ended.
func (g *Gateway) ask(ctx context.Context, j *Judge, text string, tier quorum.Tier) (quorum.Opinion, quorum.Word) {
	ctx, cancel := context.WithTimeout(ctx, j.cfg.Timeout)
	defer cancel()
	ctx, span := g.telemetry.client(ctx, "judge "+string(j.cfg.ID), attribute.String("kaizen.judge", string(j.cfg.ID)))
	defer span.End()
	begun := time.Now()
	o, w, fresh := g.opinions.get(ctx, j, text, tier)
	ended := w
	if _, ok := w.Step(); ok {
		ended = quorum.WordOf(0)
	}
	switch {
	case fresh:
		g.telemetry.judgeRequests.Add(ctx, 1, j.labels.count[ended]...)
		g.telemetry.judgeDuration.Record(ctx, time.Since(begun).Seconds(), j.labels.call[ended]...)
	case ended == quorum.WordOf(0):
		g.telemetry.judgeRequests.Add(ctx, 1, j.labels.cached...)
	}
	reason := w.Unjudged()
	if reason != "" {
		g.telemetry.unjudged.Add(ctx, 1, j.labels.unjudged[w]...)
	}
	if span.IsRecording() {
		span.SetAttributes(attribute.String("kaizen.outcome", cmp.Or(reason, "ok")), attribute.Bool("kaizen.cached", !fresh))
	}
	return o, w
}
