package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/merkle"
)

// CosignedFile, in the data folder, holds the checkpoint that was published last,
// with the cosignatures it had.
const CosignedFile = "ledger.cosigned"

// maxPublished bounds a checkpoint with its cosignatures, in bytes: a receipt has
// room for it beside its path. A hundred witnesses fit.
const maxPublished = 32 << 10

// ErrPublish is a checkpoint that Publish does not take.
var ErrPublish = errors.New("not a checkpoint to publish")

// A published is the checkpoint that is shown to others. It never changes.
type published struct {
	Checkpoint
	note []byte
}

// Published is the signed checkpoint that others are shown, a note. Without
// witnesses (Config.Witnessed) it is the newest. With them it is the one that
// Publish was given last, cosignatures and all, so that nobody is led past what
// the witnesses have been asked about; before the first one, the one published
// before the last Close, or the head that Open found. The bytes are shared: not
// to be changed.
func (l *Ledger) Published() []byte {
	if p := l.published.Load(); p != nil {
		return p.note
	}
	return l.Checkpoint()
}

// Publish makes cosigned, a checkpoint of this ledger with the cosignatures
// gathered for it, the one that Published and Proof give. It must be signed by
// the ledger's key, not be smaller than the one published, and have the root that
// the ledger had at its size. The cosignatures are the caller's to have checked.
//
// It is kept in CosignedFile first, so that a restart shows nothing older; where
// that cannot be written it is published all the same. Only for a ledger that is
// Witnessed, and not after Close. Errors: ErrPublish, store.ErrCorrupt.
func (l *Ledger) Publish(cosigned []byte) error {
	if !l.cfg.Witnessed {
		return fmt.Errorf("%w: the ledger has no witnesses", ErrPublish)
	}
	l.publishing.Lock()
	defer l.publishing.Unlock()
	p, err := l.publishable(cosigned)
	if err != nil {
		return err
	}
	if was := l.published.Load(); p.Size < was.Size {
		return fmt.Errorf("%w: it is over %d entries, published are %d", ErrPublish, p.Size, was.Size)
	}
	if err := store.ReplaceFile(l.fs, l.cosignedFile(), p.note); err != nil {
		if !l.unkept { // once: it comes every second, and nothing is lost but a second's cosignatures
			l.log.Warn("published checkpoint not kept: the next start shows its head without cosignatures", "file", l.cosignedFile(), "error", err)
		}
		l.unkept = true
	} else {
		l.unkept = false
	}
	l.published.Store(p)
	return nil
}

// publishable reads a signed checkpoint and holds it against the tree.
func (l *Ledger) publishable(signed []byte) (*published, error) {
	if len(signed) > maxPublished {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrPublish, len(signed), maxPublished)
	}
	c, err := ParseCheckpoint(signed, l.key.verifier)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPublish, err)
	}
	h := l.head.Load()
	if c.Size > h.Size {
		return nil, fmt.Errorf("%w: it is over %d entries, the ledger has %d", ErrPublish, c.Size, h.Size)
	}
	root, err := merkle.RootAt(c.Size, h.Size, h.Root, l.tilesAt(h))
	if err != nil {
		return nil, fmt.Errorf("%w: root of the first %d entries: %w", store.ErrCorrupt, c.Size, err)
	}
	if root != c.Root {
		return nil, fmt.Errorf("%w: its root is not that of the first %d entries", ErrPublish, c.Size)
	}
	return &published{c, append([]byte(nil), signed...)}, nil
}

// restorePublished shows what was shown last, or the head if there is none or it
// does not fit.
func (l *Ledger) restorePublished() {
	h := l.head.Load()
	l.published.Store(&published{h.Checkpoint, h.note})
	signed, err := l.readCosigned()
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	var p *published
	if err == nil {
		p, err = l.publishable(signed)
	}
	if err != nil {
		l.log.Warn("the checkpoint published last does not fit the ledger; showing the newest", "file", l.cosignedFile(), "error", err)
		return
	}
	l.published.Store(p)
}

func (l *Ledger) readCosigned() ([]byte, error) {
	f, err := l.fs.Open(l.cosignedFile())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxPublished+1))
}

func (l *Ledger) cosignedFile() string { return l.fs.PathJoin(l.cfg.Dir, CosignedFile) }
