package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/fanout/judge"
	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/state"
)

// A guard is a real HTTP server that judges as a Llama-Guard-style model does.
type guard struct {
	url   string
	asked chan string // each text it was sent
	end   chan struct{}

	mu   sync.Mutex // guards what follows
	says func(w http.ResponseWriter, text string)
	seen []string
}

// A ruling answers one call of a guard.
type ruling = func(w http.ResponseWriter, text string)

func judges(content string) ruling {
	return func(w http.ResponseWriter, _ string) {
		fmt.Fprintf(w, `{"choices":[{"message":{"content":%q},"finish_reason":"stop"}],"usage":{"prompt_tokens":200,"completion_tokens":3}}`, content)
	}
}

// objects says unsafe where a text has the word.
func objects(word, codes string) ruling {
	return func(w http.ResponseWriter, text string) {
		if strings.Contains(text, word) {
			judges("unsafe\n"+codes)(w, text)
		} else {
			judges("safe")(w, text)
		}
	}
}

func answers(status int, headers ...string) ruling {
	return func(w http.ResponseWriter, _ string) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
	}
}

// neverSays holds every call until the gateway hangs up.
var neverSays ruling

func newGuard(t testing.TB, says ruling) *guard {
	t.Helper()
	g := &guard{asked: make(chan string, 64), end: make(chan struct{}), says: says}
	server := httptest.NewServer(http.HandlerFunc(g.serve))
	t.Cleanup(func() {
		close(g.end)
		server.Close()
	})
	g.url = server.URL
	return g
}

func (g *guard) serve(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Response string
		Messages []struct{ Content string }
	}
	data, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(data, &body) != nil {
		return
	}
	text := body.Response
	if n := len(body.Messages); n > 0 {
		text = body.Messages[n-1].Content
	}
	g.mu.Lock()
	g.seen = append(g.seen, text)
	says := g.says
	g.mu.Unlock()
	select {
	case g.asked <- text:
	default: // nobody listens
	}
	w.Header().Set("Content-Type", "application/json")
	if says != nil {
		says(w, text)
		return
	}
	select {
	case <-r.Context().Done():
	case <-g.end:
	}
}

func (g *guard) does(says ruling) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.says = says
}

// texts are those it was sent, sorted.
func (g *guard) texts() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(slices.Sorted(slices.Values(g.seen)), "; ")
}

// judge is g as an external judge, in what cfg differs from one that hears every
// reply.
func (g *guard) judge(t testing.TB, id string, change func(*JudgeConfig)) *Judge {
	t.Helper()
	adapter := must(judge.NewGuard(judge.Config{Upstream: upstream.Config{Origin: g.url}, Model: "guard-1"}))(t)
	t.Cleanup(adapter.Close)
	cfg := JudgeConfig{ID: quorum.JudgeID(id), Kind: "guard", Model: "guard-1", Endpoint: g.url, Table: judge.Tables(), Judge: adapter, Timeout: patience, Sample: quorum.One,
		Breaker: fanout.BreakerConfig{Failures: 1000}}
	if change != nil {
		change(&cfg)
	}
	return must(NewJudge(cfg))(t)
}

// opinionsOn lists what judges came to about one ballot: "guard 100, own unjudged late".
func opinionsOn(b *wire.Ballot) string {
	var list []string
	for _, j := range b.Judged {
		if j.Outcome == "ok" {
			list = append(list, j.ID+" "+j.Score.String())
		} else {
			list = append(list, j.ID+" "+j.Outcome+" "+j.Reason)
		}
	}
	return strings.Join(list, ", ")
}

func judgedBy(d *wire.Deliberation) string {
	var list []string
	for i := range d.Ballots {
		list = append(list, d.Ballots[i].Companion+": "+opinionsOn(&d.Ballots[i]))
	}
	return strings.Join(list, "; ")
}

const sixTimesSeven = `{"prompt":"Six times seven?","kind":"number","wait":"all"`

func TestWithoutJudgesNothingTellsOfThem(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"), says("42"))})
	resp := r.post(sixTimesSeven + `,"context":{"tier":"critical"}}`)
	d := resp.deliberation(http.StatusOK)
	leaf := string(must(r.ledger.Entry(d.Proof.Index))(t))
	for _, told := range []string{string(resp.body), leaf, string(r.get("/charter").body)} {
		if strings.Contains(told, "judged") || strings.Contains(told, "jury") || strings.Contains(told, "judges") {
			t.Errorf("judges are told of: %s", told)
		}
	}
	if d.Status != "carried" {
		t.Errorf("%s", d.Status)
	}
}

