package wire

import "strconv"

// Rounds tells what came of a second round that was wanted. The deliberation's
// consensus, positions and ballots are as they stand after it.
type Rounds struct {
	Held    int           `json:"held"`    // 1 or 2
	Outcome string        `json:"outcome"` // ok, or why the second was not held: unneeded, late, busy, error
	Reason  string        `json:"reason"`  // the same in words, or ""
	First   FirstRound    `json:"first"`
	Ballots []AgainBallot `json:"ballots"` // of the second; in roster order
	Wait    Micros        `json:"waitMs"`  // for companions, in the second
	Usage   Usage         `json:"usage"`   // of the second; part of the deliberation's
}

// FirstRound is what the first round alone came to.
type FirstRound struct {
	Status     string     `json:"status"`
	Agreement  PPM        `json:"agreement"`
	Confidence PPM        `json:"confidence"`
	Positions  []Position `json:"positions"`
}

// An AgainBallot is what one companion said when it was asked again. One that is
// not counted left its first ballot standing, unless its companion was suspended
// meanwhile.
type AgainBallot struct {
	Companion  string      `json:"companion"`
	Outcome    string      `json:"outcome"`
	Counted    bool        `json:"counted"`
	Score      Hundredths  `json:"score"`
	Violations []Violation `json:"violations"`
	Position   int         `json:"position"` // index of its position after all rounds, or -1
	Moved      bool        `json:"moved"`    // it takes another position than in the first round
	Stance     string      `json:"stance"`
	LatencyMs  int64       `json:"latencyMs"`
	Attempts   int         `json:"attempts"`
	Reason     string      `json:"reason"`
	Usage      Usage       `json:"usage"`

	Judged []Judged `json:"judged,omitempty"` // as in Ballot
	Reply  string   `json:"reply,omitzero"`   // its text, when asked for by the owner
}

// A Service is what one companion was asked for beside its ballot.
type Service struct {
	Companion  string      `json:"companion"`
	Outcome    string      `json:"outcome"` // ok, or unneeded, late, busy, refused, broken, error
	Reason     string      `json:"reason"`  // why nothing came of it, or ""
	Score      Hundredths  `json:"score"`
	Violations []Violation `json:"violations"`
	LatencyMs  int64       `json:"latencyMs"`
	Attempts   int         `json:"attempts"`
	Usage      Usage       `json:"usage"` // part of the deliberation's
	Judged     []Judged    `json:"judged,omitempty"`
}

// A Judge is one that was wanted.
type Judge struct {
	Service
	Shown   int  `json:"shown"`   // positions that it chose from
	Chosen  int  `json:"chosen"`  // index of the position it chose, or -1
	Changed bool `json:"changed"` // the answer is another one by its choice

	Reply string `json:"reply,omitzero"` // its text, when asked for by the owner
}

// A Synthesis is a final text by one companion, beside the answer.
type Synthesis struct {
	Text string `json:"text"` // "" when nothing came of it, and for readers who may not see texts
	Service
}

func (r *Rounds) appendTo(dst []byte) []byte {
	dst = append(dst, `,"rounds":{"held":`...)
	dst = strconv.AppendInt(dst, int64(r.Held), 10)
	dst = append(dst, `,"outcome":`...)
	dst = appendString(dst, r.Outcome)
	dst = append(dst, `,"reason":`...)
	dst = appendString(dst, r.Reason)
	dst = append(dst, `,"first":{"status":`...)
	dst = appendString(dst, r.First.Status)
	dst = append(dst, `,"agreement":`...)
	dst = r.First.Agreement.appendTo(dst)
	dst = append(dst, `,"confidence":`...)
	dst = r.First.Confidence.appendTo(dst)
	dst = append(dst, `,"positions":[`...)
	for i := range r.First.Positions {
		dst = r.First.Positions[i].appendTo(comma(dst, i))
	}
	dst = append(dst, `]},"ballots":[`...)
	for i := range r.Ballots {
		dst = r.Ballots[i].appendTo(comma(dst, i))
	}
	dst = append(dst, `],"waitMs":`...)
	dst = r.Wait.appendTo(dst)
	dst = r.Usage.appendTo(dst)
	return append(dst, '}')
}

func (b *AgainBallot) appendTo(dst []byte) []byte {
	dst = append(dst, `{"companion":`...)
	dst = appendString(dst, b.Companion)
	dst = append(dst, `,"outcome":`...)
	dst = appendString(dst, b.Outcome)
	dst = append(dst, `,"counted":`...)
	dst = strconv.AppendBool(dst, b.Counted)
	dst = append(dst, `,"score":`...)
	dst = b.Score.appendTo(dst)
	dst = append(dst, `,"violations":`...)
	dst = appendViolations(dst, b.Violations)
	dst = append(dst, `,"position":`...)
	dst = strconv.AppendInt(dst, int64(b.Position), 10)
	dst = append(dst, `,"moved":`...)
	dst = strconv.AppendBool(dst, b.Moved)
	dst = append(dst, `,"stance":`...)
	dst = appendString(dst, b.Stance)
	dst = append(dst, `,"latencyMs":`...)
	dst = strconv.AppendInt(dst, b.LatencyMs, 10)
	dst = append(dst, `,"attempts":`...)
	dst = strconv.AppendInt(dst, int64(b.Attempts), 10)
	dst = append(dst, `,"reason":`...)
	dst = appendString(dst, b.Reason)
	dst = b.Usage.appendTo(dst)
	dst = appendJudged(dst, b.Judged)
	dst = appendField(dst, 0, "reply", b.Reply)
	return append(dst, '}')
}

// appendTo appends s's members, the first without a comma before it.
func (s *Service) appendTo(dst []byte) []byte {
	dst = append(dst, `"companion":`...)
	dst = appendString(dst, s.Companion)
	dst = append(dst, `,"outcome":`...)
	dst = appendString(dst, s.Outcome)
	dst = append(dst, `,"reason":`...)
	dst = appendString(dst, s.Reason)
	dst = append(dst, `,"score":`...)
	dst = s.Score.appendTo(dst)
	dst = append(dst, `,"violations":`...)
	dst = appendViolations(dst, s.Violations)
	dst = append(dst, `,"latencyMs":`...)
	dst = strconv.AppendInt(dst, s.LatencyMs, 10)
	dst = append(dst, `,"attempts":`...)
	dst = strconv.AppendInt(dst, int64(s.Attempts), 10)
	return appendJudged(s.Usage.appendTo(dst), s.Judged)
}

func (j *Judge) appendTo(dst []byte) []byte {
	dst = append(dst, `,"judge":{`...)
	dst = j.Service.appendTo(dst)
	dst = append(dst, `,"shown":`...)
	dst = strconv.AppendInt(dst, int64(j.Shown), 10)
	dst = append(dst, `,"chosen":`...)
	dst = strconv.AppendInt(dst, int64(j.Chosen), 10)
	dst = append(dst, `,"changed":`...)
	dst = strconv.AppendBool(dst, j.Changed)
	dst = appendField(dst, 0, "reply", j.Reply)
	return append(dst, '}')
}

func (s *Synthesis) appendTo(dst []byte) []byte {
	dst = append(dst, `,"synthesis":{"text":`...)
	dst = appendString(dst, s.Text)
	dst = append(dst, ',')
	dst = s.Service.appendTo(dst)
	return append(dst, '}')
}
