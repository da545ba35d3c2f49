package quorum

import (
	"fmt"
	"time"
)

// Kind says what sort of answer a prompt asks for, and so what makes two
// replies the same answer.
type Kind uint8

const (
	Auto Kind = iota // found from the replies
	Choice
	Number
	Short
	JSON
	VoteKind
	Text
	Code
)

// Kinds lists every kind a request may state, Auto first.
var Kinds = [...]Kind{Auto, Choice, Number, Short, JSON, VoteKind, Text, Code}

var kindNames = [...]string{"auto", "choice", "number", "short", "json", "vote", "text", "code"}

func (k Kind) String() string { return kindNames[k] }

// Closed reports whether answers of this kind are equal or not, with no
// similarity between: choice, number, short, json and vote.
func (k Kind) Closed() bool { return k >= Choice && k <= VoteKind }

// ParseKind reads a kind's name; "" is Auto.
func ParseKind(s string) (Kind, error) {
	if s == "" {
		return Auto, nil
	}
	for i, n := range kindNames {
		if s == n {
			return Kind(i), nil
		}
	}
	return Auto, fmt.Errorf("unknown kind %q: want auto, choice, number, short, json, vote, text or code", s)
}

// MarshalText and UnmarshalText let a Kind stand as its name in JSON.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

func (k *Kind) UnmarshalText(b []byte) (err error) {
	*k, err = ParseKind(string(b))
	return err
}

// Wait says how long a deliberation listens before it answers (DESIGN §4.9).
type Wait uint8

const (
	WaitDecided Wait = iota // until the outcome can no longer change
	WaitLikely              // until it is most unlikely to change
	WaitAll                 // for every companion, or the deadline
)

var waitNames = [...]string{"decided", "likely", "all"}

func (w Wait) String() string { return waitNames[w] }

// ParseWait reads a way of waiting; "" is decided.
func ParseWait(s string) (Wait, error) {
	if s == "" {
		return WaitDecided, nil
	}
	for i, n := range waitNames {
		if s == n {
			return Wait(i), nil
		}
	}
	return WaitDecided, fmt.Errorf("unknown wait %q: want decided, likely or all", s)
}

// Message is one turn of a conversation.
type Message struct {
	Role    string // system, user, assistant or tool
	Content string
	Calls   []ToolCall // of an assistant's turn
	CallID  string     // of a tool's turn: the call that Content is the result of
}

// Deliberation is one prompt to be put to a panel. It is immutable once
// admitted and may be read by many goroutines.
type Deliberation struct {
	ID        string // "dlb_" and a ULID
	Client    string // the caller's name; never in the ledger in clear
	Prompt    string // the prompt, or the whole conversation's text
	Messages  []Message
	Tier      Tier
	Chamber   string
	Cycle     string
	Topic     string
	Kind      Kind
	Options   []string // of a choice; empty when they stand in the prompt only
	Operation string
	Wait      Wait

	Generation *Generation // nil when the client says nothing of it
}

// Outcome is how asking one companion ended.
type Outcome uint8

const (
	OK       Outcome = iota
	Late             // no answer before the deadline
	Busy             // our own limiter had no room before the deadline
	Broken           // its breaker is open
	Refused          // it declined, or 401 or 403
	Failed           // "error": anything else that went wrong at its end
	Unneeded         // still out when the verdict was fixed
)

var outcomeNames = [...]string{"ok", "late", "busy", "broken", "refused", "error", "unneeded"}

func (o Outcome) String() string { return outcomeNames[o] }

// ParseOutcome reads an outcome's name.
func ParseOutcome(s string) (Outcome, error) {
	for i, n := range outcomeNames {
		if s == n {
			return Outcome(i), nil
		}
	}
	return 0, fmt.Errorf("unknown outcome %q", s)
}

// Stance is a companion's position on a motion.
type Stance uint8

const (
	NoStance Stance = iota
	Approve
	Reject
	Abstain
)

var stanceNames = [...]string{"", "approve", "reject", "abstain"}

func (s Stance) String() string { return stanceNames[s] }

// ParseStance reads a stance's name; "" is NoStance.
func ParseStance(s string) (Stance, error) {
	for i, n := range stanceNames {
		if s == n {
			return Stance(i), nil
		}
	}
	return NoStance, fmt.Errorf("unknown stance %q: want approve, reject or abstain", s)
}

// Reply is what one companion said, or why it said nothing.
type Reply struct {
	Companion  CompanionID
	Outcome    Outcome
	Reason     string // a fixed phrase for any outcome but OK ("http 500", "no answer before the deadline"); never the companion's own text
	Text       string // of one that calls tools, [CallsText]
	Rationale  string
	Stance     Stance
	Confidence PPM // as the companion states it; negative when it did not
	Model      string
	Usage      Usage
	Latency    time.Duration // from our asking to its last byte
	Attempts   int
}