// What a judge holds against a reply is a finding like any other.
func TestAJudgesObjectionIsInBallotProofAndVerdict(t *testing.T) {
	t.Parallel()
	g := newGuard(t, objects("forty", "S13,S6"))
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"), says(`forty-one {"answer":41}`)), judges: []*Judge{g.judge(t, "guard", nil)}})
	d := r.ask(sixTimesSeven + `,` + inFull + `}`)
	if got, want := judgedBy(d), "AUREA: guard 100; ATLAS: guard 100; ZENITH: guard 50"; got != want {
		t.Errorf("judged %s, want %s", got, want)
	}
	b := ballot(t, d, "ZENITH")
	if b.Score != 5000 || b.Counted || b.Reason != quorum.ReasonCharter || d.Status != "carried" || d.Value != "42" {
		t.Errorf("%s, ballot %+v", d.Status, b)
	}
	if len(b.Violations) != 2 || b.Violations[0] != (wire.Violation{Clause: 6, Rule: "judge.guard.S13", Severity: 500_000, End: 23}) || b.Violations[1].Rule != "judge.guard.S6" {
		t.Errorf("violations %+v", b.Violations)
	}
	r.again(d)
	p := r.proof(d.ID)
	if p.Jury == nil || len(p.Jury.Judges) != 1 || p.Ballots[2].Judged != "6" || p.Ballots[0].Judged != "0" {
		t.Fatalf("jury %+v, words %q", p.Jury, p.Ballots[2].Judged)
	}
	// The digest is that of the judges that GET /charter lists.
	var charter struct {
		Judges json.RawMessage
		Jury   string
	}
	if err := json.Unmarshal(r.get("/charter").body, &charter); err != nil || charter.Jury != fmt.Sprintf("%x", p.Jury.Digest) || sha256.Sum256(charter.Judges) != p.Jury.Digest {
		t.Errorf("jury %x, charter %s: %v", p.Jury.Digest, charter.Jury, err)
	}
	if want := `[{"id":"guard","kind":"guard","model":"guard-1","table":"` + judge.Tables() + `","companion":"","evidence":0,"from":0,"under":0,"samplePpm":1000000}]`; string(charter.Judges) != want {
		t.Errorf("judges %s\nwant %s", charter.Judges, want)
	}
}

// A judge is sent what is shown of a reply: its reasons too.
func TestAJudgeReadsTheRationale(t *testing.T) {
	t.Parallel()
	g := newGuard(t, objects("forty", "S1"))
	r := start(t, setup{panel: panelOf(t, sends(saying("response", "42", "rationale", "I was told forty-two.")), says("42"), says("42")), judges: []*Judge{g.judge(t, "guard", nil)}})
	d := r.ask(sixTimesSeven + `,` + inFull + `}`)
	if judgedBy(d) != "AUREA: guard 50; ATLAS: guard 100; ZENITH: guard 100" || g.texts() != "42; 42\n\nI was told forty-two." {
		t.Errorf("judged %s, asked about %q", judgedBy(d), g.texts())
	}
	if v := ballot(t, d, "AUREA").Violations; len(v) != 1 || v[0].End != len("42") {
		t.Errorf("violations %+v", v)
	}
}

func TestWhichRepliesAreAskedAbout(t *testing.T) {
	t.Parallel()
	const slight = "It is 42. " + breaksCharter
	for _, tt := range []struct {
		name  string
		tier  string
		cfg   func(*JudgeConfig)
		texts string
	}{
		{"critical: every one", "critical", func(c *JudgeConfig) { c.Sample = 0 }, "It is 42; " + slight + "; Yes, 42"},
		{"by chance, always", "standard", nil, "It is 42; " + slight + "; Yes, 42"},
		{"by chance, never", "standard", func(c *JudgeConfig) { c.Sample = 0 }, ""},
		{"by a score between bounds", "standard", func(c *JudgeConfig) { c.Sample, c.From, c.Under = 0, 1, quorum.MaxScore }, slight},
		{"by a score, but not what is below the bounds", "standard", func(c *JudgeConfig) { c.Sample, c.From, c.Under = 0, 9990, quorum.MaxScore }, ""},
		{"one companion's own judge", "critical", func(c *JudgeConfig) { c.Only = "ATLAS" }, "It is 42"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuard(t, judges("safe"))
			r := start(t, setup{panel: panelOf(t, says(slight), says("It is 42"), says("Yes, 42")), judges: []*Judge{g.judge(t, "guard", tt.cfg)}})
			d := r.ask(sixTimesSeven + `,"context":{"tier":"` + tt.tier + `"},` + inFull + `}`)
			if got := g.texts(); got != tt.texts {
				t.Errorf("asked about %q, want %q", got, tt.texts)
			}
			r.again(d)
		})
	}
}

