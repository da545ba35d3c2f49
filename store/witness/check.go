package witness

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// ErrNotCosigned is a checkpoint without a cosignature that was asked for.
var ErrNotCosigned = errors.New("not cosigned")

// Check looks for the cosignature of every one of witnesses under a signed
// checkpoint, and returns when each was made, in their order. It does not check
// the log's own signature. Errors: ErrNotCosigned, and note's for what is no note
// or a cosignature that does not verify.
func Check(signed []byte, witnesses ...Verifier) ([]time.Time, error) {
	list := make([]note.Verifier, len(witnesses))
	for i, v := range witnesses {
		list[i] = v
	}
	n, err := note.Open(signed, note.VerifierList(list...))
	unsigned := (*note.UnverifiedNoteError)(nil)
	if errors.As(err, &unsigned) {
		n = unsigned.Note
	} else if err != nil {
		return nil, err
	}
	made := make([]time.Time, len(witnesses))
	for i, v := range witnesses {
		for _, sig := range n.Sigs {
			if sig.Name == v.Name() && sig.Hash == v.KeyHash() {
				made[i] = signedAt(sig)
			}
		}
		if made[i].IsZero() {
			return nil, fmt.Errorf("%w by %s", ErrNotCosigned, v.Name())
		}
	}
	return made, nil
}
