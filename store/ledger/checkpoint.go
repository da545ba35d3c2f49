package ledger

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/store/merkle"
)

// A Checkpoint is a tree head (C2SP tlog-checkpoint), without extension lines.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   merkle.Hash
}

// ErrCheckpoint is a checkpoint that is malformed, unsigned or not this log's.
var ErrCheckpoint = errors.New("not a checkpoint of this ledger")

// text is the note's text: origin, size and root, a line each.
func (c Checkpoint) text() string {
	b := make([]byte, 0, len(c.Origin)+80)
	b = append(append(b, c.Origin...), '\n')
	b = append(strconv.AppendUint(b, c.Size, 10), '\n')
	b = append(base64.StdEncoding.AppendEncode(b, c.Root[:]), '\n')
	return string(b)
}

// Sign returns c as a signed note.
func (c Checkpoint) Sign(signers ...note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: c.text()}, signers...)
}

// ParseCheckpoint reads a signed checkpoint and checks the signature of
// verifier's key; its origin must be that key's name. Other signatures, such as
// witnesses', may stand beside it. The error is ErrCheckpoint.
func ParseCheckpoint(msg []byte, verifier note.Verifier) (Checkpoint, error) {
	n, err := note.Open(msg, note.VerifierList(verifier))
	if err != nil {
		if unverified := (*note.UnverifiedNoteError)(nil); errors.As(err, &unverified) {
			return Checkpoint{}, fmt.Errorf("%w: no signature of the key %s+%08x", ErrCheckpoint, verifier.Name(), verifier.KeyHash())
		}
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	for _, sig := range n.Sigs {
		// note.Open passes over stray bits at the end of a signature's base64; a
		// checkpoint is to have one form.
		if _, err := base64.StdEncoding.Strict().DecodeString(sig.Base64); err != nil {
			return Checkpoint{}, fmt.Errorf("%w: signature of %s: %w", ErrCheckpoint, sig.Name, err)
		}
	}
	c, err := parseCheckpointText([]byte(n.Text))
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != verifier.Name() {
		return Checkpoint{}, fmt.Errorf("%w: its origin is %q, the key's name %q", ErrCheckpoint, c.Origin, verifier.Name())
	}
	return c, nil
}

func parseCheckpointText(text []byte) (Checkpoint, error) {
	origin, rest, _ := bytes.Cut(text, []byte("\n"))
	size, rest, _ := bytes.Cut(rest, []byte("\n"))
	root, rest, ok := bytes.Cut(rest, []byte("\n"))
	if !ok || len(origin) == 0 {
		return Checkpoint{}, fmt.Errorf("%w: want origin, size and root, a line each", ErrCheckpoint)
	}
	c := Checkpoint{Origin: string(origin)}
	var err error
	if c.Size, err = parseDecimal(size); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: size %q", ErrCheckpoint, size)
	}
	if c.Root, err = parseHash(root); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: root %q", ErrCheckpoint, root)
	}
	if len(rest) != 0 {
		return Checkpoint{}, fmt.Errorf("%w: extension lines", ErrCheckpoint)
	}
	return c, nil
}

var errSyntax = errors.New("malformed")

// parseDecimal reads a decimal without sign or leading zeros.
func parseDecimal(b []byte) (uint64, error) {
	n, err := strconv.ParseUint(string(b), 10, 63)
	if err != nil || strconv.FormatUint(n, 10) != string(b) {
		return 0, errSyntax
	}
	return n, nil
}

// parseHash reads a hash in base64 of the one canonical form.
func parseHash(b []byte) (h merkle.Hash, err error) {
	if len(b) != base64.StdEncoding.EncodedLen(len(h)) {
		return h, errSyntax
	}
	raw, err := base64.StdEncoding.Strict().AppendDecode(make([]byte, 0, 33), b)
	if err != nil || len(raw) != len(h) {
		return h, errSyntax
	}
	return merkle.Hash(raw), nil
}
