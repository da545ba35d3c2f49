package ledger

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store"
)

func verifierOf(t *testing.T, vkey string) note.Verifier {
	t.Helper()
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// signedBy reports whether the key of v has signed the head.
func signedBy(l *Ledger, v note.Verifier) bool {
	_, err := ParseCheckpoint(l.Checkpoint(), v)
	return err == nil
}

func TestKeyIsReplacedWithoutABreak(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, Origin: origin, MinFreeDisk: 1}
	var folded []string
	cfg.Fold = func(_ uint64, _ int64, leaf []byte, _ quorum.Record) error {
		folded = append(folded, string(leaf))
		return nil
	}
	l := open(t, cfg)
	addMany(t, l, 5)
	old := l.Verifier()
	l.Close()

	vkey, err := Rotate(dir)
	if err != nil {
		t.Fatal(err)
	}
	next := verifierOf(t, vkey)
	if next.Name() != old.Name() || next.KeyHash() == old.KeyHash() {
		t.Fatalf("the next key is %s", vkey)
	}
	if _, err := Rotate(dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second Rotate() = %v, want ErrExist", err)
	}
	if _, err := Retire(dir); !errors.Is(err, ErrNotRecorded) {
		t.Errorf("Retire() before the next key has signed = %v, want ErrNotRecorded", err)
	}

	// Recorded once, and signed with both from then on.
	for round := range 2 {
		folded = nil
		l = open(t, cfg)
		if l.Size() != 6+uint64(round) || len(folded) != int(l.Size()) {
			t.Errorf("round %d: size %d, %d folded", round, l.Size(), len(folded))
		}
		rec, _, err := quorum.ParseRecord([]byte(folded[5]))
		if k, ok := rec.(*quorum.Rekeying); err != nil || !ok || k.Key != vkey {
			t.Errorf("round %d: the record is %s, %v", round, folded[5], err)
		}
		if !signedBy(l, old) || !signedBy(l, next) || l.Verifier().KeyHash() != old.KeyHash() {
			t.Errorf("round %d: the head is %s", round, l.Checkpoint())
		}
		add(t, l, "", "x")
		if !signedBy(l, old) || !signedBy(l, next) {
			t.Errorf("round %d: the next head is %s", round, l.Checkpoint())
		}
		l.Close()
	}
	for _, v := range []note.Verifier{old, next} {
		if c, err := Verify(dir, nil, v, nil); err != nil || c.Size != 8 {
			t.Errorf("Verify() by %08x = %d, %v", v.KeyHash(), c.Size, err)
		}
	}

	retired, err := Retire(dir)
	if err != nil || retired != vkey {
		t.Fatalf("Retire() = %s, %v", retired, err)
	}
	if text := read(t, filepath.Join(dir, PubFile)); text != vkey+"\n" {
		t.Errorf("ledger.pub is %q", text)
	}
	if _, err := os.Stat(filepath.Join(dir, NextKeyFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the next key's file: %v", err)
	}
	l = open(t, cfg)
	add(t, l, "", "y")
	if signedBy(l, old) || !signedBy(l, next) || l.Size() != 9 {
		t.Errorf("after the old key has gone the head is %s", l.Checkpoint())
	}
	checkLedger(t, l, 9)
	l.Close()
	if _, err := Retire(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a second Retire() = %v, want ErrNotExist", err)
	}
}

// The record stands under a checkpoint that the old key alone has signed.
func TestNextKeyIsRecordedUnderTheOld(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, Origin: origin, MinFreeDisk: 1}
	l := open(t, cfg)
	l.Close()
	vkey, err := Rotate(dir)
	if err != nil {
		t.Fatal(err)
	}
	// A process that ends between the record and the second signature.
	l, err = prepare(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.restore(); err != nil {
		t.Fatal(err)
	}
	if l.telemetry, err = newTelemetry(nil, l); err != nil {
		t.Fatal(err)
	}
	next := verifierOf(t, vkey)
	p := l.pool.Get().(*pending)
	name := recordName(next)
	if err := errors.Join(p.encode(name, &quorum.Rekeying{Key: vkey}), l.reserve(name)); err != nil {
		t.Fatal(err)
	}
	if err := l.write([]*pending{p}); err != nil {
		t.Fatal(err)
	}
	if signedBy(l, next) || !signedBy(l, l.Verifier()) || l.Size() != 1 {
		t.Errorf("the record is under %s", l.Checkpoint())
	}
	if err := errors.Join(l.telemetry.close(), l.db.Close()); err != nil {
		t.Fatal(err)
	}
	// The next one goes on from there.
	l = open(t, cfg)
	if !signedBy(l, next) || !signedBy(l, l.Verifier()) || l.Size() != 1 {
		t.Errorf("after the next start the head is %s", l.Checkpoint())
	}
	l.Close()
}

func TestRetireFinishesWhatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, Origin: origin, MinFreeDisk: 1}
	open(t, cfg).Close()
	vkey, err := Rotate(dir)
	if err != nil {
		t.Fatal(err)
	}
	open(t, cfg).Close()
	// As far as the rename.
	if err := os.Rename(filepath.Join(dir, NextKeyFile), filepath.Join(dir, KeyFile)); err != nil {
		t.Fatal(err)
	}
	if got, err := Retire(dir); err != nil || got != vkey || read(t, filepath.Join(dir, PubFile)) != vkey+"\n" {
		t.Errorf("Retire() = %s, %v", got, err)
	}
	l := open(t, cfg)
	add(t, l, "", "x")
	l.Close()
}

func TestNextKeysThatWillNotDo(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, Origin: origin, MinFreeDisk: 1}
	l := open(t, cfg)
	if _, err := Retire(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Retire() without a next key = %v", err)
	}
	if _, err := Rotate(dir); err != nil {
		t.Errorf("Rotate() beside a running gateway = %v: it takes effect at the next start", err)
	}
	if _, err := Retire(dir); !errors.Is(err, store.ErrLocked) {
		t.Errorf("Retire() while it is open = %v, want ErrLocked", err)
	}
	l.Close()
	path := filepath.Join(dir, NextKeyFile)
	other, err := newKey("another.test")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"nonsense": "not an Ed25519 key", other: `the next key is "another.test"'s`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open() = %v, want %q", err, want)
		}
	}
	if _, err := Rotate(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Rotate() of no ledger = %v, want ErrNotExist", err)
	}
}
