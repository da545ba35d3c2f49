package quorum

import (
	"errors"
	"fmt"

	"github.com/kaizen-os/deliberation/quorum/canon"
)

// A Service is what one companion was asked for beside its ballot, what came of
// it, and what it cost.
type Service struct {
	Companion CompanionID
	Outcome   Outcome // ok when it replied; unneeded, late, busy or error also when it was not asked
	Reason    string  // why nothing came of it; "" when something did
	Scored    bool
	Score     Score
	Judged    Judged // what external judges came to
	Findings  []RecordedFinding
	More      int64 // findings beyond those
	Model     string

	LatencyMicros int64
	Attempts      int64
	Usage         Usage
	Reply         [32]byte // commitment
}

// Done reports whether the service was rendered.
func (s *Service) Done() bool { return s.Outcome == OK && s.Reason == "" }

// A Judgement is a judge's choice among the positions, each shown by one reply,
// without names, in an order that says nothing.
type Judgement struct {
	Service
	Shown  int64 // how many it was shown
	Chosen int   // which of those, or -1
}

// JudgeWanted says whether a judge is to be asked: which replies it chooses from,
// in the order to show them in, or why not.
func (h *Hearing) JudgeWanted() (show []Quote, why string) {
	v := &h.Verdict
	switch {
	case v.Status == Inquorate:
		return nil, ReasonNoAuthority
	case h.q.Operation:
		return nil, ReasonByPanel
	case v.Status != Contested && (v.Confidence == NoConfidence || v.Confidence >= h.policy.Further().JudgeUnder):
		return nil, ReasonSettled
	}
	if show = h.quotes(); len(show) < 2 {
		return nil, ReasonOneSided
	}
	shuffle(show, h.id, "judge")
	return show, ""
}

// Judge takes a judge's choice of a position. Of a contested deliberation it
// becomes the answer, and agreement, share and votes are those behind it; the
// status stays contested and there is no confidence, since the panel's weights
// say otherwise. What was carried or lost stays as it is.
func (h *Hearing) Judge(position int) {
	h.Judged = position
	if h.Verdict.Status != Contested || position == 0 {
		return
	}
	if h.second == nil {
		h.Ballots = append(make([]Ballot, 0, len(h.First)), h.First...)
		h.spoken = h.Ballots
	}
	lists := [][]Ballot{h.Ballots}
	if !h.q.Kind.Closed() && h.second != nil {
		lists = append(lists, h.spoken)
	}
	h.Verdict = h.policy.conclude(h.q, h.Ballots, prefer(h.Verdict.Positions, position, lists...))
	h.Verdict.Status, h.Verdict.Confidence = Contested, NoConfidence
	h.Judged, h.JudgeChanged = 0, true
	h.place()
}

func (h *Hearing) followJudge(j *Judgement) error {
	show, why := h.JudgeWanted()
	if err := h.followService(&j.Service, why); err != nil {
		return err
	}
	switch {
	case j.Done() != (j.Chosen >= 0):
		return errors.New("a choice and a reason why there is none")
	case j.Outcome == OK && j.Shown != int64(len(show)) || j.Outcome != OK && j.Shown != 0:
		return fmt.Errorf("it is said to have been shown %d positions of %d", j.Shown, len(show))
	case !j.Done():
		return nil
	case j.Chosen >= len(show):
		return fmt.Errorf("it chose number %d of %d", j.Chosen+1, len(show))
	}
	h.Judge(show[j.Chosen].Position)
	return nil
}

// followService checks what every service keeps to; why is the reason not to
// have asked for it.
func (h *Hearing) followService(s *Service, why string) error {
	least := h.policy.Tier(h.q.Tier).CharterMinimum
	switch {
	case (why != "") != (s.Outcome == Unneeded) || why != "" && s.Reason != why:
		return fmt.Errorf("recorded as %s (%s), which does not follow", s.Outcome, s.Reason)
	case s.Outcome != OK && s.Reason == "":
		return errors.New("an outcome without its reason")
	case s.Done() && (!s.Scored || s.Score < least):
		return fmt.Errorf("used at charter score %s, under %s", s.Score, least)
	case s.Reason == ReasonCharter && (!s.Scored || s.Score >= least):
		return fmt.Errorf("not used at charter score %s", s.Score)
	case s.Done() && h.q.Tier == Critical && s.Judged.Unjudged():
		return errors.New("used though it is unjudged")
	case s.Reason == ReasonUnjudged && !(h.q.Tier == Critical && s.Judged.Unjudged()):
		return errors.New("not used as unjudged, which it is not")
	}
	return nil
}

