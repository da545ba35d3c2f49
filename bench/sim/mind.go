package sim

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/kaizen-os/deliberation/quorum"
)

// mind is what a simulated companion thinks with. What is right depends on
// prompt and seed alone, so that the companions agree on it; whether this one
// is right, and how it words it, on its name as well.
type mind struct {
	companion *Companion
	seed      uint64
}

func (m *mind) Reply(ask *Ask) (Reply, error) {
	whole := ask.Prompt
	if question, _, ok := questionOf(whole); ok && !sumsUp(whole) {
		bare := *ask // what others said does not sway this one
		bare.Prompt = question
		ask = &bare
	}
	own := source(m.seed, "reply", string(m.companion.ID), ask.Prompt)
	right := own.Float64() < m.companion.Skill
	var reply Reply
	switch ask.Kind {
	case quorum.VoteKind:
		reply = m.vote(ask, right, own)
	case quorum.Choice:
		reply.Text = worded(m.choose(ask, right, own), ask.Kind, own)
	case quorum.Number, quorum.Short, quorum.JSON:
		answer, _, found := derive(ask.Prompt, right, own)
		if !found {
			answer = m.madeUp(ask, right, own)
		}
		reply.Text = worded(answer, ask.Kind, own)
	case quorum.Code:
		reply.Text = code(right)
	default:
		if sumsUp(whole) {
			reply.Text = synthesis(whole)
		} else if answer, subject, found := derive(ask.Prompt, right, own); found {
			reply.Text = sentence(subject, answer, own)
		} else {
			reply.Text = m.essay(ask, right, own)
		}
	}
	// Real models are surer when they are right, but not by much.
	reply.Confidence = 0.55 + 0.25*own.Float64()
	if right {
		reply.Confidence = 0.75 + 0.22*own.Float64()
	}
	reply.Confidence = math.Round(reply.Confidence*100) / 100
	reply.Usage = tokens(whole, reply.Text)
	return reply, nil
}

// derive answers what can be known: arithmetic and the table of facts. subject
// is what the answer is the answer to.
func derive(prompt string, right bool, own *rand.Rand) (answer, subject string, found bool) {
	if value, ok := arithmetic(prompt); ok {
		if !right {
			value = slip(value, own)
		}
		return value, "the result", true
	}
	f, group, ok := known(prompt)
	if !ok {
		return "", "", false
	}
	if !right {
		for _, i := range own.Perm(len(group)) {
			if group[i].answer != f.answer {
				return group[i].answer, f.subject, true
			}
		}
	}
	return f.answer, f.subject, true
}

// slip is a plausible mistake: off by one, by ten, or by a tenth.
func slip(value string, own *rand.Rand) string {
	v, ok := new(big.Rat).SetString(value)
	if !ok {
		panic("bug: arithmetic gave no number")
	}
	off := []*big.Rat{big.NewRat(1, 1), big.NewRat(-1, 1), big.NewRat(10, 1), big.NewRat(-10, 1), big.NewRat(1, 10)}
	return decimal(v.Add(v, off[own.IntN(len(off))]))
}

// choose picks an option: the one whose line in the prompt holds the known
// answer, else the one that prompt and seed say is right.
func (m *mind) choose(ask *Ask, right bool, own *rand.Rand) string {
	options := ask.Options
	if len(options) == 0 {
		options = []string{"A", "B", "C", "D"}
	}
	truth := int(hash(m.seed, "truth", ask.Prompt) % uint64(len(options)))
	if answer, _, found := derive(ask.Prompt, true, own); found {
		for i, option := range options {
			if strings.EqualFold(option, answer) || strings.EqualFold(optionText(ask.Prompt, option), answer) {
				truth = i
			}
		}
	}
	if !right && len(options) > 1 {
		truth = (truth + 1 + own.IntN(len(options)-1)) % len(options)
	}
	return options[truth]
}

