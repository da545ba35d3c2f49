package witness

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/store/merkle"
)

const (
	// MaxRequest bounds an add-checkpoint body, in bytes: 63 hashes and a checkpoint
	// with 16 signatures of the longest kind there is.
	MaxRequest = 128 << 10
	maxProof   = 63 // hashes: no tree has a longer proof
)

// ErrRequest is a body that is no add-checkpoint request, or asks for what cannot
// be.
var ErrRequest = errors.New("not an add-checkpoint request")

// A Request asks a witness to cosign a checkpoint.
type Request struct {
	Old        uint64        // size of the checkpoint that the proof starts from
	Proof      []merkle.Hash // consistency from there
	Checkpoint []byte        // a signed note
}

// AppendTo appends r as the body of an add-checkpoint call.
func (r Request) AppendTo(dst []byte) []byte {
	dst = append(strconv.AppendUint(append(dst, "old "...), r.Old, 10), '\n')
	for i := range r.Proof {
		dst = append(base64.StdEncoding.AppendEncode(dst, r.Proof[i][:]), '\n')
	}
	return append(append(dst, '\n'), r.Checkpoint...)
}

// ParseRequest reads the body of an add-checkpoint call in its one form; the
// checkpoint in it is not looked at. It aliases body. The error is ErrRequest and
// names the line.
func ParseRequest(body []byte) (Request, error) {
	if len(body) > MaxRequest {
		return Request{}, fmt.Errorf("%w: %d bytes, at most %d", ErrRequest, len(body), MaxRequest)
	}
	number := 0
	next := func() (line []byte, ok bool) {
		number++
		line, body, ok = bytes.Cut(body, []byte("\n"))
		return line, ok
	}
	bad := func(want string) (Request, error) {
		return Request{}, fmt.Errorf("%w: line %d: want %s", ErrRequest, number, want)
	}
	var r Request
	line, ok := next()
	digits, has := bytes.CutPrefix(line, []byte("old "))
	old, err := parseSize(digits)
	if !ok || !has || err != nil {
		return bad("old and a size")
	}
	r.Old = old
	for {
		if line, ok = next(); !ok {
			return bad("a hash in base64, or an empty line")
		}
		if len(line) == 0 {
			break
		}
		h, err := parseHash(line)
		if err != nil || len(r.Proof) == maxProof {
			return bad("a SHA-256 hash in base64, at most 63 of them")
		}
		r.Proof = append(r.Proof, h)
	}
	number++
	if len(body) == 0 {
		return bad("a checkpoint")
	}
	r.Checkpoint = body
	return r, nil
}

// A checkpoint is the tree head of any log: unlike ours, it may have extension
// lines.
type checkpoint struct {
	origin string
	size   uint64
	root   merkle.Hash
	text   string // of the note: all that is signed
}

// readCheckpoint reads a checkpoint without a look at who has signed it. The error
// is ErrRequest.
func readCheckpoint(signed []byte) (c checkpoint, err error) {
	_, err = note.Open(signed, note.VerifierList())
	var unverified *note.UnverifiedNoteError
	if !errors.As(err, &unverified) {
		return c, fmt.Errorf("%w: the checkpoint: %w", ErrRequest, err)
	}
	c.text = unverified.Note.Text
	origin, rest, _ := strings.Cut(c.text, "\n")
	size, rest, _ := strings.Cut(rest, "\n")
	root, rest, ok := strings.Cut(rest, "\n")
	if !ok || origin == "" {
		return c, fmt.Errorf("%w: the checkpoint: want origin, size and root, a line each", ErrRequest)
	}
	c.origin = origin
	if c.size, err = parseSize([]byte(size)); err != nil {
		return c, fmt.Errorf("%w: the checkpoint's size", ErrRequest)
	}
	if c.root, err = parseHash([]byte(root)); err != nil {
		return c, fmt.Errorf("%w: the checkpoint's root", ErrRequest)
	}
	if strings.HasPrefix(rest, "\n") || strings.Contains(rest, "\n\n") {
		return c, fmt.Errorf("%w: the checkpoint: an empty extension line", ErrRequest)
	}
	return c, nil
}

// signatures gives those on a note that keys verify: at least one.
func signatures(signed []byte, keys note.Verifiers) ([]note.Signature, error) {
	n, err := note.Open(signed, keys)
	if err != nil {
		return nil, err
	}
	return n.Sigs, nil
}

var errSyntax = errors.New("malformed")

// parseSize reads a decimal without sign or leading zeros, of a size that proofs
// can be checked for.
func parseSize(b []byte) (uint64, error) {
	n, err := strconv.ParseUint(string(b), 10, 63)
	if err != nil || n > math.MaxInt64/2 || strconv.FormatUint(n, 10) != string(b) {
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
