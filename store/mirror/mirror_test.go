package mirror

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/note"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const origin = "kaizen.test/ledger"

var signingKey = sync.OnceValue(func() string {
	key, _, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		panic(err)
	}
	return key
})

func open(t testing.TB) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(ledger.Config{Dir: "data", FS: vfs.NewMem(), Origin: origin, SigningKey: signingKey()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func record(text string) quorum.Record {
	return &quorum.CacheHits{Hits: []quorum.CacheHit{{ID: text, Count: 1}}}
}

// grow brings l to size entries, many in a batch.
func grow(t testing.TB, l *ledger.Ledger, size uint64) {
	t.Helper()
	var next atomic.Uint64
	next.Store(l.Size())
	var writers sync.WaitGroup
	for range 64 {
		writers.Go(func() {
			for i := next.Add(1); i <= size; i = next.Add(1) {
				if _, err := l.Append(context.Background(), "", record(fmt.Sprint("entry ", i))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	if l.Size() != size {
		t.Fatalf("the ledger has %d entries, want %d", l.Size(), size)
	}
}

// live is the ledger as its own process sees it.
type live struct{ *ledger.Ledger }

func (s live) Checkpoint(context.Context) ([]byte, error) { return s.Ledger.Checkpoint(), nil }
func (s live) Key(context.Context) ([]byte, error)        { return []byte(s.VerifierKey() + "\n"), nil }
func (s live) Read(_ context.Context, p ledger.TilePath) ([]byte, error) {
	data, err := s.Ledger.Read(p)
	if errors.Is(err, ledger.ErrNotFound) {
		err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return data, err
}

// spoiled changes what a source says.
type spoiled struct {
	Source
	change func(name string, data []byte) ([]byte, error)
	reads  atomic.Int64
}

func (s *spoiled) Checkpoint(ctx context.Context) ([]byte, error) {
	data, err := s.Source.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	return s.change("checkpoint", data)
}

func (s *spoiled) Read(ctx context.Context, p ledger.TilePath) ([]byte, error) {
	s.reads.Add(1)
	data, err := s.Source.Read(ctx, p)
	if err != nil {
		return nil, err
	}
	return s.change(p.String(), append([]byte(nil), data...))
}

func TestVerifyAtEverySizeAndFromEverySource(t *testing.T) {
	l := open(t)
	dir := t.TempDir()
	for _, size := range []uint64{0, 1, 2, 255, 256, 257, 511, 512, 1000} {
		grow(t, l, size)
		exported := filepath.Join(dir, fmt.Sprint(size))
		if _, err := Export(t.Context(), live{l}, exported, Options{Verifier: l.Verifier()}); err != nil {
			t.Fatalf("size %d: %v", size, err)
		}
		server := httptest.NewServer(http.StripPrefix("/log", http.FileServer(http.Dir(exported))))
		web, err := NewWeb(server.URL+"/log", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, src := range map[string]Source{"the ledger": live{l}, "a folder": Folder(exported), "a web server": web} {
			next := uint64(0)
			c, signed, err := Verify(t.Context(), src, Options{Verifier: l.Verifier(), Visit: func(index uint64, leaf []byte) error {
				if want, err := l.Entry(index); err != nil || string(leaf) != string(want) || index != next {
					t.Errorf("%s: entry %d of %d: %q, %v", name, index, next, leaf, err)
				}
				next++
				return nil
			}})
			if err != nil || c.Size != size || next != size || string(signed) != string(l.Checkpoint()) {
				t.Errorf("%s at size %d: Verify() = %d, %v, %d entries visited", name, size, c.Size, err, next)
			}
		}
		web.Close()
		server.Close()
	}
}

// Two levels of full tiles.
func TestVerifyBeyondTwoLevels(t *testing.T) {
	l := open(t)
	for _, size := range []uint64{65_535, 65_536, 65_537} {
		grow(t, l, size)
		if c, _, err := Verify(t.Context(), live{l}, Options{Verifier: l.Verifier()}); err != nil || c.Size != size {
			t.Errorf("Verify() = %d, %v, want %d", c.Size, err, size)
		}
		for _, path := range []string{"tile/1/000.p/255", "tile/1/000", "tile/2/000.p/1"} {
			src := &spoiled{Source: live{l}, change: flip(path, 5)}
			_, _, err := Verify(t.Context(), src, Options{Verifier: l.Verifier()})
			p, parseErr := ledger.ParseTilePath([]byte(path))
			if parseErr != nil {
				t.Fatal(parseErr)
			}
			// A tile is read where the size has it, and only there.
			has := p.Level == 1 && (p.Width == 256) == (size >= 65_536) || p.Level == 2 && size >= 65_536
			if has != errors.Is(err, store.ErrCorrupt) || !has && err != nil {
				t.Errorf("size %d, %s flipped: %v", size, path, err)
			}
		}
	}
}

// flip changes a bit of one resource.
func flip(name string, at int) func(string, []byte) ([]byte, error) {
	return func(got string, data []byte) ([]byte, error) {
		if got == name {
			data[at] ^= 1
		}
		return data, nil
	}
}

func TestVerifyNamesWhatIsWrong(t *testing.T) {
	l := open(t)
	grow(t, l, 600)
	first, err := l.Entry(0)
	if err != nil {
		t.Fatal(err)
	}
	only := func(name string, change func([]byte) []byte) func(string, []byte) ([]byte, error) {
		return func(got string, data []byte) ([]byte, error) {
			if got == name {
				data = change(data)
			}
			return data, nil
		}
	}
	for _, tt := range []struct {
		name   string
		change func(string, []byte) ([]byte, error)
		want   error
		says   string
	}{
		{"an entry", flip("tile/entries/001", 2+len(first)/2), store.ErrCorrupt, "entry 256 in tile/entries/001 does not have the hash that tile/0/001 holds"},
		{"an entry's length", flip("tile/entries/001", 1), store.ErrCorrupt, "entry 256"},
		{"a hash of a leaf", flip("tile/0/002.p/88", 32*87), store.ErrCorrupt, "entry 599"},
		{"a hash above", flip("tile/1/000.p/2", 40), store.ErrCorrupt, "tile/1/000.p/2 does not hold the hashes"},
		{"a bundle that goes on", only("tile/entries/000", func(b []byte) []byte { return append(b, 0, 0) }), store.ErrCorrupt, "goes on after its 256 entries"},
		{"a bundle cut short", only("tile/entries/000", func(b []byte) []byte { return b[:len(b)-1] }), store.ErrCorrupt, "ends within entry 255"},
		{"an empty bundle", only("tile/entries/000", func([]byte) []byte { return nil }), store.ErrCorrupt, "ends within entry 0"},
		{"a tile cut short", only("tile/0/001", func(b []byte) []byte { return b[:8000] }), store.ErrCorrupt, "tile/0/001 has 8000 bytes"},
		{"the size", only("checkpoint", func(b []byte) []byte { return []byte(strings.Replace(string(b), "\n600\n", "\n599\n", 1)) }), ledger.ErrCheckpoint, ""},
		{"a bundle that is missing", func(name string, data []byte) ([]byte, error) {
			if name == "tile/entries/001" {
				return nil, fs.ErrNotExist
			}
			return data, nil
		}, fs.ErrNotExist, "tile/entries/001"},
		{"a web server's words in place of a tile", only("tile/0/000", func([]byte) []byte { return []byte("<html>") }), store.ErrCorrupt, "tile/0/000 has 6 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := Verify(t.Context(), &spoiled{Source: live{l}, change: tt.change}, Options{Verifier: l.Verifier()})
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Verify() = %v, want %v that says %q", err, tt.want, tt.says)
			}
		})
	}
	t.Run("another's key", func(t *testing.T) {
		_, vkey, err := note.GenerateKey(rand.Reader, origin)
		if err != nil {
			t.Fatal(err)
		}
		other, err := note.NewVerifier(vkey)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := Verify(t.Context(), live{l}, Options{Verifier: other}); !errors.Is(err, ledger.ErrCheckpoint) {
			t.Errorf("Verify() = %v, want ErrCheckpoint", err)
		}
	})
}

// A partial tile may be gone once there is the full one.
func TestFullTileServesForAPartialOne(t *testing.T) {
	l := open(t)
	grow(t, l, 300)
	then := l.Checkpoint()
	grow(t, l, 600)
	src := &spoiled{Source: live{l}, change: func(name string, data []byte) ([]byte, error) {
		switch {
		case name == "checkpoint":
			return then, nil
		case name == "tile/0/001.p/44" || name == "tile/entries/001.p/44":
			return nil, fs.ErrNotExist
		}
		return data, nil
	}}
	if c, _, err := Verify(t.Context(), src, Options{Verifier: l.Verifier()}); err != nil || c.Size != 300 {
		t.Errorf("Verify() = %d, %v, want 300", c.Size, err)
	}
}

func TestTrail(t *testing.T) {
	l := open(t)
	var earlier []ledger.Earlier
	for _, size := range []uint64{0, 1, 255, 256, 300} {
		grow(t, l, size)
		c, err := ledger.ParseCheckpoint(l.Checkpoint(), l.Verifier())
		if err != nil {
			t.Fatal(err)
		}
		earlier = append(earlier, ledger.Earlier{Checkpoint: c, Where: fmt.Sprintf("note-%d", size)})
	}
	check := func(earlier ...ledger.Earlier) error {
		_, _, err := Verify(t.Context(), live{l}, Options{Verifier: l.Verifier(), Earlier: earlier})
		return err
	}
	if err := check(earlier[4], earlier[2], earlier[0], earlier[3], earlier[1], earlier[1]); err != nil {
		t.Errorf("its own past: %v", err)
	}
	for i := range earlier {
		other := earlier[i]
		other.Root[3] ^= 1
		if err := check(earlier[1], other, earlier[4]); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), other.Where) {
			t.Errorf("another history of %d entries: %v", other.Size, err)
		}
	}
	ahead := earlier[4]
	ahead.Size++
	if err := check(earlier[2], ahead); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "the last ones were lost") {
		t.Errorf("a log that is behind: %v", err)
	}
}

func TestVisitAndKeepEndIt(t *testing.T) {
	l := open(t)
	grow(t, l, 3000)
	stop := errors.New("stop")
	if _, _, err := Verify(t.Context(), live{l}, Options{Verifier: l.Verifier(), Visit: func(index uint64, _ []byte) error {
		if index == 700 {
			return stop
		}
		return nil
	}}); !errors.Is(err, stop) || !strings.Contains(err.Error(), "entry 700") {
		t.Errorf("Visit's error is %v", err)
	}
	if _, _, err := Verify(t.Context(), live{l}, Options{Verifier: l.Verifier(), Keep: func(ledger.TilePath, []byte) error { return stop }}); !errors.Is(err, stop) {
		t.Errorf("Keep's error is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, _, err := Verify(ctx, live{l}, Options{Verifier: l.Verifier(), Visit: func(uint64, []byte) error { cancel(); return nil }}); !errors.Is(err, context.Canceled) {
		t.Errorf("when it is cancelled: %v", err)
	}
}

func TestExportIsBroughtUpToDate(t *testing.T) {
	l := open(t)
	dir := filepath.Join(t.TempDir(), "log")
	src := &spoiled{Source: live{l}, change: func(_ string, data []byte) ([]byte, error) { return data, nil }}
	o := Options{Verifier: l.Verifier()}
	grow(t, l, 1000)
	if c, err := Export(t.Context(), src, dir, o); err != nil || c.Size != 1000 {
		t.Fatalf("Export() = %d, %v", c.Size, err)
	}
	files := tree(t, dir)
	for _, want := range []string{"checkpoint", "key", "tile/0/000", "tile/0/003.p/232", "tile/entries/003.p/232", "tile/1/000.p/3"} {
		if _, ok := files[want]; !ok {
			t.Errorf("there is no %s in %v", want, files)
		}
	}
	grow(t, l, 1100)
	src.reads.Store(0)
	if c, err := Export(t.Context(), src, dir, o); err != nil || c.Size != 1100 {
		t.Fatalf("Export() = %d, %v", c.Size, err)
	}
	// Two resources of each of the two bundles that are new, and the tile above.
	if n := src.reads.Load(); n != 5 {
		t.Errorf("bringing it up to date took %d reads", n)
	}
	files = tree(t, dir)
	for _, gone := range []string{"tile/0/003.p/232", "tile/entries/003.p/232"} {
		if _, ok := files[gone]; ok {
			t.Errorf("%s is still there beside the full one", gone)
		}
	}
	if _, _, err := Verify(t.Context(), Folder(dir), o); err != nil {
		t.Errorf("the export: %v", err)
	}

	// A file that was damaged since is found, and nothing is given out.
	path := filepath.Join(dir, "tile", "0", "001")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[0] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	before := files["checkpoint"]
	grow(t, l, 1101)
	if _, err := Export(t.Context(), src, dir, o); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("Export() over a damaged folder = %v", err)
	}
	if got := tree(t, dir)["checkpoint"]; got != before {
		t.Error("the checkpoint was replaced all the same")
	}
}

func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, relErr := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(data)
		return errors.Join(err, relErr)
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestExportRefusesOtherFolders(t *testing.T) {
	l := open(t)
	grow(t, l, 10)
	o := Options{Verifier: l.Verifier()}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "letters.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Export(t.Context(), live{l}, full, o); err == nil || !strings.Contains(err.Error(), "is not empty and holds no log") {
		t.Errorf("Export() into a folder of letters = %v", err)
	}
	if got := tree(t, full); len(got) != 1 {
		t.Errorf("it wrote there: %v", got)
	}
	taken := t.TempDir()
	if _, err := Export(t.Context(), live{l}, taken, o); err != nil {
		t.Fatal(err)
	}
	other := open(t) // of the same key, and another history
	grow(t, other, 20)
	if _, err := Export(t.Context(), live{other}, taken, o); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "checkpoint holds a signature over") {
		t.Errorf("Export() of another history = %v", err)
	}
	if _, _, err := Verify(t.Context(), Folder(taken), o); err != nil {
		t.Errorf("what was there is spoiled: %v", err)
	}
}

// Whatever a log serves gives an error or the truth.
func FuzzVerify(f *testing.F) {
	l := open(f)
	grow(f, l, 3)
	bundle, err := l.Bundle(0, 3)
	if err != nil {
		f.Fatal(err)
	}
	tile, err := l.Tile(0, 0, 3)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bundle, tile)
	f.Add(bundle[:10], tile)
	f.Add([]byte{0, 0, 0, 0, 0, 0}, tile)
	f.Fuzz(func(t *testing.T, b, h []byte) {
		src := &spoiled{Source: live{l}, change: func(name string, data []byte) ([]byte, error) {
			switch name {
			case "tile/entries/000.p/3":
				return b, nil
			case "tile/0/000.p/3":
				return h, nil
			}
			return data, nil
		}}
		_, _, err := Verify(context.Background(), src, Options{Verifier: l.Verifier()})
		if right := string(b) == string(bundle) && string(h) == string(tile); right != (err == nil) {
			t.Fatalf("Verify() = %v", err)
		}
	})
}
