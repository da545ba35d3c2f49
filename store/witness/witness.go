package witness

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/merkle"
)

// Why a witness does not cosign, beside ErrRequest and ConflictError.
var (
	// ErrUnknownLog is a checkpoint of a log that is not witnessed here.
	ErrUnknownLog = errors.New("this witness does not know the checkpoint's origin")
	// ErrSignature is a checkpoint that none of its log's keys has signed.
	ErrSignature = errors.New("the checkpoint is not signed by a key of its log")
	// ErrConsistency is a proof that does not lead from the last checkpoint cosigned
	// to this one.
	ErrConsistency = errors.New("the proof does not lead from the last checkpoint cosigned to this one")
	// ErrState is what the witness remembers of a log, when it cannot be read or
	// written.
	ErrState = errors.New("the witness cannot keep its state of this log")
)

// A ConflictError is a request that starts from another checkpoint than the last
// one cosigned, or one for another tree of the same size.
type ConflictError struct {
	Size uint64 // of the last checkpoint cosigned
	Fork bool   // the sizes are the same, the roots are not
}

func (e *ConflictError) Error() string {
	if e.Fork {
		return fmt.Sprintf("another tree of %d entries was cosigned", e.Size)
	}
	return fmt.Sprintf("the last checkpoint cosigned is of size %d", e.Size)
}

// A Log is one whose checkpoints are cosigned.
type Log struct {
	Origin string
	Keys   []note.Verifier // any of them may sign for it
}

// Config says how to open a witness.
type Config struct {
	Dir    string // holds one file a log; one process holds it
	FS     vfs.FS // nil is the machine's
	Key    *Signer
	Logs   []Log
	Clock  func() time.Time // nil is time.Now
	Logger *slog.Logger     // nil discards
}

// A Witness cosigns checkpoints. Its methods are safe for concurrent use.
type Witness struct {
	fs      vfs.FS
	key     *Signer
	logs    map[string]*record // by origin
	clock   func() time.Time
	log     *slog.Logger
	lock    *pebble.Lock
	closing sync.Once
}

// A record is what is remembered of one log.
type record struct {
	origin string
	keys   note.Verifiers
	file   string

	// mu is held from the check of a request through the write of what it changes:
	// between the two, no other may be checked. It guards the rest.
	mu     sync.Mutex
	size   uint64 // of the last checkpoint cosigned; zero if there is none
	root   merkle.Hash
	broken error       // why the file cannot be trusted
	fork   merkle.Hash // the last other root of the same size that was told of
}

