package dialect

import (
	"github.com/kaizen-os/deliberation/quorum"
)

// What a model that does not know the native protocol is told, by kind. Here and
// nowhere else: after these words the extractor finds an "answer" field. They
// are fixed, so that every such model of a panel is asked the same.
const (
	instructChoice = `Choose exactly one option. Reason briefly if you need to, then end with one line of JSON that holds the option's letter: {"answer":"A"}`
	instructNumber = `The answer is a number. Reason briefly if you need to, then end with one line of JSON that holds the number alone, without units: {"answer":42}`
	instructShort  = `The answer is a few words at most. Reason briefly if you need to, then end with one line of JSON that holds the answer alone: {"answer":"..."}`
	instructJSON   = `The answer is a JSON value. Reason briefly if you need to, then end with one JSON object that holds it: {"answer":...}`
	instructVote   = `You are voting on a motion. Reply with one JSON object and nothing else: {"answer":"approve|reject|abstain","rationale":"one or two sentences"}`
	instructCode   = `Reply with the complete code in one fenced block, and as little else as you can.`

	instructOptions = "The options are:"

	// For a client's own form, where a provider has no setting for it.
	instructObject = `Reply with one JSON object and nothing else.`
	instructSchema = `Reply with one JSON value that the following JSON Schema accepts, and nothing else:`
)

func instruction(kind quorum.Kind) string {
	switch kind {
	case quorum.Choice:
		return instructChoice
	case quorum.Number:
		return instructNumber
	case quorum.Short:
		return instructShort
	case quorum.JSON:
		return instructJSON
	case quorum.VoteKind:
		return instructVote
	case quorum.Code:
		return instructCode
	}
	return "" // auto and text: the model answers as it would
}

// AppendInstruction appends what a model is told beside d's own messages, or
// nothing. A client that says what form replies are to have, or offers tools, has
// its word alone; lacks says which forms the model's provider has no setting for,
// so that they are told in words.
func AppendInstruction(dst []byte, d *quorum.Deliberation, lacks Lacks) []byte {
	if g := d.Generation; g != nil && (g.Format != quorum.FormatText || len(g.Tools) > 0) {
		switch {
		case g.Format == quorum.FormatJSON && lacks.Has(NoJSONObject):
			dst = append(dst, instructObject...)
		case g.Format == quorum.FormatSchema && lacks.Has(NoJSONSchema):
			dst = append(append(append(dst, instructSchema...), '\n'), g.Schema...)
		}
		return dst
	}
	dst = append(dst, instruction(d.Kind)...)
	if d.Kind != quorum.Choice || len(d.Options) == 0 || len(d.Options) > 26 {
		return dst
	}
	dst = append(append(dst, '\n'), instructOptions...)
	for i, option := range d.Options {
		dst = append(dst, '\n', 'A'+byte(i), ')', ' ')
		dst = append(dst, option...)
	}
	return dst
}
