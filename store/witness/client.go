package witness

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/store/merkle"
)

const (
	// maxAnswer bounds what is read of a witness's answer, in bytes: several
	// cosignatures of the longest kind there is.
	maxAnswer = 64 << 10
	// maxAhead is how far a cosignature's time may be ahead of this machine's: more,
	// and whoever looks for a recent one would be misled.
	maxAhead = 5 * time.Minute
)

// A Class says what kind of failure there was, in a handful of values.
type Class string

// The failures of one submission.
const (
	Unreachable Class = "unreachable" // no answer, or none in time
	Refused     Class = "refused"     // an answer that is not 200
	Invalid     Class = "invalid"     // one that is not what it should be
	RolledBack  Class = "rolled_back" // the witness knows more entries than the ledger has
	Forked      Class = "forked"      // the witness knows other entries
	Unreadable  Class = "unreadable"  // the ledger could not make the proof
)

// An Error is one witness's failure to cosign.
type Error struct {
	Witness string
	Class   Class
	Err     error
}

func (e *Error) Error() string { return fmt.Sprintf("witness %s: %s", e.Witness, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// A Source is the log whose checkpoints are submitted.
type Source interface {
	Size() uint64
	// Consistency proves that the first old entries are the start of the first size.
	Consistency(old, size uint64) ([]merkle.Hash, error)
}

// A Client submits a log's checkpoints to one witness. One call at a time.
type Client struct {
	key      Verifier
	url      string
	http     *http.Client
	clock    func() time.Time
	cosigned uint64 // size of the last checkpoint that the witness is known to have cosigned
}

// NewClient makes a client of the witness whose submission prefix is url. What
// transport does is bounded in size here, and in time by each call's ctx. clock nil
// is time.Now.
func NewClient(key Verifier, url string, transport http.RoundTripper, clock func() time.Time) *Client {
	if clock == nil {
		clock = time.Now
	}
	return &Client{key: key, url: strings.TrimRight(url, "/") + addCheckpoint, clock: clock, http: &http.Client{
		Transport: transport,
		// A witness is where its operator said. Elsewhere the answer would be another's.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Cosign has the witness cosign signed, a checkpoint of log, and returns its
// cosignature, verified. Where the witness last cosigned another size than is
// remembered here, it is asked once more, from there. Errors: *Error.
func (c *Client) Cosign(ctx context.Context, log Source, signed []byte) (note.Signature, error) {
	head, err := readCheckpoint(signed)
	if err != nil {
		return note.Signature{}, c.fail(Unreadable, "%w", err)
	}
	old := min(c.cosigned, head.size) // if it is ahead, it will say by how much
	sig, err := c.submit(ctx, log, signed, &head, old)
	var conflict *ConflictError
	if !errors.As(err, &conflict) {
		return sig, err
	}
	if err := c.judge(conflict, log, &head, old); err != nil {
		return note.Signature{}, err
	}
	old = conflict.Size
	if sig, err = c.submit(ctx, log, signed, &head, old); errors.As(err, &conflict) {
		if err := c.judge(conflict, log, &head, old); err != nil {
			return note.Signature{}, err
		}
		return note.Signature{}, c.fail(Refused, "it says that it last cosigned %d entries, and a moment before that it was %d: does another process submit for this ledger?", conflict.Size, old)
	}
	return sig, err
}

// judge says what a conflict means. It is nil when another try, from the size that
// the witness has named, can do.
func (c *Client) judge(conflict *ConflictError, log Source, head *checkpoint, old uint64) error {
	theirs, ours := conflict.Size, log.Size()
	switch {
	case conflict.Fork || theirs == old && old == head.size:
		return c.fail(Forked, "it has cosigned another tree of %d entries than this ledger's: two histories are signed with this ledger's key", old)
	case theirs > ours:
		return c.fail(RolledBack, "it has cosigned %d entries of this ledger, which has %d: the ledger was rolled back, or its key is in use elsewhere. "+
			"Stop, and restore a copy that has them all; whatever is added now contradicts receipts that were given", theirs, ours)
	case theirs == old:
		return c.fail(Invalid, "it says that it last cosigned %d entries, which is where the request starts from", theirs)
	}
	c.cosigned = theirs
	if theirs > head.size {
		return c.fail(Refused, "it has cosigned %d entries already, the checkpoint is over %d", theirs, head.size)
	}
	return nil
}

// submit is one request. A 409 is a *ConflictError.
func (c *Client) submit(ctx context.Context, log Source, signed []byte, head *checkpoint, old uint64) (note.Signature, error) {
	var none note.Signature
	r := Request{Old: old, Checkpoint: signed}
	if old > 0 && old < head.size {
		var err error
		if r.Proof, err = log.Consistency(old, head.size); err != nil {
			return none, c.fail(Unreadable, "%w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(r.AppendTo(nil)))
	if err != nil {
		return none, c.fail(Unreachable, "%w", err)
	}
	req.Header.Set("Content-Type", typeText)
	resp, err := c.http.Do(req)
	if err != nil {
		return none, c.fail(Unreachable, "%w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return none, c.fail(Unreachable, "its answer breaks off: %w", err)
	}
	if len(body) > maxAnswer {
		return none, c.fail(Invalid, "its answer has more than %d bytes", maxAnswer)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		sig, err := parseAnswer(body, head.text, c.key)
		if err != nil {
			return none, c.fail(Invalid, "%w", err)
		}
		if ahead := signedAt(sig).Sub(c.clock()); ahead > maxAhead {
			return none, c.fail(Invalid, "its cosignature is of a time %s ahead: set its clock right, or this machine's", ahead.Round(time.Second))
		}
		c.cosigned = head.size
		return sig, nil
	case http.StatusConflict:
		kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		if kind != typeSize {
			if old == head.size { // all that a 409 without a size can mean
				return none, &ConflictError{Size: old, Fork: true}
			}
			return none, c.fail(Refused, "it answers 409 without the size it last cosigned: %s", excerpt(body))
		}
		size, ok := bytes.CutSuffix(body, []byte("\n"))
		theirs, err := parseSize(size)
		if !ok || err != nil {
			return none, c.fail(Invalid, "it answers 409 with what is no size: %s", excerpt(body))
		}
		return none, &ConflictError{Size: theirs}
	case http.StatusUnprocessableEntity:
		if old > 0 {
			return none, c.fail(Forked, "it refuses the proof that its last checkpoint, of %d entries, is the start of this ledger of %d: two histories are signed with this ledger's key, or one of the two is damaged", old, head.size)
		}
	}
	return none, c.fail(Refused, "it answers %d: %s", resp.StatusCode, excerpt(body))
}

func (c *Client) fail(class Class, format string, args ...any) error {
	return &Error{c.key.name, class, fmt.Errorf(format, args...)}
}

// parseAnswer finds key's cosignature of a checkpoint's text among the signature
// lines that a witness has answered with. Lines of other keys are passed over; what
// is no signature line, or is in key's name and does not verify, spoils the whole.
func parseAnswer(body []byte, text string, key Verifier) (note.Signature, error) {
	var found note.Signature
	for len(body) > 0 {
		line, rest, ok := bytes.Cut(body, []byte("\n"))
		body = rest
		line, prefixed := bytes.CutPrefix(line, []byte("— "))
		name, b64, spaced := strings.Cut(string(line), " ")
		raw, err := base64.StdEncoding.Strict().DecodeString(b64)
		if !ok || !prefixed || !spaced || err != nil || len(raw) <= keyIDLen || strings.ContainsAny(b64, "\r") || CheckName(name) != nil {
			return note.Signature{}, errors.New("its answer is no list of signature lines")
		}
		id := binary.BigEndian.Uint32(raw)
		if name != key.name || id != key.id {
			continue
		}
		if !key.Verify([]byte(text), raw[keyIDLen:]) {
			return note.Signature{}, fmt.Errorf("its cosignature does not verify under its key %s+%08x for this checkpoint", key.name, key.id)
		}
		found = note.Signature{Name: name, Hash: id, Base64: b64}
	}
	if found.Name == "" {
		return note.Signature{}, fmt.Errorf("its answer holds no cosignature of its key %s+%08x", key.name, key.id)
	}
	return found, nil
}

// excerpt is the start of what a stranger has answered, fit for a log.
func excerpt(body []byte) string {
	line, _, _ := bytes.Cut(body, []byte("\n"))
	return fmt.Sprintf("%.100q", line)
}