func TestAsks(t *testing.T) {
	j := must(NewJudge(JudgeConfig{ID: "x", Kind: "guard", Judge: new(silent), Timeout: time.Second, Evidence: 70, From: 6500, Under: 9600, Sample: 10_000}))(t)
	standard, critical := &quorum.Deliberation{Tier: quorum.Standard}, &quorum.Deliberation{Tier: quorum.Critical}
	low := must(NewJudge(JudgeConfig{ID: "y", Kind: "guard", Judge: new(silent), Timeout: time.Second, Evidence: -1000}))(t)
	for evidence, want := range map[int32]bool{-1001: false, -1000: false, -999: true, 5: true, 0: false} { // 0: not measured
		if low.asks(standard, "AUREA", &quorum.Assessment{Score: quorum.MaxScore, Evidence: evidence}, 0) != want {
			t.Errorf("evidence %d, over -1000: %t", evidence, !want)
		}
	}
	for _, tt := range []struct {
		name     string
		d        *quorum.Deliberation
		score    quorum.Score
		evidence int32
		drawn    quorum.PPM
		want     bool
	}{
		{"nothing speaks for it", standard, quorum.MaxScore, 70, 10_000, false},
		{"most evidence", standard, quorum.MaxScore, 71, 10_000, true},
		{"a score at the lower bound", standard, 6500, 0, 10_000, true},
		{"a score under it counts nowhere", standard, 6499, 0, 10_000, false},
		{"a score at the upper bound", standard, 9600, 0, 10_000, false},
		{"the lot", standard, quorum.MaxScore, 0, 9999, true},
		{"critical", critical, quorum.MaxScore, 0, 999_999, true},
	} {
		if got := j.asks(tt.d, "AUREA", &quorum.Assessment{Score: tt.score, Evidence: tt.evidence}, tt.drawn); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}

// silent never has an opinion.
type silent struct{}

func (*silent) Judge(context.Context, string, quorum.Tier) (quorum.Opinion, error) {
	return quorum.Opinion{}, &fanout.AskError{Class: fanout.ClassStatus}
}

// The lot is the same for whoever has the key, another with another, and fair.
func TestDraw(t *testing.T) {
	key, other := [32]byte{1}, [32]byte{2}
	under, same := 0, 0
	for i := range 10_000 {
		id := fmt.Sprint("dlb_", i)
		at := draw(&key, id, "AUREA")
		if at != draw(&key, id, "AUREA") || at < 0 || at >= quorum.One {
			t.Fatalf("drew %d", at)
		}
		if at == draw(&other, id, "AUREA") || at == draw(&key, id, "ATLAS") {
			same++
		}
		if at < 20_000 {
			under++
		}
	}
	if under < 120 || under > 280 || same > 5 {
		t.Errorf("%d of 10000 are in the first 2 %%, %d the same", under, same)
	}
}

// Whatever goes wrong with a judge leaves a reply unjudged: at the critical tier it
// does not count, elsewhere it does, and everywhere it is told.
func TestAJudgeThatFailsIsNoPass(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		says   ruling
		reason string
	}{
		{"a wrong key", answers(401), "refused"},
		{"too many calls", answers(429, "Retry-After", "3600"), "rate_limited"},
		{"an error", answers(500), "status"},
		{"a request that it does not take", answers(400), "status"},
		{"garbage", func(w http.ResponseWriter, _ string) { io.WriteString(w, "garbage") }, "malformed"},
		{"talk in the place of a verdict", judges("I think that this is safe."), "malformed"},
		{"too slow", neverSays, "late"},
		{"another type", func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<html>")
		}, "content_type"},
	} {
		for _, tier := range []string{"standard", "critical"} {
			t.Run(tt.name+"/"+tier, func(t *testing.T) {
				t.Parallel()
				g := newGuard(t, tt.says)
				r := start(t, setup{panel: panelOf(t, says("42"), says("42"), says("42")), judges: []*Judge{g.judge(t, "guard", func(c *JudgeConfig) {
					if tt.reason == "late" {
						c.Timeout = 50 * time.Millisecond
					}
				})}})
				d := r.ask(sixTimesSeven + `,"context":{"tier":"` + tier + `"},` + inFull + `}`)
				for i := range d.Ballots {
					b := &d.Ballots[i]
					// Who shares a call, or comes while the judge wishes to be left alone, may be told so.
					got := opinionsOn(b)
					if got != "guard unjudged "+tt.reason && !(tt.reason == "rate_limited" && got == "guard unjudged busy") {
						t.Errorf("%s is judged %q, want %s", b.Companion, got, tt.reason)
					}
					wanted := ""
					if tier == "critical" {
						wanted = quorum.ReasonUnjudged
					}
					if b.Outcome != "ok" || b.Score != 10_000 || b.Counted != (tier == "standard") || b.Reason != wanted {
						t.Errorf("ballot %+v", b)
					}
				}
				if want := map[string]string{"standard": "carried", "critical": "inquorate"}[tier]; d.Status != want {
					t.Errorf("%s, want %s", d.Status, want)
				}
				r.again(d)
			})
		}
	}
}

