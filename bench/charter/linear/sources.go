package linear

import (
	"slices"
	"strings"

	"github.com/kaizen-os/deliberation/bench/charter/data"
)

// A Source is a collection whose texts a shipped model may be learned from.
type Source struct {
	Name    string
	Licence string
	Labels  []string // which of its labels are of use
	Models  []string // beginnings of the names of the models whose texts may be used; nil is all
}

// Sources lists them. Not among them are those that are only there to measure on,
// by their licence or by choice: Do-Not-Answer, HarmBench, Arena-Hard, TruthfulQA,
// BBQ, HH pairs; HateCheck and the identity sentences, which are tests.
// Short texts of labelled hatred and shop texts are not either: with them the model
// told replies apart worse.
var Sources = []Source{
	{"gptfuzz", "MIT", []string{data.Bad, data.OK}, nil},
	{"jbb", "MIT", []string{data.Bad, data.OK}, nil},
	{"xstest", "CC-BY-4.0 (prompts), Apache-2.0 (completions)", []string{data.Bad, data.OK}, nil},
	{"alpacaeval", "Apache-2.0, texts of open-weight models only", []string{data.OK}, []string{
		"Mistral-7B", "Mixtral", "gemma", "Qwen", "llama", "Meta-Llama", "deepseek-llm", "vicuna", "Yi-"}},
	{"polis", "CC-BY-4.0 (The Computational Democracy Project)", []string{data.OK}, nil},
	{"own", "this project's", []string{data.Bad, data.OK}, nil},
}

// learnable reports whether a shipped model may learn from it.
func learnable(sources []Source, it *data.Item) bool {
	for i := range sources {
		s := &sources[i]
		if s.Name == it.Source {
			return slices.Contains(s.Labels, it.Label) &&
				(s.Models == nil || slices.ContainsFunc(s.Models, func(m string) bool { return strings.HasPrefix(it.Model, m) }))
		}
	}
	return false
}