// A Synthesis is a final text that one companion wrote of what all had said. It
// stands beside the answer and changes nothing.
type Synthesis struct {
	Service
}

// SynthesisWanted says which seats' replies a synthesis is to be written of, in
// seat order, or why there is nothing to write: those that hold a position and may
// be shown.
func (h *Hearing) SynthesisWanted() (of []int, why string) {
	if h.Verdict.Status == Inquorate {
		return nil, ReasonNoAuthority
	}
	least := h.policy.Further().QuoteMinimum
	for i := range h.spoken {
		if b := &h.spoken[i]; b.Counted && b.Position >= 0 && b.Scored && b.Score >= least {
			of = append(of, i)
		}
	}
	if len(of) == 0 {
		return nil, ReasonNothingToShow
	}
	return of, ""
}

func (h *Hearing) followSynthesis(s *Synthesis) error {
	_, why := h.SynthesisWanted()
	return h.followService(&s.Service, why)
}

// Spoken is the ballot, by seat, whose text was said for the position it is in.
// After a second round on text or code that is the one of the first.
func (h *Hearing) Spoken() []Ballot { return h.spoken }

// encode writes the members of s, and between them a judgement's own if j is not nil.
func (s *Service) encode(e *encoder, name string, limit int, j *Judgement) {
	e.key(name)
	e.open('{')
	e.num("attempts", s.Attempts)
	if j != nil && j.Chosen >= 0 {
		e.always("chosen", int64(j.Chosen))
	}
	e.str("companion", string(s.Companion))
	e.num("cost", int64(s.Usage.Cost))
	more := encodeFindings(e, s.Findings, limit)
	e.num("inputTokens", s.Usage.InputTokens)
	e.str("judged", string(s.Judged))
	e.num("latency", s.LatencyMicros)
	e.str("model", s.Model)
	e.num("more", s.More+more)
	e.str("outcome", s.Outcome.String())
	e.num("outputTokens", s.Usage.OutputTokens)
	e.str("reason", s.Reason)
	if s.Scored {
		e.always("score", int64(s.Score))
	}
	if j != nil {
		e.num("shown", j.Shown)
	}
	e.close('}')
}

func readJudgement(r *canon.Reader) *Judgement {
	j := &Judgement{Chosen: -1}
	j.read(r, func(key []byte) {
		switch string(key) {
		case "chosen":
			j.Chosen = readIndex(r)
		case "shown":
			j.Shown = r.Int()
		}
	})
	return j
}

func readSynthesis(r *canon.Reader) *Synthesis {
	s := new(Synthesis)
	s.read(r, func([]byte) {})
	return s
}

// read reads a service, handing members that it does not know to own.
func (s *Service) read(r *canon.Reader, own func(key []byte)) {
	r.Object(func(key []byte) {
		switch string(key) {
		case "attempts":
			s.Attempts = r.Int()
		case "companion":
			s.Companion = CompanionID(r.String())
		case "cost":
			s.Usage.Cost = MicroUSD(r.Int())
		case "findings":
			s.Findings = readFindings(r)
		case "inputTokens":
			s.Usage.InputTokens = r.Int()
		case "judged":
			s.Judged = readJudged(r)
		case "latency":
			s.LatencyMicros = r.Int()
		case "model":
			s.Model = r.String()
		case "more":
			s.More = r.Int()
		case "outcome":
			s.Outcome = readName(r, ParseOutcome)
		case "outputTokens":
			s.Usage.OutputTokens = r.Int()
		case "reason":
			s.Reason = r.String()
		case "score":
			s.Scored, s.Score = true, readScore(r)
		default:
			own(key)
		}
	})
	if !s.Companion.Valid() {
		r.Fail("companion %q", s.Companion)
	}
}