// Judges that answer let a critical deliberation be carried; with one of two that
// does not, what both were asked about does not count.
func TestCriticalNeedsEveryJudge(t *testing.T) {
	t.Parallel()
	good, bad := newGuard(t, judges("safe")), newGuard(t, answers(500))
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"), says("42")), judges: []*Judge{good.judge(t, "good", nil)}})
	const critical = sixTimesSeven + `,"context":{"tier":"critical"},` + inFull + `}`
	if d := r.ask(critical); d.Status != "carried" || judgedBy(d) != "AUREA: good 100; ATLAS: good 100; ZENITH: good 100" {
		t.Errorf("%s, judged %s", d.Status, judgedBy(d))
	}
	// A reload puts another jury in force.
	before := r.proof(r.ask(critical).ID).Jury.Digest
	r.reapply(func(s *Settings) {
		s.Judges = append(s.Judges, bad.judge(t, "bad", func(c *JudgeConfig) { c.Only = "ZENITH" }))
	})
	d := r.ask(critical)
	if d.Status != "inquorate" || judgedBy(d) != "AUREA: good 100; ATLAS: good 100; ZENITH: bad unjudged status, good 100" || ballot(t, d, "ZENITH").Reason != quorum.ReasonUnjudged {
		t.Errorf("%s, judged %s", d.Status, judgedBy(d))
	}
	if p := r.proof(d.ID); p.Jury.Digest == before || p.Ballots[0].Judged != "-0" || p.Ballots[2].Judged != "s0" {
		t.Errorf("jury %+v", p.Jury)
	}
	r.again(d)
	r.reapply(func(s *Settings) { s.Judges = nil })
	if d := r.ask(critical); d.Status != "carried" || r.proof(d.ID).Jury != nil {
		t.Errorf("%s, judged %s", d.Status, judgedBy(d))
	}
	// The jury must be one.
	for name, list := range map[string][]*Judge{
		"a judge twice": {good.judge(t, "good", nil), good.judge(t, "good", nil)},
		"too many":      {good.judge(t, "a", nil), good.judge(t, "b", nil), good.judge(t, "c", nil), good.judge(t, "d", nil), good.judge(t, "e", nil)},
	} {
		s := r.settings
		if s.Judges = list; r.Apply(t.Context(), s) == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// Equal replies are one call, at the same time and later.
func TestEqualRepliesAreJudgedOnce(t *testing.T) {
	t.Parallel()
	g := newGuard(t, nil)
	release := make(chan struct{})
	g.does(func(w http.ResponseWriter, text string) {
		<-release
		judges("safe")(w, text)
	})
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"), says("42")), judges: []*Judge{g.judge(t, "guard", nil)}})
	answered := r.posting(sixTimesSeven + `}`)
	within(t, "the judge's call", g.asked)
	tick, late := time.NewTicker(time.Millisecond), time.After(patience)
	defer tick.Stop()
	for r.opinionsShared() < 3 {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("the three do not share one call")
		}
	}
	close(release)
	d := within(t, "the answer", answered).deliberation(http.StatusOK)
	if got := judgedBy(d); got != "AUREA: guard 100; ATLAS: guard 100; ZENITH: guard 100" || g.texts() != "42" {
		t.Errorf("judged %s, asked about %s", got, g.texts())
	}
	r.ask(sixTimesSeven + `}`)
	if g.texts() != "42" {
		t.Errorf("it was asked again: %s", g.texts())
	}
	// At another tier, or by a judge that is configured otherwise, it is another question.
	r.ask(sixTimesSeven + `,"context":{"tier":"high"}}`)
	if g.texts() != "42; 42" {
		t.Errorf("at another tier: asked about %s", g.texts())
	}
	r.reapply(func(s *Settings) {
		s.Judges = []*Judge{g.judge(t, "guard", func(c *JudgeConfig) { c.Model = "guard-2" })}
	})
	r.ask(sixTimesSeven + `}`)
	if g.texts() != "42; 42; 42" {
		t.Errorf("by another model: asked about %s", g.texts())
	}
	points := r.points()
	if points["kaizen.judge.requests{kaizen.judge=guard,kaizen.outcome=ok}"] != 3 || points["kaizen.judge.requests{kaizen.judge=guard,kaizen.outcome=cached}"] != 9 {
		t.Errorf("counted %v", points)
	}
}

// opinionsShared is how many seats wait for the one call that is out.
func (r *rig) opinionsShared() (n int) {
	r.opinions.mu.Lock()
	defer r.opinions.mu.Unlock()
	for _, f := range r.opinions.flights {
		n += int(f.shared)
	}
	return n
}

func TestAJudgesBudget(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		cfg  func(*JudgeConfig)
	}{
		{"calls", func(c *JudgeConfig) { c.PerMinute = 1 }},
		{"money", func(c *JudgeConfig) { c.Price, c.PerDay = quorum.Price{Input: 1000, Output: 1000}, 700 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuard(t, judges("safe"))
			r := start(t, setup{panel: panelOf(t, says("42"), turns(says("42"), says("It is 42"))), judges: []*Judge{g.judge(t, "guard", tt.cfg)}})
			r.ask(sixTimesSeven + `}`)
			d := r.ask(sixTimesSeven + `}`)
			if got := judgedBy(d); got != "AUREA: guard 100; ATLAS: guard unjudged budget" || d.Status != "carried" || g.texts() != "42" {
				t.Errorf("%s, judged %s, asked about %s", d.Status, got, g.texts())
			}
			if n := r.points()["kaizen.judge.unjudged{kaizen.judge=guard,kaizen.reason=budget}"]; n != 1 {
				t.Errorf("%d are counted", n)
			}
		})
	}
}

