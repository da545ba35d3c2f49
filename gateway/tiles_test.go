package gateway

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store/ledger"
)

// grow brings the rig's ledger to size entries.
func (r *rig) grow(size uint64) {
	r.t.Helper()
	for i := r.ledger.Size(); i < size; i++ {
		hits := &quorum.CacheHits{Hits: []quorum.CacheHit{{ID: fmt.Sprint("dlb_", i), Index: i, Count: 1}}}
		if _, err := r.ledger.Append(r.t.Context(), "", hits); err != nil {
			r.t.Fatal(err)
		}
	}
}

func TestLedgerIsServedAsTiles(t *testing.T) {
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	r.grow(600)

	checkpoint := r.get("/ledger/checkpoint")
	if got := checkpoint.header; got.Get("Content-Type") != "text/plain; charset=utf-8" || got.Get("Cache-Control") != "public, max-age=1" {
		t.Errorf("the checkpoint comes with %v", got)
	}
	head, err := ledger.ParseCheckpoint(checkpoint.body, r.ledger.Verifier())
	if err != nil || head.Size != 600 {
		t.Fatalf("the checkpoint is %+v, %v", head, err)
	}

	// What the tiles hold is what tlog makes of the entries, at every width.
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for j, k := range at {
			out[j] = stored[k]
		}
		return out, nil
	})
	for i := range int64(head.Size) {
		leaf, err := r.ledger.Entry(uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		hashes, err := tlog.StoredHashes(i, leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
	}
	for _, tile := range []tlog.Tile{
		{H: 8, L: 0, N: 0, W: 256}, {H: 8, L: 0, N: 0, W: 1}, {H: 8, L: 0, N: 1, W: 200}, {H: 8, L: 0, N: 2, W: 88}, {H: 8, L: 0, N: 2, W: 87}, {H: 8, L: 1, N: 0, W: 2}, {H: 8, L: 1, N: 0, W: 1},
	} {
		want, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			t.Fatal(err)
		}
		path := "/ledger/" + strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		got := r.get(path)
		if got.status != http.StatusOK || !bytes.Equal(got.body, want) {
			t.Errorf("%s: status %d, %d bytes, want the %d of tlog", path, got.status, len(got.body), len(want))
		}
		if h := got.header; h.Get("Content-Type") != "application/octet-stream" || !strings.Contains(h.Get("Cache-Control"), "immutable") || h.Get("Content-Encoding") != "" {
			t.Errorf("%s comes with %v", path, h)
		}
	}
}

func TestEntryBundles(t *testing.T) {
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	r.grow(300)
	plain := r.get("/ledger/tile/entries/001.p/44")
	var want []byte
	for i := range uint64(44) {
		leaf, err := r.ledger.Entry(256 + i)
		if err != nil {
			t.Fatal(err)
		}
		want = append(append(want, byte(len(leaf)>>8), byte(len(leaf))), leaf...)
	}
	if plain.status != http.StatusOK || !bytes.Equal(plain.body, want) || plain.header.Get("Content-Encoding") != "" {
		t.Errorf("the bundle has status %d and %d bytes, want %d; %v", plain.status, len(plain.body), len(want), plain.header)
	}
	if got := plain.header.Get("Vary"); got != "Accept-Encoding" {
		t.Errorf("a bundle varies by %q", got)
	}
	zipped := r.send("GET", "/ledger/tile/entries/001.p/44", "", "Accept-Encoding", "br, gzip;q=0.5")
	if zipped.header.Get("Content-Encoding") != "gzip" || len(zipped.body) >= len(want) {
		t.Fatalf("asked for gzip: %d bytes, %v", len(zipped.body), zipped.header)
	}
	z, err := gzip.NewReader(bytes.NewReader(zipped.body))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, want) {
		t.Errorf("unzipped it is %d bytes, %v", len(got), err)
	}
	if got := r.send("GET", "/ledger/tile/entries/001.p/44", "", "Accept-Encoding", "gzip;q=0"); got.header.Get("Content-Encoding") != "" {
		t.Error("gzip was refused, and came")
	}
}

func TestTilesThatAreNotThere(t *testing.T) {
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	r.grow(300)
	for path, want := range map[string]int{
		"tile/0/001.p/45":       http.StatusNotFound, // beyond the size
		"tile/0/001":            http.StatusNotFound, // not yet full
		"tile/0/002.p/1":        http.StatusNotFound,
		"tile/2/000.p/1":        http.StatusNotFound,
		"tile/63/000.p/1":       http.StatusNotFound,
		"tile/entries/001.p/45": http.StatusNotFound,
		"tile/entries/x009/x223/x372/x036/x854/x775/807": http.StatusNotFound,
		"tile/0/000.p/0":   http.StatusBadRequest,
		"tile/0/000.p/256": http.StatusBadRequest,
		"tile/64/000":      http.StatusBadRequest,
		"tile/0/0":         http.StatusBadRequest,
		"tile/00/000":      http.StatusBadRequest,
		"tile/0/x000/001":  http.StatusBadRequest,
		"tile/entries/":    http.StatusBadRequest,
		"tile/entries/%00": http.StatusBadRequest,
		"tile/-1/000":      http.StatusBadRequest,
		"tile/0/000%2Fp/1": http.StatusBadRequest,
		"tile/entries/00٣": http.StatusBadRequest,
		"tile/":            http.StatusBadRequest,
	} {
		code := wire.InvalidValue
		if want == http.StatusNotFound {
			code = wire.NotFound
		}
		got := r.get("/ledger/" + path)
		got.failure(want, code)
		if got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: a proxy may keep that it is not there: %v", path, got.header)
		}
	}
	if got := r.send("POST", "/ledger/tile/0/000", "{}"); got.status != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d", got.status)
	}
}
