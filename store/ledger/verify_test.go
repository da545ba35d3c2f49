package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/kaizen-os/deliberation/store"
)

// filled is a closed ledger of 700 entries, the even ones named.
func filled(t *testing.T) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewMem()
	l := open(t, config(fs))
	for i := range 700 {
		name := ""
		if i%2 == 0 {
			name = fmt.Sprint("n", i)
		}
		add(t, l, name, fmt.Sprint("text ", i))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return fs
}

// tamper changes a store behind the ledger's back.
func tamper(t *testing.T, fs vfs.FS, change func(b *pebble.Batch, get func(key []byte) []byte) error) {
	t.Helper()
	db, err := store.Open("data/ledger", store.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	b := db.NewBatch()
	err = change(b, func(key []byte) []byte {
		value, closer, err := db.Get(key)
		if err != nil {
			t.Fatal(err)
		}
		defer closer.Close()
		return bytes.Clone(value)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Commit(b); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyNamesTheFirstThingWrong(t *testing.T) {
	entry := func(i uint64) []byte { return store.AppendEntryKey(nil, i) }
	tile := store.AppendTileKey(nil, 0, 1)
	flip := func(key []byte, at int) func(*pebble.Batch, func([]byte) []byte) error {
		return func(b *pebble.Batch, get func([]byte) []byte) error {
			value := get(key)
			if at < 0 {
				at += len(value)
			}
			value[at] ^= 1
			return b.Set(key, value, nil)
		}
	}
	drop := func(key []byte) func(*pebble.Batch, func([]byte) []byte) error {
		return func(b *pebble.Batch, _ func([]byte) []byte) error { return b.Delete(key, nil) }
	}
	put := func(key, value []byte) func(*pebble.Batch, func([]byte) []byte) error {
		return func(b *pebble.Batch, _ func([]byte) []byte) error { return b.Set(key, value, nil) }
	}
	for _, tt := range []struct {
		rule   string
		change func(*pebble.Batch, func([]byte) []byte) error
		want   string
	}{
		{"a changed entry shows at its tile", flip(entry(300), -3), "tile 1 of level 0"},
		{"a changed entry of the edge shows at the root", flip(entry(690), -3), "give the root"},
		{"a missing entry is named", drop(entry(300)), "entry 300 is missing"},
		{"a missing last entry is named", drop(entry(699)), "entry 699 is missing"},
		{"an entry too many is named", put(entry(700), []byte("\x00\x00\x00\x00")), "entry 700 is beyond"},
		{"an entry cut short is named", put(entry(5), []byte{1}), "entry 5"},
		{"an entry whose time is none is named", flip(entry(5), 1), "entry 5"},
		{"a changed tile is named", flip(tile, 100), "tile 1 of level 0"},
		{"a missing tile is named", drop(tile), "tile 1 of level 0 is missing"},
		{"a tile cut short is named", put(tile, []byte("short")), "tile 1 of level 0 has 5 bytes"},
		{"a tile too many is counted", put(store.AppendTileKey(nil, 3, 9), make([]byte, 8192)), "3 tiles are stored, 2 belong"},
		{"a missing name is named", drop(store.AppendNameKey(nil, "n300")), `name "n300" of entry 300 is missing`},
		{"a name that leads elsewhere is named", put(store.AppendNameKey(nil, "n300"), store.AppendIndex(nil, 4)), `name "n300" of entry 300 leads to entry 4`},
		{"a name that is no index is named", put(store.AppendNameKey(nil, "n300"), []byte("x")), `name "n300" of entry 300`},
		{"a name too many is counted", put(store.AppendNameKey(nil, "zz"), store.AppendIndex(nil, 4)), "351 names are stored, 350 belong"},
		{"a changed checkpoint is refused", flip(store.AppendCheckpointKey(nil), len(origin)+2), "checkpoint"},
		{"a missing checkpoint is refused", drop(store.AppendCheckpointKey(nil)), "no checkpoint"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			fs := filled(t)
			key, err := parseKey(testKey())
			if err != nil {
				t.Fatal(err)
			}
			seen := uint64(0)
			visit := func(index uint64, at int64, leaf []byte) error {
				if index != seen || at == 0 || !strings.Contains(string(leaf), fmt.Sprintf("text %d\"", index)) {
					return errors.New("wrong entry")
				}
				seen++
				return nil
			}
			if c, err := Verify("data", fs, key.verifier, visit); err != nil || c.Size != 700 || seen != 700 {
				t.Fatalf("Verify() of a whole ledger = %d, %v, %d visited", c.Size, err, seen)
			}
			tamper(t, fs, tt.change)
			_, err = Verify("data", fs, key.verifier, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Verify() = %v, want %q", err, tt.want)
			}
			if !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, ErrCheckpoint) {
				t.Errorf("Verify() = %v, of no kind", err)
			}
			// What is open despite it gives right proofs or none.
			l, err := Open(config(fs))
			if err != nil {
				return
			}
			defer l.Close()
			for i := uint64(0); i < l.Size(); i += 23 {
				text, err := l.Proof(i)
				leaf, errLeaf := l.Entry(i)
				if err != nil || errLeaf != nil {
					continue
				}
				p, err := ParseProof(text)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := p.Verify(leaf, l.Verifier()); err != nil && !strings.Contains(tt.rule, "changed entry") {
					t.Fatalf("proof of %d: %v", i, err)
				}
			}
		})
	}
}

func TestOpenRefusesADamagedEdge(t *testing.T) {
	for what, change := range map[string]func(*pebble.Batch, func([]byte) []byte) error{
		"give the root": func(b *pebble.Batch, get func([]byte) []byte) error {
			key := store.AppendEntryKey(nil, 690)
			value := get(key)
			value[len(value)-3] ^= 1
			return b.Set(key, value, nil)
		},
		"entry 690 is missing": func(b *pebble.Batch, _ func([]byte) []byte) error {
			return b.Delete(store.AppendEntryKey(nil, 690), nil)
		},
		"tile 1 of level 0 is missing": func(b *pebble.Batch, _ func([]byte) []byte) error {
			return b.Delete(store.AppendTileKey(nil, 0, 1), nil)
		},
		"entry 700 is beyond": func(b *pebble.Batch, get func([]byte) []byte) error {
			return b.Set(store.AppendEntryKey(nil, 700), get(store.AppendEntryKey(nil, 1)), nil)
		},
		"holds keys but no checkpoint": func(b *pebble.Batch, _ func([]byte) []byte) error {
			return b.Delete(store.AppendCheckpointKey(nil), nil)
		},
	} {
		fs := filled(t)
		tamper(t, fs, change)
		if _, err := Open(config(fs)); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), what) {
			t.Errorf("Open() = %v, want %q", err, what)
		}
	}
}

func TestVerifyPassesOnVisitsError(t *testing.T) {
	fs := filled(t)
	key, err := parseKey(testKey())
	if err != nil {
		t.Fatal(err)
	}
	bad := errors.New("no verdict")
	_, err = Verify("data", fs, key.verifier, func(index uint64, _ int64, _ []byte) error {
		if index == 42 {
			return bad
		}
		return nil
	})
	if !errors.Is(err, bad) || !strings.Contains(err.Error(), "entry 42") {
		t.Errorf("Verify() = %v", err)
	}
}
