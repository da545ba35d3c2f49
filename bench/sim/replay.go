package sim

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kaizen-os/deliberation/quorum"
)

// ErrUnrecorded is a prompt that a recording does not hold.
var ErrUnrecorded = errors.New("sim: no recorded reply to this prompt")

// Replay opens a recording and gives one companion a model, in the recording's
// order, each of standard tier; the caller may change any field but Voice.
func Replay(path string) ([]Companion, error) {
	rec, err := OpenRecording(path)
	if err != nil {
		return nil, err
	}
	return rec.Companions(rec.Models)
}

// Companions gives one companion for each of models, in that order. The error
// names a model that the recording does not have.
func (rec *Recording) Companions(models []string) ([]Companion, error) {
	items := make(map[[sha256.Size]byte]int32, 2*len(rec.Items))
	for i := range rec.Items {
		// The prompt wins over an id that another item happens to have as prompt.
		items[sha256.Sum256([]byte(rec.Items[i].Ask))] = int32(i)
	}
	for i := range rec.Items {
		id := sha256.Sum256([]byte(rec.Items[i].ID))
		if _, taken := items[id]; !taken {
			items[id] = int32(i)
		}
	}
	companions := make([]Companion, len(models))
	for i, id := range IDs(models) {
		column := slices.Index(rec.Models, models[i])
		if column < 0 {
			return nil, fmt.Errorf("%w: %s has no model %q", ErrRecording, rec.Name, models[i])
		}
		// Two prompt styles of one model are written "GPT-4/plain": one family.
		family, _, _ := strings.Cut(models[i], "/")
		name := strings.ToLower(string(IDFor(family)))
		companions[i] = Companion{
			ID: id, Tier: quorum.Standard, Vendor: name, Family: name, Model: models[i],
			Voice: &recordedVoice{rec: rec, items: items, column: column},
		}
	}
	return companions, nil
}

// recordedVoice says what one model of a recording said.
type recordedVoice struct {
	rec    *Recording
	items  map[[sha256.Size]byte]int32 // SHA-256 of prompt or id to item
	column int
}

func (v *recordedVoice) Reply(ask *Ask) (Reply, error) {
	i, found := v.items[sha256.Sum256([]byte(strings.TrimSpace(ask.Prompt)))]
	if !found {
		return Reply{}, ErrUnrecorded
	}
	recorded := &v.rec.Items[i].Replies[v.column]
	stance, err := quorum.ParseStance(recorded.Vote)
	if err != nil {
		panic("bug: a recording with an unchecked vote")
	}
	return Reply{
		Text: recorded.Text, Stance: stance, Confidence: -1, Model: recorded.Model,
		Usage: tokens(ask.Prompt, recorded.Text),
	}, nil
}

// tokens estimates usage at four bytes a token, the usual rule of thumb.
func tokens(prompt, text string) quorum.Usage {
	return quorum.Usage{InputTokens: int64(len(prompt)+3) / 4, OutputTokens: int64(len(text)+3) / 4}
}
