package judge

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

const (
	// MaxText is the longest text, in bytes, that a judge is sent: what fits the
	// context of the usual guard model. A longer one is no opinion: half a text may
	// be the harmless half.
	MaxText = 256 << 10
	// maxAnswer bounds a judge's answer, which has a few hundred bytes.
	maxAnswer = 64 << 10
	// maxTokens is the largest count of tokens that is believed.
	maxTokens = 1_000_000_000
)

// Config describes one judge. Upstream.Origin includes the base path, such as
// https://api.openai.com/v1.
type Config struct {
	Upstream upstream.Config
	// Key gives the API key or token at the time of a call, so that it can be rotated;
	// nil or "" sends none. Its error is the call's.
	Key   func(ctx context.Context) (string, error)
	Model string // required of moderation and guard
}

// A Judge asks one server. It is safe for concurrent use.
type Judge struct {
	client  *upstream.Client
	route   *upstream.Route
	key     func(context.Context) (string, error)
	request func(dst []byte, text string, tier quorum.Tier) []byte
	decode  func(body []byte) (quorum.Opinion, error)
}

func newJudge(cfg Config, path string) (*Judge, error) {
	if cfg.Upstream.MaxBody == 0 {
		cfg.Upstream.MaxBody = maxAnswer
	}
	client, err := upstream.New(cfg.Upstream)
	if err != nil {
		return nil, err
	}
	if cfg.Key == nil {
		cfg.Key = func(context.Context) (string, error) { return "", nil }
	}
	return &Judge{client: client, route: client.Post(path), key: cfg.Key}, nil
}

var errNoModel = errors.New("judge: no model")

// Address is where the server is reached, for telemetry.
func (j *Judge) Address() (host string, port int) { return j.client.Address() }

// Close closes idle connections.
func (j *Judge) Close() { j.client.Close() }

// bodies holds buffers for request bodies; one is in use only until the call is
// back.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// maxPooledBody is the largest buffer kept: replies may have a MiB, few do.
const maxPooledBody = 64 << 10

// errLong is a text that is not sent.
var errLong = &upstream.Error{Class: upstream.TooLarge, Reason: "text over what a judge is sent"}

// Judge says what is held against text, a reply given at tier. Its error is an
// *upstream.Error, ctx's or Config.Key's; then there is no opinion.
func (j *Judge) Judge(ctx context.Context, text string, tier quorum.Tier) (quorum.Opinion, error) {
	if len(text) > MaxText {
		return quorum.Opinion{}, errLong
	}
	key, err := j.key(ctx)
	if err != nil {
		return quorum.Opinion{}, err
	}
	body := bodies.Get().(*[]byte)
	*body = j.request((*body)[:0], text, tier)
	resp, err := j.route.Do(ctx, key, *body)
	if cap(*body) <= maxPooledBody {
		bodies.Put(body)
	}
	if err != nil {
		return quorum.Opinion{}, err
	}
	defer resp.Release()
	if err := resp.JSON(); err != nil {
		return quorum.Opinion{}, err
	}
	return j.decode(resp.Body)
}

func malformed(reason string) *upstream.Error {
	return &upstream.Error{Class: upstream.Malformed, Reason: reason}
}

// errMalformed is an answer that is not the agreed JSON. Like all others it quotes
// nothing.
var errMalformed = malformed("answer is not the agreed json")

var errTokens = malformed("token count out of range")

// object adds an objection to o unless there is one on its clause that is no better.
func object(o *quorum.Opinion, clause quorum.Clause, category string, step quorum.Step) {
	if step == 0 {
		return
	}
	x := quorum.Objection{Clause: clause, Category: category, Step: step}
	at, there := slices.BinarySearchFunc(o.Objections, x, func(a, b quorum.Objection) int { return cmp.Compare(a.Clause, b.Clause) })
	switch {
	case !there:
		o.Objections = slices.Insert(o.Objections, at, x)
	case step > o.Objections[at].Step:
		o.Objections[at] = x
	}
}

// appendString appends s quoted. What a companion said is valid UTF-8 by now;
// anything else would be replaced, which is all that AppendQuote's error says.
func appendString(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}

// Tables names the version of the tables by which categories become objections:
// half their digest. Judges that read the same answer the same have the same.
func Tables() string { return tables() }

var tables = sync.OnceValue(func() string {
	h := sha256.New()
	for _, category := range slices.Sorted(maps.Keys(moderated)) {
		fmt.Fprintln(h, category, moderated[category].clause, moderated[category].name)
	}
	fmt.Fprintln(h, flaggedStep, scoreSteps)
	for i, at := range hazards {
		fmt.Fprintln(h, hazardCodes[i], at.clause, at.step)
	}
	for s := range quorum.CriticalStep {
		fmt.Fprintln(h, s.Score(), quorum.StepOf(s.Score()))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
})
