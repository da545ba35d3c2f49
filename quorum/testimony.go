package quorum

import (
	"strconv"

	"github.com/kaizen-os/deliberation/quorum/canon"
)

// MaxFindings is how many findings of one text a record lists; the rest are counted.
const MaxFindings = 8

// findingBudget bounds the findings of a whole record, so that the largest panel
// fits a leaf.
const findingBudget = 48

// A KeyTag stands for a canonical answer or a matched span in the ledger: a
// keyed digest, equal within one record for equal texts and telling nothing
// without the record's salt.
type KeyTag [8]byte

// A RecordedFinding is a finding and the keyed digest of what it matched.
type RecordedFinding struct {
	Finding
	Match KeyTag
}

// A Testimony is one seat's ballot as the ledger keeps it.
type Testimony struct {
	Ballot
	Shadow        bool // asked, never counted
	Model         string
	LatencyMicros int64
	Attempts      int64
	Usage         Usage
	Stated        PPM // the confidence it stated, negative for none
	Tag           KeyTag
	Findings      []RecordedFinding // at most MaxFindings, the worst
	More          int64             // findings beyond those
	Reply         [32]byte          // commitments; zero where there is no text
	Rationale     [32]byte
}

// encode writes t as one object, listing at most limit findings.
func (t *Testimony) encode(e *encoder, limit int) {
	e.comma()
	e.open('{')
	e.flag("abstained", t.Abstained)
	e.num("attempts", t.Attempts)
	e.str("companion", string(t.Companion))
	e.num("cost", int64(t.Usage.Cost))
	e.flag("counted", t.Counted)
	e.num("earned", int64(t.Earned))
	more := encodeFindings(e, t.Findings, limit)
	e.num("inputTokens", t.Usage.InputTokens)
	e.str("judged", string(t.Judged))
	if t.Tag != (KeyTag{}) {
		e.hex("key", t.Tag[:])
	}
	e.num("latency", t.LatencyMicros)
	e.str("model", t.Model)
	e.num("more", t.More+more)
	e.str("outcome", t.Outcome.String())
	e.num("outputTokens", t.Usage.OutputTokens)
	if t.Position >= 0 {
		e.always("position", int64(t.Position))
	}
	e.num("prior", int64(t.Prior))
	e.str("reason", t.Reason)
	if t.Scored {
		e.always("score", int64(t.Score))
	}
	e.flag("shadow", t.Shadow)
	e.str("stance", t.Stance.String())
	if t.Stated >= 0 {
		e.always("stated", int64(t.Stated))
	}
	e.str("tier", t.Tier.String())
	e.num("tierWeight", int64(t.TierWeight))
	e.str("vendor", t.Vendor)
	e.num("weight", int64(t.Weight))
	e.close('}')
}

// encodeFindings lists at most limit of them and returns how many it left out.
func encodeFindings(e *encoder, all []RecordedFinding, limit int) (more int64) {
	listed := all[:min(len(all), limit)]
	if len(listed) > 0 {
		e.key("findings")
		e.open('[')
		for i := range listed {
			listed[i].encode(e)
		}
		e.close(']')
	}
	return int64(len(all) - len(listed))
}

func (f *RecordedFinding) encode(e *encoder) {
	e.comma()
	e.open('{')
	e.num("clause", int64(f.Clause))
	e.num("end", int64(f.End))
	if f.Match != (KeyTag{}) {
		e.hex("match", f.Match[:])
	}
	e.str("rule", f.Rule)
	e.num("severity", int64(f.Severity))
	e.num("start", int64(f.Start))
	e.close('}')
}

func encodeTestimonies(e *encoder, all []Testimony) {
	encodeBallots(e, all, listing(countFindings(all), len(all)))
}

func countFindings(all []Testimony) (total int) {
	for i := range all {
		total += min(len(all[i].Findings), MaxFindings)
	}
	return total
}

// listing is how many findings each of so many texts may list, if there are total.
func listing(total, texts int) int {
	if total > findingBudget {
		return min(findingBudget/texts, MaxFindings)
	}
	return MaxFindings
}

func encodeBallots(e *encoder, all []Testimony, limit int) {
	e.key("ballots")
	e.open('[')
	for i := range all {
		all[i].encode(e, limit)
	}
	e.close(']')
}

// encodeCommitments writes the seats' subjects. Names sort nothing here: an
// array keeps its order.
func encodeCommitments(e *encoder, all []Testimony) {
	var name [24]byte
	for i := range all {
		e.commitment(string(strconv.AppendInt(append(name[:0], "reply/"...), int64(i), 10)), &all[i].Reply)
		e.commitment(string(strconv.AppendInt(append(name[:0], "rationale/"...), int64(i), 10)), &all[i].Rationale)
	}
}

