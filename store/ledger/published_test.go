package ledger

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/store/merkle"
)

// A line that has the form of some witness's cosignature: the ledger does not
// look into them.
const cosignature = "— witness.test/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"

func cosigned(signed []byte) []byte { return append(bytes.Clone(signed), cosignature...) }

func witnessed(fs vfs.FS) Config {
	cfg := config(fs)
	cfg.Witnessed = true
	return cfg
}

func publish(t testing.TB, l *Ledger, signed []byte) {
	t.Helper()
	if err := l.Publish(signed); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(l.Published(), signed) {
		t.Fatalf("published is\n%s\nwant\n%s", l.Published(), signed)
	}
}

func TestWithoutWitnessesTheNewestIsPublished(t *testing.T) {
	l := open(t, config(vfs.NewMem()))
	for range 3 {
		if !bytes.Equal(l.Published(), l.Checkpoint()) {
			t.Fatalf("published is\n%s\nwant\n%s", l.Published(), l.Checkpoint())
		}
		add(t, l, "", "x")
	}
	if err := l.Publish(l.Checkpoint()); !errors.Is(err, ErrPublish) {
		t.Errorf("Publish() = %v, want ErrPublish", err)
	}
}

func TestWithWitnessesPublishedFollowsPublish(t *testing.T) {
	l := open(t, witnessed(vfs.NewMem()))
	empty := l.Checkpoint()
	addMany(t, l, 3)
	if !bytes.Equal(l.Published(), empty) {
		t.Errorf("before the first Publish it is\n%s\nwant the head that Open found", l.Published())
	}
	three := cosigned(l.Checkpoint())
	publish(t, l, three)
	addMany(t, l, 3)
	if !bytes.Equal(l.Published(), three) {
		t.Errorf("an append has changed it to\n%s", l.Published())
	}
	// More cosignatures on what is already out, and then a larger one.
	publish(t, l, cosigned(three))
	publish(t, l, l.Checkpoint())
}

func TestPublishRefuses(t *testing.T) {
	l := open(t, witnessed(vfs.NewMem()))
	addMany(t, l, 3)
	three := l.Checkpoint()
	addMany(t, l, 2)
	five := cosigned(l.Checkpoint())
	publish(t, l, five)
	addMany(t, l, 2)

	text, _, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := parseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(k *key, size uint64, root merkle.Hash) []byte {
		signed, err := Checkpoint{Origin: origin, Size: size, Root: root}.Sign(k)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	head, err := ParseCheckpoint(l.Checkpoint(), l.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		rule   string
		signed []byte
		want   string
	}{
		{"nothing is no checkpoint", nil, "malformed note"},
		{"another key's signature is none", sign(stranger, head.Size, head.Root), "no signature of the key"},
		{"a size beyond the ledger's is not covered", sign(l.key, 8, head.Root), "it is over 8 entries, the ledger has 7"},
		{"another root at the newest size is another history", sign(l.key, 7, merkle.Hash{1}), "its root is not that of the first 7 entries"},
		{"another root at an older size is another history", sign(l.key, 6, head.Root), "its root is not that of the first 6 entries"},
		{"less than is published would take it back", three, "it is over 3 entries, published are 5"},
		{"a note without end is not read", append(bytes.Clone(l.Checkpoint()), strings.Repeat(cosignature, 300)...), "bytes, at most"},
	} {
		if err := l.Publish(tt.signed); !errors.Is(err, ErrPublish) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want ErrPublish with %q", tt.rule, err, tt.want)
		}
		if !bytes.Equal(l.Published(), five) {
			t.Fatalf("%s, but it is published:\n%s", tt.rule, l.Published())
		}
	}
}

