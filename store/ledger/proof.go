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

// proofHeader is the first line of a proof.
const proofHeader = "c2sp.org/tlog-proof@v1"

// maxProof bounds a proof's text: 63 hashes, a checkpoint with room for
// witnesses, and extra data of 8 MiB in base64.
const maxProof = 64<<10 + (8<<20)/3*4

// ErrProof is a receipt that is malformed or does not show what it should.
var ErrProof = errors.New("the receipt does not hold")

// A Proof shows, offline, that an entry is in the ledger (c2sp.org/tlog-proof).
type Proof struct {
	Index      uint64
	Extra      []byte        // not vouched for by anything
	Path       []merkle.Hash // from the leaf's sibling up
	Checkpoint []byte        // a signed note

	line int // of the text it was parsed from, where the path begins; 0 if it was not
}

// AppendTo appends p's text to dst.
func (p Proof) AppendTo(dst []byte) []byte {
	dst = append(append(dst, proofHeader...), '\n')
	if len(p.Extra) > 0 {
		dst = append(dst, "extra "...)
		dst = append(base64.StdEncoding.AppendEncode(dst, p.Extra), '\n')
	}
	dst = append(dst, "index "...)
	dst = append(strconv.AppendUint(dst, p.Index, 10), '\n')
	for i := range p.Path {
		dst = append(base64.StdEncoding.AppendEncode(dst, p.Path[i][:]), '\n')
	}
	return append(append(dst, '\n'), p.Checkpoint...)
}

// ParseProof reads a proof's text; the checkpoint in it is not looked at. The
// error is ErrProof and names the line.
func ParseProof(text []byte) (Proof, error) {
	if len(text) > maxProof {
		return Proof{}, fmt.Errorf("%w: %d bytes, at most %d", ErrProof, len(text), maxProof)
	}
	var p Proof
	number := 0
	next := func() (line []byte, ok bool) {
		number++
		line, text, ok = bytes.Cut(text, []byte("\n"))
		return line, ok
	}
	bad := func(want string) (Proof, error) {
		return Proof{}, fmt.Errorf("%w: line %d: want %s", ErrProof, number, want)
	}
	line, ok := next()
	if !ok || string(line) != proofHeader {
		return bad(proofHeader)
	}
	line, ok = next()
	if extra, has := bytes.CutPrefix(line, []byte("extra ")); ok && has {
		var err error
		if p.Extra, err = base64.StdEncoding.Strict().AppendDecode(nil, extra); err != nil || len(p.Extra) == 0 {
			return bad("extra and base64")
		}
		line, ok = next()
	}
	index, has := bytes.CutPrefix(line, []byte("index "))
	if !ok || !has {
		return bad("index and a number")
	}
	var err error
	if p.Index, err = parseDecimal(index); err != nil {
		return bad("index and a number")
	}
	p.line = number + 1
	for {
		if line, ok = next(); !ok {
			return bad("a hash, or an empty line")
		}
		if len(line) == 0 {
			break
		}
		h, err := parseHash(line)
		if err != nil || len(p.Path) == 63 {
			return bad("a SHA-256 hash in base64, at most 63 of them")
		}
		p.Path = append(p.Path, h)
	}
	if len(text) == 0 {
		number++
		return bad("a checkpoint")
	}
	p.Checkpoint = bytes.Clone(text)
	return p, nil
}

// Verify checks that p shows leaf in the ledger whose key verifier is, and
// returns the signed checkpoint it is under. Errors: ErrProof, ErrCheckpoint.
func (p Proof) Verify(leaf []byte, verifier note.Verifier) (Checkpoint, error) {
	prefixed := append(append(make([]byte, 0, 1+len(leaf)), merkle.LeafPrefix), leaf...)
	return p.VerifyHash(merkle.LeafHash(prefixed), verifier)
}

// VerifyHash is Verify for one who has the leaf's hash alone.
func (p Proof) VerifyHash(leaf merkle.Hash, verifier note.Verifier) (Checkpoint, error) {
	c, err := ParseCheckpoint(p.Checkpoint, verifier)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the checkpoint%s: %w", p.lines(p.line+len(p.Path)+1, bytes.Count(p.Checkpoint, []byte("\n"))), err)
	}
	if p.Index >= c.Size {
		return Checkpoint{}, fmt.Errorf("%w: entry %d%s is beyond the %d entries of the checkpoint", ErrProof, p.Index, p.lines(p.line-1, 1), c.Size)
	}
	if err := merkle.VerifyInclusion(p.Path, p.Index, c.Size, c.Root, leaf); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: the path%s does not lead from entry %d, if this is it, to the root%s",
			ErrProof, p.lines(p.line, len(p.Path)), p.Index, p.lines(p.line+len(p.Path)+3, 1))
	}
	return c, nil
}

// lines says where in the parsed text something stands.
func (p Proof) lines(first, count int) string {
	switch {
	case p.line == 0 || count == 0:
		return ""
	case count == 1:
		return fmt.Sprintf(" (line %d)", first)
	}
	return fmt.Sprintf(" (lines %d to %d)", first, first+count-1)
}