func readTestimonies(r *canon.Reader) []Testimony {
	var out []Testimony
	r.Array(func() {
		if len(out) >= 128 {
			r.Fail("more than 128 ballots")
			return
		}
		out = append(out, readTestimony(r))
	})
	return out
}

func readTestimony(r *canon.Reader) Testimony {
	t := Testimony{Stated: -1}
	t.Position = -1
	r.Object(func(key []byte) {
		switch string(key) {
		case "abstained":
			t.Abstained = r.Bool()
		case "attempts":
			t.Attempts = r.Int()
		case "companion":
			t.Companion = CompanionID(r.String())
		case "cost":
			t.Usage.Cost = MicroUSD(r.Int())
		case "counted":
			t.Counted = r.Bool()
		case "earned":
			t.Earned = PPM(r.Int())
		case "findings":
			t.Findings = readFindings(r)
		case "inputTokens":
			t.Usage.InputTokens = r.Int()
		case "judged":
			t.Judged = readJudged(r)
		case "key":
			r.Hex(t.Tag[:])
			t.Key = string(t.Tag[:]) // equal answers have equal tags: all that deciding needs
		case "latency":
			t.LatencyMicros = r.Int()
		case "model":
			t.Model = r.String()
		case "more":
			t.More = r.Int()
		case "outcome":
			t.Outcome = readName(r, ParseOutcome)
		case "outputTokens":
			t.Usage.OutputTokens = r.Int()
		case "position":
			t.Position = readIndex(r)
		case "prior":
			t.Prior = PPM(r.Int())
		case "reason":
			t.Reason = r.String()
		case "score":
			t.Scored, t.Score = true, readScore(r)
		case "shadow":
			t.Shadow = r.Bool()
		case "stance":
			t.Stance = readName(r, ParseStance)
		case "stated":
			if t.Stated = PPM(r.Int()); t.Stated < 0 {
				r.Fail("stated below 0")
			}
		case "tier":
			t.Tier = readName(r, ParseTier)
		case "tierWeight":
			t.TierWeight = PPM(r.Int())
		case "vendor":
			t.Vendor = r.String()
		case "weight":
			t.Weight = PPM(r.Int())
		}
	})
	if !t.Companion.Valid() {
		r.Fail("companion %q", t.Companion)
	}
	return t
}

func readFindings(r *canon.Reader) (all []RecordedFinding) {
	r.Array(func() { all = append(all, readFinding(r)) })
	if len(all) == 0 || len(all) > MaxFindings {
		r.Fail("%d findings", len(all))
	}
	return all
}

func readFinding(r *canon.Reader) RecordedFinding {
	var f RecordedFinding
	r.Object(func(key []byte) {
		switch string(key) {
		case "clause":
			v := r.Int()
			if f.Clause = Clause(v); v < 1 || v > Clauses { // Advisory is left out
				r.Fail("clause %d", v)
			}
		case "end":
			f.End = int(r.Int())
		case "match":
			r.Hex(f.Match[:])
			if f.Match == (KeyTag{}) {
				r.Fail("empty match")
			}
		case "rule":
			f.Rule = r.String()
		case "severity":
			f.Severity = PPM(r.Int())
		case "start":
			f.Start = int(r.Int())
		}
	})
	return f
}

func readName[T any](r *canon.Reader, parse func(string) (T, error)) T {
	v, err := parse(r.String())
	if err != nil {
		r.Fail("%v", err)
	}
	return v
}

// readCommitments gives each testimony its commitments and returns the others by
// name, in an order that is checked by encoding again.
func readCommitments(r *canon.Reader, subjects []Subject, all []Testimony) map[string][32]byte {
	rest := make(map[string][32]byte)
	byName := make(map[string]*[32]byte, 2*len(all))
	for i := range all {
		byName["reply/"+strconv.Itoa(i)] = &all[i].Reply
		byName["rationale/"+strconv.Itoa(i)] = &all[i].Rationale
	}
	for _, s := range subjects {
		if to := byName[s.Name]; to != nil {
			*to = s.Digest
		} else {
			rest[s.Name] = s.Digest
		}
		if s.Digest == ([32]byte{}) {
			r.Fail("subject %q commits to nothing", s.Name)
		}
	}
	return rest
}

// readIndex reads a place in a list of at most 64.
func readIndex(r *canon.Reader) int {
	v := r.Int()
	if v < 0 || v >= 64 {
		r.Fail("index %d outside 0 to 63", v)
		return -1
	}
	return int(v)
}

func readScore(r *canon.Reader) Score {
	v := r.Int()
	if v < 0 || v > int64(MaxScore) {
		r.Fail("score outside 0 to %d", MaxScore)
	}
	return Score(v)
}