// optionText is what stands behind "B." or "B)" at the start of a line.
func optionText(prompt, option string) string {
	for line := range strings.Lines(prompt) {
		rest, found := strings.CutPrefix(strings.TrimLeft(line, " ("), option)
		if found && rest != "" && strings.ContainsAny(rest[:1], ".):") {
			return strings.TrimSpace(rest[1:])
		}
	}
	return ""
}

// madeUp is an answer to a closed question whose answer is not known: the
// companions agree on it, and it is worth no more than that.
func (m *mind) madeUp(ask *Ask, right bool, own *rand.Rand) string {
	shared := source(m.seed, "made up", ask.Prompt)
	n := 2 + shared.IntN(97)
	if !right {
		n += 1 + own.IntN(9)
	}
	if ask.Kind == quorum.Number {
		return strconv.Itoa(n)
	}
	return "simulated answer " + strconv.Itoa(n)
}

// worded puts a closed answer into words: bare, in a sentence, or as the JSON
// that many prompts ask for, which is not this companion's choice alone.
func worded(answer string, kind quorum.Kind, own *rand.Rand) string {
	style := own.IntN(4)
	if kind == quorum.JSON {
		style = 0
	}
	switch style {
	case 0:
		body, err := json.Marshal(struct {
			Answer string `json:"answer"`
		}{answer})
		if err != nil {
			panic("bug: a string that is no JSON: " + err.Error())
		}
		return string(body)
	case 1:
		return answer
	case 2:
		return "The answer is " + answer + "."
	default:
		return "Working it through step by step, I come to one result. The answer is " + answer + "."
	}
}

var sentences = [...]string{
	"%[1]s is %[2]s.",
	"As far as I know, %[1]s is %[2]s.",
	"%[2]s: that is %[1]s.",
	"That is easily said: %[1]s is %[2]s.",
	"I am a simulated companion, but this I can tell: %[1]s is %[2]s.",
}

func sentence(subject, answer string, own *rand.Rand) string {
	text := fmt.Sprintf(sentences[own.IntN(len(sentences))], subject, answer)
	return strings.ToUpper(text[:1]) + text[1:]
}

// alarming words make a motion more likely to be rejected.
var alarming = []string{
	"abolish", "ban", "bypass", "conceal", "deceive", "delete", "deny", "destroy", "disable", "exploit",
	"hide", "override", "secret", "secretly", "sell", "surveil", "weapon", "without",
}

var approvals = [...]string{
	"The benefit is clear and the risk can be watched and undone.",
	"It is proportionate, it can be reversed, and somebody answers for it.",
	"It serves those concerned, and nothing in it takes a choice from them.",
	"The evidence given is enough for a step of this size.",
}

var objections = [...]string{
	"The risk falls on people who were not asked.",
	"It cannot easily be undone, and the evidence for it is thin.",
	"It takes away oversight that would be missed later.",
	"The gain does not outweigh what it may cost those concerned.",
}

// vote takes a stance on a motion. The companions lean the same way, by the
// motion's words and chance; one that is "wrong" objects, or now and then abstains.
func (m *mind) vote(ask *Ask, right bool, own *rand.Rand) Reply {
	chance := 0.85
	for _, word := range words(ask.Prompt) {
		if slices.Contains(alarming, word) {
			chance = 0.15
		}
	}
	approve := source(m.seed, "motion", ask.Prompt).Float64() < chance
	if !right {
		if own.IntN(4) == 0 {
			return Reply{
				Stance: quorum.Abstain, Text: "Abstain. This simulated companion does not know enough to decide.",
				Rationale: "What is given is not enough to decide on.",
			}
		}
		approve = !approve
	}
	if approve {
		why := approvals[own.IntN(len(approvals))]
		return Reply{Stance: quorum.Approve, Text: "Approve. " + why, Rationale: why}
	}
	why := objections[own.IntN(len(objections))]
	return Reply{Stance: quorum.Reject, Text: "Reject. " + why, Rationale: why}
}

// code is one function, the same from all that are right.
func code(right bool) string {
	result := "sorted(set(values))"
	if !right {
		result = "list(values)"
	}
	return "```python\n# Simulated code: no model wrote this.\ndef solve(values):\n    return " + result + "\n```"
}