// Open opens a witness, and reads what it remembers. A log whose file is damaged is
// refused from then on, and the logger told; the others are served. Errors:
// store.ErrLocked, and the file system's.
func Open(cfg Config) (*Witness, error) {
	if cfg.Key == nil || cfg.Dir == "" || len(cfg.Logs) == 0 {
		return nil, errors.New("witness: Config.Dir, Key and Logs are required")
	}
	if cfg.FS == nil {
		cfg.FS = vfs.Default
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	w := &Witness{fs: cfg.FS, key: cfg.Key, logs: map[string]*record{}, clock: cfg.Clock, log: cfg.Logger}
	for _, l := range cfg.Logs {
		if w.logs[l.Origin] != nil {
			return nil, fmt.Errorf("witness: the log %q is there twice", l.Origin)
		}
		seen := map[string]bool{}
		for _, k := range l.Keys {
			if id := fmt.Sprintf("%s+%08x", k.Name(), k.KeyHash()); seen[id] {
				return nil, fmt.Errorf("witness: the key %s is there twice", id)
			} else {
				seen[id] = true
			}
		}
		w.logs[l.Origin] = &record{origin: l.Origin, keys: note.VerifierList(l.Keys...), file: w.fs.PathJoin(cfg.Dir, StateFile(l.Origin))}
	}
	if err := store.MakeDir(w.fs, cfg.Dir); err != nil {
		return nil, fmt.Errorf("witness folder: %w", err)
	}
	var err error
	if w.lock, err = pebble.LockDirectory(cfg.Dir, w.fs); err != nil {
		if pathError := (*os.PathError)(nil); errors.As(err, &pathError) {
			return nil, fmt.Errorf("lock witness folder: %w", err)
		}
		return nil, fmt.Errorf("%w: %s (%w)", store.ErrLocked, cfg.Dir, err)
	}
	for _, l := range cfg.Logs {
		r := w.logs[l.Origin]
		if r.broken = w.restore(r); r.broken != nil {
			w.log.Error("a log is refused: what the witness remembers of it cannot be read; put its file back, or forget all this witness has vouched for and use a new key in another folder",
				"origin", r.origin, "file", r.file, "error", r.broken)
		}
	}
	return w, nil
}

// StateFile is the name of the file that holds the last checkpoint of origin that
// was cosigned.
func StateFile(origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return "log-" + hex.EncodeToString(sum[:16])
}

// restore reads r's file: the last checkpoint cosigned, as a note. The witness's own
// signature on it tells whether it is what was written.
func (w *Witness) restore(r *record) error {
	r.root = merkle.EmptyRoot()
	f, err := w.fs.Open(r.file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	signed, err := io.ReadAll(io.LimitReader(f, MaxRequest+1))
	if err != nil {
		return err
	}
	if len(signed) > MaxRequest {
		return errors.New("it is too long")
	}
	c, err := readCheckpoint(signed)
	if err != nil {
		return errors.New("it holds no checkpoint")
	}
	if _, err := signatures(signed, note.VerifierList(w.key)); err != nil {
		return fmt.Errorf("it is not cosigned by this witness's key %s+%08x", w.key.Name(), w.key.KeyHash())
	}
	if c.origin != r.origin {
		return fmt.Errorf("it is of the log %q", c.origin)
	}
	r.size, r.root = c.size, c.root
	return nil
}

// Size is the size of the last checkpoint of a log that was cosigned. Errors:
// ErrUnknownLog, ErrState.
func (w *Witness) Size(origin string) (uint64, error) {
	r := w.logs[origin]
	if r == nil {
		return 0, ErrUnknownLog
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		return 0, fmt.Errorf("%w: %w", ErrState, r.broken)
	}
	return r.size, nil
}

// AddCheckpoint answers one add-checkpoint request, given its body, with the line of
// the cosignature. When it returns, the checkpoint is on the disk as the last one
// cosigned.
//
// Errors: ErrRequest, ErrUnknownLog, ErrSignature, *ConflictError, ErrConsistency,
// ErrState; the state is then as it was.
func (w *Witness) AddCheckpoint(body []byte) ([]byte, error) {
	req, err := ParseRequest(body)
	if err != nil {
		return nil, err
	}
	c, err := readCheckpoint(req.Checkpoint)
	if err != nil {
		return nil, err
	}
	r := w.logs[c.origin]
	if r == nil {
		return nil, ErrUnknownLog
	}
	sigs, err := signatures(req.Checkpoint, r.keys)
	if err != nil {
		return nil, ErrSignature
	}
	if req.Old > c.size {
		return nil, fmt.Errorf("%w: the old size %d is more than the checkpoint's, %d", ErrRequest, req.Old, c.size)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		return nil, ErrState // the operator has been told why; others need not be
	}
	if err := w.check(r, &req, &c); err != nil {
		return nil, err
	}
	cosignature, err := w.key.Cosign(c.text, w.clock())
	if err != nil {
		w.log.Error("cannot cosign", "error", err)
		return nil, ErrState
	}
	if c.size > r.size {
		if err := w.keep(r, &c, append(sigs, cosignature)); err != nil {
			w.log.Error("checkpoint not kept, and not cosigned", "origin", r.origin, "size", c.size, "error", err)
			return nil, ErrState
		}
	}
	return appendLine(nil, cosignature), nil
}

// check holds a request against what r is. r.mu is held.
func (w *Witness) check(r *record, req *Request, c *checkpoint) error {
	if req.Old != r.size {
		return &ConflictError{Size: r.size}
	}
	if c.size == r.size && c.root != r.root {
		// Signed by the log's own key: it has shown two trees of one size.
		if r.fork != c.root {
			w.log.Error("a log has signed another tree of the same size", "origin", r.origin, "size", c.size, "cosigned_root", r.root.String(), "root", c.root.String())
			r.fork = c.root
		}
		return &ConflictError{Size: r.size, Fork: true}
	}
	if req.Old == c.size || req.Old == 0 {
		if len(req.Proof) > 0 {
			return ErrConsistency // where there is nothing to prove, the proof is empty
		}
		return nil
	}
	if err := merkle.VerifyConsistency(req.Proof, req.Old, c.size, r.root, c.root); err != nil {
		return ErrConsistency
	}
	return nil
}

// keep makes c the last checkpoint cosigned, on the disk first. r.mu is held.
func (w *Witness) keep(r *record, c *checkpoint, sigs []note.Signature) error {
	signed := append([]byte(c.text), '\n')
	for _, sig := range sigs {
		signed = appendLine(signed, sig)
	}
	// After an error the disk may hold the new one all the same. That is no harm:
	// it follows from the old, and nobody was given a cosignature.
	if err := store.ReplaceFile(w.fs, r.file, signed); err != nil {
		return err
	}
	r.size, r.root = c.size, c.root
	return nil
}

// Close lets go of the folder. No request may be under way. A second Close does
// nothing.
func (w *Witness) Close() (err error) {
	w.closing.Do(func() { err = w.lock.Close() })
	return err
}
