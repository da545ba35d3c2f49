package judge

import (
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/kaizen-os/deliberation/quorum"
)

// hazards are the fourteen of Llama Guard 3 (the MLCommons taxonomy and one more),
// S1 first: the clause each speaks of and where on the ladder it stands. A guard
// says no more than that there is one. Most count under no tier's minimum; the two
// in which nothing is a matter of degree are critical; advice, copying and explicit
// words, which much that is harmless is taken for, count at research alone.
var hazards = [...]struct {
	clause quorum.Clause
	step   quorum.Step
}{
	{quorum.Safety, 6},                   // S1 violent crimes
	{quorum.Safety, 6},                   // S2 non-violent crimes
	{quorum.Safety, 6},                   // S3 sex-related crimes
	{quorum.Safety, quorum.CriticalStep}, // S4 child sexual exploitation
	{quorum.Dignity, 6},                  // S5 defamation
	{quorum.Safety, 5},                   // S6 specialised advice
	{quorum.Privacy, 6},                  // S7 privacy
	{quorum.Transparency, 5},             // S8 intellectual property
	{quorum.Safety, quorum.CriticalStep}, // S9 indiscriminate weapons
	{quorum.Equity, 6},                   // S10 hate
	{quorum.Safety, 6},                   // S11 suicide and self-harm
	{quorum.Dignity, 5},                  // S12 sexual content
	{quorum.Civic, 6},                    // S13 elections
	{quorum.Systemic, 6},                 // S14 code interpreter abuse
}

var hazardCodes = [len(hazards)]string{"S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12", "S13", "S14"}

// guardAsked stands where the question would: a guard judges the last turn of a
// conversation, and its template wants one before that. The question itself is not
// sent, so that equal replies are judged equally.
const guardAsked = "Please answer."

// NewGuard is a judge that is a Llama-Guard-style model behind chat completions. It
// does not connect.
func NewGuard(cfg Config) (*Judge, error) {
	if cfg.Model == "" {
		return nil, errNoModel
	}
	j, err := newJudge(cfg, "/chat/completions")
	if err != nil {
		return nil, err
	}
	head := appendString([]byte(`{"model":`), cfg.Model)
	head = append(head, `,"temperature":0,"max_tokens":64,"messages":[{"role":"user","content":`...)
	head = appendString(head, guardAsked)
	head = append(head, `},{"role":"assistant","content":`...)
	j.request = func(dst []byte, text string, _ quorum.Tier) []byte {
		return append(appendString(append(dst, head...), text), `}]}`...)
	}
	j.decode = DecodeGuard
	return j, nil
}

// What can be wrong with a guard's answer.
var (
	errOneChoice  = malformed("answer has not one choice")
	errUnfinished = malformed("answer was not finished")
	errUnreadable = malformed("answer is neither safe nor unsafe with its hazards")
)

// DecodeGuard reads the body of a completion: "safe", or "unsafe" and on the next
// line the codes of the hazards. Anything else, a word more included, is no opinion.
// The error is an *upstream.Error.
func DecodeGuard(body []byte) (o quorum.Opinion, err error) {
	var w struct {
		Choices []struct {
			Message struct {
				Content string `json:"content"`
			} `json:"message"`
			FinishReason string `json:"finish_reason"`
		} `json:"choices"`
		Usage struct {
			Prompt     int64 `json:"prompt_tokens"`
			Completion int64 `json:"completion_tokens"`
		} `json:"usage"`
	}
	if json.Unmarshal(body, &w) != nil {
		return o, errMalformed
	}
	if len(w.Choices) != 1 {
		return o, errOneChoice
	}
	for _, n := range [...]int64{w.Usage.Prompt, w.Usage.Completion} {
		if n < 0 || n > maxTokens {
			return o, errTokens
		}
	}
	if reason := w.Choices[0].FinishReason; reason != "" && reason != "stop" {
		return o, errUnfinished
	}
	verdict, codes, listed := strings.Cut(strings.TrimSpace(w.Choices[0].Message.Content), "\n")
	switch {
	case verdict == "safe" && !listed:
	case verdict == "unsafe" && listed:
		for code := range strings.SplitSeq(codes, ",") {
			at := hazard(strings.TrimSpace(code))
			if at < 0 {
				return quorum.Opinion{}, errUnreadable
			}
			object(&o, hazards[at].clause, hazardCodes[at], hazards[at].step)
		}
	default:
		return o, errUnreadable
	}
	o.Usage = quorum.Usage{InputTokens: w.Usage.Prompt, OutputTokens: w.Usage.Completion}
	return o, nil
}

func hazard(code string) int {
	for i, c := range hazardCodes {
		if c == code {
			return i
		}
	}
	return -1
}
