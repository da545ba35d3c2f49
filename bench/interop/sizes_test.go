package interop

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	tlogproof "github.com/transparency-dev/formats/proof"

	"github.com/transparency-dev/formats/log"

	"github.com/kaizen-os/deliberation/store/ledger"
	"github.com/kaizen-os/deliberation/store/mirror"
)

// judge lets every tool check s, and wants none to find anything.
func judge(t *testing.T, where string, s *served, remembered [][]byte) {
	t.Helper()
	for _, tool := range tools {
		if err := tool.check(t.Context(), s, remembered); err != nil {
			t.Errorf("%s, %s: %v", where, tool.name, err)
		}
	}
}

// Every size up to beyond a full tile, over HTTP.
func TestOthersVerifyEverySmallSize(t *testing.T) {
	l := openLedger(t)
	s := at(t, serve(t, l), l.VerifierKey(), nil)
	remembered := [][]byte{bytes.Clone(l.Checkpoint())}
	judge(t, "empty", s, nil)
	for size := uint64(1); size <= 260; size++ {
		grow(t, l, size)
		judge(t, fmt.Sprint("size ", size), s, remembered)
		checkReceipts(t, l, []uint64{0, size / 2, size - 1})
		if size == 1 || size == 100 || size == 255 {
			remembered = append(remembered, bytes.Clone(l.Checkpoint()))
		}
	}
}

// Around where a level fills up: over HTTP from the gateway, from the exported
// folder as files, and from it by any web server. The folder is brought up to
// date as the log grows.
func TestOthersVerifyAroundFullLevels(t *testing.T) {
	l := openLedger(t)
	address := serve(t, l)
	folder := t.TempDir()
	static := httptest.NewServer(http.FileServer(http.Dir(folder)))
	defer static.Close()
	remembered := [][]byte{bytes.Clone(l.Checkpoint())}
	for _, size := range []uint64{255, 256, 257, 65_535, 65_536, 65_537} {
		grow(t, l, size)
		exportLog(t, address, folder, l.VerifierKey())
		for _, from := range []struct {
			where string
			log   *served
		}{
			{"gateway", at(t, address, l.VerifierKey(), nil)},
			{"exported folder", in(t, folder, l.VerifierKey())},
			{"web server over the exported folder", at(t, static.URL+"/", l.VerifierKey(), nil)},
		} {
			judge(t, fmt.Sprintf("%s, size %d", from.where, size), from.log, remembered)
		}
		checkReceipts(t, l, places(size))
		remembered = append(remembered, bytes.Clone(l.Checkpoint()))
	}
}

// exportLog writes the log at address into folder, as "kaizen ledger export" does.
func exportLog(t *testing.T, address, folder, vkey string) {
	t.Helper()
	web, err := mirror.NewWeb(strings.TrimSuffix(address, "/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	if _, err := mirror.Export(t.Context(), web, folder, mirror.Options{Verifier: verifierOf(t, vkey)}); err != nil {
		t.Fatal(err)
	}
}

// checkReceipts takes entries' receipts, which formats parses and merkle verifies.
func checkReceipts(t *testing.T, l *ledger.Ledger, indexes []uint64) {
	t.Helper()
	for _, index := range indexes {
		receipt, err := l.Proof(index)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := l.Entry(index)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := checkReceipt(receipt, leaf, verifierOf(t, l.VerifierKey())); err != nil || got != index {
			t.Errorf("receipt of entry %d of %d: of entry %d, %v", index, l.Size(), got, err)
		}
	}
}

// checkReceipt verifies a receipt by other people's code alone, and says whose
// it is.
func checkReceipt(receipt, leaf []byte, v note.Verifier) (index uint64, err error) {
	var p tlogproof.TLogProof
	if err := p.Unmarshal(receipt); err != nil {
		return 0, err
	}
	if again := p.Marshal(); !bytes.Equal(again, receipt) {
		return 0, fmt.Errorf("formats writes the receipt otherwise:\n%s\nours:\n%s", again, receipt)
	}
	c, _, _, err := log.ParseCheckpoint(p.Checkpoint, v.Name(), v)
	if err != nil {
		return 0, err
	}
	path := make([][]byte, len(p.Hashes))
	for i := range p.Hashes {
		path[i] = p.Hashes[i][:]
	}
	return p.Index, proof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, c.Size, rfc6962.DefaultHasher.HashLeaf(leaf), path, c.Hash)
}