func TestBudget(t *testing.T) {
	now := time.Date(2026, 5, 1, 23, 59, 0, 0, time.UTC)
	b := newBudget(2, 1000)
	day, ok := b.reserve(now, 600)
	if !ok {
		t.Fatal("refused while there is all of it")
	}
	if _, ok := b.reserve(now, 600); ok {
		t.Error("more than there is")
	}
	b.settle(day, 600, 100)
	if _, ok := b.reserve(now, 600); !ok {
		t.Error("what was not spent is not there again")
	}
	if _, ok := b.reserve(now, 0); ok {
		t.Error("a third call in a minute")
	}
	if _, ok := b.reserve(now.Add(2*time.Minute), 1000); !ok {
		t.Error("the next day has no money")
	}
	b.settle(day, 600, 0) // of yesterday
	if _, ok := b.reserve(now.Add(3*time.Minute), 1); ok {
		t.Error("yesterday's money is spent today")
	}
}

func TestABreakerThatIsOpenAsksNobody(t *testing.T) {
	t.Parallel()
	g := newGuard(t, answers(500))
	r := start(t, setup{panel: panelOf(t, says("42"), says("42")), judges: []*Judge{g.judge(t, "guard", func(c *JudgeConfig) {
		c.Breaker = fanout.BreakerConfig{Failures: 1, Backoff: time.Hour}
	})}})
	r.ask(sixTimesSeven + `}`)
	asked := g.texts()
	if d := r.ask(sixTimesSeven + `}`); judgedBy(d) != "AUREA: guard unjudged broken; ATLAS: guard unjudged broken" || g.texts() != asked {
		t.Errorf("judged %s, asked about %s, then %s", judgedBy(d), asked, g.texts())
	}
}

// A judge that hangs holds up no deliberation beyond its deadline, nor costs it the
// replies that are there.
func TestADeliberationDoesNotWaitForAJudge(t *testing.T) {
	t.Parallel()
	g := newGuard(t, neverSays)
	r := start(t, setup{panel: panelOf(t, says("42"), says("42")), judges: []*Judge{g.judge(t, "guard", nil)}})
	d := r.ask(sixTimesSeven + `,` + laterDeadline + `}`)
	if d.Status != "carried" || judgedBy(d) != "AUREA: guard unjudged late; ATLAS: guard unjudged late" || outcomes(d) != "AUREA ok, ATLAS ok" {
		t.Errorf("%s, judged %s, %s", d.Status, judgedBy(d), outcomes(d))
	}
}

// When the grace is over, a reply that waits for nothing but its judge counts.
func TestTheGraceEndsJudging(t *testing.T) {
	t.Parallel()
	g := newGuard(t, nil)
	stuck := make(chan struct{})
	defer close(stuck)
	g.does(func(w http.ResponseWriter, text string) {
		if strings.Contains(text, "slowly") {
			<-stuck
		}
		judges("safe")(w, text)
	})
	r := start(t, setup{panel: panelOf(t, says("It is forty-two."), held, says("It is, slowly, forty-two."), hangs),
		judges: []*Judge{g.judge(t, "guard", nil)}, policy: func(p *quorum.Policy) { p.Early.GraceMillis, p.Early.GraceShare = 1, 0 }})
	answered := r.posting(`{"prompt":"Six times seven?","kind":"text"}`)
	atlas := r.panel[1].next(t)
	for text := ""; !strings.Contains(text, "slowly"); {
		text = within(t, "the judge's call", g.asked)
	}
	atlas.says("It is forty-two.") // the quorum is met
	d := within(t, "the answer", answered).deliberation(http.StatusOK)
	if got := judgedBy(d); got != "AUREA: guard 100; ATLAS: guard 100; ZENITH: guard unjudged late; JADE: " || ballot(t, d, "ZENITH").Outcome != "ok" || ballot(t, d, "JADE").Outcome != "unneeded" {
		t.Errorf("judged %s, %s", got, outcomes(d))
	}
}

