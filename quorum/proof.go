package quorum

import "github.com/kaizen-os/deliberation/quorum/canon"

// A Proof is the record of one deliberation: who was asked, what came of each,
// how it was weighed and what was decided. Texts are in it as commitments only.
type Proof struct {
	ID           string
	AsOf         uint64   // size of the ledger whose state seated the panel
	Policy       [32]byte // digests of the rules it was judged by
	Charter      [32]byte
	Jury         *Jury // the external judges there were; nil for none
	Tier         Tier
	Chamber      string
	Cycle        string
	Topic        string
	Asked        Kind // as the request stated it
	Kind         Kind // as it was decided; Auto when nobody was asked
	Options      int64
	Operation    string
	Open         bool
	Wait         Wait
	Rejection    []RecordedFinding // of the prompt
	PromptScore  Score
	Ballots      []Testimony
	Similarities []PPM
	Verdict      Verdict
	Second       *SecondRound // nil unless a second round was wanted; Ballots are the first round's
	Judge        *Judgement   // nil unless a judge was wanted
	Synthesis    *Synthesis   // nil unless a synthesis was wanted
	WaitMicros   int64        // for companions: from asking to the last reply that was waited for, in each step
	TotalMicros  int64        // from the request's arrival to the encoding of this record

	Prompt, Client, Answer [32]byte // commitments
}

// maxSeats is the most that a policy may seat.
const maxSeats = 64

// OneRound reports whether nothing was wanted beyond the first round.
func (p *Proof) OneRound() bool { return p.Second == nil && p.Judge == nil && p.Synthesis == nil }

// SpokeAgain reports whether what a seat says for its position is its reply of
// the second round: for closed kinds, if that one counts.
func (p *Proof) SpokeAgain(seat int) bool {
	if p.Second == nil || !p.Kind.Closed() {
		return false
	}
	for i := range p.Second.Ballots {
		if b := &p.Second.Ballots[i]; b.Seat == seat {
			return b.Counted
		}
	}
	return false
}

// firstHeld is the position of the first round that holds what a seat says in the
// end; -1 if that has none.
func (p *Proof) firstHeld(seat int) int {
	if !p.SpokeAgain(seat) {
		return p.Ballots[seat].Position
	}
	for i := range p.Second.Ballots {
		b := &p.Second.Ballots[i]
		if b.Seat != seat {
			continue
		}
		for j := range p.Ballots {
			if first := &p.Ballots[j]; first.Position >= 0 && first.Tag == b.Tag {
				return first.Position
			}
		}
	}
	return -1
}

// SecondReply is the name, with its seat's number after it, by which a reply of
// the second round is opened: its commitment stands in its ballot.
const SecondReply = "second/"

// Type of the record.
func (p *Proof) Type() RecordType { return TypeDeliberation }

// Question is what the rules need to know of the deliberation.
func (p *Proof) Question() Question {
	return Question{Tier: p.Tier, Kind: p.Kind, Options: int(p.Options), Operation: p.Operation != "", Open: p.Open, Similarities: p.Similarities}
}

// AppendLeaf is hot: every deliberation passes here once. It allocates nothing
// when dst has room.
func (p *Proof) AppendLeaf(dst []byte) ([]byte, int) {
	e := encoder{b: dst}
	e.begin()
	v := &p.Verdict
	e.num("agreement", int64(v.Agreement))
	e.num("asOf", int64(p.AsOf))
	e.str("asked", p.Asked.String())
	stamp := e.stamp()
	limit := p.listing()
	if len(p.Ballots) > 0 {
		encodeBallots(&e, p.Ballots, limit)
	}
	e.flag("bound", v.Bound)
	e.str("chamber", p.Chamber)
	e.hex("charter", p.Charter[:])
	if v.Confidence >= 0 {
		e.always("confidence", int64(v.Confidence))
	}
	e.str("cycle", p.Cycle)
	e.str("decision", v.Decision.String())
	e.flag("degraded", v.Degraded)
	e.str("deliberation", p.ID)
	e.flag("flips", v.Flips)
	if p.Judge != nil {
		p.Judge.encode(&e, "judge", limit, p.Judge)
	}
	if p.Jury != nil {
		p.Jury.encode(&e)
	}
	e.str("kind", p.Kind.String())
	e.num("margin", int64(v.Margin))
	e.flag("open", p.Open)
	e.str("operation", p.Operation)
	e.num("options", p.Options)
	if p.Second != nil && len(p.Similarities) > 0 {
		encodePacked(&e, p.Similarities)
	}
	e.hex("policy", p.Policy[:])
	if len(p.Rejection) > 0 {
		e.key("promptFindings")
		e.open('[')
		for i := range p.Rejection {
			p.Rejection[i].encode(&e)
		}
		e.close(']')
	}
	e.always("promptScore", int64(p.PromptScore))
	e.num("required", int64(v.Required))
	if p.Second != nil {
		p.Second.encode(&e, limit)
	}
	e.num("share", int64(v.Share))
	if p.Second == nil && len(p.Similarities) > 0 {
		e.key("similarities")
		e.open('[')
		for _, s := range p.Similarities {
			e.comma()
			e.b = appendInt(e.b, int64(s))
		}
		e.close(']')
	}
	e.str("status", v.Status.String())
	if p.Synthesis != nil {
		p.Synthesis.encode(&e, "synthesis", limit, nil)
	}
	e.str("tier", p.Tier.String())
	e.str("topic", p.Topic)
	e.num("totalMicros", p.TotalMicros)
	e.num("votes", int64(v.Votes))
	e.str("wait", p.Wait.String())
	e.num("waitMicros", p.WaitMicros)
	if v.Winner >= 0 {
		e.always("winner", int64(v.Winner))
	}
	e.end(TypeDeliberation)
	e.commitment("answer", &p.Answer)
	e.commitment("client", &p.Client)
	e.commitment("prompt", &p.Prompt)
	encodeCommitments(&e, p.Ballots)
	if p.Judge != nil {
		e.commitment("judge", &p.Judge.Reply)
	}
	if p.Synthesis != nil {
		e.commitment("synthesis", &p.Synthesis.Reply)
	}
	return e.done(), stamp
}

