package interop

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
)

// A spoiler changes what comes over HTTP from paths that hold its word.
type spoiler struct {
	http.RoundTripper
	word   string
	change func([]byte) []byte
	hits   atomic.Int64 // tools read several at once
}

func (s *spoiler) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := s.RoundTripper.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(req.URL.Path, s.word) {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	s.hits.Add(1)
	body = s.change(body)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return resp, nil
}

// flip changes the lowest bit of the byte at that place.
func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b = bytes.Clone(b)
		b[at%len(b)] ^= 1
		return b
	}
}

// line changes one character of a checkpoint's line.
func line(number int) func([]byte) []byte {
	return func(b []byte) []byte {
		lines := bytes.Split(bytes.Clone(b), []byte("\n"))
		last := len(lines[number]) - 10 // within a signature's or a root's base64
		lines[number][max(last, 0)] ^= 1
		return bytes.Join(lines, []byte("\n"))
	}
}

// withoutLast takes the last entry off a bundle.
func withoutLast(b []byte) []byte {
	last := 0
	for next := 0; next < len(b); next += 2 + int(b[next])<<8 + int(b[next+1]) {
		last = next
	}
	return b[:last]
}

// What the tools say means something only if each of them refuses what is wrong
// with anything it reads.
func TestOthersRefuse(t *testing.T) {
	key := newKey(t)
	l := openLedgerOf(t, key)
	address := serve(t, l)
	grow(t, l, 300)
	remembered := [][]byte{bytes.Clone(l.Checkpoint())}
	grow(t, l, 700)

	// Another log under the same key, and another key of the same name.
	fork := openLedgerOf(t, key)
	grow(t, fork, 1)
	grow(t, fork, 700) // the same facts, at other times
	stranger := openLedgerOf(t, newKey(t))

	for _, tt := range []struct {
		name   string
		reads  string // the tools that read this should notice
		word   string
		change func([]byte) []byte
		vkey   string
		url    string
	}{
		{"a bit of a hash in a tile", tiles, "/tile/0/001", flip(0), "", ""},
		{"a bit of a hash in the tile above", tiles, "/tile/1/", flip(5), "", ""},
		{"a bit of an entry", entries, "/tile/entries/000", flip(2 + 30), "", ""},
		{"a bit of the last entry", entries, "/tile/entries/002", func(b []byte) []byte { return flip(len(b) - 2)(b) }, "", ""},
		{"an entry's length", entries, "/tile/entries/000", flip(1), "", ""},
		{"a tile cut short", tiles, "/tile/0/001", func(b []byte) []byte { return b[:len(b)-32] }, "", ""},
		{"a bundle that ends within an entry", entries, "/tile/entries/000", func(b []byte) []byte { return b[:len(b)-3] }, "", ""},
		{"a bundle without its last entry", entries, "/tile/entries/000", withoutLast, "", ""},
		{"the checkpoint's size", checkpoints, "/checkpoint", line(1), "", ""},
		{"a bit of the checkpoint's root", checkpoints, "/checkpoint", line(2), "", ""},
		{"a bit of the checkpoint's signature", checkpoints, "/checkpoint", line(4), "", ""},
		{"another key of the same name", checkpoints, "", nil, stranger.VerifierKey(), ""},
		{"another log under the same key", checkpoints, "", nil, "", serve(t, fork)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vkey, url := l.VerifierKey(), address
			if tt.vkey != "" {
				vkey = tt.vkey
			}
			if tt.url != "" {
				url = tt.url
			}
			for _, tool := range tools {
				if !strings.Contains(tool.reads, tt.reads) {
					continue
				}
				if tt.name == "a bundle without its last entry" && tool.name == tools[0].name {
					continue // Tessera 1.0.4's fsck panics at one
				}
				through := &spoiler{RoundTripper: newTransport(t), word: tt.word, change: tt.change}
				if tt.change == nil {
					through.change = func(b []byte) []byte { return b }
				}
				err := tool.check(t.Context(), at(t, url, vkey, through), remembered)
				if through.hits.Load() == 0 && tt.change != nil {
					t.Errorf("%s never read it", tool.name)
				}
				// One that looks at nothing earlier cannot tell two logs apart.
				forgetful := tt.url != "" && (tool.name == tools[0].name || tool.name == tools[4].name)
				if (err == nil) != forgetful {
					t.Errorf("%s: %v", tool.name, err)
				}
			}
		})
	}

	var inconsistent client.ErrInconsistency
	if err := checkTracker(t.Context(), at(t, serve(t, fork), l.VerifierKey(), nil), remembered); !errors.As(err, &inconsistent) {
		t.Errorf("the tracker says %v of another log under the same key, want an inconsistency with its proof", err)
	}
}

