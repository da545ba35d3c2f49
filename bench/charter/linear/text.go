package linear

import (
	"runtime"
	"sync"

	bench "github.com/kaizen-os/deliberation/bench/charter"
	"github.com/kaizen-os/deliberation/bench/charter/data"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring/charter"
)

// A Text is a labelled text as the model reads it.
type Text struct {
	Item     *data.Item
	Bad      bool
	Learn    bool           // a model may learn from it
	Score    quorum.Score   // by rules alone
	Sample   charter.Sample // of the text as it is
	Stripped charter.Sample // of the text without what a jailbreak template made the model say; it is learned from
}

// Read reads items, pairs left out, on all processors. rules scores by rules alone.
func Read(rules *charter.Scorer, sources []Source, items []data.Item) []Text {
	texts := make([]Text, 0, len(items))
	for i := range items {
		if items[i].Label != data.Pair {
			texts = append(texts, Text{Item: &items[i]})
		}
	}
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(texts); i += workers {
				texts[i].read(rules, sources)
			}
		})
	}
	wg.Wait()
	return texts
}

func (t *Text) read(rules *charter.Scorer, sources []Source) {
	it := t.Item
	var a quorum.Assessment
	rules.AssessReply(&a, it.Text, it.Prompt)
	t.Score, t.Bad, t.Learn = a.Score, it.Label == data.Bad, learnable(sources, it)
	t.Sample = rules.Sample(it.Text, it.Prompt)
	t.Stripped = t.Sample
	if s := bench.Stripped(it.Text); s != it.Text {
		t.Stripped = rules.Sample(s, it.Prompt)
	}
}

// words is how many words a sample has.
func words(s *charter.Sample) (n int) {
	for i := range s.Blocks {
		n += s.Blocks[i].Words
	}
	return n
}