// listing is how many findings each text of p's may list.
func (p *Proof) listing() int {
	total, texts := countFindings(p.Ballots), len(p.Ballots)
	if p.Second != nil {
		for i := range p.Second.Ballots {
			total += min(len(p.Second.Ballots[i].Findings), MaxFindings)
		}
		texts += len(p.Second.Ballots)
	}
	if p.Judge != nil {
		total += min(len(p.Judge.Findings), MaxFindings)
		texts++
	}
	if p.Synthesis != nil {
		total += min(len(p.Synthesis.Findings), MaxFindings)
		texts++
	}
	return listing(total, texts)
}

func readProof(r *canon.Reader, subjects []Subject) (*Proof, int64) {
	p := &Proof{}
	v := &p.Verdict
	v.Winner, v.Confidence = -1, NoConfidence
	var at int64
	r.Object(func(key []byte) {
		switch string(key) {
		case "agreement":
			v.Agreement = PPM(r.Int())
		case "asOf":
			p.AsOf = uint64(r.Int())
		case "asked":
			p.Asked = readName(r, ParseKind)
		case "at":
			at = r.Int()
		case "ballots":
			if p.Ballots = readTestimonies(r); len(p.Ballots) == 0 {
				r.Fail("no ballots")
			}
		case "bound":
			v.Bound = r.Bool()
		case "chamber":
			p.Chamber = r.String()
		case "charter":
			r.Hex(p.Charter[:])
		case "confidence":
			if v.Confidence = PPM(r.Int()); v.Confidence < 0 {
				r.Fail("confidence below 0")
			}
		case "cycle":
			p.Cycle = r.String()
		case "decision":
			v.Decision = readName(r, ParseStance)
		case "degraded":
			v.Degraded = r.Bool()
		case "deliberation":
			p.ID = r.String()
		case "flips":
			v.Flips = r.Bool()
		case "judge":
			p.Judge = readJudgement(r)
		case "jury":
			p.Jury = readJury(r)
		case "kind":
			p.Kind = readName(r, ParseKind)
		case "margin":
			v.Margin = PPM(r.Int())
		case "open":
			p.Open = r.Bool()
		case "operation":
			p.Operation = r.String()
		case "options":
			p.Options = r.Int()
		case "packed":
			p.Similarities = readPacked(r)
		case "policy":
			r.Hex(p.Policy[:])
		case "promptFindings":
			r.Array(func() { p.Rejection = append(p.Rejection, readFinding(r)) })
			if len(p.Rejection) == 0 || len(p.Rejection) > MaxFindings {
				r.Fail("%d findings", len(p.Rejection))
			}
		case "promptScore":
			if p.PromptScore = Score(r.Int()); p.PromptScore < 0 || p.PromptScore > MaxScore {
				r.Fail("score outside 0 to %d", MaxScore)
			}
		case "required":
			v.Required = int(r.Int())
		case "second":
			p.Second = readSecond(r)
		case "share":
			v.Share = PPM(r.Int())
		case "similarities":
			r.Array(func() { p.Similarities = append(p.Similarities, PPM(r.Int())) })
			if len(p.Similarities) == 0 {
				r.Fail("no similarities")
			}
			if p.Second != nil { // read before: members are in order
				r.Fail("similarities of two rounds that are not packed")
			}
		case "status":
			v.Status = readName(r, ParseVerdictStatus)
		case "synthesis":
			p.Synthesis = readSynthesis(r)
		case "tier":
			p.Tier = readName(r, ParseTier)
		case "topic":
			p.Topic = r.String()
		case "totalMicros":
			p.TotalMicros = r.Int()
		case "votes":
			v.Votes = int(r.Int())
		case "wait":
			p.Wait = readName(r, ParseWait)
		case "waitMicros":
			p.WaitMicros = r.Int()
		case "winner":
			v.Winner = int(r.Int())
			if v.Winner < 0 || v.Winner >= len(p.Ballots) {
				r.Fail("winner %d of %d ballots", v.Winner, len(p.Ballots))
			}
		}
	})
	if n := len(p.Ballots); len(p.Similarities) > 0 && len(p.Similarities) != n*(n-1)/2 {
		r.Fail("%d similarities for %d ballots", len(p.Similarities), n)
	}
	if len(p.Ballots) > maxSeats {
		r.Fail("%d ballots, at most %d", len(p.Ballots), maxSeats)
	}
	if p.ID == "" || p.Tier == NoTier || (len(p.Ballots) > 0 && p.Kind == Auto) {
		r.Fail("deliberation, tier or kind is missing")
	}
	rest := readCommitments(r, subjects, p.Ballots)
	p.Prompt, p.Client, p.Answer = rest["prompt"], rest["client"], rest["answer"]
	if p.Judge != nil {
		p.Judge.Reply = rest["judge"]
	}
	if p.Synthesis != nil {
		p.Synthesis.Reply = rest["synthesis"]
	}
	return p, at
}