// A tile can be had in every width that it ever had: the hashes and entries that
// it then held, as Tessera reads them.
func TestPartialTilesOfEveryWidth(t *testing.T) {
	l := openLedger(t)
	s := at(t, serve(t, l), l.VerifierKey(), nil)
	grow(t, l, 700)
	whole, err := s.get(t.Context(), "tile/0/001")
	if err != nil || len(whole) != 256*32 {
		t.Fatalf("the full tile has %d bytes, %v", len(whole), err)
	}
	for width := 1; width < 256; width++ {
		tile, err := s.get(t.Context(), fmt.Sprintf("tile/0/001.p/%d", width))
		if err != nil || !bytes.Equal(tile, whole[:width*32]) {
			t.Fatalf("width %d: %d bytes, %v, want the first %d", width, len(tile), err, width*32)
		}
		bundle, err := s.get(t.Context(), fmt.Sprintf("tile/entries/001.p/%d", width))
		if err != nil {
			t.Fatal(err)
		}
		hashes, err := leafHashes(bundle)
		if err != nil || len(hashes) != width || !bytes.Equal(bytes.Join(hashes, nil), tile) {
			t.Fatalf("width %d: its bundle has %d entries, %v, and they do not hash to its tile", width, len(hashes), err)
		}
	}
	// Beyond the log there is nothing, which Tessera's client can tell.
	for _, beyond := range []func(context.Context) ([]byte, error){
		func(ctx context.Context) ([]byte, error) { return s.ReadTile(ctx, 0, 2, 189) }, // it has 188
		func(ctx context.Context) ([]byte, error) { return s.ReadTile(ctx, 1, 0, 3) },   // and 2
		func(ctx context.Context) ([]byte, error) { return s.ReadEntryBundle(ctx, 3, 1) },
	} {
		if data, err := beyond(t.Context()); err == nil || !strings.Contains(err.Error(), "not exist") {
			t.Errorf("%d bytes, %v, of what is not in the log", len(data), err)
		}
	}
}

// Our own proofs of consistency, verified by merkle, between any two of the
// sizes that were signed.
func TestOthersVerifyOurConsistencyProofs(t *testing.T) {
	l := openLedger(t)
	var seen []*log.Checkpoint
	for _, size := range []uint64{1, 2, 3, 200, 255, 256, 257, 300, 511, 512, 513, 1000} {
		grow(t, l, size)
		c, _, _, err := log.ParseCheckpoint(l.Checkpoint(), origin, verifierOf(t, l.VerifierKey()))
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, c)
	}
	verify := func(old, now *log.Checkpoint, path [][]byte) error {
		return proof.VerifyConsistency(rfc6962.DefaultHasher, old.Size, now.Size, path, old.Hash, now.Hash)
	}
	for i, now := range seen {
		for _, old := range seen[:i+1] {
			hashes, err := l.Consistency(old.Size, now.Size)
			if err != nil {
				t.Fatal(err)
			}
			path := make([][]byte, len(hashes))
			for i := range hashes {
				path[i] = hashes[i][:]
			}
			if err := verify(old, now, path); err != nil {
				t.Errorf("from %d to %d: %v", old.Size, now.Size, err)
			}
			if len(path) > 0 {
				path[len(path)/2][0] ^= 1
				if verify(old, now, path) == nil {
					t.Errorf("from %d to %d: a changed hash is taken too", old.Size, now.Size)
				}
			}
		}
	}
}