// A receipt is under the published checkpoint, though the tree has grown since and
// what were unfinished tiles then are full ones now.
func TestProofIsUnderThePublishedCheckpoint(t *testing.T) {
	l := open(t, witnessed(vfs.NewMem()))
	sizes := []uint64{1, 2, 255, 256, 257, 511, 512, 513, 1000, 65_279, 65_280, 65_281, 65_535, 65_536, 65_537, 66_000}
	addMany(t, l, 66_050)

	// Roots and hashes of the entries, apart from the ledger's own tree.
	var tree merkle.Tree
	roots, hashes := map[uint64]merkle.Hash{}, make([]merkle.Hash, 0, 66_050)
	for n := uint64(0); tree.Size() < l.Size(); n++ {
		bundle, err := l.Bundle(n, int(min(merkle.TileWidth, l.Size()-tree.Size())))
		if err != nil {
			t.Fatal(err)
		}
		for len(bundle) > 0 {
			length := int(binary.BigEndian.Uint16(bundle))
			h := merkle.LeafHash(append([]byte{merkle.LeafPrefix}, bundle[2:2+length]...))
			tree.Append(h, func(int, uint64, *[merkle.TileWidth]merkle.Hash) {})
			roots[tree.Size()], hashes, bundle = tree.Root(), append(hashes, h), bundle[2+length:]
		}
	}

	for _, size := range sizes {
		signed, err := Checkpoint{Origin: origin, Size: size, Root: roots[size]}.Sign(l.key)
		if err != nil {
			t.Fatal(err)
		}
		publish(t, l, cosigned(signed))
		for _, index := range []uint64{0, size / 2, size - 1, size, 66_049} {
			text, err := l.Proof(index)
			if err != nil {
				t.Fatalf("Proof(%d) with %d published: %v", index, size, err)
			}
			p, err := ParseProof(text)
			if err != nil {
				t.Fatal(err)
			}
			c, err := p.VerifyHash(hashes[index], l.Verifier())
			if err != nil {
				t.Errorf("proof of %d with %d published: %v", index, size, err)
			}
			want := size
			if index >= size { // not yet published: the newest head has it
				want = l.Size()
			}
			if c.Size != want || bytes.Contains(p.Checkpoint, []byte(cosignature)) != (index < size) {
				t.Errorf("with %d published, the proof of %d is under\n%s", size, index, p.Checkpoint)
			}
		}
		if _, err := l.Proof(l.Size()); !errors.Is(err, ErrNotFound) {
			t.Errorf("proof beyond the size: %v", err)
		}
	}
}

func TestPublishedIsKeptAcrossRestarts(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, witnessed(fs))
	addMany(t, l, 300)
	old := cosigned(l.Checkpoint())
	publish(t, l, old)
	addMany(t, l, 10)
	kept := copyFile(t, fs, "data/"+CosignedFile)
	if !bytes.Equal(kept, old) {
		t.Fatalf("kept is\n%s\nwant\n%s", kept, old)
	}
	head := l.Checkpoint()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	stranger, err := newKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	k, err := parseKey(stranger)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := Checkpoint{Origin: origin, Size: 300}.Sign(k)
	if err != nil {
		t.Fatal(err)
	}
	own, err := parseKey(testKey())
	if err != nil {
		t.Fatal(err)
	}
	ahead, err := Checkpoint{Origin: origin, Size: 311}.Sign(own)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Checkpoint{Origin: origin, Size: 300}.Sign(own)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name       string
		file       []byte
		want       []byte
		complaints int
	}{
		{"what was published last is shown again", kept, old, 0},
		{"an empty file is passed over", []byte{}, head, 1},
		{"half a file is passed over", kept[:len(kept)/2], head, 1},
		{"a changed size is passed over", bytes.Replace(kept, []byte("\n300\n"), []byte("\n301\n"), 1), head, 1},
		{"another key's is passed over", foreign, head, 1},
		{"one that is ahead of the store is passed over", ahead, head, 1},
		{"one of another tree is passed over", other, head, 1},
		{"a file without end is passed over", bytes.Repeat([]byte("x"), maxPublished+1), head, 1},
	} {
		putFile(t, fs, "data/"+CosignedFile, tt.file)
		var log bytes.Buffer
		cfg := witnessed(fs)
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		l := open(t, cfg)
		if !bytes.Equal(l.Published(), tt.want) {
			t.Errorf("%s, but it is\n%s", tt.name, l.Published())
		}
		if n := strings.Count(log.String(), "does not fit the ledger"); n != tt.complaints {
			t.Errorf("%s: the log complains %d times: %s", tt.name, n, &log)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := fs.Remove("data/" + CosignedFile); err != nil {
		t.Fatal(err)
	}
	if l := open(t, witnessed(fs)); !bytes.Equal(l.Published(), head) {
		t.Errorf("without the file it is\n%s", l.Published())
	}
}

// After a crash nothing older is shown than before it.
func TestPublishedDoesNotGoBackInACrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	l := open(t, witnessed(fs))
	for range 5 {
		addMany(t, l, 10)
		publish(t, l, cosigned(l.Checkpoint()))
		crashed := open(t, witnessed(fs.CrashClone(vfs.CrashCloneCfg{})))
		if !bytes.Equal(crashed.Published(), l.Published()) {
			t.Errorf("after a crash it is\n%s\nwas\n%s", crashed.Published(), l.Published())
		}
	}
}

func TestPublishedThoughItCannotBeKept(t *testing.T) {
	var log bytes.Buffer
	cfg := witnessed(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpRename && strings.Contains(op.Path, CosignedFile) {
			return errorfs.ErrInjected
		}
		return nil
	})))
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	l := open(t, cfg)
	for range 3 {
		add(t, l, "", "x")
		publish(t, l, cosigned(l.Checkpoint()))
	}
	if n := strings.Count(log.String(), "published checkpoint not kept"); n != 1 {
		t.Errorf("the log says so %d times, want once: %s", n, &log)
	}
}