// A Completion is what came of a panel after its deliberation was answered:
// every seat's final ballot, late and shadow replies included. It feeds
// reliability, cost and shadow criteria, never a verdict.
type Completion struct {
	ID       string
	Kind     Kind
	Observed bool // its proof had unneeded seats: only now is the panel whole
	Ballots  []Testimony
}

// Type of the record.
func (c *Completion) Type() RecordType { return TypeCompletion }

// AppendLeaf encodes the record; see [Record].
func (c *Completion) AppendLeaf(dst []byte) ([]byte, int) {
	e := encoder{b: dst}
	e.begin()
	stamp := e.stamp()
	encodeTestimonies(&e, c.Ballots)
	e.str("deliberation", c.ID)
	e.str("kind", c.Kind.String())
	e.flag("observed", c.Observed)
	e.end(TypeCompletion)
	encodeCommitments(&e, c.Ballots)
	return e.done(), stamp
}

func readCompletion(r *canon.Reader, subjects []Subject) (*Completion, int64) {
	c := &Completion{}
	var at int64
	r.Object(func(key []byte) {
		switch string(key) {
		case "at":
			at = r.Int()
		case "ballots":
			c.Ballots = readTestimonies(r)
		case "deliberation":
			c.ID = r.String()
		case "kind":
			c.Kind = readName(r, ParseKind)
		case "observed":
			c.Observed = r.Bool()
		}
	})
	if c.ID == "" || len(c.Ballots) == 0 {
		r.Fail("deliberation or ballots are missing")
	}
	if rest := readCommitments(r, subjects, c.Ballots); len(rest) > 0 {
		r.Fail("commitments to no ballot")
	}
	return c, at
}

// CacheHits counts answers that were given again from the cache, by the
// deliberation whose proof they name.
type CacheHits struct {
	Hits []CacheHit
}

// A CacheHit is how often one finished answer was given again.
type CacheHit struct {
	ID    string
	Index uint64 // of its proof
	Count int64
}

// Type of the record.
func (c *CacheHits) Type() RecordType { return TypeCacheHits }

// AppendLeaf encodes the record; see [Record].
func (c *CacheHits) AppendLeaf(dst []byte) ([]byte, int) {
	e := encoder{b: dst}
	e.begin()
	stamp := e.stamp()
	e.key("hits")
	e.open('[')
	for _, h := range c.Hits {
		e.comma()
		e.open('{')
		e.num("count", h.Count)
		e.str("deliberation", h.ID)
		e.num("index", int64(h.Index))
		e.close('}')
	}
	e.close(']')
	e.end(TypeCacheHits)
	return e.done(), stamp
}

func readCacheHits(r *canon.Reader, subjects []Subject) (*CacheHits, int64) {
	c := &CacheHits{}
	var at int64
	r.Object(func(key []byte) {
		switch string(key) {
		case "at":
			at = r.Int()
		case "hits":
			r.Array(func() {
				var h CacheHit
				r.Object(func(key []byte) {
					switch string(key) {
					case "count":
						h.Count = r.Int()
					case "deliberation":
						h.ID = r.String()
					case "index":
						h.Index = uint64(r.Int())
					}
				})
				c.Hits = append(c.Hits, h)
			})
		}
	})
	if len(subjects) > 0 {
		r.Fail("subjects on cache hits")
	}
	return c, at
}
