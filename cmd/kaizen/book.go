package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/kaizen-os/deliberation/gateway"
	"github.com/kaizen-os/deliberation/store"
	"github.com/kaizen-os/deliberation/store/ledger"
)

// bookFile is the snapshot of the book, in the data folder.
const bookFile = "book.snapshot"

// openLedger opens the ledger and its book: from the snapshot in file if that is
// this ledger's, else by folding every record.
func openLedger(cfg ledger.Config, file string, log *slog.Logger) (*ledger.Ledger, *gateway.Book, error) {
	if snapshot, err := os.ReadFile(file); err == nil {
		l, book, err := resumeLedger(cfg, snapshot)
		if err == nil {
			return l, book, nil
		}
		if !errors.Is(err, gateway.ErrSnapshot) {
			return nil, nil, err
		}
		log.Warn("folding the whole ledger, the snapshot does not fit it", "error", err)
	}
	book := gateway.NewBook()
	cfg.Fold, cfg.FoldFrom = book.Fold, 0
	l, err := ledger.Open(cfg)
	return l, book, err
}

func resumeLedger(cfg ledger.Config, snapshot []byte) (*ledger.Ledger, *gateway.Book, error) {
	book, err := gateway.RestoreBook(snapshot)
	if err != nil {
		return nil, nil, err
	}
	cfg.Fold, cfg.FoldFrom = book.Fold, book.FoldFrom()
	l, err := ledger.Open(cfg)
	if err != nil {
		return nil, nil, err
	}
	if l.Size() < book.State().Size {
		return nil, nil, errors.Join(fmt.Errorf("%w: it is ahead of the ledger", gateway.ErrSnapshot), l.Close())
	}
	return l, book, nil
}

// saveBook writes the snapshot. Without one the next start only takes longer.
func saveBook(l *ledger.Ledger, book *gateway.Book, file string) error {
	snapshot, err := book.Snapshot(l.Entry)
	if err != nil || snapshot == nil {
		return err
	}
	return store.ReplaceFile(vfs.Default, file, snapshot)
}