func TestEveryStepIsJudged(t *testing.T) {
	t.Parallel()
	g := newGuard(t, objects("again", "S10"))
	own := newGuard(t, judges("safe"))
	panel := append(canaries(t), shadows(t, says("42 again"))...)
	r := start(t, setup{panel: panel, judges: []*Judge{own.judge(t, "own", func(c *JudgeConfig) { c.Only = "ATLAS" }), g.judge(t, "guard", nil)}})
	d := r.ask(everyStep)
	if d.Rounds == nil || d.Rounds.Held != 2 || len(d.Rounds.Ballots) != 3 {
		t.Fatalf("rounds %+v", d.Rounds)
	}
	if b := d.Rounds.Ballots[0]; b.Counted || b.Reason != quorum.ReasonCharter || len(b.Judged) != 1 || b.Judged[0].Score != 5000 {
		t.Errorf("second ballot %+v", b)
	}
	if b := d.Rounds.Ballots[1]; len(b.Judged) != 2 || b.Judged[0].ID != "guard" || b.Judged[1].ID != "own" {
		t.Errorf("second ballot %+v", b)
	}
	if d.Judge == nil || len(d.Judge.Judged) != 2 || d.Synthesis == nil || len(d.Synthesis.Judged) != 1 {
		t.Errorf("judge %+v, synthesis %+v", d.Judge, d.Synthesis)
	}
	r.again(d)
	c := r.completion(d.ID)
	if nova := c.Ballots[len(c.Ballots)-1]; !nova.Shadow || nova.Judged != "6-" || nova.Score != 5000 {
		t.Errorf("shadow %+v", nova)
	}
}

// At the critical tier neither a second ballot nor a service counts unjudged.
func TestStepsFailClosedAtCritical(t *testing.T) {
	t.Parallel()
	g := newGuard(t, nil)
	g.does(func(w http.ResponseWriter, text string) {
		if text == "42" || text == "41" || text == "40" {
			judges("safe")(w, text)
		} else {
			w.WriteHeader(500)
		}
	})
	r := start(t, setup{panel: panelOf(t, turns(says("42"), says("42 still")), turns(says("42"), says("42 still")), turns(says("41"), says("41 still"), says(`{"answer":"A"}`))),
		judges: []*Judge{g.judge(t, "guard", nil)}})
	d := r.ask(`{"prompt":"Six times seven?","kind":"number","wait":"all","rounds":2,"judge":"ZENITH","context":{"tier":"critical"},` + inFull + `}`)
	if d.Rounds == nil || d.Rounds.Held != 2 {
		t.Fatalf("%s: rounds %+v", d.Status, d.Rounds)
	}
	for _, b := range d.Rounds.Ballots {
		if b.Counted || b.Reason != quorum.ReasonUnjudged {
			t.Errorf("second ballot %+v", b)
		}
	}
	if d.Judge == nil || d.Judge.Reason != quorum.ReasonUnjudged || d.Judge.Chosen != -1 || d.Value != "42" {
		t.Errorf("judge %+v", d.Judge)
	}
	r.again(d)
}

