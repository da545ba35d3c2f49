package sim

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// A point is one thing that can be said on any question, in wordings that share
// their content words: companions that make the same points are seen to agree.
type point [3]string

var points = [...]point{
	{"Begin with a small reversible step and measure its effect before going further.",
		"A small reversible step comes first; measure the effect before going further.",
		"First take a small step that is reversible, and measure what effect it has before going further."},
	{"Those affected should be heard early, because their experience shows what plans overlook.",
		"Hear those affected early: their experience shows what plans overlook.",
		"The experience of those affected shows what plans overlook, so they should be heard early."},
	{"Costs and benefits should be written down with numbers, including who bears each cost.",
		"Write down costs and benefits with numbers, and who bears each cost.",
		"It helps to have costs and benefits written down with numbers, and to say who bears each cost."},
	{"One named person should own the decision and report publicly on its results.",
		"The decision needs one named person who owns it and reports publicly on its results.",
		"Let one named person own the decision, and report publicly on the results."},
	{"Existing tools usually suffice, so buy or build nothing new until they are exhausted.",
		"Buy or build nothing new until existing tools are exhausted; usually they suffice.",
		"Until existing tools are exhausted, buy or build nothing new: usually they suffice."},
	{"Training and clear documentation matter more than the technology that is chosen.",
		"More than the technology chosen, training and clear documentation matter.",
		"What matters more than the chosen technology is training, with clear documentation."},
	{"Plan for failure: rehearse recovery and keep a manual fallback that works.",
		"Rehearse recovery, plan for failure, and keep a manual fallback that works.",
		"Keep a manual fallback that works, plan for failure and rehearse recovery."},
	{"Review the choice after six months against criteria that were fixed beforehand.",
		"After six months, review the choice against criteria fixed beforehand.",
		"Fix criteria beforehand, and review the choice against them after six months."},
}

var leads = [...]string{
	"Simulated reply (no model was asked).",
	"This is a simulated reply; no model was asked.",
	"No model was asked: this reply is simulated.",
}

// stop are words that say nothing of what a prompt is about.
var stop = []string{
	"about", "after", "also", "and", "are", "because", "before", "best", "can", "could", "does", "each", "for", "from", "give",
	"has", "have", "how", "into", "its", "may", "more", "most", "must", "not", "one", "our", "please", "shall", "should", "than",
	"that", "the", "their", "them", "then", "there", "these", "they", "this", "what", "when", "where", "which", "who", "why",
	"will", "with", "would", "you", "your",
}

// essay is a short paragraph. Prompt and seed fix the three points that are
// right; a companion that dissents makes other ones.
func (m *mind) essay(ask *Ask, right bool, own *rand.Rand) string {
	order := source(m.seed, "essay", ask.Prompt).Perm(len(points))
	chosen := order[:3]
	if !right {
		chosen = order[3:6]
	}
	var b strings.Builder
	b.WriteString(leads[own.IntN(len(leads))])
	if about := topic(ask.Prompt); about != "" {
		b.WriteString(" On " + about + ":")
	}
	for _, i := range chosen {
		b.WriteString(" " + points[i][own.IntN(len(points[i]))])
	}
	return b.String()
}

// topic is at most four words of the prompt that say what it is about.
func topic(prompt string) string {
	if len(prompt) > 4096 {
		prompt = strings.ToValidUTF8(prompt[:4096], "")
	}
	var about []string
	for _, word := range words(prompt) {
		if len(word) < 3 || len(word) > 24 || slices.Contains(stop, word) || slices.Contains(about, word) {
			continue
		}
		if about = append(about, word); len(about) == 4 {
			break
		}
	}
	return strings.Join(about, ", ")
}