// The same over files: a bit flipped on the disk.
func TestOthersRefuseAnExportThatWasChanged(t *testing.T) {
	l := openLedger(t)
	address := serve(t, l)
	grow(t, l, 600)
	for _, tt := range []struct {
		name, reads, file string
		at                int
	}{
		{"a tile", tiles, "tile/0/001", 0},
		{"the partial tile", tiles, "tile/0/002.p/88", 40},
		{"an entry", entries, "tile/entries/000", 20},
		{"the checkpoint", checkpoints, "checkpoint", len(origin) + 8},
	} {
		folder := t.TempDir()
		exportLog(t, address, folder, l.VerifierKey())
		judge(t, "before "+tt.name+" was changed", in(t, folder, l.VerifierKey()), nil)
		path := filepath.Join(folder, tt.file)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Remove(path), os.WriteFile(path, flip(tt.at)(data), 0o644)); err != nil {
			t.Fatal(err)
		}
		for _, tool := range tools {
			// Without an earlier checkpoint the tracker has nothing to look at tiles for.
			if !strings.Contains(tool.reads, tt.reads) || tt.reads == tiles && tool.name == tools[2].name {
				continue
			}
			if err := tool.check(t.Context(), in(t, folder, l.VerifierKey()), nil); err == nil {
				t.Errorf("%s was changed, and %s finds nothing", tt.name, tool.name)
			}
		}
	}
}

// A receipt vouches for one entry at one place, and for nothing else.
func TestOthersRefuseReceipts(t *testing.T) {
	l := openLedger(t)
	grow(t, l, 300)
	receipt, err := l.Proof(7)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := l.Entry(7)
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Entry(8)
	if err != nil {
		t.Fatal(err)
	}
	v := verifierOf(t, l.VerifierKey())
	if index, err := checkReceipt(receipt, leaf, v); err != nil || index != 7 {
		t.Fatalf("the receipt as it is: entry %d, %v", index, err)
	}
	edited := func(old, new string) []byte {
		if !bytes.Contains(receipt, []byte(old)) {
			t.Fatalf("the receipt has no %q", old)
		}
		return bytes.Replace(receipt, []byte(old), []byte(new), 1)
	}
	for _, tt := range []struct {
		name          string
		receipt, leaf []byte
		v             note.Verifier
	}{
		{"another entry", receipt, other, v},
		{"a bit of the entry", receipt, flip(20)(leaf), v},
		{"another index", edited("index 7\n", "index 6\n"), leaf, v},
		{"no index", edited("index 7\n", ""), leaf, v},
		{"another header", edited("tlog-proof@v1", "tlog-proof@v2"), leaf, v},
		{"a bit of a hash", line(3)(receipt), leaf, v},
		{"another size", edited("\n300\n", "\n301\n"), leaf, v},
		{"another key", receipt, leaf, verifierOf(t, openLedgerOf(t, newKey(t)).VerifierKey())},
		{"a hash too few", []byte(strings.Join(append(strings.Split(string(receipt), "\n")[:2], strings.Split(string(receipt), "\n")[3:]...), "\n")), leaf, v},
	} {
		if index, err := checkReceipt(tt.receipt, tt.leaf, tt.v); err == nil {
			t.Errorf("%s: taken, as of entry %d", tt.name, index)
		}
	}
}

func newKey(t testing.TB) string {
	t.Helper()
	key, _, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
