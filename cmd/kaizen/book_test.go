package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/kaizen-os/deliberation/gateway"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/store/ledger"
)

// opened opens the ledger of dir, with its book.
func opened(t *testing.T, dir string, log *slog.Logger) (*ledger.Ledger, *gateway.Book) {
	t.Helper()
	l, book, err := openLedger(ledger.Config{Dir: dir, Origin: "test.example/ledger", MinFreeDisk: 1}, filepath.Join(dir, bookFile), log)
	if err != nil {
		t.Fatal(err)
	}
	return l, book
}

func foundSome(t *testing.T, l *ledger.Ledger, ids ...quorum.CompanionID) {
	t.Helper()
	for _, id := range ids {
		rec := &quorum.Founding{Actor: quorum.Operator, Companion: quorum.Companion{ID: id, Provider: "kaizen", Vendor: "v", Family: "f", Tier: quorum.High, Status: quorum.Active}}
		if _, err := l.Append(t.Context(), "", rec); err != nil {
			t.Fatal(err)
		}
	}
}

func shut(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// A start from the snapshot, from none, from a damaged one and from one of
// another ledger all come to the same state.
func TestBookIsTheSameHoweverItIsOpened(t *testing.T) {
	dir := t.TempDir()
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	l, book := opened(t, dir, log)
	foundSome(t, l, "EVE", "JADE")
	file := filepath.Join(dir, bookFile)
	if err := saveBook(l, book, file); err != nil {
		t.Fatal(err)
	}
	foundSome(t, l, "ZEUS") // after the snapshot
	want := book.State().Append(nil)
	shut(t, l)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	other := t.TempDir()
	l, book = opened(t, other, log)
	foundSome(t, l, "EVE", "HERMES", "SOLARA", "ATLAS")
	if err := saveBook(l, book, filepath.Join(other, bookFile)); err != nil {
		t.Fatal(err)
	}
	shut(t, l)
	foreign, err := os.ReadFile(filepath.Join(other, bookFile))
	if err != nil {
		t.Fatal(err)
	}

	for _, tt := range []struct {
		name     string
		snapshot []byte
		fits     bool
	}{{"the snapshot", good, true}, {"none", nil, true}, {"a damaged one", good[:len(good)-1], false}, {"one of a longer ledger", foreign, false}} {
		said.Reset()
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if tt.snapshot != nil {
			if err := os.WriteFile(file, tt.snapshot, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		l, book := opened(t, dir, log)
		if !bytes.Equal(book.State().Append(nil), want) {
			t.Errorf("%s: another state", tt.name)
		}
		foundSome(t, l) // nothing: the ledger still takes records, or Close would say
		shut(t, l)
		if fits := said.Len() == 0; fits != tt.fits {
			t.Errorf("%s: the log says %q", tt.name, said.String())
		}
	}
}