// The same record with an unjudged ballot counted, or a judge left out, is no
// verdict that an auditor accepts.
func TestAnAuditorFindsWhatWasNotJudged(t *testing.T) {
	t.Parallel()
	g := newGuard(t, objects("41", "S1"))
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"), says("42")), judges: []*Judge{g.judge(t, "guard", nil)}})
	d := r.ask(sixTimesSeven + `,"context":{"tier":"critical"}}`)
	index := d.Proof.Index
	for name, change := range map[string]func(p *quorum.Proof){
		"as it is":                func(p *quorum.Proof) {},
		"counted though unjudged": func(p *quorum.Proof) { p.Ballots[1].Judged = "l" },
		"not asked about":         func(p *quorum.Proof) { p.Ballots[1].Judged = "" },
		"a score above a judge's": func(p *quorum.Proof) { p.Ballots[1].Judged = "3" },
		"judged without a jury":   func(p *quorum.Proof) { p.Jury = nil },
		"said to be unjudged": func(p *quorum.Proof) {
			p.Ballots[1].Counted, p.Ballots[1].Position, p.Ballots[1].Reason = false, -1, quorum.ReasonUnjudged
		},
	} {
		a := new(state.Auditor)
		for i := range index {
			if err := a.Visit(i, must(r.ledger.Entry(i))(t)); err != nil {
				t.Fatal(err)
			}
		}
		leaf := must(r.ledger.Entry(index))(t)
		rec, at, err := quorum.ParseRecord(leaf)
		if err != nil {
			t.Fatal(err)
		}
		change(rec.(*quorum.Proof))
		changed, stamp := rec.AppendLeaf(nil)
		quorum.PutStamp(changed, stamp, at)
		if err := a.Visit(index, changed); (err == nil) != (name == "as it is") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJudgesInTracesAndMetrics(t *testing.T) {
	t.Parallel()
	good, bad := newGuard(t, judges("safe")), newGuard(t, func(w http.ResponseWriter, text string) {
		w.WriteHeader(500)
		io.WriteString(w, `{"error":"cannot judge `+text+`"}`)
	})
	r := start(t, setup{panel: panelOf(t, says("42 "+canaryReply), says("42 and "+canaryReply)), unsampled: true,
		judges: []*Judge{good.judge(t, "good", nil), bad.judge(t, "bad", func(c *JudgeConfig) { c.Only = "AUREA" })}})
	r.post(`{"prompt":"What is the `+canaryPrompt+`?","kind":"number","wait":"all"}`, "traceparent", "00-"+callersTrace+"-"+callersSpan+"-01").deliberation(http.StatusOK)
	r.ask(sixTimesSeven + `}`)
	r.drain()
	const want = `server POST /v1/deliberate
  internal invoke_workflow deliberation
    client chat model-atlas
    client chat model-aurea
    internal decide
    internal ledger.append
    internal score
      client judge bad
      client judge good
    internal score
      client judge good
`
	got := tree(r.spans.Ended(), must(trace.SpanIDFromHex(callersSpan))(t), "")
	if swapped := strings.Replace(want, "    internal score\n      client judge bad\n      client judge good\n    internal score\n      client judge good\n",
		"    internal score\n      client judge good\n    internal score\n      client judge bad\n      client judge good\n", 1); got != want && got != swapped {
		t.Errorf("trace\n%s\nwant\n%s", got, want)
	}
	told := r.logs.String()
	for _, s := range r.spans.Ended() {
		if s.Name() == "judge bad" && attributes(s) != "kaizen.cached=false,kaizen.judge=bad,kaizen.outcome=status" {
			t.Errorf("judge bad has %s", attributes(s))
		}
		told += s.Name() + attributes(s)
	}
	for i := range r.ledger.Size() {
		told += string(must(r.ledger.Entry(i))(t))
	}
	points := r.points()
	for name := range points {
		told += name
	}
	if at := where(told); at != "" {
		t.Errorf("told: %q", at)
	}
	for name, n := range map[string]int64{
		"kaizen.judge.requests{kaizen.judge=good,kaizen.outcome=ok}":     2,
		"kaizen.judge.requests{kaizen.judge=bad,kaizen.outcome=status}":  2,
		"kaizen.judge.unjudged{kaizen.judge=bad,kaizen.reason=status}":   2,
		"kaizen.judge.requests{kaizen.judge=good,kaizen.outcome=cached}": 2,
	} {
		if points[name] != n {
			t.Errorf("%s is %d, want %d", name, points[name], n)
		}
	}
}

// A drain waits for judges of what is late no longer than it may.
func TestADrainEndsJudging(t *testing.T) {
	t.Parallel()
	g := newGuard(t, objects("nothing", "S1"))
	g.does(func(w http.ResponseWriter, text string) {
		if text == "shadow" {
			<-g.end
		}
		judges("safe")(w, text)
	})
	r := start(t, setup{panel: append(panelOf(t, says("42"), says("42")), shadows(t, says("shadow"))...), judges: []*Judge{g.judge(t, "guard", func(c *JudgeConfig) { c.Timeout = time.Hour })}})
	d := r.ask(sixTimesSeven + `}`)
	for text := ""; text != "shadow"; {
		text = within(t, "the judge's call", g.asked)
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	ended := make(chan error, 1)
	go func() { ended <- r.Shutdown(now) }()
	within(t, "the end of Shutdown", ended)
	c := r.completed(d.ID)
	if nova := c.Ballots[2]; nova.Judged != "l" || nova.Score != quorum.MaxScore {
		t.Errorf("shadow %+v", nova)
	}
}

// completed is a completing record that is there already.
func (r *rig) completed(id string) *quorum.Completion {
	r.t.Helper()
	return await(r.t, r.journal, func(c *quorum.Completion) bool { return c.ID == id })
}

// panics judges nothing, loudly.
type panics struct{}

func (panics) Judge(context.Context, string, quorum.Tier) (quorum.Opinion, error) { panic("oh") }

func TestAJudgeThatPanicsCostsAnOpinion(t *testing.T) {
	j := must(NewJudge(JudgeConfig{ID: "x", Kind: "guard", Judge: panics{}, Timeout: time.Minute}))(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, w := j.call(ctx, "text", quorum.Standard); w.Unjudged() != "internal" {
		t.Errorf("%c", w)
	}
}

func TestJudgeConfig(t *testing.T) {
	for name, change := range map[string]func(*JudgeConfig){
		"an id in capitals": func(c *JudgeConfig) { c.ID = "Guard" }, "no judge": func(c *JudgeConfig) { c.Judge = nil }, "no kind": func(c *JudgeConfig) { c.Kind = "" },
		"no time": func(c *JudgeConfig) { c.Timeout = 0 }, "no companion's id": func(c *JudgeConfig) { c.Only = "aurea" }, "a sample over all": func(c *JudgeConfig) { c.Sample = quorum.One + 1 },
		"a bound over 100": func(c *JudgeConfig) { c.Under = quorum.MaxScore + 1 }, "less than no budget": func(c *JudgeConfig) { c.PerDay = -1 }, "less than no room": func(c *JudgeConfig) { c.InFlight = -1 },
	} {
		cfg := JudgeConfig{ID: "guard", Kind: "guard", Judge: new(silent), Timeout: time.Second}
		change(&cfg)
		if _, err := NewJudge(cfg); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// One reply is judged while others are still to come, and what comes after the
// answer is judged in its own time.
func TestJudgingGoesOnBesideThePanel(t *testing.T) {
	t.Parallel()
	g := newGuard(t, objects("41", "S1"))
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", held), member(t, "SOLARA", held)},
		judges: []*Judge{g.judge(t, "guard", nil)}, policy: func(p *quorum.Policy) { p.Early.ObserveOne = 1 }})
	answered := r.posting(`{"prompt":"Six times seven?","kind":"number"}`)
	atlas, solara := r.panel[1].next(t), r.panel[2].next(t)
	if text := within(t, "the judge's call", g.asked); text != "42" {
		t.Errorf("asked about %s", text)
	}
	waiting(t, answered)
	atlas.says("42")
	d := within(t, "the answer", answered).deliberation(http.StatusOK)
	if judgedBy(d) != "AUREA: guard 100; ATLAS: guard 100; SOLARA: " || outcomes(d) != "AUREA ok, ATLAS ok, SOLARA unneeded" {
		t.Errorf("judged %s, %s", judgedBy(d), outcomes(d))
	}
	solara.says("41")
	if b := r.completion(d.ID).Ballots[2]; b.Judged != "6" || b.Score != 5000 || b.Outcome != quorum.OK {
		t.Errorf("SOLARA's final ballot %+v", b)
	}
}

// A second attempt costs like the first, and a budget that is used up says nothing
// of the judge.
func TestARetryCosts(t *testing.T) {
	t.Parallel()
	g := newGuard(t, answers(503))
	j := g.judge(t, "guard", func(c *JudgeConfig) { c.PerMinute, c.Breaker = 1, fanout.BreakerConfig{Failures: 1} })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, w := j.call(ctx, "text", quorum.Standard); w.Unjudged() != "budget" || g.texts() != "text" || j.gate.Breaker() != fanout.Closed {
		t.Errorf("%s after %s, breaker %v", w.Unjudged(), g.texts(), j.gate.Breaker())
	}
}

// What comes after the deadline is judged, too, for its completing record.
func TestALateReplyIsJudged(t *testing.T) {
	t.Parallel()
	g := newGuard(t, objects("41", "S1"))
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", says("42")), member(t, "ZENITH", held)}, judges: []*Judge{g.judge(t, "guard", nil)}})
	answered := r.posting(sixTimesSeven + `,` + laterDeadline + `}`)
	zenith := r.panel[2].next(t)
	d := within(t, "the answer", answered).deliberation(http.StatusOK)
	if outcomes(d) != "AUREA ok, ATLAS ok, ZENITH late" || judgedBy(d) != "AUREA: guard 100; ATLAS: guard 100; ZENITH: " {
		t.Errorf("%s, judged %s", outcomes(d), judgedBy(d))
	}
	zenith.says("41")
	if b := r.completion(d.ID).Ballots[2]; b.Judged != "6" || b.Score != 5000 || b.Outcome != quorum.Late {
		t.Errorf("ZENITH's final ballot %+v", b)
	}
}
